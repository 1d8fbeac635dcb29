//! Writing a file so that it is old or new, never in between.
//!
//! The new file is staged beside the target (exclusive, random name, through a descriptor of the
//! directory), synced, given its attributes, validated, renamed over the target, and the directory
//! synced. The writer holds a lock on what it stages; a staged file that nobody holds was left by a
//! run that was killed, and the next write into its directory removes it.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::{self, Read, Write as _};
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, FlockOperation, Gid, Mode, OFlags, Stat, Uid, XattrFlags};
use rustix::io::Errno;

use super::Attributes;
use crate::outcome::Failure;

/// How names of staged files begin; one that was left behind is removed by the next write beside it.
pub const STAGED: &str = ".stead-";
/// Staged links cannot be locked: they count as left behind after this many seconds.
const LINK_AGE: i64 = 600;
/// Longest extended attribute that the kernel allows.
const LONGEST_XATTR: usize = 64 << 10;

/// The content of a new file.
pub(super) enum Input<'a> {
    /// Bytes at hand.
    Bytes(&'a [u8]),
    /// Another file.
    File(File),
    /// What a stream gives.
    Stream(&'a mut dyn Read),
    /// The same for a file that is synced later, together with others.
    Part(&'a mut dyn Read),
}

/// Where attributes come from that are not asked for.
#[derive(Clone, Copy)]
pub(super) enum Inherit<'a> {
    /// From the file that is replaced; a new file gets this mode.
    Replaced(u32),
    /// From this file, with its times.
    Source(&'a Path),
}

/// Checks a staged file before it replaces the target.
pub(super) type Validate<'a> = &'a dyn Fn(&Path) -> Result<(), Failure>;

/// A directory that is open for writing into it.
pub(super) struct Directory {
    fd: OwnedFd,
    path: PathBuf,
}

impl Directory {
    /// Opens the directory of a path; also returns the last part of the path.
    pub(super) fn of(path: &Path) -> Result<(Self, PathBuf), Errno> {
        let name = path.file_name().ok_or(Errno::ISDIR)?;
        let parent = match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let fd = rustix::fs::open(parent, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok((Self { fd, path: parent.to_owned() }, PathBuf::from(name)))
    }

    /// Device and inode: what this directory is.
    pub(super) fn identity(&self) -> Result<(u64, u64), Errno> {
        let stat = rustix::fs::fstat(&self.fd)?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Removes what killed runs have left here; what cannot be removed is left.
    pub(super) fn clean(&self, now: f64) -> Result<(), Errno> {
        let mut left = Vec::new();
        for entry in rustix::fs::Dir::read_from(&self.fd)? {
            let entry = entry?;
            if entry.file_name().to_bytes().starts_with(STAGED.as_bytes()) {
                left.push(entry.file_name().to_owned());
            }
        }
        for name in left {
            let Ok(stat) = rustix::fs::statat(&self.fd, &name, AtFlags::SYMLINK_NOFOLLOW) else { continue };
            // Of a file that was staged by root, the owner may have been changed already.
            let us = rustix::process::geteuid();
            if stat.st_uid != us.as_raw() && !us.is_root() {
                continue;
            }
            let kind = FileType::from_raw_mode(stat.st_mode);
            let abandoned = if kind == FileType::RegularFile && stat.st_nlink == 1 {
                let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                let file = rustix::fs::openat(&self.fd, &name, flags, Mode::empty());
                // The descriptor, and with it the lock, is held until the name is gone.
                file.ok().filter(|file| rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive).is_ok())
            } else if stat.st_ctime + LINK_AGE < now as i64 && matches!(kind, FileType::Symlink | FileType::RegularFile) {
                self.fd.try_clone().ok()
            } else {
                None
            };
            if abandoned.is_some() {
                let _ = rustix::fs::unlinkat(&self.fd, &name, AtFlags::empty());
            }
        }
        Ok(())
    }

    /// Writes names of this directory to the disk.
    fn sync(&self) -> Result<(), Errno> {
        match rustix::fs::fsync(&self.fd) {
            // Some file systems cannot sync a directory; there is nothing to wait for then.
            Err(Errno::INVAL | Errno::ROFS) => Ok(()),
            other => other,
        }
    }

    /// Makes a link under a staged name with `make`, then gives it its real name.
    pub(super) fn replace_link(&self, name: &Path, make: &dyn Fn(&OwnedFd, &str) -> Result<(), Errno>) -> Result<(), Errno> {
        let staged = staged_name();
        make(&self.fd, &staged)?;
        let renamed = rustix::fs::renameat(&self.fd, &staged, &self.fd, name);
        // Renaming one hard link over another of the same file leaves both.
        let _ = rustix::fs::unlinkat(&self.fd, &staged, AtFlags::empty());
        renamed?;
        self.sync()
    }
}

/// A staged file; it is removed again unless it was kept.
struct Staged<'a> {
    directory: &'a Directory,
    name: String,
    file: File,
    kept: bool,
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.kept {
            let _ = rustix::fs::unlinkat(&self.directory.fd, &self.name, AtFlags::empty());
        }
    }
}

/// Writes a file whole.
pub(super) fn write(
    path: &Path,
    directory: &Directory,
    name: &Path,
    input: Input<'_>,
    inherit: Inherit<'_>,
    wanted: &Attributes,
    validate: Option<Validate<'_>>,
) -> Result<(), Failure> {
    let fail = |doing: &str, errno: Errno| Failure::at(doing, path, explain(errno));
    let replaced = match rustix::fs::statat(&directory.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Directory => return Err(fail("write", Errno::ISDIR)),
        Ok(stat) => (FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile).then_some(stat),
        Err(Errno::NOENT) => None,
        Err(errno) => return Err(fail("look at", errno)),
    };
    let is_part = matches!(input, Input::Part(_));
    let mut staged = stage(directory).map_err(|errno| fail("create a file beside", errno))?;
    fill(&mut staged.file, input).map_err(|error| Failure::at("write", path, error))?;
    let (model, model_path) = match inherit {
        Inherit::Source(source) => (Some(rustix::fs::stat(source).map_err(|errno| fail("look at", errno))?), source),
        Inherit::Replaced(_) => (replaced, path),
    };
    let default_mode = if let Inherit::Replaced(mode) = inherit { mode } else { 0o600 };
    dress(&staged.file, model.as_ref().map(|stat| (stat, model_path)), default_mode, wanted)
        .map_err(|errno| fail("set owner and mode of", errno))?;
    if let (Inherit::Source(_), Some(model)) = (inherit, &model) {
        keep_times(&staged.file, model).map_err(|errno| fail("set the times of", errno))?;
    }
    if !is_part {
        staged.file.sync_all().map_err(|error| Failure::at("write", path, error))?;
    }
    if let Some(validate) = validate {
        // A program that is open for writing cannot be run: keep the lock by a reading descriptor.
        release_writer(&mut staged);
        validate(&directory.path.join(&staged.name))?;
    }
    rustix::fs::renameat(&directory.fd, &staged.name, &directory.fd, name).map_err(|errno| fail("replace", errno))?;
    staged.kept = true;
    if is_part {
        return Ok(());
    }
    directory.sync().map_err(|errno| fail("sync the directory of", errno))
}

/// What an error number means for a write, with a hint where one is known.
fn explain(errno: Errno) -> String {
    match errno {
        Errno::BUSY => format!("{errno}\nhint: the file is a mount point of its own (as in containers) and cannot be replaced"),
        Errno::PERM => format!("{errno}\nhint: it may be immutable (`lsattr`), or belong to another user"),
        Errno::ROFS => format!("{errno}\nhint: the file system is mounted read-only"),
        _ => errno.to_string(),
    }
}

/// A name that begins with [`STAGED`] and that nothing else has.
pub fn staged_name() -> String {
    // The standard library seeds its hash maps from the system's random numbers.
    let random = std::collections::hash_map::RandomState::new().build_hasher().finish();
    format!("{STAGED}{random:016x}")
}

fn stage(directory: &Directory) -> Result<Staged<'_>, Errno> {
    let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    for _ in 0..16 {
        let name = staged_name();
        let file = match rustix::fs::openat(&directory.fd, &name, flags, Mode::RUSR | Mode::WUSR) {
            Err(Errno::EXIST) => continue,
            other => File::from(other?),
        };
        let staged = Staged { directory, name, file, kept: false };
        // A cleaner may have seen the file before it was locked. Where there are no locks, there
        // are no cleaners either.
        let taken = rustix::fs::flock(&staged.file, FlockOperation::NonBlockingLockExclusive) == Err(Errno::WOULDBLOCK);
        if !taken && rustix::fs::fstat(&staged.file)?.st_nlink == 1 {
            return Ok(staged);
        }
    }
    Err(Errno::EXIST)
}

