//! Shell patterns over the host's directories (`creates: /opt/app-*/bin`).

use std::path::{Path, PathBuf};

use crate::host::{FileKind, Inspect};

/// Most paths that one pattern may name.
const MOST: usize = 10_000;

/// Whether text holds pattern characters.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// The existing paths that a pattern names, sorted; a plain path names itself if it is there.
pub(crate) fn glob(pattern: &Path, host: &dyn Inspect) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(if pattern.is_absolute() { "/" } else { "." })];
    for part in pattern.components() {
        let std::path::Component::Normal(part) = part else { continue };
        let Some(part) = part.to_str() else { return Vec::new() };
        let mut next = Vec::new();
        for directory in &found {
            if !is_pattern(part) {
                next.push(directory.join(part));
                continue;
            }
            let hidden = part.starts_with('.');
            let names = host.list(directory).unwrap_or_default();
            next.extend(
                names
                    .into_iter()
                    .filter(|name| hidden || !name.starts_with('.'))
                    .filter(|name| matches(part, name))
                    .map(|name| directory.join(name)),
            );
            if next.len() > MOST {
                break;
            }
        }
        found = next;
    }
    found.retain(|path| exists(path, host));
    found
}

/// Whether something is there, symbolic links followed.
pub(crate) fn exists(path: &Path, host: &dyn Inspect) -> bool {
    let mut path = path.to_owned();
    for _ in 0..40 {
        match host.stat(&path) {
            Ok(Some(stat)) if stat.kind == FileKind::Link => {
                let Some(target) = stat.target else { return false };
                path = path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
            }
            Ok(found) => return found.is_some(),
            Err(_) => return false,
        }
    }
    false
}

/// Whether a name matches a pattern of `*`, `?` and `[set]`.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    // Greedy with one point of return: linear in practice, quadratic at worst.
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match one(&pattern[p..], name[n]) {
            Some(0) => {
                star = Some((p + 1, n));
                p += 1;
            }
            Some(length) => {
                p += length;
                n += 1;
            }
            None => {
                let Some((after, at)) = star else { return false };
                p = after;
                n = at + 1;
                star = Some((after, n));
            }
        }
    }
    pattern[p..].iter().all(|letter| *letter == '*')
}

/// How many pattern characters match this letter: 0 for a star, `None` for no match.
fn one(pattern: &[char], letter: char) -> Option<usize> {
    match pattern.first()? {
        '*' => Some(0),
        '?' => Some(1),
        '[' => {
            let negated = matches!(pattern.get(1), Some('!' | '^'));
            let start = if negated { 2 } else { 1 };
            let Some(end) = pattern.iter().skip(start + 1).position(|c| *c == ']').map(|at| at + start + 1) else {
                return (letter == '[').then_some(1);
            };
            let set = &pattern[start..end];
            let mut inside = false;
            let mut at = 0;
            while at < set.len() {
                if at + 2 < set.len() && set[at + 1] == '-' {
                    inside |= (set[at]..=set[at + 2]).contains(&letter);
                    at += 3;
                } else {
                    inside |= set[at] == letter;
                    at += 1;
                }
            }
            (inside != negated).then_some(end + 1)
        }
        other => (*other == letter).then_some(1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, name, is) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf.bak", false),
            ("a?c", "abc", true),
            ("a[0-9]*", "a5x", true),
            ("a[!0-9]*", "a5x", false),
            ("[]]", "]", true),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbYbZ", false),
            ("*", "", true),
            ("[", "[", true),
        ] {
            assert_eq!(matches(pattern, name), is, "{pattern} {name}");
        }
    }
}
