//! Counts task endings by host: what the recap of a run is made of.

use std::collections::HashMap;
use std::sync::Arc;

use super::event::{Counts, Event, HostEnding, HostRecap, TaskEnding};

/// What was seen of one host.
#[derive(Debug, Default)]
struct Seen {
    counts: Counts,
    why: Option<(TaskEnding, String)>,
}

/// A fold of events into counts by host.
#[derive(Debug, Default)]
pub struct Tally {
    hosts: HashMap<Arc<str>, Seen>,
}

impl Tally {
    /// Takes the next event.
    pub fn event(&mut self, event: &Event) {
        let Event::TaskEnded { host, ending, message, task, result, .. } = event else { return };
        let seen = self.hosts.entry(Arc::clone(host)).or_default();
        let counts = &mut seen.counts;
        match ending {
            TaskEnding::Ok => counts.ok += 1,
            // As in Ansible, what changed went well too.
            TaskEnding::Changed => {
                counts.ok += 1;
                counts.changed += 1;
            }
            // What the engine itself would have done is nobody's task.
            TaskEnding::Skipped => counts.skipped += u64::from(task.module != "meta"),
            TaskEnding::Failed => counts.failed += 1,
            TaskEnding::Ignored => {
                counts.ok += 1;
                counts.ignored += 1;
                // A loop may have changed something before an item failed.
                counts.changed += u64::from(result["changed"] == true);
            }
            TaskEnding::Rescued => counts.rescued += 1,
            TaskEnding::Unreachable => counts.unreachable = 1,
            TaskEnding::Unknown => counts.unknown += 1,
        }
        let severity = |ending: TaskEnding| match ending {
            TaskEnding::Unreachable => 3,
            TaskEnding::Unknown => 2,
            TaskEnding::Failed => 1,
            _ => 0,
        };
        if severity(*ending) > seen.why.as_ref().map_or(0, |(ending, _)| severity(*ending)) {
            let text = message.clone().unwrap_or_default();
            seen.why = Some((*ending, format!("{}: {text}", task.name)));
        }
    }

    /// What went wrong on a host decides no longer how it ended; the counts stay.
    pub fn forgive(&mut self, host: &str) {
        if let Some(seen) = self.hosts.get_mut(host) {
            seen.why = None;
        }
    }

    /// The recap of one host.
    pub fn recap(&self, host: &Arc<str>) -> HostRecap {
        let Some(seen) = self.hosts.get(host) else {
            return HostRecap { host: Arc::clone(host), ending: HostEnding::NotRun, counts: Counts::default(), why: None };
        };
        let counts = seen.counts;
        let ending = match &seen.why {
            Some((TaskEnding::Unreachable, _)) => HostEnding::Unreachable,
            Some((TaskEnding::Unknown, _)) => HostEnding::Unknown,
            Some((TaskEnding::Failed, _)) => HostEnding::Failed,
            _ if counts.changed > 0 => HostEnding::Changed,
            _ => HostEnding::Ok,
        };
        HostRecap { host: Arc::clone(host), ending, counts, why: seen.why.as_ref().map(|(_, text)| text.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::event::TaskInfo;

    fn ended(ending: TaskEnding) -> Event {
        let task = TaskInfo { id: 1, name: "t".into(), role: None, module: "m".into(), place: "p:1".into(), handler: false };
        Event::TaskEnded {
            task: Arc::new(task),
            host: Arc::from("a"),
            ending,
            changes: vec![],
            wanted: vec![],
            message: Some("m".into()),
            hint: None,
            result: serde_json::Value::Null,
            seconds: 0.0,
        }
    }

    #[test]
    fn the_worst_ending_decides() {
        use TaskEnding as T;
        let cases: &[(&[T], HostEnding)] = &[
            (&[], HostEnding::NotRun),
            (&[T::Ok, T::Skipped], HostEnding::Ok),
            (&[T::Ok, T::Changed], HostEnding::Changed),
            (&[T::Changed, T::Failed], HostEnding::Failed),
            (&[T::Failed, T::Unknown], HostEnding::Unknown),
            (&[T::Unknown, T::Unreachable], HostEnding::Unreachable),
            (&[T::Ignored, T::Rescued], HostEnding::Ok),
        ];
        for (endings, expected) in cases {
            let mut tally = Tally::default();
            endings.iter().for_each(|ending| tally.event(&ended(*ending)));
            assert_eq!(tally.recap(&Arc::from("a")).ending, *expected, "{endings:?}");
        }
    }
}
