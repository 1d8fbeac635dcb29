//! Variables that every host has from its place in the inventory.

use std::sync::Arc;

use super::model::Inventory;
use crate::vars::{Definition, Origin, Value, Variable, Variables};

impl Inventory {
    /// `inventory_hostname`, `group_names`, `inventory_file` and the like of a host. What was added
    /// in a run is from no file; this machine, if nobody names it, has no file at all.
    pub fn host_magic(&self, host: &str) -> Variables {
        let mut magic: Vec<(&str, Value)> = vec![
            ("inventory_hostname", Value::from(host)),
            ("inventory_hostname_short", Value::from(host.split('.').next().unwrap_or(host))),
            ("group_names", self.groups_of(host).into_iter().map(Value::from).collect()),
        ];
        if self.has_host(host) {
            let source = self.source_of(host);
            magic.push(("inventory_file", Value::from(source.map(|source| source.file.as_str()))));
            magic.push(("inventory_dir", Value::from(source.and_then(|source| source.directory.as_deref()))));
        }
        let variable = |value| Variable { definition: Definition::Data(value), origin: Origin::Builtin };
        magic.into_iter().map(|(name, value)| (Arc::from(name), variable(value))).collect()
    }
}
