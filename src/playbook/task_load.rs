//! Reads lists of tasks: blocks, tasks, and the imports among them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::catalog::Entry;
use super::keywords::{self, Keywords};
use super::load::{Loader, Place, cycle, parent};
use super::task::{Action, Block, Item, LoopControl, LoopSpec, Task};
use crate::ansible::{free_form, modules, names};
use crate::plugins::ForeignModule;
use crate::source::{Diagnostic, Diagnostics, Mapping, Node, NodeValue, Span, suggest};

/// Keywords of a task beside the shared ones.
const TASK_ONLY: &[&str] = &[
    "action",
    "local_action",
    "args",
    "async",
    "poll",
    "changed_when",
    "failed_when",
    "loop",
    "loop_control",
    "notify",
    "register",
    "retries",
    "delay",
    "until",
    "listen",
];
const BLOCK_ONLY: &[&str] = &["block", "rescue", "always", "notify"];
const LOOP_CONTROL: &[&str] = &["loop_var", "index_var", "label", "pause", "extended", "extended_allitems", "break_when"];

impl Loader {
    /// Reads a list of tasks.
    pub fn tasks(&self, node: &Node, place: &Place, diagnostics: &mut Diagnostics) -> Vec<Item> {
        let Some(list) = node.as_list() else {
            if !node.is_null() {
                diagnostics.push(
                    Diagnostic::error("bad-tasks", format!("expected a list of tasks, found {}", node.kind()))
                        .at(node.span, "here")
                        .hint("begin each task with `- name: ...`"),
                );
            }
            return Vec::new();
        };
        let mut items = Vec::new();
        for entry in list {
            if entry.is_null() {
                continue;
            }
            let Some(map) = entry.as_map() else {
                diagnostics.push(
                    Diagnostic::error("bad-task", format!("a task must be a mapping, found {}", entry.kind()))
                        .at(entry.span, "here"),
                );
                continue;
            };
            if map.get("block").is_some() {
                items.push(Item::Block(Arc::new(self.block(entry, map, place, diagnostics))));
            } else if let Some(task) = self.task(entry, map, place, diagnostics) {
                self.resolve(task, place, &mut items, diagnostics);
            }
        }
        items
    }

    /// Reads a file of tasks, as an import or include names it.
    pub fn tasks_file(&self, path: &Path, wanted: Span, place: &Place, diagnostics: &mut Diagnostics) -> Vec<Item> {
        if place.stack.iter().any(|other| other == path) {
            diagnostics.push(cycle(Some(wanted), &place.stack, path));
            return Vec::new();
        }
        let Some(node) = self.document(path, Some(wanted), diagnostics) else { return Vec::new() };
        let mut inner = place.clone();
        inner.directory = parent(path);
        inner.stack.push(path.to_owned());
        self.tasks(&node, &inner, diagnostics)
    }

    /// Where a file of tasks is: beside the including file, in the role, beside the playbook.
    pub fn find_tasks_file(&self, name: &str, place: &Place) -> Option<PathBuf> {
        let mut roots = vec![place.directory.clone()];
        if let Some(role) = &place.role {
            roots.push(role.path.join(if place.handlers { "handlers" } else { "tasks" }));
            // A role's handlers find its files of tasks too.
            roots.push(role.path.join("tasks"));
            roots.push(role.path.clone());
        }
        roots.push(place.playbook.join("tasks"));
        roots.push(place.playbook.clone());
        roots.into_iter().map(|root| root.join(name)).find(|path| path.is_file())
    }

    fn block(&self, node: &Node, map: &Mapping, place: &Place, diagnostics: &mut Diagnostics) -> Block {
        super::load::unknown_keys(map, "block", &[keywords::SHARED, BLOCK_ONLY], diagnostics);
        let own = Keywords::read(map, diagnostics);
        let inner = Place { outer: own.under(&place.outer), ..place.clone() };
        let mut section = |name: &str| map.get(name).map(|node| self.tasks(node, &inner, diagnostics)).unwrap_or_default();
        Block { span: node.span, body: section("block"), rescue: section("rescue"), always: section("always") }
    }

