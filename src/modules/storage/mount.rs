//! `mount`: entries of `/etc/fstab`, and what is mounted.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::fstab::Entry;
use super::mounts::{self, Mounted};
use crate::change::{Action, Change, Difference, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::files::paths;
use crate::host::{Attributes, Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::text_file::TextFile;
use crate::system::tool::{Tool, exists};
use crate::{args, choice};

choice! {
    /// What is wanted of a mount point.
    pub enum MountState {
        /// An entry in the table, and mounted.
        Mounted = "mounted",
        /// An entry in the table.
        Present = "present",
        /// Not mounted; the table stays as it is.
        Unmounted = "unmounted",
        /// No entry; what the entry mounted is unmounted, and its directory removed if it is empty.
        Absent = "absent",
        /// No entry; what is mounted stays.
        AbsentFromFstab = "absent_from_fstab",
        /// Mounted again, every time.
        Remounted = "remounted",
        /// Mounted, without an entry; a change every time.
        Ephemeral = "ephemeral",
    }
}

args! {
    /// Manages what is mounted now and, through `/etc/fstab`, after the next boot.
    ///
    /// The plan shows the difference of the table. What is mounted and gets another entry is remounted.
    pub struct Args {
        /// The mount point; `none` for swap.
        path ("name"): PathBuf,
        /// What is wanted.
        state: MountState,
        /// Device, `UUID=`, `LABEL=` or network name.
        src: Option<String>,
        /// Type of the file system.
        fstype: Option<String>,
        /// Options, separated by commas; `defaults` if none are given.
        opts: Option<String>,
        /// Whether the options are kept out of the result.
        opts_no_log: bool = false,
        /// Whether `dump` saves it.
        dump: String = "0".into(),
        /// When it is checked at boot.
        passno: String = "0".into(),
        /// Whether it is mounted at boot; `false` adds `noauto` to the options.
        boot: bool = true,
        /// The table, if it is another file (in a chroot).
        fstab: PathBuf = "/etc/fstab".into(),
        /// Whether a copy of the old table is kept.
        backup: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Only an entry
  mount:
    path: /mnt/dvd
    src: /dev/sr0
    fstype: iso9660
    opts: ro,noauto
    state: present
- name: An entry, and mounted
  mount:
    path: /srv/data
    src: UUID=b3e48f45-f933-4c8e-a700-22a159ec9077
    fstype: xfs
    opts: noatime
    state: mounted
- name: A bind mount that is not mounted at boot
  mount:
    path: /mnt/log
    src: /var/log
    fstype: none
    opts: bind
    boot: false
    state: mounted
- name: Not mounted
  mount:
    path: /mnt/old
    state: unmounted
- name: Neither an entry nor mounted
  mount:
    path: /mnt/old
    state: absent
- name: Swap
  mount:
    path: none
    src: /swapfile
    fstype: swap
    opts: sw
    state: present
- name: For now
  mount:
    path: /mnt/ram
    src: tmpfs
    fstype: tmpfs
    opts: size=64m
    state: ephemeral
";

const MOUNT: Tool = Tool::new("mount", "mount");
const UMOUNT: Tool = Tool::new("umount", "mount");
const TABLE: &str = "/etc/fstab";

/// The module.
pub struct Mount;

/// The table, and what is mounted.
#[derive(Debug, Clone)]
pub struct State {
    path: PathBuf,
    fstab: TextFile,
    /// What is mounted there.
    live: Option<Mounted>,
    /// Whether it is mounted; `None` = not managed.
    mounted: Option<bool>,
    /// Whether the directory is there; `None` = not managed.
    directory: Option<bool>,
    /// What is mounted is what the options name.
    same_source: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![
            self.fstab.resource(),
            ResourceState::present(mounts::id(&self.path)).with("mounted", self.mounted).with("directory", self.directory),
        ]
    }
}

fn options(args: &Args) -> String {
    let mut options = args.opts.clone().filter(|options| !options.is_empty()).unwrap_or_else(|| "defaults".into());
    if !args.boot && !options.split(',').any(|option| option == "noauto") {
        options.push_str(",noauto");
    }
    options
}

fn entry(args: &Args) -> Entry {
    let path = if args.path == Path::new("/") { "/".into() } else { args.path.display().to_string() };
    Entry {
        source: args.src.clone().unwrap_or_default(),
        path: if path.len() > 1 { path.trim_end_matches('/').to_owned() } else { path },
        fstype: args.fstype.clone().unwrap_or_default(),
        options: options(args),
        dump: args.dump.clone(),
        pass: args.passno.clone(),
    }
}

/// The device that a name stands for, as the kernel would list it.
fn device(source: &str, host: &dyn Inspect) -> PathBuf {
    let by = |kind: &str, name: &str| PathBuf::from(format!("/dev/disk/by-{kind}")).join(name.trim_matches('"'));
    let path = match source.split_once('=') {
        Some(("UUID", name)) => by("uuid", name),
        Some(("LABEL", name)) => by("label", name),
        Some(("PARTUUID", name)) => by("partuuid", name),
        Some(("PARTLABEL", name)) => by("partlabel", name),
        _ => PathBuf::from(source),
    };
    if path.is_absolute() { paths::real_path(&path, host).unwrap_or(path) } else { path }
}

impl Resource for Mount {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let live = if args.path.is_absolute() { mounts::at(&args.path, host)? } else { None };
        let same_source = match (&live, &args.src) {
            (Some(live), Some(source)) => {
                // A bind mount is listed by the device and the directory on it.
                let wanted = device(source, host);
                device(&live.source, host) == wanted
                    || (wanted.is_absolute()
                        && Path::new(&live.root) != Path::new("/")
                        && wanted.ends_with(live.root.trim_start_matches('/')))
            }
            _ => false,
        };
        let directory = (args.path.is_absolute()).then(|| exists(&args.path, host));
        Ok(State {
            path: args.path.clone(),
            fstab: TextFile::read(&args.fstab, host)?,
            mounted: Some(live.is_some()),
            live,
            directory,
            same_source,
        })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        check(args)?;
        let entry = entry(args);
        let text = now.fstab.text.as_deref().unwrap_or_default();
        let unmanaged = State { mounted: None, directory: None, ..now.clone() };
        Ok(match args.state {
            MountState::Present => State { fstab: now.fstab.with(entry.set(text)), ..unmanaged },
            MountState::Mounted => {
                State { fstab: now.fstab.with(entry.set(text)), mounted: Some(true), directory: Some(true), ..now.clone() }
            }
            MountState::Unmounted => State { mounted: Some(false), ..unmanaged },
            MountState::Absent if entry.find(text).is_some() => State {
                fstab: now.fstab.with(entry.remove(text)),
                mounted: Some(false),
                directory: now.directory.and(Some(false)),
                ..now.clone()
            },
            MountState::AbsentFromFstab if entry.find(text).is_some() => {
                State { fstab: now.fstab.with(entry.remove(text)), ..unmanaged }
            }
            MountState::Absent | MountState::AbsentFromFstab | MountState::Remounted => unmanaged,
            MountState::Ephemeral if now.live.is_some() && !now.same_source => {
                return Err(Failure::new(format!(
                    "Ephemeral mount point is already mounted with a different source than the specified one: `{}`",
                    now.live.as_ref().map_or("", |live| live.source.as_str())
                )));
            }
            MountState::Ephemeral => State { mounted: Some(true), directory: Some(true), ..now.clone() },
        })
    }

    fn runs(args: &Args, now: &State, want: &State) -> Vec<Change> {
        let again = match args.state {
            MountState::Remounted => true,
            MountState::Ephemeral => now.live.is_some(),
            MountState::Mounted => now.live.is_some() && now.fstab != want.fstab,
            _ => false,
        };
        let difference = Difference { property: "state".into(), before: "mounted".into(), after: "remounted".into(), diff: None };
        again
            .then(|| Change { resource: mounts::id(&args.path), action: Action::Run, differences: vec![difference] })
            .into_iter()
            .collect()
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut written = Written::quiet();
        let again = step.changes.iter().any(|change| change.action == Action::Run);
        // Unmounted first: a run that ends half-way still finds the entry.
        if step.differs("mounted") && step.want.mounted == Some(false) {
            UMOUNT.act([args.path.display().to_string()], &[Effect::Thing(mounts::id(&args.path), Thing::Gone)], host)?;
        }
        if step.differs("directory") {
            match step.want.directory {
                Some(true) => make_directories(&args.path, host)?,
                _ if host.list(&args.path).is_ok_and(|names| names.is_empty()) => host.remove(&args.path)?,
                _ => return Err(Failure::new(format!("Error rmdir {}: the directory is not empty", args.path.display()))),
            }
        }
        if step.differs("content") {
            if args.backup && step.now.fstab.text.is_some() {
                written = written.with("backup_file", step.now.fstab.backup(host)?.display().to_string());
            }
            step.want.fstab.write(Attributes::default(), host)?;
        }
        if again {
            remount(args, step.now, host)?;
        } else if step.differs("mounted")
            && step.want.mounted == Some(true)
            && let Err(failure) = mount(args, host)
        {
            // An entry that cannot be mounted would keep the host from booting.
            if step.differs("content") {
                step.now.fstab.write(Attributes::default(), host)?;
            }
            return Err(Failure { message: format!("Error mounting {}: {}", args.path.display(), failure.message), ..failure });
        }
        Ok(written)
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let entry = entry(args);
        let options = if args.opts_no_log { "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER".into() } else { entry.options };
        let mut result = Map::new();
        for (name, value) in [("name", entry.path), ("opts", options), ("dump", entry.dump), ("passno", entry.pass)] {
            result.insert(name.into(), value.into());
        }
        result.insert("fstab".into(), args.fstab.display().to_string().into());
        result.insert("boot".into(), if args.boot { "yes" } else { "no" }.into());
        for (name, value) in [("src", &args.src), ("fstype", &args.fstype)] {
            if let Some(value) = value {
                result.insert(name.into(), value.clone().into());
            }
        }
        result.insert("backup_file".into(), "".into());
        result
    }

    fn claims(args: &Args) -> Claims {
        let file = |path: &Path| ResourceId::new("file", path.display().to_string());
        let mut needs: Vec<ResourceId> = args.path.parent().map(file).into_iter().collect();
        if let Some(source) = args.src.as_deref().filter(|source| source.starts_with('/')) {
            needs.extend([file(Path::new(source)), ResourceId::new("filesystem", source)]);
        }
        Claims::provides([mounts::id(&args.path), file(&args.fstab), file(&args.path)]).needing(needs)
    }
}

fn check(args: &Args) -> Result<(), Failure> {
    let needs_source = matches!(args.state, MountState::Mounted | MountState::Present | MountState::Ephemeral);
    let missing: Vec<&str> = [("src", args.src.is_none()), ("fstype", args.fstype.is_none())]
        .into_iter()
        .filter_map(|(name, missing)| missing.then_some(name))
        .collect();
    if needs_source && !missing.is_empty() {
        return Err(Failure::new(format!(
            "state is {} but all of the following are missing: {}",
            args.state.word(),
            missing.join(", ")
        )));
    }
    let live = !matches!(args.state, MountState::Present | MountState::AbsentFromFstab | MountState::Absent);
    if live && !args.path.is_absolute() {
        return Err(Failure::new(format!("`{}` is not the absolute path of a mount point", args.path.display())));
    }
    for (name, value) in [("src", &args.src), ("fstype", &args.fstype), ("opts", &args.opts)] {
        if value.as_deref().is_some_and(|value| value.starts_with('-')) {
            return Err(Failure::new(format!("`{name}` cannot begin with a hyphen")));
        }
    }
    Ok(())
}

/// Makes the mount point and what is missing above it.
fn make_directories(path: &Path, host: &mut dyn Host) -> Result<(), Failure> {
    if exists(path, host.inspect()) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        make_directories(parent, host)?;
    }
    host.make_directory(path, &Attributes { mode: Some(0o755), ..Attributes::default() })
}

fn effect(args: &Args) -> Effect {
    let mounted = Mounted {
        root: "/".into(),
        path: args.path.display().to_string(),
        fstype: args.fstype.clone().unwrap_or_default(),
        source: args.src.clone().unwrap_or_default(),
        options: options(args),
    };
    Effect::Thing(mounts::id(&args.path), mounted.thing())
}

/// The words that name the table where it is not the usual one.
fn table(args: &Args) -> Vec<String> {
    if args.fstab == Path::new(TABLE) { Vec::new() } else { vec!["-T".into(), args.fstab.display().to_string()] }
}

fn mount(args: &Args, host: &mut dyn Host) -> Result<(), Failure> {
    let path = args.path.display().to_string();
    let words = if args.state == MountState::Ephemeral {
        let [fstype, source] = [&args.fstype, &args.src].map(|word| word.clone().unwrap_or_default());
        let mut words = if fstype == "none" { Vec::new() } else { vec!["-t".into(), fstype] };
        words.extend(["-o".into(), options(args), source, path]);
        words
    } else {
        let mut words = table(args);
        words.push(path);
        words
    };
    MOUNT.act(words, &[effect(args)], host).map(|_| ())
}

/// Mounts again with the options of the table (or the given ones); if that cannot be, unmounts first.
fn remount(args: &Args, now: &State, host: &mut dyn Host) -> Result<(), Failure> {
    let path = args.path.display().to_string();
    let remount = match (args.state, &args.opts) {
        (MountState::Ephemeral, _) => format!("remount,{}", options(args)),
        (MountState::Remounted, Some(options)) => format!("remount,{options}"),
        _ => "remount".into(),
    };
    let mut words = if args.state == MountState::Ephemeral { Vec::new() } else { table(args) };
    words.extend(["-o".into(), remount, path.clone()]);
    let effects: Vec<Effect> = args.src.is_some().then(|| effect(args)).into_iter().collect();
    let Err(failure) = MOUNT.act(words, &effects, host) else { return Ok(()) };
    let failed = |failure: Failure| Failure { message: format!("Error remounting {path}: {}", failure.message), ..failure };
    if args.state == MountState::Ephemeral || now.live.is_none() {
        return Err(failed(failure));
    }
    UMOUNT.act([path.clone()], &[], host).map_err(failed)?;
    mount(args, host).map_err(failed)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut dyn Host) -> Outcome {
        let module = crate::registry::find("mount").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        host.add_file("/etc/fstab", "/dev/sda1 / ext4 defaults 0 1\n/dev/sdb1 /mnt/a ext4 defaults 0 2\n");
        host.add_file(mounts::TABLE, "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 8:2 / /mnt/a rw - ext4 /dev/sdb1 rw\n");
        host.add_directory("/mnt/a");
        host
    }

    fn lines(host: &MemoryHost) -> Vec<String> {
        host.ran.iter().map(|line| line.argv.join(" ")).collect()
    }

    #[test]
    fn what_is_mounted_follows_its_entry() {
        let mut host = host();
        let options = json!({"path": "/mnt/a", "src": "/dev/sdb1", "fstype": "ext4", "passno": "2", "state": "mounted"});
        assert_eq!(run(options.clone(), &mut host).ending, Ending::Ok);
        let mut other = options;
        other["opts"] = json!("noatime");
        assert_eq!(run(other.clone(), &mut host).ending, Ending::Changed);
        assert_eq!(lines(&host), ["mount -o remount /mnt/a"]);
        assert_eq!(run(other, &mut host).ending, Ending::Ok);
        assert_eq!(run(json!({"path": "/mnt/a", "state": "absent"}), &mut host).ending, Ending::Changed);
        assert_eq!(host.text("/etc/fstab").unwrap(), "/dev/sda1 / ext4 defaults 0 1\n");
        assert_eq!(lines(&host)[1..], ["umount /mnt/a"]);
        assert!(host.stat(Path::new("/mnt/a")).unwrap().is_none());
        assert_eq!(run(json!({"path": "/mnt/a", "state": "absent"}), &mut host).ending, Ending::Ok);
    }

    #[test]
    fn an_entry_that_cannot_be_mounted_does_not_stay() {
        let mut host = host();
        host.answer(&["mount", "*"], 32, "");
        let before = host.text("/etc/fstab");
        let outcome = run(json!({"path": "/mnt/b", "src": "/dev/none", "fstype": "ext4", "state": "mounted"}), &mut host);
        assert_eq!(outcome.ending, Ending::Failed);
        assert_eq!(host.text("/etc/fstab"), before);
    }

    #[test]
    fn an_ephemeral_mount_hides_nothing() {
        let mut host = host();
        let outcome = run(json!({"path": "/mnt/a", "src": "/dev/sdc1", "fstype": "ext4", "state": "ephemeral"}), &mut host);
        assert_eq!(outcome.ending, Ending::Failed);
        let outcome =
            run(json!({"path": "/mnt/a", "src": "/dev/sdb1", "fstype": "ext4", "opts": "ro", "state": "ephemeral"}), &mut host);
        assert_eq!(outcome.ending, Ending::Changed);
        assert_eq!(lines(&host), ["mount -o remount,ro /mnt/a"]);
        let missing = run(json!({"path": "/mnt/a", "state": "present"}), &mut host);
        assert_eq!(missing.result["msg"], "state is present but all of the following are missing: src, fstype");
    }
}
