//! Reads roles: defaults, variables, tasks, handlers and the roles that they depend on.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::keywords::{self, Keywords};
use super::load::{Loader, Place, collect_handlers};
use super::role::RoleInfo;
use super::task::{Item, Task};
use crate::source::{Diagnostic, Diagnostics, Mapping, Node, NodeValue, Span, suggest};
use crate::vars::{Definition, Variables};

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
    /// Variables given with `vars`.
    pub vars: Arc<Variables>,
    /// Which files of tasks, variables, defaults and handlers are read.
    pub from: [String; 4],
    /// Whether a host that has run it may run it again; `None`: the role's `meta` decides.
    pub again: Option<bool>,
    /// Whether its argument specification is checked.
    pub validate: bool,
    /// Another role's `dependencies` name it.
    pub is_dependency: bool,
}

impl RoleCall {
    /// A call of the role's main files.
    pub fn main(name: impl Into<String>, span: Span) -> Self {
        Self {
            name: name.into(),
            span,
            params: Arc::default(),
            vars: Arc::default(),
            from: ["main", "main", "main", "main"].map(Into::into),
            again: None,
            validate: true,
            is_dependency: false,
        }
    }
}

/// A role, as the roles that it pulls in see it.
#[derive(Debug, Clone)]
struct Outer {
    name: Arc<str>,
    defaults: Arc<Variables>,
    vars: Arc<Variables>,
    given: Arc<Variables>,
    params: Arc<Variables>,
}

impl Outer {
    /// A role and what it was pulled in by, outermost first, for a role that is included in it.
    fn chain(role: &RoleInfo) -> Vec<Self> {
        let around = role.parents.iter().rev().map(|name| Self {
            name: Arc::clone(name),
            defaults: Arc::default(),
            vars: Arc::default(),
            given: Arc::default(),
            params: Arc::default(),
        });
        // What it sees of those around it is in its own lists.
        let merged = |layers: &[Arc<Variables>]| {
            let mut all = Variables::new();
            for layer in layers {
                all.extend(layer.iter().map(|(name, variable)| (Arc::clone(name), variable.clone())));
            }
            Arc::new(all)
        };
        let own = Self {
            name: Arc::clone(&role.name),
            defaults: merged(&role.defaults),
            vars: merged(&role.vars),
            given: Arc::default(),
            params: Arc::clone(&role.params),
        };
        around.chain([own]).collect()
    }
}

/// Equal for two calls of a role that ask for the same.
fn role_key(path: &Path, call: &RoleCall, outer: &Keywords) -> String {
    let written = |variables: &Variables| -> Vec<String> {
        variables.iter().map(|(name, variable)| format!("{name}={:?}", Written(&variable.definition))).collect()
    };
    let conditions: Vec<Option<&str>> = outer.when.iter().map(Node::as_str).collect();
    format!(
        "{}\n{:?}\n{:?}\n{:?}\n{conditions:?}\n{:?}",
        path.display(),
        call.from,
        written(&call.params),
        written(&call.vars),
        outer.tags
    )
}

/// A definition without its place.
struct Written<'a>(&'a Definition);

impl std::fmt::Debug for Written<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Definition::Source(node) => match super::outline::literal(node) {
                Some(value) => write!(f, "{value}"),
                None => write!(f, "{:?}", node.value),
            },
            Definition::Data(value) => write!(f, "{value:?}"),
        }
    }
}

