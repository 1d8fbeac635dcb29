//! Which variables an inventory defines.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crate::inventory::Inventory;
use crate::vars::Variables;

/// Names of all variables that inventory and command line define for any host.
pub fn known_names(inventory: &Inventory, extra_vars: &Variables) -> BTreeSet<String> {
    let mut seen = HashSet::new();
    let mut known: BTreeSet<String> = extra_vars.keys().map(ToString::to_string).collect();
    for host in inventory.hosts() {
        for layer in inventory.host_layers(host) {
            // Layers of a group are shared by its hosts: looked at once.
            if seen.insert(Arc::as_ptr(&layer.variables) as usize) {
                known.extend(layer.variables.keys().map(ToString::to_string));
            }
        }
    }
    known
}
