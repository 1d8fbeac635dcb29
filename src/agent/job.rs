//! Tasks that nobody waits for (`async`): a process of their own that outlives the session, and a
//! file that says how far it is. Nothing of the task is on a command line or in a file: it is read
//! from standard input.
//!
//! The agent starts a keeper, the keeper writes the file and starts a worker; the worker does the
//! task and prints its outcome, the keeper writes that down, or ends the worker when its time is over.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use stead_modules::commands::async_status;
use stead_modules::host::Inspect;
use stead_modules::outcome::{Ending, Failure, Outcome};

use crate::wire::{Job, Task};

/// The argument by which the agent's program becomes a keeper.
pub const KEEPER: &str = "--keep-job";
/// The argument by which it becomes a worker.
pub const WORKER: &str = "--work";

/// Longest description of a job and longest outcome (bytes).
const LONGEST: u64 = 64 << 20;

/// What a keeper is told.
#[derive(Debug, Serialize, Deserialize)]
struct Order {
    task: Task,
    job: Job,
    directory: PathBuf,
}

/// Starts a task as a job: the outcome says that it was started, and under which name.
pub fn start(task: &Task, job: &Job, host: &dyn Inspect) -> Outcome {
    let order = Order { task: Task { job: None, ..task.clone() }, job: job.clone(), directory: async_status::directory(host) };
    match keeper(&order) {
        Ok(name) => Outcome::new(Ending::Changed, started(&name, &order.directory)),
        Err(error) => Outcome::failed(Failure::new(format!("cannot start a job: {error}"))),
    }
}

/// What a playbook learns of a job that was started.
pub fn started(name: &str, directory: &Path) -> Map<String, Value> {
    Map::from_iter([
        ("started".to_owned(), true.into()),
        ("finished".to_owned(), false.into()),
        ("ansible_job_id".to_owned(), name.into()),
        ("results_file".to_owned(), directory.join(name).display().to_string().into()),
    ])
}

/// Starts the keeper and waits until the job's file is there.
fn keeper(order: &Order) -> io::Result<String> {
    let mut child = Command::new("/proc/self/exe")
        .arg(KEEPER)
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(&serde_json::to_vec(order).expect("plain data"))?;
    drop(input);
    let mut said = String::new();
    io::BufReader::new(child.stdout.take().expect("it was asked for")).read_line(&mut said)?;
    let name = said.trim().strip_prefix("started ").map(str::to_owned);
    // Whoever ends first, the other does not care.
    std::thread::Builder::new().name("job".into()).spawn(move || child.wait())?;
    name.ok_or_else(|| io::Error::other(if said.is_empty() { "its keeper said nothing" } else { said.trim() }.to_owned()))
}

/// The keeper's program.
///
/// # Errors
///
/// The job's file could not be written.
pub fn keep() -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().take(LONGEST).read_to_end(&mut text)?;
    let order: Order = serde_json::from_slice(&text).map_err(io::Error::other)?;
    drop(text);
    // Out of the session's reach: what ends the session does not end the job.
    let _ = rustix::process::setsid();
    let name = format!("{}.{}", order.job.name, std::process::id());
    let path = order.directory.join(&name);
    let written = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&order.directory)
        .and_then(|()| write(&path, &async_status::running(&name)));
    let mut out = io::stdout();
    match &written {
        Ok(()) => writeln!(out, "started {name}")?,
        Err(error) => writeln!(out, "cannot write `{}`: {error}", path.display())?,
    }
    out.flush()?;
    written?;
    let seconds = order.job.seconds;
    let mut result = match work(&order.task, Duration::from_secs(seconds)) {
        Ok(outcome) => async_status::ended(outcome),
        Err(error) => async_status::ended(Outcome::failed(Failure::new(error.to_string()))),
    };
    result.insert("ansible_job_id".into(), name.into());
    write(&path, &result)
}

/// Writes the job's file: old or new, never in between.
fn write(path: &Path, content: &Map<String, Value>) -> io::Result<()> {
    let staged = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits() as i32)
        .open(&staged)?;
    file.write_all(&serde_json::to_vec(content).expect("plain data"))?;
    file.sync_all()?;
    std::fs::rename(&staged, path)
}

/// Starts the worker and waits for its outcome, at most so long.
fn work(task: &Task, within: Duration) -> io::Result<Outcome> {
    let mut child = Command::new("/proc/self/exe")
        .arg(WORKER)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let mut input = child.stdin.take().expect("it was asked for");
    input.write_all(&serde_json::to_vec(task).expect("plain data"))?;
    drop(input);
    let output = child.stdout.take().expect("it was asked for");
    let (tell, told) = mpsc::channel();
    std::thread::Builder::new().name("output".into()).spawn(move || {
        let mut text = Vec::new();
        let read = output.take(LONGEST).read_to_end(&mut text).map(|_| text);
        let _ = tell.send(read);
    })?;
    match told.recv_timeout(within) {
        Ok(text) => {
            let _ = child.wait();
            serde_json::from_slice(&text?)
                .map_err(|error| io::Error::other(format!("the job's worker ended without a result: {error}")))
        }
        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
            if let Some(group) = rustix::process::Pid::from_raw(child.id() as i32) {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            let _ = child.wait();
            Err(io::Error::other(format!("Job reached maximum time limit of {} seconds.", within.as_secs())))
        }
    }
}

/// The worker's program: does the task with `run` and prints its outcome.
///
/// # Errors
///
/// Standard input or output failed.
pub fn do_work(run: impl FnOnce(&Task) -> Outcome) -> io::Result<()> {
    let mut text = Vec::new();
    io::stdin().take(LONGEST).read_to_end(&mut text)?;
    let task: Task = serde_json::from_slice(&text).map_err(io::Error::other)?;
    let outcome = run(&task);
    io::stdout().write_all(&serde_json::to_vec(&outcome).expect("plain data"))
}
