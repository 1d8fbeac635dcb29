//! The one ordered stream that everything else is a fold over: screen, JSON, JUnit, records.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use stead_modules::change::{Change, Observed};

/// What kind of run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunMode {
    /// Changes hosts.
    Apply,
    /// Shows what an apply would do.
    Plan,
    /// A plan compared with the record of the last apply.
    Drift,
}

/// How a task ended on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskEnding {
    /// Nothing had to be done (in a plan: nothing will change).
    Ok,
    /// Something was done (in a plan: will change).
    Changed,
    /// A condition or guard said no.
    Skipped,
    /// It failed.
    Failed,
    /// It failed and `ignore_errors` said to go on.
    Ignored,
    /// It failed and a `rescue` took over.
    Rescued,
    /// The host could not be reached.
    Unreachable,
    /// Apply: the link was lost while it ran. Plan: cannot be known before it is applied.
    Unknown,
}

/// A task as events name it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskInfo {
    /// Unique in the run, the same on every host.
    pub id: u64,
    /// Its name as written (templates rendered for the first host where possible), or the module's.
    pub name: String,
    /// The role that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// The module, plain name.
    pub module: String,
    /// `path:line`.
    pub place: String,
    /// Whether it is a handler.
    pub handler: bool,
}

/// How a host ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostEnding {
    /// Every task was ok; nothing changed (or will).
    Ok,
    /// Every task was ok; something changed (or will).
    Changed,
    /// A task failed.
    Failed,
    /// It could not be reached.
    Unreachable,
    /// The link was lost in mid-operation, or (plan) something cannot be known.
    Unknown,
    /// Selected, but nothing was done (the run stopped before).
    NotRun,
    /// Locked by another run.
    Locked,
}

/// Counts of task endings on one host.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Tasks that had nothing to do, changed ones included (as Ansible counts).
    pub ok: u64,
    /// Tasks that changed something.
    pub changed: u64,
    /// Skipped tasks.
    pub skipped: u64,
    /// Failed tasks.
    pub failed: u64,
    /// Ignored failures.
    pub ignored: u64,
    /// Failures that were rescued.
    pub rescued: u64,
    /// 1 if the host was unreachable.
    pub unreachable: u64,
    /// Tasks whose outcome is not known.
    pub unknown: u64,
}

/// One line of the recap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecap {
    /// Inventory name.
    pub host: Arc<str>,
    /// How it ended.
    pub ending: HostEnding,
    /// Task endings.
    pub counts: Counts,
    /// Why, if it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// How bad a note is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoteLevel {
    /// For interest.
    Info,
    /// Something a user should look at.
    Warning,
}

/// Everything that happens in a run, in order. All text is already redacted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The first event.
    RunStarted {
        /// Unique id of the run (sortable by time).
        run: String,
        /// What kind.
        mode: RunMode,
        /// Playbook paths as given.
        playbooks: Vec<String>,
        /// Number of hosts selected by any play.
        hosts: usize,
        /// Seconds since the epoch.
        at: f64,
    },
    /// A play begins.
    PlayStarted {
        /// Its name or host pattern.
        play: String,
        /// Its hosts, in order.
        hosts: Vec<Arc<str>>,
        /// Upper bound of task nodes (without included ones).
        tasks: usize,
    },
    /// A task begins on a host.
    TaskStarted {
        /// Which.
        task: Arc<TaskInfo>,
        /// Where.
        host: Arc<str>,
    },
    /// One item of a loop ended on a host; the task's own end follows.
    ItemEnded {
        /// Which task.
        task: Arc<TaskInfo>,
        /// Where.
        host: Arc<str>,
        /// The item's label.
        item: String,
        /// How.
        ending: TaskEnding,
        /// What was (or would be) changed.
        changes: Vec<Change>,
        /// The failure's message, the reason of a skip or of not knowing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// The result as registered, redacted (empty when `no_log`).
        result: serde_json::Value,
    },
    /// A task ended on a host.
    TaskEnded {
        /// Which.
        task: Arc<TaskInfo>,
        /// Where.
        host: Arc<str>,
        /// How.
        ending: TaskEnding,
        /// What was (or would be) changed; of a loop: empty, its items said it.
        changes: Vec<Change>,
        /// What was asked for, for the record (loops: of all items).
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        wanted: Vec<Observed>,
        /// The failure's message, the reason of a skip or of not knowing, or debug's text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// What can be done about it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        hint: Option<String>,
        /// The result as registered, redacted (empty when `no_log`).
        result: serde_json::Value,
        /// Seconds that it took.
        seconds: f64,
    },
    /// Something worth saying.
    Note {
        /// How bad.
        level: NoteLevel,
        /// Which host, if one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<Arc<str>>,
        /// What.
        text: String,
    },
    /// The last event.
    RunEnded {
        /// Every selected host once; the sum of endings is the number selected.
        recap: Vec<HostRecap>,
        /// Seconds that the run took.
        seconds: f64,
        /// Whether it was interrupted.
        interrupted: bool,
    },
}

/// Takes events in order. Reporters, records and tests implement it.
pub trait EventSink: Send {
    /// Takes the next event.
    fn event(&mut self, event: &Event);
}
