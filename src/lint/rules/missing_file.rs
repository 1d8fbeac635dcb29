//! Files and templates of the project that a task needs and that are not there.

use crate::lint::follow::PlayView;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::follow::Seen;
use crate::lint::text;
use crate::playbook::{Loader, Task};
use crate::source::{Diagnostic, Diagnostics, Node, Severity, suggest};
use std::path::PathBuf;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "missing-file",
    doc: "Files, templates and files of tasks that are named and are not there",
    severity: Severity::Error,
    bad: r#"### templates/motd.j2
hello
### site.yml
- hosts: all
  tasks:
    - name: Message of the day
      ansible.builtin.template:
        src: mtod.j2
        dest: /etc/motd
        mode: "0644"
"#,
    good: r#"### templates/motd.j2
hello
### site.yml
- hosts: all
  tasks:
    - name: Message of the day
      ansible.builtin.template:
        src: motd.j2
        dest: /etc/motd
        mode: "0644"
"#,
    check: Check::Play(check),
};

fn check(view: &PlayView, project: &Project<'_>, found: &mut Diagnostics) {
    for seen in &view.tasks {
        // Where a failure is wanted, or the task perhaps never runs, a run decides; a repository is
        // complete.
        if !seen.tolerated && (seen.certain || !project.corpus.files.is_empty()) {
            one(seen, view, project.loader, found);
        }
    }
    if !project.corpus.files.is_empty() {
        for handler in &view.handlers {
            one(&Seen::perhaps(handler), view, project.loader, found);
        }
    }
    for entry in &view.play.vars_files {
        let Some(name) = entry.as_str().filter(|name| !text::has_template(name)) else { continue };
        let directory = &view.play.directory;
        if !directory.join(name).exists() && !directory.join("vars").join(name).exists() {
            // What is secret is perhaps kept elsewhere and put there for the run.
            let text = format!("no file of variables `{name}`");
            let before_run = project.corpus.files.is_empty();
            let problem = if before_run { Diagnostic::error("missing-file", text) } else { Diagnostic::warning("missing-file", text) };
            found.push(problem.at(entry.span, "named here"));
        }
    }
}

/// Whether a play perhaps makes files on this machine before it needs them.
fn makes_files_here(view: &PlayView) -> bool {
    let is_here = |node: &Node| matches!(node.as_str(), Some("localhost" | "127.0.0.1" | "::1" | "local"));
    is_here(&view.play.hosts)
        || view.play.keywords.connection.as_ref().is_some_and(is_here)
        || view.all().any(|task| {
            &*task.action.module == "fetch" || task.keywords.delegate_to.is_some() || task.keywords.connection.as_ref().is_some_and(is_here)
        })
}

fn one(seen: &Seen, view: &PlayView, loader: &Loader, found: &mut Diagnostics) {
    let Some(folder) = folder(&seen.task) else { return };
    let Some(node) = source(&seen.task) else { return };
    for name in text::each(loader, &seen.task, node).unwrap_or_default() {
        if name.starts_with(['~', '/']) || text::has_template(&name) || name.is_empty() {
            continue;
        }
        if candidates(&seen.task, view, folder, &name).iter().all(|path| !path.exists()) {
            let text = format!("no file `{name}` in the project");
            let is_sure = !makes_files_here(view);
            let problem = if is_sure { Diagnostic::error("missing-file", text) } else { Diagnostic::warning("missing-file", text) };
            let hint = near(&candidates(&seen.task, view, folder, &name), &name)
                .unwrap_or_else(|| format!("put it into `{folder}/` beside the playbook or in the role"));
            found.push(problem.at(node.span, "named here").hint(hint));
        }
    }
}

/// A file with a name like this where it was looked for.
fn near(candidates: &[PathBuf], name: &str) -> Option<String> {
    let (folder, file) = name.rsplit_once('/').map_or(("", name), |(folder, file)| (folder, file));
    let directories = candidates.iter().filter_map(|path| path.parent());
    let entries = directories.filter_map(|directory| std::fs::read_dir(directory).ok()).flat_map(Iterator::flatten);
    let names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let meant = suggest::nearest(file, names.iter().map(String::as_str))?;
    let slash = if folder.is_empty() { "" } else { "/" };
    Some(format!("did you mean `{folder}{slash}{meant}`?"))
}

fn source(task: &Task) -> Option<&crate::source::Node> {
    match &*task.action.module {
        "script" => task.action.option("_raw_params").or_else(|| task.action.option("cmd")),
        _ => task.action.option("src"),
    }
}

/// The folder in which a task's file is looked for first, if it needs one.
fn folder(task: &Task) -> Option<&'static str> {
    if task.action.template.is_some() {
        return None;
    }
    match &*task.action.module {
        "template" => Some("templates"),
        "copy" | "patch" | "unarchive" if ["remote_src", "copy", "creates"].iter().all(|name| task.action.option(name).is_none()) => {
            Some("files")
        }
        _ => None,
    }
}

/// Where a file may be.
fn candidates(task: &Task, view: &PlayView, folder: &str, name: &str) -> Vec<PathBuf> {
    let mut roots: Vec<PathBuf> = task.role.iter().map(|role| role.path.clone()).collect();
    roots.extend([task.directory.clone(), view.play.directory.clone()]);
    roots.into_iter().flat_map(|root| [root.join(folder).join(name), root.join(name)]).collect()
}

/// The template files of a task that are there, if Ansible's usual delimiters are used in them.
pub(super) fn templates(task: &Task, view: &PlayView, loader: &Loader) -> Vec<PathBuf> {
    let custom = ["block_start_string", "block_end_string", "variable_start_string", "variable_end_string"];
    let own_delimiters = custom.iter().any(|option| task.action.option(option).is_some());
    if &*task.action.module != "template" || own_delimiters || task.action.template.is_some() {
        return Vec::new();
    }
    let Some(node) = task.action.option("src") else { return Vec::new() };
    let names = text::each(loader, task, node).unwrap_or_default();
    names
        .iter()
        .filter_map(|name| candidates(task, view, "templates", name).into_iter().find(|path| path.is_file()))
        .collect()
}
