//! Variables that are defined nowhere, found before a run.
//!
//! Only what would fail for sure is reported: tasks that run under no condition, names that no
//! file, task, role or command line defines, and only in plays whose variables are all known
//! beforehand (no `include_vars`, no includes).

use std::collections::BTreeSet;

use super::load::{Loader, collect_tasks};
use super::play::Play;
use super::task::{Item, Task};
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, suggest};
use crate::template;

/// Names that the engine or the template language defines. Anything that begins with `ansible_`
/// may be a fact.
const ALWAYS: &[&str] = &[
    "inventory_hostname",
    "inventory_hostname_short",
    "inventory_file",
    "inventory_dir",
    "group_names",
    "groups",
    "hostvars",
    "vars",
    "environment",
    "playbook_dir",
    "play_hosts",
    "role_name",
    "role_path",
    "role_names",
    "omit",
    "item",
    "lookup",
    "query",
    "q",
    "now",
    "range",
    "dict",
    "namespace",
    "undef",
    "lipsum",
    "cycler",
    "joiner",
    "self",
    "caller",
    "loop",
    "true",
    "false",
    "none",
    "True",
    "False",
    "None",
];

/// Modules that bring variables which cannot be known beforehand.
const OPEN: &[&str] = &["include_vars", "include_tasks", "include_role", "add_host", "group_by"];

/// Reports variables of a play that are defined nowhere; `known` are the names that inventory and
/// command line define.
pub fn play(play: &Play, loader: &Loader, known: &BTreeSet<String>) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    let mut tasks = Vec::new();
    collect_tasks(&play.items, &mut tasks);
    let all: Vec<&Task> = tasks.iter().chain(&play.handlers).map(|task| &**task).collect();
    if all.iter().any(|task| OPEN.contains(&&*task.action.module) || task.action.template.is_some()) {
        return diagnostics;
    }
    let mut defined = known.clone();
    if !vars_files(play, loader, &mut defined) {
        return diagnostics;
    }
    defined.extend(play.vars.keys().map(ToString::to_string));
    defined.extend(play.vars_prompt.iter().map(|prompt| prompt.name.to_string()));
    for role in play.roles.iter().chain(all.iter().filter_map(|task| task.role.as_ref())) {
        for layer in role.defaults.iter().chain(&role.vars).chain([&role.params]) {
            defined.extend(layer.keys().map(ToString::to_string));
        }
    }
    for task in &all {
        defined.extend(task.keywords.vars.iter().flat_map(|layer| layer.keys().map(ToString::to_string)));
        defined.extend(task.register.iter().map(ToString::to_string));
        let control = &task.loop_control;
        defined.extend([&control.loop_var, &control.index_var].into_iter().flatten().map(ToString::to_string));
        if &*task.action.module == "set_fact" {
            for (name, _) in &task.action.options {
                if name.contains("{{") {
                    return diagnostics;
                }
                defined.insert(name.to_string());
            }
        }
    }
    certain(&play.items, &mut |task| check(task, &defined, &mut diagnostics));
    diagnostics
}

/// Names that `vars_files` define; false where that cannot be known.
fn vars_files(play: &Play, loader: &Loader, defined: &mut BTreeSet<String>) -> bool {
    for entry in &play.vars_files {
        let Some(name) = entry.as_str().filter(|name| !name.contains("{{")) else { return false };
        let paths = [play.directory.join(name), play.directory.join("vars").join(name)];
        let Some(path) = paths.iter().find(|path| path.is_file()) else { return false };
        let variables = loader.variables_file(path, Some(entry.span), &mut Diagnostics::default());
        defined.extend(variables.keys().map(ToString::to_string));
    }
    true
}

/// Tasks that are reached for sure: not in a rescue, under no condition, failures not ignored.
fn certain(items: &[Item], see: &mut dyn FnMut(&Task)) {
    for item in items {
        match item {
            Item::Task(task) if task.keywords.when.is_empty() && task.keywords.ignore_errors.is_none() => see(task),
            Item::Task(_) => {}
            // A failure in a body with a rescue may be what is wanted.
            Item::Block(block) if block.rescue.is_empty() => {
                certain(&block.body, see);
                certain(&block.always, see);
            }
            Item::Block(_) => {}
        }
    }
}

fn check(task: &Task, defined: &BTreeSet<String>, diagnostics: &mut Diagnostics) {
    let module = &*task.action.module;
    for (name, node) in &task.action.options {
        // `debug: var=` shows an undefined variable as such; conditions are looked at when they are met.
        let late = matches!((module, &**name), ("debug", "var") | ("assert", "that"));
        if !late {
            texts(node, task, defined, diagnostics);
        }
    }
    if let Some(spec) = task.r#loop.as_ref().filter(|spec| spec.lookup.is_none()) {
        texts(&spec.list, task, defined, diagnostics);
    }
}

/// Every text of a node by itself, so that the place is exact.
fn texts(node: &Node, task: &Task, defined: &BTreeSet<String>, diagnostics: &mut Diagnostics) {
    match &node.value {
        NodeValue::Str(text, _) => {
            // What is guarded, or only perhaps evaluated, is left to the run.
            let guarded =
                ["default", "d(", "defined", " if ", "{%", "lookup", "query", "vars["].iter().any(|word| text.contains(word));
            if guarded || !text.contains("{{") {
                return;
            }
            for name in template::refs(text, false) {
                if defined.contains(&name) || ALWAYS.contains(&name.as_str()) || name.starts_with("ansible_") {
                    continue;
                }
                let problem = Diagnostic::error("undefined-variable", format!("`{name}` is not defined anywhere"))
                    .at(node.span, format!("used here by `{}`", task.title()));
                let hint = suggest::did_you_mean(&name, defined.iter().map(String::as_str))
                    .unwrap_or_else(|| format!("define it in group_vars, in the play's `vars`, or with `-e {name}=...`"));
                diagnostics.push(problem.hint(hint));
            }
        }
        NodeValue::List(items) => items.iter().for_each(|item| texts(item, task, defined, diagnostics)),
        NodeValue::Map(map) => map.entries.iter().for_each(|(_, value)| texts(value, task, defined, diagnostics)),
        _ => {}
    }
}
