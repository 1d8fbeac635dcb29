//! `package`: packages, whichever package manager the host has.

use std::path::Path;

use serde_json::{Map, Value};

use super::apt::Apt;
use super::work::Work;
use super::{apk, apt, apt_state, dnf, pacman, zypper};
use crate::args::Arguments;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Prepared, Resource, Step, Written};
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

args! {
    /// Manages packages through the host's own package manager: apt, dnf, yum, zypper, pacman or apk.
    /// The names of packages are those that it knows.
    pub struct Args {
        /// Names of packages, as the package manager knows them.
        name ("pkg", "package"): Vec<String>,
        /// What they should be.
        state: Presence = Presence::Present,
        /// Which package manager is used; that of the host if it is `auto`.
        r#use: String = "auto".into(),
        /// Whether package lists are refreshed first.
        update_cache: Option<bool>,
        /// Seconds for which package lists count as fresh; only apt has that.
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
- name: By a certain package manager
  package:
    name: nginx
    state: present
    use: pacman
";

/// The module.
pub struct PackageModule;

/// A package manager that this module hands over to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Manager {
    Apt,
    Dnf,
    Zypper,
    Pacman,
    Apk,
}

/// Programs that tell which package manager a host has.
const PROGRAMS: [(&str, Manager); 8] = [
    ("/usr/bin/apt-get", Manager::Apt),
    ("/usr/bin/dnf5", Manager::Dnf),
    ("/usr/bin/dnf", Manager::Dnf),
    ("/usr/bin/yum", Manager::Dnf),
    ("/usr/bin/zypper", Manager::Zypper),
    ("/usr/bin/pacman", Manager::Pacman),
    ("/sbin/apk", Manager::Apk),
    ("/usr/sbin/apk", Manager::Apk),
];

fn manager(args: &Args, host: &dyn Inspect) -> Result<Manager, Failure> {
    let name = args.r#use.rsplit('.').next().unwrap_or_default();
    Ok(match name {
        "auto" | "" => {
            let there = |(program, _): &&(&str, Manager)| host.stat(Path::new(program)).is_ok_and(|stat| stat.is_some());
            PROGRAMS.iter().find(there).map_or(Manager::Apt, |(_, manager)| *manager)
        }
        "apt" => Manager::Apt,
        "dnf" | "dnf5" | "yum" => Manager::Dnf,
        "zypper" => Manager::Zypper,
        "pacman" => Manager::Pacman,
        "apk" => Manager::Apk,
        other => {
            return Err(Failure::new(format!(
                "packages of `{other}` cannot be managed; apt, dnf, yum, zypper, pacman and apk can"
            )));
        }
    })
}

/// Packages of whichever package manager.
#[derive(Debug, Clone)]
pub enum State {
    /// Those of apt.
    Apt(apt_state::State),
    /// Those of another one.
    Other(Work),
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        match self {
            Self::Apt(state) => state.resources(),
            Self::Other(work) => work.resources(),
        }
    }
}

/// The options of `apt`.
fn apt_options(args: &Args) -> Result<apt::Args, Failure> {
    let cache_valid_time = args.cache_valid_time;
    Ok(apt::Args { cache_valid_time, ..options(args)? })
}

