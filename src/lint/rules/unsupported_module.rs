//! Modules of Ansible and of collections that stead does not have.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unsupported-module",
    doc: "Modules that exist elsewhere but not in stead; under a condition it is a warning, because the task may never run",
    severity: Severity::Error,
    bad: "- hosts: all
  tasks:
    - name: A file system
      community.general.zfs:
        name: pool/web
        state: present
",
    good: "- hosts: all
  tasks:
    - name: A service
      ansible.builtin.service:
        name: web
        state: started
",
    check: Check::Task(check),
};

fn check(seen: &Seen, project: &Project<'_>, found: &mut Diagnostics) {
    let task = &seen.task;
    if task.action.foreign.is_some() || project.loader.catalog().find(&task.action.module).is_some() {
        return;
    }
    let text = format!("stead has no module `{}`", task.action.written);
    let problem =
        if seen.certain { Diagnostic::error("unsupported-module", text) } else { Diagnostic::warning("unsupported-module", text) };
    found.push(problem.at(task.action.span, "used here").hint(source(&task.action.written)));
}

/// Where a module can be had.
fn source(written: &str) -> String {
    let mut parts = written.splitn(3, '.');
    match (parts.next(), parts.next(), parts.next()) {
        (Some("ansible"), Some("builtin" | "legacy"), _) | (_, None, _) | (_, _, None) => {
            "with ansible-core (`python3 -m pip install ansible-core`) on this machine it runs on the host's Python".to_owned()
        }
        (Some(namespace), Some(collection), _) => format!(
            "with the collection `{namespace}.{collection}` on this machine (`stead deps install`) it runs on the host's Python"
        ),
        (None, ..) => unreachable!("a name has a first part"),
    }
}
