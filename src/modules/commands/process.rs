//! What command, shell and script share: guards, running, and the result fields.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::{glob, words};
use crate::change::{Change, ResourceId};
use crate::host::{CommandLine, Effect, Host, Inspect, Output};
use crate::outcome::{Ending, Failure, Outcome};

/// Why a guard keeps a command from running.
pub(crate) struct Guarded {
    /// `true`: the path of `creates` is there; `false`: that of `removes` is not.
    pub exists: bool,
    /// The path as written.
    pub path: String,
}

impl Guarded {
    /// The `stdout` of a command that was not run.
    pub(crate) fn skipped(&self) -> String {
        let what = if self.exists { "exists" } else { "does not exist" };
        format!("skipped, since {} {what}", self.path)
    }

    /// The `msg` of a command that was not run.
    pub(crate) fn message(&self, acts: bool) -> String {
        let did = if acts { "Did" } else { "Would" };
        let what = if self.exists { "exists" } else { "does not exist" };
        format!("{did} not run command since '{}' {what}", self.path)
    }
}

/// Looks at `creates` and `removes` (patterns are allowed), relative to `chdir`.
pub(crate) fn guard(creates: Option<&Path>, removes: Option<&Path>, chdir: Option<&Path>, host: &dyn Inspect) -> Option<Guarded> {
    let there = |path: &Path| {
        let path = words::expand_path(path, host);
        let path = chdir.map_or_else(|| path.clone(), |directory| words::expand_path(directory, host).join(&path));
        !glob::glob(&path, host).is_empty()
    };
    let guarded = |exists, path: &Path| Guarded { exists, path: words::expand_path(path, host).display().to_string() };
    if let Some(path) = creates.filter(|path| there(path)) {
        return Some(guarded(true, path));
    }
    removes.filter(|path| !there(path)).map(|path| guarded(false, path))
}

/// The outcome of a guarded command or shell: ok, not changed; the fields are those of a run.
pub(crate) fn guarded_outcome(guarded: &Guarded, cmd: Value, host: &dyn Inspect) -> Outcome {
    let mut result = Map::new();
    result.insert("cmd".into(), cmd);
    for field in ["start", "end", "delta"] {
        result.insert(field.into(), Value::Null);
    }
    result.insert("rc".into(), 0.into());
    result.insert("msg".into(), guarded.message(host.acts()).into());
    streams(&mut result, &guarded.skipped(), "");
    Outcome::new(Ending::Ok, result)
}

/// Where a command runs; an error where the directory is not there.
pub(crate) fn directory(chdir: Option<&Path>, host: &dyn Inspect) -> Result<Option<PathBuf>, Failure> {
    let Some(chdir) = chdir.map(|path| words::expand_path(path, host)) else { return Ok(None) };
    if !glob::exists(&chdir, host) {
        return Err(Failure::new(format!("Unable to change directory before execution: `{}` does not exist", chdir.display())));
    }
    Ok(Some(chdir))
}

/// Runs a command and makes the result fields of command and shell.
pub(crate) fn run(line: &CommandLine, cmd: Value, name: String, strip: bool, host: &mut dyn Host) -> Outcome {
    timed(cmd, name, strip, host, |host| host.act(line, &[]))
}

/// Runs something and makes the result fields of a command.
pub(crate) fn timed(
    cmd: Value,
    name: String,
    strip: bool,
    host: &mut dyn Host,
    act: impl FnOnce(&mut dyn Host) -> Result<Output, Failure>,
) -> Outcome {
    let start = host.now();
    let ran = act(host);
    let end = host.now();
    let mut result = Map::new();
    result.insert("cmd".into(), cmd);
    let output = match ran {
        Ok(output) => output,
        Err(failure) => {
            result.insert("rc".into(), 2.into());
            streams(&mut result, "", "");
            result.extend(failure.result);
            return Outcome::failed(Failure {
                message: format!("Error executing command: {}", failure.message),
                result,
                unknown: failure.unknown,
            });
        }
    };
    result.insert("start".into(), local_time(start).into());
    result.insert("end".into(), local_time(end).into());
    result.insert("delta".into(), duration(end - start).into());
    finish(&output, name, strip, result)
}

