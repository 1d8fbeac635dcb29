//! `pacman`: packages of Arch Linux and its kin.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

use super::work::{self, SYSTEM, Step as Change, Work};
use crate::change::{self, ResourceId, ResourceState};
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
        Absent = "absent" | "removed",
        /// Installed, whichever version.
        Present = "present" | "installed",
        /// Installed in the newest version that can be had.
        Latest = "latest",
    }
}

choice! {
    /// Why a package is there.
    pub enum Reason {
        /// Another one needs it.
        Dependency = "dependency",
        /// It was asked for.
        Explicit = "explicit",
    }
}

choice! {
    /// Whose reason is set.
    pub enum ReasonFor {
        /// That of all packages of the task.
        All = "all",
        /// That of packages that the task installs.
        New = "new",
    }
}

args! {
    /// Manages packages of Arch Linux by `pacman`.
    ///
    /// A plan lists what comes along as `pacman --print` tells it.
    pub struct Args {
        /// Names of packages or groups; also `name>=1.0`, paths and addresses of package files.
        name ("package", "pkg"): Vec<String> = Vec::new(),
        /// What they should be.
        state: Presence = Presence::Present,
        /// The program: pacman or one that takes its options.
        executable: String = "pacman".into(),
        /// Further options.
        extra_args: Option<String>,
        /// Whether packages are removed though others need them, and lists refreshed though they are fresh.
        force: bool = false,
        /// Why packages are there.
        reason: Option<Reason>,
        /// Whose reason is set.
        reason_for: ReasonFor = ReasonFor::New,
        /// Whether changed configuration files of a removed package are not kept.
        remove_nosave: bool = false,
        /// Whether lists are refreshed first; a change if they were not fresh.
        update_cache: Option<bool>,
        /// Further options for that.
        update_cache_extra_args: Option<String>,
        /// Whether the whole system is upgraded; not together with `name`.
        upgrade: Option<bool>,
        /// Further options for that.
        upgrade_extra_args: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  pacman:
    name: nginx
- name: No packages
  pacman:
    name: [nosuch, tree]
    state: absent
- name: Already there
  pacman:
    name: glibc
- name: The whole system
  pacman:
    upgrade: true
";

/// The module.
pub struct Pacman;

const SYNC: &str = "/var/lib/pacman/sync";

impl Args {
    fn line(&self, words: &[&str], option: &str, extra: Option<&str>) -> Result<CommandLine, Failure> {
        let mut line = CommandLine::new([self.executable.as_str()]).env("LC_ALL", "C");
        line.argv.extend(words.iter().map(|&word| word.to_owned()));
        line.argv.extend(work::words(option, extra)?);
        Ok(line)
    }

    fn ask(&self, words: &[&str], host: &dyn Inspect) -> Result<crate::host::Output, Failure> {
        // Options that say where things are (`--root`, `--config`) count for looking, too.
        let line = self.line(words, "extra_args", self.extra_args.as_deref())?;
        work::ask(&line, "pacman", host)
    }
}

/// `name version` rows.
fn pairs(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .filter_map(|row| row.split_once(' '))
        .map(|(name, version)| (name.to_owned(), version.trim().to_owned()))
        .collect()
}

fn is_file(name: &str) -> bool {
    super::fetch::is_url(name) || name.contains(".pkg.tar")
}

/// Asks pacman what a run would do: `-S`, `-U`, `-R` ... with `--print-format`.
fn simulate(line: &CommandLine, host: &dyn Inspect) -> Result<Result<Vec<(String, String)>, Failure>, Failure> {
    let mut asked = line.clone();
    asked.argv.insert(2, "--print-format=> %n %v".into());
    asked.deadline = Some(std::time::Duration::from_secs(600));
    let output = work::ask(&asked, "pacman", host)?;
    if output.rc != 0 {
        return Ok(Err(process::failed(line, &output)));
    }
    let text = output.text();
    let row = |line: &str| line.strip_prefix("> ")?.split_once(' ').map(|(name, version)| (name.to_owned(), version.to_owned()));
    Ok(Ok(text.lines().filter_map(row).collect()))
}

/// The names that are not there: packages, what packages provide, members of groups.
fn missing<'a>(
    args: &Args,
    names: &[&'a str],
    installed: &BTreeMap<String, String>,
    host: &dyn Inspect,
) -> Result<Vec<&'a str>, Failure> {
    let unknown: Vec<&str> = names.iter().copied().filter(|name| !installed.contains_key(*name)).collect();
    if unknown.is_empty() {
        return Ok(Vec::new());
    }
    let mut words = vec!["-T"];
    words.extend(&unknown);
    let text = args.ask(&words, host)?.text();
    let left: Vec<&str> = unknown.into_iter().filter(|name| text.lines().any(|line| line == *name)).collect();
    let mut missing = Vec::new();
    for name in left {
        let members = args.ask(&["-Sgq", "--", name], host)?;
        let text = members.text();
        let all_there =
            members.rc == 0 && !text.trim().is_empty() && text.lines().all(|member| installed.contains_key(member.trim()));
        if !all_there {
            missing.push(name);
        }
    }
    Ok(missing)
}

/// Adds a run and what it will have done.
fn add(
    args: &Args,
    work: &mut Work,
    line: CommandLine,
    names: &[&str],
    installed: &BTreeMap<String, String>,
    host: &dyn Inspect,
) -> Result<(), Failure> {
    let removes = line.argv.get(1).is_some_and(|word| word == "-R");
    match simulate(&line, host)? {
        Ok(rows) => {
            let step = |(name, version): (String, String)| {
                let before = installed.get(&name).cloned();
                if removes { Change::new(name, Some(version), None) } else { Change::new(name, before, Some(version)) }
            };
            let steps: Vec<Change> = rows.into_iter().map(step).collect();
            let packages: Vec<Value> = steps.iter().map(|step| step.name.clone().into()).collect();
            work.add(SYSTEM, steps, line, host);
            if !work.is_idle() {
                work.result.insert("packages".into(), packages.into());
            }
        }
        Err(failure) if host.acts() => return Err(failure),
        Err(failure) => {
            let after = (args.state != Presence::Absent).then(String::new);
            let step = |name: &&str| Change::new(*name, installed.get(*name).cloned(), after.clone());
            work.add(SYSTEM, names.iter().map(step).collect(), line, host);
            work.warn(format!("unless an earlier task changes it, this will fail: {}", failure.message));
        }
    }
    Ok(())
}

/// Adds the reasons that packages which are there should have.
fn add_reasons(
    args: &Args,
    work: &mut Work,
    names: &[&str],
    installed: &BTreeMap<String, String>,
    host: &dyn Inspect,
) -> Result<(), Failure> {
    let Some(reason) = args.reason.filter(|_| args.reason_for == ReasonFor::All && args.state != Presence::Absent) else {
        return Ok(());
    };
    let explicit = pairs(&args.ask(&["-Qe"], host)?.text());
    let (mut wrong, mut effects) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| installed.contains_key(**name)) {
        let id = ResourceId::new("package-reason", *name);
        let now = match host.thing(&id) {
            Some(Thing::There(word)) => word,
            _ => if explicit.contains_key(*name) { Reason::Explicit } else { Reason::Dependency }.word().to_owned(),
        };
        if now != reason.word() {
            wrong.push(*name);
            effects.push(Effect::Thing(id.clone(), Thing::There(reason.word().into())));
        }
        let state = |word: &str| ResourceState::present(id.clone()).with("reason", word);
        work.describe(state(&now), state(reason.word()));
    }
    if !wrong.is_empty() {
        let mut words = vec!["-D", "--noconfirm", if reason == Reason::Explicit { "--asexplicit" } else { "--asdeps" }];
        words.push("--");
        words.extend(wrong);
        work.run(args.line(&words, "extra_args", None)?, effects);
    }
    Ok(())
}

