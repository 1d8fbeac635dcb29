//! Options that a module does not have.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::options;
use crate::source::{Diagnostic, Diagnostics, Severity, suggest};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unknown-option",
    doc: "Options that the module does not have",
    severity: Severity::Error,
    bad: r#"- hosts: all
  tasks:
    - name: A file
      ansible.builtin.copy:
        content: a
        dst: /etc/a
        mode: "0644"
"#,
    good: r#"- hosts: all
  tasks:
    - name: A file
      ansible.builtin.copy:
        content: a
        dest: /etc/a
        mode: "0644"
"#,
    check: Check::Task(check),
};

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let Some(entry) = options::checkable(task, project.loader) else { return };
    for (name, node) in &task.action.options {
        if options::is_known(entry, name) || options::is_passed_on(entry, name) {
            continue;
        }
        if &**name == "_raw_params" {
            found.push(
                Diagnostic::error("unknown-option", format!("`{}` takes no free-form text", task.action.written))
                    .at(node.span, "here")
                    .hint("write options as a mapping below the module's name"),
            );
            continue;
        }
        let hint = suggest::did_you_mean(name, options::names(entry))
            .unwrap_or_else(|| format!("`stead docs {}` lists its options", entry.name));
        found.push(
            Diagnostic::error("unknown-option", format!("`{}` has no option `{name}`", task.action.written))
                .at(options::key_span(task, name, node), "given here")
                .hint(hint),
        );
    }
}
