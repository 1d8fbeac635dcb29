//! `apk`: packages of Alpine Linux.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::apk_db;
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
        /// Installed and asked for, whichever version.
        Present = "present" | "installed",
        /// Not asked for.
        Absent = "absent" | "removed",
        /// Installed in the newest version that can be had.
        Latest = "latest",
    }
}

args! {
    /// Manages packages of Alpine Linux by `apk`.
    ///
    /// A package that is only there because another one needs it does not count as present: it has to
    /// be in the host's list of packages that were asked for (`/etc/apk/world`). A plan lists what
    /// comes along as `apk --simulate` tells it.
    pub struct Args {
        /// Names; also `name=1.0`, `name>1.0`, `name@repository`.
        name: Vec<String> = Vec::new(),
        /// What they should be.
        state: Presence = Presence::Present,
        /// Whether lists are refreshed first. Counts as a change only if nothing else is asked for.
        update_cache: bool = false,
        /// Whether all packages are upgraded.
        upgrade: bool = false,
        /// With `upgrade`: whether packages that can no longer be had are replaced.
        available: bool = false,
        /// Whether no cache is used.
        no_cache: bool = false,
        /// Repositories instead of those of the host.
        repository: Option<Vec<String>>,
        /// List of the packages that were asked for.
        world: PathBuf = "/etc/apk/world".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  apk:
    name: nginx
- name: No package
  apk:
    name: nosuch
    state: absent
- name: Already there
  apk:
    name: busybox
- name: The whole system, with fresh lists
  apk:
    upgrade: true
    update_cache: true
";

/// The module.
pub struct Apk;

impl Args {
    fn line(&self, words: &[&str]) -> CommandLine {
        let mut line = CommandLine::new(["apk"]).env("LC_ALL", "C");
        line.argv.extend(self.no_cache.then(|| "--no-cache".to_owned()));
        if let Some(repositories) = &self.repository {
            let given = repositories.iter().flat_map(|repository| ["--repository".to_owned(), repository.clone()]);
            line.argv.extend(given.chain(["--repositories-file", "/dev/null"].map(String::from)));
        }
        line.argv.extend(words.iter().map(|&word| word.to_owned()));
        line
    }
}

/// The steps that `apk --simulate` tells.
fn simulate(line: &CommandLine, verb: &str, host: &dyn Inspect) -> Result<Result<Vec<Change>, Failure>, Failure> {
    let mut asked = line.clone();
    let at = asked.argv.iter().position(|word| word == verb).map_or(asked.argv.len(), |at| at + 1);
    asked.argv.insert(at, "--simulate".into());
    let output = work::ask(&asked, "apk-tools", host)?;
    Ok(if output.rc == 0 { Ok(apk_db::steps(&output.text())) } else { Err(process::failed(line, &output)) })
}

/// What was asked for on this host, without versions.
fn world(path: &Path, host: &dyn Inspect) -> Vec<String> {
    let text = host.read(path, 1 << 20).unwrap_or_default();
    String::from_utf8_lossy(&text).split_whitespace().map(|word| apk_db::bare(word).to_owned()).collect()
}

fn asked_for(name: &str) -> ResourceId {
    ResourceId::new("package-world", name)
}

impl Resource for Apk {
    type Args = Args;
    type State = Work;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let mut prepared = Prepared::default();
        if args.update_cache {
            process::succeed(host, &args.line(&["update"]), &[Effect::PackageLists])?;
            if args.name.is_empty() && !args.upgrade {
                prepared.changes.push(change::Change::run(ResourceId::new("package-lists", "apk")));
            }
        }
        Ok(prepared)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        let names = work::names(&args.name)?;
        if args.upgrade && !names.is_empty() {
            return Err(Failure::new("parameters are mutually exclusive: name|upgrade"));
        }
        if !args.upgrade && names.is_empty() && !args.update_cache {
            return Err(Failure::new("one of the following is required: name, update_cache, upgrade"));
        }
        let mut work = Work::default();
        work.result.insert("packages".into(), Value::Array(Vec::new()));
        if names.is_empty() && !args.upgrade {
            return Ok(work);
        }
        let listed = work::text(&args.line(&["info", "-v"]), "apk-tools", host)?;
        let rows = listed.lines().filter_map(apk_db::split);
        let mut installed: BTreeMap<String, String> = rows
            .filter_map(|(name, version)| Some((name.to_owned(), SYSTEM.seen(name, Some(version.to_owned()), host)?)))
            .collect();
        for (name, package) in host.planned_packages() {
            installed.extend(package.map(|package| (name, package.version)));
        }
        let world = world(&args.world, host);
        let explicit = |name: &str| match host.thing(&asked_for(name)) {
            None => world.iter().any(|word| word == name),
            Some(thing) => thing != Thing::Gone,
        };
        let there = |name: &str| installed.contains_key(apk_db::bare(name));
        let settled = |name: &str| match args.state {
            Presence::Absent => !explicit(apk_db::bare(name)) && !there(name),
            // A version is judged by apk itself.
            _ => there(name) && explicit(apk_db::bare(name)) && apk_db::bare(name) == name && args.state == Presence::Present,
        };
        let left: Vec<&str> = names.iter().copied().filter(|name| !settled(name)).collect();
        let (verb, mut words) = match args.state {
            _ if args.upgrade => ("upgrade", vec!["upgrade"]),
            Presence::Absent => ("del", vec!["del"]),
            Presence::Latest => ("add", vec!["add", "--upgrade"]),
            Presence::Present => ("add", vec!["add"]),
        };
        words.extend(args.available.then_some("--available").filter(|_| args.upgrade));
        words.extend(&left);
        let names_in_world: Vec<&str> = left.iter().map(|name| apk_db::bare(name)).collect();
        let wanted = args.state != Presence::Absent;
        if args.upgrade || !left.is_empty() {
            let line = args.line(&words);
            let steps = match simulate(&line, verb, host)? {
                Ok(steps) => steps,
                Err(failure) if host.acts() => return Err(failure),
                Err(failure) => {
                    work.warn(format!("unless an earlier task changes it, this will fail: {}", failure.message));
                    let after = wanted.then(String::new);
                    names_in_world.iter().map(|name| Change::new(*name, installed.get(*name).cloned(), after.clone())).collect()
                }
            };
            let packages: Vec<Value> = steps.iter().map(|step| step.name.clone().into()).collect();
            work.result.insert("packages".into(), packages.into());
            work.add(SYSTEM, steps, line.clone(), host);
            let mut effects = Vec::new();
            for name in names_in_world.into_iter().filter(|name| explicit(name) != wanted) {
                let state = |is: bool| {
                    if is { ResourceState::present(asked_for(name)) } else { ResourceState::absent(asked_for(name)) }
                };
                work.describe(state(!wanted), state(wanted));
                let thing = if wanted { Thing::There(String::new()) } else { Thing::Gone };
                effects.push(Effect::Thing(asked_for(name), thing));
            }
            match work.runs().first_mut() {
                Some(run) => run.effects.extend(effects),
                None if !effects.is_empty() => work.run(line, effects),
                None => {}
            }
        }
        for name in names.iter().filter(|name| there(name) == wanted) {
            let name = apk_db::bare(name);
            work.keep(SYSTEM, name, installed.get(name).map(String::as_str));
        }
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

    fn claims(args: &Args) -> Claims {
        let packages = args.name.iter().map(|name| ResourceId::new("package", name));
        Claims::provides(packages.chain([ResourceId::new("package", "apk")]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;
    use serde_json::json;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<Apk>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        host.add_file("/etc/apk/world", "busybox\nnginx>1.20\n");
        host.answer(&["apk", "info", "-v"], 0, "busybox-1.36.1-r5\nnginx-1.24.0-r6\npcre-8.45-r3\n");
        host.answer(&["apk", "add", "--simulate", "*"], 0, "OK: 10 MiB in 15 packages\n");
        host
    }

    #[test]
    fn a_dependency_does_not_count_as_asked_for() {
        let mut host = host();
        assert_eq!(run(&json!({"name": ["busybox", "nginx"]}), &mut host).unwrap().changes, []);
        let outcome = run(&json!({"name": "pcre"}), &mut host).unwrap();
        assert_eq!((outcome.changes.len(), outcome.changes[0].resource.to_string()), (1, "package-world pcre".into()));
        assert_eq!(host.ran[0].argv, ["apk", "add", "pcre"]);
    }

    #[test]
    fn what_comes_along_is_told() {
        let mut host = host();
        host.answer(
            &["apk", "--repository", "http://x", "--repositories-file", "/dev/null", "info", "-v"],
            0,
            "busybox-1.36.1-r5\nnginx-1.24.0-r6\n",
        );
        host.answer(
            &["apk", "--repository", "http://x", "--repositories-file", "/dev/null", "add", "--simulate", "--upgrade", "nginx"],
            0,
            "(1/2) Installing lua (5.4-r0)\n(2/2) Upgrading nginx (1.24.0-r6 -> 1.26.0-r0)\nOK: 10 MiB\n",
        );
        let outcome = run(&json!({"name": "nginx", "state": "latest", "repository": "http://x"}), &mut host).unwrap();
        assert_eq!(outcome.result["packages"], json!(["lua", "nginx"]));
        assert_eq!(outcome.changes[1].differences[0].before, "1.24.0-r6");
    }
}
