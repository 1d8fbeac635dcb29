//! What can be found wrong in a playbook before any host is contacted: options, templates, notify
//! targets. (Unknown modules and keywords are found while reading.)

use std::path::Path;

use serde_json::Map;
use stead_modules::args::Presence;

use super::load::{Loader, collect_tasks};
use super::outline::{literal, literal_options};
use super::play::Play;
use super::task::{Item, Task};
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Span, suggest};

/// Whether a task is `meta: flush_handlers`.
pub fn is_flush(task: &Task) -> bool {
    &*task.action.module == "meta" && task.action.option("_raw_params").and_then(Node::as_str) == Some("flush_handlers")
}

/// The handlers that a task names literally.
pub fn notified(task: &Task) -> Vec<String> {
    let Some(node) = &task.notify else { return Vec::new() };
    let items: &[Node] = node.as_list().unwrap_or(std::slice::from_ref(node));
    items.iter().filter_map(Node::as_str).filter(|name| !name.contains("{{")).map(str::to_owned).collect()
}

/// Checks a play.
pub fn play(play: &Play, loader: &Loader) -> Diagnostics {
    let mut diagnostics = Diagnostics::default();
    items(&play.items, loader, &mut diagnostics);
    for handler in &play.handlers {
        task(handler, loader, &mut diagnostics);
    }
    let mut tasks = Vec::new();
    collect_tasks(&play.items, &mut tasks);
    // Handlers of roles that are included while running cannot be known now.
    let open = tasks.iter().any(|task| matches!(&*task.action.module, "include_role" | "include_tasks"))
        || play.handlers.iter().any(|handler| handler.title().contains("{{") || handler.action.module.starts_with("include"));
    for one in &tasks {
        files(one, &play.directory, loader, &mut diagnostics);
    }
    if !open {
        for task in tasks.iter().chain(&play.handlers) {
            notify_targets(task, play, &mut diagnostics);
        }
    }
    diagnostics
}

/// Checks a list of tasks (an included file).
pub fn items(items: &[Item], loader: &Loader, diagnostics: &mut Diagnostics) {
    let mut tasks = Vec::new();
    collect_tasks(items, &mut tasks);
    for one in &tasks {
        task(one, loader, diagnostics);
    }
}

/// Files of the project that a task is certain to need: that they exist, and that templates parse.
fn files(task: &Task, playbook: &Path, loader: &Loader, diagnostics: &mut Diagnostics) {
    let folder = match &*task.action.module {
        "template" => "templates",
        "copy" if task.action.option("remote_src").is_none() => "files",
        _ => return,
    };
    // What runs under a condition may never need its file.
    if !task.keywords.when.is_empty() || task.keywords.ignore_errors.is_some() || task.action.template.is_some() {
        return;
    }
    let Some((node, name)) = task.action.option("src").and_then(|node| Some((node, node.as_str()?))) else { return };
    if name.contains("{{") || name.starts_with('~') {
        return;
    }
    let roots = task.role.iter().map(|role| role.path.as_path()).chain([task.directory.as_path(), playbook]);
    let mut candidates = roots.flat_map(|root| [root.join(folder).join(name), root.join(name)]);
    let Some(path) = candidates.find(|path| path.exists()) else {
        diagnostics.push(
            Diagnostic::error("missing-file", format!("no file `{name}` in the project"))
                .at(node.span, "named here")
                .hint(format!("put it into `{folder}/` beside the playbook or in the role")),
        );
        return;
    };
    if folder == "templates"
        && let Ok(file) = crate::source::load::once(&loader.map, &path)
    {
        let text = loader.map.text(file);
        let whole = Span { file, start: 0, end: text.len() as u32 };
        // A `#jinja2:` line may change what the delimiters are; such files are checked when they are rendered.
        if !text.starts_with("#jinja2:")
            && let Err(error) = loader.renderer.check(&text, whole, false)
        {
            diagnostics.push(error.diagnostic(whole).related(node.span, "used here"));
        }
    }
}

fn notify_targets(task: &Task, play: &Play, diagnostics: &mut Diagnostics) {
    for name in notified(task) {
        let answers = |handler: &Task| {
            handler.title() == name
                || handler.listen.iter().any(|topic| **topic == *name)
                || handler.role.as_ref().is_some_and(|role| format!("{} : {}", role.name, handler.title()) == name)
        };
        if play.handlers.iter().any(|handler| answers(handler)) {
            continue;
        }
        let known: Vec<&str> = play
            .handlers
            .iter()
            .flat_map(|handler| std::iter::once(handler.title()).chain(handler.listen.iter().map(|topic| &**topic)))
            .collect();
        let span = task.notify.as_ref().map_or(task.span, |node| node.span);
        let mut problem =
            Diagnostic::error("unknown-handler", format!("no handler is named or listens to `{name}`")).at(span, "notified here");
        if let Some(hint) = suggest::did_you_mean(&name, known) {
            problem = problem.hint(hint);
        }
        diagnostics.push(problem);
    }
}

