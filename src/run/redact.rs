//! Takes known secrets out of everything that leaves through an event.

use std::collections::BTreeSet;
use std::sync::RwLock;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use super::event::Event;

/// Stands where a secret was.
const HIDDEN: &str = "********";
/// Shorter secrets would hide half of every text.
const SHORTEST: usize = 4;

/// Knows secrets in the forms in which they could leak.
#[derive(Default)]
pub struct Redactor {
    forms: RwLock<Vec<String>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor(..)")
    }
}

impl Redactor {
    /// Learns a secret: as it is, in base64, URL, JSON and shell form.
    pub fn learn(&self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let json = serde_json::to_string(secret).unwrap_or_default();
        let forms: BTreeSet<String> = [
            secret.to_owned(),
            STANDARD.encode(secret),
            STANDARD_NO_PAD.encode(secret),
            url_form(secret),
            json.trim_matches('"').to_owned(),
            secret.replace('\'', r"'\''"),
        ]
        .into();
        let mut known = self.forms.write().expect("no thread panics while learning");
        for form in forms {
            if !known.contains(&form) {
                known.push(form);
            }
        }
        // Longer forms first, so that none leaves a tail.
        known.sort_by_key(|form| std::cmp::Reverse(form.len()));
    }

    /// The text without any known secret.
    pub fn text(&self, text: &str) -> String {
        let forms = self.forms.read().expect("no thread panics while learning");
        forms.iter().filter(|form| !form.is_empty()).fold(text.to_owned(), |text, form| text.replace(form, HIDDEN))
    }

    /// The event without any known secret.
    pub fn event(&self, event: Event) -> Event {
        if self.forms.read().expect("no thread panics while learning").is_empty() {
            return event;
        }
        let mut json = serde_json::to_value(&event).expect("events are plain data");
        self.value(&mut json);
        serde_json::from_value(json).expect("only text was changed")
    }

    fn value(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.text(text),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            serde_json::Value::Object(map) => map.values_mut().for_each(|item| self.value(item)),
            _ => {}
        }
    }
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
    fn an_event_is_searched_to_its_depth() {
        let redactor = Redactor::default();
        redactor.learn("hunter22");
        let event =
            Event::Note { level: super::super::event::NoteLevel::Info, host: None, text: "the password is hunter22".into() };
        let Event::Note { text, .. } = redactor.event(event) else { panic!("a note stays a note") };
        assert_eq!(text, "the password is ********");
    }
}
