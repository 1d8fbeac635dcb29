//! Sizes of file systems and of the devices below them, and how a file system grows.

use std::path::Path;

use super::filesystem::Type;
use super::mounts;
use crate::host::{Effect, FileKind, Host, Inspect};
use crate::outcome::Failure;
use crate::system::tool::Tool;

const BLOCKDEV: Tool = Tool::new("blockdev", "util-linux");
const TUNE2FS: Tool = Tool::new("tune2fs", "e2fsprogs");
const XFS_INFO: Tool = Tool::new("xfs_info", "xfsprogs");
const BTRFS: Tool = Tool::new("btrfs", "btrfs-progs");
const PVS: Tool = Tool::new("pvs", "lvm2");

/// What is compared before a file system grows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes {
    device: u64,
    file_system: u64,
    /// What a file system cannot use of a device, at most.
    slack: u64,
    /// Where it is mounted, if that is needed to grow.
    mounted: Option<String>,
}

impl Sizes {
    /// Whether there is nothing to gain.
    pub(super) fn fills(&self) -> bool {
        self.file_system + self.slack > self.device
    }
}

/// The number after a key: `Block count:  16384`.
fn number(text: &str, key: &str) -> Option<u64> {
    let rest = &text[text.find(key)? + key.len()..];
    let digits: String = rest.trim_start_matches([' ', '\t', ':', '=']).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn unknown(device: &Path) -> Failure {
    Failure::at("tell the size of the file system on", device, "its tool said something unexpected")
}

/// Bytes of a device or of a file.
pub(super) fn of_device(device: &Path, host: &dyn Inspect) -> Result<u64, Failure> {
    let real = crate::files::paths::real_path(device, host)?;
    match host.stat(&real)? {
        Some(stat) if stat.kind == FileKind::File => Ok(stat.size),
        _ => {
            let text = BLOCKDEV.answer(["--getsize64".to_owned(), device.display().to_string()], host)?.unwrap_or_default();
            text.trim().parse().map_err(|_| unknown(device))
        }
    }
}

/// Where a device is mounted.
fn mount_point(device: &Path, host: &dyn Inspect) -> Result<String, Failure> {
    let real = crate::files::paths::real_path(device, host)?;
    let table = host.read(Path::new(mounts::TABLE), 64 << 20)?;
    let mounted = mounts::parse(&String::from_utf8_lossy(&table));
    let found = mounted.into_iter().find(|mounted| {
        let source = Path::new(&mounted.source);
        source == device || crate::files::paths::real_path(source, host).is_ok_and(|source| source == real)
    });
    found.map(|mounted| mounted.path).ok_or_else(|| Failure::at("grow the file system on", device, "it must be mounted for that"))
}

/// Looks at both sizes.
pub(super) fn read(fstype: Type, device: &Path, host: &dyn Inspect) -> Result<Sizes, Failure> {
    let name = device.display().to_string();
    let whole = of_device(device, host)?;
    let sizes = |file_system: u64, slack: u64| Sizes { device: whole, file_system, slack, mounted: None };
    match fstype {
        Type::Ext2 | Type::Ext3 | Type::Ext4 | Type::Ext4dev => {
            let text = TUNE2FS.answer(["-l".to_owned(), name], host)?.unwrap_or_default();
            let (blocks, size) =
                number(&text, "Block count:").zip(number(&text, "Block size:")).ok_or_else(|| unknown(device))?;
            Ok(sizes(blocks * size, size))
        }
        Type::Xfs => {
            let path = mount_point(device, host)?;
            let text = XFS_INFO.answer([path.clone()], host)?.unwrap_or_default();
            let data = text.lines().skip_while(|line| !line.starts_with("data")).collect::<Vec<_>>().join("\n");
            let (size, blocks) = number(&data, "bsize").zip(number(&data, "blocks")).ok_or_else(|| unknown(device))?;
            // XFS leaves what is too small for an allocation group.
            Ok(Sizes { mounted: Some(path), ..sizes(blocks * size, 64 * size) })
        }
        Type::Btrfs => {
            let path = mount_point(device, host)?;
            let text = BTRFS.answer(["filesystem", "usage", "-b", &path], host)?.unwrap_or_default();
            let size = number(&text, "Device size:").ok_or_else(|| unknown(device))?;
            Ok(Sizes { mounted: Some(path), ..sizes(size, 64 << 10) })
        }
        Type::Lvm => {
            let words = ["--noheadings", "--nosuffix", "--units", "b", "-o", "pv_size", &name];
            let text = PVS.answer(words, host)?.unwrap_or_default();
            // The head of a physical volume takes a megabyte, and the rest is counted in extents.
            Ok(sizes(text.trim().parse().map_err(|_| unknown(device))?, 5 << 20))
        }
        other => Err(Failure::new(format!("module does not support resizing {} filesystem yet", other.word()))),
    }
}

/// Lets it grow.
pub(super) fn grow(fstype: Type, device: &Path, sizes: &Sizes, effects: &[Effect], host: &mut dyn Host) -> Result<(), Failure> {
    let name = device.display().to_string();
    let mounted = sizes.mounted.clone().unwrap_or_default();
    let (tool, words) = match fstype {
        Type::Xfs => (Tool::new("xfs_growfs", "xfsprogs"), vec![mounted]),
        Type::Btrfs => (BTRFS, ["filesystem", "resize", "max", &mounted].map(String::from).into()),
        Type::Lvm => (Tool::new("pvresize", "lvm2"), vec![name]),
        _ => (Tool::new("resize2fs", "e2fsprogs"), vec![name]),
    };
    tool.act(words, effects, host).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn sizes_are_compared() {
        let mut host = MemoryHost::default();
        host.add_file("/disk.img", &"x".repeat(65_536));
        host.add_file(mounts::TABLE, "1 0 8:1 / /srv rw - xfs /disk.img rw\n");
        host.answer(&["tune2fs", "-l", "/disk.img"], 0, "Block count:              60\nBlock size:               1024\n");
        let sizes = read(Type::Ext4, Path::new("/disk.img"), &host).unwrap();
        assert_eq!((sizes.device, sizes.file_system, sizes.fills()), (65_536, 61_440, false));
        let info = "meta-data=/disk.img isize=512\ndata     =                       bsize=4096   blocks=16, imaxpct=25\n";
        host.answer(&["xfs_info", "/srv"], 0, info);
        let sizes = read(Type::Xfs, Path::new("/disk.img"), &host).unwrap();
        assert_eq!((sizes.file_system, sizes.fills(), sizes.mounted.as_deref()), (65_536, true, Some("/srv")));
        assert!(read(Type::Swap, Path::new("/disk.img"), &host).is_err());
    }
}
