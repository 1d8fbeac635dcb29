//! Paths as playbooks write them: `~` and variables, links, and what is missing above them.

use std::path::{Component, Path, PathBuf};

use crate::host::{FileKind, FileStat, Inspect};
use crate::outcome::Failure;

/// Most links that are followed from one path.
const MOST_LINKS: usize = 40;

/// The path with `~`, `~user`, `$NAME` and `${NAME}` replaced; unknown ones are left as they are.
pub(crate) fn expand(path: &Path, host: &dyn Inspect) -> PathBuf {
    let Some(text) = path.to_str() else { return path.to_owned() };
    let text = expand_variables(text, host);
    let Some(rest) = text.strip_prefix('~') else { return PathBuf::from(text) };
    let (user, rest) = rest.split_once('/').unwrap_or((rest, ""));
    let home = if user.is_empty() {
        host.env("HOME").map(PathBuf::from).or_else(|| Some(host.user_by_id(host.whoami().0).ok()??.home))
    } else {
        host.user(user).ok().flatten().map(|user| user.home)
    };
    match home {
        Some(home) if rest.is_empty() => home,
        Some(home) => home.join(rest),
        None => PathBuf::from(text),
    }
}

fn expand_variables(text: &str, host: &dyn Inspect) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        done.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let braced = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
        let length = after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len());
        let (name, left) = braced.unwrap_or((&after[..length], &after[length..]));
        match host.env(name).filter(|_| !name.is_empty()) {
            Some(value) => done.push_str(&value),
            None => done.push_str(&rest[at..rest.len() - left.len()]),
        }
        rest = left;
    }
    done + rest
}

/// The path without doubled or trailing slashes and without `.`.
pub(crate) fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// The path without links, as far as it exists.
pub(crate) fn real_path(path: &Path, host: &dyn Inspect) -> Result<PathBuf, Failure> {
    let mut done = PathBuf::new();
    let mut todo: Vec<PathBuf> = components(path);
    let mut links = 0;
    while let Some(part) = todo.pop() {
        if part == Path::new("..") {
            done.pop();
            continue;
        }
        done.push(part);
        let Some(FileStat { kind: FileKind::Link, target: Some(target), .. }) = host.stat(&done)? else { continue };
        links += 1;
        if links > MOST_LINKS {
            return Err(Failure::at("look at", path, "too many levels of symbolic links"));
        }
        done.pop();
        if target.is_absolute() {
            done = PathBuf::new();
        }
        todo.extend(components(&target));
    }
    Ok(done)
}

fn components(path: &Path) -> Vec<PathBuf> {
    let keep = |part: &Component<'_>| !matches!(part, Component::CurDir);
    path.components().rev().filter(keep).map(|part| PathBuf::from(part.as_os_str())).collect()
}

/// What a path leads to, links followed; `None` also for a link that leads nowhere.
pub(crate) fn stat_followed(path: &Path, host: &dyn Inspect) -> Result<Option<FileStat>, Failure> {
    match host.stat(path)? {
        Some(stat) if stat.kind == FileKind::Link => host.stat(&real_path(path, host)?),
        other => Ok(other),
    }
}

/// Whether a path leads to a directory.
pub(crate) fn is_directory(path: &Path, host: &dyn Inspect) -> Result<bool, Failure> {
    Ok(stat_followed(path, host)?.is_some_and(|stat| stat.kind == FileKind::Directory))
}

/// The directories above a path that do not exist, uppermost first.
pub(crate) fn missing_above(path: &Path, host: &dyn Inspect) -> Result<Vec<PathBuf>, Failure> {
    let mut missing = Vec::new();
    for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
        match stat_followed(above, host)? {
            None => missing.push(above.to_owned()),
            Some(stat) if stat.kind == FileKind::Directory => break,
            Some(_) => return Err(Failure::new(format!("`{}` is not a directory", above.display()))),
        }
    }
    missing.reverse();
    Ok(missing)
}

/// Whether the path as written ends in a slash.
pub(crate) fn ends_in_slash(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().ends_with(b"/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;

    #[test]
    fn home_and_variables_are_replaced() {
        let mut host = MemoryHost::default();
        host.environment.insert("X".into(), "y".into());
        host.add_user("alice", 1000, 1000, "/home/alice", "/bin/sh");
        let expanded = |path: &str| expand(Path::new(path), &host).display().to_string();
        assert_eq!(expanded("~/a"), "/root/a");
        assert_eq!(expanded("~alice"), "/home/alice");
        assert_eq!(expanded("~nobody/x"), "~nobody/x");
        assert_eq!(expanded("/a/$X/${X}b/$NO/$"), "/a/y/yb/$NO/$");
    }

    #[test]
    fn links_lead_where_they_lead() {
        let mut host = MemoryHost::default();
        host.add_file("/etc/real", "");
        host.add_link("/l", "etc/../etc");
        assert_eq!(real_path(Path::new("/l/./real"), &host), Ok("/etc/real".into()));
        assert_eq!(missing_above(Path::new("/l/a/b/c"), &host), Ok(vec!["/l/a".into(), "/l/a/b".into()]));
        assert!(missing_above(Path::new("/etc/real/x"), &host).is_err());
    }
}
