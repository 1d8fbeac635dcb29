//! Pages of the manual that are about no single module.

use crate::source::suggest;

/// One page.
#[derive(Debug, Clone, Copy)]
pub struct Topic {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it is about, for lists.
    pub summary: &'static str,
    /// Markdown, which reads well as it is.
    pub text: &'static str,
}

const TOPICS: &[Topic] = &[Topic {
    name: "diagnostics",
    summary: "Twenty mistakes, and what is said about each, beside what ansible-core says",
    text: include_str!("pages/diagnostics.md"),
}];

/// All pages, by name.
pub fn topics() -> &'static [Topic] {
    TOPICS
}

/// The page of this name, or the nearest name.
pub fn topic(name: &str) -> Result<&'static Topic, Option<String>> {
    TOPICS
        .iter()
        .find(|topic| topic.name == name)
        .ok_or_else(|| suggest::did_you_mean(name, TOPICS.iter().map(|topic| topic.name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_begin_with_their_title() {
        for topic in topics() {
            assert!(topic.text.starts_with("# "), "{}", topic.name);
        }
        assert_eq!(topic("diagnostics").unwrap().name, "diagnostics");
        assert_eq!(topic("diagnostic").unwrap_err().as_deref(), Some("did you mean `diagnostics`?"));
    }
}
