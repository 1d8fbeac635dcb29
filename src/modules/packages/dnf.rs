//! `dnf` (also `yum`, `dnf5`): packages of Fedora, Red Hat and their kin.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::dnf_tool::{self, Action, Row, Simulated};
use super::rpm::{self, Rpm};
use super::work::{self, Kind, Work};
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::commands::glob;
use crate::commands::process;
use crate::host::{CommandLine, Effect, Host, Inspect};
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
    /// Which program is run.
    pub enum Backend {
        /// The first that is there.
        Auto = "auto",
        /// `dnf`, whichever version.
        Dnf = "dnf",
        /// `dnf` 4.
        Dnf4 = "dnf4" | "yum4",
        /// `dnf` 5.
        Dnf5 = "dnf5",
        /// `yum`.
        Yum = "yum" | "yum3",
    }
}

args! {
    /// Manages packages of Fedora, Red Hat and their kin by `dnf` or `yum`.
    ///
    /// What is there is read from RPM's own database, so that nothing more is run where everything is
    /// there. A plan lists what comes along as `dnf --assumeno` tells it; for that dnf may refresh its
    /// own lists.
    pub struct Args {
        /// Names; also `name-1.0`, `name >= 1.0`, patterns, what packages provide, `@group`, paths and addresses of package files, `*` for everything.
        name ("pkg"): Vec<String> = Vec::new(),
        /// What they should be; present unless `autoremove` is set.
        state: Option<Presence>,
        /// Not supported: lists of packages are what `package_facts` is for.
        list: Option<String>,
        /// Whether older versions may replace newer ones.
        allow_downgrade: bool = false,
        /// Whether packages that are in the way may be removed.
        allowerasing: bool = false,
        /// Whether dependencies that nothing needs any more are removed.
        autoremove: bool = false,
        /// Whether only the best version will do; otherwise as the host is configured.
        best: Option<bool>,
        /// The opposite of `best`.
        nobest: Option<bool>,
        /// With `latest`: only what is marked as a repair.
        bugfix: bool = false,
        /// With `latest`: only what is marked as concerning security.
        security: bool = false,
        /// Whether nothing is fetched that is not in the cache.
        cacheonly: bool = false,
        /// Configuration file of dnf.
        conf_file: Option<String>,
        /// Which excludes are not applied: `all`, `main`, or a repository.
        disable_excludes: Option<String>,
        /// Whether signatures of packages are not checked.
        disable_gpg_check: bool = false,
        /// Plugins that are disabled.
        disable_plugin: Vec<String> = Vec::new(),
        /// Plugins that are enabled.
        enable_plugin: Vec<String> = Vec::new(),
        /// Repositories that are disabled.
        disablerepo: Vec<String> = Vec::new(),
        /// Repositories that are enabled.
        enablerepo: Vec<String> = Vec::new(),
        /// Packages that are left out.
        exclude: Vec<String> = Vec::new(),
        /// Directory for packages with `download_only`.
        download_dir: Option<String>,
        /// Whether packages are only fetched.
        download_only: bool = false,
        /// Whether recommended packages come along.
        install_weak_deps: bool = true,
        /// Directory that is the root of the system in question.
        installroot: Option<String>,
        /// Release from which packages are taken.
        releasever: Option<String>,
        /// Whether packages that cannot be had or installed are passed over.
        skip_broken: bool = false,
        /// Whether certificates of repositories are checked.
        sslverify: bool = true,
        /// Whether lists are refreshed first; not counted as a change.
        update_cache ("expire-cache"): bool = false,
        /// With `latest`: nothing new is installed.
        update_only: bool = false,
        /// Which program is run.
        use_backend: Backend = Backend::Auto,
        /// No effect: package files are fetched by dnf itself.
        validate_certs: bool = true,
        /// No effect: dnf itself waits for its lock.
        lock_timeout: i64 = 30,
        /// No effect.
        install_repoquery: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  dnf:
    name: httpd
- name: No packages
  dnf:
    name: [oldpackage, telnet]
    state: absent
- name: The newest version
  dnf:
    name: zlib
    state: latest
- name: Already there
  dnf:
    name: [glibc, 'bash >= 5.0']
    state: present
";

/// The module.
pub struct Dnf;

impl Args {
    /// What packages should be.
    pub(super) fn state(&self) -> Presence {
        self.state.unwrap_or(if self.autoremove { Presence::Absent } else { Presence::Present })
    }

    fn root(&self) -> Option<&Path> {
        self.installroot.as_deref().filter(|root| *root != "/").map(Path::new)
    }

    /// Packages below another root are told apart.
    fn kind(&self) -> Kind {
        if self.root().is_some() { Kind { word: "package", system: false } } else { work::SYSTEM }
    }

    fn label(&self, name: &str) -> String {
        self.root().map_or_else(|| name.to_owned(), |root| format!("{name} in {}", root.display()))
    }

    fn line(&self, words: &[String], host: &dyn Inspect) -> Result<CommandLine, Failure> {
        let mut line = CommandLine::new([dnf_tool::program(self.use_backend, host), "-y"]);
        line.argv.extend(dnf_tool::options(self)?);
        line.argv.extend_from_slice(words);
        Ok(line)
    }
}

/// Whether a word of the task is fulfilled by what is there.
fn is_there(word: &str, args: &Args, all: &[Rpm], host: &dyn Inspect) -> Result<bool, Failure> {
    if super::fetch::is_url(word) || Path::new(word).extension().is_some_and(|extension| extension == "rpm") {
        let file = rpm::of_file(word, host)?;
        let enough = |rpm: &&Rpm| rpm::compare(&rpm.evr(), &file.evr()).is_ge();
        return Ok(all
            .iter()
            .filter(|rpm| rpm.name == file.name && rpm.arch == file.arch)
            .any(|rpm| if args.allow_downgrade { rpm.evr() == file.evr() } else { enough(&rpm) }));
    }
    if word.starts_with('@') || glob::is_pattern(word) {
        return Ok(false);
    }
    if let Some((name, operator, version)) = dnf_tool::relation(word) {
        return Ok(all.iter().any(|rpm| rpm.name == name && dnf_tool::fulfils(rpm, operator, version)));
    }
    if all.iter().any(|rpm| rpm.is(word) || (!args.allow_downgrade && dnf_tool::is_newer(rpm, word))) {
        return Ok(true);
    }
    if !word.starts_with('/') && !word.contains('(') {
        return Ok(false);
    }
    let mut line = CommandLine::new(["rpm", "-q", "--whatprovides", "--queryformat", "%{NAME}\n"]);
    line.argv.extend(args.root().iter().flat_map(|root| ["--root".to_owned(), root.display().to_string()]));
    line.argv.extend(["--".to_owned(), word.to_owned()]);
    Ok(work::ask(&line, "rpm", host)?.rc == 0)
}

/// The runs of dnf that the task may need: the verb and the names.
fn runs<'a>(
    args: &Args,
    names: &[&'a str],
    all: &[Rpm],
    host: &dyn Inspect,
) -> Result<Vec<(&'static str, Vec<&'a str>)>, Failure> {
    let everything = names.contains(&"*");
    let mut runs = match args.state() {
        Presence::Absent if names.is_empty() => vec![("autoremove", Vec::new())],
        Presence::Absent => {
            let there = |name: &&&str| name.starts_with('@') || all.iter().any(|rpm| rpm.is(name));
            vec![("remove", names.iter().filter(there).copied().collect())]
        }
        Presence::Present => {
            let mut missing = Vec::new();
            for name in names {
                if !is_there(name, args, all, host)? {
                    missing.push(*name);
                }
            }
            vec![("install", missing)]
        }
        Presence::Latest if everything => return Ok(vec![("upgrade", Vec::new())]),
        Presence::Latest => {
            let is_old =
                |name: &str| !name.starts_with('@') && (glob::is_pattern(name) || all.iter().any(|rpm| rpm.name == name));
            let (old, new): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| is_old(name));
            vec![("install", if args.update_only { Vec::new() } else { new }), ("upgrade", old)]
        }
    };
    runs.retain(|(verb, names)| *verb == "autoremove" || !names.is_empty());
    Ok(runs)
}

/// The rows of a transaction as steps; a package that stays in another version is no removal.
fn steps(args: &Args, rows: &[Row], all: &[Rpm]) -> Vec<work::Step> {
    let installed = |name: &str| all.iter().rfind(|rpm| rpm.name == name).map(Rpm::evr);
    rows.iter()
        .map(|row| match row.action {
            Action::Remove => work::Step::new(args.label(&row.name), Some(row.evr.clone()), None),
            Action::Install => work::Step::new(args.label(&row.name), installed(&row.name), Some(row.evr.clone())),
            Action::Group | Action::Nothing => work::Step::new(args.label(&row.name), None, Some(String::new())),
        })
        .collect()
}

/// What the task returns as `results`.
fn results(rows: &[Row], all: &[Rpm]) -> Vec<Value> {
    let mut results = Vec::new();
    for row in rows {
        match row.action {
            Action::Remove => results.push(format!("Removed: {}", row.nevra()).into()),
            Action::Install => {
                results.push(Value::from(format!("Installed: {}", row.nevra())));
                let old =
                    all.iter().filter(|rpm| rpm.name == row.name && rpm.evr() != row.evr && !row.name.starts_with("kernel"));
                results.extend(old.map(|rpm| format!("Removed: {}-{}.{}", rpm.name, rpm.evr(), rpm.arch).into()));
            }
            Action::Nothing => {}
            Action::Group => results.push(format!("Group {} installed.", row.name.trim_start_matches('@')).into()),
        }
    }
    results
}

/// Whether the packages of a run that only fetches are in its directory already.
fn fetched(args: &Args, rows: &[Row], host: &dyn Inspect) -> bool {
    let there = args.download_dir.as_deref().and_then(|directory| host.list(Path::new(directory)).ok()).unwrap_or_default();
    let file = |row: &Row| {
        format!("{}-{}.{}.rpm", row.name, row.evr.split_once(':').map_or(row.evr.as_str(), |(_, rest)| rest), row.arch)
    };
    rows.iter().filter(|row| row.action == Action::Install).all(|row| there.contains(&file(row)))
}

impl Resource for Dnf {
    type Args = Args;
    type State = Work;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        if args.list.is_some() {
            return Err(Failure::new("`list` is not supported: `package_facts` returns the packages that a host has"));
        }
        if args.update_cache {
            let line = args.line(&["makecache".into(), "--refresh".into()], host.inspect())?;
            process::succeed(host, &line, &[Effect::PackageLists])?;
        }
        Ok(Prepared::default())
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        let mut work = Work::default();
        let names = work::names(&args.name)?;
        if names.is_empty() && !args.autoremove {
            if args.update_cache {
                work.result = Map::from_iter([("msg".to_owned(), "Cache updated".into())]);
                return Ok(work);
            }
            return Err(Failure::new("one of the following is required: name, list, autoremove, update_cache"));
        }
        if args.autoremove && args.state() != Presence::Absent {
            return Err(Failure::new("Autoremove should be used alone or with state=absent"));
        }
        let kind = args.kind();
        let all = rpm::as_planned(args.root(), &kind, &|name| args.label(name), host)?;
        let mut said = Vec::new();
        for (verb, words) in runs(args, &names, &all, host)? {
            let mut argv = vec![verb.to_owned()];
            argv.extend(words.iter().map(|&word| word.to_owned()));
            let line = args.line(&argv, host)?;
            match dnf_tool::simulate(&line, host)? {
                Simulated::Rows(rows) if args.download_only => {
                    if !rows.is_empty() && !fetched(args, &rows, host) {
                        work.run(line, Vec::new());
                    }
                }
                Simulated::Rows(rows) => {
                    said.extend(results(&rows, &all));
                    work.add(kind, steps(args, &rows, &all), line, host);
                }
                Simulated::Fails(failure) if host.acts() => return Err(failure),
                // A repository that an earlier task of this plan brings is not known to dnf yet.
                Simulated::Fails(failure) => {
                    let before = |word: &str| all.iter().rfind(|rpm| rpm.is(word)).map(Rpm::evr);
                    let after = (args.state() != Presence::Absent).then(String::new);
                    let step = |word: &&str| work::Step::new(args.label(word), before(word), after.clone());
                    work.add(kind, words.iter().map(step).collect(), line, host);
                    work.warn(format!("unless an earlier task changes it, this will fail: {}", failure.message));
                }
            }
        }
        for name in names.iter().filter(|name| !glob::is_pattern(name)) {
            let there = all.iter().rfind(|rpm| rpm.is(name)).map(Rpm::evr);
            if there.is_some() == (args.state() != Presence::Absent) {
                work.keep(kind, &args.label(name), there.as_deref());
            }
        }
        let message = if work.is_idle() { "Nothing to do" } else { "" };
        let fields = json!({"msg": message, "results": if work.is_idle() { Vec::new() } else { said }, "rc": 0});
        work.result = fields.as_object().cloned().unwrap_or_default();
        Ok(work)
    }

    fn want(_: &Args, now: &Work) -> Result<Work, Failure> {
        Ok(now.done())
    }

    fn runs(args: &Args, now: &Work, _: &Work) -> Vec<Change> {
        let fetches = args.download_only && !now.is_idle();
        fetches.then(|| Change::run(ResourceId::new("package-files", args.name.join(", ")))).into_iter().collect()
    }

    fn write(_: &Args, step: &Step<'_, Work>, host: &mut dyn Host) -> Result<Written, Failure> {
        step.now.carry_out(host)
    }

    fn result(_: &Args, before: &Work, _: &Work) -> Map<String, Value> {
        before.result.clone()
    }

    fn claims(args: &Args) -> Claims {
        let packages = args.name.iter().map(|name| ResourceId::new("package", name));
        Claims::provides(packages.chain([ResourceId::new("package", "dnf")]))
    }
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

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        host.add_file("/usr/bin/dnf", "");
        host.answer(&["rpm", "-qa", "*"], 0, "alpha\t(none)\t1.0\t1\tnoarch\ngamma\t1\t2.0\t1\tnoarch\n");
        host
    }

    const TABLE: &str = "Upgrading:\n alpha noarch 2.0-1 t 5 k\nInstalling dependencies:\n beta noarch 1.5-1 t 5 k\nRemoving dependent packages:\n gamma noarch 1:2.0-1 @t 0\n\nTransaction Summary\n";

    #[test]
    fn what_comes_along_is_planned_and_seen_by_later_tasks() {
        let mut host = host();
        host.answer(&["dnf", "--assumeno", "upgrade", "alpha"], 1, TABLE);
        let mut host = Overlay::new(host);
        let outcome = converge::<Dnf>(&args(&json!({"name": "alpha", "state": "latest"})), &mut host).unwrap();
        let changed: Vec<_> = outcome.changes.iter().map(|change| change.resource.name.as_str()).collect();
        assert_eq!(changed, ["alpha", "beta", "gamma"]);
        assert_eq!(outcome.result["results"][0], "Installed: alpha-2.0-1.noarch");
        assert_eq!(outcome.result["results"][1], "Removed: alpha-1.0-1.noarch");
        for (name, state) in [("alpha-2.0", "present"), ("beta", "present"), ("beta >= 1.5", "present"), ("gamma", "absent")] {
            let outcome = converge::<Dnf>(&args(&json!({"name": name, "state": state})), &mut host).unwrap();
            assert_eq!((outcome.changes, &outcome.result["msg"]), (vec![], &json!("Nothing to do")), "{name}");
        }
    }

    #[test]
    fn a_name_that_no_repository_has_is_a_failure_but_in_a_plan() {
        let mut host = host();
        host.answer(&["dnf", "--assumeno", "install", "nosuch"], 1, "No match for argument: nosuch\n");
        let options = args(&json!({"name": "nosuch"}));
        let failure = converge::<Dnf>(&options, &mut host).unwrap_err();
        assert_eq!(failure.result["failures"], json!(["No package nosuch available."]));
        let planned = converge::<Dnf>(&options, &mut Overlay::new(host)).unwrap();
        assert_eq!((planned.changes.len(), planned.warnings.len()), (1, 1));
    }

    #[test]
    fn options_reach_the_command() {
        let options = json!({
            "name": ["alpha-2.0"], "enablerepo": "a,b", "disable_gpg_check": true, "installroot": "/r", "best": true, "install_weak_deps": false,
        });
        let line = args(&options).line(&["install".into()], &host()).unwrap();
        assert_eq!(
            line.argv,
            [
                "dnf",
                "-y",
                "--installroot=/r",
                "--enablerepo=a",
                "--enablerepo=b",
                "--best",
                "--nogpgcheck",
                "--setopt=install_weak_deps=False",
                "install"
            ]
        );
        let both = args(&json!({"name": "a", "best": true, "nobest": true}));
        assert!(converge::<Dnf>(&both, &mut host()).is_err());
        assert!(converge::<Dnf>(&args(&json!({"name": "--nogpgcheck"})), &mut host()).is_err());
    }
}
