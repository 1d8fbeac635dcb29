//! Endings and changes in words: `changed file /etc/motd mode 0644 -> 0600`.

use anstyle::{AnsiColor, Style};
use serde_json::Value;
use stead::run::escape::escape_line;
use stead::run::event::{HostEnding, RunMode, TaskEnding};
use stead_modules::change::{Action, Change, Difference};

/// The word for a task's ending.
pub(crate) fn task_ending(mode: RunMode, ending: TaskEnding) -> &'static str {
    let planned = mode != RunMode::Apply;
    match ending {
        TaskEnding::Ok if planned => "will not change",
        TaskEnding::Ok => "ok",
        TaskEnding::Changed if planned => "will change",
        TaskEnding::Changed => "changed",
        TaskEnding::Skipped => "skipped",
        TaskEnding::Failed => "failed",
        TaskEnding::Ignored => "failed (ignored)",
        TaskEnding::Rescued => "failed (rescued)",
        TaskEnding::Unreachable => "unreachable",
        TaskEnding::Unknown if planned => "cannot be known until applied",
        TaskEnding::Unknown => "unknown",
    }
}

/// The word for a host's ending.
pub(crate) fn host_ending(mode: RunMode, ending: HostEnding) -> &'static str {
    let planned = mode != RunMode::Apply;
    match ending {
        HostEnding::Ok if planned => "unchanged",
        HostEnding::Ok => "ok",
        HostEnding::Changed if planned => "to change",
        HostEnding::Changed => "changed",
        HostEnding::Failed => "failed",
        HostEnding::Unreachable => "unreachable",
        HostEnding::Unknown => "unknown",
        HostEnding::NotRun => "not run",
        HostEnding::Locked => "locked",
    }
}

/// The colour of a task's ending.
pub(crate) fn task_style(ending: TaskEnding) -> Style {
    match ending {
        TaskEnding::Ok => AnsiColor::Green.on_default(),
        TaskEnding::Changed => AnsiColor::Yellow.on_default(),
        TaskEnding::Skipped => AnsiColor::Cyan.on_default(),
        TaskEnding::Ignored | TaskEnding::Rescued => AnsiColor::Magenta.on_default(),
        TaskEnding::Failed | TaskEnding::Unreachable => AnsiColor::Red.on_default().bold(),
        TaskEnding::Unknown => AnsiColor::Magenta.on_default().bold(),
    }
}

/// The colour of a host's ending.
pub(crate) fn host_style(ending: HostEnding) -> Style {
    match ending {
        HostEnding::Ok => AnsiColor::Green.on_default(),
        HostEnding::Changed => AnsiColor::Yellow.on_default(),
        HostEnding::Failed | HostEnding::Unreachable | HostEnding::Locked => AnsiColor::Red.on_default().bold(),
        HostEnding::Unknown => AnsiColor::Magenta.on_default().bold(),
        HostEnding::NotRun => Style::new().dimmed(),
    }
}

fn verb(mode: RunMode, action: Action) -> &'static str {
    match (action, mode != RunMode::Apply) {
        (Action::Create, false) => "created",
        (Action::Create, true) => "will create",
        (Action::Update, false) => "changed",
        (Action::Update, true) => "will change",
        (Action::Remove, false) => "removed",
        (Action::Remove, true) => "will remove",
        (Action::Run, false) => "ran",
        (Action::Run, true) => "will run",
    }
}

/// A change as the end of a sentence, verb first, without colours.
pub(crate) fn change(mode: RunMode, change: &Change) -> String {
    let verb = verb(mode, change.action);
    let mut resource = escape_line(&change.resource.to_string());
    let mut differences: Vec<&Difference> = match change.action {
        Action::Remove => Vec::new(),
        _ => change.differences.iter().collect(),
    };
    if let Some(file_type) = new_file_type(change) {
        resource = format!("{file_type} {}", escape_line(&change.resource.name));
        differences.retain(|difference| difference.property != "state");
        if file_type == "link"
            && let Some(target) = differences.iter().position(|difference| difference.property == "src")
        {
            resource.push_str(&format!(" -> {}", value(&differences.remove(target).after)));
        }
    }
    let details: Vec<String> = differences.into_iter().map(difference).collect();
    match (details.is_empty(), change.action) {
        (true, _) => format!("{verb} {resource}"),
        (false, Action::Create) => format!("{verb} {resource} ({})", details.join(", ")),
        (false, _) => format!("{verb} {resource} {}", details.join(", ")),
    }
}

