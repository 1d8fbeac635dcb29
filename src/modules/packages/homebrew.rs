//! `homebrew`: packages of Homebrew.

use serde_json::{Map, Value, json};

use super::work::{self, Kind, Step as Package, Work};
use crate::change::{Change, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process;
use crate::host::{CommandLine, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{Prepared, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What packages should be.
    pub enum Presence {
        /// Not installed.
        Absent = "absent" | "removed" | "uninstalled",
        /// Installed from the head of its sources.
        Head = "head",
        /// Installed.
        Present = "present" | "installed",
        /// Installed in the newest version.
        Latest = "latest" | "upgraded",
        /// Installed, and its programs linked.
        Linked = "linked",
        /// Its programs not linked.
        Unlinked = "unlinked",
    }
}

args! {
    /// Manages packages (formulae) of Homebrew by `brew`, which has to run as the user who owns it.
    pub struct Args {
        /// Names.
        name ("formula", "package", "pkg"): Vec<String> = Vec::new(),
        /// What they should be.
        state: Presence = Presence::Present,
        /// Directories in which `brew` is looked for, separated by colons.
        path: String = "/usr/local/bin:/opt/homebrew/bin:/home/linuxbrew/.linuxbrew/bin".into(),
        /// Whether names are taken for formulae only.
        force_formula: bool = false,
        /// Options for installing, without their dashes.
        install_options ("options"): Vec<String> = Vec::new(),
        /// Whether Homebrew itself is brought up to date first.
        update_homebrew: bool = false,
        /// Whether all packages are upgraded.
        upgrade_all ("upgrade"): bool = false,
        /// Options for upgrading, without their dashes.
        upgrade_options: Vec<String> = Vec::new(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  homebrew:
    name: jq
- name: No package
  homebrew:
    name: wget
    state: absent
";

/// The module.
pub struct Homebrew;

const BREW: Kind = Kind { word: "brew", system: false };

/// What brew says of a formula.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Formula {
    name: String,
    installed: Option<String>,
    newest: String,
    outdated: bool,
    linked: bool,
}

impl Args {
    fn line(&self, words: &[&str], options: &[String]) -> CommandLine {
        let mut line = CommandLine::new(["brew"].iter().chain(words).copied());
        line.argv.extend(options.iter().map(|option| format!("--{}", option.trim_start_matches('-'))));
        line.env("PATH", &format!("{}:/usr/bin:/bin", self.path))
            .env("HOMEBREW_NO_AUTO_UPDATE", "1")
            .env("HOMEBREW_NO_COLOR", "1")
    }

    fn run(&self, verb: &str, options: &[String], names: &[&str]) -> CommandLine {
        let mut line = self.line(&[verb], options);
        line.argv
            .extend((self.force_formula && ["install", "upgrade", "uninstall"].contains(&verb)).then(|| "--formula".to_owned()));
        line.argv.extend(names.iter().map(|&name| name.to_owned()));
        line
    }
}

/// A formula of `brew info --json=v2`.
fn formula(value: &Value) -> Option<Formula> {
    let version = value["versions"]["stable"].as_str().unwrap_or_default();
    let revision = value["revision"].as_u64().filter(|revision| *revision > 0);
    Some(Formula {
        name: value["name"].as_str()?.to_owned(),
        installed: value["installed"]
            .as_array()
            .and_then(|list| list.last())
            .and_then(|one| one["version"].as_str())
            .map(str::to_owned),
        newest: revision.map_or_else(|| version.to_owned(), |revision| format!("{version}_{revision}")),
        outdated: value["outdated"].as_bool().unwrap_or(false),
        linked: value["linked_keg"].is_string(),
    })
}

fn document(line: &CommandLine, host: &dyn Inspect) -> Result<Value, Failure> {
    let text = work::text(line, "homebrew", host)?;
    serde_json::from_str(&text).map_err(|error| Failure::new(format!("cannot read what brew says: {error}")))
}

fn list(document: &Value) -> Vec<Value> {
    document["formulae"].as_array().cloned().unwrap_or_default()
}

/// Adds what is to be done for the named formulae.
fn add(args: &Args, formulae: &[Formula], work: &mut Work, host: &dyn Inspect) -> Vec<String> {
    let mut changed = Vec::new();
    let now = |formula: &Formula| BREW.seen(&formula.name, formula.installed.clone(), host);
    let mut act = |verb: &str, options: &[String], some: Vec<&Formula>, after: &dyn Fn(&Formula) -> Option<String>| {
        if some.is_empty() {
            return;
        }
        let names: Vec<&str> = some.iter().map(|formula| formula.name.as_str()).collect();
        changed.extend(names.iter().map(|&name| name.to_owned()));
        let steps = some.iter().map(|formula| Package::new(&formula.name, now(formula), after(formula))).collect();
        work.add(BREW, steps, args.run(verb, options, &names), host);
    };
    let newest = |formula: &Formula| Some(formula.newest.clone());
    let some = |is: &dyn Fn(&Formula) -> bool| formulae.iter().filter(|formula| is(formula)).collect::<Vec<_>>();
    let missing = |formula: &Formula| now(formula).is_none();
    match args.state {
        Presence::Absent => act("uninstall", &args.install_options, some(&|formula| !missing(formula)), &|_| None),
        Presence::Present | Presence::Linked => act("install", &args.install_options, some(&missing), &newest),
        Presence::Head => {
            let mut options = args.install_options.clone();
            options.push("HEAD".into());
            act("install", &options, some(&missing), &|_| Some("HEAD".into()));
        }
        Presence::Latest => {
            act("install", &args.install_options, some(&missing), &newest);
            act("upgrade", &args.upgrade_options, some(&|formula| !missing(formula) && formula.outdated), &newest);
        }
        Presence::Unlinked => {}
    }
    changed
}

/// Adds links of programs that are to be made or removed.
fn add_links(args: &Args, formulae: &[Formula], work: &mut Work, host: &dyn Inspect) -> Vec<String> {
    if ![Presence::Linked, Presence::Unlinked].contains(&args.state) {
        return Vec::new();
    }
    let wanted = args.state == Presence::Linked;
    let mut changed = Vec::new();
    // A formula that is just installed is linked.
    for formula in formulae.iter().filter(|formula| formula.installed.is_some()) {
        let id = ResourceId::new("brew-link", &formula.name);
        let now = host.thing(&id).map_or(formula.linked, |thing| thing != Thing::Gone);
        let state = |is: bool| if is { ResourceState::present(id.clone()) } else { ResourceState::absent(id.clone()) };
        work.describe(state(now), state(wanted));
        if now != wanted {
            let thing = if wanted { Thing::There(String::new()) } else { Thing::Gone };
            work.run(args.run(if wanted { "link" } else { "unlink" }, &[], &[&formula.name]), vec![Effect::Thing(id, thing)]);
            changed.push(formula.name.clone());
        }
    }
    changed
}

impl Resource for Homebrew {
    type Args = Args;
    type State = Work;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let mut prepared = Prepared::default();
        if args.update_homebrew {
            let output = process::succeed(host, &args.line(&["update"], &[]), &[Effect::PackageLists])?;
            if args.name.is_empty() && host.acts() && !output.text().contains("Already up-to-date.") {
                prepared.changes.push(Change::run(ResourceId::new("package-lists", "homebrew")));
            }
        }
        Ok(prepared)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        let names = work::names(&args.name)?;
        let mut work = Work::default();
        let mut changed = Vec::new();
        if args.upgrade_all {
            let outdated = document(&args.line(&["outdated", "--json=v2"], &[]), host)?;
            let step = |one: &Value| {
                let before = one["installed_versions"].as_array().and_then(|list| list.last()).and_then(Value::as_str);
                Some(Package::new(
                    one["name"].as_str()?,
                    before.map(str::to_owned),
                    one["current_version"].as_str().map(str::to_owned),
                ))
            };
            let steps: Vec<Package> = list(&outdated).iter().filter_map(step).collect();
            changed.extend(steps.iter().map(|step| step.name.clone()));
            work.add(BREW, steps, args.run("upgrade", &args.upgrade_options, &[]), host);
        }
        let mut unchanged: Vec<String> = Vec::new();
        if !names.is_empty() {
            let mut words = vec!["info", "--json=v2", "--formula"];
            words.extend(&names);
            let formulae: Vec<Formula> = list(&document(&args.line(&words, &[]), host)?).iter().filter_map(formula).collect();
            changed.extend(add(args, &formulae, &mut work, host));
            changed.extend(add_links(args, &formulae, &mut work, host));
            for formula in formulae.iter().filter(|formula| !changed.contains(&formula.name)) {
                unchanged.push(formula.name.clone());
                work.keep(BREW, &formula.name, BREW.seen(&formula.name, formula.installed.clone(), host).as_deref());
            }
        }
        let message = format!("Changed: {}, Unchanged: {}", changed.len(), unchanged.len());
        let fields = json!({"msg": message, "changed_pkgs": changed, "unchanged_pkgs": unchanged});
        work.result = fields.as_object().cloned().unwrap_or_default();
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(_: &Args, before: &Work, _: &Work) -> Map<String, Value> {
        before.result.clone()
    }

    fn claims(_: &Args) -> Claims {
        Claims::everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    #[test]
    fn formulae_are_compared_with_what_brew_says() {
        let mut host = MemoryHost::default();
        let info = json!({"formulae": [
            {"name": "jq", "versions": {"stable": "1.7.1"}, "revision": 0, "installed": [], "linked_keg": null},
            {"name": "wget", "versions": {"stable": "1.24.5"}, "revision": 1, "installed": [{"version": "1.21"}], "outdated": true, "linked_keg": "1.21"},
        ], "casks": []});
        host.answer(&["brew", "info", "--json=v2", "--formula", "*"], 0, &info.to_string());
        let mut run = |options: Value| {
            host.ran.clear();
            host.things.clear();
            let outcome = converge::<Homebrew>(&Args::parse(options.as_object().unwrap()).unwrap(), &mut host).unwrap();
            (outcome, host.ran.iter().map(|line| line.argv.join(" ")).collect::<Vec<_>>())
        };
        let (outcome, ran) = run(json!({"name": ["jq", "wget"]}));
        assert_eq!((ran, &outcome.result["changed_pkgs"]), (vec!["brew install jq".to_owned()], &json!(["jq"])));
        assert_eq!(run(json!({"name": ["jq", "wget"], "state": "latest"})).1, ["brew install jq", "brew upgrade wget"]);
        assert_eq!(run(json!({"name": "wget", "state": "absent", "options": "force"})).1[0], "brew uninstall --force wget");
        assert_eq!(run(json!({"name": "wget", "state": "unlinked"})).1, ["brew unlink wget"]);
        assert_eq!(run(json!({"name": "wget", "state": "latest"})).0.changes[1].differences[0].after, "1.24.5_1");
    }
}
