//! Reads roles: defaults, variables, tasks, handlers and the roles that they depend on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keywords::{self, Keywords};
use super::load::{Loader, Place, collect_tasks};
use super::role::RoleInfo;
use super::task::{Item, Task};
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Span, suggest};
use crate::vars::Variables;

/// What the roles of a play become.
#[derive(Debug, Default)]
pub struct Expansion {
    /// Their tasks, dependencies first.
    pub items: Vec<Item>,
    /// Their handlers.
    pub handlers: Vec<Arc<Task>>,
    /// The roles themselves.
    pub roles: Vec<Arc<RoleInfo>>,
    seen: Vec<String>,
}

/// How a role is called.
#[derive(Debug, Clone)]
pub struct RoleCall {
    /// Its name or path.
    pub name: String,
    /// Where that stands.
    pub span: Span,
    /// Parameters.
    pub params: Arc<Variables>,
    /// Which files of tasks, variables, defaults and handlers are read.
    pub from: [String; 4],
}

impl RoleCall {
    /// A call of the role's main files.
    pub fn main(name: impl Into<String>, span: Span) -> Self {
        Self { name: name.into(), span, params: Arc::default(), from: ["main", "main", "main", "main"].map(Into::into) }
    }
}

const ENTRY_KEYWORDS: &[&str] = &["role", "name"];

impl Loader {
    pub(super) fn play_roles(&self, node: &Node, place: &Place, expansion: &mut Expansion, diagnostics: &mut Diagnostics) {
        for entry in node.as_list().unwrap_or_default() {
            if let Some((call, keywords)) = self.role_entry(entry, place, diagnostics) {
                let inner = Place { outer: keywords.under(&place.outer), ..place.clone() };
                self.expand_role(&call, &inner, &mut Vec::new(), expansion, diagnostics);
            }
        }
    }

    /// One entry of `roles:` or of a role's dependencies.
    fn role_entry(&self, entry: &Node, place: &Place, diagnostics: &mut Diagnostics) -> Option<(RoleCall, Keywords)> {
        if entry.as_str().is_some() {
            let name = self.static_name(entry, &place.vars, diagnostics)?;
            return Some((RoleCall::main(name, entry.span), Keywords::default()));
        }
        let Some(map) = entry.as_map() else {
            diagnostics.push(
                Diagnostic::error("bad-role", format!("a role is a name or a mapping, found {}", entry.kind()))
                    .at(entry.span, "here"),
            );
            return None;
        };
        let Some(name) = map.get("role").or_else(|| map.get("name")) else {
            diagnostics.push(
                Diagnostic::error("bad-role", "this entry names no role").at(entry.span, "here").hint("write `role: NAME`"),
            );
            return None;
        };
        let mut params = Variables::new();
        let mut own = Keywords::read(map, diagnostics);
        for layer in own.vars.drain(..) {
            params.extend(layer.iter().map(|(name, variable)| (Arc::clone(name), variable.clone())));
        }
        for (key, value) in &map.entries {
            let Some(name) = key.as_str() else { continue };
            if ENTRY_KEYWORDS.contains(&name) || keywords::SHARED.contains(&name) {
                continue;
            }
            params.insert(
                name.into(),
                crate::vars::Variable {
                    definition: crate::vars::Definition::Source(value.clone()),
                    origin: crate::vars::Origin::File(key.span),
                },
            );
        }
        let mut call = RoleCall::main(self.static_name(name, &place.vars, diagnostics)?, name.span);
        call.params = Arc::new(params);
        Some((call, own))
    }