    fn task(&self, node: &Node, map: &Arc<Mapping>, place: &Place, diagnostics: &mut Diagnostics) -> Option<Task> {
        let own = Keywords::read(map, diagnostics);
        let action = self.action(node, map, place, diagnostics)?;
        let own_vars = place.outer.vars.len();
        let get = |name: &str| map.get(name).filter(|node| !node.is_null()).cloned();
        let mut keywords = own.under(&place.outer);
        if map.get("local_action").is_some() {
            keywords.delegate_to = Some(Node::str(node.span, "localhost"));
        }
        let name = |key: &str, diagnostics: &mut Diagnostics| {
            get(key).and_then(|node| match node.as_str() {
                Some(text) => Some(Arc::from(text)),
                None => {
                    diagnostics.push(
                        Diagnostic::error("bad-name", format!("`{key}` must be a name, found {}", node.kind()))
                            .at(node.span, "here"),
                    );
                    None
                }
            })
        };
        let keywords_notify = keywords.notify.clone();
        meta_makes_sense(&action, place, diagnostics);
        // What is read while running inherits from what is around the include.
        let around = matches!(&*action.module, "include_tasks" | "include_role").then(|| Arc::new(place.outer.clone()));
        Some(Task {
            id: self.next_id(),
            span: node.span,
            written: Arc::clone(map),
            name: get("name"),
            action,
            keywords,
            own_vars,
            register: name("register", diagnostics),
            r#loop: self.loop_spec(map, diagnostics),
            loop_control: loop_control(map, diagnostics),
            until: get("until"),
            retries: get("retries"),
            delay: get("delay"),
            changed_when: get("changed_when"),
            failed_when: get("failed_when"),
            notify: keywords_notify,
            listen: get("listen").map(|node| keywords::tags(&node, diagnostics)).unwrap_or_default(),
            handler: place.handlers,
            role: place.role.clone(),
            directory: place.directory.clone(),
            around,
            r#async: get("async"),
            poll: get("poll"),
        })
    }

    fn loop_spec(&self, map: &Mapping, diagnostics: &mut Diagnostics) -> Option<LoopSpec> {
        let mut found: Vec<(Option<Arc<str>>, &Node, &Node)> = Vec::new();
        for (key, value) in &map.entries {
            match key.as_str() {
                Some("loop") => found.push((None, key, value)),
                Some(name) => {
                    if let Some(lookup) = name.strip_prefix("with_") {
                        let lookup = lookup.rsplit('.').next().unwrap_or(lookup);
                        found.push((Some(lookup.into()), key, value));
                    }
                }
                None => {}
            }
        }
        if let [_, (_, key, _), ..] = found.as_slice() {
            diagnostics.push(Diagnostic::error("two-loops", "a task can have only one loop").at(key.span, "this is the second"));
        }
        found.into_iter().next().map(|(lookup, _, list)| LoopSpec { lookup, list: list.clone() })
    }

    /// Finds the module of a task among its keys, and its options.
    fn action(&self, node: &Node, map: &Mapping, place: &Place, diagnostics: &mut Diagnostics) -> Option<Action> {
        let is_keyword = |name: &str| keywords::SHARED.contains(&name) || TASK_ONLY.contains(&name) || name.starts_with("with_");
        let mut candidates: Vec<(&str, &Node, &Node)> = map
            .entries
            .iter()
            .filter_map(|(key, value)| key.as_str().filter(|name| !is_keyword(name)).map(|name| (name, key, value)))
            .collect();
        let known = |name: &str| self.catalog.find(names::plain(name)).is_some() || modules::exists(name);
        if candidates.len() > 1 && candidates.iter().any(|(name, ..)| known(name)) {
            // One of them is the module, the others are misspelled keywords.
            let (modules, strangers): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(name, ..)| known(name));
            for (name, key, _) in strangers {
                let mut problem =
                    Diagnostic::error("unknown-keyword", format!("`{name}` is neither a keyword of a task nor a module"))
                        .at(key.span, "here");
                if let Some(hint) = suggest::did_you_mean(name, keywords::SHARED.iter().chain(TASK_ONLY).copied()) {
                    problem = problem.hint(hint);
                } else if let Some((module, ..)) = modules.first() {
                    problem = problem.hint(format!("if it is an option of `{module}`, indent it under `{module}:`"));
                }
                diagnostics.push(problem);
            }
            candidates = modules;
        }
        if let [(first, ..), (second, key, _), ..] = candidates.as_slice() {
            diagnostics.push(
                Diagnostic::error("two-modules", format!("a task calls one module, this one calls `{first}` and `{second}`"))
                    .at(key.span, "this is the second")
                    .hint("write two tasks"),
            );
            return None;
        }
        if let Some((name, key, value)) = candidates.first() {
            return self.module(name, key.span, value, map, place, diagnostics);
        }
        for keyword in ["action", "local_action"] {
            let Some(value) = map.get(keyword) else { continue };
            if let Some(text) = value.as_str() {
                let (name, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
                return self.module(name, value.span, &Node::str(value.span, rest.trim()), map, place, diagnostics);
            }
            if let Some(fields) = value.as_map()
                && let Some(name) = fields.get("module").and_then(Node::as_str)
            {
                let mut rest = Mapping {
                    entries: fields
                        .entries
                        .iter()
                        .filter(|(key, _)| !matches!(key.as_str(), Some("module" | "args")))
                        .cloned()
                        .collect(),
                };
                if let Some(more) = fields.get("args").and_then(Node::as_map) {
                    rest.entries.extend(more.entries.iter().cloned());
                }
                let options = Node { span: value.span, value: NodeValue::Map(Arc::new(rest)) };
                return self.module(name, value.span, &options, map, place, diagnostics);
            }
        }
        diagnostics.push(
            Diagnostic::error("no-module", "this task calls no module")
                .at(node.span, "here")
                .hint("add one, e.g. `ansible.builtin.copy:`"),
        );
        None
    }

