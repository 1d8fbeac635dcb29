//! `raw`: a command line through the login shell, without the agent.

use stead_modules::args;
use stead_modules::change::{Change, ResourceId};
use stead_modules::outcome::Ending;

use super::{ActionContext, ActionError, Done};
use crate::vars::{Map, Value};

args! {
    /// Runs a command line through the login shell, without the agent: for hosts where nothing else works.
    pub struct Args {
        /// The command line.
        _raw_params ("free_form", "cmd"): String,
        /// The shell that runs it.
        executable: Option<String>,
    }
}

pub(super) async fn run(context: &ActionContext<'_>) -> Result<Done, ActionError> {
    let Some(line) = ["_raw_params", "free_form", "cmd"].iter().find_map(|name| context.text(name)) else {
        return Ok(Done::failed("`raw` needs a command"));
    };
    if context.plan {
        let mut done = Done::new(Ending::Unknown, Map::new());
        done.changes.push(Change::run(ResourceId::new("command", line)));
        return Ok(done);
    }
    let line = match context.text("executable") {
        Some(shell) => format!("{shell} -c {}", quote(&line)),
        None => line,
    };
    let output = context.agent.raw(&line).await?;
    let (stdout, stderr) =
        (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    let mut done = Done::new(if output.rc == 0 { Ending::Changed } else { Ending::Failed }, Map::new());
    if output.rc != 0 {
        done.message = Some("non-zero return code".to_owned());
        done.result.insert("msg".into(), Value::from("non-zero return code"));
    }
    let lines = |text: &str| Value::from(text.lines().map(Value::from).collect::<Vec<_>>());
    done.changes.push(Change::run(ResourceId::new("command", line)));
    done.result.insert("rc".into(), Value::Int(i64::from(output.rc)));
    done.result.insert("stdout_lines".into(), lines(&stdout));
    done.result.insert("stdout".into(), Value::from(stdout));
    done.result.insert("stderr_lines".into(), lines(&stderr));
    done.result.insert("stderr".into(), Value::from(stderr));
    Ok(done)
}

/// One word for a POSIX shell.
fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
