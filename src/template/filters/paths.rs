//! Filters on paths.

use std::path::{Path, PathBuf};

use super::{Filter, filter};
use crate::template::error::fail;
use crate::template::eval::Interpreter;
use crate::template::lookups;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("basename", |_, input, _| {
        let path = needed(&input)?;
        Ok(Val::str(path.rsplit('/').next().unwrap_or("")))
    }),
    filter("dirname", |_, input, _| Ok(Val::str(dirname(needed(&input)?)))),
    filter("splitext", |_, input, _| {
        let (root, extension) = split_extension(needed(&input)?);
        Ok(Val::list(vec![Val::str(root), Val::str(extension)]))
    }),
    filter("expanduser", |it, input, _| Ok(Val::str(expand_user(it, &it.runtime.string(&input)?)))),
    filter("expandvars", |it, input, _| Ok(Val::str(expand_vars(it, &it.runtime.string(&input)?)))),
    filter("realpath", |it, input, _| Ok(Val::str(real_path(it, &it.runtime.string(&input)?)))),
    filter("normpath", |it, input, _| Ok(Val::str(normal(&it.runtime.string(&input)?)))),
    filter("relpath", relative),
    filter("path_join", |it, input, _| {
        let parts = if input.is_list() { it.runtime.items(&input)? } else { vec![input] };
        if parts.is_empty() {
            return Err(fail("there is nothing to join"));
        }
        let mut path = String::new();
        for part in &parts {
            let part = needed(part)?;
            if part.starts_with('/') {
                path.clear();
            } else if !path.is_empty() && !path.ends_with('/') {
                path.push('/');
            }
            path.push_str(part);
        }
        Ok(Val::str(path))
    }),
    filter("win_basename", |_, input, _| {
        let path = needed(&input)?;
        Ok(Val::str(path.rsplit(['/', '\\']).next().unwrap_or("")))
    }),
    filter("win_dirname", |_, input, _| {
        let path = needed(&input)?;
        Ok(Val::str(path.rfind(['/', '\\']).map_or("", |at| path[..at].trim_end_matches(['/', '\\']))))
    }),
    filter("win_splitdrive", |_, input, _| {
        let path = needed(&input)?;
        let (drive, rest) = path.split_at(drive_end(path));
        Ok(Val::list(vec![Val::str(drive), Val::str(rest)]))
    }),
    filter("commonpath", common),
    filter("fileglob", |it, input, _| {
        let pattern = it.runtime.string(&input)?;
        let base = &it.runtime.shared.settings.base;
        let found = lookups::matching_files(&base.join(&*pattern).to_string_lossy());
        Ok(Val::list(found.iter().map(|path| Val::str(path.to_string_lossy())).collect()))
    }),
];

/// A path is text.
fn needed(value: &Val) -> Res<&str> {
    value.as_str().map(|path| &**path).ok_or_else(|| fail(format!("a path is text, not a `{}`", value.type_name())))
}

/// Where the drive of a Windows path ends: `C:`, or `\\\\host\\share`.
fn drive_end(path: &str) -> usize {
    let is_separator = |c: char| c == '/' || c == '\\';
    if path.as_bytes().get(1) == Some(&b':') {
        return 2;
    }
    let mut start = path.chars();
    if !(start.next().is_some_and(is_separator) && start.next().is_some_and(is_separator)) {
        return 0;
    }
    let Some(host) = path[2..].find(is_separator) else { return path.len() };
    let share = 2 + host + 1;
    path[share..].find(is_separator).map_or(path.len(), |at| share + at)
}