    fn expand_role(
        &self,
        call: &RoleCall,
        place: &Place,
        parents: &mut Vec<Arc<str>>,
        into: &mut Expansion,
        diagnostics: &mut Diagnostics,
    ) {
        if parents.iter().any(|name| **name == *call.name) {
            let chain: Vec<&str> = parents.iter().map(|name| &**name).collect();
            diagnostics.push(
                Diagnostic::error(
                    "role-cycle",
                    format!("role `{}` depends on itself: {} -> {}", call.name, chain.join(" -> "), call.name),
                )
                .at(call.span, "this closes the loop"),
            );
            return;
        }
        let Some(path) = self.find_role(&call.name, call.span, place, diagnostics) else { return };
        let meta = self.role_document(&path.join("meta"), "main", None, diagnostics);
        let meta = meta.as_ref().and_then(Node::as_map);
        let duplicates =
            meta.and_then(|map| map.get("allow_duplicates")).is_some_and(|node| matches!(node.value, NodeValue::Bool(true)));
        let key = format!("{}\n{:?}\n{:?}", path.display(), call.params, place.outer.when);
        if !duplicates && into.seen.contains(&key) {
            return;
        }
        into.seen.push(key);
        let before = into.roles.len();
        parents.push(call.name.as_str().into());
        let dependencies = meta.and_then(|map| map.get("dependencies"));
        for entry in dependencies.and_then(Node::as_list).unwrap_or_default() {
            if let Some((inner, keywords)) = self.role_entry(entry, place, diagnostics) {
                let inside = Place { outer: keywords.under(&place.outer), ..place.clone() };
                self.expand_role(&inner, &inside, parents, into, diagnostics);
            }
        }
        parents.pop();
        let needed: Vec<Arc<RoleInfo>> = into.roles[before..].to_vec();
        let (info, items, handlers) = self.role_body(call, &path, &needed, parents, place, diagnostics);
        into.items.extend(items);
        into.handlers.extend(handlers);
        into.roles.push(info);
    }

    fn role_body(
        &self,
        call: &RoleCall,
        path: &Path,
        needed: &[Arc<RoleInfo>],
        parents: &[Arc<str>],
        place: &Place,
        diagnostics: &mut Diagnostics,
    ) -> (Arc<RoleInfo>, Vec<Item>, Vec<Arc<Task>>) {
        let [tasks, vars, defaults, handlers] = &call.from;
        let mut layers = |directory: &str, file: &str, of: fn(&RoleInfo) -> &[Arc<Variables>]| {
            let mut layers: Vec<Arc<Variables>> = needed.iter().flat_map(|role| of(role).iter().cloned()).collect();
            layers.push(Arc::new(self.role_variables(&path.join(directory), file, call.span, diagnostics)));
            layers
        };
        let defaults = layers("defaults", defaults, |role| &role.defaults);
        let vars = layers("vars", vars, |role| &role.vars);
        let info = Arc::new(RoleInfo {
            name: call.name.rsplit('/').next().unwrap_or(&call.name).into(),
            path: path.to_owned(),
            defaults,
            vars,
            params: Arc::clone(&call.params),
            parents: parents.iter().rev().cloned().collect(),
        });
        let inner = Place { role: Some(Arc::clone(&info)), directory: path.join("tasks"), ..place.clone() };
        let items = match self.role_file(&path.join("tasks"), tasks) {
            Some(file) => self.tasks_file(&file, call.span, &inner, diagnostics),
            None => {
                if tasks != "main" {
                    diagnostics.push(
                        Diagnostic::error("missing-file", format!("role `{}` has no file of tasks `{tasks}`", call.name))
                            .at(call.span, "named here"),
                    );
                }
                Vec::new()
            }
        };
        let mut found = Vec::new();
        if let Some(file) = self.role_file(&path.join("handlers"), handlers) {
            let inner = Place { handlers: true, directory: path.join("handlers"), ..inner };
            collect_tasks(&self.tasks_file(&file, call.span, &inner, diagnostics), &mut found);
        }
        (info, items, found)
    }

    /// `import_role`: the role's tasks in place of the task.
    pub(super) fn import_role(&self, task: &Task, place: &Place, items: &mut Vec<Item>, diagnostics: &mut Diagnostics) {
        let Some(node) = task.action.option("name").or_else(|| task.action.option("role")) else {
            diagnostics.push(Diagnostic::error("bad-import", "`import_role` needs `name`").at(task.action.span, "here"));
            return;
        };
        let Some(name) = self.static_name(node, &place.vars, diagnostics) else { return };
        let mut call = RoleCall::main(name, node.span);
        for (slot, option) in call.from.iter_mut().zip(["tasks_from", "vars_from", "defaults_from", "handlers_from"]) {
            if let Some(node) = task.action.option(option)
                && let Some(name) = self.static_name(node, &place.vars, diagnostics)
            {
                *slot = name;
            }
        }
        let (_, found, handlers) = self.include_role(&call, place, diagnostics);
        items.extend(found);
        place.found_handlers.lock().expect("no reader panics").extend(handlers);
    }

