//! JSON with places. A file that is JSON is read as JSON, not as YAML: `1e3` is a number there, and
//! `\ud83d\ude00` is one character.

use std::sync::Arc;

use super::map::{FileId, Span};
use super::merge::Entries;
use super::node::{Mapping, Node, NodeValue, Style};
use super::yaml::Limits;

/// The value of a text that is JSON through and through. Anything else, also JSON beyond the
/// limits, is left to the YAML reader, which says what is wrong.
pub(super) fn parse(file: FileId, text: &str, limits: Limits) -> Option<Node> {
    let mut reader = Reader { file, text, at: 0, nodes: 0, limits };
    reader.blanks();
    if !reader.rest().starts_with(['{', '[']) {
        return None;
    }
    let node = reader.value(0)?;
    reader.blanks();
    reader.rest().is_empty().then_some(node)
}

struct Reader<'a> {
    file: FileId,
    text: &'a str,
    at: usize,
    nodes: usize,
    limits: Limits,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    /// One character, and the blanks around it.
    fn take(&mut self, sign: char) -> bool {
        self.blanks();
        let found = self.rest().starts_with(sign);
        if found {
            self.at += sign.len_utf8();
            self.blanks();
        }
        found
    }

    fn value(&mut self, depth: usize) -> Option<Node> {
        self.nodes += 1;
        if depth > self.limits.depth || self.nodes > self.limits.nodes {
            return None;
        }
        let start = self.at;
        let value = match self.rest().bytes().next()? {
            b'{' => {
                self.at += 1;
                self.mapping(depth)?
            }
            b'[' => {
                self.at += 1;
                self.list(depth)?
            }
            b'"' => NodeValue::Str(self.string()?.into(), Style::Quoted),
            b'-' | b'0'..=b'9' => self.number()?,
            _ => {
                let words = [("true", NodeValue::Bool(true)), ("false", NodeValue::Bool(false)), ("null", NodeValue::Null)];
                let (word, value) = words.into_iter().find(|(word, _)| self.rest().starts_with(word))?;
                self.at += word.len();
                value
            }
        };
        let span = Span { file: self.file, start: start as u32, end: self.at as u32 };
        Some(Node { span, value })
    }

    fn list(&mut self, depth: usize) -> Option<NodeValue> {
        let mut items = Vec::new();
        self.blanks();
        if !self.rest().starts_with(']') {
            loop {
                items.push(self.value(depth + 1)?);
                if !self.take(',') {
                    break;
                }
            }
        }
        self.close(']')?;
        Some(NodeValue::List(items.into()))
    }

    fn mapping(&mut self, depth: usize) -> Option<NodeValue> {
        let mut entries = Entries::default();
        self.blanks();
        if !self.rest().starts_with('}') {
            loop {
                let key = self.rest().starts_with('"').then(|| self.value(depth + 1))??;
                if !self.take(':') {
                    return None;
                }
                entries.add(key, self.value(depth + 1)?);
                if !self.take(',') {
                    break;
                }
            }
        }
        self.close('}')?;
        // A key that stands twice is no mistake in JSON; the last one counts.
        let entries = entries.finish(&mut super::Diagnostics::default());
        Some(NodeValue::Map(Arc::new(Mapping { entries })))
    }

    /// The closing bracket; what follows it belongs to others.
    fn close(&mut self, bracket: char) -> Option<()> {
        self.blanks();
        self.at += self.rest().starts_with(bracket).then_some(1)?;
        Some(())
    }

    fn number(&mut self) -> Option<NodeValue> {
        let rest = self.rest();
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E')).unwrap_or(rest.len());
        let written = &rest[..end];
        let digits = written.strip_prefix('-').unwrap_or(written);
        let follows_digit = |at: usize| digits[..at].ends_with(|c: char| c.is_ascii_digit());
        let valid = digits.starts_with(|c: char| c.is_ascii_digit())
            && !(digits.len() > 1 && digits.starts_with('0') && digits.as_bytes()[1].is_ascii_digit())
            && digits.ends_with(|c: char| c.is_ascii_digit())
            && digits.match_indices(['.', 'e', 'E']).all(|(at, _)| follows_digit(at));
        if !valid {
            return None;
        }
        self.at += end;
        if written.contains(['.', 'e', 'E']) {
            return Some(NodeValue::Float(written.parse().ok()?));
        }
        // A number too large for us is still printed as it was written.
        Some(written.parse().map_or_else(|_| NodeValue::Str(written.into(), Style::Plain), NodeValue::Int))
    }

    fn string(&mut self) -> Option<String> {
        let mut out = String::new();
        self.at += 1;
        loop {
            let rest = self.rest();
            let plain = rest.find(['"', '\\']).filter(|end| !rest[..*end].contains(|c: char| c < ' '))?;
            out.push_str(&rest[..plain]);
            self.at += plain + 1;
            if rest[plain..].starts_with('"') {
                return Some(out);
            }
            let letter = self.rest().chars().next()?;
            self.at += letter.len_utf8();
            out.push(match letter {
                '"' | '\\' | '/' => letter,
                'b' => '\x08',
                'f' => '\x0c',
                'n' => '\n',
                'r' => '\r',
                't' => '\t',
                'u' => {
                    let high = self.code()?;
                    if (0xd800..0xdc00).contains(&high) && self.rest().starts_with("\\u") {
                        self.at += 2;
                        let low = self.code()?.checked_sub(0xdc00)?;
                        char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + low)?
                    } else {
                        char::from_u32(high)?
                    }
                }
                _ => return None,
            });
        }
    }

    fn code(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        self.at += 4;
        u32::from_str_radix(digits, 16).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::source::SourceMap;

    fn read(text: &str) -> Option<Node> {
        parse(SourceMap::default().add(Path::new("x.json"), text), text, Limits::default())
    }

    #[test]
    fn json_has_its_own_numbers_and_strings() {
        let text = "{\n\t\"a\": [1e3, -2, 1.5, 0, true, null, \"\\ud83d\\ude00\\n\\/\"],\n\t\"b\": {},\n\"a2\":[ ]}\n";
        let node = read(text).unwrap();
        let list = node.as_map().unwrap().get("a").unwrap().as_list().unwrap();
        assert!(matches!(list[0].value, NodeValue::Float(number) if number.to_bits() == 1000_f64.to_bits()));
        assert!(matches!(list[1].value, NodeValue::Int(-2)));
        assert!(matches!(list[3].value, NodeValue::Int(0)));
        assert_eq!(list[6].as_str(), Some("😀\n/"));
        let span = node.as_map().unwrap().entry("b").unwrap().0.span;
        assert_eq!(&text[span.start as usize..span.end as usize], "\"b\"");
    }

    #[test]
    fn what_is_not_json_is_left_to_the_yaml_reader() {
        for text in [
            "{a: 1}",
            "[1,]",
            "{\"a\": 01}",
            "[1 2]",
            "[1] x",
            "[1.]",
            "[.5]",
            "[1e]",
            "[\"a\nb\"]",
            "[\"\\ud83d\"]",
            "{\"a\" 1}",
            "[",
            "\"a\"",
            "[--1]",
            "[1.2.3]",
            "{{ a }}",
        ] {
            assert!(read(text).is_none(), "{text}");
        }
        assert!(read(&"[".repeat(100_000)).is_none());
    }
}
