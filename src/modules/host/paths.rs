//! Following symbolic links by hand, for hosts that keep their tree in memory.

use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::{FileKind, FileStat};
use crate::outcome::Failure;

/// Most links that are followed on one path, as the kernel has it.
const MOST_LINKS: usize = 40;

/// Whether a link at the end of a path is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// The path itself is meant.
    Keep,
    /// What it points at is meant.
    Follow,
}

/// The path without links in its directories (and at its end, if `last` says so).
///
/// Parts that do not exist are kept as they are written.
pub(super) fn resolve(
    path: &Path,
    last: Last,
    stat: &dyn Fn(&Path) -> Result<Option<FileStat>, Failure>,
) -> Result<PathBuf, Failure> {
    let mut done = PathBuf::from("/");
    let mut todo: Vec<OsString> = parts(path);
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == ".." {
            done.pop();
            continue;
        }
        done.push(&part);
        if todo.is_empty() && last == Last::Keep {
            break;
        }
        let Some(FileStat { kind: FileKind::Link, target: Some(target), .. }) = stat(&done)? else { continue };
        links += 1;
        if links > MOST_LINKS {
            return Err(Failure::at("look at", path, "too many levels of symbolic links"));
        }
        done.pop();
        if target.is_absolute() {
            done = PathBuf::from("/");
        }
        todo.extend(parts(&target));
    }
    Ok(done)
}

/// The named parts of a path, last first.
fn parts(path: &Path) -> Vec<OsString> {
    path.components()
        .rev()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(target: &str) -> FileStat {
        FileStat {
            kind: FileKind::Link,
            mode: 0o777,
            uid: 0,
            gid: 0,
            size: 0,
            atime: 0.0,
            mtime: 0.0,
            ctime: 0.0,
            dev: 0,
            ino: 0,
            nlink: 1,
            device: 0,
            storage: None,
            target: Some(target.into()),
        }
    }

    #[test]
    fn links_are_followed_in_directories_and_where_asked_at_the_end() {
        let stat = |path: &Path| {
            Ok(match path.to_str() {
                Some("/var/run") => Some(link("../run")),
                Some("/run/a") => Some(link("/etc/b")),
                Some("/loop") => Some(link("loop")),
                _ => None,
            })
        };
        let resolved = |path: &str, last| resolve(Path::new(path), last, &stat);
        assert_eq!(resolved("/var/run/a", Last::Keep), Ok("/run/a".into()));
        assert_eq!(resolved("/var/run/a", Last::Follow), Ok("/etc/b".into()));
        assert_eq!(resolved("/x/../var//run/./c", Last::Follow), Ok("/run/c".into()));
        assert!(resolved("/loop", Last::Follow).unwrap_err().message.contains("too many levels"));
    }
}