/// The lists as they are: names and digests.
fn lists(host: &dyn Inspect) -> Vec<(String, String)> {
    let names = host.list(Path::new(SYNC)).unwrap_or_default();
    names.into_iter().filter_map(|name| Some((name.clone(), host.digest(&Path::new(SYNC).join(name), "sha256").ok()?))).collect()
}

impl Resource for Pacman {
    type Args = Args;
    type State = Work;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let mut prepared = Prepared::default();
        if args.update_cache == Some(true) {
            let before = lists(host.inspect());
            let verb = if args.force { "-Syy" } else { "-Sy" };
            let line = args.line(&[verb, "--noconfirm"], "update_cache_extra_args", args.update_cache_extra_args.as_deref())?;
            process::succeed(host, &line, &[Effect::PackageLists])?;
            let updated = lists(host.inspect()) != before;
            if updated {
                prepared.changes.push(change::Change::run(ResourceId::new("package-lists", "pacman")));
            }
            prepared.result.insert("cache_updated".into(), updated.into());
        }
        Ok(prepared)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        let names = work::names(&args.name)?;
        let upgrade = args.upgrade == Some(true);
        if upgrade && !names.is_empty() {
            return Err(Failure::new("parameters are mutually exclusive: name|upgrade"));
        }
        if !upgrade && names.is_empty() && args.update_cache != Some(true) {
            return Err(Failure::new("one of the following is required: name, update_cache, upgrade"));
        }
        let mut work = Work::default();
        work.result.insert("packages".into(), Value::Array(Vec::new()));
        let mut installed = pairs(&args.ask(&["-Q"], host)?.text());
        installed.retain(|name, version| match SYSTEM.seen(name, Some(version.clone()), host) {
            None => false,
            Some(now) => {
                *version = now;
                true
            }
        });
        for (name, package) in host.planned_packages() {
            installed.extend(package.map(|package| (name, package.version)));
        }
        if upgrade {
            let line = args.line(&["-Su", "--noconfirm"], "upgrade_extra_args", args.upgrade_extra_args.as_deref())?;
            add(args, &mut work, line, &[], &installed, host)?;
            return Ok(work);
        }
        if args.state == Presence::Absent {
            let mut there = Vec::new();
            for name in &names {
                if installed.contains_key(*name) {
                    there.push(*name);
                }
            }
            if !there.is_empty() {
                let mut words = vec!["-R", "--noconfirm"];
                words.extend(if args.force { &["--nodeps", "--nodeps"][..] } else { &[] });
                words.extend(args.remove_nosave.then_some("--nosave"));
                let mut line = args.line(&words, "extra_args", args.extra_args.as_deref())?;
                line.argv.extend(there.iter().map(|&name| name.to_owned()));
                add(args, &mut work, line, &there, &installed, host)?;
            }
        } else {
            let (files, plain): (Vec<&str>, Vec<&str>) = names.iter().copied().partition(|name| is_file(name));
            let plain = if args.state == Presence::Latest { plain } else { missing(args, &plain, &installed, host)? };
            for (verb, names) in [("-S", plain), ("-U", files)] {
                if names.is_empty() {
                    continue;
                }
                let mut words = vec![verb, "--noconfirm", "--needed"];
                words.extend(args.reason.map(|reason| if reason == Reason::Explicit { "--asexplicit" } else { "--asdeps" }));
                let mut line = args.line(&words, "extra_args", args.extra_args.as_deref())?;
                line.argv.extend(names.iter().map(|&name| name.to_owned()));
                add(args, &mut work, line, &names, &installed, host)?;
            }
            add_reasons(args, &mut work, &names, &installed, host)?;
        }
        for name in names.iter().filter(|name| installed.contains_key(**name) == (args.state != Presence::Absent)) {
            work.keep(SYSTEM, name, installed.get(*name).map(String::as_str));
        }
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(args: &Args, before: &Work, _: &Work) -> Map<String, Value> {
        let mut result = before.result.clone();
        result.extend((args.update_cache.is_none()).then(|| ("cache_updated".to_owned(), json!(false))));
        result
    }

