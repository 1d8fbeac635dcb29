//! The contract of modules that do something once (command, shell, reboot ...).

use crate::args::Arguments;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::{Failure, Outcome};

/// A module whose effect cannot be read back. A plan evaluates only `guard`; if that lets it run,
/// the planned outcome is unknown.
pub trait Command {
    /// The options, declared with [`args!`](crate::args!).
    type Args: Arguments;

    /// Decides without running whether there is anything to do (`creates`, `removes`): the outcome
    /// (usually skipped or ok) if not, `None` if it would run.
    fn guard(args: &Self::Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure>;

    /// Runs it.
    fn run(args: &Self::Args, host: &mut dyn Host) -> Result<Outcome, Failure>;

    /// What is shown in a plan as the thing that would run, e.g. the command line.
    fn describe(args: &Self::Args) -> String;

    /// Whether running it is a change by itself. Otherwise a plan says only that its result is not known.
    fn is_change(args: &Self::Args) -> bool {
        let _ = args;
        true
    }

    /// What this task touches, as far as its options say.
    fn claims(args: &Self::Args) -> Claims {
        let _ = args;
        Claims::everything()
    }
}
