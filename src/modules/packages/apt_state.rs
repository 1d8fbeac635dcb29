//! Which packages are there, and what has to be done: the looking half of `apt`.

use std::path::{Path, PathBuf};

use super::apt::{Args, Presence, Upgrade};
use super::apt_lists::{self, Candidate};
use super::fetch;
use super::work::Step;
use crate::change::{ResourceId, ResourceState};
use crate::commands::glob;
use crate::host::{CommandLine, Effect, Inspect, Package};
use crate::outcome::Failure;
use crate::resource;

pub(super) use super::apt_lists::refreshed;

/// What has to be done to one package.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Todo {
    Nothing,
    /// Another package that is installed provides it.
    Provided,
    /// Install: the word for `apt-get`, and the version where it is known.
    Install(String, Option<String>),
    Remove,
}

/// A package that is asked for.
#[derive(Debug, Clone)]
struct Target {
    /// Name without version.
    name: String,
    installed: Option<Package>,
    todo: Todo,
}

/// Packages as they are, and what is to be done.
#[derive(Debug, Clone)]
pub struct State {
    targets: Vec<Target>,
    /// What comes along, and what an upgrade of everything touches.
    extras: Vec<Step>,
    /// Verb of a run beside that for the targets (`upgrade`, `autoremove` ...).
    verb: Option<&'static str>,
    absent: bool,
    /// When lists were refreshed, seconds since the epoch.
    pub(super) refreshed: f64,
    resources: Vec<ResourceState>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.resources.clone()
    }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("package", name)
}

fn there(name: &str, version: Option<&str>) -> ResourceState {
    ResourceState::present(id(name)).with("version", version.filter(|version| !version.is_empty()).map(str::to_owned))
}

/// Looks at dpkg's database, and at the lists where that is not enough.
pub(super) fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
    let names = args.names()?;
    let everything = names.contains(&"*");
    if everything && (names.len() > 1 || args.state != Presence::Latest) {
        return Err(Failure::new("`*` stands alone, and with state `latest`"));
    }
    let builds = args.state == Presence::BuildDep;
    let mut targets = if everything || builds { Vec::new() } else { targets(args, &names, host)? };
    if let Some(deb) = &args.deb {
        targets.push(package_file(deb, args, host)?);
    }
    let verb = match args.upgrade {
        _ if builds && !names.is_empty() => Some("build-dep"),
        _ if args.state == Presence::Fixed
            && targets.iter().all(|target| matches!(target.todo, Todo::Nothing | Todo::Provided)) =>
        {
            Some("install")
        }
        Upgrade::Dist => Some("dist-upgrade"),
        Upgrade::Yes => Some("upgrade"),
        Upgrade::No if everything => Some("upgrade"),
        Upgrade::No if args.autoremove && targets.is_empty() => Some("autoremove"),
        Upgrade::No => None,
    };
    let mut state = State {
        absent: args.state == Presence::Absent,
        refreshed: refreshed(host),
        targets,
        extras: Vec::new(),
        verb,
        resources: Vec::new(),
    };
    let mut extras = Vec::new();
    let fetched = args.deb.as_deref().filter(|deb| fetch::is_url(deb)).map(|deb| fetched_path(deb).display().to_string());
    for (words, _) in state.runs(args) {
        // A file that is fetched later cannot be simulated: what comes along with it is not known.
        if fetched.as_ref().is_some_and(|path| words.contains(path)) {
            continue;
        }
        match apt_lists::simulate(&words, host) {
            Ok(steps) => extras.extend(steps),
            // A plan whose earlier tasks would have changed the lists cannot be simulated; the run
            // itself will say what is wrong, if anything is.
            Err(_) if !host.acts() => {}
            Err(said) => {
                return Err(Failure::new(format!("`apt-get {}` would fail: {said}", words.join(" "))).with("stderr", said));
            }
        }
    }
    state.extras = extras.into_iter().filter(|step| !state.targets.iter().any(|target| target.name == step.name)).collect();
    // What an earlier task of this plan has settled.
    let mut kept = Vec::new();
    for step in state.extras {
        let now = host.package(&step.name)?.filter(|package| !package.config_only);
        let done = match (&step.after, now) {
            (None, now) => now.is_none(),
            (Some(after), Some(now)) => now.version == *after || (now.planned && now.version.is_empty()),
            (Some(_), None) => false,
        };
        if !done {
            kept.push(step);
        }
    }
    state.extras = kept;
    state.resources = now(&state);
    Ok(state)
}

