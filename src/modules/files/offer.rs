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
    fn offers_are_checked() {
        let digest = crate::change::sha256(b"x");
        assert_eq!(Offer::parse(&json!({"sha256": digest, "size": 1, "mode": "0755"})).unwrap().mode, Some(0o755));
        for bad in [json!({}), json!("x"), json!({"sha256": "../x", "size": 1}), json!({"sha256": digest})] {
            assert!(Offer::parse(&bad).is_err(), "{bad}");
        }
    }
}
