//! What is mounted now, as the kernel lists it.

use std::path::Path;

use serde_json::{Map, Value};

use crate::change::ResourceId;
use crate::host::{FileSystem, Inspect, Thing};
use crate::outcome::Failure;

/// The kernel's list.
pub(crate) const TABLE: &str = "/proc/self/mountinfo";

/// One line of the kernel's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mounted {
    /// The directory of its file system that is mounted; `/` but for bind mounts and subvolumes.
    pub root: String,
    /// Where it is mounted.
    pub path: String,
    /// Type of the file system.
    pub fstype: String,
    /// Device, or what stands for one.
    pub source: String,
    /// Options of the mount and of the file system.
    pub options: String,
}

impl Mounted {
    /// As a plan remembers it.
    pub(crate) fn thing(&self) -> Thing {
        Thing::There([&self.source, &self.fstype, &self.options].map(String::as_str).join("\n"))
    }
}

/// `\040` is a space.
pub(crate) fn unescape(text: &str) -> String {
    let mut done = Vec::with_capacity(text.len());
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let code = bytes.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        match code.filter(|_| bytes[at] == b'\\') {
            Some(byte) => {
                done.push(byte);
                at += 4;
            }
            None => {
                done.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&done).into_owned()
}

/// The lines of a list.
pub(crate) fn parse(table: &str) -> Vec<Mounted> {
    table
        .lines()
        .filter_map(|line| {
            let (own, file_system) = line.split_once(" - ")?;
            let own: Vec<&str> = own.split(' ').collect();
            let mut rest = file_system.split(' ');
            let (fstype, source, its) = (rest.next()?, rest.next()?, rest.next().unwrap_or_default());
            // The options of the mount decide where both name one: `ro` of either is read-only.
            let mut options: Vec<&str> = own.get(5)?.split(',').collect();
            options.extend(its.split(',').filter(|option| !option.is_empty() && !["rw", "ro"].contains(option)));
            let mut seen = Vec::new();
            options.retain(|option| {
                !seen.contains(option) && {
                    seen.push(*option);
                    true
                }
            });
            Some(Mounted {
                root: unescape(own.get(3)?),
                path: unescape(own.get(4)?),
                fstype: fstype.to_owned(),
                source: unescape(source),
                options: options.join(","),
            })
        })
        .collect()
}

/// Sizes of a file system, under the names that facts have.
pub(crate) fn sizes(found: &FileSystem) -> Map<String, Value> {
    let sizes = [
        ("size_total", found.block_size * found.blocks),
        ("size_available", found.block_size * found.blocks_available),
        ("block_size", found.preferred_block_size),
        ("block_total", found.blocks),
        ("block_available", found.blocks_available),
        ("block_used", found.blocks.saturating_sub(found.blocks_available)),
        ("inode_total", found.inodes),
        ("inode_available", found.inodes_available),
        ("inode_used", found.inodes.saturating_sub(found.inodes_available)),
    ];
    sizes.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect()
}

/// The resource of a mount point.
pub(crate) fn id(path: &Path) -> ResourceId {
    ResourceId::new("mount", path.display().to_string())
}

/// What is mounted at a path (what is on top, if several are), as later tasks of a plan see it.
pub(crate) fn at(path: &Path, host: &dyn Inspect) -> Result<Option<Mounted>, Failure> {
    match host.thing(&id(path)) {
        Some(Thing::Gone) => return Ok(None),
        Some(Thing::There(what)) => {
            let mut lines = what.split('\n').map(str::to_owned);
            let mut next = || lines.next().unwrap_or_default();
            let (source, fstype, options) = (next(), next(), next());
            return Ok(Some(Mounted { root: "/".into(), path: path.display().to_string(), fstype, source, options }));
        }
        None => {}
    }
    let real = crate::files::paths::real_path(path, host).unwrap_or_else(|_| path.to_owned());
    let table = host.read(Path::new(TABLE), 64 << 20)?;
    let mut all = parse(&String::from_utf8_lossy(&table));
    all.retain(|mounted| Path::new(&mounted.path) == real || Path::new(&mounted.path) == path);
    Ok(all.pop())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_is_read() {
        let table = "\
25 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro
30 25 8:1 /srv/a\\040b /mnt/with\\040space ro,relatime shared:1 master:2 - ext4 /dev/sda1 rw,errors=remount-ro
31 25 0:40 / /mnt/nfs rw - nfs4 server:/export rw,vers=4.2
";
        let found = parse(table);
        assert_eq!(found.len(), 3);
        assert_eq!(found[0].options, "rw,relatime,errors=remount-ro");
        assert_eq!((found[1].root.as_str(), found[1].path.as_str()), ("/srv/a b", "/mnt/with space"));
        assert_eq!(found[1].options, "ro,relatime,errors=remount-ro");
        assert_eq!((found[2].source.as_str(), found[2].fstype.as_str()), ("server:/export", "nfs4"));
        assert_eq!((unescape("a\\b"), unescape("\\134\\0")), ("a\\b".into(), "\\\\0".into()));
    }
}
