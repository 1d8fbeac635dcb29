//! Users to become without becoming anybody.

use crate::lint::follow::PlayView;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};
use std::collections::HashSet;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "partial-become",
    doc: "`become_user` where nothing says `become`",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: As the owner
      ansible.builtin.ping:
      become_user: postgres
",
    good: "- hosts: all
  tasks:
    - name: As the owner
      ansible.builtin.ping:
      become: true
      become_user: postgres
",
    check: Check::Play(check),
};

fn check(view: &PlayView, project: &Project<'_>, found: &mut Diagnostics) {
    // Who uses a role, or the inventory, may say it.
    if !view.written || project.known.contains("ansible_become") || view.play.vars.contains_key("ansible_become") {
        return;
    }
    let mut seen = HashSet::new();
    for task in view.all() {
        let keywords = &task.keywords;
        let says = keywords.r#become.is_some()
            || keywords.vars.iter().any(|layer| layer.contains_key("ansible_become"));
        let Some(user) = keywords.become_user.as_ref().filter(|user| !says && seen.insert(user.span)) else { continue };
        found.push(
            Diagnostic::warning("partial-become", "`become_user` has no effect without `become`")
                .at(user.span, "here")
                .hint("add `become: true`"),
        );
    }
}
