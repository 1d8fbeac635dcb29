//! Which rules are wanted.

use super::rules;
use crate::source::suggest;

/// Rules that are wanted, and whether matters of style are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Only these; empty = all.
    pub only: Vec<String>,
    /// None of these.
    pub skip: Vec<String>,
    /// Matters of style too.
    pub style: bool,
}

impl Selection {
    /// Whether findings of this rule are wanted, whatever they are.
    pub fn wants(&self, rule: &str) -> bool {
        (self.only.is_empty() || self.names(rule)) && !self.skip.iter().any(|name| name == rule)
    }

    /// Whether the rule was asked for by its name.
    pub fn names(&self, rule: &str) -> bool {
        self.only.iter().any(|name| name == rule)
    }

    /// The first name that is no rule, with what was perhaps meant.
    pub fn unknown(&self) -> Option<(&str, Option<String>)> {
        let name = self.only.iter().chain(&self.skip).find(|name| rules::find(name).is_none())?;
        Some((name, suggest::did_you_mean(name, rules::all().map(|rule| rule.name))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_are_chosen_by_name() {
        let named = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let selection = Selection { only: named(&["unnamed-task", "risky-octal"]), skip: named(&["risky-octal"]), style: false };
        assert!(selection.wants("unnamed-task") && !selection.wants("risky-octal") && !selection.wants("missing-file"));
        assert_eq!(selection.unknown(), None);
        let selection = Selection { skip: named(&["risky-octl"]), ..Selection::default() };
        assert!(selection.wants("missing-file"));
        assert_eq!(selection.unknown(), Some(("risky-octl", Some("did you mean `risky-octal`?".to_owned()))));
    }
}
