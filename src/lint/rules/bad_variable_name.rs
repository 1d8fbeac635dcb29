//! Names of variables that templates could never read.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "bad-variable-name",
    doc: "Names in `register` and `set_fact` that are not the name of a variable",
    severity: Severity::Error,
    bad: "- hosts: all
  tasks:
    - name: Look
      ansible.builtin.stat:
        path: /etc/a
      register: a-file
",
    good: "- hosts: all
  tasks:
    - name: Look
      ansible.builtin.stat:
        path: /etc/a
      register: a_file
    - name: Show
      ansible.builtin.debug:
        var: a_file
",
    check: Check::Task(check),
};

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    let mut names: Vec<(&str, crate::source::Span)> = Vec::new();
    if let Some(name) = &task.register {
        names.push((name, task.written.get("register").map_or(task.span, |node| node.span)));
    }
    if &*task.action.module == "set_fact" {
        names.extend(task.action.options.iter().map(|(name, node)| (&**name, super::options::key_span(task, name, node))));
    }
    for (name, span) in names.into_iter().filter(|(name, _)| !name.contains("{{") && !is_name(name)) {
        found.push(
            Diagnostic::error("bad-variable-name", format!("`{name}` cannot be the name of a variable"))
                .at(span, "here")
                .hint("use letters, digits and underscores, and no digit at the beginning"),
        );
    }
}

fn is_name(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_') && !name.starts_with(|c: char| c.is_ascii_digit()) && !name.is_empty()
}
