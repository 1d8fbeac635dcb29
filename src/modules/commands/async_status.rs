//! `async_status`: what became of a job that nobody waited for; and the file in which that stands.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::words;
use crate::change::{Change, ResourceId};
use crate::command::Command;
use crate::host::{Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};
use crate::{args, choice};

/// Longest status file (bytes).
const LONGEST: u64 = 24 << 20;

args! {
    /// Tells whether a job started with `async` has ended, and with which result.
    ///
    /// `finished` is true once it has; then the other fields are those of the job's own result, and it
    /// counts as changed or failed as the job does. Jobs are looked for in `~/.ansible_async`, or where
    /// `ANSIBLE_ASYNC_DIR` in the task's environment says.
    pub struct Args {
        /// The job: `ansible_job_id` of the task that started it.
        jid: String,
        /// What is asked.
        mode: Mode = Mode::Status,
    }
}

choice! {
    /// What is asked.
    pub enum Mode {
        /// How far it is.
        Status = "status",
        /// That what is kept of it is removed.
        Cleanup = "cleanup",
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Has it ended
  async_status:
    jid: j154579389425.32765
- name: Forget it
  async_status:
    jid: j154579389425.32765
    mode: cleanup
";

/// The module.
pub struct AsyncStatus;

/// Where jobs are kept on a host.
pub fn directory(host: &dyn Inspect) -> PathBuf {
    let named = host.env("ANSIBLE_ASYNC_DIR").filter(|path| !path.is_empty());
    PathBuf::from(words::expand_home(named.as_deref().unwrap_or("~/.ansible_async"), host))
}

/// What the file of a job holds while it runs.
pub fn running(job: &str) -> Map<String, Value> {
    Map::from_iter([
        ("started".to_owned(), Value::from(1)),
        ("finished".to_owned(), Value::from(0)),
        ("ansible_job_id".to_owned(), Value::from(job)),
    ])
}

/// What the file of a job holds when it has ended.
pub fn ended(outcome: Outcome) -> Map<String, Value> {
    // What failed after it had done something has changed something.
    let changed = outcome.ending == Ending::Changed || (outcome.ending == Ending::Failed && !outcome.changes.is_empty());
    let mut result = outcome.result;
    result.insert("changed".into(), Value::from(changed));
    if outcome.ending == Ending::Failed {
        result.insert("failed".into(), Value::from(true));
    }
    if outcome.ending == Ending::Skipped {
        result.insert("skipped".into(), Value::from(true));
    }
    result
}

/// Whether a name can be that of a job: no path.
fn is_job(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.') && !name.starts_with('.')
}

impl Command for AsyncStatus {
    type Args = Args;

    fn guard(_: &Args, _: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        Ok(None)
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        if !is_job(&args.jid) {
            return Err(Failure::new(format!("`{}` is not the name of a job", args.jid)));
        }
        let path = directory(host.inspect()).join(&args.jid);
        let about = |mut result: Map<String, Value>| {
            result.insert("ansible_job_id".into(), Value::from(args.jid.as_str()));
            result.insert("results_file".into(), Value::from(path.display().to_string()));
            result
        };
        let known = host.inspect().stat(&path)?.is_some();
        if !known {
            let result = about(Map::from_iter([("started".to_owned(), true.into()), ("finished".to_owned(), true.into())]));
            return Err(Failure { result, ..Failure::new("could not find job") });
        }
        if args.mode == Mode::Cleanup {
            host.remove(&path)?;
            let erased = Map::from_iter([("erased".to_owned(), Value::from(path.display().to_string()))]);
            return Ok(Outcome::new(Ending::Ok, about(erased)));
        }
        let text = host.inspect().read(&path, LONGEST)?;
        if text.is_empty() {
            return Ok(Outcome::new(Ending::Ok, about(Map::from_iter([("finished".to_owned(), false.into())]))));
        }
        let mut result: Map<String, Value> = serde_json::from_slice(&text).map_err(|error| {
            Failure::new(format!("could not parse job output: {error}")).with("started", true).with("finished", true)
        })?;
        // The file of a job that has ended holds the job's own result and nothing of ours.
        let finished = result.get("finished").is_none_or(|finished| finished.as_i64() == Some(1));
        let ending = match &result {
            _ if !finished => Ending::Ok,
            result if result.get("failed") == Some(&Value::Bool(true)) => Ending::Failed,
            result if result.get("skipped") == Some(&Value::Bool(true)) => Ending::Skipped,
            result if result.get("changed") == Some(&Value::Bool(true)) => Ending::Changed,
            _ => Ending::Ok,
        };
        let changed = result.remove("changed") == Some(Value::Bool(true));
        result.remove("failed");
        result.remove("skipped");
        result.insert("started".into(), true.into());
        result.insert("finished".into(), finished.into());
        let mut outcome = Outcome::new(ending, about(result));
        if finished && ending == Ending::Failed && changed {
            outcome.changes.push(Change::run(ResourceId::new("job", &args.jid)));
        }
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        format!("status of job {}", args.jid)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::memory::MemoryHost;

    fn status(content: Option<Value>, options: Value) -> Outcome {
        let mut host = MemoryHost::default();
        host.add_directory("/root/.ansible_async");
        host.add_user("root", 0, 0, "/root", "/bin/sh");
        if let Some(content) = content {
            host.add_file("/root/.ansible_async/j1.2", &content.to_string());
        }
        let run = crate::registry::find("async_status").unwrap().run;
        run(options.as_object().unwrap(), &mut host)
    }

    #[test]
    fn a_job_runs_until_its_file_holds_a_result() {
        let outcome = status(Some(running("j1.2").into()), json!({"jid": "j1.2"}));
        assert_eq!(
            (outcome.ending, &outcome.result["finished"], &outcome.result["started"]),
            (Ending::Ok, &json!(false), &json!(true))
        );
        let did = Outcome::new(Ending::Changed, Map::from_iter([("rc".to_owned(), json!(0))]));
        let outcome = status(Some(ended(did).into()), json!({"jid": "j1.2"}));
        assert_eq!(
            (outcome.ending, &outcome.result["finished"], &outcome.result["rc"]),
            (Ending::Changed, &json!(true), &json!(0))
        );
        let failed = Outcome::failed(Failure::new("no"));
        let outcome = status(Some(ended(failed).into()), json!({"jid": "j1.2"}));
        assert_eq!((outcome.ending, &outcome.result["msg"]), (Ending::Failed, &json!("no")));
    }

    #[test]
    fn a_job_that_is_not_there_has_failed_and_a_path_is_no_job() {
        let outcome = status(None, json!({"jid": "j1.2"}));
        assert_eq!((outcome.ending, &outcome.result["msg"]), (Ending::Failed, &json!("could not find job")));
        assert_eq!(outcome.result["finished"], json!(true));
        for name in ["../etc/passwd", ".", "a/b", ""] {
            assert_eq!(status(None, json!({"jid": name})).ending, Ending::Failed, "{name}");
        }
    }

    #[test]
    fn cleaning_up_removes_the_file() {
        let outcome = status(Some(running("j1.2").into()), json!({"jid": "j1.2", "mode": "cleanup"}));
        assert_eq!(outcome.result["erased"], json!("/root/.ansible_async/j1.2"));
    }
}
