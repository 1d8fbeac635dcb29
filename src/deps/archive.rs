//! Tar archives, plain or compressed by gzip, unpacked with suspicion: nothing may land outside the
//! new directory, nothing but files, directories and inner links is taken, and sizes are bounded.

use std::fs;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Component, Path, PathBuf};

use flate2::read::GzDecoder;

use super::tree::{MOST_BYTES, MOST_FILES, stays_inside};

/// Why an archive is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// It cannot be read, or what it holds cannot be written.
    #[error("cannot be unpacked: {0}")]
    Io(#[from] io::Error),
    /// It holds something that it should not.
    #[error("is refused: its entry `{}` {why}", path.display())]
    Refused {
        /// The entry.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
}

/// Unpacks an archive into `target`, which must be new. A single directory around everything is
/// left out, as archives of repositories have one.
pub(super) fn unpack(archive: &Path, target: &Path) -> Result<(), ArchiveError> {
    let staged = target.with_extension("unpacking");
    fs::create_dir(&staged)?;
    let mut file = BufReader::new(fs::File::open(archive)?);
    let mut magic = [0; 2];
    let read = file.read(&mut magic)?;
    let file = io::Cursor::new(magic[..read].to_vec()).chain(file);
    if magic == [0x1f, 0x8b] {
        entries(GzDecoder::new(file), &staged)?;
    } else {
        entries(file, &staged)?;
    }
    let mut inside = fs::read_dir(&staged)?.collect::<Result<Vec<_>, _>>()?;
    match inside.pop() {
        Some(only) if inside.is_empty() && only.file_type()?.is_dir() && !looks_like_content(&only.path()) => {
            fs::rename(only.path(), target)?;
            fs::remove_dir(&staged)?;
        }
        _ => fs::rename(&staged, target)?,
    }
    Ok(())
}

/// A role may consist of `tasks/` alone: then that is not a directory around everything.
fn looks_like_content(path: &Path) -> bool {
    const PARTS: &[&str] =
        &["tasks", "handlers", "defaults", "vars", "templates", "files", "meta", "plugins", "roles", "library"];
    path.file_name().is_some_and(|name| PARTS.iter().any(|part| name == *part))
}

fn entries(reader: impl Read, top: &Path) -> Result<(), ArchiveError> {
    // The bound holds for what comes out of the decompressor, headers included.
    let mut archive = tar::Archive::new(reader.take(MOST_BYTES));
    let mut count = 0;
    let mut links = Vec::new();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.into_owned();
        let refused = |why| Err(ArchiveError::Refused { path: path.clone(), why });
        count += 1;
        if count > MOST_FILES {
            return refused("is one too many: there are more than 100,000");
        }
        let kind = entry.header().entry_type();
        if matches!(kind, tar::EntryType::XGlobalHeader | tar::EntryType::XHeader) {
            continue;
        }
        let mut relative = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(part) => relative.push(part),
                Component::CurDir => {}
                Component::ParentDir => return refused("leads upwards"),
                Component::RootDir | Component::Prefix(_) => return refused("has an absolute path"),
            }
        }
        if relative.as_os_str().is_empty() {
            continue;
        }
        let target = top.join(&relative);
        match kind {
            tar::EntryType::Directory => fs::create_dir_all(&target)?,
            tar::EntryType::Regular | tar::EntryType::Continuous => {
                if entry.size() > MOST_BYTES {
                    return refused("is larger than 1 GiB");
                }
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent)?;
                }
                let mut file = fs::OpenOptions::new().write(true).create_new(true).open(&target)?;
                let written = io::copy(&mut entry, &mut file)?;
                if written != entry.size() {
                    return refused("is cut short");
                }
                let executable = entry.header().mode()? & 0o100 != 0;
                fs::set_permissions(&target, fs::Permissions::from_mode(if executable { 0o755 } else { 0o644 }))?;
            }
            tar::EntryType::Symlink => match entry.link_name()? {
                Some(link) if stays_inside(&relative, &link) => links.push((target, link.into_owned())),
                _ => return refused("is a link to something outside"),
            },
            _ => return refused("is neither a file nor a directory nor a symbolic link"),
        }
    }
    // Links last: nothing is ever written through one.
    for (path, target) in links {
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        std::os::unix::fs::symlink(target, path)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An archive of one entry after a harmless one; the name is written as it is, checks of the
    /// library on the writing side notwithstanding.
    fn archive(kind: tar::EntryType, name: &str, link: &str) -> Vec<u8> {
        let mut builder = tar::Builder::new(Vec::new());
        let mut header = tar::Header::new_gnu();
        header.set_size(2);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append_data(&mut header, "role/tasks/main.yml", &b"[]"[..]).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        header.as_gnu_mut().unwrap().linkname[..link.len()].copy_from_slice(link.as_bytes());
        header.set_mode(0o755);
        header.set_size(0);
        header.set_cksum();
        builder.append(&header, io::empty()).unwrap();
        builder.into_inner().unwrap()
    }

    fn unpacked(bytes: &[u8]) -> (tempfile::TempDir, Result<(), ArchiveError>) {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("x.tar"), bytes).unwrap();
        let result = unpack(&directory.path().join("x.tar"), &directory.path().join("out"));
        (directory, result)
    }

    #[test]
    fn a_directory_around_everything_is_left_out() {
        let (directory, result) = unpacked(&archive(tar::EntryType::Symlink, "role/tasks/link.yml", "main.yml"));
        result.unwrap();
        assert_eq!(fs::read_to_string(directory.path().join("out/tasks/link.yml")).unwrap(), "[]");
    }

    #[test]
    fn hostile_entries_are_refused() {
        use tar::EntryType as T;
        let cases = [
            (T::Regular, "../evil", ""),
            (T::Regular, "/etc/cron.d/evil", ""),
            (T::Regular, "role/../../evil", ""),
            (T::Symlink, "role/evil", "/etc/passwd"),
            (T::Symlink, "role/evil", "../../etc"),
            (T::Link, "role/evil", "role/tasks/main.yml"),
            (T::Char, "role/evil", ""),
            (T::Fifo, "role/evil", ""),
        ];
        for (kind, name, link) in cases {
            let (directory, result) = unpacked(&archive(kind, name, link));
            assert!(matches!(result, Err(ArchiveError::Refused { .. })), "{name} -> {link}: {result:?}");
            assert!(!directory.path().join("out").exists() && !directory.path().join("evil").exists());
        }
        // A second entry of the same name cannot replace the first.
        let (_directory, result) = unpacked(&archive(T::Regular, "role/tasks/main.yml", ""));
        assert!(result.is_err());
    }
}
