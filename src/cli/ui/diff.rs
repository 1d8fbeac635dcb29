//! Unified diffs with file names and colours.

use anstyle::{AnsiColor, Style};
use stead::run::escape::{escape_line, escape_text};
use stead_modules::change::{Action, Change};

const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
const NAMES: Style = Style::new().bold();

/// The diffs of a change, each line ended; empty where there is no text to compare.
pub(crate) fn diffs(change: &Change) -> String {
    let mut text = String::new();
    for diff in change.differences.iter().filter_map(|difference| difference.diff.as_deref()).filter(|diff| !diff.is_empty()) {
        let name = escape_line(&change.resource.name);
        let nothing = "/dev/null";
        let before = if change.action == Action::Create { nothing } else { &name };
        let after = if change.action == Action::Remove { nothing } else { &name };
        line(&mut text, NAMES, &format!("--- {before}"));
        line(&mut text, NAMES, &format!("+++ {after}"));
        for row in escape_text(diff).lines() {
            let style = match row.as_bytes().first() {
                Some(b'-') => REMOVED,
                Some(b'+') => ADDED,
                Some(b'@') => PLACE,
                _ => Style::new(),
            };
            line(&mut text, style, row);
        }
    }
    text
}

fn line(text: &mut String, style: Style, row: &str) {
    text.push_str(&format!("{style}{row}{style:#}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use stead_modules::change::{Content, ResourceId, ResourceState, compare};

    fn content(text: &str) -> ResourceState {
        ResourceState::present(ResourceId::new("file", "/etc/motd")).with_content(Content::of(text.as_bytes()))
    }

    #[test]
    fn a_diff_names_the_file_and_colours_lines() {
        let changes = compare(&[content("a\nb\n")], &[content("a\nc\u{1b}[2J\n")]);
        let coloured = diffs(&changes[0]);
        assert!(coloured.contains("\u{1b}[31m-b\u{1b}[0m\n"), "{coloured:?}");
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, "--- /etc/motd\n+++ /etc/motd\n@@ -1,2 +1,2 @@\n a\n-b\n+c\\u{1b}[2J\n");
    }

    #[test]
    fn a_new_file_comes_from_nowhere() {
        let plain = anstream::adapter::strip_str(&diffs(&compare(&[], &[content("a\n")])[0])).to_string();
        assert_eq!(plain, "--- /dev/null\n+++ /etc/motd\n@@ -0,0 +1 @@\n+a\n");
    }
}