/// The options of the module that is handed over to.
fn options<A: Arguments>(args: &Args) -> Result<A, Failure> {
    let mut options = Map::new();
    options.insert("name".into(), args.name.clone().into());
    options.insert("state".into(), args.state.word().into());
    options.extend(args.update_cache.map(|update| ("update_cache".to_owned(), update.into())));
    A::parse(&options).map_err(|errors| Failure::new(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

impl Resource for PackageModule {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        match manager(args, host.inspect())? {
            Manager::Apt => Apt::prepare(&apt_options(args)?, host),
            Manager::Dnf => dnf::Dnf::prepare(&options(args)?, host),
            Manager::Zypper => zypper::Zypper::prepare(&options(args)?, host),
            Manager::Pacman => pacman::Pacman::prepare(&options(args)?, host),
            Manager::Apk => apk::Apk::prepare(&options(args)?, host),
        }
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let work = match manager(args, host)? {
            Manager::Apt => return Apt::read(&apt_options(args)?, host).map(State::Apt),
            Manager::Dnf => dnf::Dnf::read(&options(args)?, host),
            Manager::Zypper => zypper::Zypper::read(&options(args)?, host),
            Manager::Pacman => pacman::Pacman::read(&options(args)?, host),
            Manager::Apk => apk::Apk::read(&options(args)?, host),
        };
        work.map(State::Other)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Ok(match now {
            State::Apt(now) => State::Apt(Apt::want(&apt_options(args)?, now)?),
            State::Other(work) => State::Other(work.done()),
        })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        match (step.now, step.want) {
            (State::Apt(now), State::Apt(want)) => {
                Apt::write(&apt_options(args)?, &Step { now, want, changes: step.changes }, host)
            }
            (State::Other(work), _) => work.carry_out(host),
            (State::Apt(_), State::Other(_)) => unreachable!("what is wanted is of the kind that was read"),
        }
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        match (before, after) {
            (State::Apt(before), State::Apt(after)) => {
                apt_options(args).map(|args| Apt::result(&args, before, after)).unwrap_or_default()
            }
            (State::Other(work), _) => work.result.clone(),
            (State::Apt(_), State::Other(_)) => Map::new(),
        }
    }

    fn claims(args: &Args) -> Claims {
        let bare = |name: &String| name.split(['=', ':', '/', '<', '>']).next().unwrap_or(name).trim().to_owned();
        let packages = args.name.iter().map(|name| ResourceId::new("package", bare(name)));
        // One package manager runs at a time, and in the order in which it was written.
        Claims::provides(packages.chain([ResourceId::new("package-manager", "apt")]))
            .needing([ResourceId::new("file", "/etc/apt"), ResourceId::new("file", "/etc/yum.repos.d")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;
    use serde_json::json;

    #[test]
    fn the_package_manager_of_the_host_is_used() {
        for (program, argv) in [
            ("/usr/bin/dnf", &["dnf", "-y", "install", "tree"][..]),
            ("/usr/bin/zypper", &["zypper", "--non-interactive", "--xmlout", "install"]),
            ("/usr/bin/pacman", &["pacman", "-S", "--noconfirm", "--needed", "tree"]),
            ("/sbin/apk", &["apk", "add", "tree"]),
            ("/usr/bin/apt-get", &["apt-get", "-y"]),
        ] {
            let mut host = MemoryHost::default();
            host.add_file(program, "");
            host.answer(&["rpm", "*"], 0, "");
            host.answer(&["dnf", "--assumeno", "*"], 1, "Installing:\n tree x86_64 1-1 r 1 k\n\nTransaction Summary\n");
            host.answer(&["zypper", "*"], 0, "<to-install><solvable name=\"tree\" edition=\"1-1\"/></to-install>");
            host.answer(&["pacman", "*"], 0, "");
            host.answer(&["pacman", "-T", "tree"], 127, "tree\n");
            host.answer(&["pacman", "-S", "*"], 0, "> tree 1-1\n");
            host.answer(&["apk", "info", "-v"], 0, "");
            host.answer(&["apk", "add", "--simulate", "tree"], 0, "(1/1) Installing tree (1-r1)\n");
            let options = json!({"name": "tree", "state": "present"});
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            let outcome = converge::<PackageModule>(&args, &mut host).unwrap();
            assert_eq!(outcome.changes[0].resource.to_string(), "package tree", "{program}");
            assert!(
                host.ran[0].argv.starts_with(&argv.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()),
                "{:?}",
                host.ran
            );
            assert_eq!(converge::<PackageModule>(&args, &mut host).unwrap().changes, [], "{program}");
        }
    }

    #[test]
    fn other_package_managers_are_refused() {
        let options = json!({"name": "tree", "state": "present", "use": "community.general.portage"});
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        assert!(converge::<PackageModule>(&args, &mut MemoryHost::default()).unwrap_err().message.contains("portage"));
    }
}
