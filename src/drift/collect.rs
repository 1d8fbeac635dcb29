//! The fold of a drift run's events: what is planned, compared with the record of the last apply.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use stead_modules::change::{Action, Change, Difference, ResourceId};

use super::finding::{self, Class, Finding};
use super::report::Report;
use super::severity::{self, Rated, Severity};
use crate::history::{Applied, HistoryError, Store};
use crate::run::event::{Event, EventSink, HostEnding, TaskEnding, TaskInfo};

/// Collects what a drift run plans; then [`Collector::finish`] compares.
#[derive(Debug, Default)]
pub struct Collector {
    run: String,
    at: f64,
    playbooks: Vec<String>,
    selected: usize,
    /// By host, resource and property, in order of the first difference.
    planned: Vec<Planned>,
    index: BTreeMap<(String, ResourceId, String), usize>,
    unknown: Vec<Finding>,
    hosts: Vec<(String, HostEnding, Option<String>)>,
    interrupted: bool,
}

/// One property that is not as wanted.
#[derive(Debug)]
struct Planned {
    host: String,
    resource: ResourceId,
    property: String,
    place: String,
    observed: Value,
    desired: Value,
    diff: Option<String>,
}

/// The property that stands for a resource being there at all.
const PRESENT: &str = "present";

impl Collector {
    fn changes(&mut self, host: &str, task: &TaskInfo, changes: &[Change]) {
        for change in changes {
            let differences: Vec<Difference> = match change.action {
                Action::Run => Vec::new(),
                Action::Update => change.differences.clone(),
                // All of it came or went: one finding, not one per property.
                Action::Create | Action::Remove => vec![Difference {
                    property: PRESENT.into(),
                    before: Value::Bool(change.action == Action::Remove),
                    after: Value::Bool(change.action == Action::Create),
                    diff: change.differences.iter().find_map(|difference| difference.diff.clone()),
                }],
            };
            for difference in differences {
                self.difference(host, task, &change.resource, difference);
            }
        }
    }

    fn difference(&mut self, host: &str, task: &TaskInfo, resource: &ResourceId, difference: Difference) {
        let key = (host.to_owned(), resource.clone(), difference.property.clone());
        let Some(at) = self.index.get(&key) else {
            self.index.insert(key, self.planned.len());
            self.planned.push(Planned {
                host: host.to_owned(),
                resource: resource.clone(),
                property: difference.property,
                place: task.place.clone(),
                observed: difference.before,
                desired: difference.after,
                diff: difference.diff,
            });
            return;
        };
        // A later task of the same run changes it again: its "before" is what the first one planned.
        let planned = &mut self.planned[*at];
        planned.desired = difference.after;
        planned.place.clone_from(&task.place);
        planned.diff = None;
    }

    fn unknown(&mut self, host: &str, task: &TaskInfo, reason: Option<&str>) {
        let resource = ResourceId::new("task", &task.name);
        self.unknown.push(Finding {
            id: finding::id(host, &resource, &task.place),
            host: host.to_owned(),
            resource,
            property: "outcome".into(),
            place: task.place.clone(),
            desired: Value::Null,
            last_applied: Value::Null,
            applied_at: None,
            applied_by: None,
            observed: Value::Null,
            diff: None,
            class: Class::Unknown,
            note: reason.map(str::to_owned),
            severity: Severity::Low,
            rule: "unknown",
            first_seen: None,
            last_seen: None,
        });
    }

