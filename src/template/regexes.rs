//! Python's regular expressions on a linear-time engine: the same syntax, translated where the two
//! differ. Look-around and back-references in patterns do not exist there and are refused.

use regex::{Regex, RegexBuilder};

use super::error::{TemplateError, TemplateErrorKind, fail};
use super::runtime::Runtime;
use super::val::Res;

/// Flags of a pattern.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) ignore_case: bool,
    pub(super) multiline: bool,
}

/// The compiled pattern; compiled ones are kept for the run.
pub(super) fn compile(runtime: &Runtime, pattern: &str, flags: Flags) -> Res<Regex> {
    let key = format!("{}{}{pattern}", u8::from(flags.ignore_case), u8::from(flags.multiline));
    let mut kept = runtime.shared.patterns.lock().expect("no thread panics while it holds this");
    if let Some(found) = kept.get(&key) {
        return Ok(found.clone());
    }
    let regex = RegexBuilder::new(&translated(pattern))
        .case_insensitive(flags.ignore_case)
        .multi_line(flags.multiline)
        .size_limit(4 << 20)
        .build()
        .map_err(|error| refused(pattern, &error))?;
    if kept.len() > 2_000 {
        kept.clear();
    }
    kept.insert(key, regex.clone());
    Ok(regex)
}

fn refused(pattern: &str, error: &regex::Error) -> super::error::Fault {
    let text = error.to_string();
    if text.contains("look-around") || text.contains("backreference") {
        let message = format!("the pattern `{pattern}` uses look-around or a back-reference");
        let hint = "patterns are matched in linear time, which rules these out; a capturing group or a second filter usually does the same";
        return TemplateError::new(TemplateErrorKind::Failed, message).hint(hint).into();
    }
    let reason = text.lines().last().unwrap_or("it cannot be read").trim_start_matches("error: ").to_owned();
    fail(format!("the pattern `{pattern}` is not a regular expression: {reason}"))
}

/// Python's syntax in the engine's.
fn translated(pattern: &str) -> String {
    let mut out = String::with_capacity(pattern.len() + 8);
    let mut chars = pattern.char_indices().peekable();
    let mut class = None;
    while let Some((at, c)) = chars.next() {
        match (c, class) {
            ('\\', _) => match chars.next() {
                Some((_, 'Z')) => out.push_str("\\z"),
                // Word boundaries there, plain characters in Python.
                Some((_, c @ ('<' | '>'))) => out.push(c),
                Some((_, c)) if class.is_some() && c == 'b' => out.push_str("\\x08"),
                Some((_, c)) if c.is_ascii_alphanumeric() || c.is_ascii_punctuation() && c != '_' => {
                    out.push('\\');
                    out.push(c);
                }
                Some((_, c)) => out.push(c),
                None => out.push('\\'),
            },
            ('[', None) => {
                out.push('[');
                if chars.next_if(|(_, c)| *c == '^').is_some() {
                    out.push('^');
                }
                // A bracket right after the opening one is a character.
                if chars.next_if(|(_, c)| *c == ']').is_some() {
                    out.push_str("\\]");
                }
                class = Some(at);
            }
            (']', Some(_)) => {
                out.push(']');
                class = None;
            }
            ('[' | '&' | '~', Some(_)) => {
                out.push('\\');
                out.push(c);
            }
            ('-', Some(_)) if pattern[at + 1..].starts_with('-') => out.push_str("\\-"),
            ('{', None) if !is_repetition(&pattern[at..]) => out.push_str("\\{"),
            ('{', None) if pattern[at..].starts_with("{,") => out.push_str("{0"),
            _ => out.push(c),
        }
    }
    out
}

/// Whether a brace begins `{3}`, `{3,}`, `{,3}` or `{3,5}`.
fn is_repetition(text: &str) -> bool {
    let Some(end) = text.find('}') else { return false };
    let inside = &text[1..end];
    let digits = |part: &str| part.chars().all(|c| c.is_ascii_digit());
    match inside.split_once(',') {
        Some((low, high)) => digits(low) && digits(high) && !(low.is_empty() && high.is_empty()),
        None => !inside.is_empty() && digits(inside),
    }
}

/// All matches as Python finds them: unlike the engine, it also takes an empty match right behind
/// another match (`(.*)` matches `a` twice).
pub(super) fn all_matches<'t>(regex: &Regex, text: &'t str) -> impl Iterator<Item = regex::Captures<'t>> + use<'t> {
    let regex = regex.clone();
    let (mut at, mut last_empty) = (0, None);
    std::iter::from_fn(move || {
        loop {
            if at > text.len() {
                return None;
            }
            let found = regex.captures_at(text, at)?;
            let whole = found.get(0).expect("group 0 is the whole match");
            if whole.is_empty() && last_empty == Some(whole.start()) {
                at = whole.start() + text[whole.start()..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            last_empty = whole.is_empty().then_some(whole.start());
            at = whole.end();
            return Some(found);
        }
    })
}

/// Expands Python's replacement text: `\1`, `\g<1>`, `\g<name>`, `\n`, `\\`.
pub(super) fn expand(template: &str, found: &regex::Captures<'_>, out: &mut String) -> Res<()> {
    let group = |number: usize| found.get(number).map_or("", |group| group.as_str());
    let mut rest = template;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let Some(c) = rest.chars().next() else {
            return Err(fail("the replacement ends with a backslash"));
        };
        let mut width = c.len_utf8();
        match c {
            '0'..='9' => {
                width = rest.bytes().take(2).take_while(u8::is_ascii_digit).count();
                let number: usize = rest[..width].parse().unwrap_or(0);
                if c == '0' {
                    out.push('\0');
                } else if number >= found.len() {
                    return Err(fail(format!("the pattern has no group {number}")));
                } else {
                    out.push_str(group(number));
                }
            }
            'g' => {
                let name = rest[1..].strip_prefix('<').and_then(|name| name.split_once('>')).map(|(name, _)| name);
                let Some(name) = name else { return Err(fail("`\\g` needs a group's name in angle brackets")) };
                width = name.len() + 3;
                match name.parse::<usize>() {
                    Ok(number) if number < found.len() => out.push_str(group(number)),
                    Ok(number) => return Err(fail(format!("the pattern has no group {number}"))),
                    Err(_) => out.push_str(found.name(name).map_or("", |group| group.as_str())),
                }
            }
            'n' => out.push('\n'),
            't' => out.push('\t'),
            'r' => out.push('\r'),
            'a' => out.push('\x07'),
            'f' => out.push('\x0c'),
            'v' => out.push('\x0b'),
            '\\' => out.push('\\'),
            c if c.is_ascii_alphabetic() => return Err(fail(format!("`\\{c}` means nothing in a replacement"))),
            c => {
                out.push('\\');
                out.push(c);
            }
        }
        rest = &rest[width..];
    }
    out.push_str(rest);
    Ok(())
}

/// Python's `re.escape`.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if "()[]{}?*+-|^$\\.&~# \t\n\r\x0b\x0c".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pythons_syntax_is_translated() {
        for (python, ours) in [
            ("a{", "a\\{"),
            ("a{2,3}", "a{2,3}"),
            ("a{,3}", "a{0,3}"),
            ("[[a&&b]", "[\\[a\\&\\&b]"),
            ("[]a]", "[\\]a]"),
            ("\\Z", "\\z"),
            ("\\<x\\>", "<x>"),
            ("{{ x }}", "\\{\\{ x }}"),
            ("\\_", "_"),
        ] {
            assert_eq!(translated(python), ours);
            assert!(Regex::new(&translated(python)).is_ok(), "{python}");
        }
    }
}
