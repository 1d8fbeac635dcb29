//! `stead plan`, and what it shares with `apply`.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Args;
use stead::run::event::{Event, EventSink, RunMode};
use stead::run::summary::{Summary, exit_code};

use super::prepare;
use super::run_args::RunArgs;
use super::ui::{Human, HumanOptions, Json, Junit, Sinks};

/// Show what an apply would change; touches nothing. Exit code 2 when changes are pending.
#[derive(Debug, Args)]
pub(crate) struct Plan {
    #[command(flatten)]
    run: RunArgs,
}

impl Plan {
    pub(crate) fn run(self) -> ExitCode {
        execute(&self.run, RunMode::Plan, true, false)
    }
}

/// A summary that is still wanted after the readers are gone.
#[derive(Clone, Default)]
pub(crate) struct Shared<T>(pub(crate) Arc<Mutex<T>>);

impl<T: EventSink> EventSink for Shared<T> {
    fn event(&mut self, event: &Event) {
        self.0.lock().expect("no reader panics").event(event);
    }
}

/// The readers that the arguments ask for.
pub(crate) fn readers(args: &RunArgs, diffs: bool) -> Sinks {
    let mut sinks = Sinks::default();
    if args.json {
        sinks.0.push(Box::new(Json::new(std::io::stdout())));
    } else {
        let options = HumanOptions::new(args.hosts.verbose);
        sinks.0.push(Box::new(Human::new(HumanOptions { diffs: diffs || options.diffs, ..options })));
    }
    if let Some(path) = &args.junit {
        sinks.0.push(Box::new(Junit::new(path)));
    }
    sinks
}

/// Applies or plans.
pub(crate) fn execute(args: &RunArgs, mode: RunMode, diffs: bool, detailed: bool) -> ExitCode {
    let prepared = match prepare::prepare(&args.playbooks, &args.hosts, args.lab) {
        Ok(prepared) => prepared,
        Err(code) => return code,
    };
    let settings = match prepare::run_settings(mode, &args.hosts, prepare::tags(args), &prepared) {
        Ok(settings) => settings,
        Err(code) => return code,
    };
    let summary = Shared::<Summary>::default();
    let mut sinks = readers(args, diffs);
    sinks.0.push(Box::new(summary.clone()));
    if let Err(code) = prepare::run(prepared, settings, sinks) {
        return code;
    }
    let summary = summary.0.lock().expect("no reader panics");
    ExitCode::from(exit_code(mode, &summary, detailed))
}
