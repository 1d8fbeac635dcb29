//! Tags of a command line that no task has.

use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity, suggest};
use std::collections::BTreeSet;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unknown-tag",
    doc: "Tags on the command line that no task has",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: Answer
      ansible.builtin.ping:
      tags: wbe
",
    good: "- hosts: all
  tasks:
    - name: Answer
      ansible.builtin.ping:
      tags: web
",
    check: Check::Project(check),
};

/// Tags that select by what other tags a task has.
const SPECIAL: &[&str] = &["all", "tagged", "untagged", "always", "never"];

fn check(project: &Project<'_>, found: &mut Diagnostics) {
    let Some(selection) = &project.tags else { return };
    let all = project.plays.iter().flat_map(|view| view.all().flat_map(|task| &task.keywords.tags));
    let known: BTreeSet<&str> = all.map(|tag| &**tag).collect();
    if known.iter().any(|tag| tag.contains("{{")) || project.plays.iter().any(|view| view.open) {
        return;
    }
    for (option, tag) in
        selection.only.iter().map(|tag| ("--tags", tag)).chain(selection.skip.iter().map(|tag| ("--skip-tags", tag)))
    {
        if SPECIAL.contains(&tag.as_str()) || known.contains(tag.as_str()) {
            continue;
        }
        let hint = suggest::did_you_mean(tag, known.iter().copied()).unwrap_or_else(|| {
            let list: Vec<String> = known.iter().map(|tag| format!("`{tag}`")).collect();
            if list.is_empty() { "no task has a tag".to_owned() } else { format!("there are {}", list.join(", ")) }
        });
        found.push(Diagnostic::warning("unknown-tag", format!("no task has the tag `{tag}` of `{option}`")).hint(hint));
    }
}
