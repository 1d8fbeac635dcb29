//! Files that are made with whatever mode the host gives them.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::text;
use crate::playbook::Task;
use crate::source::{Diagnostic, Diagnostics, Node, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "risky-file-permissions",
    doc: "Tasks that make a file and do not say its mode",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: A file
      ansible.builtin.copy:
        content: a
        dest: /etc/a
",
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

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    if task.action.template.is_some() || !task.keywords.module_defaults.is_empty() || !makes_file(task) {
        return;
    }
    if ["mode", "directory_mode"].iter().all(|option| task.action.option(option).is_none()) {
        found.push(
            Diagnostic::warning("risky-file-permissions", format!("`{}` makes a file and does not say its mode", task.action.written))
                .at(task.action.span, "here")
                .hint("add `mode: \"0644\"`, or `mode: preserve` for a copy"),
        );
    }
}

fn makes_file(task: &Task) -> bool {
    let says = |option: &str, word: &str| task.action.option(option).and_then(Node::as_str) == Some(word);
    match &*task.action.module {
        // What replaces a file keeps its mode; whether there is one, nobody knows here.
        "copy" | "template" | "assemble" | "get_url" => true,
        "file" => says("state", "touch"),
        "lineinfile" | "blockinfile" => task.action.option("create").is_some_and(text::is_true),
        _ => false,
    }
}
