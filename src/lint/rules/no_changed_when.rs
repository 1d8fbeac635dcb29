//! Commands that always count as changes.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "no-changed-when",
    doc: "Commands that count as a change in every run",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: Version
      ansible.builtin.command: /usr/bin/app --version
",
    good: "- hosts: all
  tasks:
    - name: Version
      ansible.builtin.command: /usr/bin/app --version
      changed_when: false
",
    check: Check::Task(check),
};

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    // A handler runs only when something changed.
    if task.handler || !matches!(&*task.action.module, "command" | "shell" | "script" | "raw") {
        return;
    }
    let guarded = ["creates", "removes"].iter().any(|option| task.action.option(option).is_some());
    if task.changed_when.is_none() && !guarded {
        found.push(
            Diagnostic::warning("no-changed-when", "this command counts as a change in every run")
                .at(task.action.span, "here")
                .hint("say with `changed_when` what a change is, or what it makes with `creates` or `removes`"),
        );
    }
}
