//! Text from hosts as it may be shown on a terminal: no control characters, no bidirectional tricks.

/// Text that may span lines: newlines and tabs stay, everything else that could move the cursor,
/// colour the screen or reorder what is read is written out.
pub fn escape_text(text: &str) -> String {
    escape(text, |char| matches!(char, '\n' | '\t'))
}

/// Text that must stay on one line.
pub fn escape_line(text: &str) -> String {
    escape(text, |_| false)
}

fn escape(text: &str, keep: impl Fn(char) -> bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if keep(char) || !is_dangerous(char) {
            escaped.push(char);
        } else if char.is_ascii() {
            escaped.extend(char.escape_default());
        } else {
            escaped.extend(char.escape_unicode());
        }
    }
    escaped
}

/// Controls (C0, DEL, C1), line and paragraph separators, bidirectional marks, embeddings, overrides
/// and isolates, and characters that take no room.
fn is_dangerous(char: char) -> bool {
    char.is_control()
        || matches!(char, '\u{061c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_move_the_cursor_or_reorder_text_is_written_out() {
        for (text, line) in [
            ("plain ümlaut 日本 👍🏽", "plain ümlaut 日本 👍🏽"),
            ("\u{1b}[31mred", "\\u{1b}[31mred"),
            ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
            ("\u{9b}2J", "\\u{9b}2J"),
            ("evil\u{202e}txt.exe", "evil\\u{202e}txt.exe"),
            ("\u{7f}\u{0}", "\\u{7f}\\u{0}"),
        ] {
            assert_eq!(escape_line(text), line);
        }
        assert_eq!(escape_text("a\nb\tc\rd"), "a\nb\tc\\rd");
    }
}