fn fill(file: &mut File, input: Input<'_>) -> io::Result<()> {
    match input {
        Input::Bytes(bytes) => file.write_all(bytes),
        Input::File(mut from) => io::copy(&mut from, file).map(|_| ()),
        Input::Stream(from) | Input::Part(from) => io::copy(from, file).map(|_| ()),
    }
}

/// Sets owner, extended attributes and mode.
fn dress(file: &File, model: Option<(&Stat, &Path)>, default_mode: u32, wanted: &Attributes) -> Result<(), Errno> {
    let fresh = rustix::fs::fstat(file)?;
    own(file, (fresh.st_uid, fresh.st_gid), (wanted.uid, wanted.gid), model.map(|(stat, _)| (stat.st_uid, stat.st_gid)))?;
    if let Some((_, path)) = model {
        carry_xattrs(path, file)?;
    }
    let mode = wanted.mode.or(model.map(|(stat, _)| stat.st_mode & 0o7777)).unwrap_or(default_mode);
    rustix::fs::fchmod(file, Mode::from_raw_mode(mode))
}

type Ids<T> = (T, T);

fn own(file: &File, fresh: Ids<u32>, wanted: Ids<Option<u32>>, model: Option<Ids<u32>>) -> Result<(), Errno> {
    let changed = |wanted: Option<u32>, fresh: u32| wanted.filter(|wanted| *wanted != fresh);
    // An unprivileged user who replaces the file of another becomes its owner, as with Ansible.
    if let Some((uid, gid)) = model {
        let (uid, gid) = (changed(Some(uid), fresh.0), changed(Some(gid), fresh.1));
        if uid.is_some() || gid.is_some() {
            match rustix::fs::fchown(file, uid.map(Uid::from_raw), gid.map(Gid::from_raw)) {
                Err(Errno::PERM) => {
                    let _ = rustix::fs::fchown(file, None, gid.map(Gid::from_raw));
                }
                other => other?,
            }
        }
    }
    if wanted.0.is_some() || wanted.1.is_some() {
        rustix::fs::fchown(file, wanted.0.map(Uid::from_raw), wanted.1.map(Gid::from_raw))?;
    }
    Ok(())
}

