//! Failures that nobody looks at.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "ignore-errors",
    doc: "`ignore_errors: true` on a task whose result nobody registers",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: Try
      ansible.builtin.command: /bin/false
      changed_when: false
      ignore_errors: true
",
    good: "- hosts: all
  tasks:
    - name: Try
      ansible.builtin.command: /bin/false
      changed_when: false
      failed_when: false
",
    check: Check::Task(check),
};

/// Failing is what these are for: their failure says itself what it is.
const SPEAKING: &[&str] = &["fail", "assert"];

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let Some((key, _)) = task.written.entry("ignore_errors").filter(|(_, value)| text::is_true(value)) else { return };
    if task.register.is_none() && !SPEAKING.contains(&&*task.action.module) {
        found.push(
            Diagnostic::warning("ignore-errors", "every failure of this task is ignored, whatever its reason")
                .at(key.span, "here")
                .hint("say with `failed_when` what a failure is, or `register` the result and look at it"),
        );
    }
}
