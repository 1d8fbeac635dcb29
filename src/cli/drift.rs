//! `stead drift`.

use std::process::ExitCode;

use clap::Args;
use stead::drift::Collector;
use stead::history::Store;
use stead::lint;
use stead::run::event::RunMode;
use stead::run::summary::{Summary, exit_code};

use super::plan::Shared;
use super::run_args::RunArgs;
use super::ui::{Junit, Sinks};
use super::{USAGE, complain, prepare};

/// Compare hosts with the playbooks and with the last apply. Touches nothing.
///
/// A difference is out-of-band (the host moved), config-ahead (the playbooks moved and were not
/// applied) or never-applied; hosts that do not answer are findings too.
#[derive(Debug, Args)]
pub(crate) struct Drift {
    #[command(flatten)]
    run: RunArgs,
}

impl Drift {
    pub(crate) fn run(self) -> ExitCode {
        self.report().unwrap_or_else(|code| code)
    }

    fn report(&self) -> Result<ExitCode, ExitCode> {
        let args = &self.run;
        let unreadable = |error: &dyn std::fmt::Display| {
            complain(&error.to_string(), Some("`--history FILE` names another record"));
            ExitCode::from(USAGE)
        };
        let prepared = prepare::prepare(&prepare::Written::files(&args.playbooks), &args.hosts, args.lab)?;
        let history = args.history(&prepared.environment.config);
        let mut store = Store::open(&history).map_err(|error| unreadable(&error))?;
        let tags = prepare::tags(&args.tags, &args.skip_tags, &prepared);
        prepare::show(&lint::unknown_tags(&prepared.playbooks, &prepared.loader, &tags), &prepared.map);
        let settings = prepare::run_settings(RunMode::Drift, &args.hosts, tags, &prepared)?;
        let (collector, summary) = (Shared::<Collector>::default(), Shared::<Summary>::default());
        let mut sinks = Sinks(vec![Box::new(collector.clone()), Box::new(summary.clone())]);
        if let Some(path) = &args.junit {
            sinks.0.push(Box::new(Junit::new(path)));
        }
        prepare::run(prepared, settings, sinks)?;
        let collector = std::mem::take(&mut *collector.0.lock().expect("no reader panics"));
        let report = collector.finish(&mut store).map_err(|error| unreadable(&error))?;
        if args.json {
            super::inventory::print_json(&serde_json::to_value(&report).expect("a report is plain data"));
        } else {
            anstream::print!("{}", report.text());
        }
        let summary = summary.0.lock().expect("no reader panics");
        Ok(ExitCode::from(exit_code(RunMode::Drift, &summary, false)))
    }
}
