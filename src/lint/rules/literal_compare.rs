//! Comparisons with what is true or empty anyway.

use crate::lint::follow::Seen;
use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::lint::text;
use crate::source::{Diagnostic, Diagnostics, Severity};
use regex::Regex;
use std::sync::LazyLock;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "literal-compare",
    doc: "Comparisons with `true`, `false` or empty text in conditions",
    severity: Severity::Info,
    bad: "- hosts: all
  tasks:
    - name: Perhaps
      ansible.builtin.ping:
      when: ansible_check_mode == true
",
    good: "- hosts: all
  tasks:
    - name: Perhaps
      ansible.builtin.ping:
      when: ansible_check_mode
",
    check: Check::Task(check),
};

static LITERAL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"[=!]=\s*(?:([Tt]rue|[Ff]alse)\b|(''|""))"#).expect("the pattern is written here")
});

fn check(seen: &Seen, _: &Project<'_>, found: &mut Diagnostics) {
    for (node, _) in text::templates(&seen.task).into_iter().filter(|(_, bare)| *bare) {
        let Some(parts) = node.as_str().and_then(|text| LITERAL.captures(text)) else { continue };
        let (message, hint) = if parts.get(1).is_some() {
            ("a condition is true or false by itself", "write `x` or `not x`; for text that means a boolean `x | bool`")
        } else {
            ("a comparison with empty text", "write `x | length > 0` or `x | length == 0`")
        };
        found.push(Diagnostic::info("literal-compare", message).at(node.span, "here").hint(hint));
    }
}