/// Carries ACLs, labels and user attributes over. Capabilities and integrity hashes belong to the
/// old content and are not carried.
fn carry_xattrs(from: &Path, to: &File) -> Result<(), Errno> {
    for (name, value) in read_xattrs(from)? {
        if matches!(name.as_str(), "security.capability" | "security.ima" | "security.evm") {
            continue;
        }
        match rustix::fs::fsetxattr(to, &*name, &value, XattrFlags::empty()) {
            Err(Errno::NOTSUP | Errno::PERM | Errno::ACCESS) if !name.starts_with("system.posix_acl") => {}
            other => other?,
        }
    }
    Ok(())
}

/// The extended attributes of a path, links followed; none where there are none to be had.
pub(super) fn xattrs(path: &Path) -> Vec<(String, Vec<u8>)> {
    read_xattrs(path).unwrap_or_default()
}

fn read_xattrs(path: &Path) -> Result<Vec<(String, Vec<u8>)>, Errno> {
    let mut names = vec![0; LONGEST_XATTR];
    let length = match rustix::fs::listxattr(path, &mut names[..]) {
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        other => other?,
    };
    let mut all = Vec::new();
    let mut value = vec![0; LONGEST_XATTR];
    for name in names[..length].split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let Ok(name) = String::from_utf8(name.to_vec()) else { continue };
        match rustix::fs::getxattr(path, &*name, &mut value[..]) {
            // Removed meanwhile, or not for us to see.
            Err(Errno::NODATA | Errno::PERM | Errno::ACCESS | Errno::NOTSUP) => {}
            other => all.push((name, value[..other?].to_vec())),
        }
    }
    Ok(all)
}

fn keep_times(file: &File, model: &Stat) -> Result<(), Errno> {
    let times = rustix::fs::Timestamps {
        last_access: rustix::fs::Timespec { tv_sec: model.st_atime, tv_nsec: model.st_atime_nsec as _ },
        last_modification: rustix::fs::Timespec { tv_sec: model.st_mtime, tv_nsec: model.st_mtime_nsec as _ },
    };
    rustix::fs::futimens(file.as_fd(), &times)
}

fn release_writer(staged: &mut Staged<'_>) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let reader = rustix::fs::flock(&staged.file, FlockOperation::NonBlockingLockShared)
        .and_then(|()| rustix::fs::openat(&staged.directory.fd, &staged.name, flags, Mode::empty()))
        .and_then(|reader| rustix::fs::flock(&reader, FlockOperation::NonBlockingLockShared).map(|()| reader));
    if let Ok(reader) = reader {
        staged.file = File::from(reader);
    }
}
