//! Tasks that are to run once where hosts do not wait for each other.

use crate::lint::follow::PlayView;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::graph::Strategy;
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "run-once",
    doc: "`run_once` in a play whose strategy lets each host go its own way",
    severity: Severity::Warning,
    bad: "- hosts: all
  strategy: free
  tasks:
    - name: Once
      ansible.builtin.ping:
      run_once: true
",
    good: "- hosts: all
  strategy: linear
  tasks:
    - name: Once
      ansible.builtin.ping:
      run_once: true
",
    check: Check::Play(check),
};

fn check(view: &PlayView, _: &Project<'_>, found: &mut Diagnostics) {
    if !matches!(view.play.strategy, Strategy::Free | Strategy::HostPinned) {
        return;
    }
    for task in view.all() {
        let Some(node) = task.keywords.run_once.as_ref().filter(|node| text::is_true(node)) else { continue };
        found.push(
            Diagnostic::warning("run-once", "with this strategy hosts do not wait for each other: others may not see what this did")
                .at(node.span, "here")
                .hint("leave `strategy` out, or put the task into a play of its own"),
        );
    }
}
