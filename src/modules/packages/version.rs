//! Versions of Debian packages: their order (Debian policy 5.6.12).

use std::cmp::Ordering;

/// Compares two versions.
pub(crate) fn compare(left: &str, right: &str) -> Ordering {
    let (left, right) = (parts(left), parts(right));
    left.0.cmp(&right.0).then_with(|| order(left.1, right.1)).then_with(|| order(left.2, right.2))
}

/// Epoch, upstream version and revision.
fn parts(version: &str) -> (u64, &str, &str) {
    let (epoch, rest) = version.split_once(':').unwrap_or(("0", version));
    let (upstream, revision) = rest.rsplit_once('-').unwrap_or((rest, ""));
    (epoch.parse().unwrap_or(0), upstream, revision)
}

fn order(mut left: &str, mut right: &str) -> Ordering {
    loop {
        let (text_left, rest_left) = left.split_at(left.find(|c: char| c.is_ascii_digit()).unwrap_or(left.len()));
        let (text_right, rest_right) = right.split_at(right.find(|c: char| c.is_ascii_digit()).unwrap_or(right.len()));
        let by_text = text(text_left, text_right);
        if by_text != Ordering::Equal {
            return by_text;
        }
        let (number_left, after_left) = digits(rest_left);
        let (number_right, after_right) = digits(rest_right);
        let by_number = number_left.len().cmp(&number_right.len()).then_with(|| number_left.cmp(number_right));
        if by_number != Ordering::Equal {
            return by_number;
        }
        if after_left.is_empty() && after_right.is_empty() {
            return Ordering::Equal;
        }
        (left, right) = (after_left, after_right);
    }
}

/// Leading digits without leading zeros, and what follows.
fn digits(text: &str) -> (&str, &str) {
    let (number, rest) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    (number.trim_start_matches('0'), rest)
}

/// `~` sorts before the end, letters before everything else.
fn text(left: &str, right: &str) -> Ordering {
    let weight = |letter: Option<char>| match letter {
        Some('~') => -1,
        None => 0,
        Some(letter) if letter.is_ascii_alphabetic() => letter as i32,
        Some(letter) => letter as i32 + 256,
    };
    let (mut left, mut right) = (left.chars(), right.chars());
    loop {
        let (a, b) = (left.next(), right.next());
        if a.is_none() && b.is_none() {
            return Ordering::Equal;
        }
        match weight(a).cmp(&weight(b)) {
            Ordering::Equal => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_like_dpkg_does() {
        for (left, order, right) in [
            ("1.0", Ordering::Equal, "1.0"),
            ("1.0-1", Ordering::Greater, "1.0"),
            ("1.0~rc1", Ordering::Less, "1.0"),
            ("1:0.9", Ordering::Greater, "2.0"),
            ("1.10", Ordering::Greater, "1.9"),
            ("1.0+b1", Ordering::Greater, "1.0"),
            ("1.0a", Ordering::Less, "1.0+"),
            ("1.22.1-9+deb12u2", Ordering::Less, "1.22.1-9+deb12u10"),
            ("0:1.0", Ordering::Equal, "1.0"),
            ("1.0-1~bpo12+1", Ordering::Less, "1.0-1"),
            ("007", Ordering::Equal, "7"),
        ] {
            assert_eq!(compare(left, right), order, "{left} {right}");
            assert_eq!(compare(right, left), order.reverse(), "{right} {left}");
        }
    }
}
