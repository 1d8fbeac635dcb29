//! `ansible`: one module on the hosts of a pattern.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde_json::json;
use stead::playbook::TagSelection;
use stead::run::event::RunMode;

use super::super::plan::{Reporting, execute};
use super::super::prepare::{self, Written};
use super::super::run_args::HostArgs;
use super::super::ui::{AdHoc, Sinks};
use super::exit;

/// Defines and runs a single task against a set of hosts.
#[derive(Debug, Parser)]
#[command(name = "ansible", version, arg_required_else_help = true)]
pub(crate) struct AdHocCli {
    /// Which hosts.
    #[arg(value_name = "PATTERN")]
    pattern: String,
    #[command(flatten)]
    hosts: HostArgs,
    /// The module to run.
    #[arg(short, long, value_name = "NAME", default_value = "command")]
    module_name: String,
    /// Its options: `name=value` words, a command line, or JSON.
    #[arg(short = 'a', long = "args", value_name = "ARGS", default_value = "")]
    args: String,
    /// Change nothing; show what would be done.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show the differences that are made.
    #[arg(short = 'D', long)]
    diff: bool,
    /// One line for each host.
    #[arg(short, long)]
    one_line: bool,
    /// List the hosts that would be worked on.
    #[arg(long)]
    list_hosts: bool,
    /// Run in the background, for at most so many seconds.
    #[arg(short = 'B', long, value_name = "SECONDS")]
    background: Option<u64>,
    /// Look after it every so many seconds; 0: do not wait.
    #[arg(short = 'P', long, value_name = "SECONDS", default_value_t = 15)]
    poll: u64,
    /// Seconds after which the task is given up.
    #[arg(long, value_name = "SECONDS")]
    task_timeout: Option<u64>,
    /// Directory whose group_vars, host_vars and roles are used.
    #[arg(long, value_name = "DIRECTORY")]
    playbook_dir: Option<std::path::PathBuf>,
}

impl AdHocCli {
    pub(crate) fn run(self) -> ExitCode {
        let directory = self.playbook_dir.clone().unwrap_or_else(|| Path::new(".").to_owned());
        // It is not a file: what stands beside it is what is in the directory.
        let written = Written { path: directory.join("<ad-hoc>"), text: Some(self.play()) };
        let Ok(prepared) = prepare::prepare(&[written], &self.hosts, None) else {
            return ExitCode::from(exit::ERROR);
        };
        if self.list_hosts {
            return match prepared.inventory.select(&self.pattern, self.hosts.limit.as_deref()) {
                Ok(selection) => {
                    anstream::println!("  hosts ({}):", selection.hosts.len());
                    selection.hosts.iter().for_each(|host| anstream::println!("    {}", stead::run::escape::escape_line(host)));
                    ExitCode::SUCCESS
                }
                Err(found) => {
                    prepare::show(&found, &prepared.map);
                    ExitCode::from(exit::ERROR)
                }
            };
        }
        let mode = if self.check { RunMode::Plan } else { RunMode::Apply };
        let Ok(mut settings) = prepare::run_settings(mode, &self.hosts, TagSelection::default(), &prepared) else {
            return ExitCode::from(exit::ERROR);
        };
        settings.allow_no_hosts = true;
        let sinks = Sinks(vec![Box::new(AdHoc::new(self.one_line, self.diff))]);
        match execute(prepared, settings, Reporting { sinks, history: None }) {
            Ok(summary) => exit::code(&summary),
            Err(_) => ExitCode::from(exit::ERROR),
        }
    }

    /// The playbook that this is.
    fn play(&self) -> String {
        let trimmed = self.args.trim();
        let options = if trimmed.starts_with('{') {
            serde_json::from_str(trimmed).unwrap_or_else(|_| json!(trimmed))
        } else {
            json!(trimmed)
        };
        let mut task = serde_json::Map::new();
        task.insert(self.module_name.clone(), if options == json!("") { json!(null) } else { options });
        if let Some(seconds) = self.background {
            task.insert("async".into(), json!(seconds));
            task.insert("poll".into(), json!(self.poll));
        }
        if let Some(seconds) = self.task_timeout {
            task.insert("timeout".into(), json!(seconds));
        }
        json!([{"name": "Ansible Ad-Hoc", "hosts": self.pattern, "gather_facts": false, "tasks": [task]}]).to_string()
    }
}
