//! Files and templates of the project that a task needs and that are not there.

use crate::lint::follow::PlayView;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::follow::Seen;
use crate::lint::text;
use crate::playbook::{Loader, Task};
use crate::source::{Diagnostic, Diagnostics, Severity};
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
            found.push(Diagnostic::error("missing-file", format!("no file of variables `{name}`")).at(entry.span, "named here"));
        }
    }
}

fn one(seen: &Seen, view: &PlayView, loader: &Loader, found: &mut Diagnostics) {
    let Some(folder) = folder(&seen.task) else { return };
    let Some(node) = source(&seen.task) else { return };
    for name in text::each(loader, &seen.task, node).unwrap_or_default() {
        if name.starts_with('~') || text::has_template(&name) || name.is_empty() {
            continue;
        }
        if candidates(&seen.task, view, folder, &name).iter().all(|path| !path.exists()) {
            found.push(
                Diagnostic::error("missing-file", format!("no file `{name}` in the project"))
                    .at(node.span, "named here")
                    .hint(format!("put it into `{folder}/` beside the playbook or in the role")),
            );
        }
    }
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
        "copy" if task.action.option("remote_src").is_none() => Some("files"),
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
