//! `stead docs`.

use std::process::ExitCode;

use clap::Args;
use stead::{actions, docs};

use super::complain;

/// Describe modules: options, results, examples, what a plan can predict; and other pages of the manual.
#[derive(Debug, Args)]
pub(crate) struct Docs {
    /// The module or page; without one: a list of all.
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
            anstream::println!("\npages");
            for topic in docs::topics() {
                anstream::println!("  {}  {}", topic.name, topic.summary);
            }
            return ExitCode::SUCCESS;
        };
        let topic = docs::topic(name);
        if let Ok(topic) = topic {
            anstream::print!("{}", topic.text);
            return ExitCode::SUCCESS;
        }
        match docs::find(&pages, name) {
            Ok(page) if self.markdown => anstream::print!("{}", docs::markdown(page)),
            Ok(page) => anstream::print!("{}", docs::text(page)),
            Err(hint) => {
                let hint = hint.or(topic.err().flatten());
                return complain(
                    &format!("no module or page named `{name}`"),
                    Some(hint.as_deref().unwrap_or("`stead docs` lists what there is")),
                );
            }
        }
        ExitCode::SUCCESS
    }
}
