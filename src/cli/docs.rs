//! `stead docs`.

use std::process::ExitCode;

use clap::Args;
use stead::{actions, docs};

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

impl Docs {
    pub(crate) fn run(self) -> ExitCode {
        let pages = docs::modules(actions::pages());
        let Some(name) = &self.module else {
            anstream::print!("{}", docs::list(&pages));
            return ExitCode::SUCCESS;
        };
        match docs::find(&pages, name) {
            Ok(page) if self.markdown => anstream::print!("{}", docs::markdown(page)),
            Ok(page) => anstream::print!("{}", docs::text(page)),
            Err(hint) => {
                return complain(
                    &format!("no module named `{name}`"),
                    Some(hint.as_deref().unwrap_or("`stead docs` lists the modules that there are")),
                );
            }
        }
        ExitCode::SUCCESS
    }
}
