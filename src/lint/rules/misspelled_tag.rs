//! Tags that differ by a letter from others.

use crate::lint::project::Project;
use crate::lint::rule::{Check, Rule};
use crate::source::{Diagnostic, Diagnostics, NodeValue, Severity, Span};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// The rule.
pub(super) const RULE: Rule = Rule {
    name: "misspelled-tag",
    doc: "Tags that only one task has and that differ by a slip of the finger from a tag that others have",
    severity: Severity::Warning,
    bad: "- hosts: all
  tasks:
    - name: One
      ansible.builtin.ping:
      tags: config
    - name: Two
      ansible.builtin.ping:
      tags: config
    - name: Three
      ansible.builtin.ping:
      tags: cofnig
",
    good: "- hosts: all
  tasks:
    - name: One
      ansible.builtin.ping:
      tags: config
    - name: Two
      ansible.builtin.ping:
      tags: config
    - name: Three
      ansible.builtin.ping:
      tags: config
",
    check: Check::Project(check),
};

/// Tags with a meaning of their own: one slip away from them nothing else is meant.
const SPECIAL: &[&str] = &["always", "never"];

fn check(project: &Project<'_>, found: &mut Diagnostics) {
    let mut places: HashMap<Arc<str>, HashSet<Span>> = HashMap::new();
    for (_, _, document) in project.corpus.yaml() {
        gather(document, &mut places);
    }
    let mut often: Vec<&str> = places.iter().filter(|(_, at)| at.len() > 1).map(|(tag, _)| &**tag).collect();
    often.extend(SPECIAL);
    for (tag, at) in &places {
        let [span] = at.iter().collect::<Vec<_>>()[..] else { continue };
        if tag.len() < 4 || often.contains(&&**tag) {
            continue;
        }
        if let Some(near) = often.iter().find(|other| is_slip(tag, other)) {
            found.push(
                Diagnostic::warning("misspelled-tag", format!("only one place has the tag `{tag}`, others have `{near}`"))
                    .at(*span, "here")
                    .hint(format!("did you mean `{near}`?")),
            );
        }
    }
}

/// One letter, and it is not a number or a plural.
fn is_slip(one: &str, other: &str) -> bool {
    let plural = |a: &str, b: &str| a.strip_suffix('s') == Some(b);
    let digits = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
    strsim::damerau_levenshtein(one, other) == 1
        && !plural(one, other)
        && !plural(other, one)
        && digits(one) == digits(other)
}

fn gather(node: &crate::source::Node, into: &mut HashMap<Arc<str>, HashSet<Span>>) {
    match &node.value {
        NodeValue::List(items) => items.iter().for_each(|item| gather(item, into)),
        NodeValue::Map(map) => {
            for (key, value) in &map.entries {
                if key.as_str() != Some("tags") {
                    gather(value, into);
                    continue;
                }
                for item in value.as_list().unwrap_or(std::slice::from_ref(value)) {
                    for tag in item.as_str().unwrap_or_default().split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
                        into.entry(tag.into()).or_default().insert(item.span);
                    }
                }
            }
        }
        _ => {}
    }
}
