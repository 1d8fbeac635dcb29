//! The engine of stead: reads playbooks and inventories, resolves them into a graph, and walks it
//! over many hosts at once. It prints nothing and reads no environment variable; the binary does.
//!
//! Folders, lowest layer first; a folder uses only folders above it in this list
//! (`tests/architecture.rs` checks that).

pub mod actions;
pub mod ansible;
pub mod deps;
pub mod docs;
pub mod drift;
pub mod graph;
pub mod history;
pub mod inventory;
pub mod lab;
pub mod lint;
pub mod playbook;
pub mod plugins;
pub mod run;
pub mod session;
pub mod source;
pub mod template;
pub mod vars;
pub mod vault;
