//! Options with values of the wrong type, or that are none of the possible words.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::options;
use crate::playbook::outline::{literal, literal_options};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "bad-option",
    doc: "Options whose value has the wrong type or is none of the possible words",
    severity: Severity::Error,
    bad: "- hosts: all
  tasks:
    - name: A directory
      ansible.builtin.file:
        path: /opt/a
        state: directry
",
    good: "- hosts: all
  tasks:
    - name: A directory
      ansible.builtin.file:
        path: /opt/a
        state: directory
",
    check: Check::Task(check),
};

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let Some(entry) = options::checkable(task, project.loader) else { return };
    // An option that holds a template is checked when it is rendered.
    let literals: serde_json::Map<_, _> =
        literal_options(task).into_iter().filter(|(name, _)| options::is_known(entry, name)).collect();
    for error in (entry.check)(&literals) {
        let Some((_, node)) = options::given(task, entry, &error.option) else { continue };
        if literal(node).is_none() || options::is_refused(&error) {
            continue;
        }
        let text = format!("option `{}` of `{}`: {}", error.option, task.action.written, error.problem);
        found.push(Diagnostic::error("bad-option", text).at(node.span, "here"));
    }
}