    fn module(
        &self,
        written: &str,
        span: Span,
        value: &Node,
        map: &Mapping,
        place: &Place,
        diagnostics: &mut Diagnostics,
    ) -> Option<Action> {
        let searched = self.searched(map, place);
        let (plain, entry, foreign) = self.named(written, &searched);
        let plain = &*plain;
        let near = || suggest::nearest(plain, self.catalog.names());
        if entry.is_none()
            && foreign.is_none()
            && modules::is_slip(written, near())
            && !(near().is_none() && is_elsewhere(written, map, place))
        {
            let mut problem = Diagnostic::error("unknown-module", format!("no module named `{written}`")).at(span, "used here");
            let keyword_near = suggest::did_you_mean(written, keywords::SHARED.iter().chain(TASK_ONLY).copied());
            if let Some(hint) = suggest::did_you_mean(plain, self.catalog.names()).or(keyword_near) {
                problem = problem.hint(hint);
            } else {
                problem = problem.hint("`stead docs` lists the modules that there are");
            }
            diagnostics.push(problem);
            return None;
        }
        // A module that is not ours is kept: under a condition it may never be called.
        let mut options: Vec<(Arc<str>, Node)> = Vec::new();
        let mut template = None;
        match &value.value {
            NodeValue::Null => {}
            NodeValue::Map(fields) => {
                for (key, node) in &fields.entries {
                    match key.as_str() {
                        Some(name) => options.push((name.into(), node.clone())),
                        None => diagnostics.push(
                            Diagnostic::error("bad-option", format!("an option's name must be text, found {}", key.kind()))
                                .at(key.span, "here"),
                        ),
                    }
                }
            }
            NodeValue::Str(text, _) | NodeValue::Unsafe(text) => {
                let as_node = |text: &str| Node::str(value.span, text);
                if entry.is_some_and(|entry| entry.takes_command) {
                    let (command, extra) = free_form::command(text);
                    options.push(("_raw_params".into(), as_node(&command)));
                    options.extend(extra.into_iter().map(|(key, text)| (key.into(), as_node(&text))));
                } else if matches!(plain, "meta" | "include_tasks" | "import_tasks" | "include_vars" | "debug" | "pause")
                    && !text.contains('=')
                {
                    options.push(("_raw_params".into(), as_node(text)));
                } else if text.trim_start().starts_with("{{")
                    && text.trim_end().ends_with("}}")
                    && free_form::pairs(text).is_err()
                {
                    template = Some(value.clone());
                } else {
                    match free_form::pairs(text) {
                        Ok(pairs) => options.extend(pairs.into_iter().map(|(key, text)| (key.into(), as_node(&text)))),
                        Err(_) if entry.is_none() || matches!(plain, "include_tasks" | "import_tasks" | "include_vars") => {
                            options.push(("_raw_params".into(), as_node(text)));
                        }
                        Err(word) => diagnostics.push(
                            Diagnostic::error("bad-options", format!("`{word}` is not an option of the form `key=value`"))
                                .at(value.span, "here")
                                .hint("write options as a mapping below the module's name"),
                        ),
                    }
                }
            }
            _ => diagnostics.push(
                Diagnostic::error("bad-options", format!("options must be a mapping, found {}", value.kind()))
                    .at(value.span, "here"),
            ),
        }
        if let Some(args) = map.get("args").filter(|node| !node.is_null()) {
            if let Some(fields) = args.as_map() {
                for (key, node) in &fields.entries {
                    if let Some(name) = key.as_str()
                        && !options.iter().any(|(other, _)| &**other == name)
                    {
                        options.push((name.into(), node.clone()));
                    }
                }
            } else {
                template = Some(args.clone());
            }
        }
        let role = options.iter().find(|(name, _)| matches!(&**name, "name" | "role")).and_then(|(_, node)| node.as_str());
        let shown = match (plain, role) {
            ("include_role", Some(role)) => format!("{written} : {role}"),
            _ => written.to_owned(),
        };
        // So that nothing of ours is meant by it.
        let module = match &foreign {
            Some(foreign) if foreign.name.contains('.') => foreign.name.as_str().into(),
            Some(foreign) => format!("library.{}", foreign.name).into(),
            None => plain.into(),
        };
        Some(Action { module, written: written.to_owned(), shown, span, options, template, foreign })
    }

