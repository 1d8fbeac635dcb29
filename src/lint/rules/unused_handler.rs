//! Handlers that nobody notifies.

use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::unknown_handler::answers;
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, Node, NodeValue, Severity};
use std::collections::HashSet;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unused-handler",
    doc: "Handlers that nothing notifies",
    severity: Severity::Warning,
    bad: "- hosts: all
  handlers:
    - name: Restart
      ansible.builtin.debug:
        msg: restarted
  tasks: []
",
    good: "- hosts: all
  handlers:
    - name: Restart
      ansible.builtin.debug:
        msg: restarted
  tasks:
    - name: Changed
      ansible.builtin.debug:
        msg: a
      changed_when: true
      notify: Restart
",
    check: Check::Project(check),
};

fn check(project: &Project<'_>, found: &mut Diagnostics) {
    if project.corpus.files.is_empty() {
        return;
    }
    // What is included under a name of the moment may lie anywhere, but a role's files are all here.
    let open = project.plays.iter().any(|view| view.open && view.written);
    let mut notified = HashSet::new();
    for (_, _, document) in project.corpus.yaml() {
        // A name that is put together may be any.
        if !names(document, &mut notified) {
            return;
        }
    }
    let mut seen = HashSet::new();
    for handler in project.plays.iter().flat_map(|view| &view.handlers) {
        let is_include = handler.action.module.starts_with("include") || &*handler.action.module == "meta";
        if is_include || (open && handler.role.is_none()) || !seen.insert(handler.span) || handler.title().contains("{{") {
            continue;
        }
        if !notified.iter().any(|name| answers(handler, name)) {
            let span = handler.name.as_ref().map_or(handler.action.span, |name| name.span);
            found.push(
                Diagnostic::warning("unused-handler", format!("nothing notifies the handler `{}`", handler.title()))
                    .at(span, "never runs")
                    .hint("`notify` it, or remove it"),
            );
        }
    }
}

/// Names in `notify`, wherever; false if one of them is a template.
fn names<'a>(node: &'a Node, into: &mut HashSet<&'a str>) -> bool {
    match &node.value {
        NodeValue::List(items) => items.iter().all(|item| names(item, into)),
        NodeValue::Map(map) => map.entries.iter().all(|(key, value)| {
            if key.as_str() != Some("notify") {
                return names(value, into);
            }
            let mut known = true;
            text::walk(value, &mut |name| {
                known &= !name.as_str().is_some_and(text::has_template);
                into.extend(name.as_str());
            });
            known
        }),
        _ => true,
    }
}