fn now(state: &State) -> Vec<ResourceState> {
    let targets = state.targets.iter().map(|target| match &target.installed {
        Some(package) => there(&target.name, Some(&package.version)),
        None if target.todo == Todo::Provided => there(&target.name, None),
        None => ResourceState::absent(id(&target.name)),
    });
    let extras = state.extras.iter().map(|step| match &step.before {
        Some(version) => there(&step.name, Some(version)),
        None => ResourceState::absent(id(&step.name)),
    });
    targets.chain(extras).collect()
}

impl State {
    /// The state that the options ask for.
    pub(super) fn wanted(&self) -> Result<Self, Failure> {
        let targets = self.targets.iter().map(|target| match &target.todo {
            Todo::Nothing if self.absent => ResourceState::absent(id(&target.name)),
            Todo::Nothing | Todo::Provided => ResourceState::present(id(&target.name)),
            Todo::Install(_, version) => there(&target.name, version.as_deref()),
            Todo::Remove => ResourceState::absent(id(&target.name)),
        });
        let extras = self.extras.iter().map(|step| match &step.after {
            Some(version) => there(&step.name, Some(version)),
            None => ResourceState::absent(id(&step.name)),
        });
        Ok(Self { resources: targets.chain(extras).collect(), ..self.clone() })
    }

    /// Packages that the host's lists do not know although they are to be installed.
    pub(super) fn unlisted(&self) -> Vec<&str> {
        self.targets
            .iter()
            .filter(|target| matches!(target.todo, Todo::Install(_, None)))
            .map(|target| target.name.as_str())
            .collect()
    }

    /// The runs of `apt-get` that close the difference, with what they will have done.
    pub(super) fn runs(&self, args: &Args) -> Vec<(Vec<String>, Vec<Effect>)> {
        let mut runs = Vec::new();
        let mut extras: Vec<Effect> = self
            .extras
            .iter()
            .map(|step| match &step.after {
                Some(version) => Effect::Package(planned(&step.name, version)),
                None => Effect::NoPackage(step.name.clone()),
            })
            .collect();
        let mut install = Vec::new();
        let mut remove = Vec::new();
        let mut effects = Vec::new();
        for target in &self.targets {
            match &target.todo {
                Todo::Nothing | Todo::Provided => {}
                Todo::Install(word, version) => {
                    install.push(word.clone());
                    effects.push(Effect::Package(planned(&target.name, version.as_deref().unwrap_or_default())));
                }
                Todo::Remove => {
                    remove.push(target.name.clone());
                    effects.push(Effect::NoPackage(target.name.clone()));
                }
            }
        }
        if !install.is_empty() || !remove.is_empty() {
            let verb = if install.is_empty() { "remove" } else { "install" };
            let mut words = args.options();
            words.push(verb.into());
            words.extend(install);
            words.extend(remove);
            effects.append(&mut extras);
            runs.push((words, effects));
        }
        if let Some(verb) = self.verb {
            let mut words = args.options();
            if verb == "upgrade" {
                words.push("--with-new-pkgs".into());
            }
            words.push(verb.into());
            if verb == "build-dep" {
                words.extend(args.names().unwrap_or_default().into_iter().map(str::to_owned));
            }
            runs.push((words, extras));
        }
        runs
    }
}

fn planned(name: &str, version: &str) -> Package {
    Package { name: name.split(':').next().unwrap_or(name).into(), version: version.into(), planned: true, ..Package::default() }
}

/// A name as written: name, relation and version.
fn parse_name(text: &str) -> (&str, Option<&str>) {
    match text.split_once('=') {
        Some((name, version)) => (name.trim_end_matches(['>', '=']).trim(), Some(version.trim_start_matches('=').trim())),
        None => (text, None),
    }
}

