//! Templates and expressions. The only folder that knows minijinja.
//!
//! minijinja reads the text; the tree that comes out is evaluated here, because Ansible's
//! templates are Python at heart (types, operators, methods, mutation), and because a plan needs
//! values that are unknown and that stay so through every operation.
//!
//! Text that came from a host is never compiled as a template: only [`Definition::Source`] nodes
//! and files of the project are.
//!
//! [`Definition::Source`]: crate::vars::Definition::Source

use std::sync::Arc;

mod about;
mod ast;
mod compile;
mod crypt;
mod error;
mod eval;
mod exec;
mod filters;
#[cfg(test)]
mod fixtures;
mod formatting;
mod functions;
mod header;
mod inheritance;
mod json;
mod lookups;
mod methods;
mod objects;
mod ops;
mod place;
mod plugins;
mod reads;
mod refs;
mod regex_syntax;
mod regexes;
mod renderer;
#[cfg(test)]
mod renderer_tests;
mod runtime;
mod tests;
mod time;
mod val;
#[cfg(test)]
mod vault_tests;
mod version;
mod wrap;
mod yaml;

pub use about::about;
pub use error::{TemplateError, TemplateErrorKind};
pub use json::json_text;
pub use lookups::matches_glob;
pub use plugins::{PluginCall, PluginError, PluginKind, PluginVariables, Plugins};
pub use reads::Read;
pub use refs::{Need, refs};
pub use renderer::{RenderSettings, Renderer};

/// The truth of a condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Truth {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// In a plan: it depends on something that is not known, with the reason.
    Unknown(Arc<str>),
}

/// Options of the `template` module that concern rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOptions {
    /// Remove the first newline after a block. Default: true.
    pub trim_blocks: bool,
    /// Strip blanks before a block. Default: false.
    pub lstrip_blocks: bool,
    /// What a newline is in the result. Default: `\n`.
    pub newline_sequence: String,
    /// `block_start_string` etc., in the order block start, block end, variable start, variable
    /// end, comment start, comment end.
    pub delimiters: [String; 6],
}

impl Default for FileOptions {
    fn default() -> Self {
        Self {
            trim_blocks: true,
            lstrip_blocks: false,
            newline_sequence: "\n".into(),
            delimiters: ["{%", "%}", "{{", "}}", "{#", "#}"].map(Into::into),
        }
    }
}

/// Whether text has anything to render.
fn has_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}