    fn claims(args: &Args) -> Claims {
        let packages = args.name.iter().map(|name| ResourceId::new("package", name));
        Claims::provides(packages.chain([ResourceId::new("package", "pacman")]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<Pacman>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        host.answer(&["pacman", "-Q"], 0, "alpha 1.0-1\nbeta 1.5-1\n");
        host.answer(&["pacman", "-Qe"], 0, "alpha 1.0-1\n");
        host
    }

    #[test]
    fn provided_names_and_whole_groups_are_there() {
        let mut host = host();
        host.answer(&["pacman", "-T", "*"], 127, "tools\nmore\n");
        host.answer(&["pacman", "-Sgq", "--", "tools"], 0, "alpha\nbeta\n");
        host.answer(&["pacman", "-Sgq", "--", "more"], 0, "alpha\ngamma\n");
        host.answer(&["pacman", "-S", "--print-format=> %n %v", "*"], 0, "downloading...\n> gamma 1.0-1\n> delta 2-1\n");
        let outcome = run(&json!({"name": ["alpha", "sh", "tools", "more"]}), &mut host).unwrap();
        assert_eq!(host.ran[0].argv, ["pacman", "-S", "--noconfirm", "--needed", "more"]);
        assert_eq!(outcome.result["packages"], json!(["gamma", "delta"]));
    }

    #[test]
    fn reasons_are_set_for_what_is_there() {
        let mut host = host();
        let options = json!({"name": ["alpha", "beta"], "reason": "dependency", "reason_for": "all"});
        let outcome = run(&options, &mut host).unwrap();
        assert_eq!((outcome.changes.len(), outcome.changes[0].resource.to_string()), (1, "package-reason alpha".into()));
        assert_eq!(host.ran[0].argv, ["pacman", "-D", "--noconfirm", "--asdeps", "--", "alpha"]);
    }

    #[test]
    fn a_removal_that_breaks_others_fails() {
        let mut host = host();
        host.answer(&["pacman", "-R", "*"], 1, ":: removing beta breaks dependency 'beta' required by alpha\n");
        assert!(run(&json!({"name": "beta", "state": "absent"}), &mut host).unwrap_err().message.contains("breaks dependency"));
        assert!(run(&json!({}), &mut host).is_err() && run(&json!({"name": "a", "upgrade": true}), &mut host).is_err());
    }
}
