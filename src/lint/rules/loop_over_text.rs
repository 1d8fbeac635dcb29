//! Loops over something that is not a list.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, NodeValue, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "loop-over-text",
    doc: "`loop` over something that is not a list",
    severity: Severity::Error,
    bad: r#"- hosts: all
  vars:
    names: [a, b]
  tasks:
    - name: Each
      ansible.builtin.debug:
        msg: "{{ item }}"
      loop: names
"#,
    good: r#"- hosts: all
  vars:
    names: [a, b]
  tasks:
    - name: Each
      ansible.builtin.debug:
        msg: "{{ item }}"
      loop: "{{ names }}"
"#,
    check: Check::Task(check),
};

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let Some(spec) = seen.task.r#loop.as_ref().filter(|spec| spec.lookup.is_none()) else { return };
    let is_text = match &spec.list.value {
        NodeValue::Str(text, _) => !text::has_template(text),
        NodeValue::Int(_) | NodeValue::Float(_) | NodeValue::Bool(_) | NodeValue::Map(_) | NodeValue::Unsafe(_) => true,
        _ => false,
    };
    if is_text {
        let mut problem = Diagnostic::error("loop-over-text", format!("`loop` needs a list, found {}", spec.list.kind()))
            .at(spec.list.span, "here");
        if let NodeValue::Str(text, _) = &spec.list.value {
            problem = problem.hint(format!("if `{text}` is a variable, write `\"{{{{ {text} }}}}\"`"));
        }
        found.push(problem);
    }
}
