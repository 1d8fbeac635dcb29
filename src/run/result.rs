//! What a task's outcome looks like to playbooks (`register`) and to readers of events.

use std::sync::Arc;

use serde_json::{Value as Json, json};
use stead_modules::change::{Change, Difference};
use stead_modules::outcome::Ending;

use super::event::TaskEnding;
use crate::actions::Done;
use crate::vars::{Key, Map, Value};

/// One attempt's result as `register` keeps it: the module's fields and `changed`, `failed` ...
pub fn registered(done: &Done) -> Map {
    let mut map = done.result.clone();
    let flag = |map: &mut Map, name: &str, value: bool| {
        map.insert(Key::from(name), Value::Bool(value));
    };
    // What failed after it had done something has changed something.
    let acted = done.ending == Ending::Failed && !done.changes.is_empty();
    flag(&mut map, "changed", done.ending == Ending::Changed || acted);
    flag(&mut map, "failed", matches!(done.ending, Ending::Failed));
    if done.ending == Ending::Skipped {
        flag(&mut map, "skipped", true);
    }
    for name in ["stdout", "stderr"] {
        let lines = format!("{name}_lines");
        if let Some(Value::Str(text)) = map.get(name).cloned()
            && map.get(lines.as_str()).is_none()
        {
            map.insert(Key::from(lines), Value::from(text.lines().map(Value::from).collect::<Vec<_>>()));
        }
    }
    if !done.warnings.is_empty() && map.get("warnings").is_none() {
        map.insert(
            Key::from("warnings"),
            Value::from(done.warnings.iter().map(|text| Value::from(text.as_str())).collect::<Vec<_>>()),
        );
    }
    map
}

/// The result of a task whose condition did not hold.
pub fn skipped(condition: Value) -> Map {
    Map::from_iter([
        (Key::from("changed"), Value::Bool(false)),
        (Key::from("skipped"), Value::Bool(true)),
        (Key::from("skip_reason"), Value::from("Conditional result was False")),
        (Key::from("false_condition"), condition),
    ])
}

/// The result of a loop, from its items' endings and results.
pub fn of_loop(items: &[(TaskEnding, Value)]) -> Map {
    let any = |ending: TaskEnding| items.iter().any(|(other, _)| *other == ending);
    let mut map = Map::from_iter([
        (Key::from("results"), Value::from(items.iter().map(|(_, result)| result.clone()).collect::<Vec<_>>())),
        (Key::from("changed"), Value::Bool(items.iter().any(|(_, result)| flagged(result, "changed")))),
    ]);
    let skipped = items.iter().all(|(ending, _)| *ending == TaskEnding::Skipped);
    map.insert(Key::from("skipped"), Value::Bool(skipped));
    // Only a failure says so.
    if any(TaskEnding::Failed) {
        map.insert(Key::from("failed"), Value::Bool(true));
    }
    if !items.is_empty() && skipped {
        map.insert(Key::from("msg"), Value::from("All items skipped"));
    } else if items.is_empty() {
        map.insert(Key::from("skipped_reason"), Value::from("No items in the list"));
    } else if any(TaskEnding::Failed) {
        map.insert(Key::from("msg"), Value::from("One or more items failed"));
    } else {
        map.insert(Key::from("msg"), Value::from("All items completed"));
    }
    map
}

/// A boolean field of a result.
pub fn flagged(result: &Value, name: &str) -> bool {
    match result {
        Value::Map(map) => map.get(name) == Some(&Value::Bool(true)),
        _ => false,
    }
}

/// The result as an event shows it; unknown parts become text that says so.
pub fn shown(value: &Value, hide: bool) -> Json {
    if hide {
        return json!({"censored": "the output has been hidden due to the fact that 'no_log: true' was specified for this result"});
    }
    match value {
        Value::Unknown(reason) => json!({"unknown": reason.to_string()}),
        Value::Omit => Json::Null,
        Value::List(items) => items.iter().map(|item| shown(item, false)).collect(),
        Value::Map(map) => Json::Object(
            map.iter()
                .filter(|(key, _)| key.to_string() != "ansible_facts")
                .map(|(key, item)| (key.to_string(), shown(item, false)))
                .collect(),
        ),
        other => other.to_json().unwrap_or(Json::Null),
    }
}

/// Changes as an event shows them when options and results must not be seen: which resource, but
/// not what.
pub fn hidden(changes: Vec<Change>) -> Vec<Change> {
    changes
        .into_iter()
        .map(|change| Change {
            differences: change
                .differences
                .into_iter()
                .map(|difference| Difference { before: json!("(hidden)"), after: json!("(hidden)"), diff: None, ..difference })
                .collect(),
            ..change
        })
        .collect()
}

/// Everything about one item, or about a task without a loop.
#[derive(Debug, Clone)]
pub struct ItemReport {
    /// How it ended.
    pub ending: TaskEnding,
    /// What `register` gets.
    pub result: Value,
    /// What happened, without the result.
    pub done: Option<Done>,
    /// For people.
    pub message: Option<String>,
    /// What can be done about it.
    pub hint: Option<String>,
    /// The host is gone: nothing more can be asked of it.
    pub lost: bool,
    /// Handlers that it named because it changed something.
    pub notified: Vec<String>,
}

impl ItemReport {
    /// Ended without anything having been done.
    pub fn plain(ending: TaskEnding, result: Value, message: Option<String>) -> Self {
        Self { ending, result, done: None, message, hint: None, lost: false, notified: Vec::new() }
    }

    /// Failed before anything could be done.
    pub fn failed(message: impl Into<String>, hint: Option<String>) -> Self {
        let message = message.into();
        let result = Map::from_iter([
            (Key::from("changed"), Value::Bool(false)),
            (Key::from("failed"), Value::Bool(true)),
            (Key::from("msg"), Value::from(message.as_str())),
        ]);
        Self { hint, ..Self::plain(TaskEnding::Failed, Value::from(result), Some(message)) }
    }

    /// Cannot be known before it is applied.
    pub fn unknown(reason: Arc<str>) -> Self {
        Self::plain(TaskEnding::Unknown, Value::Unknown(Arc::clone(&reason)), Some(reason.to_string()))
    }
}
