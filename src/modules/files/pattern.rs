//! Regular expressions as playbooks write them: Python's syntax, on an engine that takes linear time.
//!
//! Look-around and back-references cannot be had from such an engine and are refused by name.

use regex::bytes::{Captures, Regex, RegexBuilder};

use crate::outcome::Failure;

/// Largest compiled program (bytes).
const LARGEST: usize = 16 << 20;

/// How `.`, `^` and `$` see lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lines {
    /// The text is one line.
    One,
    /// `^` and `$` match at every line.
    Many,
    /// `.` also matches the end of a line.
    Joined,
}

/// Compiles a pattern.
pub(crate) fn compile(pattern: &str, lines: Lines) -> Result<Regex, Failure> {
    let translated = translate(pattern).map_err(|why| Failure::new(format!("the regular expression `{pattern}` {why}")))?;
    let build = |unicode: bool| {
        RegexBuilder::new(&translated)
            .unicode(unicode)
            .multi_line(lines == Lines::Many)
            .dot_matches_new_line(lines == Lines::Joined)
            .size_limit(LARGEST)
            .build()
    };
    // Bytes first, so that files of any encoding can be matched; classes of other than ASCII need Unicode.
    build(false).or_else(|_| build(true)).map_err(|error| {
        let error = error.to_string();
        let last = error.lines().last().unwrap_or_default().trim().to_owned();
        Failure::new(format!("the regular expression `{pattern}` cannot be read: {last}"))
    })
}

/// From Python's spelling to the engine's.
fn translate(pattern: &str) -> Result<String, String> {
    let letters: Vec<char> = pattern.chars().collect();
    let mut done = String::with_capacity(pattern.len() + 8);
    let mut in_class = false;
    let mut class_start = 0;
    let mut at = 0;
    while at < letters.len() {
        let letter = letters[at];
        match letter {
            '\\' => {
                let next = *letters.get(at + 1).ok_or("ends in a backslash")?;
                match next {
                    'Z' => done.push_str("\\z"),
                    '1'..='9' if !in_class => return Err(unsupported("a back-reference")),
                    // An edge of a word to the engine, a plain character to Python.
                    '<' | '>' => done.push(next),
                    _ if next.is_ascii_alphanumeric() => done.extend(['\\', next]),
                    _ => done.push_str(&regex::escape(&next.to_string())),
                }
                at += 2;
                continue;
            }
            '[' if !in_class => {
                in_class = true;
                done.push('[');
                at += 1;
                if letters.get(at) == Some(&'^') {
                    done.push('^');
                    at += 1;
                }
                class_start = at;
                continue;
            }
            ']' if in_class && at > class_start => {
                in_class = false;
                done.push(']');
            }
            // Nested classes and set operations are the engine's own.
            '[' | ']' | '&' | '~' if in_class => done.extend(['\\', letter]),
            '(' if !in_class && letters.get(at + 1) == Some(&'?') => {
                let rest: String = letters[at + 2..].iter().take(2).collect();
                match rest.as_str() {
                    rest if rest.starts_with('=') || rest.starts_with('!') => return Err(unsupported("look-ahead")),
                    "<=" | "<!" => return Err(unsupported("look-behind")),
                    "P=" => return Err(unsupported("a back-reference")),
                    rest if rest.starts_with('(') => return Err(unsupported("a conditional group")),
                    _ => done.push('('),
                }
            }
            '{' if !in_class && !is_count(&letters[at + 1..]) => done.push_str("\\{"),
            '}' if !in_class && !closes_count(&letters[..at]) => done.push_str("\\}"),
            _ => done.push(letter),
        }
        at += 1;
    }
    Ok(done)
}

fn unsupported(what: &str) -> String {
    format!(
        "has {what}, which cannot be matched in linear time and is not supported\nhint: capture the context with a group instead"
    )
}

