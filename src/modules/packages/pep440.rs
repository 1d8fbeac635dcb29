//! Versions of Python packages and what is asked of them (PEP 440).

use std::cmp::Ordering;

/// A version in the order of its fields.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Version {
    epoch: u64,
    release: Vec<u64>,
    /// `a`, `b`, `rc` as 0, 1, 2; a version without counts as 3.
    pre: (u8, u64),
    /// `None` sorts first.
    post: Option<u64>,
    /// `None` sorts last.
    dev: Option<u64>,
    local: Vec<Part>,
}

/// A part of a local version: text sorts before numbers.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Text(String),
    Number(u64),
}

/// The digits at the start, and what follows.
fn digits(text: &str) -> (&str, &str) {
    text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()))
}

/// A word at the start (with separators around it) and its number: `-rc.1` -> 1.
fn suffix<'a>(text: &'a str, words: &[&str]) -> Option<(u64, &'a str)> {
    let bare = text.trim_start_matches(['.', '-', '_']);
    let rest = words.iter().find_map(|word| bare.strip_prefix(word))?;
    let (number, rest) =
        digits(rest.strip_prefix(['.', '-', '_']).filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(rest));
    Some((number.parse().unwrap_or(0), rest))
}

fn parse(text: &str) -> Option<Version> {
    let lower = text.trim().to_lowercase();
    let text = lower.strip_prefix('v').unwrap_or(&lower);
    let (text, local) = text.split_once('+').unwrap_or((text, ""));
    let (epoch, text) = text.split_once('!').map_or(Some((0, text)), |(epoch, rest)| Some((epoch.parse().ok()?, rest)))?;
    let mut release = Vec::new();
    let mut rest = text;
    loop {
        let (number, after) = digits(rest);
        release.push(number.parse().ok()?);
        rest = after;
        match rest.strip_prefix('.').filter(|next| next.starts_with(|c: char| c.is_ascii_digit())) {
            Some(next) => rest = next,
            None => break,
        }
    }
    let mut version = Version { epoch, release, pre: (3, 0), post: None, dev: None, local: Vec::new() };
    for (rank, words) in [(0, &["alpha", "a"][..]), (1, &["beta", "b"]), (2, &["rc", "c", "preview", "pre"])] {
        if let Some((number, after)) = suffix(rest, words) {
            (version.pre, rest) = ((rank, number), after);
            break;
        }
    }
    if let Some((number, after)) = suffix(rest, &["post", "rev", "r"]) {
        (version.post, rest) = (Some(number), after);
    } else if let Some(after) = rest.strip_prefix('-').filter(|after| after.starts_with(|c: char| c.is_ascii_digit())) {
        let (number, after) = digits(after);
        (version.post, rest) = (number.parse().ok(), after);
    }
    if let Some((number, after)) = suffix(rest, &["dev"]) {
        (version.dev, rest) = (Some(number), after);
    }
    if !local.is_empty() {
        version.local =
            local.split(['.', '-', '_']).map(|part| part.parse().map_or(Part::Text(part.into()), Part::Number)).collect();
    }
    rest.is_empty().then_some(version)
}

impl Version {
    /// The release without zeros at its end.
    fn trimmed(&self) -> &[u64] {
        let end = self.release.iter().rposition(|number| *number != 0).map_or(0, |at| at + 1);
        &self.release[..end]
    }

    fn public(&self) -> Self {
        Self { local: Vec::new(), ..self.clone() }
    }

    fn order(&self, other: &Self) -> Ordering {
        // A development release of a final one comes before its first alpha.
        let pre =
            |v: &Self| if v.pre.0 == 3 && v.post.is_none() && v.dev.is_some() { (-1, 0) } else { (i16::from(v.pre.0), v.pre.1) };
        let dev = |v: &Self| v.dev.unwrap_or(u64::MAX);
        self.epoch
            .cmp(&other.epoch)
            .then_with(|| self.trimmed().cmp(other.trimmed()))
            .then_with(|| pre(self).cmp(&pre(other)))
            .then_with(|| self.post.cmp(&other.post))
            .then_with(|| dev(self).cmp(&dev(other)))
            .then_with(|| self.local.cmp(&other.local))
    }

    /// Whether the release begins with these numbers (missing ones are zeros).
    fn begins_with(&self, prefix: &[u64]) -> bool {
        prefix.iter().enumerate().all(|(at, number)| self.release.get(at).copied().unwrap_or(0) == *number)
    }
}

/// Whether a version fulfils all of `>=1.0,<2,!=1.5.*`; `None` where one of them is not understood.
pub(super) fn satisfies(version: &str, specifiers: &str) -> Option<bool> {
    let mut all = true;
    for specifier in specifiers.split(',').map(str::trim).filter(|specifier| !specifier.is_empty()) {
        all &= satisfies_one(version, specifier)?;
    }
    Some(all)
}

