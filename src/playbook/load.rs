//! Reads playbooks, task files and roles, and resolves what can be resolved before a run.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use super::catalog::Catalog;
use super::keywords::{self, Keywords};
use super::play::{Play, Playbook, Prompt};
use super::role::RoleInfo;
use super::task::{Item, Task};
use crate::graph::Strategy;
use crate::plugins::PythonPlugins;
use crate::source::{Diagnostic, Diagnostics, Mapping, Node, NodeValue, SourceMap, Span, suggest, yaml};
use crate::template::Renderer;
use crate::vars::{Layer, Precedence, Scope, Variables};

/// Where things are looked for.
#[derive(Debug, Clone, Default)]
pub struct LoadSettings {
    /// Directories of roles, beside those next to the playbook.
    pub roles_path: Vec<PathBuf>,
    /// Directories of collections, beside the one next to the playbook.
    pub collections_path: Vec<PathBuf>,
    /// Variables of the command line: names of imports may use them.
    pub extra_vars: Arc<Variables>,
    /// Keywords of plays that do not have them themselves.
    pub play_defaults: Arc<Mapping>,
    /// Modules that stead does not have.
    pub foreign: Option<Arc<PythonPlugins>>,
}

/// Reads and resolves. Shared by the whole run: includes are read while running.
#[derive(Debug)]
pub struct Loader {
    pub(super) map: SourceMap,
    pub(super) catalog: Arc<Catalog>,
    pub(super) settings: LoadSettings,
    pub(super) renderer: Arc<Renderer>,
    ids: AtomicU64,
    files: Mutex<HashMap<PathBuf, Arc<Parsed>>>,
}

#[derive(Debug)]
struct Parsed {
    documents: Vec<Node>,
    diagnostics: Diagnostics,
}

/// Where a list of tasks stands while it is read.
#[derive(Debug, Clone)]
pub struct Place {
    /// Directory of the file.
    pub directory: PathBuf,
    /// Directory of the playbook.
    pub playbook: PathBuf,
    /// The role around it.
    pub role: Option<Arc<RoleInfo>>,
    /// What is inherited.
    pub outer: Keywords,
    /// Whether its tasks are handlers.
    pub handlers: bool,
    /// Files that led here, to find cycles.
    pub stack: Vec<PathBuf>,
    /// Variables that names of imports may use.
    pub vars: Vec<Arc<Variables>>,
    /// Collections in which roles are looked for (`collections`).
    pub collections: Vec<String>,
    /// Handlers of imported roles, found on the way.
    pub found_handlers: Arc<Mutex<Vec<Arc<Task>>>>,
}

/// Keywords of a play beside the shared ones.
const PLAY_ONLY: &[&str] = &[
    "hosts",
    "gather_facts",
    "gather_subset",
    "gather_timeout",
    "fact_path",
    "serial",
    "strategy",
    "max_fail_percentage",
    "force_handlers",
    "order",
    "vars_files",
    "vars_prompt",
    "roles",
    "pre_tasks",
    "tasks",
    "post_tasks",
    "handlers",
    "user",
    "import_playbook",
    "ansible.builtin.import_playbook",
];

impl Loader {
    /// A loader for one run.
    pub fn new(map: SourceMap, catalog: Arc<Catalog>, settings: LoadSettings, renderer: Arc<Renderer>) -> Self {
        Self { map, catalog, settings, renderer, ids: AtomicU64::new(1), files: Mutex::default() }
    }

    /// The files that were read.
    pub fn map(&self) -> &SourceMap {
        &self.map
    }

    /// The modules that may be called.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Modules that stead does not have.
    pub fn foreign(&self) -> Option<&Arc<PythonPlugins>> {
        self.settings.foreign.as_ref()
    }

    /// What renders names of imports.
    pub fn renderer(&self) -> &Renderer {
        &self.renderer
    }

