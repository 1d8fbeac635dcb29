//! `command`: runs a program without a shell.

use std::path::PathBuf;

use serde_json::Value;

use super::{process, words};
use crate::args;
use crate::command::Command;
use crate::host::{CommandLine, Host, Inspect};
use crate::outcome::{Failure, Outcome};

args! {
    /// Runs a program with arguments, without a shell: no pipes, no redirection, no patterns.
    ///
    /// Its effect cannot be read back, so it counts as changed whenever it ran (use `changed_when`
    /// to say better) and is unknown in a plan, unless `creates` or `removes` tells that it would
    /// not run.
    pub struct Args {
        /// The command line as free text; quotes group words as in a shell.
        free_form ("_raw_params"): Option<String>,
        /// The command line as text, where free text is not convenient.
        cmd: Option<String>,
        /// The command line as a list: no splitting, no quoting.
        argv: Option<Vec<String>>,
        /// Directory in which it runs.
        chdir: Option<PathBuf>,
        /// Path or pattern; if it exists, the command is not run.
        creates: Option<PathBuf>,
        /// Path or pattern; if it does not exist, the command is not run.
        removes: Option<PathBuf>,
        /// Text for its standard input.
        stdin: Option<String>,
        /// Whether a newline is added to `stdin`.
        stdin_add_newline: bool = true,
        /// Whether newlines at the end of standard output and error are removed.
        strip_empty_ends: bool = true,
        /// Whether `$NAME` and a leading `~` in arguments are replaced.
        expand_argument_vars: bool = true,
        /// Not supported without a shell; accepted and ignored with a warning, as in Ansible.
        executable: Option<PathBuf>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Show the kernel
  command: uname -r
- name: Make the database once
  command:
    cmd: /usr/bin/make_database.sh db_user db_name
    creates: /path/to/database
- name: Arguments with spaces
  command:
    argv: [/usr/bin/printf, '%s', 'Jean Dupont']
    chdir: /tmp
- name: Feed standard input
  command:
    cmd: /usr/bin/tee /tmp/answer
    stdin: yes, please
    removes: /tmp
";

/// The module.
pub struct RunCommand;

impl Args {
    fn text(&self) -> Option<&str> {
        self.free_form.as_deref().or(self.cmd.as_deref()).filter(|text| !text.trim().is_empty())
    }

    fn words(&self) -> Result<Vec<String>, Failure> {
        let argv = self.argv.as_ref().filter(|argv| !argv.is_empty());
        match (self.text(), argv) {
            (Some(_), Some(_)) => Err(Failure::new("only command or argv can be given, not both")),
            (Some(text), None) => words::split(text),
            (None, Some(argv)) => Ok(argv.clone()),
            (None, None) => Err(Failure::new("no command given").with("rc", 256)),
        }
    }
}

impl Command for RunCommand {
    type Args = Args;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let words = args.words()?;
        let guarded = process::guard(args.creates.as_deref(), args.removes.as_deref(), args.chdir.as_deref(), host);
        Ok(guarded.map(|guarded| process::guarded_outcome(&guarded, words.into(), host)))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let mut argv = args.words()?;
        let cmd = Value::from(argv.clone());
        if args.expand_argument_vars {
            for word in &mut argv {
                *word = words::expand_home(&words::expand_variables(word, host), host);
            }
        }
        let line = CommandLine {
            argv,
            chdir: process::directory(args.chdir.as_deref(), host)?,
            stdin: process_input(args.stdin.as_deref(), args.stdin_add_newline),
            ..CommandLine::default()
        };
        let mut outcome = process::run(&line, cmd, Self::describe(args), args.strip_empty_ends, host);
        if let Some(executable) = &args.executable {
            outcome.warnings.push(format!("`executable` has no effect without a shell: `{}` is not used", executable.display()));
        }
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        match (args.text(), &args.argv) {
            (Some(text), _) => text.trim().to_owned(),
            (None, Some(argv)) => argv.iter().map(|word| words::quote(word)).collect::<Vec<_>>().join(" "),
            (None, None) => String::new(),
        }
    }
}

/// Standard input as bytes.
pub(super) fn process_input(stdin: Option<&str>, newline: bool) -> Option<Vec<u8>> {
    stdin.map(|text| {
        let mut bytes = text.as_bytes().to_vec();
        if newline {
            bytes.push(b'\n');
        }
        bytes
    })
}
