//! A directory as content: its digest, and copying it without what does not belong to it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use sha2::{Digest as _, Sha256};

/// Most files in a role or collection.
pub(super) const MOST_FILES: usize = 100_000;
/// Most bytes in a role or collection.
pub(super) const MOST_BYTES: u64 = 1 << 30;

/// Why a directory is not taken.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// It cannot be read or written.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// It holds something that a role or collection has no business with.
    #[error("`{}` {why}", path.display())]
    Refused {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> TreeError {
    let path = path.to_owned();
    move |error| TreeError::Io { path, error }
}

/// What is at a relative path.
#[derive(Debug)]
enum Entry {
    Directory,
    File { executable: bool },
    Link(PathBuf),
}

/// Everything below `top`, sorted by path; `.git` at the top is not part of it.
fn entries(top: &Path) -> Result<Vec<(PathBuf, Entry)>, TreeError> {
    let mut found = Vec::new();
    let mut waiting = vec![PathBuf::new()];
    while let Some(directory) = waiting.pop() {
        let full = top.join(&directory);
        for entry in fs::read_dir(&full).map_err(io_error(&full))? {
            let entry = entry.map_err(io_error(&full))?;
            if directory.as_os_str().is_empty() && entry.file_name() == ".git" {
                continue;
            }
            let relative = directory.join(entry.file_name());
            let path = top.join(&relative);
            let metadata = entry.metadata().map_err(io_error(&path))?;
            let kind = if metadata.is_dir() {
                waiting.push(relative.clone());
                Entry::Directory
            } else if metadata.is_symlink() {
                let target = fs::read_link(&path).map_err(io_error(&path))?;
                if !stays_inside(&relative, &target) {
                    return Err(TreeError::Refused { path, why: "is a link to something outside" });
                }
                Entry::Link(target)
            } else if metadata.is_file() {
                Entry::File { executable: metadata.permissions().mode() & 0o100 != 0 }
            } else {
                return Err(TreeError::Refused { path, why: "is neither a file nor a directory nor a link" });
            };
            found.push((relative, kind));
            if found.len() > MOST_FILES {
                return Err(TreeError::Refused { path: top.to_owned(), why: "holds more than 100,000 files" });
            }
        }
    }
    found.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(found)
}

/// Whether a link at `path` (relative to the top) with this target leads to something below the top.
pub(super) fn stays_inside(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count() - 1;
    for component in target.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    true
}

/// The digest of a directory's content: paths, kinds, whether files can be executed, bytes. Lower-case
/// hex of a SHA-256.
pub(super) fn digest(top: &Path) -> Result<String, TreeError> {
    let mut hash = Sha256::new();
    let mut part = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_be_bytes());
        hash.update(bytes);
    };
    for (relative, entry) in entries(top)? {
        part(relative.as_os_str().as_encoded_bytes());
        match entry {
            Entry::Directory => part(b"directory"),
            Entry::Link(target) => {
                part(b"link");
                part(target.as_os_str().as_encoded_bytes());
            }
            Entry::File { executable } => {
                let path = top.join(&relative);
                part(if executable { b"program" } else { b"file" });
                part(file_digest(&path).map_err(io_error(&path))?.as_bytes());
            }
        }
    }
    Ok(stead_modules::change::hex(&hash.finalize()))
}

/// The digest of a file. Lower-case hex of a SHA-256.
pub(super) fn file_digest(path: &Path) -> io::Result<String> {
    use io::Read as _;
    let mut file = fs::File::open(path)?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut part)? {
            0 => return Ok(stead_modules::change::hex(&hash.finalize())),
            read => hash.update(&part[..read]),
        }
    }
}

/// Copies a directory's content into a new one.
pub(super) fn copy(from: &Path, to: &Path) -> Result<(), TreeError> {
    fs::create_dir_all(to).map_err(io_error(to))?;
    let mut bytes = 0;
    for (relative, entry) in entries(from)? {
        let (source, target) = (from.join(&relative), to.join(&relative));
        match entry {
            Entry::Directory => fs::create_dir(&target).map_err(io_error(&target))?,
            Entry::Link(link) => std::os::unix::fs::symlink(link, &target).map_err(io_error(&target))?,
            Entry::File { executable } => {
                bytes += fs::copy(&source, &target).map_err(io_error(&source))?;
                if bytes > MOST_BYTES {
                    return Err(TreeError::Refused { path: from.to_owned(), why: "holds more than 1 GiB" });
                }
                let mode = fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 });
                fs::set_permissions(&target, mode).map_err(io_error(&target))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_may_not_lead_out() {
        let cases = [
            ("a/b", "../c", true),
            ("a", "b/../c", true),
            ("a/b", "../../c", false),
            ("a", "/etc/passwd", false),
            ("a", "..", false),
        ];
        for (path, target, expected) in cases {
            assert_eq!(stays_inside(path.as_ref(), target.as_ref()), expected, "{path} -> {target}");
        }
    }

    #[test]
    fn a_digest_tells_every_difference_and_survives_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("tasks/empty")).unwrap();
        fs::create_dir_all(from.join(".git")).unwrap();
        fs::write(from.join("tasks/main.yml"), "[]").unwrap();
        std::os::unix::fs::symlink("main.yml", from.join("tasks/other.yml")).unwrap();
        copy(&from, &to).unwrap();
        let first = digest(&from).unwrap();
        assert_eq!(digest(&to).unwrap(), first);
        assert!(!to.join(".git").exists());
        fs::set_permissions(to.join("tasks/main.yml"), fs::Permissions::from_mode(0o755)).unwrap();
        let executable = digest(&to).unwrap();
        fs::write(to.join("tasks/main.yml"), "[ ]").unwrap();
        let changed = digest(&to).unwrap();
        fs::remove_dir(to.join("tasks/empty")).unwrap();
        let removed = digest(&to).unwrap();
        let all = std::collections::BTreeSet::from([first, executable, changed, removed]);
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn links_to_other_places_are_refused() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/shadow", directory.path().join("x")).unwrap();
        assert!(matches!(digest(directory.path()), Err(TreeError::Refused { .. })));
    }
}
