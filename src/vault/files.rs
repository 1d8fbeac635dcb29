//! Files of secrets: replaced as a whole, readable by their owner only; and a place for what an
//! editor works on, in memory where there is one.

use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Whether a file begins as an encrypted text does.
pub fn is_sealed_file(path: &Path) -> std::io::Result<bool> {
    let mut start = [0; 16];
    let mut file = std::fs::File::open(path)?;
    let read = std::io::Read::read(&mut file, &mut start)?;
    Ok(super::is_sealed(&start[..read]))
}

/// Replaces or makes a file: it is old or new, never in between, and has mode 0600. A link stays a
/// link, an owner stays the owner where that is allowed.
pub fn write_private(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let target = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let parent = target.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let mut staged = tempfile::Builder::new().prefix(".stead-vault-").tempfile_in(parent)?;
    staged.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
    staged.write_all(content)?;
    if let Ok(old) = std::fs::metadata(&target) {
        let new = staged.as_file().metadata()?;
        if (old.uid(), old.gid()) != (new.uid(), new.gid()) {
            // Only root may give files away; the file is still complete if that is refused.
            let _ = std::os::unix::fs::fchown(staged.as_file(), Some(old.uid()), Some(old.gid()));
        }
    }
    staged.as_file().sync_all()?;
    staged.persist(&target).map_err(|error| error.error)?;
    std::fs::File::open(parent)?.sync_all()
}

/// A directory that only this user sees and that is removed when this is dropped: below the first
/// of `candidates` that is kept in memory, else below the last one that can be written to.
pub fn private_directory(candidates: &[PathBuf]) -> std::io::Result<tempfile::TempDir> {
    let in_memory = candidates.iter().filter(|path| is_in_memory(path));
    let mut last = None;
    for place in in_memory.chain(candidates.iter().rev()) {
        let mut builder = tempfile::Builder::new();
        match builder.prefix("stead-vault-").permissions(std::fs::Permissions::from_mode(0o700)).tempdir_in(place) {
            Ok(directory) => return Ok(directory),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| std::io::Error::other("there is no directory for temporary files")))
}

fn is_in_memory(path: &Path) -> bool {
    /// Of `statfs(2)`.
    const TMPFS_MAGIC: u64 = 0x0102_1994;
    rustix::fs::statfs(path).is_ok_and(|system| u64::try_from(system.f_type) == Ok(TMPFS_MAGIC))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_privately_and_a_link_stays() {
        let directory = tempfile::tempdir().unwrap();
        let (real, link) = (directory.path().join("real"), directory.path().join("link"));
        std::fs::write(&real, "old").unwrap();
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o644)).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        write_private(&link, b"new").unwrap();
        assert!(link.is_symlink());
        assert_eq!(std::fs::read(&real).unwrap(), b"new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 2, "nothing else is left");
    }

    #[test]
    fn the_directory_for_an_editor_is_private_and_goes_away() {
        let base = tempfile::tempdir().unwrap();
        let directory = private_directory(&["/nonexistent".into(), base.path().to_owned()]).unwrap();
        let path = directory.path().to_owned();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        drop(directory);
        assert!(!path.exists());
    }
}
