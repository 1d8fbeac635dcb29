//! A drift run's result, as text for someone who was woken up and as JSON for everything else.

use serde::Serialize;
use serde_json::Value;

use super::finding::{Class, Finding};
use super::severity::Severity;
use crate::run::escape::{escape_line, escape_text};

/// All findings of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// The run's id.
    pub run: String,
    /// When it began, seconds since the epoch.
    pub at: f64,
    /// Playbooks as given.
    pub playbooks: Vec<String>,
    /// Hosts that were selected; those that did not answer are among them.
    pub selected: usize,
    /// Hosts that answered.
    pub answered: usize,
    /// Worst first.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Whether nothing moved and everybody answered.
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// Findings that are differences, not gaps in what is known.
    pub fn differences(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !matches!(finding.class, Class::Unknown | Class::Silent))
    }

    /// The report as text, without colours; text from hosts cannot move the cursor.
    pub fn text(&self) -> String {
        let mut text = self.head();
        for finding in &self.findings {
            text.push('\n');
            text.push_str(&self.finding(finding));
        }
        text
    }

    fn head(&self) -> String {
        let count = |class: Class| self.findings.iter().filter(|finding| finding.class == class).count();
        let hosts: std::collections::BTreeSet<&str> = self.differences().map(|finding| finding.host.as_str()).collect();
        let high = self.findings.iter().filter(|finding| finding.severity == Severity::High).count();
        let mut text = if self.is_clean() {
            format!("No drift: {} of {} hosts answered, all as wanted\n", self.answered, self.selected)
        } else {
            format!(
                "Drift: {} differences on {} of {} hosts, {high} high; {} of {} hosts answered\n",
                self.differences().count(),
                hosts.len(),
                self.selected,
                self.answered,
                self.selected
            )
        };
        for (class, words) in [
            (Class::OutOfBand, "out-of-band: changed on the host"),
            (Class::ConfigAhead, "config-ahead: changed in the playbook, not applied yet"),
            (Class::NeverApplied, "never-applied"),
            (Class::Unknown, "unknown"),
            (Class::Silent, "silent: did not answer"),
        ] {
            if count(class) > 0 {
                text.push_str(&format!("  {} {words}\n", count(class)));
            }
        }
        text
    }

    fn finding(&self, finding: &Finding) -> String {
        let severity = match finding.severity {
            Severity::High => "HIGH",
            Severity::Medium => "medium",
            Severity::Low => "low",
        };
        let host = escape_line(&finding.host);
        let property = if finding.property == "present" { String::new() } else { format!(" {}", escape_line(&finding.property)) };
        let mut text = format!("{severity}  {host}: {}{property}\n", escape_line(&finding.resource.to_string()));
        let mut line = |name: &str, words: &str| text.push_str(&format!("  {name:<13} {words}\n"));
        line("what", finding.class.sentence());
        if let Some(note) = &finding.note {
            line("note", &escape_line(note));
        }
        if !matches!(finding.class, Class::Unknown | Class::Silent) || !finding.desired.is_null() {
            line("desired", &shown(&finding.desired));
            let applied = match (&finding.last_applied, finding.applied_at) {
                (_, None) => "never".to_owned(),
                (value, Some(at)) => {
                    let run = finding.applied_by.as_deref().unwrap_or_default();
                    format!("{} ({}, run {})", shown(value), time(at), escape_line(run))
                }
            };
            line("last applied", &applied);
            line("observed", &shown(&finding.observed));
        }
        if !finding.place.is_empty() {
            line("task", &escape_line(&finding.place));
        }
        if let (Some(first), Some(last)) = (finding.first_seen, finding.last_seen) {
            line("seen", &format!("first {}, last {}", time(first), time(last)));
        }
        line("rule", finding.rule);
        line("id", &finding.id);
        if matches!(finding.class, Class::OutOfBand | Class::ConfigAhead | Class::NeverApplied) {
            let playbooks: Vec<String> = self.playbooks.iter().map(|path| word(path)).collect();
            line("to make it so", &format!("stead apply --limit {} {}", word(&finding.host), playbooks.join(" ")));
        }
        if let Some(diff) = &finding.diff {
            for row in escape_text(diff).lines() {
                text.push_str(&format!("    {row}\n"));
            }
        }
        text
    }
}