fn allows_duplicates(meta: Option<&Node>) -> bool {
    meta.and_then(Node::as_map).and_then(|map| map.get("allow_duplicates")).is_some_and(super::outline::is_true)
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
        let vars = own.vars.pop().unwrap_or_default();
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
        call.vars = vars;
        Some((call, own))
    }

    fn expand_role(
        &self,
        call: &RoleCall,
        place: &Place,
        chain: &mut Vec<Outer>,
        into: &mut Expansion,
        diagnostics: &mut Diagnostics,
    ) {
        if chain.iter().any(|outer| *outer.name == *call.name) {
            let names: Vec<&str> = chain.iter().map(|outer| &*outer.name).collect();
            diagnostics.push(
                Diagnostic::error(
                    "role-cycle",
                    format!("role `{}` depends on itself: {} -> {}", call.name, names.join(" -> "), call.name),
                )
                .at(call.span, "this closes the loop"),
            );
            return;
        }
        let Some((name, path)) = self.find_role(&call.name, call.span, place, diagnostics) else { return };
        let meta = self.role_document(&path.join("meta"), "main", None, diagnostics);
        let own = Outer {
            name: name.into(),
            defaults: Arc::new(self.role_variables(&path.join("defaults"), &call.from[2], call.span, diagnostics)),
            vars: Arc::new(self.role_variables(&path.join("vars"), &call.from[1], call.span, diagnostics)),
            given: Arc::clone(&call.vars),
            params: Arc::clone(&call.params),
        };
        let key = role_key(&path, call, &place.outer);
        let again = call.again.unwrap_or_else(|| allows_duplicates(meta.as_ref()));
        if !again && into.seen.contains(&key) {
            return;
        }
        into.seen.push(key.clone());
        let before = into.roles.len();
        self.dependencies(meta.as_ref(), &own, place, chain, into, diagnostics);
        let needed: Vec<Arc<RoleInfo>> = into.roles[before..].to_vec();
        let once = (!again).then_some(key);
        let (info, items, handlers) = self.role_body(call, &path, &needed, (&own, chain), once, place, diagnostics);
        into.items.extend(items);
        into.handlers.extend(handlers);
        into.roles.push(info);
    }

    /// The roles that a role's `meta` asks for.
    fn dependencies(
        &self,
        meta: Option<&Node>,
        own: &Outer,
        place: &Place,
        chain: &mut Vec<Outer>,
        into: &mut Expansion,
        diagnostics: &mut Diagnostics,
    ) {
        let dependencies = meta.and_then(Node::as_map).and_then(|map| map.get("dependencies"));
        chain.push(own.clone());
        for entry in dependencies.and_then(Node::as_list).unwrap_or_default() {
            if let Some((mut inner, keywords)) = self.role_entry(entry, place, diagnostics) {
                inner.is_dependency = true;
                let inside = Place { outer: keywords.under(&place.outer), ..place.clone() };
                self.expand_role(&inner, &inside, chain, into, diagnostics);
            }
        }
        chain.pop();
    }

    #[expect(clippy::too_many_arguments, reason = "a role is where everything meets")]
    fn role_body(
        &self,
        call: &RoleCall,
        path: &Path,
        needed: &[Arc<RoleInfo>],
        (own, chain): (&Outer, &[Outer]),
        once: Option<String>,
        place: &Place,
        diagnostics: &mut Diagnostics,
    ) -> (Arc<RoleInfo>, Vec<Item>, Vec<Arc<Task>>) {
        let [tasks, _, _, handlers] = &call.from;
        let mut defaults: Vec<Arc<Variables>> = needed.iter().map(|role| Arc::clone(&role.own_defaults)).collect();
        let mut vars = Vec::new();
        let mut params = Variables::new();
        for outer in chain {
            defaults.push(Arc::clone(&outer.defaults));
            vars.extend([Arc::clone(&outer.given), Arc::clone(&outer.vars)]);
        }
        for role in needed {
            vars.extend([Arc::clone(&role.own_vars), Arc::clone(&role.given)]);
        }
        for outer in chain.iter().chain([own]) {
            params.extend(outer.params.iter().map(|(name, variable)| (Arc::clone(name), variable.clone())));
        }
        defaults.push(Arc::clone(&own.defaults));
        vars.extend([Arc::clone(&own.vars), Arc::clone(&own.given)]);
        let info = Arc::new(RoleInfo {
            name: Arc::clone(&own.name),
            path: path.to_owned(),
            defaults,
            vars,
            params: Arc::new(params),
            own_defaults: Arc::clone(&own.defaults),
            own_vars: Arc::clone(&own.vars),
            given: Arc::clone(&own.given),
            own_params: Arc::clone(&own.params),
            parents: chain.iter().rev().filter(|_| !call.is_dependency).map(|outer| Arc::clone(&outer.name)).collect(),
            named: !call.is_dependency,
            once: once.is_some(),
            key: once.unwrap_or_else(|| role_key(path, call, &place.outer)),
        });
        let inner = Place {
            role: Some(Arc::clone(&info)),
            directory: path.join("tasks"),
            collections: self.role_collections(path, &call.name, diagnostics),
            ..place.clone()
        };
        let mut items: Vec<Item> = Vec::new();
        if call.validate {
            items.extend(self.validation(call, path, &inner, diagnostics).map(|task| Item::Task(Arc::new(task))));
        }
        match self.role_file(&path.join("tasks"), tasks) {
            Some(file) => items.extend(self.tasks_file(&file, call.span, &inner, diagnostics)),
            None => {
                if tasks != "main" {
                    diagnostics.push(
                        Diagnostic::error("missing-file", format!("role `{}` has no file of tasks `{tasks}`", call.name))
                            .at(call.span, "named here"),
                    );
                }
            }
        }
        let mut found = Vec::new();
        if let Some(file) = self.role_file(&path.join("handlers"), handlers) {
            let inner = Place { handlers: true, directory: path.join("handlers"), ..inner };
            let items = self.tasks_file(&file, call.span, &inner, diagnostics);
            collect_handlers(&items, &mut found, diagnostics);
        } else if handlers != "main" {
            diagnostics.push(
                Diagnostic::error("missing-file", format!("role `{}` has no file of handlers `{handlers}`", call.name))
                    .at(call.span, "named here"),
            );
        }
        (info, items, found)
    }

    /// The task that checks the role's arguments, where the role has a specification of this entry point.
    fn validation(&self, call: &RoleCall, path: &Path, place: &Place, diagnostics: &mut Diagnostics) -> Option<Task> {
        let entry = call.from[0].as_str();
        let meta = path.join("meta");
        let own = self.role_document(&meta, "argument_specs", None, diagnostics);
        let main = self.role_document(&meta, "main", None, diagnostics);
        let specs = [own, main].into_iter().flatten().find_map(|node| node.as_map()?.get("argument_specs").cloned())?;
        let spec = specs.as_map()?.get(entry)?.clone();
        let fields = spec.as_map()?;
        let mut name = format!("Validating arguments against arg spec '{entry}'");
        if let Some(short) = fields.get("short_description").and_then(Node::as_str) {
            name.push_str(" - ");
            name.push_str(short);
        }
        let options =
            fields.get("options").cloned().unwrap_or_else(|| Node { span: spec.span, value: NodeValue::Map(Arc::default()) });
        let text = |text: &str| Node::str(spec.span, text);
        let about = [
            ("argument_spec_name", entry),
            ("name", &*place.role.as_ref().map_or_else(|| call.name.as_str().into(), |role| Arc::clone(&role.name))),
            ("path", &path.to_string_lossy()),
            ("type", "role"),
        ];
        let about = Mapping {
            entries: about
                .map(|(name, value)| (text(name), Node { span: spec.span, value: NodeValue::Unsafe(value.into()) }))
                .into(),
        };
        let about = Node { span: spec.span, value: NodeValue::Map(Arc::new(about)) };
        let options = vec![("argument_spec".into(), options), ("validate_args_context".into(), about)];
        let mut task = Task::implied(self.next_id(), spec.span, "validate_argument_spec", options, place.directory.clone());
        task.name = Some(text(&name));
        task.keywords = Keywords { tags: vec!["always".into()], ..Keywords::default() }.under(&place.outer);
        task.own_vars = task.keywords.vars.len();
        task.role.clone_from(&place.role);
        Some(task)
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
        if let Some(node) = task.action.option("allow_duplicates") {
            call.again = Some(super::outline::is_true(node));
        }
        if let Some(node) = task.action.option("rolespec_validate") {
            call.validate = super::outline::is_true(node);
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
        let chain: Vec<Outer> = place.role.as_deref().map(Outer::chain).unwrap_or_default();
        if chain.len() > 50 {
            diagnostics.push(
                Diagnostic::error("role-cycle", format!("role `{}` is nested more than 50 deep", call.name))
                    .at(call.span, "included here"),
            );
            return Default::default();
        }
        // A role may include itself under a condition; only its dependencies must not be circular.
        let Some((name, path)) = self.find_role(&call.name, call.span, place, diagnostics) else { return Default::default() };
        let meta = self.role_document(&path.join("meta"), "main", None, diagnostics);
        let own = Outer {
            name: name.into(),
            defaults: Arc::new(self.role_variables(&path.join("defaults"), &call.from[2], call.span, diagnostics)),
            vars: Arc::new(self.role_variables(&path.join("vars"), &call.from[1], call.span, diagnostics)),
            given: Arc::clone(&call.vars),
            params: Arc::clone(&call.params),
        };
        let mut inside = Vec::new();
        self.dependencies(meta.as_ref(), &own, place, &mut inside, &mut expansion, diagnostics);
        let needed = expansion.roles.clone();
        let once = (call.again == Some(false)).then(|| role_key(&path, call, &place.outer));
        let (info, items, handlers) = self.role_body(call, &path, &needed, (&own, &chain), once, place, diagnostics);
        expansion.items.extend(items);
        expansion.handlers.extend(handlers);
        expansion.roles.push(info);
        (expansion.roles, expansion.items, expansion.handlers)
    }

    /// A role's full name and its directory. Of a path that lies in no directory of roles the name is
    /// its last part.
    fn find_role(&self, name: &str, span: Span, place: &Place, diagnostics: &mut Diagnostics) -> Option<(String, PathBuf)> {
        let mut roots = vec![place.playbook.join("roles")];
        roots.extend(self.settings.roles_path.iter().cloned());
        if let Some(role) = &place.role
            && let Some(beside) = role.path.parent()
        {
            roots.push(beside.to_owned());
        }
        roots.push(place.playbook.clone());
        let found = self.collection_role(&place.playbook, name, &place.collections).or_else(|| {
            let path = roots.iter().map(|root| root.join(name)).find(|path| path.is_dir())?;
            let is_path = Path::new(name).is_absolute() || name.starts_with('.');
            let last = path.file_name().filter(|_| is_path).map(|last| last.to_string_lossy().into_owned());
            Some((last.unwrap_or_else(|| name.to_owned()), path))
        });
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
        if let Some((_, path)) = &found {
            self.renderer().add_plugins_of(path);
        }
        found
    }

    /// The collections in which a role looks for other roles: its own, and those that its `meta` names.
    fn role_collections(&self, path: &Path, name: &str, diagnostics: &mut Diagnostics) -> Vec<String> {
        let meta = self.role_document(&path.join("meta"), "main", None, diagnostics);
        let mut all = super::load::names_of(meta.as_ref().and_then(Node::as_map).and_then(|map| map.get("collections")));
        let mut parts = name.split('.');
        if let (Some(namespace), Some(collection), Some(_)) = (parts.next(), parts.next(), parts.next()) {
            all.insert(0, format!("{namespace}.{collection}"));
        }
        all
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
