//! What is to be packed, and what is packed already, as lists that can be compared.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{Format, packing};
use crate::change::Content;
use crate::commands::glob::matches;
use crate::files::packed::read::{Kind, unpacked};
use crate::files::paths::{is_directory, plain, stat_followed};
use crate::host::{Digester, FileKind, FileStat, Inspect};
use crate::outcome::Failure;

/// Most entries of one archive.
const MOST_ENTRIES: usize = 200_000;

/// Paths from the options, as they are on the host.
#[derive(Debug, Clone)]
pub(super) struct Selection {
    pub(super) expanded: Vec<PathBuf>,
    pub(super) excluded: Vec<PathBuf>,
    /// Those that are there and not excluded.
    pub(super) paths: Vec<PathBuf>,
    pub(super) missing: Vec<PathBuf>,
    /// Those that are removed afterwards.
    pub(super) removed: Vec<PathBuf>,
    /// The directory that names in the archive begin after.
    pub(super) root: PathBuf,
    /// More than one file is meant.
    pub(super) is_many: bool,
    /// An archive, rather than one file compressed.
    pub(super) is_archive: bool,
}

impl Selection {
    pub(super) fn new(expanded: Vec<PathBuf>, excluded: Vec<PathBuf>, host: &dyn Inspect) -> Result<Self, Failure> {
        let (mut paths, mut missing) = (Vec::new(), Vec::new());
        for path in expanded.iter().filter(|path| !excluded.contains(path)) {
            let list = if host.stat(&plain(path))?.is_some() { &mut paths } else { &mut missing };
            list.push(path.clone());
        }
        let root = common_root(&expanded);
        let has_directory = paths.iter().any(|path| is_directory(path, host).unwrap_or(false));
        let is_many = has_directory || expanded.len() > 1;
        Ok(Self { expanded, excluded, paths, missing, removed: Vec::new(), root, is_many, is_archive: is_many })
    }
}

/// The directory that all paths have in common.
fn common_root(paths: &[PathBuf]) -> PathBuf {
    let directory = |path: &PathBuf| {
        let text = path.to_string_lossy();
        PathBuf::from(text.rfind('/').map_or("/", |at| &text[..=at]))
    };
    let mut root = paths.first().map(directory).unwrap_or_default();
    for path in paths.iter().skip(1) {
        let other = directory(path);
        while !other.starts_with(&root) && root.pop() {}
    }
    plain(&root)
}

/// One file, directory or link.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Where it is on the host.
    pub(super) path: PathBuf,
    /// What it is called in the archive.
    pub(super) name: PathBuf,
    kind: FileKind,
    mode: u32,
    ids: (u32, u32),
    modified: u64,
    target: Option<PathBuf>,
    /// SHA-256 of a file.
    pub(super) content: Option<String>,
}

/// Everything that is to be packed, in the order in which it is packed.
pub(super) fn of_files(
    selection: &Selection,
    patterns: &[String],
    dest: &Path,
    host: &dyn Inspect,
) -> Result<Vec<Entry>, Failure> {
    let mut entries = Vec::new();
    for path in &selection.paths {
        let top = plain(path);
        let Some(stat) = host.stat(&top)? else { continue };
        if stat.kind != FileKind::Directory {
            entries.push((top, stat));
            continue;
        }
        let mut todo = vec![top];
        while let Some(directory) = todo.pop() {
            let mut files = Vec::new();
            for name in host.list(&directory)? {
                let path = directory.join(name);
                let Some(stat) = host.stat(&path)? else { continue };
                if stat.kind == FileKind::Directory {
                    todo.push(path.clone());
                }
                let list = if is_directory(&path, host)? { &mut entries } else { &mut files };
                list.push((path, stat));
            }
            entries.append(&mut files);
            if entries.len() > MOST_ENTRIES {
                return Err(Failure::new(format!("there are more than {MOST_ENTRIES} files to be packed")));
            }
        }
    }
    let is_wanted = |path: &Path, name: &Path| {
        let left_out =
            |pattern: &String| [path, name].iter().any(|path| path.to_str().is_some_and(|text| matches(pattern, text)));
        path != dest && !patterns.iter().any(left_out)
    };
    let packable = [FileKind::File, FileKind::Directory, FileKind::Link];
    entries
        .into_iter()
        .filter(|(_, stat)| packable.contains(&stat.kind))
        .map(|(path, stat)| (path.strip_prefix(&selection.root).unwrap_or(&path).to_owned(), path, stat))
        .filter(|(name, path, _)| is_wanted(path, name))
        .map(|(name, path, stat)| entry(name, path, &stat, host))
        .collect()
}