/// Adds exit status and output, and decides how it ended. Having run is a change, even if it failed.
pub(crate) fn finish(output: &Output, name: String, strip: bool, mut result: Map<String, Value>) -> Outcome {
    let (mut stdout, mut stderr) = (output.text(), output.error_text());
    if strip {
        for text in [&mut stdout, &mut stderr] {
            text.truncate(text.trim_end_matches(['\r', '\n']).len());
        }
    }
    result.insert("rc".into(), output.rc.into());
    streams(&mut result, &stdout, &stderr);
    let ending = if output.rc == 0 { Ending::Changed } else { Ending::Failed };
    result.insert("msg".into(), if output.rc == 0 { "" } else { "non-zero return code" }.into());
    let mut outcome = Outcome::new(ending, result);
    outcome.changes.push(Change::run(ResourceId::new("command", name)));
    outcome
}

/// Runs a tool that must succeed; the failure says what it said.
pub(crate) fn succeed(host: &mut dyn Host, line: &CommandLine, effects: &[Effect]) -> Result<Output, Failure> {
    let mut line = line.clone();
    line.environment.entry("LC_ALL".into()).or_insert_with(|| "C".into());
    let output = host.act(&line, effects)?;
    if output.rc == 0 {
        return Ok(output);
    }
    Err(failed(&line, &output))
}

/// The failure of a tool: what it said.
pub(crate) fn failed(line: &CommandLine, output: &Output) -> Failure {
    let said = [output.error_text(), output.text()];
    let said = said.iter().map(|text| text.trim()).find(|text| !text.is_empty()).unwrap_or("it said nothing");
    let mut failure = Failure::new(format!("`{}` failed with {}: {said}", line.argv.join(" "), output.rc)).with("rc", output.rc);
    streams(&mut failure.result, &output.text(), &output.error_text());
    failure
}

/// Asks a tool that only looks; `None` where it cannot be run or fails.
pub(crate) fn ask<const N: usize>(host: &dyn Inspect, argv: [&str; N]) -> Option<String> {
    let line = CommandLine::new(argv).env("LC_ALL", "C");
    host.query(&line).ok().filter(|output| output.rc == 0).map(|output| output.text())
}

/// Adds `stdout`, `stderr` and their lines.
pub(crate) fn streams(result: &mut Map<String, Value>, stdout: &str, stderr: &str) {
    result.insert("stdout".into(), stdout.into());
    result.insert("stderr".into(), stderr.into());
    result.insert("stdout_lines".into(), lines(stdout).into());
    result.insert("stderr_lines".into(), lines(stderr).into());
}

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| json!(line)).collect()
}

/// `2026-01-31 12:00:00.000001` in the host's time zone.
fn local_time(seconds: f64) -> String {
    let micros = (seconds * 1e6) as i64;
    jiff::Timestamp::from_microsecond(micros).map_or_else(
        |_| String::new(),
        |time| time.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string(),
    )
}

/// `0:00:01.000123`, as Python prints a time span.
fn duration(seconds: f64) -> String {
    let span = Duration::from_secs_f64(seconds.max(0.0));
    let whole = span.as_secs();
    format!("{}:{:02}:{:02}.{:06}", whole / 3600, whole / 60 % 60, whole % 60, span.subsec_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_look_like_pythons() {
        assert_eq!(duration(0.003_5), "0:00:00.003500");
        assert_eq!(duration(3_725.25), "1:02:05.250000");
    }

    #[test]
    fn a_failed_command_has_changed_something() {
        let output = Output { rc: 3, stdout: b"hi\n\n".to_vec(), stderr: Vec::new() };
        let outcome = finish(&output, "x".into(), true, Map::new());
        assert_eq!((outcome.ending, outcome.changes.len()), (Ending::Failed, 1));
        assert_eq!(outcome.result["stdout"], "hi");
        assert_eq!(outcome.result["msg"], "non-zero return code");
    }
}
