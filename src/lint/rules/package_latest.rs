//! Packages whose version depends on the day.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, Node, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "package-latest",
    doc: "Packages in their latest version, whatever that is on the day of the run",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: Editor
      ansible.builtin.apt:
        name: vim
        state: latest
",
    good: "- hosts: all
  tasks:
    - name: Editor
      ansible.builtin.apt:
        name: vim
        state: present
",
    check: Check::Task(check),
};

const MODULES: &[&str] = &["apt", "package", "yum", "dnf", "dnf5", "pip", "gem", "npm", "zypper", "pacman", "apk", "homebrew", "snap"];

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let action = &seen.task.action;
    let module = action.module.rsplit('.').next().unwrap_or(&action.module);
    let Some(state) = action.option("state").filter(|node| node.as_str() == Some("latest")) else { return };
    let upgrades = ["only_upgrade", "update_only"].iter().any(|option| action.option(option).is_some_and(text::is_true));
    // `name: "*"` is an upgrade of everything, which is what is meant.
    let all = action.option("name").and_then(Node::as_str) == Some("*");
    if MODULES.contains(&module) && !upgrades && !all {
        found.push(
            Diagnostic::warning("package-latest", "the version of this package depends on the day of the run")
                .at(state.span, "here")
                .hint("say `state: present`, or name the version"),
        );
    }
}
