//! `service_facts`: all services and their state.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::args;
use crate::commands::process::ask;
use crate::host::{CommandLine, Inspect, ServiceManager};
use crate::outcome::Failure;
use crate::query::Query;

args! {
    /// Returns the services of the host as the fact `services`: name to `name`, `state`, `status`, `source`.
    pub struct Args {}
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: All services
  service_facts:
";

/// The module.
pub struct ServiceFacts;

/// States that tell more than whether a unit starts at boot.
const BAD: [&str; 3] = ["not-found", "masked", "failed"];

fn service(name: &str, state: &str, status: &str) -> Value {
    json!({"name": name, "state": state, "status": status, "source": "systemd"})
}

/// Units that systemd has loaded.
fn loaded(text: &str) -> Map<String, Value> {
    let mut services = Map::new();
    for line in text.lines().filter(|line| line.contains(".service")) {
        let words: Vec<&str> = line.split_whitespace().skip_while(|word| !word.contains(".service")).collect();
        let [name, _, active, sub, ..] = words.as_slice() else { continue };
        let status = BAD.iter().find(|bad| words[..4].contains(bad)).unwrap_or(active);
        let state = if *sub == "running" { "running" } else { "stopped" };
        services.insert((*name).to_owned(), service(name, state, status));
    }
    services
}

/// Adds what the unit files say; `active` tells the state of those that are not loaded.
fn with_files(mut services: Map<String, Value>, text: &str, active: &BTreeMap<String, String>) -> Map<String, Value> {
    for (name, status) in files(text) {
        match services.get_mut(name) {
            None => {
                let state = active.get(name).map_or("unknown", String::as_str);
                services.insert(name.to_owned(), service(name, state, status));
            }
            Some(known) => {
                if !known["status"].as_str().is_some_and(|now| BAD.contains(&now)) {
                    known["status"] = status.into();
                }
            }
        }
    }
    services
}

fn files(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter(|line| line.contains(".service")).filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?, words.next()?))
    })
}

/// States of units that are not loaded, asked for at once. A template has none.
fn active(services: &Map<String, Value>, unit_files: &str, host: &dyn Inspect) -> BTreeMap<String, String> {
    let mut argv: Vec<String> = ["systemctl", "show", "--property=Id", "--property=ActiveState", "--"].map(String::from).into();
    let start = argv.len();
    argv.extend(
        files(unit_files).map(|(name, _)| name.to_owned()).filter(|name| !services.contains_key(name) && !name.contains("@.")),
    );
    let asked = argv[start..].to_vec();
    if asked.is_empty() {
        return BTreeMap::new();
    }
    let output = host.query(&CommandLine::new(argv).env("LC_ALL", "C")).map(|output| output.text()).unwrap_or_default();
    // Blocks come in the order of the question; an alias is answered under its unit's own name.
    let states = output.split("\n\n").filter_map(|block| block.lines().find_map(|line| line.strip_prefix("ActiveState=")));
    asked.into_iter().zip(states.map(str::to_owned)).collect()
}

/// What init scripts say of themselves.
fn init_scripts(text: &str) -> Map<String, Value> {
    text.lines()
        .filter_map(|line| {
            let (mark, name) = line.trim().strip_prefix("[ ")?.split_once(" ]")?;
            let state = match mark {
                "+" => "running",
                "-" => "stopped",
                _ => return None,
            };
            let name = name.trim();
            Some((name.to_owned(), json!({"name": name, "state": state, "source": "sysv"})))
        })
        .collect()
}

impl Query for ServiceFacts {
    type Args = Args;

    fn query(_: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let mut services = init_scripts(&ask(host, ["service", "--status-all"]).unwrap_or_default());
        if host.service_manager() == ServiceManager::Systemd {
            let units = ask(host, ["systemctl", "list-units", "--no-pager", "--type", "service", "--all", "--plain"]);
            let units = loaded(&units.unwrap_or_default());
            let unit_files = ask(host, ["systemctl", "list-unit-files", "--no-pager", "--type", "service", "--all"]);
            let unit_files = unit_files.unwrap_or_default();
            let states = active(&units, &unit_files, host);
            services.extend(with_files(units, &unit_files, &states));
        }
        let mut result = Map::from_iter([("ansible_facts".to_owned(), json!({"services": services}))]);
        if services.is_empty() {
            result.insert("skipped".into(), true.into());
            result.insert(
                "msg".into(),
                "Failed to find any services. This can be due to privileges or some other configuration issue.".into(),
            );
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_their_files_are_put_together() {
        let units = loaded(
            "a.service loaded active running A\nb.service loaded active exited B\nd.service not-found inactive dead d.service\n\
             e.service loaded failed failed E\nf.service masked inactive dead it failed once\n\n5 loaded units listed.\n",
        );
        let active = BTreeMap::from([("g.service".to_owned(), "inactive".to_owned())]);
        let files = "UNIT FILE STATE PRESET\na.service enabled enabled\nb.service static -\nf.service enabled enabled\n\
             g.service disabled enabled\nt@.service enabled enabled\n\n5 unit files listed.\n";
        let services = with_files(units, files, &active);
        let found: Vec<(&str, &str, &str)> = services
            .iter()
            .map(|(name, service)| (name.as_str(), service["state"].as_str().unwrap(), service["status"].as_str().unwrap()))
            .collect();
        assert_eq!(
            found,
            [
                ("a.service", "running", "enabled"),
                ("b.service", "stopped", "static"),
                ("d.service", "stopped", "not-found"),
                ("e.service", "stopped", "failed"),
                ("f.service", "stopped", "masked"),
                ("g.service", "inactive", "disabled"),
                ("t@.service", "unknown", "enabled"),
            ]
        );
    }

    #[test]
    fn init_scripts_tell_their_state() {
        let found = init_scripts(" [ + ]  ssh\n [ - ]  x11-common\n [ ? ]  hwclock.sh\n");
        assert_eq!(
            Value::Object(found),
            json!({
                "ssh": {"name": "ssh", "state": "running", "source": "sysv"},
                "x11-common": {"name": "x11-common", "state": "stopped", "source": "sysv"},
            })
        );
    }
}
