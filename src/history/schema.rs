//! Tables of the record, and how an older file is brought up to date.

use rusqlite::Connection;

/// Each step brings the file from one version to the next; `user_version` counts the steps taken.
const STEPS: &[&str] = &["
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        mode TEXT NOT NULL,
        playbooks TEXT NOT NULL,
        hosts INTEGER NOT NULL,
        started REAL NOT NULL,
        seconds REAL,
        interrupted INTEGER NOT NULL DEFAULT 0,
        ended INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    CREATE TABLE events (
        run TEXT NOT NULL REFERENCES runs (id),
        seq INTEGER NOT NULL,
        host TEXT,
        event TEXT NOT NULL,
        PRIMARY KEY (run, seq)
    ) WITHOUT ROWID;
    CREATE TABLE applied (
        host TEXT NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        present INTEGER NOT NULL,
        properties TEXT NOT NULL,
        place TEXT NOT NULL,
        task TEXT NOT NULL,
        run TEXT NOT NULL,
        at REAL NOT NULL,
        PRIMARY KEY (host, kind, name)
    ) WITHOUT ROWID;
    CREATE TABLE findings (
        id TEXT PRIMARY KEY,
        host TEXT NOT NULL,
        first_seen REAL NOT NULL,
        last_seen REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX findings_by_host ON findings (host);
"];

/// Makes or completes the tables.
pub(super) fn bring_up_to_date(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let version: usize = transaction.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    for (number, step) in STEPS.iter().enumerate().skip(version) {
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", number + 1)?;
    }
    transaction.commit()
}

/// The version that this program writes.
pub(super) const VERSION: usize = STEPS.len();
