//! Hosts and groups: loading, patterns, variables with their origin.

mod beside;
mod ini;
mod literal;
mod load;
mod model;
mod pattern;
mod range;
#[cfg(test)]
mod tests;
mod tree;
mod view;
mod words;

pub use model::{ALL, Cycle, Inventory, LOCALHOST, UNGROUPED};
pub use pattern::Selection;
