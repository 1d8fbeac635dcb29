//! The program: reads the command line and the environment, and prints. Everything else is in the
//! library.

#[path = "cli/ui/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the commands that use it are not here yet")]
mod ui;

fn main() {}
