//! Values from playbooks as the words that an engine's program takes.

use serde_json::{Map, Value};

/// A plain value as text; booleans as engines write them.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// `name=value` of each, in order.
pub(super) fn pairs(map: &Map<String, Value>) -> Vec<String> {
    map.iter().map(|(name, value)| format!("{name}={}", scalar(value))).collect()
}

/// Names and values as text: what an engine keeps of labels and options.
pub(super) fn texts(map: &Map<String, Value>) -> Map<String, Value> {
    map.iter().map(|(name, value)| (name.clone(), scalar(value).into())).collect()
}

/// An option before every value.
pub(super) fn each(option: &str, values: impl IntoIterator<Item = String>) -> Vec<String> {
    values.into_iter().flat_map(|value| [option.to_owned(), value]).collect()
}

/// The mapping of a value; empty where it is none.
pub(super) fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}
