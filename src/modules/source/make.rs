//! `make`: targets of a Makefile.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::args;
use crate::args::{Arg, ArgError, Arguments, Field};
use crate::change::{Change, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::{directory, failed, streams};
use crate::commands::words::{expand_path, quote};
use crate::host::{CommandLine, Host, Inspect, Output};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists, plain_word};

args! {
    /// Runs targets of a Makefile, unless `make` itself says that they are up to date.
    pub struct Options {
        /// The directory in which it runs.
        chdir: PathBuf,
        /// The Makefile, if it is not the one in that directory.
        file: Option<PathBuf>,
        /// How many things are made at once.
        jobs: Option<u32>,
        /// The program. Missing: `gmake`, or else `make`.
        make: Option<PathBuf>,
        /// Variables, name to value; of a name without value the name alone is given.
        params: Option<Map<String, Value>>,
        /// What is made. Missing: the first target of the file.
        target: Option<String>,
        /// Several targets.
        targets: Option<Vec<String>>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: What is there is built and installed
  make:
    chdir: /opt
    target: install
    jobs: 4
    params:
      PREFIX: /usr/local
- name: It is up to date
  make:
    chdir: /srv
    targets: [all]
";

/// The module.
pub struct Make;

/// The options.
#[derive(Debug)]
pub struct Args(Options);

impl Arguments for Args {
    fn fields() -> Vec<Field> {
        Options::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        let options = Options::parse(options)?;
        if options.target.is_some() && options.targets.is_some() {
            let problem = "is mutually exclusive with `target`".to_owned();
            return Err(vec![ArgError { option: "targets".into(), problem }]);
        }
        Ok(Self(options))
    }
    fn doc() -> &'static str {
        Options::doc()
    }
}

/// What there is to be made.
#[derive(Debug, Clone)]
pub struct State {
    line: CommandLine,
    is_needed: bool,
    /// What it said when it was asked.
    said: Output,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        Vec::new()
    }
}

const GMAKE: Tool = Tool::new("gmake", "make");
const MAKE: Tool = Tool::new("make", "make");

impl Args {
    /// The program and where it is, if that is known.
    fn tool(host: &dyn Inspect) -> (Tool, Option<PathBuf>) {
        let path = host.env("PATH").unwrap_or_default();
        let find = |name: &str| path.split(':').map(|directory| Path::new(directory).join(name)).find(|path| exists(path, host));
        let gmake = find("gmake");
        if gmake.is_some() { (GMAKE, gmake) } else { (MAKE, find("make")) }
    }

    fn line(&self, host: &dyn Inspect) -> Result<CommandLine, Failure> {
        let options = &self.0;
        let mut words: Vec<String> = options.jobs.iter().flat_map(|jobs| ["-j".to_owned(), jobs.to_string()]).collect();
        words.extend(options.file.iter().flat_map(|file| ["-f".to_owned(), expand_path(file, host).display().to_string()]));
        for target in options.target.iter().chain(options.targets.iter().flatten()) {
            plain_word("target", target)?;
            words.push(target.clone());
        }
        for (name, value) in options.params.iter().flatten() {
            words.push(match value {
                Value::Null => name.clone(),
                value => format!("{name}={}", String::parse(value).map_err(Failure::new)?),
            });
        }
        let (tool, place) = Self::tool(host);
        let mut line = tool.line(words);
        if let Some(program) = options.make.as_ref().map(|program| expand_path(program, host)).or(place) {
            line.argv[0] = program.display().to_string();
        }
        line.chdir = directory(Some(&options.chdir), host)?;
        Ok(line)
    }
}

