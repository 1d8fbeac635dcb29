//! A sink that records a run as it happens, on a thread of its own so that nothing waits for a disk.

use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::store::{HistoryError, Store};
use crate::run::event::{Event, EventSink, RunMode};

/// Events that may wait to be written before the run is held back.
const WAITING: usize = 10_000;
/// Events in one transaction.
const BATCH: usize = 500;

/// Seconds since the epoch.
pub type Clock = fn() -> f64;

/// Writes what happens. What was written stays, whatever becomes of this process.
#[derive(Debug)]
pub struct Recorder {
    sender: Option<SyncSender<Message>>,
    writer: Option<JoinHandle<()>>,
    problem: Problem,
}

#[derive(Debug)]
enum Message {
    Event(Box<Event>),
    /// Everything up to here is to be written; then answer.
    Flush(Sender<()>),
}

/// What went wrong while recording, to be asked after the run.
#[derive(Debug, Clone, Default)]
pub struct Problem(Arc<Mutex<Option<HistoryError>>>);

impl Problem {
    /// The first problem, once.
    pub fn take(&self) -> Option<HistoryError> {
        self.0.lock().expect("nobody panics while noting a problem").take()
    }

    fn note(&self, error: HistoryError) {
        self.0.lock().expect("nobody panics while noting a problem").get_or_insert(error);
    }
}

impl Recorder {
    /// Records into `store`. The clock tells when something was applied.
    pub fn new(store: Store, clock: Clock) -> Self {
        let (sender, receiver) = sync_channel(WAITING);
        let problem = Problem::default();
        let noted = problem.clone();
        let writer = std::thread::Builder::new()
            .name("history".into())
            .spawn(move || Writer { store, clock, run: None, next: 0, broken: false, problem: noted }.run(&receiver))
            .expect("a thread can be started");
        Self { sender: Some(sender), writer: Some(writer), problem }
    }

    /// Where problems are noted; to be kept before the recorder is handed to a run.
    pub fn problem(&self) -> Problem {
        self.problem.clone()
    }

    fn send(&self, message: Message) {
        if let Some(sender) = &self.sender {
            // The writer lives as long as the sender, unless it panicked; then nothing can be recorded.
            let _ = sender.send(message);
        }
    }
}

