//! `zypper`: packages, patterns and patches of openSUSE and SUSE.

use serde_json::{Map, Value, json};

use super::dnf_tool::{fulfils, relation};
use super::rpm::{self, Rpm};
use super::work::{self, Kind, Step as Change, Work};
use super::zypper_tool::{self, Simulated};
use crate::change::ResourceId;
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
        /// Installed in the newest version that can be had.
        Latest = "latest",
        /// Not installed.
        Absent = "absent" | "removed",
        /// The whole system in the versions of its repositories.
        DistUpgrade = "dist-upgrade",
    }
}

choice! {
    /// What is managed.
    pub enum Sort {
        /// Packages.
        Package = "package",
        /// Patches.
        Patch = "patch",
        /// Patterns.
        Pattern = "pattern",
        /// Products.
        Product = "product",
        /// Packages of sources.
        SourcePackage = "srcpackage",
        /// Applications.
        Application = "application",
    }
}

args! {
    /// Manages packages of openSUSE and SUSE by `zypper`.
    ///
    /// What is there is read from RPM's own database. A plan lists what comes along as
    /// `zypper --dry-run` tells it.
    pub struct Args {
        /// Names; also `name=1.0`, `name>3.4`, paths and addresses of package files, `*` for everything.
        name ("pkg"): Vec<String>,
        /// What they should be.
        state: Presence = Presence::Present,
        /// What is managed.
        r#type: Sort = Sort::Package,
        /// Further options of the command.
        extra_args: Option<String>,
        /// Further options before the command.
        extra_args_precommand: Option<String>,
        /// Whether signatures of packages are not checked.
        disable_gpg_check: bool = false,
        /// Whether new keys of repositories are trusted.
        auto_import_keys: bool = false,
        /// Whether recommended packages stay away.
        disable_recommends: bool = true,
        /// Whether packages may be replaced by others of an older version, vendor or architecture.
        force: bool = false,
        /// Whether conflicts are solved by removing packages.
        force_resolution: bool = false,
        /// Whether lists are refreshed first; not counted as a change.
        update_cache ("refresh"): bool = false,
        /// Whether older versions may replace newer ones; always so if a version is named.
        oldpackage: bool = false,
        /// Whether files of other packages may be replaced.
        replacefiles: bool = false,
        /// Whether dependencies that nothing needs any more go with a removed package.
        clean_deps: bool = false,
        /// Whether a package may come from another vendor in a `dist-upgrade`.
        allow_vendor_change: bool = false,
        /// Whether failing scripts of packages are no failure.
        skip_post_errors: bool = false,
        /// No effect: what zypper says is always told plainly.
        simple_errors: bool = false,
        /// No effect: what zypper says is read as XML.
        quiet: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A package
  zypper:
    name: nmap
- name: No package
  zypper:
    name: nosuch
    state: absent
- name: Already there
  zypper:
    name: ['glibc', 'bash>=5']
";

/// The module.
pub struct Zypper;

/// Exit statuses that are none of failure: a reboot or a restart is needed, repositories were left out.
const INFORMATION: &[i32] = &[100, 101, 102, 103, 106];
/// Likewise, where scripts of packages may fail.
const SCRIPTS: &[i32] = &[100, 101, 102, 103, 106, 107];

impl Args {
    fn kind(&self) -> Kind {
        if self.r#type == Sort::Package { work::SYSTEM } else { Kind { word: self.r#type.word(), system: false } }
    }

    /// A run of zypper, or one that only says what it would do.
    fn line(&self, verb: &str, names: &[&str]) -> Result<CommandLine, Failure> {
        let mut argv: Vec<String> = ["zypper", "--non-interactive", "--xmlout"].map(String::from).into();
        let flags = [(self.disable_gpg_check, "--no-gpg-checks"), (self.auto_import_keys, "--gpg-auto-import-keys")];
        argv.extend(flags.iter().filter(|(is, _)| *is && verb != "remove").map(|(_, flag)| (*flag).to_owned()));
        argv.extend(work::words("extra_args_precommand", self.extra_args_precommand.as_deref())?);
        argv.push(verb.to_owned());
        if verb != "dist-upgrade" && verb != "refresh" {
            argv.extend(["--type".to_owned(), self.r#type.word().to_owned()]);
        }
        let installs = !["remove", "refresh"].contains(&verb);
        let old = self.oldpackage || names.iter().any(|name| name.contains(['=', '<', '>']));
        let flags = [
            (installs, "--auto-agree-with-licenses"),
            (installs && self.disable_recommends, "--no-recommends"),
            (installs && self.replacefiles && verb != "patch", "--replacefiles"),
            (verb == "install" && self.force, "--force"),
            (["install", "remove"].contains(&verb) && self.force_resolution, "--force-resolution"),
            (verb == "install" && old, "--oldpackage"),
            (verb == "dist-upgrade" && self.allow_vendor_change, "--allow-vendor-change"),
            (verb == "remove" && self.clean_deps, "--clean-deps"),
        ];
        argv.extend(flags.iter().filter(|(is, _)| *is).map(|(_, flag)| (*flag).to_owned()));
        if verb != "refresh" {
            argv.extend(work::words("extra_args", self.extra_args.as_deref())?);
        }
        argv.extend(names.iter().map(|&name| name.to_owned()));
        Ok(CommandLine::new(argv).env("LC_ALL", "C.UTF-8").env("ZYPP_LOCK_TIMEOUT", "120"))
    }
}

/// Whether a word of the task is fulfilled by what is there.
fn is_there(word: &str, all: &[Rpm], host: &dyn Inspect) -> Result<bool, Failure> {
    if super::fetch::is_url(word) || word.starts_with('/') {
        let file = rpm::of_file(word, host)?;
        return Ok(all.iter().any(|rpm| rpm.name == file.name && rpm::compare(&rpm.evr(), &file.evr()).is_ge()));
    }
    Ok(match relation(word) {
        Some((name, operator, version)) => all.iter().any(|rpm| rpm.name == name && fulfils(rpm, operator, version)),
        None => all.iter().any(|rpm| rpm.name == word),
    })
}

/// The verb and the names that it is given; nothing where nothing is to be done.
fn verb<'a>(
    args: &Args,
    names: &[&'a str],
    all: &[Rpm],
    host: &dyn Inspect,
) -> Result<Option<(&'static str, Vec<&'a str>)>, Failure> {
    let everything = names.contains(&"*");
    let packages = args.r#type == Sort::Package;
    Ok(match args.state {
        Presence::DistUpgrade => Some(("dist-upgrade", Vec::new())),
        Presence::Latest if everything => Some((if args.r#type == Sort::Patch { "patch" } else { "update" }, Vec::new())),
        Presence::Absent => {
            let bare = |name: &str| relation(name).map_or(name.to_owned(), |(name, _, _)| name.to_owned());
            let there = |name: &&str| !packages || all.iter().any(|rpm| rpm.name == bare(name));
            Some(("remove", names.iter().copied().filter(there).collect())).filter(|(_, names): &(_, Vec<_>)| !names.is_empty())
        }
        Presence::Latest => Some(("install", names.to_vec())),
        Presence::Present => {
            let mut missing = Vec::new();
            for name in names {
                if !packages || !is_there(name, all, host)? {
                    missing.push(*name);
                }
            }
            Some(("install", missing)).filter(|(_, names)| !names.is_empty())
        }
    })
}

impl Resource for Zypper {
    type Args = Args;
    type State = Work;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        if args.update_cache {
            process::succeed(host, &args.line("refresh", &[])?, &[Effect::PackageLists])?;
        }
        Ok(Prepared::default())
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<Work, Failure> {
        let mut work = Work::default();
        let names = work::names(&args.name)?;
        if names.contains(&"*") && (names.len() > 1 || args.state != Presence::Latest) {
            return Err(Failure::new("`*` stands alone, and with state `latest`"));
        }
        let all = rpm::as_planned(None, &work::SYSTEM, &str::to_owned, host)?;
        let kind = args.kind();
        if let Some((verb, words)) = verb(args, &names, &all, host)? {
            let line = args.line(verb, &words)?;
            match zypper_tool::simulate(&line, verb, host)? {
                Simulated::Steps(steps) => work.add(kind, steps, line, host),
                Simulated::Fails(failure) if host.acts() => return Err(failure),
                // A repository that an earlier task of this plan brings is not known to zypper yet.
                Simulated::Fails(failure) => {
                    let after = (args.state != Presence::Absent).then(String::new);
                    let step = |word: &&str| Change::new(*word, None, after.clone());
                    work.add(kind, words.iter().map(step).collect(), line, host);
                    work.warn(format!("unless an earlier task changes it, this will fail: {}", failure.message));
                }
            }
        }
        let accepts = if args.skip_post_errors { SCRIPTS } else { INFORMATION };
        work.runs().iter_mut().for_each(|run| run.accepts = accepts);
        for name in names.iter().filter(|_| kind == work::SYSTEM) {
            let there = all.iter().rfind(|rpm| rpm.name == *name).map(Rpm::evr);
            if there.is_some() == (args.state != Presence::Absent) {
                work.keep(kind, name, there.as_deref());
            }
        }
        let fields = json!({"rc": 0, "name": names, "state": args.state.word(), "update_cache": args.update_cache, "stdout": "", "stderr": ""});
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

    fn claims(args: &Args) -> Claims {
        let packages = args.name.iter().map(|name| ResourceId::new("package", name));
        Claims::provides(packages.chain([ResourceId::new("package", "zypper")]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn args(value: &Value) -> Args {
        Args::parse(value.as_object().unwrap()).unwrap()
    }

    #[test]
    fn options_reach_the_command() {
        let options = json!({"name": "a=1", "force_resolution": true, "disable_gpg_check": true, "extra_args": "--download 'in advance'", "type": "pattern"});
        assert_eq!(
            args(&options).line("install", &["a=1"]).unwrap().argv.join(" "),
            "zypper --non-interactive --xmlout --no-gpg-checks install --type pattern --auto-agree-with-licenses --no-recommends --force-resolution --oldpackage --download in advance a=1"
        );
    }

    #[test]
    fn a_transaction_is_planned_from_its_dry_run() {
        let mut host = MemoryHost::default();
        host.answer(&["rpm", "-qa", "*"], 0, "alpha\t(none)\t1.0\t1\tnoarch\n");
        let summary = r#"<install-summary><to-upgrade>
            <solvable type="package" name="alpha" edition="2.0-1" arch="noarch" edition-old="1.0-1"/></to-upgrade></install-summary>"#;
        host.answer(&["zypper", "*"], 0, summary);
        let outcome = converge::<Zypper>(&args(&json!({"name": "alpha", "state": "latest"})), &mut host).unwrap();
        assert_eq!(outcome.changes[0].differences[0].after, "2.0-1");
        assert!(!host.ran[0].argv.contains(&"--dry-run".to_owned()));
        assert_eq!(converge::<Zypper>(&args(&json!({"name": ["alpha>1.5"]})), &mut host).unwrap().changes, []);
    }
}
