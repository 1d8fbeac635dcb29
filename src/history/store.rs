//! The record as a file: what it can be asked, and how it is written to.

use std::collections::BTreeMap;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::Value;
use stead_modules::change::{Observed, ResourceId};

use super::schema;
use crate::run::event::{Event, RunMode, TaskEnding};

/// The record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// Its folder or file could not be made.
    #[error("cannot make the record `{path}`: {source}")]
    Make {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// SQLite says no.
    #[error("the record `{path}` cannot be used: {source}")]
    Use {
        /// Where.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// A newer stead has written it.
    #[error("the record `{path}` was written by a newer version (format {found}, known up to {known})")]
    Newer {
        /// Where.
        path: PathBuf,
        /// Its format.
        found: usize,
        /// The newest format that this program knows.
        known: usize,
    },
    /// An entry is not what this program wrote.
    #[error("the record `{path}` holds an entry that cannot be read: {source}")]
    Entry {
        /// Where.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
}

/// A run as the record knows it.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRecord {
    /// Its id.
    pub id: String,
    /// What kind.
    pub mode: RunMode,
    /// Its playbooks.
    pub playbooks: Vec<String>,
    /// Hosts selected.
    pub hosts: usize,
    /// Seconds since the epoch.
    pub started: f64,
    /// How long it took; `None` where its end never came.
    pub seconds: Option<f64>,
    /// Whether it was interrupted.
    pub interrupted: bool,
}

/// What an apply last asked of a resource, and got.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The state; content and secrets as digests.
    pub state: Observed,
    /// `path:line` of the task.
    pub place: String,
    /// The task's name.
    pub task: String,
    /// The run.
    pub run: String,
    /// Seconds since the epoch.
    pub at: f64,
}

/// When a finding was first and last seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sighting {
    /// Seconds since the epoch.
    pub first: f64,
    /// Seconds since the epoch.
    pub last: f64,
}

/// An open record.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    connection: Connection,
}

impl Store {
    /// Opens the record; makes it, readable by its owner only, if it is not there.
    pub fn open(path: &Path) -> Result<Self, HistoryError> {
        let make = |source| HistoryError::Make { path: path.to_owned(), source };
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(make)?;
        }
        std::fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path).map_err(make)?;
        let usable = |source| HistoryError::Use { path: path.to_owned(), source };
        let mut connection = Connection::open(path).map_err(usable)?;
        // Another run may be writing; its transactions are short.
        connection.busy_timeout(Duration::from_secs(10)).map_err(usable)?;
        connection.pragma_update(None, "journal_mode", "WAL").map_err(usable)?;
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(usable)?;
        let found: usize = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(usable)?;
        if found > schema::VERSION {
            return Err(HistoryError::Newer { path: path.to_owned(), found, known: schema::VERSION });
        }
        schema::bring_up_to_date(&mut connection).map_err(usable)?;
        Ok(Self { path: path.to_owned(), connection })
    }

    fn failed(&self, source: rusqlite::Error) -> HistoryError {
        HistoryError::Use { path: self.path.clone(), source }
    }

    /// The last runs, newest first.
    pub fn runs(&self, most: usize) -> Result<Vec<RunRecord>, HistoryError> {
        let query = || -> rusqlite::Result<Vec<(RunRecord, String, String)>> {
            let mut statement = self.connection.prepare_cached(
                "SELECT id, mode, playbooks, hosts, started, seconds, interrupted FROM runs ORDER BY started DESC, id DESC LIMIT ?1",
            )?;
            let rows = statement.query_map([most], |row| {
                let record = RunRecord {
                    id: row.get(0)?,
                    mode: RunMode::Apply,
                    playbooks: Vec::new(),
                    hosts: row.get(3)?,
                    started: row.get(4)?,
                    seconds: row.get(5)?,
                    interrupted: row.get(6)?,
                };
                Ok((record, row.get(1)?, row.get(2)?))
            })?;
            rows.collect()
        };
        let rows = query().map_err(|error| self.failed(error))?;
        rows.into_iter()
            .map(|(record, mode, playbooks)| {
                Ok(RunRecord { mode: self.read(&mode)?, playbooks: self.read(&playbooks)?, ..record })
            })
            .collect()
    }

    /// All events of a run, in order.
    pub fn events(&self, run: &str) -> Result<Vec<Event>, HistoryError> {
        let query = || -> rusqlite::Result<Vec<String>> {
            let mut statement = self.connection.prepare_cached("SELECT event FROM events WHERE run = ?1 ORDER BY seq")?;
            let rows = statement.query_map([run], |row| row.get(0))?;
            rows.collect()
        };
        query().map_err(|error| self.failed(error))?.iter().map(|text| self.read(text)).collect()
    }

    /// What was last applied to a host, by resource.
    pub fn applied(&self, host: &str) -> Result<BTreeMap<ResourceId, Applied>, HistoryError> {
        let query = || -> rusqlite::Result<Vec<(Applied, String)>> {
            let mut statement = self
                .connection
                .prepare_cached("SELECT kind, name, present, place, task, run, at, properties FROM applied WHERE host = ?1")?;
            let rows = statement.query_map([host], |row| {
                let resource = ResourceId { kind: row.get(0)?, name: row.get(1)? };
                let state = Observed { resource, present: row.get(2)?, properties: Vec::new() };
                Ok((Applied { state, place: row.get(3)?, task: row.get(4)?, run: row.get(5)?, at: row.get(6)? }, row.get(7)?))
            })?;
            rows.collect()
        };
        let rows = query().map_err(|error| self.failed(error))?;
        rows.into_iter()
            .map(|(mut applied, properties)| {
                applied.state.properties = self.read(&properties)?;
                Ok((applied.state.resource.clone(), applied))
            })
            .collect()
    }

    /// Notes which findings (id, host) there are now, and returns when each was first and last seen.
    /// Findings of hosts that were looked at and that are not there any more are forgotten: should
    /// they come back, they are new.
    pub fn sighted(
        &mut self,
        findings: &[(String, String)],
        looked_at: &[String],
        at: f64,
    ) -> Result<BTreeMap<String, Sighting>, HistoryError> {
        let path = self.path.clone();
        let note = |connection: &mut Connection| -> rusqlite::Result<BTreeMap<String, Sighting>> {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let mut seen = BTreeMap::new();
            for (id, host) in findings {
                transaction
                    .prepare_cached("INSERT OR IGNORE INTO findings (id, host, first_seen, last_seen) VALUES (?1, ?2, ?3, ?3)")?
                    .execute(params![id, host, at])?;
                transaction.prepare_cached("UPDATE findings SET last_seen = ?2 WHERE id = ?1")?.execute(params![id, at])?;
                let first = transaction
                    .prepare_cached("SELECT first_seen FROM findings WHERE id = ?1")?
                    .query_row([id], |row| row.get(0))?;
                seen.insert(id.clone(), Sighting { first, last: at });
            }
            for host in looked_at {
                let known: Vec<String> = transaction
                    .prepare_cached("SELECT id FROM findings WHERE host = ?1")?
                    .query_map([host], |row| row.get(0))?
                    .collect::<rusqlite::Result<_>>()?;
                for id in known.iter().filter(|id| !seen.contains_key(*id)) {
                    transaction.prepare_cached("DELETE FROM findings WHERE id = ?1")?.execute([id])?;
                }
            }
            transaction.commit()?;
            Ok(seen)
        };
        note(&mut self.connection).map_err(|source| HistoryError::Use { path, source })
    }

    /// Writes events of a run, numbered from `first`, in one transaction; `at` is now.
    pub(super) fn write(
        &mut self,
        (run, mode): (&str, RunMode),
        first: u64,
        events: &[Event],
        at: f64,
    ) -> Result<(), HistoryError> {
        let applies = mode == RunMode::Apply;
        let path = self.path.clone();
        let write = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            for (number, event) in events.iter().enumerate() {
                write_event(&transaction, run, first + number as u64, event)?;
                if applies
                    && let Event::TaskEnded { task, host, ending: TaskEnding::Ok | TaskEnding::Changed, wanted, .. } = event
                {
                    for state in wanted {
                        write_applied(&transaction, host, state, (&task.place, &task.name, run, at))?;
                    }
                }
            }
            transaction.commit()
        };
        write(&mut self.connection).map_err(|source| HistoryError::Use { path, source })
    }

    fn read<T: serde::de::DeserializeOwned>(&self, text: &str) -> Result<T, HistoryError> {
        serde_json::from_str(text).map_err(|source| HistoryError::Entry { path: self.path.clone(), source })
    }
}

