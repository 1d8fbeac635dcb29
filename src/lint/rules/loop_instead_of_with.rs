//! Loops in their older spelling.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, Severity};

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "loop-instead-of-with",
    doc: "`with_items` and `with_list`, for which there is `loop`",
    severity: Severity::Info,
    bad: r#"- hosts: all
  tasks:
    - name: Each
      ansible.builtin.debug:
        msg: "{{ item }}"
      with_list: [a, b]
"#,
    good: r#"- hosts: all
  tasks:
    - name: Each
      ansible.builtin.debug:
        msg: "{{ item }}"
      loop: [a, b]
"#,
    check: Check::Task(check),
};

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    let Some(spec) = &seen.task.r#loop else { return };
    let Some(lookup @ ("items" | "list")) = spec.lookup.as_deref() else { return };
    let key = seen.task.written.entries.iter().map(|(key, _)| key).find(|key| key.as_str().is_some_and(|key| key.starts_with("with_")));
    let hint = if lookup == "items" {
        "`loop` does the same, but does not flatten lists in lists: add `| flatten(levels=1)` where there are any"
    } else {
        "`loop` does the same"
    };
    found.push(
        Diagnostic::info("loop-instead-of-with", format!("`with_{lookup}` is the older spelling of `loop`"))
            .at(key.map_or(spec.list.span, |key| key.span), "here")
            .hint(hint),
    );
}