/// Changes that are counted instead of told: "and 480 more: created file 450, created directory 30".
pub(crate) fn rest(mode: RunMode, changes: &[Change]) -> Option<String> {
    if changes.is_empty() {
        return None;
    }
    let mut kinds: Vec<(String, usize)> = Vec::new();
    for change in changes {
        let noun = new_file_type(change).unwrap_or(&change.resource.kind);
        let kind = escape_line(&format!("{} {noun}", verb(mode, change.action)));
        match kinds.iter_mut().find(|(known, _)| *known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    let kinds: Vec<String> = kinds.iter().map(|(kind, count)| format!("{kind} {count}")).collect();
    Some(format!("and {} more: {} (-v shows all)", changes.len(), kinds.join(", ")))
}

/// The type of a file that is made: `directory`, `link`, `file` ...
pub(crate) fn new_file_type(change: &Change) -> Option<&str> {
    let is_new = change.action == Action::Create && change.resource.kind == "file";
    let state = change.differences.iter().find(|difference| is_new && difference.property == "state");
    state.and_then(|state| state.after.as_str()).filter(|state| state.bytes().all(|byte| byte.is_ascii_lowercase()))
}

fn difference(difference: &Difference) -> String {
    let name = escape_line(&difference.property);
    let (before, after) = (&difference.before, &difference.after);
    let is = |value: &Value, start: &str| value.as_str().is_some_and(|text| text.starts_with(start));
    if is(before, "(secret)") || is(after, "(secret)") {
        format!("{name} differs (secret)")
    } else if difference.diff.is_some() || (before.is_null() && is(after, "sha256:")) {
        name
    } else if before.is_null() {
        format!("{name} {}", value(after))
    } else {
        format!("{name} {} -> {}", value(before), value(after))
    }
}

/// A property's value for people: no quotes around plain words, digests cut short.
pub(crate) fn value(value: &Value) -> String {
    match value {
        Value::Null => "none".into(),
        Value::String(text) => match text.strip_prefix("sha256:") {
            Some(digest) if digest.len() == 64 => format!("sha256:{}", &digest[..12]),
            _ if text.is_empty() => "\"\"".into(),
            _ => escape_line(text),
        },
        Value::Array(items) => format!("[{}]", items.iter().map(self::value).collect::<Vec<_>>().join(", ")),
        other => escape_line(&other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use stead_modules::change::ResourceId;

    fn update(differences: Vec<Difference>) -> Change {
        Change { resource: ResourceId::new("file", "/x"), action: Action::Update, differences }
    }

    fn differs(property: &str, before: Value, after: Value) -> Difference {
        Difference { property: property.into(), before, after, diff: None }
    }

    #[test]
    fn changes_read_as_sentences() {
        let mode = update(vec![differs("mode", json!("0644"), json!("0600")), differs("owner", json!("root"), json!("www"))]);
        assert_eq!(change(RunMode::Apply, &mode), "changed file /x mode 0644 -> 0600, owner root -> www");
        assert_eq!(change(RunMode::Plan, &mode), "will change file /x mode 0644 -> 0600, owner root -> www");
        let created = Change { action: Action::Create, ..update(vec![differs("mode", Value::Null, json!("0644"))]) };
        assert_eq!(change(RunMode::Plan, &created), "will create file /x (mode 0644)");
        let made = |state: &str, more: Difference| {
            let differences = vec![differs("state", Value::Null, json!(state)), more];
            change(RunMode::Apply, &Change { action: Action::Create, ..update(differences) })
        };
        assert_eq!(made("directory", differs("mode", Value::Null, json!("0755"))), "created directory /x (mode 0755)");
        assert_eq!(made("link", differs("src", Value::Null, json!("../y"))), "created link /x -> ../y");
        let removed = Change { action: Action::Remove, ..update(vec![differs("mode", json!("0644"), Value::Null)]) };
        assert_eq!(change(RunMode::Apply, &removed), "removed file /x");
        assert_eq!(change(RunMode::Apply, &Change::run(ResourceId::new("unit", "nginx.service"))), "ran unit nginx.service");
    }

    #[test]
    fn secrets_and_digests_stay_short() {
        let secret = update(vec![differs("password", json!("(secret)"), json!("(secret)"))]);
        assert_eq!(change(RunMode::Apply, &secret), "changed file /x password differs (secret)");
        let digest = format!("sha256:{}", "ab".repeat(32));
        let binary = update(vec![differs("content", json!(digest), json!(digest))]);
        assert_eq!(change(RunMode::Apply, &binary), "changed file /x content sha256:abababababab -> sha256:abababababab");
    }
}
