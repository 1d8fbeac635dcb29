//! Takes known secrets out of texts that leave.

use std::collections::BTreeSet;
use std::sync::{Arc, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

/// Stands where a secret was.
const HIDDEN: &str = "********";
/// Shorter secrets would hide half of every text.
const SHORTEST: usize = 4;
/// Shorter lines of longer secrets are not secrets of their own (`---`, `server {`).
const SHORTEST_LINE: usize = 10;

/// Knows secrets in the forms in which they could leak.
#[derive(Default)]
pub struct Redactor {
    known: RwLock<Known>,
}

#[derive(Default)]
struct Known {
    forms: BTreeSet<String>,
    /// Finds the forms; made again when it is first needed after something was learnt.
    finder: Option<Arc<AhoCorasick>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(..)")
    }
}

impl Redactor {
    /// Learns a secret: as it is, in base64, URL, JSON and shell form; of several lines also each
    /// long one, since a diff shows them apart.
    pub fn learn(&self, secret: &str) {
        let trimmed = secret.trim();
        if trimmed.len() < SHORTEST {
            return;
        }
        let mut forms = BTreeSet::new();
        add_forms(secret, &mut forms);
        if trimmed.len() != secret.len() {
            add_forms(trimmed, &mut forms);
        }
        if trimmed.contains('\n') {
            self.add_lines(trimmed, &mut forms);
        }
        self.keep(forms);
    }

    /// Learns the long lines of a text that is secret as a whole.
    pub fn learn_lines(&self, text: &str) {
        let mut forms = BTreeSet::new();
        self.add_lines(text, &mut forms);
        self.keep(forms);
    }

    #[expect(clippy::unused_self, reason = "the two ways to learn read alike")]
    fn add_lines(&self, text: &str, forms: &mut BTreeSet<String>) {
        for line in text.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE) {
            add_forms(line, forms);
        }
    }

    fn keep(&self, forms: BTreeSet<String>) {
        let mut known = self.known.write().expect("no thread panics while learning");
        let before = known.forms.len();
        known.forms.extend(forms);
        if known.forms.len() != before {
            known.finder = None;
        }
    }

    /// Whether it knows no secret.
    pub fn is_empty(&self) -> bool {
        self.known.read().expect("no thread panics while learning").forms.is_empty()
    }

    /// The text without any known secret.
    pub fn text(&self, text: &str) -> String {
        match self.finder() {
            Some(finder) if !text.is_empty() => {
                let mut out = String::new();
                finder.replace_all_with(text, &mut out, |_, _, out| {
                    out.push_str(HIDDEN);
                    true
                });
                out
            }
            _ => text.to_owned(),
        }
    }

    /// A JSON value without any known secret; keys stay.
    pub fn json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            serde_json::Value::Object(map) => map.values_mut().for_each(|item| self.json(item)),
            _ => {}
        }
    }

    fn finder(&self) -> Option<Arc<AhoCorasick>> {
        {
            let known = self.known.read().expect("no thread panics while learning");
            if known.forms.is_empty() {
                return None;
            }
            if let Some(finder) = &known.finder {
                return Some(Arc::clone(finder));
            }
        }
        let mut known = self.known.write().expect("no thread panics while learning");
        // Longest first where several begin at one place, so that none leaves a tail.
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&known.forms);
        let finder = Arc::new(finder.expect("secrets are far fewer than the automaton's states"));
        known.finder = Some(Arc::clone(&finder));
        Some(finder)
    }
}

fn add_forms(secret: &str, forms: &mut BTreeSet<String>) {
    let json = serde_json::to_string(secret).unwrap_or_default();
    forms.extend([
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        url_form(secret),
        json.get(1..json.len().saturating_sub(1)).unwrap_or_default().to_owned(),
        secret.replace('\'', r"'\''"),
    ]);
    forms.remove("");
}

fn url_form(secret: &str) -> String {
    use std::fmt::Write as _;
    secret.bytes().fold(String::new(), |mut text, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            let _ = write!(text, "%{byte:02X}");
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_hidden_in_every_form() {
        let redactor = Redactor::default();
        let secret = "s3cr\"t & 'more'";
        redactor.learn(secret);
        let forms = [
            secret.to_owned(),
            STANDARD.encode(secret),
            url_form(secret),
            serde_json::to_string(secret).unwrap(),
            secret.replace('\'', r"'\''"),
        ];
        for form in forms {
            let shown = redactor.text(&format!("before {form} after"));
            assert!(shown.contains(HIDDEN) && !shown.contains("s3cr"), "{shown}");
        }
    }

    #[test]
    fn lines_of_a_secret_and_what_surrounds_it_are_hidden_too() {
        let redactor = Redactor::default();
        redactor.learn("-----BEGIN KEY-----\nabcdefghijklmnop\nok\n");
        assert_eq!(redactor.text("+abcdefghijklmnop\n ok"), format!("+{HIDDEN}\n ok"));
        redactor.learn("hunter22\n");
        assert_eq!(redactor.text("password=hunter22;"), format!("password={HIDDEN};"));
        redactor.learn("hunter22-and-more");
        assert_eq!(redactor.text("hunter22-and-more hunter22"), format!("{HIDDEN} {HIDDEN}"), "the longest counts");
    }

    #[test]
    fn what_is_too_short_is_not_a_secret() {
        let redactor = Redactor::default();
        redactor.learn("yes\n");
        assert!(redactor.is_empty());
        assert_eq!(redactor.text("yes"), "yes");
    }

    #[test]
    fn json_keeps_its_keys() {
        let redactor = Redactor::default();
        redactor.learn("hunter22");
        let mut value = serde_json::json!({"hunter22": ["x hunter22", 1, {"a": "hunter22"}]});
        redactor.json(&mut value);
        assert_eq!(value, serde_json::json!({"hunter22": ["x ********", 1, {"a": "********"}]}));
    }
}
