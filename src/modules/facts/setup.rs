//! `setup`: everything that a host says of itself.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Map, Value};

use super::gather::Facts;
use super::{distribution, hardware, local, lvm, network, platform, virtualization};
use crate::args;
use crate::commands::glob;
use crate::host::Inspect;
use crate::outcome::Failure;
use crate::query::Query;

args! {
    /// Gathers facts: what the host is, what it has and how it is connected. Nothing is touched.
    ///
    /// Whatever could hang (a dead network mount, a program in `facts.d`) has a deadline of its own
    /// and is left out with a warning.
    pub struct Args {
        /// Groups: `all`, `min`, `hardware`, `network`, `virtual`, or single ones; `!` leaves one out.
        gather_subset: Vec<String> = vec!["all".into()],
        /// Patterns of fact names; others are left out.
        filter: Vec<String> = Vec::new(),
        /// Seconds that one slow look may take.
        gather_timeout: u64 = 10,
        /// Directory of local facts.
        fact_path: PathBuf = "/etc/ansible/facts.d".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Everything
  setup:
- name: Only the network
  setup:
    gather_subset: ['!all', '!min', network]
- name: Some facts
  setup:
    filter: ['ansible_distribution*']
";

/// The module.
pub struct Setup;

/// One group: its name, the wider groups that it belongs to, and what gathers it.
struct Group {
    name: &'static str,
    of: &'static str,
    gather: fn(&dyn Inspect, &Args, &mut Facts),
}

/// Groups that are always gathered unless `!min` says otherwise belong to `min`.
const GROUPS: &[Group] = &[
    Group { name: "platform", of: "min", gather: |host, _, facts| platform::platform(host, facts) },
    Group { name: "distribution", of: "min", gather: |host, _, facts| distribution::gather(host, facts) },
    Group { name: "lsb", of: "min", gather: |host, _, facts| distribution::lsb(host, facts) },
    Group { name: "date_time", of: "min", gather: |host, _, facts| platform::date_time(host, facts) },
    Group { name: "env", of: "min", gather: |host, _, facts| platform::env(host, facts) },
    Group { name: "user", of: "min", gather: |host, _, facts| platform::user(host, facts) },
    Group { name: "cmdline", of: "min", gather: |host, _, facts| platform::cmdline(host, facts) },
    Group { name: "dns", of: "min", gather: |host, _, facts| platform::dns(host, facts) },
    Group { name: "selinux", of: "min", gather: |host, _, facts| platform::security(host, facts) },
    Group { name: "caps", of: "min", gather: |host, _, facts| platform::capabilities(host, facts) },
    Group { name: "service_mgr", of: "min", gather: |host, _, facts| platform::service_mgr(host, facts) },
    Group { name: "pkg_mgr", of: "min", gather: |host, _, facts| platform::pkg_mgr(host, facts) },
    Group { name: "python", of: "min", gather: |host, _, facts| platform::python(host, facts) },
    Group { name: "ssh_pub_keys", of: "min", gather: |host, _, facts| platform::ssh_keys(host, facts) },
    Group { name: "loadavg", of: "all", gather: |host, _, facts| platform::load(host, facts) },
    Group { name: "local", of: "min", gather: |host, args, facts| local::gather(host, &args.fact_path, facts) },
    Group { name: "processor", of: "hardware", gather: |host, _, facts| hardware::processor(host, facts) },
    Group { name: "memory", of: "hardware", gather: |host, _, facts| hardware::memory(host, facts) },
    Group { name: "dmi", of: "hardware", gather: |host, _, facts| hardware::firmware(host, facts) },
    Group { name: "uptime", of: "hardware", gather: |host, _, facts| hardware::uptime(host, facts) },
    Group { name: "devices", of: "hardware", gather: |host, _, facts| hardware::devices(host, facts) },
    Group { name: "mounts", of: "hardware", gather: |host, _, facts| hardware::mounts(host, facts) },
    Group { name: "interfaces", of: "network", gather: |host, _, facts| network::gather(host, facts) },
    Group { name: "lvm", of: "hardware", gather: |host, _, facts| lvm::gather(host, facts) },
    Group { name: "chroot", of: "all", gather: |host, _, facts| platform::chroot(host, facts) },
    Group { name: "systemd", of: "all", gather: |host, _, facts| platform::systemd(host, facts) },
    Group { name: "iscsi", of: "all", gather: |host, _, facts| platform::storage_names(host, facts) },
    Group { name: "virtualization_type", of: "virtual", gather: |host, _, facts| virtualization::gather(host, facts) },
];

/// Groups that others cannot do without, and with which they are gathered.
const NEEDS: &[(&str, &[&str])] = &[
    ("hardware", &["platform"]),
    ("network", &["platform", "distribution"]),
    ("pkg_mgr", &["distribution"]),
    ("service_mgr", &["platform", "distribution"]),
];

/// Names of groups that are gathered together with another.
const ALSO: &[(&str, &str)] = &[
    ("system", "platform"),
    ("kernel", "platform"),
    ("machine", "platform"),
    ("architecture", "platform"),
    ("machine_id", "platform"),
    ("hostname", "platform"),
    ("fqdn", "platform"),
    ("domain", "platform"),
    ("distribution_version", "distribution"),
    ("distribution_release", "distribution"),
    ("distribution_major_version", "distribution"),
    ("os_family", "distribution"),
    ("user_id", "user"),
    ("fips", "selinux"),
    ("apparmor", "selinux"),
    ("is_chroot", "chroot"),
    ("processor_cores", "processor"),
    ("processor_count", "processor"),
    ("all_ipv4_addresses", "interfaces"),
    ("all_ipv6_addresses", "interfaces"),
    ("default_ipv4", "interfaces"),
    ("default_ipv6", "interfaces"),
    ("fibre_channel_wwn", "iscsi"),
    ("nvme", "iscsi"),
    ("virtualization_role", "virtualization_type"),
    ("virtualization_tech_guest", "virtualization_type"),
    ("virtualization_tech_host", "virtualization_type"),
];

/// Groups of other programs, which are not asked.
const FOREIGN: [&str; 2] = ["facter", "ohai"];

impl Query for Setup {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let mut facts = Facts { patience: Duration::from_secs(args.gather_timeout.max(1)), ..Facts::default() };
        for at in selected(&args.gather_subset)? {
            (GROUPS[at].gather)(host, args, &mut facts);
        }
        facts.map.insert("gather_subset".into(), args.gather_subset.clone().into());
        facts.map.insert("module_setup".into(), true.into());
        let patterns: Vec<&str> = args.filter.iter().map(String::as_str).filter(|pattern| !pattern.is_empty()).collect();
        if !patterns.is_empty() && !patterns.contains(&"*") {
            facts.map.retain(|name, _| {
                let bare = name.strip_prefix("ansible_").unwrap_or(name);
                patterns.iter().any(|pattern| glob::matches(pattern, name) || glob::matches(pattern, bare))
            });
        }
        let mut result = Map::new();
        result.insert("ansible_facts".into(), facts.map.into());
        if !facts.warnings.is_empty() {
            result.insert("warnings".into(), facts.warnings.into());
        }
        Ok(result)
    }
}

/// The groups that a list of words means, in the order of the table.
fn selected(words: &[String]) -> Result<Vec<usize>, Failure> {
    let (mut with, mut without) = (vec![false; GROUPS.len()], vec![false; GROUPS.len()]);
    let (mut added, mut no_min, mut explicit_all) = (false, false, false);
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let (name, out) = word.strip_prefix('!').map_or((word, false), |name| (name, true));
        if FOREIGN.contains(&name) {
            if out {
                continue;
            }
            return Err(Failure::new(format!("facts of `{name}` are not gathered; remove it from gather_subset")));
        }
        let name = ALSO.iter().find(|(other, _)| *other == name).map_or(name, |(_, group)| group);
        let members: Vec<usize> = GROUPS
            .iter()
            .enumerate()
            .filter(|(_, group)| name == "all" || group.name == name || group.of == name)
            .map(|(at, _)| at)
            .collect();
        if members.is_empty() {
            let mut names: Vec<&str> =
                GROUPS.iter().map(|group| group.name).chain(["all", "min", "hardware", "network", "virtual"]).collect();
            names.sort_unstable();
            return Err(Failure::new(format!(
                "Bad subset '{name}' given to Ansible. gather_subset options allowed: {}",
                names.join(", ")
            )));
        }
        match (name, out) {
            ("min", true) => no_min = true,
            // `!all` leaves the least that every playbook counts on.
            ("all", true) => explicit_all = true,
            (_, true) => {
                for at in members {
                    without[at] = true;
                }
            }
            (_, false) => {
                added = true;
                for at in members {
                    with[at] = true;
                }
            }
        }
    }
    let chosen = |at: usize| {
        let minimal = GROUPS[at].of == "min" && !no_min;
        let asked = with[at] || minimal || (!added && !explicit_all);
        asked && !(without[at] || (no_min && GROUPS[at].of == "min" && !with[at]))
    };
    let needed = |at: usize| {
        let needing = NEEDS.iter().filter(|(_, needed)| needed.contains(&GROUPS[at].name));
        needing
            .into_iter()
            .any(|(name, _)| (0..GROUPS.len()).any(|at| chosen(at) && [GROUPS[at].name, GROUPS[at].of].contains(name)))
    };
    Ok((0..GROUPS.len()).filter(|at| chosen(*at) || needed(*at)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subsets_are_chosen_as_ansible_does() {
        let chosen = |words: &[&str]| -> Vec<&str> {
            let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            selected(&words).unwrap().into_iter().map(|at| GROUPS[at].name).collect()
        };
        assert_eq!(chosen(&["all"]).len(), GROUPS.len());
        assert!(!chosen(&["!all"]).contains(&"memory") && chosen(&["!all"]).contains(&"distribution"));
        assert!(chosen(&["!hardware"]).contains(&"interfaces") && !chosen(&["!hardware"]).contains(&"mounts"));
        assert_eq!(chosen(&["!all", "!min", "network"]), ["platform", "distribution", "interfaces"]);
        assert!(chosen(&["all", "!network"]).contains(&"iscsi") && !chosen(&["!all"]).contains(&"loadavg"));
        assert!(chosen(&["network"]).contains(&"distribution") && !chosen(&["network"]).contains(&"memory"));
        assert_eq!(chosen(&["!all", "!min", "default_ipv4"]), ["platform", "distribution", "interfaces"]);
        assert!(!chosen(&["all", "!mounts"]).contains(&"mounts"));
        assert!(chosen(&["!all", "!min"]).is_empty());
        assert!(selected(&["nonsense".to_owned()]).is_err());
    }
}
