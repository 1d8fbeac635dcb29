//! The file system of a lab host: the machine's own root as it is, with every change kept in memory.
//! Own: `/proc`, `/sys`, `/dev`, `/run`, `/tmp`, `/var/tmp`, the homes, the host's keys.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, MountPropagationFlags, UnmountFlags, mount, mount_bind, mount_change, mount_remount, unmount};

use super::protocol::{Assignment, Step, Trouble};
use super::submounts;

/// Where the pieces are put together. Only this process's own mount namespace sees it.
const WORKSHOP: &str = "/tmp";
/// Devices that are needed and harmless.
const DEVICES: &[&str] = &["null", "zero", "full", "random", "urandom", "tty"];
/// Parts of `/proc` through which root could change the machine itself.
const PROC_READ_ONLY: &[&str] = &["sys", "irq", "bus", "fs", "acpi", "sysrq-trigger"];
/// Parts of `/proc` that show the machine's memory.
const PROC_HIDDEN: &[&str] = &["kcore", "keys", "timer_list"];

/// Builds the root in a mount namespace that nobody shares, and moves into it.
pub(super) fn enter(assignment: &Assignment) -> Result<(), Trouble> {
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).step("keep mounts to itself")?;
    let mountinfo = fs::read_to_string("/proc/self/mountinfo").step("read /proc/self/mountinfo")?;
    temporary(Path::new(WORKSHOP), 0o700).step("mount a tmpfs")?;

    let root = Path::new(WORKSHOP).join("root");
    overlay(Path::new("/"), &root, "0")?;
    for (number, lower) in submounts::needed(&mountinfo).iter().enumerate() {
        let target = below(&root, lower);
        if target.is_dir() {
            overlay(lower, &target, &(number + 1).to_string())?;
        }
    }
    processes(&root).step("mount /proc")?;
    let read_only = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    mount("sysfs", root.join("sys"), "sysfs", read_only, None).step("mount /sys")?;
    devices(&root).step("make /dev")?;
    for (path, mode) in [("tmp", 0o1777), ("var/tmp", 0o1777), ("run", 0o755)] {
        fs::create_dir_all(root.join(path)).and_then(|()| temporary(&root.join(path), mode)).step("mount a tmpfs")?;
    }
    directory(&root.join("run/lock"), 0o1777).step("make /run/lock")?;
    homes(&root).step("make the homes")?;
    identity(&root, assignment).step("write the host's own files")?;
    pivot(&root).step("change to the new root")
}

/// `path`, which is absolute, seen below `root`.
fn below(root: &Path, path: &Path) -> PathBuf {
    root.join(path.strip_prefix("/").unwrap_or(path))
}

/// An overlay of `lower` on `target`, with its changes in the workshop.
fn overlay(lower: &Path, target: &Path, number: &str) -> Result<(), Trouble> {
    let step = format!("mount an overlay of {}", lower.display());
    let (upper, work) =
        (Path::new(WORKSHOP).join(format!("stead-upper{number}")), Path::new(WORKSHOP).join(format!("stead-work{number}")));
    let prepare = || {
        let like = fs::metadata(lower)?;
        fs::create_dir_all(target)?;
        directory(&upper, like.mode() & 0o7777)?; // the root of an overlay has the mode of its upper directory
        chown(&upper, Some(like.uid()), Some(like.gid()))?;
        directory(&work, 0o700)
    };
    prepare().step(&step)?;
    let options = format!("lowerdir={},upperdir={},workdir={}", lower.display(), upper.display(), work.display());
    let options = CString::new(options).step(&step)?;
    mount("overlay", target, "overlay", MountFlags::NODEV, options.as_c_str()).step(&step)
}

/// A tmpfs on `path`.
fn temporary(path: &Path, mode: u32) -> io::Result<()> {
    let options = CString::new(format!("mode={mode:o}"))?;
    Ok(mount("tmpfs", path, "tmpfs", MountFlags::NOSUID | MountFlags::NODEV, options.as_c_str())?)
}

