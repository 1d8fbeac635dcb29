//! Which of the machine's own mounts a lab host needs beside `/`: an overlay of `/` does not
//! include file systems that are mounted below it.

use std::path::{Path, PathBuf};

/// File systems on disks. Everything else below `/` is made anew in a lab host, or is left out.
const ON_DISK: &[&str] =
    &["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "zfs", "bcachefs", "jfs", "reiserfs", "overlay", "squashfs", "erofs"];

/// Trees that a system is made of. What is mounted elsewhere (data disks, container storage) is
/// left out: a playbook does not need it to run, and it can be huge in number.
const PARTS_OF_A_SYSTEM: &[&str] = &["usr", "etc", "var", "opt", "home", "srv", "boot", "nix", "gnu", "lib", "bin", "sbin"];

/// The mount points to lay overlays on, parents first, from the text of `/proc/self/mountinfo`.
pub(super) fn needed(mountinfo: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = mountinfo.lines().filter_map(mount_point).filter(|path| is_needed(path)).collect();
    found.sort();
    found.dedup();
    found
}

/// The mount point of a line, if a disk is mounted there.
fn mount_point(line: &str) -> Option<PathBuf> {
    let (mount, source) = line.split_once(" - ")?;
    let kind = source.split(' ').next()?;
    ON_DISK.contains(&kind).then_some(())?;
    mount.split(' ').nth(4).map(|field| PathBuf::from(unescape(field)))
}

fn is_needed(path: &Path) -> bool {
    let Ok(below) = path.strip_prefix("/") else { return false };
    let mut parts = below.components().map(|part| part.as_os_str().to_string_lossy());
    let Some(first) = parts.next() else { return false };
    let text = path.to_string_lossy();
    PARTS_OF_A_SYSTEM.contains(&first.as_ref()) && parts.count() <= 1 && text != "/var/tmp" && !text.contains([',', ':', '\\']) // overlay options would need escapes for them
}

/// Blank, tab, newline and backslash are written as three octal digits.
fn unescape(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field;
    while let Some(at) = rest.find('\\') {
        text.push_str(&rest[..at]);
        let code = rest.get(at + 1..at + 4).and_then(|digits| u8::from_str_radix(digits, 8).ok());
        text.push(code.map_or('\\', char::from));
        rest = &rest[at + if code.is_some() { 4 } else { 1 }..];
    }
    text + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_that_the_system_is_made_of_are_needed() {
        let mountinfo = "\
22 1 254:0 / / rw,relatime - ext4 /dev/vda rw
23 22 0:21 / /proc rw - proc proc rw
24 22 254:3 / /var rw shared:2 - xfs /dev/vdc rw
25 24 254:4 / /var/lib/docker/overlay2/1/merged rw - overlay overlay rw
26 22 254:5 / /usr ro - squashfs /dev/vdd ro
27 22 0:30 / /run rw - tmpfs tmpfs rw
28 22 254:6 / /mnt/data rw - ext4 /dev/vde rw
29 22 254:7 / /var/my\\040mail rw - ext4 /dev/vdf rw
30 24 254:8 / /var/tmp rw - ext4 /dev/vdg rw
31 22 0:40 / /home rw - nfs4 server:/home rw
";
        let expected: Vec<PathBuf> = ["/usr", "/var", "/var/my mail"].iter().map(PathBuf::from).collect();
        assert_eq!(needed(mountinfo), expected);
    }

    #[test]
    fn lines_that_are_not_mounts_are_passed_over() {
        assert_eq!(needed("nonsense\n\n1 2 - \n"), Vec::<PathBuf>::new());
    }
}
