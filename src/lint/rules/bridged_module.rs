//! Modules that run on the hosts' Python.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "bridged-module",
    doc: "Modules that stead does not have itself and that run on the hosts' Python",
    severity: Severity::Info,
    bad: "### site.yml
- hosts: all
  tasks:
    - name: Something of our own
      our_thing:
        name: x
### library/our_thing.py
from ansible.module_utils.basic import AnsibleModule
",
    good: "- hosts: all
  tasks:
    - name: Something that stead has
      ansible.builtin.ping:
",
    check: Check::Task(check),
};

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let action = &seen.task.action;
    let Some(foreign) = &action.foreign else { return };
    let problem = Diagnostic::info("bridged-module", format!("`{}` runs on the host's Python", foreign.name));
    found.push(problem.at(action.span, format!("from `{}`", foreign.path.display())));
}
