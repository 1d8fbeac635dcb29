//! `filesystem`: file systems on devices.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::sizes::{self, Sizes};
use crate::accounts::group::Presence;
use crate::change::{Action, Change, Difference, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing, split_command};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists};
use crate::{args, choice};

choice! {
    /// A type of file system.
    pub enum Type {
        /// bcachefs.
        Bcachefs = "bcachefs",
        /// Btrfs.
        Btrfs = "btrfs",
        /// ext2.
        Ext2 = "ext2",
        /// ext3.
        Ext3 = "ext3",
        /// ext4.
        Ext4 = "ext4",
        /// ext4, by an old name.
        Ext4dev = "ext4dev",
        /// F2FS.
        F2fs = "f2fs",
        /// A physical volume of LVM.
        Lvm = "lvm",
        /// OCFS2.
        Ocfs2 = "ocfs2",
        /// ReiserFS.
        Reiserfs = "reiserfs",
        /// XFS.
        Xfs = "xfs",
        /// FAT.
        Vfat = "vfat",
        /// Swap space.
        Swap = "swap",
        /// UFS, of FreeBSD.
        Ufs = "ufs",
    }
}

args! {
    /// Makes a file system on a device or in a file, lets it grow, or wipes it.
    pub struct Args {
        /// The device.
        dev ("device"): PathBuf,
        /// Type of the file system.
        fstype ("type"): Option<Type>,
        /// Whether there is one.
        state: Presence = Presence::Present,
        /// Whether what is on the device may be overwritten; with the same type it is made anew every time.
        force: bool = false,
        /// Whether it grows to the size of the device.
        resizefs: bool = false,
        /// Further options of `mkfs`.
        opts: Option<String>,
        /// New UUID, every time.
        uuid: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Made where there is none
  filesystem:
    fstype: ext4
    dev: /dev/sdc1
- name: Wiped
  filesystem:
    dev: /dev/sdb1
    state: absent
    fstype: ext4
";

const BLKID: Tool = Tool::new("blkid", "util-linux");
const WIPEFS: Tool = Tool::new("wipefs", "util-linux");

/// The module.
pub struct FileSystem;

/// What is on the device.
#[derive(Debug, Clone)]
pub struct State {
    device: String,
    exists: bool,
    /// Type, as `blkid` says it.
    fstype: Option<String>,
    /// Whether it fills the device; `None` = not asked.
    fills: Option<bool>,
    sizes: Option<Sizes>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = id(&self.device);
        vec![match &self.fstype {
            None => ResourceState::absent(id),
            Some(fstype) => ResourceState::present(id).with("type", fstype.clone()).with("fills_device", self.fills),
        }]
    }
}

/// The resource of a device's file system.
fn id(device: &str) -> ResourceId {
    ResourceId::new("filesystem", device)
}

/// The word of `blkid` for a type.
fn blkid_word(fstype: Type) -> &'static str {
    match fstype {
        Type::Lvm => "LVM2_member",
        Type::Ext4dev => "ext4",
        other => other.word(),
    }
}

/// What makes a file system: program, its package, and the options that keep it from asking.
fn maker(fstype: Type) -> Result<(Tool, &'static [&'static str]), Failure> {
    Ok(match fstype {
        Type::Bcachefs => (Tool::new("mkfs.bcachefs", "bcachefs-tools"), &["--force"]),
        Type::Btrfs => (Tool::new("mkfs.btrfs", "btrfs-progs"), &["-f"]),
        Type::Ext2 => (Tool::new("mkfs.ext2", "e2fsprogs"), &["-F"]),
        Type::Ext3 => (Tool::new("mkfs.ext3", "e2fsprogs"), &["-F"]),
        Type::Ext4 | Type::Ext4dev => (Tool::new("mkfs.ext4", "e2fsprogs"), &["-F"]),
        Type::F2fs => (Tool::new("mkfs.f2fs", "f2fs-tools"), &["-f"]),
        Type::Lvm => (Tool::new("pvcreate", "lvm2"), &["-f", "-y"]),
        Type::Ocfs2 => (Tool::new("mkfs.ocfs2", "ocfs2-tools"), &["-Fx"]),
        Type::Reiserfs => (Tool::new("mkfs.reiserfs", "reiserfsprogs"), &["-q"]),
        Type::Xfs => (Tool::new("mkfs.xfs", "xfsprogs"), &["-f"]),
        Type::Vfat => (Tool::new("mkfs.vfat", "dosfstools"), &[]),
        Type::Swap => (Tool::new("mkswap", "util-linux"), &["-f"]),
        Type::Ufs => return Err(Failure::new("`ufs` is a file system of FreeBSD")),
    })
}

