//! `stead plan`, and what it shares with `apply`.

use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use stead::history::{Recorder, Store};
use stead::lint;
use stead::run::event::{Event, EventSink, RunMode};
use stead::run::settings::RunSettings;
use stead::run::summary::{Summary, exit_code};

use super::prepare::{Prepared, Written};
use super::run_args::RunArgs;
use super::ui::{Human, HumanOptions, Json, Junit, Sinks};
use super::{complain, prepare};

/// Show what an apply would change; touches nothing. Exit code 2 when changes are pending.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    run: RunArgs,
}

impl Plan {
    pub(crate) fn run(self) -> ExitCode {
        run(&self.run, RunMode::Plan, true, false)
    }
}

/// A summary that is still wanted after the readers are gone.
#[derive(Default)]
pub(crate) struct Shared<T>(pub(crate) Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: EventSink> EventSink for Shared<T> {
    fn event(&mut self, event: &Event) {
        self.0.lock().expect("no reader panics").event(event);
    }
}

/// The readers that the arguments ask for.
pub(crate) fn readers(args: &RunArgs, verbosity: u8, diffs: bool) -> Sinks {
    let mut sinks = Sinks::default();
    if args.json {
        sinks.0.push(Box::new(Json::new(std::io::stdout())));
    } else {
        let options = HumanOptions::new(verbosity);
        sinks.0.push(Box::new(Human::new(HumanOptions { diffs: diffs || options.diffs, ..options })));
    }
    if let Some(path) = &args.junit {
        sinks.0.push(Box::new(Junit::new(path)));
    }
    sinks
}

/// Seconds since the epoch.
fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Who hears of a run.
pub(crate) struct Reporting<'a> {
    /// The readers of its events.
    pub(crate) sinks: Sinks,
    /// Where it is recorded.
    pub(crate) history: Option<&'a Path>,
}

/// Runs what was prepared; the summary of what happened.
pub(crate) fn execute(prepared: Prepared, settings: RunSettings, reporting: Reporting<'_>) -> Result<Summary, ExitCode> {
    let Reporting { mut sinks, history } = reporting;
    let summary = Shared::<Summary>::default();
    sinks.0.push(Box::new(summary.clone()));
    let mut problem = None;
    if let Some(history) = history.filter(|_| settings.mode == RunMode::Apply) {
        match Store::open(history) {
            Ok(store) => {
                let recorder = Recorder::new(store, now);
                problem = Some(recorder.problem());
                sinks.0.push(Box::new(recorder));
            }
            // Without a record nobody could say later what was applied.
            Err(error) => return Err(complain(&error.to_string(), Some("`--history FILE` names another record"))),
        }
    }
    prepare::run(prepared, settings, sinks)?;
    if let Some(error) = problem.and_then(|problem| problem.take()) {
        complain(&format!("the record of this run is not complete: {error}"), None);
    }
    let summary = summary.0.lock().expect("no reader panics").clone();
    Ok(summary)
}

/// Applies or plans as the arguments say.
pub(crate) fn run(args: &RunArgs, mode: RunMode, diffs: bool, detailed: bool) -> ExitCode {
    let prepared = match prepare::prepare(&Written::files(&args.playbooks), &args.hosts, args.lab) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let tags = prepare::tags(&args.tags, &args.skip_tags, &prepared);
    prepare::show(&lint::unknown_tags(&prepared.playbooks, &prepared.loader, &tags), &prepared.map);
    let settings = match prepare::run_settings(mode, &args.hosts, tags, &prepared) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    // A lab is gone afterwards: there is nothing to remember of it.
    let config = &prepared.environment.config;
    let history = args.lab.is_none().then(|| args.history(config));
    let sinks = readers(args, args.hosts.verbosity(config), diffs);
    match execute(prepared, settings, Reporting { sinks, history: history.as_deref() }) {
        Ok(summary) => ExitCode::from(exit_code(mode, &summary, detailed)),
        Err(code) => code,
    }
}
