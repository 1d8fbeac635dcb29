//! Breaking lines as Python's `textwrap` does.

/// How lines are broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wrap {
    pub(super) width: usize,
    /// Whether a word that does not fit into a line is cut.
    pub(super) long_words: bool,
    /// Whether a word may be broken after a hyphen.
    pub(super) hyphens: bool,
}

/// The lines that a line is broken into. White space between words stays as it is.
pub(super) fn wrapped(line: &str, wrap: Wrap) -> Vec<String> {
    let mut chunks: std::collections::VecDeque<String> = chunks(line, wrap.hyphens).into();
    let mut lines: Vec<String> = Vec::new();
    let length = |text: &str| text.chars().count();
    let is_blank = |text: &str| text.trim().is_empty();
    while !chunks.is_empty() {
        if !lines.is_empty() && chunks.front().is_some_and(|chunk| is_blank(chunk)) {
            chunks.pop_front();
        }
        let (mut current, mut used) = (Vec::new(), 0);
        while let Some(chunk) = chunks.front() {
            let more = length(chunk);
            if used + more > wrap.width {
                break;
            }
            used += more;
            current.extend(chunks.pop_front());
        }
        if let Some(chunk) = chunks.front_mut()
            && length(chunk) > wrap.width
        {
            if wrap.long_words {
                let left = wrap.width - used;
                let mut end = left;
                if wrap.hyphens {
                    let head: Vec<char> = chunk.chars().take(left).collect();
                    let hyphen = head.iter().rposition(|c| *c == '-').filter(|at| head[..*at].iter().any(|c| *c != '-'));
                    end = hyphen.map_or(end, |at| at + 1);
                }
                let at = chunk.char_indices().nth(end).map_or(chunk.len(), |(at, _)| at);
                let rest = chunk.split_off(at);
                current.push(std::mem::replace(chunk, rest));
            } else if current.is_empty() {
                current.extend(chunks.pop_front());
            }
        }
        if current.last().is_some_and(|last| is_blank(last)) {
            current.pop();
        }
        if !current.is_empty() {
            lines.push(current.concat());
        }
    }
    lines
}

/// Words and the white space between them.
fn chunks(line: &str, hyphens: bool) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let mut blank = None;
    for c in line.chars() {
        let is_blank = c.is_whitespace();
        match out.last_mut() {
            Some(last) if blank == Some(is_blank) => last.push(c),
            _ => out.push(c.to_string()),
        }
        blank = Some(is_blank);
    }
    if hyphens { out.iter().flat_map(|word| at_hyphens(word)).collect() } else { out }
}

/// A word in pieces that end with a hyphen between letters.
fn at_hyphens(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    let letter = |at: usize| chars.get(at).is_some_and(|c| c.is_alphabetic() || *c == '_');
    let is = |at: usize, wanted: char| chars.get(at) == Some(&wanted);
    let mut out = Vec::new();
    let mut start = 0;
    for at in 0..chars.len() {
        if chars[at] != '-' {
            continue;
        }
        let before = at >= 2 && letter(at - 1) && (letter(at - 2) || at >= 3 && is(at - 2, '-') && letter(at - 3));
        let after = letter(at + 1) && (letter(at + 2) || is(at + 2, '-') && letter(at + 3));
        if before && after {
            out.push(chars[start..=at].iter().collect());
            start = at + 1;
        }
    }
    out.push(chars[start..].iter().collect());
    out
}
