//! What all end-to-end tests share: when to skip, how to run a program.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

/// The binary under test.
pub(crate) const STEAD: &str = env!("CARGO_BIN_EXE_stead");

/// Says why a test does not run here, past the test harness, which swallows what passing tests print.
pub(crate) fn skip(test: &str, why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED {test}: {why}");
}

/// The first of `programs` that this machine lacks, or that root is needed.
pub(crate) fn lacking(programs: &[&str]) -> Option<String> {
    if !rustix::process::geteuid().is_root() {
        return Some("not root".to_owned());
    }
    let directories = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    let missing = programs.iter().find(|program| !directories.iter().any(|dir| Path::new(dir).join(program).exists()))?;
    Some(format!("`{missing}` is not installed"))
}

/// Output as text, for comparing and for messages of failed tests.
pub(crate) fn text(output: &Output) -> String {
    format!(
        "{}\n--- stdout\n{}\n--- stderr\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Runs a command to its end and requires success.
pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.output().expect("the program starts");
    assert!(output.status.success(), "{command:?}: {}", text(&output));
    String::from_utf8(output.stdout).expect("output is text")
}
