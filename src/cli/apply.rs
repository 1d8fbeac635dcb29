//! `stead apply`.

use std::process::ExitCode;

use clap::Args;
use stead::run::event::RunMode;

use super::plan;
use super::run_args::RunArgs;

/// Bring hosts to the state that playbooks describe.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    #[command(flatten)]
    run: RunArgs,
    /// Show the differences that are made.
    #[arg(short = 'D', long)]
    diff: bool,
    /// Exit with 2 when something was changed.
    #[arg(long)]
    detailed_exitcode: bool,
    /// Only plan: the same as `stead plan`.
    #[arg(short = 'C', long)]
    check: bool,
}

impl Apply {
    pub(crate) fn run(self) -> ExitCode {
        let mode = if self.check { RunMode::Plan } else { RunMode::Apply };
        let diff = self.diff || self.check;
        plan::run(&self.run, mode, diff, self.detailed_exitcode)
    }
}