/// A directory with exactly this mode, whatever the umask.
fn directory(path: &Path, mode: u32) -> io::Result<()> {
    fs::create_dir_all(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// `/proc` of the new process namespace. Settings are read-only but those of the own network.
fn processes(root: &Path) -> io::Result<()> {
    let proc = root.join("proc");
    let usual = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    fs::create_dir_all(&proc)?;
    mount("proc", &proc, "proc", usual, None)?;
    for name in PROC_READ_ONLY {
        let path = proc.join(name);
        if path.exists() {
            mount_bind(&path, &path)?;
            mount_remount(&path, MountFlags::BIND | MountFlags::RDONLY | usual, "")?;
        }
    }
    let network = proc.join("sys/net");
    if network.exists() {
        mount_bind(&network, &network)?;
        mount_remount(&network, MountFlags::BIND | usual, "")?;
    }
    for name in PROC_HIDDEN {
        let path = proc.join(name);
        if path.exists() {
            mount_bind("/dev/null", &path)?;
        }
    }
    Ok(())
}

/// A `/dev` with nothing of the machine but its harmless devices.
fn devices(root: &Path) -> io::Result<()> {
    let dev = root.join("dev");
    fs::create_dir_all(&dev)?;
    temporary(&dev, 0o755)?;
    for name in DEVICES {
        let node = dev.join(name);
        fs::write(&node, "")?;
        mount_bind(Path::new("/dev").join(name), &node)?;
    }
    directory(&dev.join("shm"), 0o1777)?;
    directory(&dev.join("pts"), 0o755)?;
    let terminals = c"newinstance,ptmxmode=0666,mode=0620,gid=5";
    mount("devpts", dev.join("pts"), "devpts", MountFlags::NOSUID | MountFlags::NOEXEC, terminals)?;
    for (link, target) in [
        ("ptmx", "pts/ptmx"),
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
    ] {
        symlink(target, dev.join(link))?;
    }
    Ok(())
}

/// Empty homes with the right owners: what people keep in theirs (keys, tokens) stays unseen.
fn homes(root: &Path) -> io::Result<()> {
    let root_home = root.join("root");
    fs::create_dir_all(&root_home)?;
    temporary(&root_home, 0o700)?;

    let home = root.join("home");
    let Ok(entries) = fs::read_dir(&home) else { return Ok(()) };
    let mut people = Vec::new();
    for entry in entries {
        let entry = entry?;
        let like = entry.metadata()?;
        if like.is_dir() {
            people.push((entry.file_name(), like.mode() & 0o7777, like.uid(), like.gid()));
        }
    }
    temporary(&home, 0o755)?;
    for (name, mode, uid, gid) in people {
        directory(&home.join(&name), mode)?;
        chown(home.join(&name), Some(uid), Some(gid))?;
    }
    Ok(())
}

/// Name, machine id and host keys of its own.
fn identity(root: &Path, assignment: &Assignment) -> io::Result<()> {
    let Assignment { name, host_key, .. } = assignment;
    let etc = root.join("etc");
    replace(&etc.join("hostname"), &format!("{name}\n"), 0o644)?;
    replace(&etc.join("hosts"), &format!("127.0.0.1 localhost\n127.0.1.1 {name}\n::1 localhost\n"), 0o644)?;
    replace(&etc.join("machine-id"), &format!("{:032x}\n", rand::random::<u128>()), 0o444)?;

    let Ok(entries) = fs::read_dir(etc.join("ssh")) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.file_name().is_some_and(|file| file.to_string_lossy().starts_with("ssh_host_")) {
            fs::remove_file(path)?;
        }
    }
    replace(&etc.join("ssh/ssh_host_ed25519_key"), host_key, 0o600)
}

/// A new file in place of whatever is there (a link could lead to the tmpfs of `/run`).
fn replace(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => fs::write(path, content)?,
    }
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

/// Makes `root` the root and lets go of the old one, workshop included.
fn pivot(root: &Path) -> io::Result<()> {
    rustix::process::chdir(root)?;
    // The old root is stacked on the new one and then taken away from on top of it.
    rustix::process::pivot_root(".", ".")?;
    unmount(".", UnmountFlags::DETACH)?;
    Ok(rustix::process::chdir("/")?)
}
