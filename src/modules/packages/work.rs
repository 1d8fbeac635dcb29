//! What a package manager has to do: packages before and after, and the commands that lead there.

use serde_json::{Map, Value};

use crate::change::{ResourceId, ResourceState};
use crate::commands::process;
use crate::host::{CommandLine, Effect, Host, Inspect, Package, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Written};

/// One package that a run would touch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Step {
    /// Name without architecture.
    pub name: String,
    /// Installed version; empty where it is not known.
    pub before: Option<String>,
    /// Version afterwards, empty where it is not known; `None`: removed.
    pub after: Option<String>,
}

impl Step {
    /// A step from one version to another.
    pub(super) fn new(name: impl Into<String>, before: Option<String>, after: Option<String>) -> Self {
        Self { name: name.into(), before, after }
    }
}

/// Whose packages: what they are called in reports, and what a plan remembers of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind {
    /// The kind of resource.
    pub word: &'static str,
    /// Whether they are packages of the system, which bring services and programs.
    pub system: bool,
}

/// Packages of the system.
pub(super) const SYSTEM: Kind = Kind { word: "package", system: true };

impl Kind {
    fn id(self, name: &str) -> ResourceId {
        ResourceId::new(self.word, name)
    }

    fn state(self, name: &str, version: Option<&str>) -> ResourceState {
        match version {
            None => ResourceState::absent(self.id(name)),
            Some("") => ResourceState::present(self.id(name)),
            Some(version) => ResourceState::present(self.id(name)).with("version", version),
        }
    }

    /// The installed version as later tasks see it; `asked` is what the package manager says.
    pub(super) fn seen(self, name: &str, asked: Option<String>, host: &dyn Inspect) -> Option<String> {
        match host.thing(&self.id(name)) {
            None => asked,
            Some(Thing::Gone) => None,
            Some(Thing::There(version)) => Some(version),
        }
    }

    fn effects(self, step: &Step) -> Vec<Effect> {
        let thing = step.after.clone().map_or(Thing::Gone, Thing::There);
        let mut effects = vec![Effect::Thing(self.id(&step.name), thing)];
        if self.system {
            effects.push(match &step.after {
                None => Effect::NoPackage(step.name.clone()),
                Some(version) => Effect::Package(Package {
                    name: step.name.clone(),
                    version: version.clone(),
                    planned: true,
                    ..Package::default()
                }),
            });
        }
        effects
    }
}

/// One command, and what it will have done.
#[derive(Debug, Clone)]
pub(super) struct Run {
    /// The command.
    pub line: CommandLine,
    /// What it does.
    pub effects: Vec<Effect>,
    /// Exit statuses beside 0 that are no failure.
    pub accepts: &'static [i32],
}

/// Packages as they are and as they should be, and the commands between the two.
#[derive(Debug, Clone, Default)]
pub struct Work {
    now: Vec<ResourceState>,
    wanted: Vec<ResourceState>,
    runs: Vec<Run>,
    /// Things worth saying if anything is done.
    warnings: Vec<String>,
    /// Result fields that are known from looking.
    pub(super) result: Map<String, Value>,
}

impl resource::State for Work {
    fn resources(&self) -> Vec<ResourceState> {
        self.now.clone()
    }
}

impl Work {
    /// Adds packages with the command that brings them there. What is so already, and what an
    /// earlier task of a plan has settled, is left out; no command is added where nothing is left.
    pub(super) fn add(&mut self, kind: Kind, steps: Vec<Step>, line: CommandLine, host: &dyn Inspect) {
        let settled = |step: &Step| {
            let now = kind.seen(&step.name, step.before.clone(), host);
            now == step.after
                || (now.is_some() && step.after.as_deref() == Some(""))
                || now.as_deref().is_some_and(|now| {
                    // An earlier task of a plan brings it, in whichever version there will be.
                    now.is_empty() && step.after.is_some()
                })
        };
        let left: Vec<Step> = steps.into_iter().filter(|step| !settled(step)).collect();
        if left.is_empty() {
            return;
        }
        let effects = left.iter().flat_map(|step| kind.effects(step)).collect();
        for step in &left {
            let now = kind.seen(&step.name, step.before.clone(), host);
            self.describe(kind.state(&step.name, now.as_deref()), kind.state(&step.name, step.after.as_deref()));
        }
        self.runs.push(Run { line, effects, accepts: &[] });
    }

    /// Adds packages that are as they should be, so that the record of an apply names them.
    pub(super) fn keep(&mut self, kind: Kind, name: &str, version: Option<&str>) {
        let state = kind.state(name, version.map(|_| ""));
        self.describe(state.clone(), state);
    }

