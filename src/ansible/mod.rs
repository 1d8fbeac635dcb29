//! Another tool's spelling, translated at the doors: module names, free-form options, `with_*`.
//! Nobody behind the doors knows these words.

mod cfg_file;
pub mod config;
pub mod free_form;
pub mod modules;
pub mod names;
mod project_file;
pub mod settings;
