//! The program: reads the command line and the environment, and prints. Everything else is in the
//! library.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