/// Whether what follows an opening brace makes it a count (`{2}`, `{2,}`, `{,3}`).
fn is_count(rest: &[char]) -> bool {
    let Some(end) = rest.iter().position(|letter| *letter == '}') else { return false };
    let inside: String = rest[..end].iter().collect();
    let (low, high) = inside.split_once(',').unwrap_or((&inside, ""));
    let digits = |text: &str| text.chars().all(|letter| letter.is_ascii_digit());
    digits(low) && digits(high) && !low.is_empty()
}

fn closes_count(before: &[char]) -> bool {
    let start = before.iter().rposition(|letter| *letter == '{');
    start.is_some_and(|start| {
        let mut inside: Vec<char> = before[start + 1..].to_vec();
        inside.push('}');
        is_count(&inside)
    })
}

/// A replacement in Python's spelling (`\1`, `\g<1>`, `\g<name>`, `\n`, `\\`) for one match.
pub(crate) fn expand(replacement: &str, found: &Captures<'_>) -> Vec<u8> {
    let mut done = Vec::new();
    let mut rest = replacement;
    while let Some(at) = rest.find('\\') {
        done.extend_from_slice(&rest.as_bytes()[..at]);
        rest = &rest[at + 1..];
        let Some(next) = rest.chars().next() else {
            done.push(b'\\');
            break;
        };
        if next.is_ascii_digit() {
            let length = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
            let number: usize = rest[..length].parse().unwrap_or(0);
            done.extend_from_slice(found.get(number).map_or(b"", |group| group.as_bytes()));
            rest = &rest[length..];
            continue;
        }
        if let Some((name, after)) = rest.strip_prefix("g<").and_then(|rest| rest.split_once('>')) {
            let group = name.parse().map_or_else(|_| found.name(name), |number| found.get(number));
            done.extend_from_slice(group.map_or(b"", |group| group.as_bytes()));
            rest = after;
            continue;
        }
        match next {
            'n' => done.push(b'\n'),
            't' => done.push(b'\t'),
            'r' => done.push(b'\r'),
            'f' => done.push(0x0c),
            'v' => done.push(0x0b),
            'a' => done.push(7),
            '\\' => done.push(b'\\'),
            other => done.extend_from_slice(format!("\\{other}").as_bytes()),
        }
        rest = &rest[next.len_utf8()..];
    }
    done.extend_from_slice(rest.as_bytes());
    done
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_spelling_is_understood() {
        for (pattern, text, matches) in [
            ("^foo {", "foo { bar", true),
            ("a{2}$", "aa", true),
            ("^a{2}$", "a", false),
            ("{{ x }}", "{{ x }}", true),
            ("[[]x[]]", "[x]", true),
            (r"\<b\>", "<b>", true),
            (r"\_\-\/\:\#\@\%", "_-/:#@%", true),
            ("[a&&b]", "&", true),
            ("(?i)^#?port", "#PORT 22", true),
            ("(?P<key>k)=", "k=", true),
            (r"end\Z", "end", true),
            ("[^]]x", "ax", true),
            ("é+", "éé", true),
            ("[é]", "é", true),
        ] {
            assert_eq!(compile(pattern, Lines::One).unwrap().is_match(text.as_bytes()), matches, "{pattern}");
        }
    }

    #[test]
    fn what_needs_another_engine_is_named() {
        for (pattern, word) in
            [("(?!x)", "look-ahead"), ("(?<=x)y", "look-behind"), (r"(a)\1", "back-reference"), ("(", "cannot be read")]
        {
            let message = compile(pattern, Lines::One).unwrap_err().message;
            assert!(message.contains(word), "{message}");
        }
    }

    #[test]
    fn replacements_name_groups() {
        let regex = compile("(?P<key>[a-z]+)=([0-9]+)", Lines::One).unwrap();
        let found = regex.captures(b"x=12").unwrap();
        assert_eq!(expand(r"\2:\g<key>\g<1>0\n\\\.", &found), b"12:xx0\n\\\\.");
    }
}