fn targets(args: &Args, names: &[&str], host: &dyn Inspect) -> Result<Vec<Target>, Failure> {
    let mut wanted: Vec<(String, Option<String>, bool)> = Vec::new();
    for text in names {
        let (name, version) = parse_name(text);
        let at_least = text.contains(">=");
        if !glob::is_pattern(name) {
            wanted.push((name.to_owned(), version.map(str::to_owned), at_least));
            continue;
        }
        let found = apt_lists::names_matching(name, args.state == Presence::Absent, host);
        if found.is_empty() && args.state != Presence::Absent {
            return Err(Failure::new(format!("No package(s) matching '{name}' available")));
        }
        wanted.extend(found.into_iter().map(|name| (name, version.map(str::to_owned), at_least)));
    }
    let mut targets = Vec::new();
    let mut unsure = Vec::new();
    for (at, (name, version, _)) in wanted.iter().enumerate() {
        let package = host.package(name)?;
        let left_over = package.as_ref().is_some_and(|package| package.config_only);
        let installed = package.filter(|package| !package.config_only || (args.purge && args.state == Presence::Absent));
        let todo = match args.state {
            Presence::Absent if installed.is_some() || (left_over && args.purge) => Todo::Remove,
            Presence::Absent => Todo::Nothing,
            _ => Todo::Nothing,
        };
        let settled = args.state == Presence::Absent
            || (args.state != Presence::Latest && version.is_none() && installed.as_ref().is_some_and(|package| !package.broken))
            || (args.state != Presence::Latest
                && version
                    .as_ref()
                    .zip(installed.as_ref())
                    .is_some_and(|(wanted, package)| glob::matches(wanted, &package.version)));
        if !settled && (installed.is_some() || !args.only_upgrade) {
            unsure.push(at);
        }
        targets.push(Target { name: name.clone(), installed, todo });
    }
    if unsure.is_empty() {
        return Ok(targets);
    }
    let asked: Vec<&str> = unsure.iter().map(|at| wanted[*at].0.as_str()).collect();
    let lists = apt_lists::candidates(&asked, args.default_release.as_deref(), host);
    for at in unsure {
        let (name, version, at_least) = &wanted[at];
        let candidate = match &lists {
            None => Listed::NotAsked,
            Some(lists) => lists.get(name).map_or(Listed::Unknown, |found| Listed::Known(found.clone())),
        };
        targets[at].todo = decide(args, &targets[at], version.as_deref(), *at_least, candidate, host)?;
    }
    Ok(targets)
}

/// What the lists say of a package.
enum Listed {
    /// They could not be asked.
    NotAsked,
    /// They do not know it.
    Unknown,
    /// It can be had.
    Known(Candidate),
}

/// What has to be done for a package that may have to be installed.
fn decide(
    args: &Args,
    target: &Target,
    version: Option<&str>,
    at_least: bool,
    candidate: Listed,
    host: &dyn Inspect,
) -> Result<Todo, Failure> {
    let name = &target.name;
    let known = match candidate {
        Listed::Known(candidate) => candidate,
        // After an update that is only planned they may know it.
        Listed::Unknown if target.installed.is_none() && host.lists_are_current() => {
            return Err(Failure::new(format!("No package matching '{name}' is available")));
        }
        Listed::Unknown | Listed::NotAsked => Candidate { version: None, versions: Vec::new() },
    };
    if let Some(wanted) = version {
        if at_least {
            let enough = target.installed.as_ref().is_some_and(|package| !apt_lists::newer(wanted, &package.version));
            return Ok(if enough { Todo::Nothing } else { Todo::Install(name.clone(), known.version) });
        }
        let exact = if glob::is_pattern(wanted) { apt_lists::best(&known.versions, wanted) } else { Some(wanted) };
        let Some(exact) = exact else {
            return Err(Failure::new(format!("no available version of '{name}' matches '{wanted}'")));
        };
        let is_listed = known.versions.is_empty() || known.versions.iter().any(|listed| listed == exact);
        if !is_listed && host.lists_are_current() {
            return Err(Failure::new(format!("no available installation candidate for {name}={exact}")));
        }
        return Ok(Todo::Install(format!("{name}={exact}"), Some(exact.to_owned())));
    }
    match (&target.installed, &known.version) {
        // An earlier task of this plan installs it, in whichever version there will be.
        (Some(package), _) if package.planned && package.version.is_empty() => Ok(Todo::Nothing),
        (Some(package), Some(candidate)) if apt_lists::newer(candidate, &package.version) => {
            Ok(Todo::Install(name.clone(), Some(candidate.clone())))
        }
        (Some(package), _) if package.broken && !package.planned => Ok(Todo::Install(name.clone(), known.version)),
        (Some(_), _) => Ok(Todo::Nothing),
        (None, Some(candidate)) => Ok(Todo::Install(name.clone(), Some(candidate.clone()))),
        (None, None) => {
            let providers = apt_lists::providers(name, host);
            for provider in &providers {
                if host.package(provider)?.is_some_and(|package| !package.config_only) {
                    return Ok(Todo::Provided);
                }
            }
            if providers.is_empty()
                && host.lists_are_current()
                && args.deb.is_none()
                && host.stat(Path::new("/usr/bin/apt-cache"))?.is_some()
            {
                return Err(Failure::new(format!("No package matching '{name}' is available")));
            }
            Ok(Todo::Install(name.clone(), None))
        }
    }
}

