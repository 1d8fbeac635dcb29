//! Text with places: files, spans, YAML nodes, diagnostics.

pub mod de;
pub mod diagnostic;
mod json;
mod lines;
pub mod load;
pub mod map;
mod mend;
mod merge;
pub mod node;
pub mod render;
pub mod scalar;
pub mod suggest;
mod syntax;
pub mod yaml;

pub use diagnostic::{Diagnostic, Diagnostics, Replacement, Severity};
pub use load::load;
pub use map::{FileId, SourceMap, Span};
pub use node::{Mapping, Node, NodeValue, Style};
