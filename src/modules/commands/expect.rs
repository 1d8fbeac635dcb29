//! `expect`: runs a command on a terminal and answers what it asks.

use std::path::PathBuf;
use std::time::Duration;

use regex::bytes::Regex;
use serde_json::{Map, Value};

use super::process;
use crate::args;
use crate::command::Command;
use crate::files::pattern::{self, Lines};
use crate::host::{CommandLine, Dialogue, Host, Inspect, split_command};
use crate::outcome::{Ending, Failure, Outcome};

args! {
    /// Runs a command on a terminal of its own, without a shell, and answers its questions.
    ///
    /// Answers are never shown, unless the command or (with `echo`) the terminal repeats them.
    pub struct Args {
        /// The command and its arguments.
        command: String,
        /// Directory in which it runs.
        chdir: Option<PathBuf>,
        /// Path or pattern; if it exists, the command is not run.
        creates: Option<PathBuf>,
        /// Path or pattern; if it does not exist, the command is not run.
        removes: Option<PathBuf>,
        /// Regular expression of a question to its answer; a list gives an answer to each time it is asked.
        responses: Map<String, Value>,
        /// Seconds without a question that is known, after which the command is ended; `null` for none.
        timeout: Value = Value::from(30),
        /// Whether the terminal shows what is typed.
        echo: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A password is set
  expect:
    command: passwd admin
    responses:
      (?i)password: MySecret
- name: Several questions
  expect:
    command: /opt/setup.sh
    responses:
      Question: [one, two]
    timeout: 60
    creates: /etc/passwd
";

/// The module.
pub struct Expect;

/// A question and what is answered.
struct Response {
    key: String,
    question: Regex,
    /// Answers, one for each time; a single one is for every time.
    answers: Vec<String>,
    every: bool,
    asked: usize,
}

fn responses(args: &Args) -> Result<Vec<Response>, Failure> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    args.responses
        .iter()
        .map(|(key, value)| {
            let question = pattern::compile(key, Lines::Joined)?;
            let (answers, every) = match value {
                Value::Array(list) => (list.iter().map(text).collect(), false),
                one => (vec![text(one)], true),
            };
            Ok(Response { key: key.clone(), question, answers, every, asked: 0 })
        })
        .collect()
}

/// The answer to the first question in what was said, and where that ends.
fn answer(responses: &mut [Response], said: &[u8]) -> Result<Option<(usize, Vec<u8>)>, Failure> {
    let found = responses.iter_mut().filter_map(|response| {
        let found = response.question.find(said)?;
        // What matches nothing would match for ever.
        (!found.is_empty()).then_some((found.start(), found.end(), response))
    });
    let Some((_, end, response)) = found.min_by_key(|(start, _, _)| *start) else { return Ok(None) };
    let at = if response.every { 0 } else { response.asked };
    response.asked += 1;
    let answer =
        response.answers.get(at).ok_or_else(|| Failure::new(format!("No remaining responses for '{}'", response.key)))?;
    Ok(Some((end, format!("{}\n", answer.trim_end_matches('\n')).into_bytes())))
}

fn silence(timeout: &Value) -> Result<Option<Duration>, Failure> {
    let seconds = match timeout {
        Value::Null => return Ok(None),
        Value::String(text) if ["none", "null", ""].contains(&text.to_lowercase().as_str()) => return Ok(None),
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_f64(),
    };
    let time = seconds.and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok());
    time.map(Some).ok_or_else(|| Failure::new("option `timeout`: expected a number of seconds or `null`"))
}

impl Command for Expect {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        responses(args)?;
        silence(&args.timeout)?;
        let guarded = process::guard(args.creates.as_deref(), args.removes.as_deref(), args.chdir.as_deref(), host);
        Ok(guarded.map(|guarded| {
            let mut result = Map::new();
            result.insert("cmd".into(), args.command.clone().into());
            result.insert("rc".into(), 0.into());
            process::streams(&mut result, &guarded.skipped(), "");
            Outcome::new(Ending::Ok, result)
        }))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let argv = split_command(&args.command)
            .filter(|argv| !argv.is_empty())
            .ok_or_else(|| Failure::new("no command given, or a quotation mark in it is not closed").with("rc", 256))?;
        let chdir = process::directory(args.chdir.as_deref(), host)?;
        let line = CommandLine { argv, chdir, ..CommandLine::default() };
        let mut responses = responses(args)?;
        let mut answering = |said: &[u8]| answer(&mut responses, said);
        let mut dialogue = Dialogue { echo: args.echo, silence: silence(&args.timeout)?, answer: &mut answering };
        let mut outcome = process::timed(args.command.clone().into(), Self::describe(args), true, host, |host| {
            host.converse(&line, &[], &mut dialogue)
        });
        let message = outcome.result.get("msg").and_then(Value::as_str).unwrap_or_default();
        if let Some(plain) = message.strip_prefix("Error executing command: ").map(str::to_owned) {
            outcome.result.insert("msg".into(), plain.into());
        }
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        args.command.clone()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    fn args(options: &Value) -> Args {
        Args::parse(options.as_object().unwrap()).unwrap()
    }

    #[test]
    fn the_first_question_is_answered() {
        let args = args(&json!({"command": "x", "responses": {"(?i)password: ?": "s3cret", "Name": ["a", "b\n"], "^": "never"}}));
        let mut known = responses(&args).unwrap();
        let mut say = |text: &str| {
            answer(&mut known, text.as_bytes()).map(|found| found.map(|(at, reply)| (at, String::from_utf8(reply).unwrap())))
        };
        assert_eq!(say("hello\r\n"), Ok(None));
        assert_eq!(say("New PASSWORD: "), Ok(Some((14, "s3cret\n".into()))));
        assert_eq!(say("Name? password: "), Ok(Some((4, "a\n".into()))));
        assert_eq!(say("Name"), Ok(Some((4, "b\n".into()))));
        let failure = say("Name").unwrap_err();
        assert_eq!(failure.message, "No remaining responses for 'Name'");
    }

    #[test]
    fn a_time_is_a_number_or_nothing() {
        assert_eq!(silence(&json!("2.5")), Ok(Some(Duration::from_millis(2500))));
        assert_eq!((silence(&Value::Null), silence(&json!("None"))), (Ok(None), Ok(None)));
        assert!(silence(&json!(-1)).is_err() && silence(&json!("soon")).is_err());
    }
}
