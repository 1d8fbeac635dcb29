//! `package`: packages, whichever package manager the host has.

use std::path::Path;

use serde_json::{Map, Value};

use super::apt::{self, Apt};
use super::apt_state::State;
use crate::args;
use crate::args::Arguments;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Prepared, Resource, Step, Written};

args! {
    /// Manages packages through the host's own package manager. At present that is APT; other
    /// managers are named and refused.
    pub struct Args {
        /// Names of packages, as the package manager knows them.
        name ("pkg", "package"): Vec<String>,
        /// What they should be: `present`, `absent` or `latest`.
        state: apt::Presence = apt::Presence::Present,
        /// Which package manager is used: `auto` or `apt`.
        r#use: String = "auto".into(),
        /// Whether package lists are refreshed first.
        update_cache: Option<bool>,
        /// Seconds for which package lists count as fresh.
        cache_valid_time: u64 = 0,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  package:
    name: ntpdate
    state: present
- name: No packages
  package:
    name: [oldpackage, other]
    state: absent
";

/// The module.
pub struct PackageModule;

/// Programs that tell which package manager a host has.
const MANAGERS: [(&str, &str); 8] = [
    ("/usr/bin/apt-get", "apt"),
    ("/usr/bin/dnf", "dnf"),
    ("/usr/bin/yum", "yum"),
    ("/usr/bin/zypper", "zypper"),
    ("/sbin/apk", "apk"),
    ("/usr/bin/pacman", "pacman"),
    ("/usr/bin/emerge", "portage"),
    ("/usr/sbin/pkg", "pkgng"),
];

fn as_apt(args: &Args) -> Result<apt::Args, Failure> {
    let mut options = Map::new();
    options.insert("name".into(), args.name.clone().into());
    options.insert("state".into(), args.state.word().into());
    options.insert("cache_valid_time".into(), args.cache_valid_time.into());
    if let Some(update) = args.update_cache {
        options.insert("update_cache".into(), update.into());
    }
    apt::Args::parse(&options)
        .map_err(|errors| Failure::new(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

fn check(args: &Args, host: &dyn Inspect) -> Result<(), Failure> {
    let found = MANAGERS.iter().find(|(program, _)| host.stat(Path::new(program)).is_ok_and(|stat| stat.is_some()));
    let manager = match args.r#use.as_str() {
        "auto" => found.map_or("apt", |(_, name)| name),
        other => other,
    };
    if manager == "apt" {
        return Ok(());
    }
    Err(Failure::new(format!("packages of `{manager}` cannot be managed yet; only `apt` can")))
}

impl Resource for PackageModule {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        check(args, host.inspect())?;
        Apt::prepare(&as_apt(args)?, host)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        Apt::read(&as_apt(args)?, host)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Apt::want(&as_apt(args)?, now)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        Apt::write(&as_apt(args)?, step, host)
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        as_apt(args).map(|args| Apt::result(&args, before, after)).unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        as_apt(args).map(|args| Apt::claims(&args)).unwrap_or_default()
    }
}
