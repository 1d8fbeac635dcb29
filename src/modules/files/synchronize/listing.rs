//! What there is to be carried over: a tree at its source, on the controller or on the host itself.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::options::Options;
use crate::args::{Arg, ArgKind, shown};
use crate::files::offer::is_sha256;
use crate::host::{FileKind, FileStat, Inspect};
use crate::outcome::Failure;

/// Most entries of one tree.
const MOST_ENTRIES: usize = 200_000;

/// One thing to be carried over.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Relative to the destination; empty for the top itself.
    pub path: PathBuf,
    /// File, directory or link.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner: name, where it has one, and number.
    pub owner: (Option<String>, u32),
    /// Group, likewise.
    pub group: (Option<String>, u32),
    /// Modification time, seconds since the epoch.
    pub mtime: f64,
    /// Of a file: SHA-256 of its content.
    pub sha256: Option<String>,
    /// Of a file: its length in bytes.
    pub size: u64,
    /// Of a link: where it points.
    pub target: Option<PathBuf>,
    /// Where it is, on the machine that was listed.
    pub source: Option<PathBuf>,
}

impl Entry {
    /// As the host is told of it.
    pub fn to_json(&self) -> Value {
        let kind = match self.kind {
            FileKind::Directory => "directory",
            FileKind::Link => "link",
            _ => "file",
        };
        let mut map = Map::new();
        map.insert("path".into(), self.path.to_string_lossy().into());
        map.insert("kind".into(), kind.into());
        map.insert("mode".into(), self.mode.into());
        map.insert("owner".into(), json!([self.owner.0, self.owner.1]));
        map.insert("group".into(), json!([self.group.0, self.group.1]));
        map.insert("mtime".into(), self.mtime.into());
        if let Some(sha256) = &self.sha256 {
            map.insert("sha256".into(), sha256.as_str().into());
            map.insert("size".into(), self.size.into());
        }
        if let Some(target) = &self.target {
            map.insert("target".into(), target.to_string_lossy().into());
        }
        map.into()
    }
}

impl Arg for Entry {
    fn kind() -> ArgKind {
        ArgKind::Dict
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let problem = || format!("expected an entry of a listing, found {}", shown(value));
        let path = PathBuf::from(value["path"].as_str().ok_or_else(problem)?);
        if !path.components().all(|part| matches!(part, std::path::Component::Normal(_))) {
            return Err(format!("expected a path below the top, found `{}`", path.display()));
        }
        let number = |value: &Value| value.as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(problem);
        let account = |value: &Value| Ok::<_, String>((value[0].as_str().map(str::to_owned), number(&value[1])?));
        let kind = match value["kind"].as_str() {
            Some("directory") => FileKind::Directory,
            Some("link") => FileKind::Link,
            Some("file") => FileKind::File,
            _ => return Err(problem()),
        };
        let sha256 = value["sha256"].as_str().map(str::to_owned);
        if kind == FileKind::File && !sha256.as_deref().is_some_and(is_sha256) {
            return Err(problem());
        }
        Ok(Self {
            path,
            kind,
            mode: number(&value["mode"])? & 0o7777,
            owner: account(&value["owner"])?,
            group: account(&value["group"])?,
            mtime: value["mtime"].as_f64().ok_or_else(problem)?,
            sha256,
            size: value["size"].as_u64().unwrap_or_default(),
            target: value["target"].as_str().map(PathBuf::from),
            source: None,
        })
    }
}

/// Everything at `src` that is to be carried over; a slash at its end means what is in it. Files come
/// without a digest. `None` where nothing is there.
pub fn list(src: &Path, options: &Options, host: &dyn Inspect) -> Result<Option<Vec<Entry>>, Failure> {
    let is_contents = crate::files::paths::ends_in_slash(src);
    let Some(stat) = stat(src, is_contents || options.copy_links, host)? else { return Ok(None) };
    let name = if is_contents { PathBuf::new() } else { src.file_name().map(PathBuf::from).unwrap_or_default() };
    let mut entries = Vec::new();
    let mut todo = vec![(src.to_owned(), name, stat, 0)];
    while let Some((path, relative, stat, depth)) = todo.pop() {
        let is_directory = stat.kind == FileKind::Directory;
        let is_top = relative.as_os_str().is_empty();
        if !is_top && options.rules.exclude(&relative.to_string_lossy(), is_directory) {
            continue;
        }
        match stat.kind {
            FileKind::File => {}
            // One level of what is in it where it is not entered.
            FileKind::Directory if options.recursive || (options.directories && (depth > 0 || is_contents)) => {
                if options.recursive || depth == 0 {
                    for name in host.list(&path)?.into_iter().rev() {
                        let (path, relative) = (path.join(&name), relative.join(&name));
                        if let Some(stat) = self::stat(&path, options.copy_links, host)? {
                            todo.push((path, relative, stat, depth + 1));
                        }
                    }
                }
            }
            FileKind::Link if options.links => {}
            FileKind::Directory | FileKind::Link => continue,
            _ => return Err(Failure::new(format!("`{}` is neither file, directory nor link", path.display()))),
        }
        entries.push(entry(path, relative, &stat, host)?);
        if entries.len() > MOST_ENTRIES {
            return Err(Failure::new(format!("`{}` has more than {MOST_ENTRIES} entries", src.display())));
        }
    }
    Ok(Some(entries))
}

fn stat(path: &Path, follow: bool, host: &dyn Inspect) -> Result<Option<FileStat>, Failure> {
    if follow { crate::files::paths::stat_followed(path, host) } else { host.stat(path) }
}

fn entry(source: PathBuf, path: PathBuf, stat: &FileStat, host: &dyn Inspect) -> Result<Entry, Failure> {
    Ok(Entry {
        path,
        kind: stat.kind,
        mode: stat.mode,
        owner: (host.user_by_id(stat.uid)?.map(|user| user.name), stat.uid),
        group: (host.group_by_id(stat.gid)?.map(|group| group.name), stat.gid),
        mtime: stat.mtime,
        sha256: None,
        size: stat.size,
        target: stat.target.clone(),
        source: Some(source),
    })
}
