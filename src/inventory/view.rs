//! The inventory for readers: as a tree, as JSON in the shape that `ansible-inventory --list`
//! prints, and as the `groups` variable.

use std::sync::Arc;

use serde_json::{Map as JsonMap, Value as Json, json};

use super::model::{ALL, Inventory, LOCALHOST, UNGROUPED};
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

    /// Groups without any host: what a lab fills with its own.
    pub fn without_hosts(&self) -> Self {
        let mut empty = Self::default();
        empty.beside.clone_from(&self.beside);
        empty.beside_playbook.clone_from(&self.beside_playbook);
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
    pub fn to_json(&self, variables: impl Fn(&str) -> JsonMap<String, Json>) -> Json {
        let mut all = JsonMap::new();
        let hostvars: JsonMap<String, Json> =
            self.hosts().map(|host| (host.to_string(), Json::Object(variables(host)))).collect();
        all.insert("_meta".into(), json!({"hostvars": hostvars}));
        for name in self.group_names() {
            let (hosts, children) = (self.own_hosts_of(name), self.children_of(name));
            let mut entry = JsonMap::new();
            if !hosts.is_empty() {
                entry.insert("hosts".into(), json!(hosts));
            }
            if !children.is_empty() {
                entry.insert("children".into(), json!(children));
            }
            if !entry.is_empty() {
                all.insert(name.to_string(), Json::Object(entry));
            }
        }
        Json::Object(all)
    }
}
