//! The graph of one play (or of one include, or of a play's handlers), and why each edge is there.
//!
//! Nodes are tasks, flush points and block ends; hosts are not nodes. [`build`] runs a list of
//! small named passes over an [`Outline`]; reading the list is reading the design.

pub(crate) mod build;
mod export;
mod model;
mod outline;
mod passes;

pub use build::build;
pub use export::{dot, explain, json, mermaid, text};
pub use model::{Block, BlockId, Edge, Graph, Node, NodeId, NodeKind, Reason, Section};
pub use outline::{BlockOutline, Outline, OutlineItem, Strategy, TaskOutline};
