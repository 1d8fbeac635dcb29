//! One difference between what is wanted and what is there, and which side moved.

use serde::Serialize;
use serde_json::Value;
use stead_modules::change::{ResourceId, sha256};

use super::severity::Severity;

/// Which side moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The host was changed by something else than an apply.
    OutOfBand,
    /// The playbook was changed and not applied yet.
    ConfigAhead,
    /// No apply has ever set this.
    NeverApplied,
    /// Cannot be told.
    Unknown,
    /// The host did not answer.
    Silent,
}

impl Class {
    /// What it means, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::OutOfBand => "the host was changed by something else (out-of-band)",
            Self::ConfigAhead => "the playbook was changed and not applied yet (config-ahead)",
            Self::NeverApplied => "no apply has ever set this (never-applied)",
            Self::Unknown => "cannot be told (unknown)",
            Self::Silent => "the host did not answer (silent)",
        }
    }
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The same for the same host, resource and property in every run.
    pub id: String,
    /// Inventory name.
    pub host: String,
    /// What it is about.
    pub resource: ResourceId,
    /// Which property; `present` for the whole resource.
    pub property: String,
    /// `path:line` of the task that wants it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What is wanted now; content as its digest.
    pub desired: Value,
    /// What the last apply set; `null` where there was none.
    pub last_applied: Value,
    /// When that was, seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_at: Option<f64>,
    /// The run that applied it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub applied_by: Option<String>,
    /// What is there.
    pub observed: Value,
    /// From what is there to what is wanted, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
    /// Which side moved.
    pub class: Class,
    /// What else there is to say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// The rule that says so.
    pub rule: &'static str,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_seen: Option<f64>,
    /// Seconds since the epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<f64>,
}

/// The stable id of a finding.
pub(super) fn id(host: &str, resource: &ResourceId, property: &str) -> String {
    let mut id = sha256(format!("{host}\0{}\0{}\0{property}", resource.kind, resource.name).as_bytes());
    id.truncate(16);
    id
}

/// Which side moved, and a note: desired now, last applied, observed.
pub(super) fn classify(desired: &Value, applied: Option<&Value>, observed: &Value) -> (Class, Option<&'static str>) {
    let secret = |value: &Value| value.as_str() == Some("(secret)");
    match applied {
        None => (Class::NeverApplied, None),
        Some(_) if secret(desired) || secret(observed) => {
            (Class::Unknown, Some("a secret differs; which side moved cannot be told"))
        }
        Some(applied) if applied == desired => (Class::OutOfBand, None),
        Some(applied) if applied == observed => (Class::ConfigAhead, None),
        Some(_) => (Class::OutOfBand, Some("the playbook was changed too, and not applied yet")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn which_side_moved_follows_from_three_values() {
        let table = [
            // desired, applied, observed
            (json!("a"), None, json!("b"), Class::NeverApplied, false),
            (json!("a"), Some(json!("a")), json!("b"), Class::OutOfBand, false),
            (json!("a"), Some(json!("b")), json!("b"), Class::ConfigAhead, false),
            (json!("a"), Some(json!("c")), json!("b"), Class::OutOfBand, true),
            (json!("a"), Some(json!("a")), json!(null), Class::OutOfBand, false),
            (json!("(secret)"), Some(json!("sha256:1")), json!("(secret)"), Class::Unknown, true),
        ];
        for (desired, applied, observed, class, noted) in table {
            let (found, note) = classify(&desired, applied.as_ref(), &observed);
            assert_eq!((found, note.is_some()), (class, noted), "{desired} {applied:?} {observed}");
        }
    }

    #[test]
    fn ids_depend_on_host_resource_and_property_only() {
        let file = ResourceId::new("file", "/x");
        assert_eq!(id("a", &file, "mode"), id("a", &file, "mode"));
        assert_ne!(id("a", &file, "mode"), id("b", &file, "mode"));
        assert_ne!(id("a", &file, "mode"), id("a", &file, "owner"));
    }
}
