//! The host's advisory lock: one apply at a time, with a text that says who holds it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FlockOperation, flock};

/// Longest owner's text (bytes) that is read back.
const LONGEST_OWNER: u64 = 4096;

/// The lock, held until it is dropped (or the process ends).
#[derive(Debug)]
pub struct HostLock {
    file: File,
}

/// What came of asking for the lock.
#[derive(Debug)]
pub enum Locking {
    /// It is ours.
    Taken(HostLock),
    /// Somebody else has it: its text.
    Held(String),
}

/// Where the lock of user `uid` is: root's lock is the host's; other users have one each.
pub fn path(uid: u32, runtime_directory: Option<&Path>) -> PathBuf {
    match runtime_directory {
        _ if uid == 0 => PathBuf::from("/run/stead.lock"),
        Some(directory) if directory.is_absolute() => directory.join("stead.lock"),
        _ => PathBuf::from(format!("/tmp/stead-{uid}.lock")),
    }
}

impl HostLock {
    /// Takes the lock at `path`, waiting at most `wait` for another holder.
    pub fn take(path: &Path, owner: &str, wait: Duration) -> std::io::Result<Locking> {
        let until = Instant::now() + wait;
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags((rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::CLOEXEC).bits() as i32)
            .open(path)?;
        let owned_by = file.metadata()?.uid();
        if owned_by != rustix::process::geteuid().as_raw() {
            return Err(std::io::Error::other(format!("`{}` belongs to user {owned_by}", path.display())));
        }
        loop {
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => break,
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::WOULDBLOCK) => {
                    if Instant::now() >= until {
                        let mut text = String::new();
                        file.rewind()?;
                        file.take(LONGEST_OWNER).read_to_string(&mut text)?;
                        return Ok(Locking::Held(text.trim().to_owned()));
                    }
                    std::thread::sleep(Duration::from_millis(50));
                }
                Err(error) => return Err(error.into()),
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        file.write_all(owner.as_bytes())?;
        Ok(Locking::Taken(Self { file }))
    }
}

impl Drop for HostLock {
    fn drop(&mut self) {
        // The file stays: removing it would let two holders lock two different files.
        let _ = self.file.set_len(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_holder_is_told_of_the_first() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("lock");
        let Locking::Taken(first) = HostLock::take(&path, "run 1 by ann", Duration::ZERO).unwrap() else {
            panic!("the lock is free")
        };
        let Locking::Held(owner) = HostLock::take(&path, "run 2 by bob", Duration::ZERO).unwrap() else {
            panic!("the lock is held")
        };
        assert_eq!(owner, "run 1 by ann");
        drop(first);
        assert!(matches!(HostLock::take(&path, "run 2 by bob", Duration::ZERO).unwrap(), Locking::Taken(_)));
    }

    #[test]
    fn a_planted_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let victim = directory.path().join("victim");
        std::fs::write(&victim, "precious").unwrap();
        let path = directory.path().join("lock");
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        assert!(HostLock::take(&path, "owner", Duration::ZERO).is_err());
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
    }

    #[test]
    fn only_root_locks_the_whole_host() {
        assert_eq!(path(0, Some(Path::new("/run/user/0"))), Path::new("/run/stead.lock"));
        assert_eq!(path(7, Some(Path::new("/run/user/7"))), Path::new("/run/user/7/stead.lock"));
        assert_eq!(path(7, None), Path::new("/tmp/stead-7.lock"));
    }
}