fn task(task: &Task, loader: &Loader, diagnostics: &mut Diagnostics) {
    options(task, loader, diagnostics);
    let mut templates: Vec<(&Node, bool)> = task.keywords.when.iter().map(|node| (node, true)).collect();
    templates.extend([&task.until, &task.changed_when, &task.failed_when].into_iter().flatten().map(|node| (node, true)));
    let bare = &*task.action.module == "assert";
    templates.extend(task.action.options.iter().map(|(name, node)| (node, bare && &**name == "that")));
    templates.extend(task.r#loop.iter().map(|spec| (&spec.list, false)));
    templates.extend(task.name.iter().map(|node| (node, false)));
    for (node, bare) in templates {
        syntax(node, bare, loader, diagnostics);
    }
}

/// Template syntax of all text in a node.
fn syntax(node: &Node, bare: bool, loader: &Loader, diagnostics: &mut Diagnostics) {
    match &node.value {
        NodeValue::Str(text, _) if text.contains("{{") || text.contains("{%") || bare => {
            let bare = bare && !text.contains("{{") && !text.contains("{%");
            if let Err(error) = loader.renderer.check(text, node.span, bare) {
                diagnostics.push(error.diagnostic(node.span));
            }
        }
        NodeValue::List(items) => items.iter().for_each(|item| syntax(item, bare, loader, diagnostics)),
        NodeValue::Map(map) => map.entries.iter().for_each(|(_, value)| syntax(value, bare, loader, diagnostics)),
        _ => {}
    }
}

/// Names and types of a task's options.
fn options(task: &Task, loader: &Loader, diagnostics: &mut Diagnostics) {
    let Some(entry) = loader.catalog.find(&task.action.module) else { return };
    if entry.takes_anything {
        return;
    }
    let fields = &entry.fields;
    let visible = |name: &str| !name.starts_with("stead_") && !name.starts_with('_');
    let known = |name: &str| fields.iter().any(|field| field.name == name || field.aliases.contains(&name));
    for (name, node) in &task.action.options {
        if known(name) && (visible(name) || &**name == "_raw_params") {
            continue;
        }
        if &**name == "_raw_params" {
            diagnostics.push(
                Diagnostic::error("bad-options", format!("`{}` takes no free-form text", task.action.written))
                    .at(node.span, "here")
                    .hint("write options as a mapping below the module's name"),
            );
            continue;
        }
        let names = fields
            .iter()
            .flat_map(|field| std::iter::once(field.name).chain(field.aliases.iter().copied()))
            .filter(|name| visible(name));
        let mut problem = Diagnostic::error("unknown-option", format!("`{}` has no option `{name}`", task.action.written))
            .at(node.span, "given here");
        problem = problem
            .hint(suggest::did_you_mean(name, names).unwrap_or_else(|| format!("`stead docs {}` lists its options", entry.name)));
        diagnostics.push(problem);
    }
    // Types: an option that holds a template is checked when it is rendered.
    let literals: Map<_, _> = literal_options(task).into_iter().filter(|(name, _)| known(name)).collect();
    for error in (entry.check)(&literals) {
        let field = fields.iter().find(|field| field.name == error.option);
        let given = task
            .action
            .options
            .iter()
            .find(|(name, _)| **name == *error.option || field.is_some_and(|field| field.aliases.contains(&&**name)));
        match given {
            Some((_, node)) if literal(node).is_none() => {}
            Some((_, node)) if known(&error.option) => {
                let text = format!("option `{}` of `{}`: {}", error.option, task.action.written, error.problem);
                diagnostics.push(Diagnostic::error("bad-option", text).at(node.span, "here"));
            }
            None if task.action.template.is_none() && !has_defaults(task) => {
                let required = field.is_some_and(|field| field.presence == Presence::Required);
                if required {
                    diagnostics.push(
                        Diagnostic::error("missing-option", format!("`{}` needs option `{}`", task.action.written, error.option))
                            .at(task.action.span, "here")
                            .hint(format!("`stead docs {}` describes it", entry.name)),
                    );
                }
            }
            _ => {}
        }
    }
}

fn has_defaults(task: &Task) -> bool {
    !task.keywords.module_defaults.is_empty()
}