/// Sets a UUID. `random` is a word that all of these know, under some name.
fn set_uuid(fstype: Type, uuid: &str, device: &str, host: &mut dyn Host) -> Result<(), Failure> {
    let (tool, words): (Tool, Vec<&str>) = match fstype {
        Type::Ext2 | Type::Ext3 | Type::Ext4 | Type::Ext4dev => {
            (Tool::new("tune2fs", "e2fsprogs"), vec!["-f", "-U", if uuid == "generate" { "random" } else { uuid }, device])
        }
        Type::Xfs => (Tool::new("xfs_admin", "xfsprogs"), vec!["-U", if uuid == "random" { "generate" } else { uuid }, device]),
        Type::Lvm => (Tool::new("pvchange", "lvm2"), vec!["-u", device]),
        other => return Err(Failure::new(format!("module does not support setting UUID of {}", other.word()))),
    };
    tool.act(words, &[], host).map(|_| ())
}

fn fstype(args: &Args) -> Result<Type, Failure> {
    args.fstype.ok_or_else(|| Failure::new("state is present but all of the following are missing: fstype"))
}

fn uuid(args: &Args) -> Option<&str> {
    args.uuid.as_deref().filter(|_| args.state == Presence::Present)
}

impl Resource for FileSystem {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let device = args.dev.display().to_string();
        let there = exists(&args.dev, host);
        let fstype = match host.thing(&id(&device)) {
            Some(Thing::There(fstype)) => Some(fstype),
            Some(Thing::Gone) => None,
            None if !there => None,
            None => {
                let output = BLKID.ask(["-c", "/dev/null", "-o", "value", "-s", "TYPE", &device], host)?;
                output.map(|output| output.text().trim().to_owned()).filter(|fstype| !fstype.is_empty())
            }
        };
        let mut state = State { device, exists: there, fstype, fills: None, sizes: None };
        if let Some(wanted) = args.fstype.filter(|_| args.resizefs && args.state == Presence::Present)
            && state.fstype.as_deref() == Some(blkid_word(wanted))
        {
            let planned = host.thing(&ResourceId::new("filesystem size", &state.device)).is_some();
            let sizes = sizes::read(wanted, &args.dev, host)?;
            state.fills = Some(planned || sizes.fills());
            state.sizes = Some(sizes);
        }
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if now.device.starts_with('-') || !args.dev.is_absolute() {
            return Err(Failure::new(format!("`{}` is not the absolute path of a device", now.device)));
        }
        if args.state == Presence::Absent {
            return Ok(State { fstype: None, ..now.clone() });
        }
        let wanted = fstype(args)?;
        maker(wanted)?;
        if args.resizefs && args.uuid.is_some() {
            return Err(Failure::new("parameters are mutually exclusive: resizefs|uuid"));
        }
        if args.uuid.as_deref().is_some_and(|uuid| uuid.starts_with('-')) {
            return Err(Failure::new("`uuid` cannot begin with a hyphen"));
        }
        if !now.exists {
            return Err(Failure::new(format!("Device {} not found.", now.device)));
        }
        let word = blkid_word(wanted);
        if let Some(other) = now.fstype.as_deref().filter(|other| *other != word && !args.force) {
            return Err(Failure::new(format!("'{}' is already used as {other}, use force=true to overwrite", now.device)));
        }
        Ok(State { fstype: Some(word.to_owned()), fills: now.fills.map(|_| true), ..now.clone() })
    }

    fn runs(args: &Args, now: &State, want: &State) -> Vec<Change> {
        let same = now.fstype == want.fstype && now.fstype.is_some();
        let run = |property: &str, value: Value| {
            let difference = Difference { property: property.into(), before: Value::Null, after: value, diff: None };
            Change { resource: id(&now.device), action: Action::Run, differences: vec![difference] }
        };
        let mut runs = Vec::new();
        if same && args.force && !args.resizefs && args.uuid.is_none() {
            runs.push(run("made_anew", true.into()));
        }
        if same && let Some(uuid) = uuid(args) {
            runs.push(run("uuid", uuid.into()));
        }
        runs
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let device = &step.want.device;
        if step.want.fstype.is_none() {
            WIPEFS.act(["--all", device], &[Effect::Thing(id(device), Thing::Gone)], host)?;
            return Ok(Written::quiet());
        }
        let wanted = fstype(args)?;
        let anew =
            step.changes.iter().flat_map(|change| &change.differences).any(|difference| difference.property == "made_anew");
        if step.now.fstype != step.want.fstype || anew {
            let (tool, options) = maker(wanted)?;
            let mut words: Vec<String> = options.iter().map(|&word| word.to_owned()).collect();
            let opts = args.opts.as_deref().unwrap_or_default();
            words.extend(split_command(opts).ok_or_else(|| Failure::new("`opts`: a quotation mark is not closed"))?);
            words.push(device.clone());
            tool.act(words, &[Effect::Thing(id(device), Thing::There(blkid_word(wanted).into()))], host)?;
        } else if step.differs("fills_device") {
            let sizes = step.now.sizes.as_ref().ok_or_else(|| Failure::new(format!("the size of {device} is not known")))?;
            let effect = Effect::Thing(ResourceId::new("filesystem size", device), Thing::There(String::new()));
            sizes::grow(wanted, Path::new(device), sizes, &[effect], host)?;
        }
        if let Some(uuid) = uuid(args) {
            set_uuid(wanted, uuid, device, host)?;
        }
        Ok(Written::quiet())
    }

    fn result(_: &Args, before: &State, _: &State) -> Map<String, Value> {
        let mut result = Map::new();
        if !before.exists {
            result.insert("msg".into(), format!("Device {} not found.", before.device).into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let device = args.dev.display().to_string();
        let needs = [ResourceId::new("file", device.clone()), ResourceId::new("logical volume", device.clone())];
        Claims::provides([id(&device)]).needing(needs)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::outcome::{Ending, Outcome};

    fn run(options: Value, host: &mut MemoryHost) -> Outcome {
        let module = crate::registry::find("filesystem").unwrap();
        (module.run)(options.as_object().unwrap(), host)
    }

    #[test]
    fn what_is_on_a_device_is_not_overwritten_unasked() {
        let mut host = MemoryHost::default();
        host.add_file("/dev/sdx", "");
        host.answer(&["blkid", "*"], 0, "xfs\n");
        assert_eq!(run(json!({"dev": "/dev/sdx", "fstype": "xfs"}), &mut host).ending, Ending::Ok);
        let outcome = run(json!({"dev": "/dev/sdx", "fstype": "ext4"}), &mut host);
        assert_eq!(outcome.result["msg"], "'/dev/sdx' is already used as xfs, use force=true to overwrite");
        assert!(host.ran.is_empty());
        let options = json!({"dev": "/dev/sdx", "fstype": "ext4", "force": true, "opts": "-L 'my disk'", "uuid": "random"});
        assert_eq!(run(options, &mut host).ending, Ending::Changed);
        assert_eq!(host.ran[0].argv, ["mkfs.ext4", "-F", "-L", "my disk", "/dev/sdx"]);
        assert_eq!(host.ran[1].argv, ["tune2fs", "-f", "-U", "random", "/dev/sdx"]);
        let again = json!({"dev": "/dev/sdx", "fstype": "ext4", "force": true});
        assert_eq!(run(again, &mut host).changes[0].action, Action::Run);
        assert_eq!(run(json!({"dev": "/dev/none", "fstype": "ext4"}), &mut host).ending, Ending::Failed);
        assert_eq!(run(json!({"dev": "/dev/none", "state": "absent"}), &mut host).ending, Ending::Ok);
    }
}
