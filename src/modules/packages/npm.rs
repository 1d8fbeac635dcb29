//! `npm`: packages of Node.js, of a project or of the system.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::work::{self, Kind, Step as Change, Work};
use crate::claims::Claims;
use crate::commands::process;
use crate::host::{CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What packages should be.
    pub enum Presence {
        /// Installed.
        Present = "present",
        /// Not installed.
        Absent = "absent",
        /// Installed in the newest version that fits.
        Latest = "latest",
    }
}

args! {
    /// Manages packages of Node.js by `npm`: one that is named, or all that `package.json` names.
    ///
    /// A plan lists what comes along as `npm --dry-run` tells it.
    pub struct Args {
        /// Name of the package; without it those of `package.json` in `path`.
        name: Option<String>,
        /// Version, e.g. `1.2.3` or `latest`.
        version: Option<String>,
        /// What it should be.
        state: Presence = Presence::Present,
        /// Directory of the project.
        path: Option<PathBuf>,
        /// Whether it is installed for the whole system.
        global: bool = false,
        /// The npm that is run.
        executable: Option<String>,
        /// Whether exactly what the lock file names is installed (`npm ci`).
        ci: bool = false,
        /// Whether what is only needed for development stays away.
        production: bool = false,
        /// Whether scripts of packages are not run.
        ignore_scripts: bool = false,
        /// Whether such scripts are run as root.
        unsafe_perm: bool = false,
        /// Registry that packages come from.
        registry: Option<String>,
        /// Whether what is optional stays away.
        no_optional: bool = false,
        /// Whether programs are not linked.
        no_bin_links: bool = false,
        /// Whether protections of npm are switched off.
        force: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package of a project
  npm:
    name: coffee-script
    version: 1.6.1
    path: /opt/app
- name: For the whole system
  npm:
    name: coffee-script
    global: true
- name: No package
  npm:
    name: oldpackage
    path: /opt/app
    state: absent
- name: What package.json names
  npm:
    path: /opt/app
";

/// The module.
pub struct Npm;

const NODE: Kind = Kind { word: "node-package", system: false };

impl Args {
    fn line(&self, verb: &str, name: Option<&str>) -> CommandLine {
        let mut line = CommandLine::new([self.executable.as_deref().unwrap_or("npm"), verb]);
        let flags = [
            (self.global, "--global"),
            (self.production && verb != "uninstall", "--production"),
            (self.force, "--force"),
            (self.ignore_scripts, "--ignore-scripts"),
            (self.unsafe_perm, "--unsafe-perm"),
            (self.no_optional, "--no-optional"),
            (self.no_bin_links, "--no-bin-links"),
        ];
        line.argv.extend(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| (*flag).to_owned()));
        line.argv.extend(self.registry.iter().flat_map(|registry| ["--registry".to_owned(), registry.clone()]));
        line.argv.extend(name.map(str::to_owned));
        line.chdir = self.path.clone().filter(|_| !self.global);
        line.env("NO_UPDATE_NOTIFIER", "1").env("npm_config_fund", "false").env("npm_config_audit", "false")
    }

    fn label(&self, name: &str) -> String {
        match self.path.as_ref().filter(|_| !self.global) {
            Some(path) => format!("{name} in {}", path.display()),
            None => name.to_owned(),
        }
    }

    /// The name with its version, as npm takes it.
    fn word(&self) -> Option<String> {
        let name = self.name.as_ref()?;
        Some(match &self.version {
            Some(version) => format!("{name}@{version}"),
            None => name.clone(),
        })
    }
}

/// What npm printed, without what stands before.
fn json(text: &str) -> Option<Value> {
    let start = if text.starts_with('{') { 0 } else { text.find("\n{")? + 1 };
    serde_json::from_str(text[start..].trim()).ok()
}

/// Asks npm and reads its answer; a status other than 0 only means that something is missing.
fn ask(mut line: CommandLine, words: &[&str], host: &dyn Inspect) -> Result<Value, Failure> {
    line.argv.extend(words.iter().map(|&word| word.to_owned()));
    line.deadline = Some(std::time::Duration::from_secs(600));
    let output = work::ask(&line, "npm", host)?;
    let answer = json(&output.text()).ok_or_else(|| process::failed(&line, &output))?;
    match answer["error"]["code"].as_str() {
        Some(code) if code != "ELSPROBLEMS" => {
            let summary = answer["error"]["summary"].as_str().unwrap_or_default();
            Err(Failure::new(format!("`{}` failed: {code}: {summary}", line.argv.join(" "))))
        }
        _ => Ok(answer),
    }
}

/// The steps of a dry run. Versions before 10 only count, so that nothing but the name is known.
fn steps(answer: &Value, name: Option<&str>) -> Vec<Change> {
    let text = |item: &Value, key: &str| item[key].as_str().map(str::to_owned);
    let list = |keys: [&str; 2]| keys.into_iter().find_map(|key| answer[key].as_array()).cloned().unwrap_or_default();
    let mut steps = Vec::new();
    for item in list(["add", "added"]) {
        steps.extend(text(&item, "name").map(|name| Change::new(name, None, text(&item, "version").or(Some(String::new())))));
    }
    for item in list(["change", "updated"]) {
        let (from, to) = if item["to"].is_object() { (&item["from"], &item["to"]) } else { (&Value::Null, &item) };
        let before = text(from, "version").or_else(|| text(&item, "previousVersion"));
        steps.extend(text(to, "name").map(|name| Change::new(name, before.or(Some(String::new())), text(to, "version"))));
    }
    for item in list(["remove", "removed"]) {
        steps.extend(text(&item, "name").map(|name| Change::new(name, text(&item, "version").or(Some(String::new())), None)));
    }
    let counted = |key: &str| answer[key].as_u64().unwrap_or(0);
    if steps.is_empty() && counted("added") + counted("changed") > 0 {
        steps.push(Change::new(name.unwrap_or("packages of package.json"), None, Some(String::new())));
    }
    if steps.is_empty() && counted("removed") > 0 {
        steps.extend(name.map(|name| Change::new(name, Some(String::new()), None)));
    }
    steps
}

/// The version that is there; one that is only named in `package.json` is not.
fn installed(listed: &Value, name: &str) -> Option<String> {
    let entry = listed["dependencies"].get(name)?;
    let missing = ["missing", "invalid"].iter().any(|key| !matches!(entry[*key], Value::Null | Value::Bool(false)));
    entry["version"].as_str().filter(|_| !missing).map(str::to_owned)
}

/// Whether a version is one and not a range or a tag.
fn is_exact(version: &str) -> bool {
    version.split('.').count() == 3
        && version.starts_with(|c: char| c.is_ascii_digit())
        && !version.contains(['x', '*', ' ', '|'])
}

impl Resource for Npm {
    type Args = Args;
    type State = Work;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        if !args.global && args.path.is_none() {
            return Err(Failure::new("path must be specified when not using global"));
        }
        if args.name.is_none() && args.state == Presence::Absent {
            return Err(Failure::new("name must be specified when using state=absent"));
        }
        let word = args.word();
        work::names(word.as_slice())?;
        let mut work = Work::default();
        let path = args.path.as_ref().filter(|_| !args.global);
        let there = path.is_none_or(|path| crate::commands::glob::exists(path, host));
        if let (Some(path), false) = (path, there) {
            if args.state == Presence::Absent {
                return Ok(work);
            }
            let (uid, gid) = host.whoami();
            let path_text = path.display().to_string();
            let id = crate::change::ResourceId::new("file", &path_text);
            work.describe(crate::change::ResourceState::absent(id.clone()), crate::change::ResourceState::present(id));
            work.run(CommandLine::new(["mkdir", "-p", "--", &path_text]), vec![Effect::Directory(path.clone(), 0o755, uid, gid)]);
        }
        // A directory that is only planned cannot be asked.
        let can_ask = there && path.is_none_or(|path| host.acts() || crate::commands::glob::exists(path, host));
        let bare = CommandLine { argv: vec![args.executable.clone().unwrap_or_else(|| "npm".into())], ..args.line("ls", None) };
        let mut version = None;
        if let (Some(name), true) = (&args.name, can_ask) {
            let mut words = vec!["ls", "--json", "--depth=0"];
            words.extend(args.global.then_some("--global"));
            version = match ask(bare, &words, host) {
                Ok(listed) => installed(&listed, name),
                Err(failure) if host.acts() => return Err(failure),
                Err(_) => None,
            };
            version = NODE.seen(&args.label(name), version, host);
        }
        let settled = match (&version, args.state) {
            (now, Presence::Absent) => now.is_none(),
            (Some(now), Presence::Present) => {
                now.is_empty() || args.version.as_deref().is_none_or(|version| is_exact(version) && version == now)
            }
            _ => false,
        };
        if let Some(name) = args.name.as_ref().filter(|_| settled) {
            work.keep(NODE, &args.label(name), version.as_deref());
            return Ok(work);
        }
        let line = match args.state {
            Presence::Absent => args.line("uninstall", args.name.as_deref()),
            Presence::Latest if version.is_some() || args.name.is_none() => args.line("update", args.name.as_deref()),
            _ if args.ci && args.name.is_none() => args.line("ci", None),
            _ => args.line("install", word.as_deref()),
        };
        let told = if can_ask { Some(ask(line.clone(), &["--dry-run", "--json"], host)) } else { None };
        let steps = match told {
            Some(Ok(answer)) => steps(&answer, args.name.as_deref()),
            Some(Err(failure)) if host.acts() => return Err(failure),
            other => {
                if let Some(Err(failure)) = other {
                    work.warn(format!("unless an earlier task changes it, this will fail: {}", failure.message));
                }
                let after = match (args.state, args.version.as_deref().filter(|version| is_exact(version))) {
                    (Presence::Absent, _) => None,
                    (_, Some(version)) => Some(version.to_owned()),
                    _ => Some(String::new()),
                };
                let name = args.name.clone().unwrap_or_else(|| "packages of package.json".into());
                vec![Change::new(name, version.clone(), after)]
            }
        };
        let steps = steps.into_iter().map(|step| Change { name: args.label(&step.name), ..step }).collect();
        work.add(NODE, steps, line, host);
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
        // Packages bring programs, and installing them runs their own code.
        Claims::everything()
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
        converge::<Npm>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    #[test]
    fn a_dry_run_of_any_version_is_read() {
        let new = json!({"add": [{"name": "a", "version": "1.0.0"}], "remove": [{"name": "c", "version": "2.0.0"}],
            "change": [{"from": {"name": "b", "version": "1.0.0"}, "to": {"name": "b", "version": "1.1.0"}}], "added": 1});
        let step = |name: &str, before: Option<&str>, after: Option<&str>| {
            Change::new(name, before.map(str::to_owned), after.map(str::to_owned))
        };
        assert_eq!(
            steps(&new, None),
            [step("a", None, Some("1.0.0")), step("b", Some("1.0.0"), Some("1.1.0")), step("c", Some("2.0.0"), None)]
        );
        let old = json!({"added": [{"action": "add", "name": "a", "version": "1.0.0"}], "updated": [], "removed": []});
        assert_eq!(steps(&old, None), [step("a", None, Some("1.0.0"))]);
        assert_eq!(steps(&json!({"added": 3, "removed": 0, "changed": 0}), Some("a")), [step("a", None, Some(""))]);
        assert_eq!(steps(&json!({"added": 0, "removed": 0, "changed": 0}), Some("a")), []);
        assert_eq!(json("add left-pad 1.1.0\n{\n \"added\": 1\n}\n").unwrap()["added"], 1);
    }

    #[test]
    fn what_is_missing_is_installed_and_what_is_there_stays() {
        let mut host = MemoryHost::default();
        host.add_directory("/app");
        host.answer(&["npm", "ls", "*"], 1, r#"{"dependencies": {"a": {"version": "1.0.0"}, "b": {"missing": true, "required": "^1"}}, "error": {"code": "ELSPROBLEMS"}}"#);
        host.answer(&["npm", "install", "*"], 0, r#"{"add": [{"name": "b", "version": "1.2.0"}]}"#);
        assert_eq!(run(&json!({"name": "a", "path": "/app", "version": "1.0.0"}), &mut host).unwrap().changes, []);
        let outcome = run(&json!({"name": "b", "path": "/app"}), &mut host).unwrap();
        assert_eq!(outcome.changes[0].resource.to_string(), "node-package b in /app");
        assert_eq!(
            (host.ran[0].argv.join(" "), host.ran[0].chdir.clone()),
            ("npm install b".into(), Some(PathBuf::from("/app")))
        );
        assert!(
            run(&json!({"name": "b"}), &mut host).is_err() && run(&json!({"name": "-g", "global": true}), &mut host).is_err()
        );
    }
}