fn entry(name: PathBuf, path: PathBuf, stat: &FileStat, host: &dyn Inspect) -> Result<Entry, Failure> {
    let content = if stat.kind == FileKind::File { Some(host.digest(&path, "sha256")?) } else { None };
    Ok(Entry {
        path,
        name,
        kind: stat.kind,
        mode: stat.mode,
        ids: (stat.uid, stat.gid),
        modified: stat.mtime.max(0.0) as u64,
        target: stat.target.clone(),
        content,
    })
}

/// What is in an archive; `None` where it is none of this format.
pub(super) fn of_archive(path: &Path, format: Format, host: &dyn Inspect) -> Result<Option<Content>, Failure> {
    let mut stream = host.open(path)?;
    let found = crate::files::packed::read::Format::of(&mut *stream);
    if found.is_err() || found.is_ok_and(|found| found != packing(format)) {
        return Ok(None);
    }
    let mut entries: Vec<Entry> = Vec::new();
    let mut digests: BTreeMap<PathBuf, String> = BTreeMap::new();
    let walked = unpacked(packing(format), stream, host)?.walk(&mut |_, entry, content| {
        let name = plain(&entry.path);
        let mut sha256 = None;
        let (kind, target) = match &entry.kind {
            Kind::Directory => (FileKind::Directory, None),
            Kind::Link(target) => (FileKind::Link, Some(target.clone())),
            Kind::File => {
                let mut digester = Digester::new("sha256").expect("it is a known algorithm");
                std::io::copy(content, &mut Sink(&mut digester)).map_err(crate::files::packed::read::broken)?;
                let digest = digester.finish();
                digests.insert(name.clone(), digest.clone());
                sha256 = Some(digest);
                (FileKind::File, None)
            }
            Kind::Hard(target) => {
                sha256 = digests.get(&plain(target)).cloned();
                (FileKind::File, None)
            }
            Kind::Special(_) => (FileKind::Fifo, None),
        };
        entries.push(Entry {
            path: PathBuf::new(),
            name,
            kind,
            mode: entry.mode.unwrap_or(0),
            ids: entry.owner.as_ref().map_or((0, 0), |owner| (owner.uid, owner.gid)),
            modified: entry.modified.unwrap_or(0),
            target,
            content: sha256,
        });
        Ok(())
    });
    Ok(walked.is_ok().then(|| Content::of(manifest(&entries, format).as_bytes())))
}

struct Sink<'a>(&'a mut Digester);

impl std::io::Write for Sink<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A line for every entry, sorted by name: what is compared.
pub(super) fn manifest(entries: &[Entry], format: Format) -> String {
    let mut lines: Vec<String> = entries.iter().map(|entry| line(entry, format)).collect();
    lines.sort();
    lines.dedup();
    lines.concat()
}

fn line(entry: &Entry, format: Format) -> String {
    let name = entry.name.display().to_string();
    let content = entry.content.clone().unwrap_or_default();
    let what = match entry.kind {
        FileKind::Directory => "directory",
        FileKind::Link if format != Format::Zip => "link",
        _ => "file",
    };
    if format == Format::Zip {
        return format!("{name} {what} {content}\n");
    }
    let moment = i64::try_from(entry.modified).ok().and_then(|seconds| jiff::Timestamp::from_second(seconds).ok());
    let moment = moment.map(|moment| moment.to_string()).unwrap_or_default();
    let (uid, gid) = entry.ids;
    // The permissions of a link say nothing.
    let mode = if entry.kind == FileKind::Link { 0o777 } else { entry.mode };
    let target = entry.target.as_ref().map(|target| target.display().to_string()).unwrap_or_default();
    format!("{name} {what} {mode:04o} {uid}:{gid} {moment} {target}{content}\n")
}

/// Entries as zip has them: links are followed.
pub(super) fn followed(entries: Vec<Entry>, host: &dyn Inspect) -> Result<Vec<Entry>, Failure> {
    let mut done = Vec::new();
    for entry in entries {
        if entry.kind != FileKind::Link {
            done.push(entry);
            continue;
        }
        let leads_nowhere =
            || Failure::new(format!("`{}` is a link that leads nowhere; zip cannot pack it", entry.path.display()));
        let stat = stat_followed(&entry.path, host)?.ok_or_else(leads_nowhere)?;
        done.push(self::entry(entry.name, entry.path, &stat, host)?);
    }
    Ok(done)
}