    pub(super) fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }

    /// The first document of a YAML file; `None` where it is empty. Problems of the file are
    /// reported by the first who reads it. `wanted` is the place that names the file.
    pub fn document(&self, path: &Path, wanted: Option<Span>, diagnostics: &mut Diagnostics) -> Option<Node> {
        let known = self.files.lock().expect("no reader panics").get(path).cloned();
        let parsed = if let Some(parsed) = known {
            parsed
        } else {
            let file = match crate::source::load(&self.map, path) {
                Ok(file) => file,
                Err(mut problem) => {
                    if let (Some(span), None) = (wanted, &problem.span) {
                        problem.span = Some((span, "named here".into()));
                    }
                    diagnostics.push(*problem);
                    return None;
                }
            };
            let (documents, found) = yaml::parse(&self.map, file);
            let parsed = Arc::new(Parsed { documents, diagnostics: found });
            self.files.lock().expect("no reader panics").insert(path.to_owned(), Arc::clone(&parsed));
            parsed
        };
        diagnostics.extend(parsed.diagnostics.clone());
        parsed.documents.first().filter(|node| !node.is_null()).cloned()
    }

    /// Variables from a YAML file.
    pub fn variables_file(&self, path: &Path, wanted: Option<Span>, diagnostics: &mut Diagnostics) -> Variables {
        self.document(path, wanted, diagnostics).map(|node| keywords::variables(&node, diagnostics)).unwrap_or_default()
    }

    /// Reads a playbook with everything that can be resolved before a run.
    pub fn playbook(&self, path: &Path) -> (Playbook, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let mut plays = Vec::new();
        self.plays(path, None, &Keywords::default(), &mut Vec::new(), &mut plays, &mut diagnostics);
        (Playbook { path: path.to_owned(), plays }, diagnostics)
    }

    /// Reads a playbook that is not in a file; `path` stands for it in messages.
    pub fn playbook_text(&self, path: &Path, text: &str) -> (Playbook, Diagnostics) {
        let file = self.map.add(path, text);
        let (documents, diagnostics) = yaml::parse(&self.map, file);
        let parsed = Arc::new(Parsed { documents, diagnostics });
        self.files.lock().expect("no reader panics").insert(path.to_owned(), parsed);
        self.playbook(path)
    }

    fn plays(
        &self,
        path: &Path,
        wanted: Option<Span>,
        outer: &Keywords,
        stack: &mut Vec<PathBuf>,
        plays: &mut Vec<Arc<Play>>,
        diagnostics: &mut Diagnostics,
    ) {
        if stack.iter().any(|other| other == path) {
            diagnostics.push(cycle(wanted, stack, path));
            return;
        }
        let Some(document) = self.document(path, wanted, diagnostics) else {
            if !diagnostics.has_errors() {
                diagnostics.push(
                    Diagnostic::error("empty-playbook", format!("`{}` holds no play", path.display()))
                        .hint("a playbook is a list of plays: `- hosts: all`"),
                );
            }
            return;
        };
        let Some(list) = document.as_list() else {
            diagnostics.push(
                Diagnostic::error("bad-playbook", format!("a playbook must be a list of plays, found {}", document.kind()))
                    .at(document.span, "here")
                    .hint("begin each play with `- hosts: ...`"),
            );
            return;
        };
        stack.push(path.to_owned());
        self.renderer.add_plugins_of(&parent(path));
        for node in list {
            let Some(map) = node.as_map() else {
                diagnostics.push(
                    Diagnostic::error("bad-play", format!("a play must be a mapping, found {}", node.kind()))
                        .at(node.span, "here"),
                );
                continue;
            };
            let import = map.get("import_playbook").or_else(|| map.get("ansible.builtin.import_playbook"));
            if let Some(import) = import {
                let keywords = Keywords::read(map, diagnostics).under(outer);
                if let Some(name) = self.static_name(import, &self.import_vars(&keywords), diagnostics) {
                    let beside = parent(path).join(&name);
                    let of_collection = if beside.exists() { None } else { self.collection_playbook(&parent(path), &name) };
                    let target = of_collection.unwrap_or(beside);
                    self.plays(&target, Some(import.span), &keywords, stack, plays, diagnostics);
                }
                continue;
            }
            if let Some(play) = self.play(path, node, map, outer, diagnostics) {
                plays.push(Arc::new(play));
            }
        }
        stack.pop();
    }

    fn import_vars(&self, keywords: &Keywords) -> Vec<Arc<Variables>> {
        let mut vars = keywords.vars.clone();
        vars.push(Arc::clone(&self.settings.extra_vars));
        vars
    }

    fn play(&self, path: &Path, node: &Node, map: &Mapping, outer: &Keywords, diagnostics: &mut Diagnostics) -> Option<Play> {
        let shared: Vec<&str> = keywords::SHARED.iter().copied().filter(|name| !keywords::NOT_OF_PLAYS.contains(name)).collect();
        unknown_keys(map, "play", &[&shared, PLAY_ONLY], diagnostics);
        let Some(hosts) = map.get("hosts").filter(|node| !node.is_null()) else {
            diagnostics.push(
                Diagnostic::error("no-hosts", "a play needs `hosts`")
                    .at(node.span, "this play has none")
                    .hint("say on which hosts it runs: `hosts: all`"),
            );
            return None;
        };
        let mut own = Keywords::read(map, diagnostics);
        // Variables of an imported playbook's import statement count as the play's.
        let mut vars = Variables::new();
        for layer in outer.vars.iter().chain(&own.vars) {
            vars.extend(layer.iter().map(|(name, variable)| (Arc::clone(name), variable.clone())));
        }
        let vars = Arc::new(vars);
        own.vars.clear();
        if own.remote_user.is_none() {
            own.remote_user = map.get("user").cloned();
        }
        let mut around = outer.clone();
        around.vars.clear();
        let defaults = &self.settings.play_defaults;
        let keywords = own.under(&around).under(&Keywords::read(defaults, diagnostics));
        let directory = parent(path);
        let place = Place {
            directory: directory.clone(),
            playbook: directory.clone(),
            role: None,
            outer: keywords.clone(),
            handlers: false,
            stack: vec![path.to_owned()],
            vars: vec![Arc::clone(&vars), Arc::clone(&self.settings.extra_vars)],
            collections: names_of(map.get("collections")),
            found_handlers: Arc::default(),
        };
        let mut section =
            |name: &str| -> Vec<Item> { map.get(name).map(|node| self.tasks(node, &place, diagnostics)).unwrap_or_default() };
        let pre_tasks = section("pre_tasks");
        let tasks = section("tasks");
        let post_tasks = section("post_tasks");
        let handlers_place = Place { handlers: true, ..place.clone() };
        let own_handlers = map.get("handlers").map(|node| self.tasks(node, &handlers_place, diagnostics)).unwrap_or_default();
        let mut expansion = super::role_load::Expansion::default();
        if let Some(roles) = map.get("roles") {
            self.play_roles(roles, &place, &mut expansion, diagnostics);
        }
        let mut items = Vec::new();
        let flush = |items: &mut Vec<Item>| items.push(Item::Task(Arc::new(self.flush_task(node.span, &directory))));
        if !pre_tasks.is_empty() {
            items.extend(pre_tasks);
            flush(&mut items);
        }
        items.extend(expansion.items);
        items.extend(tasks);
        flush(&mut items);
        // Even without tasks of its own: handlers that a later handler notified run here.
        items.extend(post_tasks);
        flush(&mut items);
        let mut handlers = expansion.handlers;
        handlers.append(&mut place.found_handlers.lock().expect("no reader panics"));
        collect_handlers(&own_handlers, &mut handlers, diagnostics);
        for role in imported_roles(&items) {
            if !expansion.roles.iter().any(|other| Arc::ptr_eq(other, &role)) {
                expansion.roles.push(role);
            }
        }
        let text = |name: &str| map.get(name).or_else(|| defaults.get(name)).filter(|node| !node.is_null()).cloned();
        Some(Play {
            span: node.span,
            name: text("name"),
            hosts: hosts.clone(),
            directory,
            keywords,
            // With the setting `smart`, a play that asks for facts asks for them as all do.
            gather_facts: text("gather_facts").map(|node| match (&node.value, defaults.get("gather_facts")) {
                (NodeValue::Bool(true), Some(smart)) if smart.as_str().is_some() => smart.clone(),
                _ => node,
            }),
            gather_options: ["gather_subset", "gather_timeout", "fact_path"]
                .iter()
                .filter_map(|name| text(name).map(|node| (Arc::from(*name), node)))
                .collect(),
            serial: text("serial"),
            strategy: text("strategy").map_or(Strategy::Standard, |node| strategy(&node, diagnostics)),
            max_fail_percentage: text("max_fail_percentage"),
            force_handlers: text("force_handlers"),
            order: text("order"),
            collections: place.collections,
            vars,
            vars_files: match text("vars_files") {
                Some(node) => node.as_list().map_or_else(|| vec![node.clone()], <[Node]>::to_vec),
                None => Vec::new(),
            },
            vars_prompt: prompts(map, diagnostics),
            items,
            handlers,
            roles: expansion.roles,
        })
    }

    /// A flush of handlers at a point that nobody wrote.
    fn flush_task(&self, span: Span, directory: &Path) -> Task {
        let options = vec![("_raw_params".into(), Node::str(span, "flush_handlers"))];
        let mut task = Task::implied(self.next_id(), span, "meta", options, directory.to_owned());
        // Flush points are reached whatever tags are selected.
        task.keywords.tags = vec!["always".into()];
        task
    }

    /// The name of something that is imported: text, or a template of variables that are known
    /// before a run.
    pub(super) fn static_name(&self, node: &Node, vars: &[Arc<Variables>], diagnostics: &mut Diagnostics) -> Option<String> {
        let Some(text) = node.as_str() else {
            diagnostics
                .push(Diagnostic::error("bad-import", format!("expected a name, found {}", node.kind())).at(node.span, "here"));
            return None;
        };
        if !text.contains("{{") {
            return Some(text.to_owned());
        }
        let mut scope = Scope::default();
        for variables in vars {
            scope.push(Layer { precedence: Precedence::PlayVars, variables: Arc::clone(variables) });
        }
        match self.renderer.value(node, &scope) {
            Ok(value) => Some(value.to_string()),
            Err(error) => {
                diagnostics.push(
                    error
                        .diagnostic(node.span)
                        .hint("an import is read before the run: use `include_...` for names that depend on hosts"),
                );
                None
            }
        }
    }
}

