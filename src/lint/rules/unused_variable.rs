//! Variables that nobody reads.

use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::variables::is_given;
use crate::lint::corpus::{Kind, ProjectFile};
use crate::source::{Diagnostic, Diagnostics, NodeValue, Severity, Span, suggest};
use crate::vars::Origin;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unused-variable",
    doc: "Variables of roles, plays and tasks that nothing reads",
    severity: Severity::Warning,
    bad: r#"- hosts: all
  vars:
    greeting: hello
    unread: a
  tasks:
    - name: Greeting
      ansible.builtin.debug:
        msg: "{{ greeting }}"
"#,
    good: r#"- hosts: all
  vars:
    greeting: hello
  tasks:
    - name: Greeting
      ansible.builtin.debug:
        msg: "{{ greeting }}"
"#,
    check: Check::Project(check),
};

fn check(project: &Project<'_>, found: &mut Diagnostics) {
    // What is read under a name that is put together while running cannot be known.
    if project.corpus.files.is_empty() || project.corpus.reads_by_computed_name() {
        return;
    }
    let words = project.corpus.words();
    let mut defined: HashMap<Span, (Arc<str>, &str)> = HashMap::new();
    let mut add = |name: &Arc<str>, span: Span, what: &'static str| {
        defined.entry(span).or_insert_with(|| (Arc::clone(name), what));
    };
    for view in &project.plays {
        let roles = view.roles.iter().flat_map(|role| {
            let defaults = role.defaults.iter().map(|layer| (layer, "this default"));
            defaults.chain(role.vars.iter().map(|layer| (layer, "this variable of a role")))
        });
        for (layer, what) in roles.chain([(&view.play.vars, "this variable")]) {
            for (name, variable) in layer.iter() {
                if let Origin::File(span) = variable.origin {
                    add(name, span, what);
                }
            }
        }
        for task in view.all() {
            if let (Some(name), Some(node)) = (&task.register, task.written.get("register")) {
                add(name, node.span, "this result");
            }
            let is_cached = task.action.option("cacheable").is_some_and(|node| !matches!(node.value, NodeValue::Bool(false)));
            if &*task.action.module == "set_fact" && !is_cached {
                for (name, node) in task.action.options.iter().filter(|(name, _)| &**name != "cacheable") {
                    add(name, super::options::key_span(task, name, node), "this fact");
                }
            }
        }
    }
    // What is meant for a group or host is told only where it looks like a slip: it may be meant for others.
    let names: HashSet<Arc<str>> = defined.values().map(|(name, _)| Arc::clone(name)).collect();
    for (path, kind, document) in project.corpus.yaml() {
        let beside = path.components().any(|part| ["group_vars", "host_vars"].iter().any(|name| part.as_os_str() == *name));
        for (key, _) in document.as_map().filter(|_| kind == Kind::Variables && beside).into_iter().flat_map(|map| &map.entries) {
            let Some(name) = key.as_str().filter(|name| !words.contains(*name) && !is_given(name)) else { continue };
            let near = names.iter().map(|name| &**name).filter(|name| words.contains(*name));
            if let Some(hint) = suggest::did_you_mean(name, near) {
                found.push(
                    Diagnostic::warning("unused-variable", format!("nothing reads `{name}`")).at(key.span, "this has no effect").hint(hint),
                );
            }
        }
    }
    // Roles from elsewhere are not ours to tidy.
    let files: HashSet<_> = project.corpus.files.iter().map(ProjectFile::id).collect();
    for (span, (name, what)) in defined {
        if is_given(&name) || name.contains("{{") || words.contains(&*name) || !files.contains(&span.file) || name.starts_with('_') {
            continue;
        }
        found.push(
            Diagnostic::warning("unused-variable", format!("nothing reads `{name}`"))
                .at(span, format!("{what} has no effect"))
                .hint("remove it, or read it; a name that begins with `_` is never told"),
        );
    }
}
