//! Tasks without a name.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unnamed-task",
    doc: "Tasks without a name, which reports can show only by their module",
    severity: Severity::Info,
    bad: "- hosts: all
  tasks:
    - ansible.builtin.ping:
",
    good: "- hosts: all
  tasks:
    - name: Answer
      ansible.builtin.ping:
",
    check: Check::Task(check),
};

/// What only points elsewhere needs no name.
const POINTERS: &[&str] = &["meta", "import_tasks", "import_role", "include_tasks", "include_role", "include_vars"];

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    if task.name.is_none() && !POINTERS.contains(&&*task.action.module) {
        found.push(
            Diagnostic::info("unnamed-task", "this task has no name")
                .at(task.action.span, "here")
                .hint("say what it is for: `name: ...`"),
        );
    }
}
