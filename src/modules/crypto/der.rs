//! Distinguished encoding rules: as much of them as keys, requests and certificates need.

use base64::Engine as _;

use crate::outcome::Failure;

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BITS: u8 = 0x03;
pub(super) const OCTETS: u8 = 0x04;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8: u8 = 0x0c;
pub(super) const PRINTABLE: u8 = 0x13;
pub(super) const IA5: u8 = 0x16;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;

/// One element: its tag, what is in it, and all of its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
    pub(super) whole: &'a [u8],
}

impl<'a> Element<'a> {
    /// The elements in it.
    pub(super) fn inside(&self) -> Result<Vec<Element<'a>>, Failure> {
        elements(self.content)
    }
}

fn broken() -> Failure {
    Failure::new("its encoding is broken")
}

/// The first element, and the bytes after it.
fn first(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = if short < 0x80 {
        (usize::from(short), rest)
    } else {
        let count = usize::from(short & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        let (digits, rest) = rest.split_at_checked(count)?;
        (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
    };
    let (content, after) = rest.split_at_checked(length)?;
    Some((Element { tag, content, whole: &bytes[..bytes.len() - after.len()] }, after))
}

/// All elements of a run of them.
pub(super) fn elements(mut bytes: &[u8]) -> Result<Vec<Element<'_>>, Failure> {
    let mut list = Vec::new();
    while !bytes.is_empty() {
        let (element, rest) = first(bytes).ok_or_else(broken)?;
        list.push(element);
        bytes = rest;
    }
    Ok(list)
}

/// The one element that this is.
pub(super) fn one(bytes: &[u8]) -> Result<Element<'_>, Failure> {
    first(bytes).map(|(element, _)| element).ok_or_else(broken)
}

/// An element of a list by its place.
pub(super) fn at<'a>(list: &[Element<'a>], place: usize) -> Result<Element<'a>, Failure> {
    list.get(place).copied().ok_or_else(broken)
}

/// An element with this content.
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    if let Some(short) = u8::try_from(length).ok().filter(|short| *short < 0x80) {
        bytes.push(short);
    } else {
        let digits: Vec<u8> = length.to_be_bytes().into_iter().skip_while(|digit| *digit == 0).collect();
        bytes.push(0x80 | digits.len() as u8);
        bytes.extend(digits);
    }
    bytes.extend(content);
    bytes
}

/// An element with these elements in it.
pub(super) fn list<I: IntoIterator<Item = Vec<u8>>>(tag: u8, items: I) -> Vec<u8> {
    element(tag, &items.into_iter().flatten().collect::<Vec<u8>>())
}

/// A whole number that is not negative.
pub(super) fn number(bytes: &[u8]) -> Vec<u8> {
    let mut digits: Vec<u8> = bytes.iter().copied().skip_while(|digit| *digit == 0).collect();
    if digits.first().is_none_or(|digit| *digit >= 0x80) {
        digits.insert(0, 0);
    }
    element(INTEGER, &digits)
}

/// A string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    element(BITS, &[&[0], bytes].concat())
}

/// A name in numbers, `1.2.840`; `None` if that is not one.
pub(super) fn oid(text: &str) -> Option<Vec<u8>> {
    let numbers: Vec<u64> = text.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let [first, second, rest @ ..] = numbers.as_slice() else { return None };
    if *first > 2 || (*first < 2 && *second > 39) || rest.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    for number in [&[first.checked_mul(40)?.checked_add(*second)?], rest].concat() {
        let mut groups = vec![(number & 0x7f) as u8];
        let mut left = number >> 7;
        while left > 0 {
            groups.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        bytes.extend(groups.into_iter().rev());
    }
    Some(element(OID, &bytes))
}

/// The content of a name in numbers as text.
pub(super) fn oid_text(content: &[u8]) -> String {
    let mut numbers = Vec::new();
    let mut sum: u64 = 0;
    for byte in content {
        sum = sum << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            numbers.push(sum);
            sum = 0;
        }
    }
    let head = numbers.first().copied().unwrap_or_default();
    let first = (head / 40).min(2);
    let mut text = format!("{first}.{}", head - first * 40);
    for number in numbers.iter().skip(1) {
        text.push_str(&format!(".{number}"));
    }
    text
}

/// Text between lines that say what it is.
pub(super) fn pem(label: &str, bytes: &[u8]) -> Vec<u8> {
    let letters = base64::engine::general_purpose::STANDARD.encode(bytes);
    let lines: Vec<&str> =
        letters.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).expect("base64 is ASCII")).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

/// The first block of a text whose label ends like this: the whole label and what it stands for.
pub(super) fn from_pem(text: &[u8], ends: &str) -> Option<(String, Vec<u8>)> {
    let text = String::from_utf8_lossy(text);
    for part in text.split("-----BEGIN ").skip(1) {
        let (label, rest) = part.split_once("-----")?;
        if !label.ends_with(ends) {
            continue;
        }
        let body = rest.split_once("-----END ")?.0;
        let letters: String = body.chars().filter(|letter| !letter.is_ascii_whitespace()).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(letters).ok()?;
        return Some((label.to_owned(), bytes));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_numbers_are_read_as_they_were_written() {
        for text in ["1.2.840.113549.1.9.14", "2.5.29.17", "0.9.2342.19200300.100.1.25", "2.16.840.1.101.3.4.3.2", "2.999.3"] {
            assert_eq!(oid_text(one(&oid(text).unwrap()).unwrap().content), text);
        }
        assert_eq!(oid("2.5.29.17").unwrap(), [6, 3, 0x55, 0x1d, 0x11]);
        for text in ["", "1", "1.2", "3.1.1", "1.40.1", "1.a.1"] {
            assert_eq!(oid(text), None, "{text}");
        }
    }

    #[test]
    fn lengths_are_short_or_long() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let bytes = element(OCTETS, &vec![7; length]);
            assert_eq!(one(&bytes).unwrap().content.len(), length);
        }
        for bytes in [&[0x30][..], &[0x30, 0x80], &[0x30, 0x82, 1], &[0x30, 2, 0]] {
            assert!(elements(bytes).is_err());
        }
    }

    #[test]
    fn numbers_are_not_negative() {
        assert_eq!(number(&[0]), [2, 1, 0]);
        assert_eq!(number(&[0x80]), [2, 2, 0, 0x80]);
        assert_eq!(number(&[0, 0x7f]), [2, 1, 0x7f]);
    }

    #[test]
    fn blocks_are_found_by_their_label() {
        let text = [pem("EC PARAMETERS", &[6, 0]), pem("EC PRIVATE KEY", &[1; 100])].concat();
        assert_eq!(from_pem(&text, "PRIVATE KEY"), Some(("EC PRIVATE KEY".into(), vec![1; 100])));
        assert_eq!(from_pem(&text, "CERTIFICATE"), None);
    }
}