impl EventSink for Recorder {
    fn event(&mut self, event: &Event) {
        self.send(Message::Event(Box::new(event.clone())));
        if matches!(event, Event::RunEnded { .. }) {
            let (done, wait) = channel();
            self.send(Message::Flush(done));
            let _ = wait.recv();
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

struct Writer {
    store: Store,
    clock: Clock,
    run: Option<(String, RunMode)>,
    next: u64,
    broken: bool,
    problem: Problem,
}

impl Writer {
    fn run(mut self, receiver: &Receiver<Message>) {
        // What has piled up while the last batch was written makes the next one.
        while let Ok(first) = receiver.recv() {
            let mut events = Vec::new();
            let mut flushed = Vec::new();
            let mut take = |message, events: &mut Vec<Event>| match message {
                Message::Event(event) => events.push(*event),
                Message::Flush(done) => flushed.push(done),
            };
            take(first, &mut events);
            while events.len() < BATCH
                && let Ok(message) = receiver.try_recv()
            {
                take(message, &mut events);
            }
            self.write(&events);
            for done in flushed {
                let _ = done.send(());
            }
        }
    }

    fn write(&mut self, events: &[Event]) {
        for event in events {
            if let Event::RunStarted { run, mode, .. } = event {
                self.run = Some((run.clone(), *mode));
                self.next = 0;
            }
        }
        let Some((run, mode)) = self.run.as_ref().filter(|_| !self.broken && !events.is_empty()) else { return };
        match self.store.write((run, *mode), self.next, events, (self.clock)()) {
            Ok(()) => self.next += events.len() as u64,
            Err(error) => {
                // A record with holes would say what did not happen.
                self.broken = true;
                self.problem.note(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::{Value, json};
    use stead_modules::change::{Observed, ResourceId};

    use super::*;
    use crate::run::event::{TaskEnding, TaskInfo};

    fn started(run: &str, mode: RunMode) -> Event {
        Event::RunStarted { run: run.into(), mode, playbooks: vec!["site.yml".into()], hosts: 1, at: 5.0 }
    }

    fn ended(ending: TaskEnding, wanted: Vec<Observed>) -> Event {
        let task = TaskInfo {
            id: 1,
            name: "motd".into(),
            role: None,
            module: "copy".into(),
            place: "site.yml:3".into(),
            handler: false,
        };
        Event::TaskEnded {
            task: Arc::new(task),
            host: "web1".into(),
            ending,
            changes: Vec::new(),
            wanted,
            message: None,
            hint: None,
            result: Value::Null,
            seconds: 0.1,
        }
    }

    fn wanted(present: bool, properties: &[(&str, Value)]) -> Observed {
        let properties = properties.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        Observed { resource: ResourceId::new("file", "/etc/motd"), present, properties }
    }

    fn record(path: &Path, events: &[Event]) {
        let mut recorder = Recorder::new(Store::open(path).unwrap(), || 7.0);
        let problem = recorder.problem();
        for event in events {
            recorder.event(event);
        }
        drop(recorder);
        assert!(problem.take().is_none());
    }

    #[test]
    fn events_can_be_read_back_and_a_run_without_an_end_is_there_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".stead/history.sqlite3");
        let first = vec![
            started("r1", RunMode::Apply),
            ended(TaskEnding::Ok, vec![]),
            Event::RunEnded { recap: vec![], seconds: 2.0, interrupted: false },
        ];
        record(&path, &first);
        record(&path, &[started("r2", RunMode::Plan)]);
        let store = Store::open(&path).unwrap();
        assert_eq!(store.events("r1").unwrap(), first);
        let runs = store.runs(10).unwrap();
        let short: Vec<_> = runs.iter().map(|run| (run.id.as_str(), run.mode, run.seconds)).collect();
        assert_eq!(short, [("r2", RunMode::Plan, None), ("r1", RunMode::Apply, Some(2.0))]);
    }

    #[test]
    fn the_last_applied_state_is_kept_by_property() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("history.sqlite3");
        let mode = |mode: &str| wanted(true, &[("mode", json!(mode))]);
        record(&path, &[started("r1", RunMode::Apply), ended(TaskEnding::Changed, vec![mode("0644")])]);
        record(&path, &[started("r2", RunMode::Apply), ended(TaskEnding::Ok, vec![wanted(true, &[("owner", json!("www"))])])]);
        // None of these is an apply that reached what it wanted.
        record(&path, &[started("r3", RunMode::Plan), ended(TaskEnding::Changed, vec![mode("0600")])]);
        record(&path, &[started("r4", RunMode::Apply), ended(TaskEnding::Failed, vec![mode("0600")])]);
        let applied = applied(&path, "web1");
        let motd = &applied[&ResourceId::new("file", "/etc/motd")];
        assert_eq!(motd.state, wanted(true, &[("mode", json!("0644")), ("owner", json!("www"))]));
        assert_eq!((motd.run.as_str(), motd.place.as_str(), motd.at), ("r2", "site.yml:3", 7.0));
        record(&path, &[started("r5", RunMode::Apply), ended(TaskEnding::Changed, vec![wanted(false, &[])])]);
        assert_eq!(super::tests::applied(&path, "web1")[&ResourceId::new("file", "/etc/motd")].state, wanted(false, &[]));
    }

    fn applied(path: &Path, host: &str) -> std::collections::BTreeMap<ResourceId, crate::history::Applied> {
        crate::history::applied(path, host).unwrap()
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "times come back as they were written")]
    fn findings_keep_their_first_sight_until_they_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = Store::open(&folder.path().join("h")).unwrap();
        let finding = vec![("f1".to_owned(), "web1".to_owned())];
        let hosts = vec!["web1".to_owned()];
        store.sighted(&finding, &hosts, 1.0).unwrap();
        let again = store.sighted(&finding, &hosts, 2.0).unwrap();
        assert_eq!((again["f1"].first, again["f1"].last), (1.0, 2.0));
        // Not looked at: not gone.
        store.sighted(&[], &[], 3.0).unwrap();
        assert_eq!(store.sighted(&finding, &hosts, 4.0).unwrap()["f1"].first, 1.0);
        store.sighted(&[], &hosts, 5.0).unwrap();
        assert_eq!(store.sighted(&finding, &hosts, 6.0).unwrap()["f1"].first, 6.0);
    }

    #[test]
    fn a_record_of_a_newer_version_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("h");
        drop(Store::open(&path).unwrap());
        rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        assert!(matches!(Store::open(&path), Err(HistoryError::Newer { found: 99, .. })));
    }
}
