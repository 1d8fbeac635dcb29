//! `stead docs`.

use std::process::ExitCode;

use clap::Args;
use stead::docs;

use super::complain;

/// Describe modules: options, results, examples, what a plan can predict.
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// The module; without one: a list of all.
    module: Option<String>,
    /// As Markdown.
    #[arg(long)]
    markdown: bool,
}
