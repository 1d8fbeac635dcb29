//! The contract of modules that only look (stat, slurp, facts ...).

use serde_json::{Map, Value};

use crate::args::Arguments;
use crate::host::Inspect;
use crate::outcome::Failure;

/// A module that looks and never touches. It runs the same in a plan.
pub trait Query {
    /// The options, declared with [`args!`](crate::args!).
    type Args: Arguments;

    /// The result fields that playbooks read.
    fn query(args: &Self::Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure>;
}