/// Whether the download directory has files that `autoclean` would remove.
pub(super) fn has_old_files(host: &dyn Inspect) -> bool {
    let line = CommandLine::new(["apt-get", "-s", "-o", "Debug::NoLocking=1", "autoclean"]).env("LC_ALL", "C");
    host.query(&line).is_ok_and(|output| output.text().lines().any(|line| line.starts_with("Del ")))
}

/// Where a package file is kept while it is installed.
pub(super) fn fetched_path(url: &str) -> PathBuf {
    let name = crate::change::sha256(url.as_bytes());
    Path::new("/var/cache/apt/archives/partial").join(format!("stead-{}.deb", &name[..16]))
}

/// As many bytes as hold the head of every package file that is not made to annoy.
const HEAD: usize = 512 << 10;

/// Name and version of a package file, and the word by which `apt-get` is given it.
fn of_file(deb: &str, host: &dyn Inspect) -> Result<(String, String, String), Failure> {
    let line = CommandLine::new(["dpkg-deb", "--show", "--showformat=${Package}\t${Version}"]).env("LC_ALL", "C");
    let (line, word) = if fetch::is_url(deb) {
        let mut line = line.input(fetch::head(deb, HEAD, host)?);
        line.argv.push("-".into());
        (line, fetched_path(deb).display().to_string())
    } else {
        let path = Path::new(deb);
        if host.stat(path)?.is_none() {
            return Err(Failure::new(format!("there is no package file `{deb}` on the host")));
        }
        let file = if deb.starts_with('/') { deb.to_owned() } else { format!("./{deb}") };
        let mut line = line;
        line.argv.push(file.clone());
        (line, file)
    };
    let output = host.query(&line)?;
    match output.text().trim().split_once('\t').filter(|_| output.rc == 0) {
        Some((name, version)) => Ok((name.to_owned(), version.to_owned(), word)),
        None => Err(Failure::new(format!("`{deb}` is not a package file: {}", output.error_text().trim()))),
    }
}

/// A package file: installed unless this version (or a newer one) is there.
fn package_file(deb: &str, args: &Args, host: &dyn Inspect) -> Result<Target, Failure> {
    let (name, version, word) = of_file(deb, host)?;
    let installed = host.package(&name)?.filter(|package| !package.config_only);
    let enough = installed.as_ref().is_some_and(|package| {
        package.version == version || (!args.allow_downgrade && !args.force && !apt_lists::newer(&version, &package.version))
    });
    let todo = if enough { Todo::Nothing } else { Todo::Install(word, Some(version)) };
    Ok(Target { name, installed, todo })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::host::{Attributes, FileWrite, Host};
    use crate::outcome::Ending;

    #[test]
    fn a_plan_knows_what_cannot_be_installed_unless_its_own_tasks_change_the_lists() {
        let host = || {
            let mut host = MemoryHost::default();
            host.add_file("/usr/bin/apt-cache", "");
            host.add_directory("/etc/apt/sources.list.d");
            let listed = "zip:\n  Installed: (none)\n  Candidate: 3.0-13\n  Version table:\n     3.0-13 500\n";
            host.answer(&["apt-cache", "policy", "*"], 0, listed);
            host.answer(&["apt-cache", "showpkg", "*"], 0, "");
            Overlay::new(host)
        };
        let plan = |name: &str, mut host: Overlay<MemoryHost>| {
            let options = json!({"name": name});
            (crate::registry::find("apt").unwrap().run)(options.as_object().unwrap(), &mut host).ending
        };
        assert_eq!(plan("zip", host()), Ending::Changed);
        assert_eq!(plan("zip=3.0-13", host()), Ending::Changed);
        for name in ["no-such-package", "zip=9.9"] {
            assert_eq!(plan(name, host()), Ending::Failed, "{name}");
            let mut refreshed = host();
            refreshed.act(&CommandLine::default(), &[Effect::PackageLists]).unwrap();
            assert_eq!(plan(name, refreshed), Ending::Changed, "{name}");
            let mut other_sources = host();
            let path = Path::new("/etc/apt/sources.list.d/new.list");
            let file = FileWrite { path, content: b"", attributes: Attributes::default(), validate: None };
            other_sources.write(&file).unwrap();
            assert_eq!(plan(name, other_sources), Ending::Changed, "{name}");
            let mut in_doubt = host();
            in_doubt.doubt();
            assert_eq!(plan(name, in_doubt), Ending::Changed, "{name}");
        }
    }
}
