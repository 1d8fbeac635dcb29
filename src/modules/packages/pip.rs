//! `pip`: Python packages, of the system or of a virtual environment.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::pip_tool::{self, Pip};
use super::requirement::{self, Requirement};
use super::work::{self, Kind, Work};
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::host::{CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What packages should be.
    pub enum Presence {
        /// Not installed.
        Absent = "absent",
        /// Installed anew, every time.
        ForceReinstall = "forcereinstall",
        /// Installed in the newest version that fits.
        Latest = "latest",
        /// Installed in a version that fits.
        Present = "present",
    }
}

args! {
    /// Manages Python packages by `pip`.
    ///
    /// What is there is compared with what is asked for by the rules of PEP 440, and pip is run only
    /// where something is missing. A plan lists what would come along where the host has pip 22.2 or
    /// later; that lets pip fetch and look at packages, but installs nothing.
    pub struct Args {
        /// Requirements: names, with versions (`django>=4,<5`) or extras, addresses, archives on the host.
        name: Option<Vec<String>>,
        /// Version of the one package that is named.
        version: Option<String>,
        /// Path of a file of requirements on the host, relative to `chdir`.
        requirements: Option<String>,
        /// What they should be.
        state: Presence = Presence::Present,
        /// Directory of a virtual environment, which is made if it is not there.
        virtualenv: Option<PathBuf>,
        /// Command that makes the environment, e.g. `python3 -m venv`.
        virtualenv_command: String = "virtualenv".into(),
        /// Python for a new environment; not together with `venv` as command.
        virtualenv_python: Option<String>,
        /// Whether a new environment sees the packages of the system.
        virtualenv_site_packages: bool = false,
        /// Whether packages are installed as links to their sources.
        editable: bool = false,
        /// Further options for pip.
        extra_args: Option<String>,
        /// Directory in which pip is run.
        chdir: Option<PathBuf>,
        /// The pip that is run, a name or a path; not together with `virtualenv`.
        executable: Option<String>,
        /// File mode mask while pip runs, octal.
        umask: Option<String>,
        /// Whether packages of the system's own Python may be changed where it forbids that.
        break_system_packages: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  pip:
    name: bottle
- name: A version, in a virtual environment
  pip:
    name: django>=4,<5
    virtualenv: /opt/app/venv
    virtualenv_command: python3 -m venv
- name: No package
  pip:
    name: oldpackage
    state: absent
- name: Already there
  pip:
    name: six
    version: 1.16.0
";

/// The module.
pub struct PipModule;

pub(super) const PYTHON: Kind = Kind { word: "python-package", system: false };

impl Args {
    /// What is named, and what the file of requirements names.
    fn requirements(&self) -> Result<Vec<Requirement>, Failure> {
        let names = requirement::joined(self.name.as_deref().unwrap_or_default());
        work::names(&names)?;
        let mut all: Vec<Requirement> = names.iter().map(|name| Requirement::parse(name)).collect();
        if let Some(version) = &self.version {
            let [one] = all.as_mut_slice() else {
                return Err(Failure::new(
                    "'version' argument is ambiguous when installing multiple package distributions. Please specify version restrictions next to each package in 'name' argument.",
                ));
            };
            if one.direct || !one.specifiers.is_empty() {
                return Err(Failure::new(
                    "The 'version' argument conflicts with any version specifier provided along with a package name. Please keep the version specifier, but remove the 'version' argument.",
                ));
            }
            one.specifiers = format!("=={version}");
            one.text = format!("{}=={version}", one.text);
        }
        Ok(all)
    }

    /// The words of a run of pip that installs.
    fn install(&self, words: &[String]) -> Vec<String> {
        let mut argv = vec!["install".to_owned()];
        argv.extend((self.state == Presence::Latest).then(|| "-U".to_owned()));
        argv.extend((self.state == Presence::ForceReinstall).then(|| "--force-reinstall".to_owned()));
        argv.extend_from_slice(words);
        argv
    }

    /// Extra options, and what is to be installed.
    fn words(&self, all: &[Requirement]) -> Result<Vec<String>, Failure> {
        let mut words = work::words("extra_args", self.extra_args.as_deref())?;
        for one in all {
            words.extend((self.editable && self.state != Presence::Absent).then(|| "-e".to_owned()));
            words.push(if self.state == Presence::Absent { bare(&one.text) } else { one.text.clone() });
        }
        words.extend(self.requirements.iter().flat_map(|file| ["-r".to_owned(), file.clone()]));
        Ok(words)
    }

    /// What `-r` names, as a path.
    fn file(&self) -> Option<PathBuf> {
        let file = self.requirements.as_ref()?;
        Some(self.chdir.as_deref().unwrap_or(Path::new("")).join(file))
    }

    /// A package as a resource: those of an environment are told apart.
    fn label(&self, name: &str) -> String {
        match &self.virtualenv {
            Some(venv) => format!("{name} in {}", venv.display()),
            None => name.to_owned(),
        }
    }

    fn finished(&self, mut line: CommandLine) -> Result<CommandLine, Failure> {
        line.chdir.clone_from(&self.chdir);
        if self.break_system_packages {
            line = line.env("PIP_BREAK_SYSTEM_PACKAGES", "1");
        }
        if let Some(umask) = &self.umask {
            if !umask.chars().all(|c| ('0'..'8').contains(&c)) || umask.is_empty() {
                return Err(Failure::new("umask must be an octal integer"));
            }
            // A process inherits its mask; nothing but a shell sets it for the one that follows.
            let head = ["sh", "-c", "umask \"$1\" && shift && exec \"$@\"", "sh", umask].map(String::from);
            line.argv.splice(0..0, head);
        }
        Ok(line)
    }
}

/// A requirement without its version, as `pip uninstall` wants it.
fn bare(text: &str) -> String {
    text.split(['=', '<', '>', '!', '~', ' ', '[']).next().unwrap_or(text).to_owned()
}

/// The command that makes the environment.
fn make_environment(args: &Args, venv: &Path) -> Result<CommandLine, Failure> {
    let mut argv = work::words("virtualenv_command", Some(&args.virtualenv_command))?;
    let plain = argv.windows(2).any(|pair| pair == ["-m", "venv"]) || argv.first().is_some_and(|word| word.ends_with("pyvenv"));
    argv.extend(args.virtualenv_site_packages.then(|| "--system-site-packages".to_owned()));
    match &args.virtualenv_python {
        Some(_) if plain => {
            return Err(Failure::new(
                "virtualenv_python should not be used when using the venv module or pyvenv as virtualenv_command",
            ));
        }
        Some(python) => argv.push(format!("--python={python}")),
        None => {}
    }
    argv.push(venv.display().to_string());
    Ok(CommandLine { argv, chdir: args.chdir.clone(), ..CommandLine::default() })
}

/// The steps that pip says it would do, or those that can be told without it.
fn install_steps(
    args: &Args,
    pip: &Pip,
    all: &[Requirement],
    listed: &[Requirement],
    words: &[String],
    host: &dyn Inspect,
) -> Result<Vec<work::Step>, Failure> {
    if pip.has_reports() {
        let line = args.finished(pip.line(&args.install(words)))?;
        match pip.report(line, host) {
            Ok(steps) => return Ok(steps),
            // In a plan what is fetched from may not be there yet.
            Err(failure) if host.acts() => return Err(failure),
            Err(_) => {}
        }
    }
    let newest = if args.state == Presence::Latest { pip.outdated(host)? } else { std::collections::BTreeMap::new() };
    let unmet = all.iter().chain(listed).filter_map(|one| {
        let before = pip.installed.get(&one.name).cloned();
        let name = if one.name.is_empty() { one.text.clone() } else { one.name.clone() };
        let after = match (newest.get(&one.name), one.is_met(before.as_deref())) {
            (Some(newest), _) => newest.clone(),
            (None, Some(false)) => one.version().to_owned(),
            // What counts under a condition only, or has no name, is settled once pip has been asked.
            (None, None) if before.is_none() && one.direct && !one.conditional && !(pip.exists && one.name.is_empty()) => {
                String::new()
            }
            (None, _) => return None,
        };
        Some(work::Step::new(name, before, Some(after)))
    });
    Ok(unmet.collect())
}

impl Resource for PipModule {
    type Args = Args;
    type State = Work;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        if args.virtualenv.is_some() && args.executable.is_some() {
            return Err(Failure::new("parameters are mutually exclusive: executable|virtualenv"));
        }
        if args.state == Presence::Latest && args.version.is_some() {
            return Err(Failure::new("version is incompatible with state=latest"));
        }
        let mut work = Work::default();
        let all = args.requirements()?;
        if let Some(venv) = &args.virtualenv
            && host.stat(&venv.join("bin/activate"))?.is_none()
        {
            let id = ResourceId::new("virtualenv", venv.display().to_string());
            let state = crate::change::ResourceState::present(id.clone());
            work.describe(crate::change::ResourceState::absent(id), state);
            let effects = pip_tool::environment_effects(venv, host)?;
            work.run(make_environment(args, venv)?, effects);
        } else if all.is_empty() && args.requirements.is_none() && args.virtualenv.is_none() {
            return Err(Failure::new("one of the following is required: name, requirements, virtualenv"));
        }
        if all.is_empty() && args.requirements.is_none() {
            return Ok(work);
        }
        let mut pip = Pip::find(args.executable.as_deref(), args.virtualenv.as_deref(), host)?;
        pip.look(host, &|name| args.label(name))?;
        let words = args.words(&all)?;
        let listed = match args.file() {
            Some(path) => match host.read(&path, 1 << 20) {
                Ok(bytes) => requirement::of_file(&String::from_utf8_lossy(&bytes)),
                Err(_) if fetch_address(&path) => Vec::new(),
                Err(failure) => return Err(failure),
            },
            None => Vec::new(),
        };
        let steps = if args.state == Presence::Absent {
            let there = |one: &Requirement| Some(work::Step::new(&one.name, Some(pip.installed.get(&one.name)?.clone()), None));
            all.iter().chain(&listed).filter_map(there).collect()
        } else {
            let met = |one: &Requirement| one.is_met(pip.installed.get(&one.name).map(String::as_str)) == Some(true);
            let simple = args.requirements.is_none() && !args.editable && args.state == Presence::Present;
            if simple && all.iter().all(met) { Vec::new() } else { install_steps(args, &pip, &all, &listed, &words, host)? }
        };
        let argv = if args.state == Presence::Absent {
            ["uninstall", "-y"].map(String::from).into_iter().chain(words).collect()
        } else {
            args.install(&words)
        };
        let line = pip.line(&argv);
        work.result = Map::from_iter([("cmd".to_owned(), json!(line.argv))]);
        for one in all.iter().filter(|one| !one.name.is_empty() && !steps.iter().any(|step| step.name == one.name)) {
            work.keep(PYTHON, &args.label(&one.name), pip.installed.get(&one.name).map(String::as_str));
        }
        let steps = steps.into_iter().map(|step| work::Step { name: args.label(&step.name), ..step }).collect();
        let line = args.finished(line)?;
        if args.state == Presence::ForceReinstall {
            work.run(line, Vec::<Effect>::new());
        } else {
            work.add(PYTHON, steps, line, host);
        }
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn runs(args: &Args, _: &Work, _: &Work) -> Vec<Change> {
        if args.state != Presence::ForceReinstall {
            return Vec::new();
        }
        let all = args.requirements().unwrap_or_default().into_iter().map(|one| one.text).chain(args.requirements.clone());
        all.map(|text| Change::run(ResourceId::new(PYTHON.word, args.label(&text)))).collect()
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(args: &Args, before: &Work, _: &Work) -> Map<String, Value> {
        let mut result = before.result.clone();
        let names = args.name.as_deref().map(requirement::joined);
        let fields = [
            ("name", json!(names)),
            ("version", json!(args.version)),
            ("requirements", json!(args.requirements)),
            ("virtualenv", json!(args.virtualenv.as_ref().map(|path| path.display().to_string()))),
            ("state", args.state.word().into()),
        ];
        result.extend(fields.map(|(name, value)| (name.to_owned(), value)));
        result
    }

    fn claims(_: &Args) -> Claims {
        // Packages bring programs, and installing them runs their own code.
        Claims::everything()
    }
}

/// `-r` also takes an address.
fn fetch_address(path: &Path) -> bool {
    path.to_str().is_some_and(super::fetch::is_url)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::resource::converge;

    fn args(value: &Value) -> Args {
        Args::parse(value.as_object().unwrap()).unwrap()
    }

    fn host(version: &str, list: &Value) -> MemoryHost {
        let mut host = MemoryHost::default();
        host.answer(&["python3", "-m", "pip", "--version"], 0, &format!("pip {version} from /x (python 3.11)\n"));
        host.answer(&["python3", "-m", "pip", "list", "*"], 0, &list.to_string());
        host
    }

    #[test]
    fn pip_is_run_only_where_something_is_missing() {
        let mut host = host("20.3", &json!([{"name": "Django", "version": "4.2.1"}]));
        assert_eq!(converge::<PipModule>(&args(&json!({"name": "django>=4,<5"})), &mut host).unwrap().changes, []);
        let outcome = converge::<PipModule>(&args(&json!({"name": "django", "version": "5.0"})), &mut host).unwrap();
        assert_eq!(outcome.changes[0].differences[0].after, "5.0");
        assert_eq!(host.ran[0].argv, ["python3", "-m", "pip", "install", "django==5.0"]);
    }

    #[test]
    fn a_report_tells_what_comes_along() {
        let mut host = host("23.0.1", &json!([{"name": "idna", "version": "3.4"}]));
        let report = json!({"install": [
            {"metadata": {"name": "requests", "version": "2.31"}, "download_info": {}},
            {"metadata": {"name": "idna", "version": "3.4"}, "download_info": {}},
            {"metadata": {"name": "app", "version": "1"}, "download_info": {"vcs_info": {"commit_id": "abcdef"}}},
        ]});
        host.answer(&["python3", "-m", "pip", "install", "*"], 0, &report.to_string());
        let outcome = converge::<PipModule>(&args(&json!({"name": ["requests"]})), &mut Overlay::new(host)).unwrap();
        let changed: Vec<_> =
            outcome.changes.iter().map(|change| (change.resource.name.as_str(), change.differences[0].after.clone())).collect();
        assert_eq!(changed, [("requests", json!("2.31")), ("app", json!("1 (abcdef)"))]);
    }

    #[test]
    fn an_environment_is_made_before_its_packages() {
        let mut host = MemoryHost::default();
        host.add_file("/srv/req.txt", "six==1.16\n# x\nidna\n");
        let options = json!({"requirements": "req.txt", "chdir": "/srv", "virtualenv": "/opt/v", "virtualenv_command": "python3 -m venv", "umask": "077"});
        let outcome = converge::<PipModule>(&args(&options), &mut host).unwrap();
        let changed: Vec<_> = outcome.changes.iter().map(|change| change.resource.to_string()).collect();
        assert_eq!(changed, ["virtualenv /opt/v", "python-package six in /opt/v", "python-package idna in /opt/v"]);
        assert_eq!(host.ran[0].argv, ["python3", "-m", "venv", "/opt/v"]);
        assert_eq!(host.ran[1].argv[4..], ["077", "/opt/v/bin/python", "-m", "pip", "install", "-r", "req.txt"]);
    }

    #[test]
    fn a_version_is_given_once() {
        let wrong = [
            json!({"name": ["a", "b"], "version": "1"}),
            json!({"name": "a>1", "version": "1"}),
            json!({"name": "-r/etc/x"}),
            json!({}),
        ];
        for options in wrong {
            assert!(converge::<PipModule>(&args(&options), &mut host("23.0", &json!([]))).is_err(), "{options}");
        }
    }
}
