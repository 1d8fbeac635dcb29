//! A small run, for the tests of reporters.

use std::sync::Arc;

use serde_json::{Value, json};
use stead::run::event::{Counts, Event, HostEnding, HostRecap, RunMode, TaskEnding, TaskInfo};
use stead_modules::change::{Action, Change, Difference, ResourceId};

pub(crate) fn task(id: u64, name: &str) -> Arc<TaskInfo> {
    let place = format!("site.yml:{}", id * 10);
    Arc::new(TaskInfo { id, name: name.into(), role: None, module: "copy".into(), place, handler: false })
}

/// The message of the day, rewritten.
pub(crate) fn motd() -> Change {
    let digest = |letter: &str| json!(format!("sha256:{}", letter.repeat(64)));
    let content = Difference {
        property: "content".into(),
        before: digest("a"),
        after: digest("b"),
        diff: Some("@@ -1 +1 @@\n-old\n+new\n".into()),
    };
    let mode = Difference { property: "mode".into(), before: json!("0644"), after: json!("0600"), diff: None };
    Change { resource: ResourceId::new("file", "/etc/motd"), action: Action::Update, differences: vec![mode, content] }
}

pub(crate) fn started(mode: RunMode, hosts: &[&str]) -> Vec<Event> {
    vec![
        Event::RunStarted { run: "r1".into(), mode, playbooks: vec!["site.yml".into()], hosts: hosts.len(), at: 0.0 },
        Event::PlayStarted { play: "web servers".into(), hosts: hosts.iter().map(|host| (*host).into()).collect(), tasks: 2 },
    ]
}

pub(crate) fn begins(task: &Arc<TaskInfo>, host: &str) -> Event {
    Event::TaskStarted { task: Arc::clone(task), host: host.into() }
}

pub(crate) fn ends(task: &Arc<TaskInfo>, host: &str, ending: TaskEnding, changes: Vec<Change>, message: Option<&str>) -> Event {
    Event::TaskEnded {
        task: Arc::clone(task),
        host: host.into(),
        ending,
        changes,
        wanted: Vec::new(),
        message: message.map(Into::into),
        hint: None,
        result: Value::Null,
        seconds: 0.5,
    }
}

pub(crate) fn ended(recap: Vec<HostRecap>) -> Event {
    Event::RunEnded { recap, seconds: 4.2, interrupted: false }
}

/// Three hosts: two get the same change, one fails; then one task that is fine on two.
pub(crate) fn run() -> Vec<Event> {
    let (motd_task, check) = (task(1, "message of the day"), task(2, "check <it>"));
    let mut events = started(RunMode::Apply, &["web1", "web2", "web3"]);
    events.extend(["web1", "web2", "web3"].map(|host| begins(&motd_task, host)));
    events.push(ends(&motd_task, "web2", TaskEnding::Changed, vec![motd()], None));
    events.push(begins(&check, "web2"));
    events.push(ends(&check, "web2", TaskEnding::Ok, vec![], None));
    events.push(ends(&motd_task, "web3", TaskEnding::Failed, vec![], Some("no space left on \"/\"\u{1b}[2J")));
    events.push(ends(&motd_task, "web1", TaskEnding::Changed, vec![motd()], None));
    events.push(begins(&check, "web1"));
    events.push(ends(&check, "web1", TaskEnding::Skipped, vec![], Some("`is_special` is false")));
    let changed = Counts { ok: 2, changed: 1, ..Counts::default() };
    let host =
        |host: &str, ending, counts, why: Option<&str>| HostRecap { host: host.into(), ending, counts, why: why.map(Into::into) };
    events.push(ended(vec![
        host("web1", HostEnding::Changed, Counts { ok: 1, changed: 1, skipped: 1, ..Counts::default() }, None),
        host("web2", HostEnding::Changed, changed, None),
        host("web3", HostEnding::Failed, Counts { failed: 1, ..Counts::default() }, Some("message of the day: no space left")),
    ]));
    events
}
