//! Filters, tests and functions that there are not.

use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use super::templates;
use crate::source::{Diagnostics, Severity};
use crate::template::TemplateErrorKind;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "unknown-template-name",
    doc: "Filters and tests that there are not",
    severity: Severity::Error,
    bad: r#"- hosts: all
  vars:
    motd_text: hello
  tasks:
    - name: Greeting
      ansible.builtin.debug:
        msg: "{{ motd_text | tirm }}"
"#,
    good: r#"- hosts: all
  vars:
    motd_text: hello
  tasks:
    - name: Greeting
      ansible.builtin.debug:
        msg: "{{ motd_text | trim }}"
"#,
    check: Check::Project(check),
};

fn check(project: &Project<'_>, found: &mut Diagnostics) {
    templates::check(project, TemplateErrorKind::UnknownName, found);
}