/// What was last applied to a host, according to the record at `path`; nothing where there is none.
pub fn applied(path: &Path, host: &str) -> Result<BTreeMap<ResourceId, Applied>, HistoryError> {
    if path.exists() { Store::open(path)?.applied(host) } else { Ok(BTreeMap::new()) }
}

fn json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("records hold nothing that JSON cannot")
}

fn write_event(connection: &Connection, run: &str, number: u64, event: &Event) -> rusqlite::Result<()> {
    if let Event::RunStarted { mode, playbooks, hosts, at, .. } = event {
        connection
            .prepare_cached("INSERT INTO runs (id, mode, playbooks, hosts, started) VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![run, json(mode), json(playbooks), hosts, at])?;
    }
    let host = match event {
        Event::TaskStarted { host, .. } | Event::ItemEnded { host, .. } | Event::TaskEnded { host, .. } => Some(&**host),
        Event::Note { host, .. } => host.as_deref(),
        _ => None,
    };
    connection.prepare_cached("INSERT INTO events (run, seq, host, event) VALUES (?1, ?2, ?3, ?4)")?.execute(params![
        run,
        number,
        host,
        json(event)
    ])?;
    if let Event::RunEnded { seconds, interrupted, .. } = event {
        connection
            .prepare_cached("UPDATE runs SET seconds = ?2, interrupted = ?3, ended = 1 WHERE id = ?1")?
            .execute(params![run, seconds, interrupted])?;
    }
    Ok(())
}

/// Notes what a task applied.
fn write_applied(
    connection: &Connection,
    host: &str,
    wanted: &Observed,
    (place, task, run, at): (&str, &str, &str, f64),
) -> rusqlite::Result<()> {
    let id = &wanted.resource;
    let known: Option<(bool, String)> = connection
        .prepare_cached("SELECT present, properties FROM applied WHERE host = ?1 AND kind = ?2 AND name = ?3")?
        .query_row(params![host, id.kind, id.name], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    // Several tasks may manage different properties of one resource.
    let mut properties: Vec<(String, Value)> = match known {
        Some((true, text)) if wanted.present => serde_json::from_str(&text).unwrap_or_default(),
        _ => Vec::new(),
    };
    for (name, value) in &wanted.properties {
        match properties.iter_mut().find(|(other, _)| other == name) {
            Some((_, old)) => old.clone_from(value),
            None => properties.push((name.clone(), value.clone())),
        }
    }
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO applied (host, kind, name, present, properties, place, task, run, at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![host, id.kind, id.name, wanted.present, json(&properties), place, task, run, at])?;
    Ok(())
}