/// A name or a list of names.
pub(super) fn names_of(node: Option<&Node>) -> Vec<String> {
    let items = node.map_or(&[][..], |node| node.as_list().unwrap_or(std::slice::from_ref(node)));
    items.iter().filter_map(Node::as_str).map(str::to_owned).collect()
}

/// The directory of a file.
pub(super) fn parent(path: &Path) -> PathBuf {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new(".")).to_owned()
}

pub(super) fn cycle(wanted: Option<Span>, stack: &[PathBuf], path: &Path) -> Diagnostic {
    let mut names: Vec<String> = stack.iter().map(|path| SourceMap::shown(path).to_string()).collect();
    names.push(SourceMap::shown(path).to_string());
    let problem =
        Diagnostic::error("import-cycle", format!("`{}` imports itself: {}", SourceMap::shown(path), names.join(" -> ")))
            .hint("break the loop, or use `include_tasks` with a condition that ends it");
    match wanted {
        Some(span) => problem.at(span, "this closes the loop"),
        None => problem,
    }
}

/// Reports keys that nobody knows.
pub(super) fn unknown_keys(map: &Mapping, what: &str, known: &[&[&str]], diagnostics: &mut Diagnostics) {
    for (key, _) in &map.entries {
        let Some(name) = key.as_str() else { continue };
        if known.iter().any(|list| list.contains(&name)) {
            continue;
        }
        let mut problem =
            Diagnostic::error("unknown-keyword", format!("`{name}` is not a keyword of a {what}")).at(key.span, "here");
        if let Some(hint) = suggest::did_you_mean(name, known.iter().copied().flatten().copied()) {
            problem = problem.hint(hint);
        }
        diagnostics.push(problem);
    }
}

