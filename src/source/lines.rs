//! Where things stand in a line that the YAML parser could not read: comments, colons, brackets,
//! the ends of quotes. Guesses for messages, no second parser.

/// First byte of the line around `at`, and one past its last (without the line break).
pub(super) fn line_around(text: &str, at: usize) -> (usize, usize) {
    let start = text[..at].rfind('\n').map_or(0, |found| found + 1);
    let end = text[at..].find('\n').map_or(text.len(), |found| at + found);
    (start.min(end), end)
}

/// Without a comment and without blanks at the end.
pub(super) fn before_comment(line: &str) -> &str {
    let end =
        line.match_indices('#').find(|(at, _)| *at == 0 || line[..*at].ends_with([' ', '\t'])).map_or(line.len(), |(at, _)| at);
    line[..end].trim_end()
}

/// The colon that ends a key: followed by a blank or by nothing.
pub(super) fn find_colon(text: &str) -> Option<usize> {
    text.match_indices(':').map(|(at, _)| at).find(|at| text[at + 1..].is_empty() || text[at + 1..].starts_with([' ', '\t']))
}

/// Whether a word looks like a key.
pub(super) fn is_key(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "_-.".contains(c))
}

/// Where the value before `at` begins: behind `key: ` or `- `.
pub(super) fn value_start(text: &str, line: usize, at: usize) -> usize {
    let before = &text[line..at];
    let dashes = before.len() - before.trim_start().trim_start_matches("- ").trim_start().len();
    let start = find_colon(&before[dashes..]).map_or(dashes, |colon| dashes + colon + 1);
    line + start + before[start..].len() - before[start..].trim_start().len()
}

/// Where a value begins with `{{` or `{%` outside quotes.
pub(super) fn unquoted_brace(line: &str) -> Option<usize> {
    line.match_indices('{').map(|(at, _)| at).find(|at| {
        let before = line[..*at].trim_end();
        line[at + 1..].starts_with(['{', '%'])
            && (before.is_empty() || before.ends_with([':', '-', '[', ',']))
            && !before.contains(['"', '\''])
    })
}

/// The bracket that is still open at the end of the text; brackets in quotes count as brackets.
pub(super) fn open_bracket(text: &str) -> Option<usize> {
    let mut closed = 0_usize;
    for (at, c) in text.char_indices().rev() {
        match c {
            ']' | '}' => closed += 1,
            '[' | '{' if closed == 0 => return Some(at),
            '[' | '{' => closed -= 1,
            _ => {}
        }
    }
    None
}

/// Where the bracket around `at` is closed; brackets in quotes count as brackets.
pub(super) fn close_bracket(text: &str, at: usize) -> usize {
    let mut open = 0_usize;
    for (offset, c) in text[at..].char_indices() {
        match c {
            '[' | '{' => open += 1,
            ']' | '}' if open == 0 => return at + offset,
            ']' | '}' => open -= 1,
            _ => {}
        }
    }
    at
}

/// One past the quote that closes the text that is opened at `at`.
pub(super) fn quote_end(text: &str, at: usize) -> Option<usize> {
    let quote = text[at..].chars().next()?;
    let mut rest = text[at + 1..].char_indices().peekable();
    while let Some((index, c)) = rest.next() {
        if c == '\\' && quote == '"' {
            rest.next();
        } else if c == quote {
            if quote == '\'' && rest.peek().is_some_and(|(_, next)| *next == '\'') {
                rest.next();
            } else {
                return Some(at + 1 + index + 1);
            }
        }
    }
    None
}
