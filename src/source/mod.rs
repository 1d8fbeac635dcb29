//! Text with places: files, spans, YAML nodes, diagnostics.

pub mod diagnostic;
pub mod map;
pub mod node;
pub mod suggest;
pub mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use map::{FileId, SourceMap, Span};
pub use node::{Mapping, Node, NodeValue, Style};
