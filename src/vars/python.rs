//! Values as Python writes them: `str()`, `repr()`, type names, truth.

use std::fmt::Write as _;

use super::value::{Key, Value};

impl Value {
    /// Whether Python takes it for true. Unknown and omit count as true: ask for them first.
    pub fn truthy(&self) -> bool {
        match self {
            Self::Null => false,
            Self::Bool(value) => *value,
            Self::Int(number) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text) => !text.is_empty(),
            Self::List(items) => !items.is_empty(),
            Self::Map(map) => !map.is_empty(),
            Self::Omit | Self::Unknown(_) => true,
        }
    }

    /// Python's name of the type: `str`, `int`, `dict` ...
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "NoneType",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Float(_) => "float",
            Self::Str(_) => "str",
            Self::List(_) => "list",
            Self::Map(_) => "dict",
            Self::Omit => "omit",
            Self::Unknown(_) => "unknown",
        }
    }

    /// Python's `repr`: text in quotes, `True`, `None`, `[1, 'a']`, `{'k': 1.0}`.
    pub fn repr(&self) -> String {
        let mut out = String::new();
        self.write_repr(&mut out);
        out
    }

    fn write_repr(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("None"),
            Self::Bool(value) => out.push_str(if *value { "True" } else { "False" }),
            Self::Int(number) => {
                let _ = write!(out, "{number}");
            }
            Self::Float(number) => out.push_str(&float(*number)),
            Self::Str(text) => write_text(out, text),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    item.write_repr(out);
                }
                out.push(']');
            }
            Self::Map(map) => {
                out.push('{');
                for (at, (key, value)) in map.iter().enumerate() {
                    if at > 0 {
                        out.push_str(", ");
                    }
                    out.push_str(&key.repr());
                    out.push_str(": ");
                    value.write_repr(out);
                }
                out.push('}');
            }
            Self::Omit => out.push_str("<omit>"),
            Self::Unknown(reason) => {
                let _ = write!(out, "<unknown: {reason}>");
            }
        }
    }
}

impl Key {
    /// Python's `repr` of the key.
    pub fn repr(&self) -> String {
        match self {
            Self::Str(text) => text_repr(text),
            other => other.to_string(),
        }
    }
}

/// Python's `str`: text as it is, everything else as `repr`; `<unknown: reason>` and `<omit>` for
/// messages.
impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Str(text) => f.write_str(text),
            other => f.write_str(&other.repr()),
        }
    }
}

/// Python's `repr` of text.
pub fn text_repr(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    write_text(&mut out, text);
    out
}

fn write_text(out: &mut String, text: &str) {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if is_printable(c) => out.push(c),
            c if (c as u32) < 0x100 => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => {
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
        }
    }
    out.push(quote);
}

/// What `str.isprintable` says, for the characters that occur in practice: no control, format,
/// private or separator characters but the space.
pub fn is_printable(c: char) -> bool {
    if c == ' ' {
        return true;
    }
    !(c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e000}'..='\u{f8ff}' | '\u{fff9}'..='\u{fffb}' | '\u{f0000}'..))
}

/// Python's `repr` of a float: the shortest digits that read back the same, `1.0`, `1e+20`, `1e-07`.
pub fn float(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    let scientific = format!("{number:e}");
    let (digits, exponent) = scientific.split_once('e').expect("`{:e}` writes an exponent");
    let exponent: i32 = exponent.parse().expect("`{:e}` writes a whole exponent");
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Map;

    #[test]
    fn floats_look_like_pythons() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (1e16, "1e+16"),
            (123_456_789_012_345.0, "123456789012345.0"),
            (1e-7, "1e-07"),
            (0.0001, "0.0001"),
            (-2.5, "-2.5"),
            (1.5e300, "1.5e+300"),
        ] {
            assert_eq!(float(number), text);
        }
    }

    #[test]
    fn text_is_quoted_as_python_quotes_it() {
        for (text, repr) in [
            ("a", "'a'"),
            ("a'b", "\"a'b\""),
            ("a'\"b", "'a\\'\"b'"),
            ("é\n\t\\", "'é\\n\\t\\\\'"),
            ("\u{1b}\u{a0}\u{200b}", "'\\x1b\\xa0\\u200b'"),
        ] {
            assert_eq!(text_repr(text), repr);
        }
    }

    #[test]
    fn containers_use_repr_inside() {
        let map = Map::from_iter([
            (Key::from("k"), Value::from(vec![Value::Null, Value::Bool(true), Value::Float(1.5)])),
            (Key::Int(1), Value::from("x")),
        ]);
        assert_eq!(Value::from(map).to_string(), "{'k': [None, True, 1.5], 1: 'x'}");
    }
}
