//! `ansible-playbook`.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use stead::playbook::start_at;
use stead::run::event::RunMode;

use super::super::complain;
use super::super::plan::{Reporting, execute};
use super::super::prepare::{self, Written};
use super::super::run_args::{HISTORY, HostArgs};
use super::super::ui::{Ansible, AnsibleOptions, Sinks};
use super::{exit, list};

/// Runs Ansible playbooks, executing the defined tasks on the targeted hosts.
#[derive(Debug, Parser)]
#[command(name = "ansible-playbook", version, arg_required_else_help = true)]
pub(crate) struct PlaybookCli {
    /// Playbooks, run one after another.
    #[arg(required = true, value_name = "PLAYBOOK")]
    playbooks: Vec<PathBuf>,
    #[command(flatten)]
    hosts: HostArgs,
    /// Only plays and tasks with one of these tags.
    #[arg(short, long, value_delimiter = ',', value_name = "TAGS")]
    tags: Vec<String>,
    /// Only plays and tasks without these tags.
    #[arg(long, value_delimiter = ',', value_name = "TAGS")]
    skip_tags: Vec<String>,
    /// Change nothing; show what would be done.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show the differences that are made.
    #[arg(short = 'D', long)]
    diff: bool,
    /// List the hosts that would be worked on.
    #[arg(long)]
    list_hosts: bool,
    /// List the tasks that would be run.
    #[arg(long)]
    list_tasks: bool,
    /// List the tags that there are.
    #[arg(long)]
    list_tags: bool,
    /// Only read the playbooks.
    #[arg(long)]
    syntax_check: bool,
    /// Begin with the task of this name (a pattern with `*` and `?`).
    #[arg(long, value_name = "NAME")]
    start_at_task: Option<String>,
    /// Ask about every task before it is run.
    #[arg(long)]
    step: bool,
}

impl PlaybookCli {
    pub(crate) fn run(mut self) -> ExitCode {
        if let Some(missing) = self.playbooks.iter().find(|path| !path.exists()) {
            complain(&format!("the playbook `{}` could not be found", missing.display()), None);
            return ExitCode::from(exit::ERROR);
        }
        self.tags = split_tags(&self.tags);
        self.skip_tags = split_tags(&self.skip_tags);
        let Ok(mut prepared) = prepare::prepare(&Written::files(&self.playbooks), &self.hosts, None) else {
            return ExitCode::from(exit::UNREACHABLE);
        };
        let tags = prepare::tags(&self.tags, &self.skip_tags, &prepared);
        if self.list_hosts || self.list_tasks || self.list_tags || self.syntax_check {
            let wanted = list::Wanted { hosts: self.list_hosts, tasks: self.list_tasks, tags: self.list_tags };
            return list::print(&prepared, &wanted, &tags, self.hosts.limit.as_deref());
        }
        if let Some(name) = &self.start_at_task {
            let playbooks = std::mem::take(&mut prepared.playbooks);
            match start_at(&playbooks, name) {
                Some(rest) => prepared.playbooks = rest,
                None => {
                    complain(&format!("no task named `{name}` to start at"), Some("`--list-tasks` shows the names"));
                    return ExitCode::from(exit::ERROR);
                }
            }
        }
        if self.step && !std::io::stdin().is_terminal() {
            complain("`--step` asks about every task, and there is no terminal to ask at", None);
            return ExitCode::from(exit::ERROR);
        }
        let mode = if self.check { RunMode::Plan } else { RunMode::Apply };
        let Ok(mut settings) = prepare::run_settings(mode, &self.hosts, tags, &prepared) else {
            return ExitCode::from(exit::ERROR);
        };
        settings.allow_no_hosts = true;
        settings.step = self.step;
        let config = &prepared.environment.config;
        let shows_skipped = config.flag("display_skipped_hosts").unwrap_or(true);
        let options = AnsibleOptions::new(self.hosts.verbosity(config), self.diff, shows_skipped);
        let history = config.path("history").unwrap_or(Path::new(HISTORY)).to_owned();
        let reporting = Reporting { sinks: Sinks(vec![Box::new(Ansible::new(options))]), history: Some(&history) };
        match execute(prepared, settings, reporting) {
            Ok(summary) => exit::code(&summary),
            Err(_) => ExitCode::from(exit::ERROR),
        }
    }
}

/// Tags may be separated by commas with spaces around them.
fn split_tags(tags: &[String]) -> Vec<String> {
    tags.iter().map(|tag| tag.trim().to_owned()).filter(|tag| !tag.is_empty()).collect()
}