/// A value for people: whole digests help nobody at night.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "nothing".into(),
        Value::Bool(true) => "there".into(),
        Value::Bool(false) => "not there".into(),
        Value::String(text) => match text.strip_prefix("sha256:") {
            Some(digest) if digest.len() == 64 => format!("sha256:{}", &digest[..12]),
            _ => escape_line(text),
        },
        other => escape_line(&other.to_string()),
    }
}

fn time(seconds: f64) -> String {
    jiff::Timestamp::from_second(seconds as i64)
        .map_or_else(|_| "at no time".into(), |time| time.strftime("%Y-%m-%d %H:%M UTC").to_string())
}

/// A word that a shell reads as one.
fn word(text: &str) -> String {
    let text = escape_line(text);
    let plain = |char: char| char.is_ascii_alphanumeric() || "-_./:@%+=,".contains(char);
    if !text.is_empty() && text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use stead_modules::change::{Action, Change, Difference, Observed, ResourceId};

    use super::*;
    use crate::drift::Collector;
    use crate::history::{Recorder, Store};
    use crate::run::event::{Counts, Event, EventSink, HostEnding, HostRecap, RunMode, TaskEnding, TaskInfo};

    fn task(id: u64) -> Arc<TaskInfo> {
        let place = format!("site.yml:{id}");
        Arc::new(TaskInfo { id, name: format!("task {id}"), role: None, module: "copy".into(), place, handler: false })
    }

    fn ended(id: u64, ending: TaskEnding, changes: Vec<Change>, wanted: Vec<Observed>, message: Option<&str>) -> Event {
        Event::TaskEnded {
            task: task(id),
            host: "web1".into(),
            ending,
            changes,
            wanted,
            message: message.map(Into::into),
            hint: None,
            result: Value::Null,
            seconds: 0.0,
        }
    }

    fn started(run: &str, mode: RunMode, at: f64) -> Event {
        Event::RunStarted { run: run.into(), mode, playbooks: vec!["site.yml".into()], hosts: 2, at }
    }

    fn file(path: &str, properties: &[(&str, Value)]) -> Observed {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Observed { resource: ResourceId::new("file", path), present: true, properties }
    }

    fn change(path: &str, action: Action, property: &str, before: Value, after: Value, diff: Option<&str>) -> Change {
        let difference = Difference { property: property.into(), before, after, diff: diff.map(Into::into) };
        Change { resource: ResourceId::new("file", path), action, differences: vec![difference] }
    }

    fn digest(letter: &str) -> Value {
        json!(format!("sha256:{}", letter.repeat(64)))
    }

    /// A record of one apply, and the events of a drift run after it.
    fn report(folder: &std::path::Path, at: f64, events: Vec<Event>) -> Report {
        let path = folder.join("history");
        if !path.exists() {
            let mut recorder = Recorder::new(Store::open(&path).unwrap(), || 1e6);
            recorder.event(&started("r1", RunMode::Apply, 0.0));
            let wanted = vec![
                file("/etc/ssh/sshd_config", &[("content", digest("a")), ("mode", json!("0600"))]),
                file("/etc/motd", &[("mode", json!("0644"))]),
                file("/etc/gone", &[("mode", json!("0644"))]),
            ];
            recorder.event(&ended(1, TaskEnding::Changed, vec![], wanted, None));
        }
        let mut collector = Collector::default();
        collector.event(&started("r2", RunMode::Drift, at));
        for event in &events {
            collector.event(event);
        }
        let host = |host: &str, ending, why: Option<&str>| HostRecap {
            host: host.into(),
            ending,
            counts: Counts::default(),
            why: why.map(Into::into),
        };
        let recap =
            vec![host("web1", HostEnding::Changed, None), host("web2", HostEnding::Unreachable, Some("no route to host"))];
        collector.event(&Event::RunEnded { recap, seconds: 1.0, interrupted: false });
        collector.finish(&mut Store::open(&path).unwrap()).unwrap()
    }

    fn planned() -> Vec<Event> {
        let planted = change(
            "/etc/ssh/sshd_config",
            Action::Update,
            "content",
            digest("b"),
            digest("a"),
            Some("@@ -1 +1 @@\n-yes\u{1b}[2J\n+no\n"),
        );
        let ahead = change("/etc/motd", Action::Update, "mode", json!("0644"), json!("0600"), None);
        let removed = change("/etc/gone", Action::Create, "mode", Value::Null, json!("0644"), None);
        let new = change("/etc/new", Action::Create, "mode", Value::Null, json!("0644"), None);
        let restart = Change::run(ResourceId::new("service", "ssh"));
        vec![
            ended(3, TaskEnding::Changed, vec![planted, ahead, restart], vec![], None),
            ended(5, TaskEnding::Changed, vec![removed, new], vec![], None),
            ended(9, TaskEnding::Unknown, vec![], vec![], Some("a command is not run")),
        ]
    }

    #[test]
    fn a_report_can_be_read_at_night() {
        let folder = tempfile::tempdir().unwrap();
        insta::assert_snapshot!(report(folder.path(), 2_000_000.0, planned()).text(), @r"
        Drift: 4 differences on 1 of 2 hosts, 1 high; 1 of 2 hosts answered
          2 out-of-band: changed on the host
          1 config-ahead: changed in the playbook, not applied yet
          1 never-applied
          1 unknown
          1 silent: did not answer

        HIGH  web1: file /etc/ssh/sshd_config content
          what          the host was changed by something else (out-of-band)
          desired       sha256:aaaaaaaaaaaa
          last applied  sha256:aaaaaaaaaaaa (1970-01-12 13:46 UTC, run r1)
          observed      sha256:bbbbbbbbbbbb
          task          site.yml:3
          seen          first 1970-01-24 03:33 UTC, last 1970-01-24 03:33 UTC
          rule          ssh-server
          id            659bd3e4ae4662d4
          to make it so stead apply --limit web1 site.yml
            @@ -1 +1 @@
            -yes\u{1b}[2J
            +no

        medium  web1: file /etc/gone
          what          the host was changed by something else (out-of-band)
          desired       there
          last applied  there (1970-01-12 13:46 UTC, run r1)
          observed      not there
          task          site.yml:5
          seen          first 1970-01-24 03:33 UTC, last 1970-01-24 03:33 UTC
          rule          default
          id            db22c68b760e8a6a
          to make it so stead apply --limit web1 site.yml

        medium  web1: file /etc/motd mode
          what          the playbook was changed and not applied yet (config-ahead)
          desired       0600
          last applied  0644 (1970-01-12 13:46 UTC, run r1)
          observed      0644
          task          site.yml:3
          seen          first 1970-01-24 03:33 UTC, last 1970-01-24 03:33 UTC
          rule          default
          id            6e35e4b58b124405
          to make it so stead apply --limit web1 site.yml

        medium  web1: file /etc/new
          what          no apply has ever set this (never-applied)
          desired       there
          last applied  never
          observed      not there
          task          site.yml:5
          seen          first 1970-01-24 03:33 UTC, last 1970-01-24 03:33 UTC
          rule          default
          id            91cf1c1459147943
          to make it so stead apply --limit web1 site.yml

        medium  web2: host web2 state
          what          the host did not answer (silent)
          note          no route to host
          seen          first 1970-01-24 03:33 UTC, last 1970-01-24 03:33 UTC
          rule          silent-host
          id            b7a0f07554798ed6

        low  web1: task task 9 outcome
          what          cannot be told (unknown)
          note          a command is not run
          task          site.yml:9
          seen          first 1970-01-24 03:33 UTC, last 1970-01-24 03:33 UTC
          rule          unknown
          id            673667e49ff6901c
        ");
    }

    #[test]
    fn findings_keep_their_id_and_first_sight() {
        let folder = tempfile::tempdir().unwrap();
        let first = report(folder.path(), 2_000_000.0, planned());
        let again = report(folder.path(), 3_000_000.0, planned());
        for (one, other) in first.findings.iter().zip(&again.findings) {
            assert_eq!(one.id, other.id);
            assert_eq!((other.first_seen, other.last_seen), (Some(2_000_000.0), Some(3_000_000.0)));
        }
        let json = serde_json::to_value(&again).unwrap();
        assert_eq!(json["findings"][0]["class"], "out-of-band");
        assert_eq!(json["findings"][0]["severity"], "high");
        assert_eq!((json["selected"].as_u64(), json["answered"].as_u64()), (Some(2), Some(1)));
    }

    #[test]
    fn what_two_tasks_undo_is_no_drift() {
        let folder = tempfile::tempdir().unwrap();
        let there = change("/etc/motd", Action::Update, "mode", json!("0644"), json!("0600"), None);
        let back = change("/etc/motd", Action::Update, "mode", json!("0600"), json!("0644"), None);
        let events = vec![
            ended(3, TaskEnding::Changed, vec![there], vec![], None),
            ended(4, TaskEnding::Changed, vec![back], vec![], None),
        ];
        assert_eq!(report(folder.path(), 1.0, events).differences().count(), 0);
    }
}
