//! Unified diffs with file names and colours.

use anstyle::{AnsiColor, Style};
use stead::run::escape::{escape_line, escape_text};
use stead_modules::change::{Action, Change};

const REMOVED: Style = AnsiColor::Red.on_default();
const ADDED: Style = AnsiColor::Green.on_default();
const PLACE: Style = AnsiColor::Cyan.on_default();
const NAMES: Style = Style::new().bold();

/// How much of the text of new files is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// The first lines; how many more there are is said.
    Short,
    /// All of it.
    Whole,
}

/// Lines of a new file that are shown at [`Length::Short`]. What changes in a file that exists is
/// always shown whole.
const SHORT: usize = 30;

/// The diffs of a change, each line ended; empty where there is no text to compare.
pub(crate) fn diffs(change: &Change, length: Length) -> String {
    let mut text = String::new();
    let limit = if change.action == Action::Create && length == Length::Short { SHORT } else { usize::MAX };
    for diff in change.differences.iter().filter_map(|difference| difference.diff.as_deref()).filter(|diff| !diff.is_empty()) {
        let name = escape_line(&change.resource.name);
        let nothing = "/dev/null";
        let before = if change.action == Action::Create { nothing } else { &name };
        let after = if change.action == Action::Remove { nothing } else { &name };
        line(&mut text, NAMES, &format!("--- {before}"));
        line(&mut text, NAMES, &format!("+++ {after}"));
        let rows = escape_text(diff);
        let count = rows.lines().count();
        let shown = count.min(limit);
        for row in rows.lines().take(shown) {
            line(&mut text, style(row), row);
        }
        if shown < count {
            line(&mut text, Style::new().dimmed(), &format!("... and {} more lines (-v shows all)", count - shown));
        }
    }
    text
}

/// A unified diff in colours.
pub(crate) fn unified(diff: &str) -> String {
    let mut text = String::new();
    for row in escape_text(diff).lines() {
        line(&mut text, style(row), row);
    }
    text
}

/// How a row of a diff looks.
fn style(row: &str) -> Style {
    match row.as_bytes().first() {
        _ if row.starts_with("--- ") || row.starts_with("+++ ") => NAMES,
        Some(b'-') => REMOVED,
        Some(b'+') => ADDED,
        Some(b'@') => PLACE,
        _ => Style::new(),
    }
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
        let coloured = diffs(&changes[0], Length::Short);
        assert!(coloured.contains("\u{1b}[31m-b\u{1b}[0m\n"), "{coloured:?}");
        let plain = anstream::adapter::strip_str(&coloured).to_string();
        assert_eq!(plain, "--- /etc/motd\n+++ /etc/motd\n@@ -1,2 +1,2 @@\n a\n-b\n+c\\u{1b}[2J\n");
    }

    #[test]
    fn a_new_file_comes_from_nowhere() {
        let plain = anstream::adapter::strip_str(&diffs(&compare(&[], &[content("a\n")])[0], Length::Short)).to_string();
        assert_eq!(plain, "--- /dev/null\n+++ /etc/motd\n@@ -0,0 +1 @@\n+a\n");
    }

    #[test]
    fn a_long_new_file_is_cut_and_says_so() {
        let long: String = (1..=100).map(|number| format!("{number}\n")).collect();
        let created = &compare(&[], &[content(&long)])[0];
        let plain = |length| anstream::adapter::strip_str(&diffs(created, length)).to_string();
        let short = plain(Length::Short);
        assert!(short.ends_with("+29\n... and 71 more lines (-v shows all)\n"), "{short}");
        assert!(plain(Length::Whole).ends_with("+100\n"));
        let changed = &compare(&[content("")], &[content(&long)])[0];
        assert!(diffs(changed, Length::Short).contains("+100"), "changes of a file that exists are not cut");
    }
}
