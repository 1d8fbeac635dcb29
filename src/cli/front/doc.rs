//! `ansible-doc`.

use std::process::ExitCode;

use clap::Parser;
use stead::{actions, docs};

use super::super::complain;
use super::exit;

/// Shows what is known of modules.
#[derive(Debug, Parser)]
#[command(name = "ansible-doc", version, arg_required_else_help = true)]
pub(crate) struct DocCli {
    /// Modules.
    #[arg(value_name = "PLUGIN")]
    plugins: Vec<String>,
    /// What kind of plugin; only modules are described.
    #[arg(short, long, value_name = "TYPE", default_value = "module")]
    r#type: String,
    /// List what there is.
    #[arg(short, long)]
    list: bool,
    /// A task with every option, to be filled in.
    #[arg(short, long)]
    snippet: bool,
    /// As JSON.
    #[arg(short, long)]
    json: bool,
    /// Say more.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl DocCli {
    pub(crate) fn run(self) -> ExitCode {
        if self.r#type != "module" {
            complain(
                &format!("plugins of the type `{}` are not described", self.r#type),
                Some("`stead docs` has pages on filters and lookups"),
            );
            return ExitCode::from(exit::ERROR);
        }
        let pages = docs::modules(actions::pages());
        if self.list {
            if self.json {
                let names: serde_json::Map<String, serde_json::Value> =
                    pages.iter().map(|page| (format!("ansible.builtin.{}", page.name), page.summary().into())).collect();
                super::super::inventory::print_json(&names.into());
            } else {
                anstream::print!("{}", docs::ansible_doc::names(&pages));
            }
            return ExitCode::SUCCESS;
        }
        let mut all = serde_json::Map::new();
        for name in &self.plugins {
            match docs::find(&pages, name) {
                Ok(page) if self.json => {
                    if let serde_json::Value::Object(one) = docs::ansible_doc::json(page) {
                        all.extend(one);
                    }
                }
                Ok(page) if self.snippet => anstream::print!("{}", docs::ansible_doc::snippet(page)),
                Ok(page) => anstream::print!("{}\n", docs::ansible_doc::page(page)),
                Err(hint) => {
                    complain(&format!("no module named `{name}`"), hint.as_deref());
                    return ExitCode::from(exit::ERROR);
                }
            }
        }
        if self.json {
            super::super::inventory::print_json(&all.into());
        }
        ExitCode::SUCCESS
    }
}
