//! Options that Ansible has and stead does not.

use super::options;
use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::playbook::outline::literal_options;
use crate::source::{Diagnostic, Diagnostics, Severity, Span};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unsupported-option",
    doc: "Options that Ansible has and stead does not; under a condition it is a warning, because the task may never run",
    severity: Severity::Error,
    bad: "- hosts: all
  tasks:
    - name: Editor
      ansible.builtin.package:
        name: vim
        state: present
        install_recommends: false
",
    good: "- hosts: all
  tasks:
    - name: Editor
      ansible.builtin.package:
        name: vim
        state: present
",
    check: Check::Task(check),
};

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let Some(entry) = options::checkable(task, project.loader) else { return };
    let mut tell = |option: &str, span: Span| {
        let text = format!("stead's `{}` cannot do what option `{option}` asks for", entry.name);
        let problem =
            if seen.certain { Diagnostic::error("unsupported-option", text) } else { Diagnostic::warning("unsupported-option", text) };
        found.push(problem.at(span, "here").hint(format!("leave it out; `stead docs {}` lists its options", entry.name)));
    };
    for (name, node) in &task.action.options {
        if options::is_passed_on(entry, name) {
            tell(name, options::key_span(task, name, node));
        }
    }
    let literals: serde_json::Map<_, _> =
        literal_options(task).into_iter().filter(|(name, _)| options::is_known(entry, name)).collect();
    for error in (entry.check)(&literals).iter().filter(|error| options::is_refused(error)) {
        if let Some((name, node)) = options::given(task, entry, &error.option) {
            tell(name, options::key_span(task, name, node));
        }
    }
}
