//! What can be found wrong without contacting a host: a table of rules, one file each, run over
//! what a playbook reaches or over a whole repository. Before every run its errors are looked for.

mod check;
mod corpus;
mod discover;
pub mod fix;
mod follow;
mod known;
mod noqa;
mod project;
pub mod report;
mod rule;
mod rules;
mod selection;
mod text;
mod variables;

pub use check::{Request, before_run, included, lint, unknown_tags};
pub use discover::role_directories;
pub use known::known_names;
pub use report::Report;
pub use rule::Rule;
pub use rules::{all, find};
pub use selection::Selection;