fn satisfies_one(text: &str, specifier: &str) -> Option<bool> {
    let (operator, wanted) = ["===", "==", "~=", "!=", ">=", "<=", ">", "<"]
        .iter()
        .find_map(|operator| specifier.strip_prefix(operator).map(|rest| (*operator, rest.trim())))?;
    if operator == "===" {
        return Some(text.eq_ignore_ascii_case(wanted));
    }
    let version = parse(text)?;
    if let Some(prefix) = wanted.strip_suffix(".*").filter(|_| ["==", "!="].contains(&operator)) {
        let prefix = parse(prefix)?;
        let is = version.epoch == prefix.epoch && version.begins_with(&prefix.release);
        return Some(is == (operator == "=="));
    }
    let wanted = parse(wanted)?;
    let version = if wanted.local.is_empty() { version.public() } else { version };
    let order = version.order(&wanted);
    Some(match operator {
        "==" => order == Ordering::Equal,
        "!=" => order != Ordering::Equal,
        ">=" => order != Ordering::Less,
        "<=" => order != Ordering::Greater,
        "~=" => {
            order != Ordering::Less
                && version.epoch == wanted.epoch
                && version.begins_with(&wanted.release[..wanted.release.len().saturating_sub(1)])
        }
        // `>1.0` does not mean 1.0.post1, and `<1.0` does not mean 1.0rc1.
        ">" => {
            order == Ordering::Greater
                && !(wanted.post.is_none() && version.post.is_some() && version.trimmed() == wanted.trimmed())
        }
        _ => {
            let before_final = version.pre.0 < 3 || version.dev.is_some();
            let wanted_final = wanted.pre.0 == 3 && wanted.dev.is_none();
            order == Ordering::Less && !(before_final && wanted_final && version.trimmed() == wanted.trimmed())
        }
    })
}

/// The name of a package as indexes compare it.
pub(super) fn normal(name: &str) -> String {
    let parts: Vec<&str> = name.split(['-', '_', '.']).filter(|part| !part.is_empty()).collect();
    parts.join("-").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_the_standard_says() {
        let ordered = [
            "1.dev0",
            "1.0.dev456",
            "1.0a1",
            "1.0a2.dev456",
            "1.0a12.dev456",
            "1.0a12",
            "1.0b1.dev456",
            "1.0b2",
            "1.0b2.post345.dev456",
            "1.0b2.post345",
            "1.0rc1.dev456",
            "1.0rc1",
            "1.0",
            "1.0+abc.5",
            "1.0+abc.7",
            "1.0+5",
            "1.0.post456.dev34",
            "1.0.post456",
            "1.0.15",
            "1.1.dev1",
            "1!0.1",
        ];
        for pair in ordered.windows(2) {
            let [one, other] = [pair[0], pair[1]].map(|text| parse(text).unwrap());
            assert_eq!(one.order(&other), Ordering::Less, "{pair:?}");
            assert_eq!(other.order(&one), Ordering::Greater, "{pair:?}");
        }
        for (one, other) in [("1.0", "1.0.0"), ("1.0-1", "1.0.post1"), ("v1.0RC1", "1.0c1"), ("1.0_beta-2", "1.0b2")] {
            assert_eq!(parse(one).unwrap().order(&parse(other).unwrap()), Ordering::Equal, "{one} {other}");
        }
        assert_eq!(parse("1.x"), None);
    }

    #[test]
    fn specifiers_are_fulfilled_or_not() {
        for (version, specifiers, is) in [
            ("1.5", ">=1.0,<2", Some(true)),
            ("2.0", ">=1.0,<2", Some(false)),
            ("1.5.3", "==1.5.*", Some(true)),
            ("1.50", "==1.5.*", Some(false)),
            ("1.5.3", "!=1.5.*", Some(false)),
            ("2.2.3", "~=2.2", Some(true)),
            ("3.0", "~=2.2", Some(false)),
            ("2.3", "~=2.2.0", Some(false)),
            ("1.0", "==1.0.0", Some(true)),
            ("1.0+local", "==1.0", Some(true)),
            ("1.0.post1", ">1.0", Some(false)),
            ("1.0rc1", "<1.0", Some(false)),
            ("1.0", "===1.0", Some(true)),
            ("1.0", "", Some(true)),
            ("1.0", "@ file:///x", None),
        ] {
            assert_eq!(satisfies(version, specifiers), is, "{version} {specifiers}");
        }
        assert_eq!(normal("Zope.Interface__x"), "zope-interface-x");
    }
}
