//! `shell` and `raw`: run text through a shell.

use std::path::PathBuf;

use serde_json::Map;

use super::command::process_input;
use super::process;
use crate::args;
use crate::command::Command;
use crate::host::{CommandLine, Host, Inspect};
use crate::outcome::{Failure, Outcome};

args! {
    /// Runs text through a shell (`/bin/sh` unless `executable` says otherwise).
    ///
    /// Counts as changed whenever it ran; unknown in a plan unless `creates` or `removes` tells
    /// that it would not run.
    pub struct Args {
        /// The text as free form.
        free_form ("_raw_params"): Option<String>,
        /// The text, where free form is not convenient.
        cmd: Option<String>,
        /// Directory in which it runs.
        chdir: Option<PathBuf>,
        /// Path or pattern; if it exists, nothing is run.
        creates: Option<PathBuf>,
        /// Path or pattern; if it does not exist, nothing is run.
        removes: Option<PathBuf>,
        /// The shell, an absolute path.
        executable: Option<PathBuf>,
        /// Text for its standard input.
        stdin: Option<String>,
        /// Whether a newline is added to `stdin`.
        stdin_add_newline: bool = true,
        /// Whether newlines at the end of standard output and error are removed.
        strip_empty_ends: bool = true,
        /// Has no effect: the shell expands variables itself.
        expand_argument_vars: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A pipe
  shell: ps ax | wc -l
- name: Only once
  shell:
    cmd: somescript.sh >> somelog.txt
    chdir: /tmp
    creates: /tmp/somelog.txt
- name: With another shell
  shell:
    cmd: set -o pipefail; cat < /tmp/*.txt | sort
    executable: /bin/bash
";

/// The module `shell`.
pub struct Shell;

impl Args {
    fn text(&self) -> Result<&str, Failure> {
        let text = self.free_form.as_deref().or(self.cmd.as_deref()).unwrap_or_default();
        if text.trim().is_empty() { Err(Failure::new("no command given").with("rc", 256)) } else { Ok(text) }
    }
}

impl Command for Shell {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let text = args.text()?;
        let guarded = process::guard(args.creates.as_deref(), args.removes.as_deref(), args.chdir.as_deref(), host);
        Ok(guarded.map(|guarded| process::guarded_outcome(&guarded, text.into(), host)))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let text = args.text()?;
        let shell = args.executable.as_ref().map_or_else(|| "/bin/sh".to_owned(), |path| path.display().to_string());
        let line = CommandLine {
            argv: vec![shell, "-c".into(), text.into()],
            chdir: process::directory(args.chdir.as_deref(), host)?,
            stdin: process_input(args.stdin.as_deref(), args.stdin_add_newline),
            ..CommandLine::default()
        };
        Ok(process::run(&line, text.into(), Self::describe(args), args.strip_empty_ends, host))
    }

    fn describe(args: &Args) -> String {
        args.text().unwrap_or_default().trim().to_owned()
    }
}

/// The module `raw`.
pub mod raw {
    use super::{Command, CommandLine, Failure, Host, Inspect, Map, Outcome, PathBuf, args, process};

    args! {
        /// Runs text through the login shell of the connection, before anything else is there:
        /// no agent, no guards. For hosts that have nothing yet, and for network devices.
        pub struct Args {
            /// The text.
            free_form ("_raw_params", "cmd"): String,
            /// The shell, an absolute path.
            executable: Option<PathBuf>,
        }
    }

    /// Examples; each is a test.
    pub const EXAMPLES: &str = "
- name: Something that needs no more than a shell
  raw: cat /etc/os-release
";

    /// The module `raw`.
    pub struct Raw;

    impl Command for Raw {
        type Args = Args;

        fn guard(_: &Args, _: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
            Ok(None)
        }

        fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
            let shell = args.executable.as_ref().map_or_else(|| "/bin/sh".to_owned(), |path| path.display().to_string());
            let output = host.act(&CommandLine::new([shell.as_str(), "-c", &args.free_form]), &[])?;
            Ok(process::finish(&output, Self::describe(args), false, Map::new()))
        }

        fn describe(args: &Args) -> String {
            args.free_form.trim().to_owned()
        }
    }
}
