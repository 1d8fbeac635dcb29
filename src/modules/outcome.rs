//! What came of one task on one host, as the agent reports it.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::change::{Change, Observed};

/// How a module ended. A lost link is added by the controller; a module never reports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Nothing had to be done.
    Ok,
    /// Something was done (or, in a plan, would be).
    Changed,
    /// Nothing was run because a guard (`creates`, `removes`) said so.
    Skipped,
    /// It could not be done.
    Failed,
    /// In a plan: it cannot be known before it is applied.
    Unknown,
}

/// What came of one task on one host.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How it ended.
    pub ending: Ending,
    /// The fields that playbooks read after `register` (without `changed` and `failed`).
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub result: Map<String, Value>,
    /// What was changed (or would be), resource by resource.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The state that was asked for: what the record of an apply keeps for drift.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub wanted: Vec<Observed>,
    /// Things worth saying that are not failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Outcome {
    /// An outcome with nothing but result fields.
    pub fn new(ending: Ending, result: Map<String, Value>) -> Self {
        Self { ending, result, changes: Vec::new(), wanted: Vec::new(), warnings: Vec::new() }
    }

    /// A failure as an outcome; what only an apply can tell is unknown rather than failed.
    pub fn failed(failure: Failure) -> Self {
        let ending = if failure.unknown { Ending::Unknown } else { Ending::Failed };
        let mut result = failure.result;
        result.insert("msg".into(), Value::String(failure.message));
        Self::new(ending, result)
    }
}

/// Why a module could not do its work. `message` says what, with path or command in it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    /// What happened, where, and what can be done (becomes `msg`).
    pub message: String,
    /// Further result fields (`rc`, `stderr` ...).
    pub result: Map<String, Value>,
    /// In a plan: it is no failure, but cannot be known before it is applied.
    pub unknown: bool,
}

impl Failure {
    /// A failure with only a message.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), result: Map::new(), unknown: false }
    }

    /// What cannot be known in a plan, and why.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self { unknown: true, ..Self::new(message) }
    }

    /// A failure of an operation on a path.
    pub fn at(doing: &str, path: &Path, error: impl std::fmt::Display) -> Self {
        Self::new(format!("cannot {doing} `{}`: {error}", path.display()))
    }

    /// Adds a result field.
    pub fn with(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.result.insert(field.into(), value.into());
        self
    }
}