    /// Adds a resource of any kind; a command that closes the difference goes to [`Work::run`].
    pub(super) fn describe(&mut self, now: ResourceState, wanted: ResourceState) {
        if self.wanted.iter().any(|known| known.id == wanted.id) {
            return;
        }
        self.now.push(now);
        self.wanted.push(wanted);
    }

    /// Adds a command.
    pub(super) fn run(&mut self, line: CommandLine, effects: Vec<Effect>) {
        self.runs.push(Run { line, effects, accepts: &[] });
    }

    /// Adds something worth saying.
    pub(super) fn warn(&mut self, text: String) {
        self.warnings.push(text);
    }

    /// The commands, e.g. to add statuses that are no failure.
    pub(super) fn runs(&mut self) -> &mut Vec<Run> {
        &mut self.runs
    }

    /// Whether there is nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.runs.is_empty()
    }

    /// The state that the options ask for.
    pub(super) fn done(&self) -> Self {
        Self { now: self.wanted.clone(), ..self.clone() }
    }

    /// Runs the commands.
    pub(super) fn carry_out(&self, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut written = Written { warnings: self.warnings.clone(), ..Written::quiet() };
        let (mut stdout, mut stderr) = (String::new(), String::new());
        for run in &self.runs {
            let output = host.act(&with_locale(&run.line), &run.effects)?;
            if output.rc != 0 && !run.accepts.contains(&output.rc) {
                return Err(process::failed(&run.line, &output));
            }
            stdout.push_str(&output.text());
            stderr.push_str(&output.error_text());
        }
        written.result.insert("rc".into(), 0.into());
        process::streams(&mut written.result, &stdout, &stderr);
        Ok(written)
    }
}

fn with_locale(line: &CommandLine) -> CommandLine {
    let mut line = line.clone();
    line.environment.entry("LC_ALL".into()).or_insert_with(|| "C".into());
    line
}

/// Names of packages as the playbook has them, without blanks; a name that a tool would take for an
/// option is refused.
pub(super) fn names(given: &[String]) -> Result<Vec<&str>, Failure> {
    let names: Vec<&str> = given.iter().map(|name| name.trim()).filter(|name| !name.is_empty()).collect();
    match names.iter().find(|name| name.starts_with('-') || name.contains(['\0', '\n'])) {
        Some(wrong) => Err(Failure::new(format!("`{}` cannot be the name of a package", wrong.escape_debug()))),
        None => Ok(names),
    }
}

/// Words of an option such as `extra_args`, as a shell would split them.
pub(super) fn words(option: &str, text: Option<&str>) -> Result<Vec<String>, Failure> {
    crate::host::split_command(text.unwrap_or_default())
        .ok_or_else(|| Failure::new(format!("option `{option}`: a quotation mark is not closed")))
}

/// Asks a tool of the host. A tool that is missing is named, with the package that has it.
pub(super) fn ask(line: &CommandLine, package: &str, host: &dyn Inspect) -> Result<crate::host::Output, Failure> {
    let tool = line.argv.first().map_or("", String::as_str);
    host.query(&with_locale(line)).map_err(|failure| {
        let missing = failure.result.get("rc") == Some(&2.into());
        let hint = if missing { format!("; the package `{package}` has `{tool}`") } else { String::new() };
        Failure { message: format!("{}{hint}", failure.message), ..failure }
    })
}

/// Like [`ask`] where anything but success is a failure.
pub(super) fn text(line: &CommandLine, package: &str, host: &dyn Inspect) -> Result<String, Failure> {
    let output = ask(line, package, host)?;
    if output.rc == 0 { Ok(output.text()) } else { Err(process::failed(line, &output)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::resource::State as _;

    fn step(name: &str, before: Option<&str>, after: Option<&str>) -> Step {
        Step::new(name, before.map(str::to_owned), after.map(str::to_owned))
    }

    #[test]
    fn what_a_plan_has_settled_is_not_done_again() {
        let mut host = Overlay::new(MemoryHost::default());
        let steps = || vec![step("a", None, Some("1")), step("b", Some("1"), None), step("c", Some("2"), Some("2"))];
        let mut work = Work::default();
        work.add(SYSTEM, steps(), CommandLine::new(["x"]), &host);
        assert_eq!(work.resources().len(), 2);
        work.carry_out(&mut host).unwrap();
        let mut again = Work::default();
        again.add(SYSTEM, steps(), CommandLine::new(["x"]), &host);
        assert!(again.is_idle());
        assert_eq!(SYSTEM.seen("b", Some("1".into()), &host), None);
    }

    #[test]
    fn names_that_would_be_options_are_refused() {
        let given = |name: &str| vec!["vim ".to_owned(), String::new(), name.to_owned()];
        assert_eq!(names(&given("g++")).unwrap(), ["vim", "g++"]);
        assert!(names(&given("--force")).is_err() && names(&given(" -y")).is_err());
    }
}
