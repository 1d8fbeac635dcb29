//! The inventory for readers: as a tree, as JSON in the shape that `ansible-inventory --list`
//! prints, and as the `groups` variable.

use std::collections::HashSet;
use std::sync::Arc;

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::{Map as JsonMap, Value as Json, json};

use super::model::{ALL, Inventory, LOCALHOST, Owner, UNGROUPED};
use crate::source::Diagnostics;
use crate::vars::{Key, Map, Value};

impl Inventory {
    /// The `groups` variable: group names to lists of hosts.
    pub fn groups_value(&self) -> Value {
        let names = |hosts: Vec<Arc<str>>| Value::from(hosts.into_iter().map(Value::from).collect::<Vec<_>>());
        Value::from(self.groups().into_iter().map(|(name, hosts)| (Key::from(name), names(hosts))).collect::<Map>())
    }

    /// Whether a host can be worked on: in the inventory, or this machine.
    pub fn knows(&self, name: &str) -> bool {
        self.has_host(name) || LOCALHOST.contains(&name)
    }

    /// Encrypted files of variables that could not be opened, of these hosts and of their groups; as in
    /// Ansible, files of others may stay closed.
    pub fn closed_files(&self, hosts: &[Arc<str>]) -> Diagnostics {
        let mut problems = Diagnostics::default();
        let hosts: HashSet<&Arc<str>> = hosts.iter().collect();
        for (owner, problem) in self.beside.iter().chain(&self.beside_playbook).flat_map(|beside| &beside.closed) {
            let concerned = match owner {
                Owner::Host(host) => hosts.contains(host),
                // This machine is in `all` even where the inventory does not name it.
                Owner::Group(group) if &**group == ALL => !hosts.is_empty(),
                Owner::Group(group) => self.group_hosts(group).iter().any(|host| hosts.contains(host)),
            };
            if concerned {
                problems.push(problem.clone());
            }
        }
        problems
    }

    /// Whether there are variables that nobody can see, because their file could not be opened.
    pub fn has_closed_files(&self) -> bool {
        self.beside.iter().chain(&self.beside_playbook).any(|beside| !beside.closed.is_empty())
    }

    /// Groups without any host: what a lab fills with its own, which count as the first source's.
    pub fn without_hosts(&self) -> Self {
        let mut empty = Self::default();
        empty.beside.clone_from(&self.beside);
        empty.beside_playbook.clone_from(&self.beside_playbook);
        empty.given.clone_from(&self.given);
        empty.read_from(self.first_source().cloned());
        for name in self.group_names() {
            empty.add_group(name);
            for child in self.children_of(name) {
                empty.add_child(name, &child).expect("what is copied has no circle");
            }
            empty.groups[name].variables = Arc::clone(&self.groups[name].variables);
        }
        empty
    }

    /// Groups as an indented tree.
    pub fn tree(&self) -> String {
        let mut text = String::new();
        self.branch(ALL, 0, &mut text);
        text
    }

    fn branch(&self, group: &str, depth: usize, text: &mut String) {
        let indent = "  ".repeat(depth);
        text.push_str(&format!("{indent}{group}\n"));
        for child in self.children_of(group) {
            if &*child != UNGROUPED || !self.group_hosts(UNGROUPED).is_empty() {
                self.branch(&child, depth + 1, text);
            }
        }
        for host in self.own_hosts_of(group) {
            text.push_str(&format!("{indent}  {host}\n"));
        }
    }

    /// Groups with hosts and children, and under `_meta.hostvars` what `variables` gives for a host.
    /// Written host by host: it need not fit into memory. Only `hosts` are in it.
    pub fn listing<'a>(
        &'a self,
        hosts: &'a [Arc<str>],
        variables: impl Fn(&str) -> JsonMap<String, Json> + 'a,
    ) -> impl Serialize + 'a {
        Listing { inventory: self, hosts, wanted: hosts.iter().map(|name| &**name).collect(), variables }
    }
}

struct Listing<'a, F> {
    inventory: &'a Inventory,
    hosts: &'a [Arc<str>],
    wanted: HashSet<&'a str>,
    variables: F,
}

impl<F: Fn(&str) -> JsonMap<String, Json>> Serialize for Listing<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut all = serializer.serialize_map(None)?;
        all.serialize_entry("_meta", &Meta(self))?;
        for name in self.inventory.group_names() {
            let mut hosts = self.inventory.own_hosts_of(name);
            hosts.retain(|host| self.wanted.contains(&**host));
            let children = self.inventory.children_of(name);
            let mut entry = JsonMap::new();
            if !hosts.is_empty() {
                entry.insert("hosts".into(), json!(hosts));
            }
            if !children.is_empty() {
                entry.insert("children".into(), json!(children));
            }
            if !entry.is_empty() {
                all.serialize_entry(&**name, &entry)?;
            }
        }
        all.end()
    }
}

struct Meta<'a, F>(&'a Listing<'a, F>);

impl<F: Fn(&str) -> JsonMap<String, Json>> Serialize for Meta<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut meta = serializer.serialize_map(Some(1))?;
        meta.serialize_entry("hostvars", &HostVariables(self.0))?;
        meta.end()
    }
}

struct HostVariables<'a, F>(&'a Listing<'a, F>);

impl<F: Fn(&str) -> JsonMap<String, Json>> Serialize for HostVariables<'_, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Listing { hosts, variables, .. } = self.0;
        serializer.collect_map(hosts.iter().map(|host| (&**host, variables(host))))
    }
}
