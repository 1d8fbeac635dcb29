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
    - name: A container
      community.docker.docker_container:
        name: web
        image: nginx
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
    if project.loader.catalog().find(&task.action.module).is_some() {
        return;
    }
    let text = format!("stead has no module `{}`", task.action.written);
    let problem =
        if seen.certain { Diagnostic::error("unsupported-module", text) } else { Diagnostic::warning("unsupported-module", text) };
    found.push(problem.at(task.action.span, "used here").hint("`stead docs` lists the modules that there are"));
}
