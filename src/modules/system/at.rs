//! `at`: a command that is run once, later.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::tool::Tool;
use crate::accounts::group::Presence;
use crate::change::{Change, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words::expand_path;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// A unit of time.
    pub enum Unit {
        /// Minutes.
        Minutes = "minutes",
        /// Hours.
        Hours = "hours",
        /// Days.
        Days = "days",
        /// Weeks.
        Weeks = "weeks",
    }
}

args! {
    /// Has a command, or a script that is on the host, run once at a later time, with the host's `at`.
    pub struct Args {
        /// The command.
        command: Option<String>,
        /// The script.
        script_file: Option<PathBuf>,
        /// In how many units of time.
        count: Option<u32>,
        /// The unit of time.
        units: Option<Unit>,
        /// Whether there is such a job; to be absent, all such jobs are removed.
        state: Presence = Presence::Present,
        /// Whether none is added where there is one already.
        unique: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: In twenty minutes, once
  at:
    command: systemctl stop app
    count: 20
    units: minutes
    unique: true
- name: Not any more
  at:
    command: poweroff
    state: absent
";

const AT: Tool = Tool::new("at", "at");
const ATQ: Tool = Tool::new("atq", "at");
const ATRM: Tool = Tool::new("atrm", "at");

/// Longest script (bytes).
const LONGEST: u64 = 1 << 20;

/// The module.
pub struct At;

/// The jobs that run the same.
#[derive(Debug, Clone)]
pub struct State {
    script: String,
    jobs: Vec<String>,
    there: bool,
    /// Whether it matters what is there: else a job is added every time.
    managed: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        match (self.managed, self.there) {
            (false, _) => Vec::new(),
            (true, false) => vec![ResourceState::absent(id(&self.script))],
            (true, true) => vec![ResourceState::present(id(&self.script))],
        }
    }
}

fn id(script: &str) -> ResourceId {
    ResourceId::new("at", script.lines().next().unwrap_or_default())
}

/// Whether a job, as `at -c` shows it, runs this: whole lines of it, after what sets it up.
fn runs(shown: &str, script: &str) -> bool {
    shown.contains(&format!("\n{}\n", script.trim_matches('\n')))
}

impl Resource for At {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let script = match (&args.command, &args.script_file) {
            (Some(command), None) => command.clone(),
            (None, Some(path)) => {
                let path = expand_path(path, host);
                let bytes = host.read(&path, LONGEST)?;
                String::from_utf8(bytes).map_err(|_| Failure::at("schedule", &path, "it is not text"))?
            }
            (None, None) => return Err(Failure::new("one of the following is required: command, script_file")),
            (Some(_), Some(_)) => return Err(Failure::new("parameters are mutually exclusive: command|script_file")),
        };
        if script.trim().is_empty() || script.contains('\0') {
            return Err(Failure::new("there is nothing to run"));
        }
        if args.state == Presence::Present && (args.count.is_none() || args.units.is_none()) {
            return Err(Failure::new("present state requires count and units"));
        }
        let managed = args.unique || args.state == Presence::Absent;
        let planned = host.thing(&id(&script));
        let mut jobs = Vec::new();
        if managed && planned.is_none() {
            let queue = ATQ.answer([""; 0], host)?.ok_or_else(|| Failure::unknown("`at` is not installed yet"))?;
            for job in queue.lines().filter_map(|line| line.split_whitespace().next()) {
                // A job may have run meanwhile.
                let shown = AT.ask(["-c", job], host)?.filter(|output| output.rc == 0);
                if shown.is_some_and(|output| runs(&output.text(), &script)) {
                    jobs.push(job.to_owned());
                }
            }
        }
        let there = planned.map_or(!jobs.is_empty(), |thing| thing != Thing::Gone);
        Ok(State { script, jobs, there, managed })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Ok(State { there: args.state == Presence::Present, ..now.clone() })
    }

    fn runs(_: &Args, now: &State, _: &State) -> Vec<Change> {
        if now.managed { Vec::new() } else { vec![Change::run(id(&now.script))] }
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let script = &step.want.script;
        if args.state == Presence::Absent {
            ATRM.act(step.now.jobs.iter().map(String::as_str), &[Effect::Thing(id(script), Thing::Gone)], host)?;
            return Ok(Written::quiet());
        }
        let (Some(count), Some(units)) = (args.count, args.units) else {
            return Err(Failure::new("present state requires count and units"));
        };
        let mut line = AT.line(["now", "+", &count.to_string(), units.word()]);
        line.stdin = Some(format!("{}\n", script.trim_end_matches('\n')).into_bytes());
        AT.run(&line, &[Effect::Thing(id(script), Thing::There(String::new()))], host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let mut fields = json!({"state": args.state.word()}).as_object().cloned().unwrap_or_default();
        if let Some(path) = &args.script_file {
            fields.insert("script_file".into(), path.display().to_string().into());
        }
        fields.extend(args.count.map(|count| ("count".to_owned(), count.into())));
        fields.extend(args.units.map(|units| ("units".to_owned(), units.word().into())));
        fields
    }

    fn claims(args: &Args) -> Claims {
        let script = args.script_file.as_ref().map(|path| ResourceId::new("file", path.display().to_string()));
        let name = args.command.clone().or(script.as_ref().map(|id| id.name.clone())).unwrap_or_default();
        let package = ResourceId::new("package", "at");
        Claims::provides([id(&name)]).needing(script.into_iter().chain([package]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_is_known_by_whole_lines() {
        let shown = "#!/bin/sh\ncd /root || {\n exit 1\n}\npoweroff -h\n\n";
        for (script, expected) in [("poweroff -h", true), ("poweroff -h\n", true), ("poweroff", false), ("cd /root", false)] {
            assert_eq!(runs(shown, script), expected, "{script}");
        }
    }
}