/// All tasks of a list, blocks opened.
pub fn collect_tasks(items: &[Item], into: &mut Vec<Arc<Task>>) {
    for item in items {
        match item {
            Item::Task(task) => into.push(Arc::clone(task)),
            Item::Block(block) => {
                collect_tasks(&block.body, into);
                collect_tasks(&block.rescue, into);
                collect_tasks(&block.always, into);
            }
        }
    }
}

/// The handlers of a list. A block cannot be one, except in a file that a handler includes.
pub(super) fn collect_handlers(items: &[Item], into: &mut Vec<Arc<Task>>, diagnostics: &mut Diagnostics) {
    for item in items {
        match item {
            Item::Task(task) => into.push(Arc::clone(task)),
            Item::Block(block) => diagnostics.push(
                Diagnostic::error("handler-block", "a block cannot be a handler")
                    .at(block.span, "here")
                    .hint("write the tasks as handlers that `listen` to one topic, or as a file that a handler includes"),
            ),
        }
    }
}

/// Roles that tasks belong to (imported ones), each once.
fn imported_roles(items: &[Item]) -> Vec<Arc<RoleInfo>> {
    let mut tasks = Vec::new();
    collect_tasks(items, &mut tasks);
    let mut roles: Vec<Arc<RoleInfo>> = Vec::new();
    for role in tasks.iter().filter_map(|task| task.role.as_ref()) {
        if !roles.iter().any(|other| Arc::ptr_eq(other, role)) {
            roles.push(Arc::clone(role));
        }
    }
    roles
}

