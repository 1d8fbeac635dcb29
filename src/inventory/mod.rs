//! Hosts and groups: loading, patterns, variables with their origin.

mod beside;
mod constructed;
mod explain;
mod generator;
mod ini;
mod literal;
mod load;
mod magic;
mod model;
mod pattern;
mod plugin;
mod program;
#[cfg(test)]
mod property_tests;
mod range;
mod settings;
#[cfg(test)]
mod tests;
mod tree;
mod view;
mod words;

pub use explain::{GroupRank, HostDefinition};
pub use model::{ALL, Cycle, HostSource, Inventory, LOCALHOST, UNGROUPED};
pub use pattern::Selection;
pub use settings::InventorySettings;