    /// What a module's name stands for: its plain name, what we know of it, or the module of somebody else.
    fn named<'n>(&self, written: &'n str, searched: &[String]) -> (Cow<'n, str>, Option<&Entry>, Option<Arc<ForeignModule>>) {
        let others = self.settings.foreign.as_deref();
        if !written.contains('.') && !modules::is_core(written) {
            // Collections that are named go before what the name means without them.
            for collection in searched.iter().filter(|name| !matches!(name.as_str(), "ansible.builtin" | "ansible.legacy")) {
                let full = format!("{collection}.{written}");
                let plain = names::plain(&full);
                if plain != full
                    && let Some(entry) = self.catalog.find(plain)
                {
                    return (Cow::Owned(plain.to_owned()), Some(entry), None);
                }
                if let Some(foreign) = others.and_then(|others| others.module(&full, &[])) {
                    return (Cow::Borrowed(written), None, Some(foreign));
                }
                // What a collection has that is not here cannot be known.
                if plain == full && !others.is_some_and(|others| others.has_collection(collection)) {
                    return (Cow::Owned(full), None, None);
                }
            }
        }
        let plain = names::plain(written);
        let entry = self.catalog.find(plain);
        // A project's own module goes before ours, those of others come after.
        let foreign = others.and_then(|others| match entry {
            Some(_) => others.own_module(written),
            None => others.module(written, searched),
        });
        (Cow::Borrowed(plain), entry.filter(|_| foreign.is_none()), foreign)
    }

    /// Collections in which a task's module is looked for if its name has none.
    fn searched(&self, map: &Mapping, place: &Place) -> Vec<String> {
        let own = super::load::names_of(map.get("collections"));
        let around = super::load::names_of(place.outer.collections.as_ref());
        own.into_iter().chain(around).chain(place.collections.iter().cloned()).collect()
    }

    /// Puts a task into the list, or what it imports.
    fn resolve(&self, task: Task, place: &Place, items: &mut Vec<Item>, diagnostics: &mut Diagnostics) {
        let module = Arc::clone(&task.action.module);
        if place.handlers && matches!(&*module, "import_role" | "include_role") {
            diagnostics.push(
                Diagnostic::error("handler-role", format!("`{module}` cannot be a handler"))
                    .at(task.action.span, "here")
                    .hint("a role's own handlers can be notified as soon as the role is part of the play"),
            );
            return;
        }
        if !matches!(&*module, "import_tasks" | "import_role") {
            items.push(Item::Task(Arc::new(task)));
            return;
        }
        if let Some(spec) = &task.r#loop {
            diagnostics.push(
                Diagnostic::error("loop-on-import", format!("`{module}` cannot be repeated: it is read before the run"))
                    .at(spec.list.span, "this loop")
                    .hint(format!("use `{}`", module.replace("import_", "include_"))),
            );
            return;
        }
        let mut vars = place.vars.clone();
        vars.extend(task.keywords.vars.iter().cloned());
        let inner = Place { outer: task.keywords.clone(), vars, ..place.clone() };
        if &*module == "import_role" {
            self.import_role(&task, &inner, items, diagnostics);
            return;
        }
        let option = task.action.option("_raw_params").or_else(|| task.action.option("file"));
        let Some(node) = option else {
            diagnostics.push(Diagnostic::error("bad-import", "`import_tasks` needs a file").at(task.action.span, "here"));
            return;
        };
        let Some(name) = self.static_name(node, &inner.vars, diagnostics) else { return };
        match self.find_tasks_file(&name, &inner) {
            Some(path) => items.extend(self.tasks_file(&path, node.span, &inner, diagnostics)),
            None => diagnostics.push(missing_file(&name, node.span, place)),
        }
    }
}

