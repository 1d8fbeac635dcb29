//! `stead facts`.

use std::process::ExitCode;
use std::sync::{Arc, Mutex};

use clap::Args;
use stead::playbook::TagSelection;
use stead::run::event::{Event, EventSink, RunMode};

use super::complain;
use super::prepare::{self, Written};
use super::run_args::HostArgs;
use super::ui::Sinks;

/// Show what hosts say of themselves, as JSON by host.
#[derive(Debug, Args)]
pub(crate) struct Facts {
    /// Which hosts.
    #[arg(default_value = "all", value_name = "PATTERN")]
    pattern: String,
    /// Only facts whose name matches, e.g. `ansible_default_ipv4` or `ansible_mem*`.
    #[arg(long, value_name = "NAME")]
    filter: Vec<String>,
    #[command(flatten)]
    hosts: HostArgs,
}

/// Keeps the facts that come by.
#[derive(Clone, Default)]
struct Collected(Arc<Mutex<serde_json::Map<String, serde_json::Value>>>, Arc<Mutex<Vec<String>>>);

impl EventSink for Collected {
    fn event(&mut self, event: &Event) {
        if let Event::TaskEnded { host, message: Some(message), ending, .. } = event
            && matches!(
                ending,
                stead::run::event::TaskEnding::Failed
                    | stead::run::event::TaskEnding::Unreachable
                    | stead::run::event::TaskEnding::Unknown
            )
        {
            self.1.lock().expect("no reader panics").push(format!("{host}: {message}"));
        }
    }
}

impl Facts {
    pub(crate) fn run(self) -> ExitCode {
        let filter =
            if self.filter.is_empty() { String::new() } else { format!("        filter: {}\n", serde_json::json!(self.filter)) };
        let options = if filter.is_empty() { String::new() } else { format!("\n{filter}") };
        let text = format!(
            "- hosts: {}\n  gather_facts: false\n  tasks:\n    - ansible.builtin.setup:{options}\n",
            serde_json::json!(self.pattern)
        );
        let written = Written { path: std::env::temp_dir().join("<facts>"), text: Some(text) };
        let prepared = match prepare::prepare(&[written], &self.hosts, None) {
            Ok(prepared) => prepared,
            Err(code) => return code,
        };
        let settings = match prepare::run_settings(RunMode::Plan, &self.hosts, TagSelection::default(), &prepared) {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        let collected = Collected::default();
        let state = match prepare::run(prepared, settings, Sinks(vec![Box::new(collected.clone())])) {
            Ok(state) => state,
            Err(code) => return code,
        };
        let mut all = collected.0.lock().expect("no reader panics").clone();
        for (name, host) in state.hosts.read().expect("the run is over").iter() {
            if let Some(facts) = host.facts().and_then(|facts| facts.to_json().ok()) {
                all.insert(name.to_string(), facts);
            }
        }
        super::inventory::print_json(&serde_json::Value::Object(all));
        let failed = collected.1.lock().expect("no reader panics").clone();
        for line in &failed {
            complain(line, None);
        }
        if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(5) }
    }
}
