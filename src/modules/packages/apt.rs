//! `apt`: packages of Debian and its kin.

use serde_json::{Map, Value};

use super::apt_state::{self, State};
use super::{fetch, work};
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::commands::process;
use crate::host::{CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Prepared, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What packages should be.
    pub enum Presence {
        /// Installed, whichever version.
        Present = "present" | "installed",
        /// Not installed.
        Absent = "absent" | "removed",
        /// Installed in the newest version that can be had.
        Latest = "latest",
        /// What is needed to build them installed; the lists must have sources.
        BuildDep = "build-dep",
        /// Broken dependencies repaired.
        Fixed = "fixed",
    }
}

choice! {
    /// Which upgrade of all packages.
    pub enum Upgrade {
        /// None.
        No = "no" | "False",
        /// Installs new dependencies, removes nothing.
        Yes = "yes" | "safe" | "True",
        /// Removes what is in the way.
        Dist = "dist" | "full",
    }
}

args! {
    /// Manages packages of Debian, Ubuntu and their kin.
    ///
    /// State is read from dpkg's own database, so that nothing is started where everything is there.
    /// A plan lists what comes along, as far as the host's package lists tell. A lock of another
    /// package manager is waited for.
    pub struct Args {
        /// Names; also `name=version`, `name=1.2*`, patterns such as `foo*`, `*` for everything.
        name ("package", "pkg"): Option<Vec<String>>,
        /// What they should be.
        state: Presence = Presence::Present,
        /// Package file that is installed with its dependencies: a path on the host, or an address
        /// that the host fetches it from.
        deb: Option<String>,
        /// Whether package lists are refreshed first. Counts as a change only if nothing else is asked for.
        update_cache ("update-cache"): Option<bool>,
        /// Seconds for which package lists count as fresh; implies `update_cache`.
        cache_valid_time: u64 = 0,
        /// How often refreshing is tried again.
        update_cache_retries: u64 = 5,
        /// Most seconds between two tries.
        update_cache_retry_max_delay: u64 = 12,
        /// Upgrade of all packages.
        upgrade: Upgrade = Upgrade::No,
        /// Whether configuration files go with a removed package.
        purge: bool = false,
        /// Whether dependencies that nothing needs any more are removed.
        autoremove: bool = false,
        /// Whether old package files are removed from the download directory; counts as a change
        /// only if no packages are named.
        autoclean: bool = false,
        /// Whether all package files are removed from the download directory; not counted as a change.
        clean: bool = false,
        /// Whether recommended packages come along; otherwise as the host is configured.
        install_recommends ("install-recommends"): Option<bool>,
        /// Release from which packages are taken.
        default_release ("default-release"): Option<String>,
        /// Only upgrade what is installed.
        only_upgrade: bool = false,
        /// Fail if anything would be removed.
        fail_on_autoremove: bool = false,
        /// Allow everything that the `allow_` options allow.
        force: bool = false,
        /// Whether packages without a trusted signature may be installed.
        allow_unauthenticated ("allow-unauthenticated"): bool = false,
        /// Whether older versions may replace newer ones.
        allow_downgrade ("allow-downgrade", "allow_downgrades", "allow-downgrades"): bool = false,
        /// Whether held packages may be changed.
        allow_change_held_packages: bool = false,
        /// Options of dpkg, separated by commas.
        dpkg_options: String = "force-confdef,force-confold".into(),
        /// Seconds to wait for the lock of another package manager.
        lock_timeout: u64 = 60,
        /// Exit status of a `policy-rc.d` that is there meanwhile; 101 keeps services from being started.
        policy_rc_d: Option<i64>,
        /// Always so: `apt-get` is what is run.
        force_apt_get: bool = false,
        /// No effect: nothing has to be installed to manage packages.
        auto_install_module_deps: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Two packages
  apt:
    name: [nginx, curl]
    state: present
- name: With fresh lists
  apt:
    name: tree
    update_cache: true
    cache_valid_time: 3600
- name: A version
  apt:
    name: hello=2.10-3
- name: No package, no configuration files
  apt:
    name: oldpackage
    state: absent
    purge: true
- name: The newest version
  apt:
    pkg: cron
    state: latest
- name: All that is needed to build a package
  apt:
    name: hello
    state: build-dep
- name: Already there
  apt:
    name: openssh-server
";

/// The module.
pub struct Apt;

impl Args {
    pub(super) fn names(&self) -> Result<Vec<&str>, Failure> {
        work::names(self.name.as_deref().unwrap_or_default())
    }

    /// Nothing is asked for but fresh lists.
    fn only_lists(&self) -> bool {
        self.name.iter().flatten().all(|name| name.trim().is_empty())
            && self.deb.is_none()
            && self.upgrade == Upgrade::No
            && !self.autoremove
            && self.state != Presence::Fixed
    }

    /// The options of `apt-get` that all its uses here share.
    pub(super) fn options(&self) -> Vec<String> {
        let mut options = Vec::new();
        if let Some(recommends) = self.install_recommends {
            options.extend(["-o".to_owned(), format!("APT::Install-Recommends={}", if recommends { "yes" } else { "no" })]);
        }
        if let Some(release) = &self.default_release {
            options.extend(["-t".to_owned(), release.clone()]);
        }
        let flags = [
            (self.autoremove, "--auto-remove"),
            (self.only_upgrade, "--only-upgrade"),
            (self.fail_on_autoremove, "--no-remove"),
            (self.purge, "--purge"),
            (self.state == Presence::Fixed, "--fix-broken"),
            (self.force || self.allow_unauthenticated, "--allow-unauthenticated"),
            (self.force || self.allow_downgrade, "--allow-downgrades"),
            (self.force || self.allow_change_held_packages, "--allow-change-held-packages"),
            (self.force, "--allow-remove-essential"),
        ];
        options.extend(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| (*flag).to_owned()));
        options
    }

    /// A run of `apt-get` that acts.
    fn apt_get(&self, words: &[String]) -> CommandLine {
        let mut argv: Vec<String> = ["apt-get", "-y", "-q", "-o", "Dpkg::Use-Pty=0"].map(String::from).into();
        for option in self.dpkg_options.split(',').map(str::trim).filter(|option| !option.is_empty()) {
            argv.extend(["-o".into(), format!("Dpkg::Options::=--{option}")]);
        }
        argv.extend(["-o".into(), format!("DPkg::Lock::Timeout={}", self.lock_timeout)]);
        argv.extend(words.iter().cloned());
        CommandLine::new(argv)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("DEBIAN_PRIORITY", "critical")
            .env("LC_ALL", "C")
            .env("LANG", "C")
    }
}

/// Refreshes the lists if they are asked for and stale; whether it did.
fn refresh(args: &Args, host: &mut dyn Host) -> Result<bool, Failure> {
    if !args.update_cache.unwrap_or(args.cache_valid_time > 0) {
        return Ok(false);
    }
    if args.cache_valid_time > 0 && apt_state::refreshed(host.inspect()) + args.cache_valid_time as f64 >= host.now() {
        return Ok(false);
    }
    let line = args.apt_get(&["-o".into(), "APT::Update::Error-Mode=any".into(), "update".into()]);
    let mut tries = 0;
    loop {
        match process::succeed(host, &line, &[Effect::PackageLists]) {
            Ok(_) => return Ok(true),
            Err(_) if tries < args.update_cache_retries => {
                let delay = (1u64 << tries.min(16)).min(args.update_cache_retry_max_delay);
                host.pause(std::time::Duration::from_secs(delay));
                tries += 1;
            }
            Err(failure) => {
                return Err(Failure { message: format!("Failed to update apt cache: {}", failure.message), ..failure });
            }
        }
    }
}

impl Resource for Apt {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let mut prepared = Prepared::default();
        let refreshed = refresh(args, host)?;
        if refreshed && args.only_lists() {
            prepared.changes.push(Change::run(ResourceId::new("package-lists", "apt")));
        }
        for (asked, verb) in [(args.clean, "clean"), (args.autoclean, "autoclean")] {
            if asked {
                if verb == "autoclean" && args.only_lists() && apt_state::has_old_files(host.inspect()) {
                    prepared.changes.push(Change::run(ResourceId::new("package-files", "apt")));
                }
                process::succeed(host, &args.apt_get(&[verb.into()]), &[])?;
            }
        }
        prepared.result.insert("cache_updated".into(), refreshed.into());
        Ok(prepared)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        apt_state::read(args, host)
    }

    fn want(_: &Args, now: &State) -> Result<State, Failure> {
        now.wanted()
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let fetched = fetch_package(args, step.now, host)?;
        let policy = Policy::begin(args.policy_rc_d, host)?;
        let mut written = Written::quiet();
        let unlisted = step.now.unlisted();
        if !host.acts() && !unlisted.is_empty() {
            let names = unlisted.join(", ");
            written.warnings.push(format!("the host's package lists do not know {names}: unless fresh lists do, this will fail"));
        }
        let (mut stdout, mut stderr) = (String::new(), String::new());
        let mut ran = Ok(());
        for (words, effects) in step.now.runs(args) {
            match process::succeed(host, &args.apt_get(&words), &effects) {
                Ok(output) => {
                    stdout.push_str(&output.text());
                    stderr.push_str(&output.error_text());
                }
                Err(failure) => {
                    ran = Err(failure);
                    break;
                }
            }
        }
        policy.end(host)?;
        // APT itself tidies that directory, but not always.
        if let Some(path) = fetched
            && host.stat(&path)?.is_some()
        {
            host.remove(&path)?;
        }
        ran?;
        process::streams(&mut written.result, &stdout, &stderr);
        Ok(written)
    }

    fn result(_: &Args, _: &State, after: &State) -> Map<String, Value> {
        Map::from_iter([("cache_update_time".to_owned(), Value::from(after.refreshed as u64))])
    }

    fn claims(args: &Args) -> Claims {
        let bare = |name: &str| name.split(['=', ':', '/', '<', '>']).next().unwrap_or(name).trim().to_owned();
        let names = args.names().unwrap_or_default();
        let packages = names.into_iter().map(|name| ResourceId::new("package", bare(name)));
        // One package manager runs at a time, and in the order in which it was written.
        let all = packages.chain([ResourceId::new("package-manager", "apt")]);
        let mut needs =
            vec![ResourceId::new("file", "/etc/apt/sources.list"), ResourceId::new("file", "/etc/apt/sources.list.d")];
        needs.extend(args.deb.iter().filter(|deb| deb.starts_with('/')).map(|path| ResourceId::new("file", path)));
        Claims::provides(all).needing(needs)
    }
}