/// The longest path that all paths begin with.
fn common(it: &Interpreter<'_>, input: Val, _: &mut Args) -> Res {
    let items = it.runtime.items(&input)?;
    let paths = items.iter().map(needed).collect::<Res<Vec<_>>>()?;
    let Some(first) = paths.first() else { return Err(fail("there is no path")) };
    if paths.iter().any(|path| path.starts_with('/') != first.starts_with('/')) {
        return Err(fail("absolute and relative paths have nothing in common"));
    }
    let parts =
        |path: &'_ str| path.split('/').filter(|part| !part.is_empty() && *part != ".").map(str::to_owned).collect::<Vec<_>>();
    let mut known = parts(first);
    for path in &paths[1..] {
        let same = known.iter().zip(parts(path)).take_while(|(one, other)| *one == other).count();
        known.truncate(same);
    }
    let root = if first.starts_with('/') { "/" } else { "" };
    Ok(Val::str(format!("{root}{}", known.join("/"))))
}

fn dirname(path: &str) -> String {
    let Some(at) = path.rfind('/') else { return String::new() };
    let head = &path[..=at];
    let trimmed = head.trim_end_matches('/');
    if trimmed.is_empty() { head.to_owned() } else { trimmed.to_owned() }
}

fn split_extension(path: &str) -> (&str, &str) {
    let name_start = path.rfind('/').map_or(0, |at| at + 1);
    let name = &path[name_start..];
    let leading = name.len() - name.trim_start_matches('.').len();
    match name[leading..].rfind('.') {
        Some(at) => path.split_at(name_start + leading + at),
        None => (path, ""),
    }
}

fn expand_user(it: &Interpreter<'_>, path: &str) -> String {
    let home = it.runtime.shared.settings.environment.get("HOME");
    match (path.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => format!("{}{rest}", home.trim_end_matches('/')),
        _ => path.to_owned(),
    }
}

fn expand_vars(it: &Interpreter<'_>, path: &str) -> String {
    let environment = &it.runtime.shared.settings.environment;
    let mut out = String::new();
    let mut rest = path;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (name, width) = if let Some(braced) = rest[1..].strip_prefix('{') {
            let end = braced.find('}').unwrap_or(0);
            (&braced[..end], end + 3)
        } else {
            let end = rest[1..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len() - 1);
            (&rest[1..=end], end + 1)
        };
        match environment.get(name).filter(|_| !name.is_empty()) {
            Some(value) => {
                out.push_str(value);
                rest = &rest[width..];
            }
            None => {
                out.push('$');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// Python's `os.path.normpath`.
fn normal(path: &str) -> String {
    let absolute = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if absolute => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (absolute, joined.is_empty()) {
        // Two slashes at the start are kept, three are not.
        (true, _) if path.starts_with("//") && !path.starts_with("///") => format!("//{joined}"),
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn absolute(it: &Interpreter<'_>, path: &str) -> String {
    if path.starts_with('/') {
        return normal(path);
    }
    normal(&it.runtime.shared.settings.base.join(path).to_string_lossy())
}

/// The path without symbolic links, as far as it exists.
fn real_path(it: &Interpreter<'_>, path: &str) -> String {
    let path = PathBuf::from(absolute(it, path));
    let mut missing = Vec::new();
    let mut known: &Path = &path;
    loop {
        if let Ok(real) = std::fs::canonicalize(known) {
            let full = missing.iter().rev().fold(real, |full, part| full.join(part));
            return full.to_string_lossy().into_owned();
        }
        match (known.parent(), known.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name.to_owned());
                known = parent;
            }
            _ => return path.to_string_lossy().into_owned(),
        }
    }
}

fn relative(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let path = absolute(it, &it.runtime.string(&input)?);
    let start = absolute(it, &super::string(it.runtime, args, "start", ".")?);
    let parts = |path: &str| path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect::<Vec<_>>();
    let (path, start) = (parts(&path), parts(&start));
    let common = path.iter().zip(&start).take_while(|(one, other)| one == other).count();
    let mut out = vec!["..".to_owned(); start.len() - common];
    out.extend_from_slice(&path[common..]);
    Ok(Val::str(if out.is_empty() { ".".to_owned() } else { out.join("/") }))
}
