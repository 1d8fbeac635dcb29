//! `ansible-inventory`.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use serde_json::{Map, Value, json};
use stead::run::escape::escape_line;

use super::super::complain;
use super::super::inventory::listed;
use super::super::prepare::{self, Prepared, Written};
use super::super::run_args::HostArgs;
use super::exit;

/// Shows inventory information.
#[derive(Debug, Parser)]
#[command(name = "ansible-inventory", version, arg_required_else_help = true)]
#[command(group(clap::ArgGroup::new("action").args(["list", "host", "graph"])))]
pub(crate) struct InventoryCli {
    /// With `--graph`: the group to begin with.
    #[arg(value_name = "GROUP", default_value = "all")]
    group: String,
    /// All hosts, as an inventory program prints them.
    #[arg(long)]
    list: bool,
    /// The variables of a host, as an inventory program prints them.
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// Groups as a tree.
    #[arg(long)]
    graph: bool,
    /// As YAML.
    #[arg(short, long, conflicts_with = "graph")]
    yaml: bool,
    /// Write to this file.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Directory whose group_vars and host_vars are used.
    #[arg(long, value_name = "DIRECTORY")]
    playbook_dir: Option<PathBuf>,
    #[command(flatten)]
    hosts: HostArgs,
}

impl InventoryCli {
    pub(crate) fn run(self) -> ExitCode {
        if !self.list && !self.graph && self.host.is_none() {
            complain("one of `--list`, `--host` and `--graph` is needed", None);
            return ExitCode::from(exit::BAD_COMMAND);
        }
        // What stands beside a playbook of that directory counts, as it does for Ansible.
        let directory = self.playbook_dir.clone().unwrap_or_else(|| PathBuf::from("."));
        let beside = Written { path: directory.join("<inventory>"), text: Some("[]".to_owned()) };
        let Ok(prepared) = prepare::prepare(&[beside], &self.hosts, None) else {
            return ExitCode::from(exit::ERROR);
        };
        let inventory = &prepared.inventory;
        let text = if let Some(host) = &self.host {
            if !inventory.knows(host) {
                complain(&format!("no host named `{host}`"), None);
                return ExitCode::from(exit::BAD_COMMAND);
            }
            self.written(&Value::Object(listed(&prepared, host)))
        } else if self.graph {
            if !inventory.has_group(&self.group) {
                complain(&format!("no group named `{}`", self.group), None);
                return ExitCode::from(exit::BAD_COMMAND);
            }
            let mut text = String::new();
            Self::branch(&prepared, &self.group, 0, &mut text);
            text
        } else {
            let selection = match inventory.select("all", self.hosts.limit.as_deref()) {
                Ok(selection) => selection.hosts,
                Err(found) => {
                    prepare::show(&found, &prepared.map);
                    return ExitCode::from(exit::ERROR);
                }
            };
            if self.yaml {
                let wanted = selection.iter().map(|host| &**host).collect();
                let (name, tree) = nested(&prepared, "all", &wanted, &mut BTreeSet::new());
                self.written(&json!({ name: tree }))
            } else {
                let listing = inventory.listing(&selection, |host| listed(&prepared, host));
                self.written(&serde_json::to_value(listing).expect("an inventory is JSON"))
            }
        };
        match &self.output {
            None => anstream::print!("{text}"),
            Some(path) => {
                if let Err(error) = std::fs::write(path, text) {
                    complain(&format!("`{}` cannot be written: {error}", path.display()), None);
                    return ExitCode::from(exit::ERROR);
                }
            }
        }
        ExitCode::SUCCESS
    }

    fn written(&self, value: &Value) -> String {
        if self.yaml {
            return serde_yaml::to_string(value).expect("JSON can be written as YAML");
        }
        let mut value = value.clone();
        value.sort_all_objects();
        let mut text = super::super::ui::indented_json(&value);
        text.push('\n');
        text
    }

    fn branch(prepared: &Prepared, group: &str, depth: usize, text: &mut String) {
        let line = |depth: usize, name: &str| match depth {
            0 => format!("{name}\n"),
            depth => format!("{}|--{name}\n", "  |".repeat(depth - 1) + "  "),
        };
        text.push_str(&line(depth, &format!("@{}:", escape_line(group))));
        for child in prepared.inventory.children_of(group) {
            Self::branch(prepared, &child, depth + 1, text);
        }
        for host in prepared.inventory.own_hosts_of(group) {
            text.push_str(&line(depth + 1, &escape_line(&host)));
        }
    }
}

/// A group with its children inside it; variables of a host stand where it comes first.
fn nested(prepared: &Prepared, group: &str, wanted: &BTreeSet<&str>, seen: &mut BTreeSet<String>) -> (String, Value) {
    let mut children = Map::new();
    for child in prepared.inventory.children_of(group) {
        let (name, value) = nested(prepared, &child, wanted, seen);
        if value.as_object().is_some_and(|map| !map.is_empty()) {
            children.insert(name, value);
        }
    }
    let mut hosts = Map::new();
    for host in prepared.inventory.own_hosts_of(group).iter().filter(|host| wanted.contains(&***host)) {
        let variables = if seen.insert(host.to_string()) { listed(prepared, host) } else { Map::new() };
        hosts.insert(host.to_string(), variables.into());
    }
    let mut value = Map::new();
    if !children.is_empty() {
        value.insert("children".into(), children.into());
    }
    if !hosts.is_empty() {
        value.insert("hosts".into(), hosts.into());
    }
    let mut value = Value::Object(value);
    value.sort_all_objects();
    (group.to_owned(), value)
}
