//! Filters, tests and lookups in Python: where their files are, and the one program that runs them.
//! Modules that stead does not have, packed by the same program to run on hosts.
//!
//! The program is started at the first use of a plugin, on the controller, and lives as long as the
//! run. Looking at files tells which names there may be; only a call runs what is in them.

mod files;
mod helper;
mod interpreter;
mod modules;
mod python;
mod wire;

pub use modules::{ForeignModule, Packed};
pub use python::{PythonPlugins, PythonSettings, interpreter_of};
