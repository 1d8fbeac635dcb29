//! Loops in loops whose items have the same name.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "loop-var-shadowing",
    doc: "Loops in included tasks whose item has the same name as that of the loop around the include",
    severity: Severity::Warning,
    bad: r#"### site.yml
- hosts: all
  tasks:
    - name: Each
      ansible.builtin.include_tasks: a.yml
      loop: [1, 2]
### a.yml
- name: Each again
  ansible.builtin.debug:
    msg: "{{ item }}"
  loop: [3, 4]
"#,
    good: r#"### site.yml
- hosts: all
  tasks:
    - name: Each
      ansible.builtin.include_tasks: a.yml
      loop: [1, 2]
      loop_control:
        loop_var: outer
### a.yml
- name: Each again
  ansible.builtin.debug:
    msg: "{{ outer }} {{ item }}"
  loop: [3, 4]
"#,
    check: Check::Task(check),
};

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let Some(spec) = &seen.task.r#loop else { return };
    let own = seen.task.loop_control.loop_var.as_deref().unwrap_or("item");
    if seen.loops.iter().any(|outer| **outer == *own) {
        found.push(
            Diagnostic::warning("loop-var-shadowing", format!("`{own}` is also the item of a loop around this one"))
                .at(spec.list.span, "this loop hides it")
                .hint("give one of them another name: `loop_control: { loop_var: ... }`"),
        );
    }
}