/// Fetches the package file of an address to where the run expects it, if it is to be installed.
fn fetch_package(args: &Args, now: &State, host: &mut dyn Host) -> Result<Option<std::path::PathBuf>, Failure> {
    let Some(url) = args.deb.as_deref().filter(|deb| fetch::is_url(deb)) else { return Ok(None) };
    let path = apt_state::fetched_path(url);
    let word = path.display().to_string();
    if !host.acts() || !now.runs(args).iter().any(|(words, _)| words.contains(&word)) {
        return Ok(None);
    }
    let line = CommandLine::new(["/usr/lib/apt/apt-helper", "download-file", url, &word]);
    process::succeed(host, &line, &[])?;
    Ok(Some(path))
}

/// What was at the place of `policy-rc.d`.
enum Before {
    /// It was not looked at, and nothing was put there.
    Untouched,
    /// Nothing.
    Nothing,
    /// A file: its content and mode.
    File(Vec<u8>, u32),
}

/// A `policy-rc.d` that keeps services from being started while packages are installed.
struct Policy {
    before: Before,
}

const POLICY: &str = "/usr/sbin/policy-rc.d";

impl Policy {
    fn begin(status: Option<i64>, host: &mut dyn Host) -> Result<Self, Failure> {
        let Some(status) = status.filter(|_| host.acts()) else { return Ok(Self { before: Before::Untouched }) };
        let path = std::path::Path::new(POLICY);
        let before = match host.stat(path)? {
            Some(stat) => Before::File(host.read(path, 1 << 20)?, stat.mode),
            None => Before::Nothing,
        };
        put(host, format!("#!/bin/sh\nexit {status}\n").as_bytes(), 0o755)?;
        Ok(Self { before })
    }

    fn end(self, host: &mut dyn Host) -> Result<(), Failure> {
        match self.before {
            Before::Untouched => Ok(()),
            Before::Nothing => host.remove(std::path::Path::new(POLICY)),
            Before::File(content, mode) => put(host, &content, mode),
        }
    }
}

fn put(host: &mut dyn Host, content: &[u8], mode: u32) -> Result<(), Failure> {
    let attributes = crate::host::Attributes { mode: Some(mode), ..crate::host::Attributes::default() };
    host.write(&crate::host::FileWrite { path: std::path::Path::new(POLICY), content, attributes, validate: None })
}
