//! Pages as plain text for a terminal and as Markdown for a web site.

use stead_modules::args::{ArgKind, Field, Presence};

use super::page::Page;

/// Columns of plain text.
const WIDTH: usize = 100;

/// One line for each page: name, kind, first sentence.
pub fn list(pages: &[Page]) -> String {
    let names = pages.iter().map(|page| page.name.len()).max().unwrap_or_default();
    let words = pages.iter().map(|page| page.performed.word().len()).max().unwrap_or_default();
    let mut text = String::new();
    for page in pages {
        text.push_str(&format!("{:<names$}  {:<words$}  {}\n", page.name, page.performed.word(), page.summary()));
    }
    text
}

/// A page as plain text.
pub fn text(page: &Page) -> String {
    let mut text = format!("{}\n\n", page.name);
    text.push_str(&paragraphs(page.doc, ""));
    text.push_str(&format!("\nin a plan\n{}", wrapped(page.performed.in_a_plan(), "  ")));
    if !page.fields.is_empty() {
        text.push_str("\noptions\n");
    }
    for field in &page.fields {
        text.push_str(&format!("  {}: {}", field.name, field.kind.describe()));
        text.push_str(&match field.presence {
            Presence::Required => ", required\n".to_owned(),
            Presence::Optional => "\n".to_owned(),
            Presence::Default(value) => format!(", default {}\n", default(value)),
        });
        if !field.aliases.is_empty() {
            text.push_str(&format!("      also: {}\n", field.aliases.join(", ")));
        }
        text.push_str(&paragraphs(field.doc, "      "));
    }
    if !page.examples.trim().is_empty() {
        text.push_str("\nexamples\n");
        for line in examples(page) {
            text.push_str(format!("  {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

/// A page as Markdown.
pub fn markdown(page: &Page) -> String {
    let mut text = format!("# {}\n\n{}\n\n", page.name, dedented(page.doc).trim());
    text.push_str(&format!("**In a plan.** {}\n", page.performed.in_a_plan()));
    if !page.fields.is_empty() {
        text.push_str("\n## Options\n\n| option | type | default | meaning |\n|---|---|---|---|\n");
    }
    for field in &page.fields {
        text.push_str(&row(field));
    }
    if !page.examples.trim().is_empty() {
        text.push_str(&format!("\n## Examples\n\n```yaml\n{}\n```\n", examples(page).join("\n")));
    }
    text
}

fn row(field: &Field) -> String {
    let mut name = format!("`{}`", field.name);
    if !field.aliases.is_empty() {
        let aliases: Vec<String> = field.aliases.iter().map(|alias| format!("`{alias}`")).collect();
        name.push_str(&format!(" (also {})", aliases.join(", ")));
    }
    let kind = match &field.kind {
        ArgKind::Choice(choices) => choices.iter().map(|choice| format!("`{choice}`")).collect::<Vec<_>>().join(", "),
        other => other.describe(),
    };
    let presence = match field.presence {
        Presence::Required => "required".to_owned(),
        Presence::Optional => String::new(),
        Presence::Default(value) => format!("`{}`", default(value)),
    };
    let doc = field.doc.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("| {name} | {} | {} | {} |\n", cell(&kind), cell(&presence), cell(&doc))
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A default as a playbook would write it, from how the source writes it: `State::Present` is
/// `present`, `"x".into()` is `x`.
pub(super) fn default(source: &str) -> String {
    if let Some((_, quoted)) = source.split_once('"')
        && let Some((quoted, _)) = quoted.rsplit_once('"')
    {
        // Of a list: all of its words.
        return quoted.replace("\", \"", ", ");
    }
    let text: String = source.chars().filter(|char| !char.is_whitespace()).collect();
    match text.rsplit_once("::") {
        Some((_, "new()")) => "empty".to_owned(),
        Some((_, variant)) => snake(variant),
        None => text,
    }
}

/// `FollowLinks` as `follow_links`.
fn snake(name: &str) -> String {
    let mut text = String::new();
    for (at, char) in name.chars().enumerate() {
        if char.is_uppercase() && at > 0 {
            text.push('_');
        }
        text.extend(char.to_lowercase());
    }
    text
}

pub(super) fn examples(page: &Page) -> Vec<String> {
    dedented(page.examples).trim_matches('\n').lines().map(str::to_owned).collect()
}

/// Text without the one space that doc comments put before every line, or other common indentation.
pub(super) fn dedented(text: &str) -> String {
    let indent =
        text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    text.lines().map(|line| line.get(indent..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

/// Paragraphs, wrapped; lists and code keep their lines.
pub(super) fn paragraphs(doc: &str, indent: &str) -> String {
    let doc = dedented(doc);
    let mut text = String::new();
    for (number, paragraph) in doc.trim().split("\n\n").filter(|paragraph| !paragraph.is_empty()).enumerate() {
        if number > 0 {
            text.push('\n');
        }
        let keeps = paragraph.lines().any(|line| line.starts_with(['-', '*', ' ', '|', '`']) && !line.starts_with("**"));
        if keeps {
            paragraph.lines().for_each(|line| text.push_str(&format!("{}\n", format!("{indent}{line}").trim_end())));
        } else {
            text.push_str(&wrapped(paragraph, indent));
        }
    }
    text
}

fn wrapped(text: &str, indent: &str) -> String {
    let mut lines = String::new();
    let mut line = String::from(indent);
    for word in text.split_whitespace() {
        if line.len() > indent.len() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            lines.push_str(&line);
            lines.push('\n');
            line = String::from(indent);
        }
        if line.len() > indent.len() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if line.len() > indent.len() {
        lines.push_str(&line);
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::super::page::{Performed, find, modules};
    use super::*;
    use stead_modules::registry::Contract;

    stead_modules::args! {
        /// Polishes a widget. It is not needed often.
        ///
        /// A second paragraph that says more about the widget and is long enough to be wrapped somewhere in its middle.
        struct Args {
            /// Which one.
            name ("widget"): String,
            /// How bright, from 1 to 9.
            bright: i64 = 5,
            /// Whether it shines.
            shine: Option<bool>,
        }
    }

    fn page() -> Page {
        Page::of::<Args>("polish", Performed::OnHost(Contract::Resource), "- polish:\n    name: w\n")
    }

    #[test]
    fn a_page_as_text() {
        insta::assert_snapshot!(text(&page()), @r"
        polish

        Polishes a widget. It is not needed often.

        A second paragraph that says more about the widget and is long enough to be wrapped somewhere in its
        middle.

        in a plan
          Manages state: a plan shows exactly what would change, and a second apply changes nothing.

        options
          name: str, required
              also: widget
              Which one.
          bright: int, default 5
              How bright, from 1 to 9.
          shine: bool
              Whether it shines.

        examples
          - polish:
              name: w
        ");
    }

    #[test]
    fn a_page_as_markdown() {
        insta::assert_snapshot!(markdown(&page()), @r"
        # polish

        Polishes a widget. It is not needed often.

        A second paragraph that says more about the widget and is long enough to be wrapped somewhere in its middle.

        **In a plan.** Manages state: a plan shows exactly what would change, and a second apply changes nothing.

        ## Options

        | option | type | default | meaning |
        |---|---|---|---|
        | `name` (also `widget`) | str | required | Which one. |
        | `bright` | int | `5` | How bright, from 1 to 9. |
        | `shine` | bool |  | Whether it shines. |

        ## Examples

        ```yaml
        - polish:
            name: w
        ```
        ");
    }

    #[test]
    fn every_module_has_a_page_with_a_first_sentence_and_documented_options() {
        let pages = modules(vec![page()]);
        assert!(pages.len() > 1);
        assert_eq!(list(&pages).lines().count(), pages.len());
        for page in &pages {
            assert!(!page.summary().is_empty(), "{} has no text", page.name);
            assert!(text(page).contains(page.performed.in_a_plan().split(' ').next().unwrap()));
            for field in &page.fields {
                assert!(!field.doc.trim().is_empty(), "{}.{} is not described", page.name, field.name);
                assert!(markdown(page).contains(&format!("`{}`", field.name)));
            }
        }
    }

    #[test]
    fn names_are_found_with_their_collection_and_misspelled_ones_are_guessed() {
        let pages = modules(vec![page()]);
        assert_eq!(find(&pages, "ansible.builtin.polish").unwrap().name, "polish");
        assert_eq!(find(&pages, "polsh").unwrap_err().as_deref(), Some("did you mean `polish`?"));
    }

    #[test]
    fn defaults_read_as_a_playbook_writes_them() {
        for (source, shown) in [
            ("State :: Present", "present"),
            ("\"x y\" . into()", "x y"),
            ("true", "true"),
            ("Vec :: new()", "empty"),
            ("5", "5"),
        ] {
            assert_eq!(default(source), shown);
        }
    }
}
