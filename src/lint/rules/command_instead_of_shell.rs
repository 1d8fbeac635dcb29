//! Shells that are not needed.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::commands;
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "command-instead-of-shell",
    doc: "`shell` where nothing in the command needs one",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: Version
      ansible.builtin.shell: /usr/bin/app --version
      changed_when: false
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
    let Some((line, _)) = commands::line(task).filter(|_| &*task.action.module == "shell") else { return };
    let other_shell = ["executable", "stdin"].iter().any(|option| task.action.option(option).is_some());
    // What a template makes may need one.
    if other_shell || line.is_empty() || commands::needs_shell(line) {
        return;
    }
    found.push(
        Diagnostic::warning("command-instead-of-shell", "nothing in this command needs a shell")
            .at(task.action.span, "here")
            .hint("use `ansible.builtin.command`, in which no character has a special meaning"),
    );
}