    /// A role as `include_role` or `import_role` calls it: the role, its tasks (dependencies
    /// first) and handlers.
    pub fn include_role(
        &self,
        call: &RoleCall,
        place: &Place,
        diagnostics: &mut Diagnostics,
    ) -> (Vec<Arc<RoleInfo>>, Vec<Item>, Vec<Arc<Task>>) {
        let mut expansion = Expansion::default();
        let parents: Vec<Arc<str>> = place
            .role
            .as_ref()
            .map(|role| role.parents.iter().rev().cloned().chain([Arc::clone(&role.name)]).collect())
            .unwrap_or_default();
        if parents.len() > 50 {
            diagnostics.push(
                Diagnostic::error("role-cycle", format!("role `{}` is nested more than 50 deep", call.name))
                    .at(call.span, "included here"),
            );
            return Default::default();
        }
        // A role may include itself under a condition; only its dependencies must not be circular.
        let Some(path) = self.find_role(&call.name, call.span, place, diagnostics) else { return Default::default() };
        let meta = self.role_document(&path.join("meta"), "main", None, diagnostics);
        let dependencies = meta.as_ref().and_then(Node::as_map).and_then(|map| map.get("dependencies"));
        let mut chain = vec![Arc::from(call.name.as_str())];
        for entry in dependencies.and_then(Node::as_list).unwrap_or_default() {
            if let Some((inner, keywords)) = self.role_entry(entry, place, diagnostics) {
                let inside = Place { outer: keywords.under(&place.outer), ..place.clone() };
                self.expand_role(&inner, &inside, &mut chain, &mut expansion, diagnostics);
            }
        }
        let needed = expansion.roles.clone();
        let (info, items, handlers) = self.role_body(call, &path, &needed, &parents, place, diagnostics);
        expansion.items.extend(items);
        expansion.handlers.extend(handlers);
        expansion.roles.push(info);
        (expansion.roles, expansion.items, expansion.handlers)
    }

    fn find_role(&self, name: &str, span: Span, place: &Place, diagnostics: &mut Diagnostics) -> Option<PathBuf> {
        let mut roots = vec![place.playbook.join("roles")];
        roots.extend(self.settings.roles_path.iter().cloned());
        if let Some(role) = &place.role
            && let Some(beside) = role.path.parent()
        {
            roots.push(beside.to_owned());
        }
        roots.push(place.playbook.clone());
        let found = roots.iter().map(|root| root.join(name)).find(|path| path.is_dir());
        if found.is_none() {
            let known: Vec<String> = roots
                .iter()
                .filter_map(|root| std::fs::read_dir(root).ok())
                .flat_map(|entries| entries.flatten().filter(|entry| entry.path().is_dir()))
                .map(|entry| entry.file_name().to_string_lossy().into_owned())
                .collect();
            let looked: Vec<String> = roots.iter().map(|root| format!("`{}`", root.display())).collect();
            let hint = suggest::did_you_mean(name, known.iter().map(String::as_str))
                .unwrap_or_else(|| format!("looked in {}", looked.join(", ")));
            diagnostics
                .push(Diagnostic::error("missing-role", format!("no role named `{name}`")).at(span, "named here").hint(hint));
        }
        if let Some(path) = &found {
            self.renderer().add_plugins_of(path);
        }
        found
    }

    /// `directory/name` with one of the extensions that Ansible takes.
    fn role_file(&self, directory: &Path, name: &str) -> Option<PathBuf> {
        ["", ".yml", ".yaml", ".json"]
            .iter()
            .map(|extension| directory.join(format!("{name}{extension}")))
            .find(|path| path.is_file())
    }

    fn role_document(&self, directory: &Path, name: &str, wanted: Option<Span>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let file = self.role_file(directory, name)?;
        self.document(&file, wanted, diagnostics)
    }

    /// Variables of `directory/name.yml`, or of all files in `directory/name/`.
    fn role_variables(&self, directory: &Path, name: &str, wanted: Span, diagnostics: &mut Diagnostics) -> Variables {
        if let Some(file) = self.role_file(directory, name) {
            return self.variables_file(&file, Some(wanted), diagnostics);
        }
        let mut variables = Variables::new();
        for file in sorted_files(&directory.join(name)) {
            variables.extend(self.variables_file(&file, Some(wanted), diagnostics));
        }
        variables
    }
}

/// YAML and JSON files below a directory, sorted; none where there is no directory.
pub fn sorted_files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        if path.is_dir() {
            files.extend(sorted_files(&path));
        } else if path.extension().is_some_and(|extension| ["yml", "yaml", "json"].iter().any(|known| extension == *known)) {
            files.push(path);
        }
    }
    files
}