fn strategy(node: &Node, diagnostics: &mut Diagnostics) -> Strategy {
    const NAMES: &[&str] = &["linear", "free", "host_pinned", "graph"];
    let name = node.as_str().unwrap_or("");
    match name.rsplit('.').next().unwrap_or("") {
        "linear" => Strategy::Linear,
        "free" => Strategy::Free,
        "host_pinned" => Strategy::HostPinned,
        "graph" => Strategy::Graph,
        other => {
            let mut problem = Diagnostic::error("unknown-strategy", format!("no strategy named `{name}`")).at(node.span, "here");
            if let Some(hint) = suggest::did_you_mean(other, NAMES.iter().copied()) {
                problem = problem.hint(hint);
            }
            diagnostics.push(problem);
            Strategy::Standard
        }
    }
}

fn prompts(map: &Mapping, diagnostics: &mut Diagnostics) -> Vec<Prompt> {
    let Some(node) = map.get("vars_prompt") else { return Vec::new() };
    let mut prompts = Vec::new();
    for entry in node.as_list().unwrap_or_default() {
        let Some(fields) = entry.as_map() else { continue };
        unknown_keys(
            fields,
            "vars_prompt entry",
            &[&["name", "prompt", "private", "default", "confirm", "encrypt", "salt_size", "salt", "unsafe"]],
            diagnostics,
        );
        let Some(name) = fields.get("name").and_then(Node::as_str) else {
            diagnostics.push(Diagnostic::error("bad-prompt", "a prompt needs `name`").at(entry.span, "here"));
            continue;
        };
        let text = |key: &str| fields.get(key).and_then(scalar_text);
        prompts.push(Prompt {
            name: name.into(),
            text: text("prompt").unwrap_or_else(|| name.to_owned()),
            private: !matches!(fields.get("private").map(|node| &node.value), Some(NodeValue::Bool(false))),
            default: fields.get("default").filter(|node| !node.is_null()).cloned(),
            confirm: matches!(fields.get("confirm").map(|node| &node.value), Some(NodeValue::Bool(true))),
            encrypt: text("encrypt").map(|scheme| (scheme, entry.span)),
            salt: text("salt"),
            salt_size: text("salt_size").and_then(|size| size.parse().ok()),
        });
    }
    prompts
}

/// A scalar as text.
pub(super) fn scalar_text(node: &Node) -> Option<String> {
    match &node.value {
        NodeValue::Str(text, _) | NodeValue::Unsafe(text) => Some(text.to_string()),
        NodeValue::Int(number) => Some(number.to_string()),
        NodeValue::Float(number) => Some(number.to_string()),
        NodeValue::Bool(is) => Some(is.to_string()),
        _ => None,
    }
}
