//! Variables that nobody defines.

use crate::lint::follow::PlayView;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::follow::Seen;
use crate::lint::text;
use crate::lint::variables::{Names, meant};
use crate::playbook::Task;
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Severity, suggest};
use crate::template::{FileOptions, Need, Read};
use crate::vars::Definition;
use std::collections::HashMap;
use std::sync::Arc;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "undefined-variable",
    doc: "Variables that nobody defines",
    severity: Severity::Error,
    bad: r#"- hosts: all
  vars:
    motd_text: hello
  tasks:
    - name: Greeting
      ansible.builtin.debug:
        msg: "{{ modt_text }}"
"#,
    good: r#"- hosts: all
  vars:
    motd_text: hello
  tasks:
    - name: Greeting
      ansible.builtin.debug:
        msg: "{{ motd_text }}"
"#,
    check: Check::Play(check),
};

/// A read that fails for sure is an error; one in a branch, or under a condition, a warning. Where
/// not all names can be known only what looks like a slip of the finger is told.
fn check(view: &PlayView, project: &Project<'_>, found: &mut Diagnostics) {
    let Some((_, names)) = project.plays_with_names().find(|(other, _)| std::ptr::eq(*other, view)) else { return };
    let mut told = Told { project, names, view, near: HashMap::new(), found };
    for seen in &view.tasks {
        told.task(seen);
        told.template(&seen.task, seen.certain);
    }
    for handler in &view.handlers {
        told.task(&Seen::perhaps(handler));
        told.template(handler, false);
    }
    told.definitions();
}

struct Told<'a, 'p> {
    project: &'a Project<'p>,
    names: &'a Names,
    view: &'a PlayView,
    /// What is near to names that nobody defines.
    near: HashMap<Arc<str>, Option<String>>,
    found: &'a mut Diagnostics,
}

impl Told<'_, '_> {
    fn task(&mut self, seen: &Seen) {
        let (task, certain) = (&*seen.task, seen.certain);
        if task.keywords.when.iter().any(|condition| matches!(condition.value, NodeValue::Bool(false))) {
            return;
        }
        let renderer = self.project.loader.renderer();
        let mut conditions: Vec<Read> = Vec::new();
        for condition in &task.keywords.when {
            for node in condition.as_list().unwrap_or(std::slice::from_ref(condition)) {
                conditions.extend(renderer.reads(node, true));
            }
        }
        // What a condition asks for is there when the task runs.
        let guarded: Vec<Read> = conditions.iter().filter(|read| read.need == Need::Guarded).cloned().collect();
        let is_guarded = |read: &Read| guarded.iter().any(|other| other.name == read.name);
        let title = task.title();
        // The first condition is evaluated whatever comes, if nothing around the task stops it.
        for (number, read) in conditions.iter().enumerate() {
            if !is_guarded(read) {
                self.read(read, number == 0 && seen.reached && task.r#loop.is_none(), title);
            }
        }
        for (node, bare) in text::templates(task) {
            if task.keywords.when.iter().any(|condition| holds(condition, node)) {
                continue;
            }
            // Variables and what becomes of a result are evaluated late, or never.
            let lazy = task.keywords.vars.iter().flat_map(|layer| layer.values()).any(|variable| match &variable.definition {
                Definition::Source(defined) => defined.span.file == node.span.file && within(defined, node),
                Definition::Data(_) => false,
            });
            // What registers nothing has no results; what runs in a loop perhaps has no items.
            let sure = certain && !lazy && (task.r#loop.is_none() || is_loop(task, node));
            // A name that cannot be rendered is shown as it is written; `debug` says what is not there.
            let shown = task.name.as_ref().is_some_and(|name| within(name, node))
                || (&*task.action.module == "debug" && task.action.option("var").is_some_and(|var| within(var, node)));
            let after = [&task.until, &task.changed_when, &task.failed_when].into_iter().flatten().any(|other| within(other, node));
            for read in renderer.reads(node, bare) {
                if !is_guarded(&read) {
                    self.read(&read, sure && !after && !shown, title);
                }
            }
        }
    }

    /// The template file of a task.
    fn template(&mut self, task: &Task, certain: bool) {
        for path in super::missing_file::templates(task, self.view, self.project.loader) {
            let map = self.project.loader.map();
            let Ok(file) = crate::source::load::once(map, &path) else { continue };
            let Ok(reads) = self.project.loader.renderer().file_reads(map, file, &FileOptions::default()) else { continue };
            for read in reads {
                self.read(&read, certain, task.title());
            }
        }
    }

    /// Variables that are defined by others.
    fn definitions(&mut self) {
        let roles = self.view.roles.iter().flat_map(|role| role.defaults.iter().chain(&role.vars).chain([&role.params]));
        let layers: Vec<_> = roles.chain([&self.view.play.vars]).cloned().collect();
        for variable in layers.iter().flat_map(|layer| layer.values()) {
            let Definition::Source(node) = &variable.definition else { continue };
            let mut nodes = Vec::new();
            text::walk(node, &mut |text| nodes.push(text));
            for node in nodes {
                for read in self.project.loader.renderer().reads(node, false) {
                    self.read(&read, false, "a variable");
                }
            }
        }
    }

    fn read(&mut self, read: &Read, certain: bool, title: &str) {
        let slip = meant(&read.name).filter(|_| !self.names.defined.contains(&read.name));
        if read.need == Need::Guarded || (slip.is_none() && self.names.has(&read.name)) {
            return;
        }
        if let Some(known) = slip {
            // It may still be a fact of the host's own.
            let problem = Diagnostic::warning("undefined-variable", format!("`{}` is not a variable that Ansible defines", read.name));
            self.found.push(problem.at(read.span, format!("used here by `{title}`")).hint(format!("did you mean `{known}`?")));
            return;
        }
        let near = if let Some(near) = self.near.get(&read.name) {
            near.clone()
        } else {
            let candidates = self.names.defined.iter().map(|name| &**name).chain(["item", "inventory_hostname"]);
            let near = suggest::did_you_mean(&read.name, candidates.filter(|name| name.len() > 2 || read.name.len() <= 2));
            self.near.insert(Arc::clone(&read.name), near.clone());
            near
        };
        // Who uses a role may define what it reads.
        if (self.names.open || !self.view.written) && near.is_none() {
            return;
        }
        let text = format!("`{}` is not defined anywhere", read.name);
        let sure = certain && read.need == Need::Certain && self.project.closed && !self.names.open && self.view.written;
        let problem =
            if sure { Diagnostic::error("undefined-variable", text) } else { Diagnostic::warning("undefined-variable", text) };
        let hint = near.unwrap_or_else(|| format!("define it in group_vars, in the play's `vars`, or with `-e {}=...`", read.name));
        self.found.push(problem.at(read.span, format!("used here by `{title}`")).hint(hint));
    }
}

/// Whether `inner` is `outer` or stands in it.
fn within(outer: &Node, inner: &Node) -> bool {
    outer.span.file == inner.span.file && outer.span.start <= inner.span.start && inner.span.end <= outer.span.end
}

fn holds(condition: &Node, node: &Node) -> bool {
    matches!(condition.value, NodeValue::Str(..) | NodeValue::List(_)) && within(condition, node)
}

/// Whether the text is the loop's own list.
fn is_loop(task: &Task, node: &Node) -> bool {
    task.r#loop.as_ref().is_some_and(|spec| within(&spec.list, node))
}
