//! Command lines as text: splitting into words, `$VARIABLE` and `~` in them. No shell is involved.

use std::path::PathBuf;

use crate::host::Inspect;
use crate::outcome::Failure;

/// Splits text into words as a POSIX shell would, without expanding anything.
pub(crate) fn split(text: &str) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            ' ' | '\t' | '\r' | '\n' => words.extend(word.take()),
            '\\' => {
                let escaped = letters.next().ok_or_else(|| Failure::new("No escaped character"))?;
                word.get_or_insert_default().push(escaped);
            }
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or_else(|| Failure::new("No closing quotation"))? {
                        '\'' => break,
                        other => word.push(other),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next().ok_or_else(|| Failure::new("No closing quotation"))? {
                        '"' => break,
                        '\\' => match letters.next().ok_or_else(|| Failure::new("No closing quotation"))? {
                            escaped @ ('"' | '\\') => word.push(escaped),
                            other => word.extend(['\\', other]),
                        },
                        other => word.push(other),
                    }
                }
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

/// Replaces `$NAME` and `${NAME}` by the agent's environment; unknown names stay as written.
pub(crate) fn expand_variables(text: &str, host: &dyn Inspect) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        expanded.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let (name, length) = if let Some(inside) = after.strip_prefix('{') {
            inside.find('}').map_or(("", 0), |end| (&inside[..end], end + 2))
        } else {
            let end = after.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(after.len());
            (&after[..end], end)
        };
        match host.env(name).filter(|_| !name.is_empty()) {
            Some(value) => expanded.push_str(&value),
            None => expanded.push_str(&rest[at..=at + length]),
        }
        rest = &after[length..];
    }
    expanded.push_str(rest);
    expanded
}

/// Replaces a leading `~` or `~name` by that user's home directory; an unknown user stays as written.
pub(crate) fn expand_home(text: &str, host: &dyn Inspect) -> String {
    let Some(after) = text.strip_prefix('~') else { return text.to_owned() };
    let (name, rest) = after.split_at(after.find('/').unwrap_or(after.len()));
    let home = if name.is_empty() {
        host.env("HOME").filter(|home| !home.is_empty()).or_else(|| home_of(host.user_by_id(host.whoami().0)))
    } else {
        home_of(host.user(name))
    };
    match home {
        Some(home) => format!("{}{rest}", home.trim_end_matches('/')),
        None => text.to_owned(),
    }
}

fn home_of(user: Result<Option<crate::host::User>, Failure>) -> Option<String> {
    user.ok().flatten().map(|user| user.home.display().to_string())
}

/// A path option as a playbook means it: variables, then `~`.
pub(crate) fn expand_path(path: &std::path::Path, host: &dyn Inspect) -> PathBuf {
    path.to_str().map_or_else(|| path.to_owned(), |text| PathBuf::from(expand_home(&expand_variables(text, host), host)))
}

/// A word as a POSIX shell reads it back.
pub(crate) fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_like_a_shell_does() {
        let cases: &[(&str, &[&str])] = &[
            ("a  b\tc", &["a", "b", "c"]),
            ("a 'b c' \"d e\"", &["a", "b c", "d e"]),
            (r#"a\ b "c\"d" "e\f" 'g\h'"#, &["a b", "c\"d", "e\\f", "g\\h"]),
            ("x='1 2'y ''", &["x=1 2y", ""]),
            ("a # b", &["a", "#", "b"]),
            ("", &[]),
        ];
        for (text, words) in cases {
            assert_eq!(split(text).unwrap(), *words, "{text}");
        }
    }

    #[test]
    fn an_open_quote_is_an_error() {
        for text in ["'a", "\"a", "a\\", "\"a\\"] {
            assert!(split(text).is_err(), "{text}");
        }
    }

    #[test]
    fn quoting_survives_splitting() {
        for word in ["plain", "", "a b", "it's", "$x\"y", "new\nline"] {
            assert_eq!(split(&quote(word)).unwrap(), [word]);
        }
    }
}
