//! Content that the controller offers by digest and sends only when it is asked for.

use serde_json::{Value, json};

use super::mode::Mode;
use crate::args::{Arg, ArgKind, shown};
use crate::change::Content;
use crate::host::Inspect;
use crate::outcome::Failure;

/// Digest, size and mode of content that the controller has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// SHA-256, lower-case hex.
    pub sha256: String,
    /// Length in bytes.
    pub size: u64,
    /// Permission bits of the file on the controller.
    pub mode: Option<u32>,
}

impl Offer {
    /// The offered content: with its bytes where a diff against `now` is to be shown.
    pub(crate) fn content(&self, now: Option<&Content>, host: &dyn Inspect) -> Result<Content, Failure> {
        let same = now.filter(|now| now.sha256 == self.sha256).cloned();
        if let Some(content) = same {
            return Ok(content);
        }
        if self.size > Content::SHOWN as u64 {
            return Ok(Content { sha256: self.sha256.clone(), size: self.size, bytes: None });
        }
        let bytes = host.blob(&self.sha256)?;
        Ok(Content { sha256: self.sha256.clone(), size: bytes.len() as u64, bytes: Some(bytes) })
    }
}

impl Arg for Offer {
    fn kind() -> ArgKind {
        ArgKind::Dict
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let problem = || format!("expected the digest and size of offered content, found {}", shown(value));
        let sha256 = value["sha256"].as_str().filter(|digest| is_sha256(digest)).ok_or_else(problem)?;
        let size = value["size"].as_u64().ok_or_else(problem)?;
        let mode = match &value["mode"] {
            Value::Null => None,
            mode => Some(Mode::parse(mode)?.bits(0o644, false)),
        };
        Ok(Self { sha256: sha256.into(), size, mode })
    }
}

/// Text; a list or a mapping becomes JSON, spaced as Python spaces it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text(pub String);

impl Arg for Text {
    fn kind() -> ArgKind {
        ArgKind::Str
    }

    fn parse(value: &Value) -> Result<Self, String> {
        match value {
            Value::Array(_) | Value::Object(_) => {
                let mut text = String::new();
                write_json(value, &mut text);
                Ok(Self(text))
            }
            other => String::parse(other).map(Self),
        }
    }
}

fn write_json(value: &Value, text: &mut String) {
    let separate = |text: &mut String, index: usize| {
        if index > 0 {
            text.push_str(", ");
        }
    };
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(text, index);
                write_json(item, text);
            }
            text.push(']');
        }
        Value::Object(map) => {
            text.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                separate(text, index);
                write_json(&Value::from(key.as_str()), text);
                text.push_str(": ");
                write_json(item, text);
            }
            text.push('}');
        }
        Value::String(string) => {
            // Python escapes everything beyond ASCII, in UTF-16.
            for letter in Value::from(string.as_str()).to_string().chars() {
                if letter.is_ascii() {
                    text.push(letter);
                } else {
                    for unit in letter.encode_utf16(&mut [0; 2]) {
                        text.push_str(&format!("\\u{unit:04x}"));
                    }
                }
            }
        }
        other => text.push_str(&other.to_string()),
    }
}

/// Whether this is a SHA-256 in lower-case hex.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The option value that offers this content.
pub fn offer(sha256: &str, size: u64) -> Value {
    json!({"sha256": sha256, "size": size})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structures_become_the_json_that_python_writes() {
        let text = |value: Value| Text::parse(&value).unwrap().0;
        assert_eq!(text(json!({"a": [1, true, null], "b": "é\n"})), r#"{"a": [1, true, null], "b": "\u00e9\n"}"#);
        assert_eq!((text(json!("é")), text(json!(5))), ("é".to_owned(), "5".to_owned()));
    }

    #[test]
    fn offers_are_checked() {
        let digest = crate::change::sha256(b"x");
        assert_eq!(Offer::parse(&json!({"sha256": digest, "size": 1, "mode": "0755"})).unwrap().mode, Some(0o755));
        for bad in [json!({}), json!("x"), json!({"sha256": "../x", "size": 1}), json!({"sha256": digest})] {
            assert!(Offer::parse(&bad).is_err(), "{bad}");
        }
    }
}