/// Whether a module of this name may come with the project, in `library/`, or with a collection that it names.
fn is_elsewhere(name: &str, map: &Mapping, place: &Place) -> bool {
    if map.get("collections").is_some() || place.outer.collections.is_some() {
        return true;
    }
    let roots = [Some(&place.playbook), place.role.as_ref().map(|role| &role.path)];
    roots
        .into_iter()
        .flatten()
        .any(|root| ["", ".py", ".sh"].iter().any(|ending| root.join("library").join(format!("{name}{ending}")).is_file()))
}

/// What `meta` can be asked for.
const METAS: &[&str] = &[
    "clear_facts",
    "clear_host_errors",
    "end_batch",
    "end_host",
    "end_play",
    "end_role",
    "flush_handlers",
    "noop",
    "refresh_inventory",
    "reset_connection",
];

/// Reports a `meta` that cannot be carried out where it stands.
fn meta_makes_sense(action: &Action, place: &Place, diagnostics: &mut Diagnostics) {
    let node = action.option("_raw_params").or_else(|| action.option("free_form"));
    let Some((node, name)) = node.filter(|_| &*action.module == "meta").and_then(|node| Some((node, node.as_str()?.trim())))
    else {
        return;
    };
    let problem = match name {
        "end_role" if place.role.is_none() => Diagnostic::error("bad-meta", "`meta: end_role` stands in no role")
            .hint("`end_host` and `end_play` end more than a role"),
        "end_role" | "flush_handlers" if place.handlers => {
            Diagnostic::error("bad-meta", format!("`meta: {name}` cannot be a handler"))
        }
        name if METAS.contains(&name) => return,
        other => {
            let problem = Diagnostic::error("bad-meta", format!("`meta` knows no `{other}`"));
            match suggest::did_you_mean(other, METAS.iter().copied()) {
                Some(hint) => problem.hint(hint),
                None => problem.hint(format!("it knows {}", METAS.join(", "))),
            }
        }
    };
    diagnostics.push(problem.at(node.span, "here"));
}

/// A file of tasks that is nowhere.
pub fn missing_file(name: &str, span: Span, place: &Place) -> Diagnostic {
    Diagnostic::error("missing-file", format!("no file of tasks named `{name}`"))
        .at(span, "named here")
        .hint(format!("looked in `{}` and beside the playbook", place.directory.display()))
}

fn loop_control(map: &Mapping, diagnostics: &mut Diagnostics) -> LoopControl {
    let Some(node) = map.get("loop_control").filter(|node| !node.is_null()) else { return LoopControl::default() };
    let Some(fields) = node.as_map() else {
        diagnostics.push(
            Diagnostic::error("bad-loop-control", format!("`loop_control` must be a mapping, found {}", node.kind()))
                .at(node.span, "here"),
        );
        return LoopControl::default();
    };
    super::load::unknown_keys(fields, "loop_control", &[LOOP_CONTROL], diagnostics);
    let name = |key: &str| fields.get(key).and_then(Node::as_str).map(Arc::from);
    LoopControl {
        loop_var: name("loop_var"),
        index_var: name("index_var"),
        label: fields.get("label").cloned(),
        pause: fields.get("pause").cloned(),
        extended: fields.get("extended").cloned(),
        extended_allitems: fields.get("extended_allitems").cloned(),
        break_when: fields.get("break_when").cloned(),
    }
}