impl Resource for Make {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let line = args.line(host)?;
        let mut question = line.clone();
        question.argv.push("--question".into());
        let asked = Args::tool(host).0.query(&question, host);
        let said = match asked {
            // A directory or a program that only the plan knows.
            Err(_) if !host.acts() && exists(&args.0.chdir, host) => None,
            other => other?,
        };
        if !host.acts() && (host.has_plans() || said.as_ref().is_some_and(|said| said.rc > 1)) {
            let why = said.map(|said| said.error_text().trim().to_owned()).filter(|why| !why.is_empty());
            return Err(Failure::unknown(
                why.unwrap_or_else(|| "what there is to make depends on what earlier tasks change".into()),
            ));
        }
        let is_needed = said.as_ref().is_none_or(|said| said.rc != 0);
        Ok(State { line, is_needed, said: said.unwrap_or_default() })
    }

    fn want(_: &Args, now: &State) -> Result<State, Failure> {
        Ok(now.clone())
    }

    fn runs(_: &Args, now: &State, _: &State) -> Vec<Change> {
        let name = now.line.argv.join(" ");
        if now.is_needed { vec![Change::run(ResourceId::new("command", name))] } else { Vec::new() }
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let line = &step.now.line;
        let output = host.act(line, &[])?;
        if output.rc != 0 {
            let command = line.argv.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" ");
            return Err(Failure { message: output.error_text().trim().to_owned(), ..failed(line, &output) }.with("cmd", command));
        }
        let mut written = Written::quiet();
        streams(&mut written.result, output.text().trim_end_matches('\n'), output.error_text().trim_end_matches('\n'));
        Ok(written)
    }

    fn result(args: &Args, before: &State, _: &State) -> Map<String, Value> {
        let options = &args.0;
        let path = |path: &Path| path.display().to_string();
        let words: Vec<String> = before.line.argv.iter().map(|word| quote(word)).collect();
        let mut result = Map::new();
        streams(&mut result, before.said.text().trim_end_matches('\n'), before.said.error_text().trim_end_matches('\n'));
        let more = json!({
            "chdir": path(&options.chdir),
            "command": words.join(" "),
            "file": options.file.as_deref().map(path),
            "jobs": options.jobs,
            "params": options.params,
            "target": options.target,
            "targets": options.targets,
        });
        result.extend(more.as_object().cloned().unwrap_or_default());
        result
    }

    fn claims(_: &Args) -> Claims {
        Claims::everything()
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "the test writes a Makefile")]
mod tests {
    use super::*;
    use crate::host::overlay::Overlay;
    use crate::host::real::RealHost;
    use crate::outcome::Ending;
    use crate::registry::find;

    #[test]
    fn make_says_what_is_to_be_made() {
        let place = tempfile::tempdir().unwrap();
        let file = "out:\n\techo $(TEXT) > out\nphony:\n\t@echo run\nbad:\n\tfalse\n";
        std::fs::write(place.path().join("Makefile"), file).unwrap();
        let host = || RealHost::new(Box::new(|_| Err(Failure::new("no content"))));
        for (options, ending, stdout) in [
            (json!({"params": {"TEXT": "'a;b'"}, "jobs": 2}), Ending::Changed, "echo 'a;b' > out"),
            (json!({}), Ending::Ok, ""),
            (json!({"target": "phony"}), Ending::Changed, "run"),
            (json!({"target": "bad"}), Ending::Failed, "false"),
            (json!({"targets": ["out", "nothing"]}), Ending::Failed, ""),
            (json!({"target": "-n"}), Ending::Failed, ""),
            (json!({"chdir": "/no/such"}), Ending::Failed, ""),
        ] {
            let mut all = json!({"chdir": place.path().display().to_string()}).as_object().unwrap().clone();
            all.extend(options.as_object().unwrap().clone());
            let planned = (find("make").unwrap().run)(&all, &mut Overlay::new(host()));
            let outcome = (find("make").unwrap().run)(&all, &mut host());
            assert_eq!(outcome.ending, ending, "{options}: {:?}", outcome.result);
            if ending != Ending::Failed {
                assert_eq!((planned.ending, planned.changes), (ending, outcome.changes), "{options}");
                assert!(outcome.result["stdout"].as_str().unwrap().contains(stdout), "{options}: {:?}", outcome.result);
            }
        }
        assert_eq!(std::fs::read_to_string(place.path().join("out")).unwrap(), "a;b\n");
    }
}