    /// Compares with the record, notes the findings there, and gives the report.
    pub fn finish(self, store: &mut Store) -> Result<Report, HistoryError> {
        let mut records: BTreeMap<String, BTreeMap<ResourceId, Applied>> = BTreeMap::new();
        let hosts: BTreeSet<&String> = self.planned.iter().map(|planned| &planned.host).collect();
        for host in hosts {
            records.insert(host.clone(), store.applied(host)?);
        }
        let mut findings: Vec<Finding> = self
            .planned
            .iter()
            .filter(|planned| planned.observed != planned.desired || planned.desired.as_str() == Some("(secret)"))
            .map(|planned| compare(planned, records[&planned.host].get(&planned.resource)))
            .collect();
        findings.extend(self.unknown);
        findings.extend(self.hosts.iter().filter_map(|(host, ending, why)| silence(host, *ending, why.as_deref())));
        findings.sort_by(|one, other| {
            (std::cmp::Reverse(one.severity), &one.host, &one.resource, &one.property).cmp(&(
                std::cmp::Reverse(other.severity),
                &other.host,
                &other.resource,
                &other.property,
            ))
        });
        let answered = self.hosts.iter().filter(|(_, ending, _)| !is_silent(*ending)).count();
        // Only hosts that were looked at to the end can show that a finding is gone.
        let finished = self
            .hosts
            .iter()
            .filter(|(_, ending, _)| matches!(ending, HostEnding::Ok | HostEnding::Changed | HostEnding::Unknown));
        let finished: Vec<String> = finished.map(|(host, _, _)| host.clone()).collect();
        let keys: Vec<(String, String)> = findings.iter().map(|finding| (finding.id.clone(), finding.host.clone())).collect();
        let looked_at = if self.interrupted { Vec::new() } else { finished };
        let sightings = store.sighted(&keys, &looked_at, self.at)?;
        for finding in &mut findings {
            let sighting = sightings.get(&finding.id);
            finding.first_seen = sighting.map(|sighting| sighting.first);
            finding.last_seen = sighting.map(|sighting| sighting.last);
        }
        Ok(Report {
            run: self.run,
            at: self.at,
            playbooks: self.playbooks,
            selected: self.hosts.len().max(self.selected),
            answered,
            findings,
        })
    }
}

impl EventSink for Collector {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { run, playbooks, hosts, at, .. } => {
                self.run.clone_from(run);
                self.playbooks.clone_from(playbooks);
                self.selected = *hosts;
                self.at = *at;
            }
            Event::ItemEnded { task, host, ending, changes, message, .. }
            | Event::TaskEnded { task, host, ending, changes, message, .. } => match ending {
                TaskEnding::Changed => self.changes(host, task, changes),
                TaskEnding::Unknown => self.unknown(host, task, message.as_deref()),
                _ => {}
            },
            Event::RunEnded { recap, interrupted, .. } => {
                self.hosts = recap.iter().map(|host| (host.host.to_string(), host.ending, host.why.clone())).collect();
                self.interrupted = *interrupted;
            }
            _ => {}
        }
    }
}

fn compare(planned: &Planned, record: Option<&Applied>) -> Finding {
    let applied = record.and_then(|record| match planned.property.as_str() {
        PRESENT => Some(Value::Bool(record.state.present)),
        // The record says that it should not be there at all.
        _ if !record.state.present => Some(Value::Bool(false)),
        name => record.state.properties.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone()),
    });
    let (class, note) = finding::classify(&planned.desired, applied.as_ref(), &planned.observed);
    let record = record.filter(|_| applied.is_some());
    let values = [&planned.desired, &planned.observed];
    let Rated { severity, rule } = severity::rate(&planned.resource, &planned.property, &values);
    Finding {
        id: finding::id(&planned.host, &planned.resource, &planned.property),
        host: planned.host.clone(),
        resource: planned.resource.clone(),
        property: planned.property.clone(),
        place: planned.place.clone(),
        desired: planned.desired.clone(),
        last_applied: applied.unwrap_or(Value::Null),
        applied_at: record.map(|record| record.at),
        applied_by: record.map(|record| record.run.clone()),
        observed: planned.observed.clone(),
        diff: planned.diff.clone(),
        class,
        note: note.map(str::to_owned),
        severity,
        rule,
        first_seen: None,
        last_seen: None,
    }
}

fn is_silent(ending: HostEnding) -> bool {
    matches!(ending, HostEnding::Unreachable | HostEnding::NotRun | HostEnding::Locked)
}

/// A host that did not answer is a finding: nobody knows how it is.
fn silence(host: &str, ending: HostEnding, why: Option<&str>) -> Option<Finding> {
    let (class, rule) = match ending {
        _ if is_silent(ending) => (Class::Silent, "silent-host"),
        HostEnding::Failed => (Class::Unknown, "failed-host"),
        _ => return None,
    };
    let resource = ResourceId::new("host", host);
    Some(Finding {
        id: finding::id(host, &resource, PRESENT),
        host: host.to_owned(),
        resource,
        property: "state".into(),
        place: String::new(),
        desired: Value::Null,
        last_applied: Value::Null,
        applied_at: None,
        applied_by: None,
        observed: Value::Null,
        diff: None,
        class,
        note: why.map(str::to_owned),
        severity: Severity::Medium,
        rule,
        first_seen: None,
        last_seen: None,
    })
}
