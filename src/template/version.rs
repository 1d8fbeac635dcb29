//! Version numbers: Python's loose and strict rules, and semantic versions.

use std::cmp::Ordering;

use super::error::fail;
use super::val::Res;

/// A part of a loose version: numbers and words.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Number(u64),
    Word(String),
}

fn loose(text: &str) -> Vec<Part> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = |c: char| {
            if c.is_ascii_digit() {
                0
            } else if c.is_ascii_lowercase() {
                1
            } else if c == '.' {
                2
            } else {
                3
            }
        };
        let end = rest.find(|c| kind(c) != kind(first)).unwrap_or(rest.len());
        let part = &rest[..end];
        match kind(first) {
            0 => parts.push(part.parse().map_or_else(|_| Part::Word(part.to_owned()), Part::Number)),
            2 => {}
            _ => parts.push(Part::Word(part.to_owned())),
        }
        rest = &rest[end..];
    }
    parts
}

/// `distutils`-style loose comparison: `1.10 > 1.9`, `1.0a1` before `1.0b1`.
pub(super) fn compare_loose(left: &str, right: &str) -> Res<Ordering> {
    let (one, other) = (loose(left), loose(right));
    for pair in one.iter().zip(&other) {
        let order = match pair {
            (Part::Number(left), Part::Number(right)) => left.cmp(right),
            (Part::Word(left), Part::Word(right)) => left.cmp(right),
            _ => return Err(fail(format!("the versions `{left}` and `{right}` cannot be compared: a number meets a word"))),
        };
        if order != Ordering::Equal {
            return Ok(order);
        }
    }
    Ok(one.len().cmp(&other.len()))
}

/// `distutils`-style strict versions: `1.2`, `1.2.3`, `1.2a1`.
pub(super) fn compare_strict(left: &str, right: &str) -> Res<Ordering> {
    let parse = |text: &str| -> Res<(Vec<u64>, Option<(char, u64)>)> {
        let bad = || fail(format!("`{text}` is not a strict version number"));
        let (numbers, pre) = match text.find(['a', 'b']) {
            Some(at) => (&text[..at], Some((text.as_bytes()[at] as char, text[at + 1..].parse().map_err(|_| bad())?))),
            None => (text, None),
        };
        let mut numbers = numbers.split('.').map(|part| part.parse().map_err(|_| bad())).collect::<Res<Vec<u64>>>()?;
        if !(2..=3).contains(&numbers.len()) {
            return Err(bad());
        }
        numbers.resize(3, 0);
        Ok((numbers, pre))
    };
    let (one, other) = (parse(left)?, parse(right)?);
    Ok(one.0.cmp(&other.0).then_with(|| match (one.1, other.1) {
        (None, None) => Ordering::Equal,
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (Some(one), Some(other)) => one.cmp(&other),
    }))
}

/// Semantic versions, <https://semver.org>.
pub(super) fn compare_semantic(left: &str, right: &str) -> Res<Ordering> {
    type Parsed<'t> = (Vec<u64>, Vec<&'t str>);
    fn parse(text: &str) -> Res<Parsed<'_>> {
        let bad = || fail(format!("`{text}` is not a semantic version"));
        let release = text.split('+').next().unwrap_or(text);
        let (numbers, pre) = release.split_once('-').unwrap_or((release, ""));
        let numbers = numbers.split('.').map(|part| part.parse().map_err(|_| bad())).collect::<Res<Vec<u64>>>()?;
        if numbers.len() != 3 {
            return Err(bad());
        }
        Ok((numbers, if pre.is_empty() { Vec::new() } else { pre.split('.').collect() }))
    }
    let (one, other) = (parse(left)?, parse(right)?);
    Ok(one.0.cmp(&other.0).then_with(|| match (one.1.is_empty(), other.1.is_empty()) {
        (true, true) => Ordering::Equal,
        (true, false) => Ordering::Greater,
        (false, true) => Ordering::Less,
        (false, false) => pre_release(&one.1, &other.1),
    }))
}

fn pre_release(one: &[&str], other: &[&str]) -> Ordering {
    for (left, right) in one.iter().zip(other) {
        let order = match (left.parse::<u64>(), right.parse::<u64>()) {
            (Ok(left), Ok(right)) => left.cmp(&right),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => left.cmp(right),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    one.len().cmp(&other.len())
}

/// Python packaging's versions (PEP 440): epochs, pre-, post- and development releases.
pub(super) fn compare_pep440(left: &str, right: &str) -> Res<Ordering> {
    Ok(pep440(left)?.cmp(&pep440(right)?))
}

/// Epoch, release, then pre-release, post-release and development release as sort keys.
type Pep440 = (u64, Vec<u64>, (i8, i8, u64), (i8, u64), (i8, u64));

fn pep440(text: &str) -> Res<Pep440> {
    let bad = || fail(format!("`{text}` is not a version after PEP 440"));
    let lower = text.trim().to_lowercase();
    let public = lower.split('+').next().unwrap_or("").trim_start_matches('v');
    let (epoch, rest) = public.split_once('!').unwrap_or(("0", public));
    let epoch = epoch.parse().map_err(|_| bad())?;
    let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
    let (release, mut rest) = rest.split_at(end);
    let mut release =
        release.trim_end_matches('.').split('.').map(|part| part.parse().map_err(|_| bad())).collect::<Res<Vec<u64>>>()?;
    while release.len() > 1 && release.last() == Some(&0) {
        release.pop();
    }
    let mut pre: Option<(i8, u64)> = None;
    let (mut post, mut dev): (Option<u64>, Option<u64>) = (None, None);
    while !rest.is_empty() {
        rest = rest.trim_start_matches(['.', '-', '_']);
        let end = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        let after = after.trim_start_matches(['.', '-', '_']);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let number = if end == 0 { 0 } else { after[..end].parse().map_err(|_| bad())? };
        match word {
            "a" | "alpha" => pre = Some((0, number)),
            "b" | "beta" => pre = Some((1, number)),
            "c" | "rc" | "pre" | "preview" => pre = Some((2, number)),
            "post" | "rev" | "r" | "" => post = Some(number),
            "dev" => dev = Some(number),
            _ => return Err(bad()),
        }
        if word.is_empty() && end == 0 {
            return Err(bad());
        }
        rest = &after[end..];
    }
    let pre_key = match pre {
        Some((stage, number)) => (0, stage, number),
        None if post.is_none() && dev.is_some() => (-1, 0, 0),
        None => (1, 0, 0),
    };
    Ok((epoch, release, pre_key, post.map_or((-1, 0), |number| (0, number)), dev.map_or((1, 0), |number| (0, number))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_python_orders_them() {
        type Compare = fn(&str, &str) -> Res<Ordering>;
        for (compare, less, more) in [
            (compare_loose as Compare, "1.9", "1.10"),
            (compare_loose, "12.04", "12.04.1"),
            (compare_loose, "1.0a1", "1.0b1"),
            (compare_strict, "1.0a1", "1.0"),
            (compare_semantic, "1.0.0-rc.2", "1.0.0-rc.10"),
            (compare_semantic, "1.0.0-rc.1", "1.0.0"),
            (compare_pep440, "1.0.dev1", "1.0a1"),
            (compare_pep440, "1.0rc1", "1.0"),
            (compare_pep440, "1.0", "1.0.post1"),
        ] {
            assert_eq!(compare(less, more).unwrap(), Ordering::Less, "{less} {more}");
            assert_eq!(compare(more, less).unwrap(), Ordering::Greater, "{more} {less}");
        }
    }
}
