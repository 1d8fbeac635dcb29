//! `docker_container_exec`: a command in a running container.

use serde_json::{Map, Value};

use super::engine::docker_args;
use super::environment::{self, Given};
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::command::Command;
use crate::commands::process::streams;
use crate::commands::words::split;
use crate::host::{Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};
use crate::system::tool::plain_word;

docker_args! {
    /// Runs a command in a container that runs. Its exit status is a result, not a failure.
    pub struct Args {
        /// Name or id of the container.
        container: String,
        /// The command, word by word.
        argv: Option<Vec<String>>,
        /// The command as one line, split as a shell would; nothing else of a shell is there.
        command: Option<String>,
        /// Directory in the container where it runs.
        chdir: Option<String>,
        /// Whether its end is not waited for. The client does not say the id of such an execution.
        detach: bool = false,
        /// User that it runs as.
        user: Option<String>,
        /// Its standard input.
        stdin: Option<String>,
        /// Whether the input gets an end of line.
        stdin_add_newline: bool = true,
        /// Whether empty lines at the end of its output are cut off.
        strip_empty_ends: bool = true,
        /// Whether it gets a terminal. The client needs one itself for that: true is an error.
        tty: bool = false,
        /// Variables for it. Their values are not in the list of processes.
        env: Map<String, Value> = Map::new(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A backup
  docker_container_exec:
    container: db
    command: pg_dump --file /backup/app.sql app
    user: postgres
    env:
      PGPASSWORD: secret
";

/// The module.
pub struct DockerContainerExec;

fn words(args: &Args) -> Result<Vec<String>, Failure> {
    match (&args.argv, &args.command) {
        (Some(argv), None) if !argv.is_empty() => Ok(argv.clone()),
        (None, Some(command)) => split(command),
        (Some(_), Some(_)) => Err(Failure::new("`argv` and `command` exclude each other")),
        _ => Err(Failure::new("one of `argv` and `command` is needed")),
    }
}

impl Command for DockerContainerExec {
    type Args = Args;

    fn guard(args: &Args, _: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        args.engine()?;
        words(args)?;
        plain_word("container", &args.container)?;
        if args.tty {
            return Err(Failure::new("`tty`: the docker client needs a terminal of its own for that; it is not supported"));
        }
        if args.detach && args.stdin.is_some() {
            return Err(Failure::new("`stdin` cannot be used with `detach`"));
        }
        Ok(None)
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        let engine = args.engine()?;
        let found = engine.inspect("container", &args.container, host.inspect())?;
        let Some(found) = found else { return Err(Failure::new(format!("Could not find container \"{}\"", args.container))) };
        if found["State"]["Running"] == false {
            return Err(Failure::new(format!("the container `{}` does not run", args.container)));
        }
        let mut list = vec!["exec".to_owned()];
        list.extend(args.detach.then(|| "--detach".to_owned()));
        list.extend(args.stdin.is_some().then(|| "--interactive".to_owned()));
        for (option, value) in [("--workdir", &args.chdir), ("--user", &args.user)] {
            list.extend(value.iter().flat_map(|value| [option.to_owned(), value.clone()]));
        }
        let given = Given::of(&environment::texts(&args.env)?, args.stdin.is_none())?;
        list.extend(given.words.iter().cloned());
        list.push(args.container.clone());
        list.extend(words(args)?);
        let mut line = engine.line(list);
        given.add(&mut line);
        if let Some(stdin) = &args.stdin {
            line = line.input(format!("{stdin}{}", if args.stdin_add_newline { "\n" } else { "" }));
        }
        let output = host.act(&line, &[])?;
        let mut result = Map::new();
        if args.detach {
            if output.rc != 0 {
                return Err(crate::commands::process::failed(&line, &output));
            }
        } else {
            let strip = |text: String| {
                if args.strip_empty_ends { text.trim_end_matches(['\r', '\n']).to_owned() } else { text }
            };
            streams(&mut result, &strip(output.text()), &strip(output.error_text()));
            result.insert("rc".into(), output.rc.into());
        }
        let mut outcome = Outcome::new(Ending::Changed, result);
        outcome.changes.push(Change::run(ResourceId::new("command", Self::describe(args))));
        Ok(outcome)
    }

    fn describe(args: &Args) -> String {
        format!("{}: {}", args.container, words(args).unwrap_or_default().join(" "))
    }

    fn claims(_: &Args) -> Claims {
        Claims::everything()
    }
}
