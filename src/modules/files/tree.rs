//! A directory tree that should be like a manifest: one pass of comparison, and only what is
//! missing is sent.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde_json::{Map, Value};

use super::attributes::{Wanted, Written};
use super::mode::Mode;
use super::offer::is_sha256;
use super::paths::{missing_above, stat_followed};
use super::state::{Body, FileState, Look, Put, put};
use crate::args::{Arg, ArgKind, shown};
use crate::change::{Content, ResourceState};
use crate::host::{FileKind, Host, Inspect, Source};
use crate::outcome::Failure;
use crate::resource;

/// Most entries of one tree.
const MOST_ENTRIES: usize = 200_000;
/// Most bytes of content that are held at once for diffs.
const HELD: u64 = 32 << 20;

/// One entry of a manifest: a path relative to the top, and what should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Relative path.
    pub path: PathBuf,
    /// What should be there.
    pub what: What,
}

/// What should be at a path of a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A directory.
    Directory,
    /// A file with this content.
    File {
        /// SHA-256 of its content.
        sha256: String,
        /// Its length in bytes.
        size: u64,
        /// The mode that it has at its source.
        mode: Option<u32>,
        /// Where it lies, if that is on the host itself.
        source: Option<PathBuf>,
    },
    /// A symbolic link that points there.
    Link(PathBuf),
}

impl Arg for Item {
    fn kind() -> ArgKind {
        ArgKind::Dict
    }

    fn parse(value: &Value) -> Result<Self, String> {
        let problem = || format!("expected an entry of a manifest, found {}", shown(value));
        let path = PathBuf::from(value["path"].as_str().filter(|path| !path.is_empty()).ok_or_else(problem)?);
        if !path.components().all(|part| matches!(part, Component::Normal(_))) {
            return Err(format!("expected a path below the top, found `{}`", path.display()));
        }
        let what = if let Some(target) = value["link"].as_str() {
            What::Link(PathBuf::from(target))
        } else if let Some(sha256) = value["sha256"].as_str() {
            let sha256 = Some(sha256).filter(|digest| is_sha256(digest)).ok_or_else(problem)?.to_owned();
            let mode = match &value["mode"] {
                Value::Null => None,
                mode => Some(Mode::parse(mode)?.bits(0o644, false)),
            };
            What::File { sha256, size: value["size"].as_u64().ok_or_else(problem)?, mode, source: None }
        } else {
            What::Directory
        };
        Ok(Self { path, what })
    }
}

/// Options that hold for all of a tree.
#[derive(Debug)]
pub(crate) struct Options<'a> {
    pub(crate) written: Written<'a>,
    pub(crate) directory_mode: Option<&'a Mode>,
    pub(crate) force: bool,
    pub(crate) backup: bool,
    pub(crate) validate: Option<&'a str>,
}

/// A tree as it is or should be: every entry of the manifest, in order.
#[derive(Debug, Clone)]
pub struct Tree {
    top: FileState,
    entries: Vec<(What, FileState)>,
    wanted: Wanted,
    wanted_directories: Wanted,
    /// Wanted content that is at hand, by digest.
    held: BTreeMap<String, Content>,
}

impl resource::State for Tree {
    fn resources(&self) -> Vec<ResourceState> {
        self.entries.iter().map(|(_, state)| state.resource()).collect()
    }
}

impl Tree {
    /// Result fields: the top directory.
    pub(crate) fn result(&self) -> Map<String, Value> {
        let mut result = self.top.result();
        result.insert("dest".into(), self.top.path.display().to_string().into());
        result
    }
}

/// The manifest of a directory on the host.
pub(crate) fn on_host(top: &Path, host: &dyn Inspect) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    let mut todo = vec![PathBuf::new()];
    while let Some(directory) = todo.pop() {
        for name in host.list(&top.join(&directory))? {
            let path = directory.join(name);
            let full = top.join(&path);
            let Some(stat) = host.stat(&full)? else { continue };
            let what = match stat.kind {
                FileKind::Directory => {
                    todo.push(path.clone());
                    What::Directory
                }
                FileKind::Link => What::Link(stat.target.unwrap_or_default()),
                FileKind::File => What::File {
                    sha256: host.digest(&full, "sha256")?,
                    size: stat.size,
                    mode: Some(stat.mode),
                    source: Some(full),
                },
                _ => return Err(Failure::new(format!("`{}` is neither file, directory nor link", full.display()))),
            };
            items.push(Item { path, what });
            if items.len() > MOST_ENTRIES {
                return Err(Failure::new(format!("`{}` has more than {MOST_ENTRIES} entries", top.display())));
            }
        }
    }
    Ok(items)
}

/// Looks at every path of the manifest.
pub(crate) fn read(dest: &Path, items: Vec<Item>, options: &Options<'_>, host: &dyn Inspect) -> Result<Tree, Failure> {
    let wanted = options.written.look_up(host)?;
    let wanted_directories = Wanted { mode: options.directory_mode.cloned(), ..wanted.clone() };
    let top = look(dest, &What::Directory, host)?;
    let mut entries: Vec<(What, FileState)> =
        missing_above(dest, host)?.iter().map(|path| (What::Directory, FileState::absent(path))).collect();
    match top.kind {
        None => entries.push((What::Directory, top.clone())),
        Some(FileKind::Directory) => {}
        Some(_) => return Err(Failure::new(format!("`{}` is not a directory", dest.display()))),
    }
    let mut held = BTreeMap::new();
    let mut room = HELD;
    for (path, what) in with_directories(items) {
        let path = dest.join(path);
        // Beneath a missing directory nothing can be.
        let mut state = if top.kind.is_none() { FileState::absent(&path) } else { look(&path, &what, host)? };
        if state.kind == Some(FileKind::Directory) && what != What::Directory {
            return Err(Failure::new(format!("`{}` is a directory; something else is wanted there", path.display())));
        }
        if let What::File { sha256, size, source, .. } = &what
            && state.content.as_ref().is_some_and(|content| content.sha256 != *sha256)
            && (options.force && size + state.size <= room)
            && size.max(&state.size) <= &(Content::SHOWN as u64)
        {
            room -= size + state.size;
            state.content = Some(Content::of(&host.read(&path, 4 * Content::SHOWN as u64)?));
            let bytes = match source {
                Some(source) => host.read(source, 4 * Content::SHOWN as u64)?,
                None => host.blob(sha256)?,
            };
            held.insert(sha256.clone(), Content::of(&bytes));
        }
        entries.push((what, state));
    }
    Ok(Tree { top, entries, wanted, wanted_directories, held })
}

/// The manifest by path, with the directories that it takes for granted.
fn with_directories(items: Vec<Item>) -> BTreeMap<PathBuf, What> {
    let mut all: BTreeMap<PathBuf, What> = BTreeMap::new();
    for item in items {
        for above in item.path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            all.entry(above.to_owned()).or_insert(What::Directory);
        }
        all.insert(item.path, item.what);
    }
    all
}

fn look(path: &Path, what: &What, host: &dyn Inspect) -> Result<FileState, Failure> {
    let state = FileState::observe(path, Look::Outside, host)?;
    match (what, state.kind) {
        // A link to a directory serves as one.
        (What::Directory, Some(FileKind::Link)) => match stat_followed(path, host)? {
            Some(stat) if stat.kind == FileKind::Directory => FileState::from_stat(path, &stat, host),
            _ => Ok(state),
        },
        (What::File { .. }, Some(FileKind::File)) => {
            let content = Content { sha256: host.digest(path, "sha256")?, size: state.size, bytes: None };
            Ok(FileState { content: Some(content), ..state })
        }
        _ => Ok(state),
    }
}

/// The tree as it should be.
pub(crate) fn want(now: &Tree, options: &Options<'_>) -> Tree {
    let entries = now.entries.iter().map(|(what, state)| (what.clone(), wanted_entry(what, state, now, options))).collect();
    Tree { entries, ..now.clone() }
}

fn wanted_entry(what: &What, now: &FileState, tree: &Tree, options: &Options<'_>) -> FileState {
    match what {
        What::Directory => now.wanted(FileKind::Directory, &tree.wanted_directories),
        What::Link(target) => {
            let wanted = Wanted { mode: None, ..tree.wanted.clone() };
            FileState { target: Some(target.clone()), ..now.wanted(FileKind::Link, &wanted) }
        }
        What::File { .. } if !options.force && now.kind.is_some() => FileState { kind: now.kind, ..FileState::absent(&now.path) },
        What::File { sha256, size, mode, source } => {
            // A tree that is copied on the host itself keeps the modes of new files.
            let is_new_copy = source.is_some() && now.kind.is_none() && tree.wanted.mode.is_none();
            let preserve = is_new_copy || tree.wanted.mode.as_ref().is_some_and(Mode::is_preserve);
            let mode = if preserve { mode.map(Mode::of) } else { tree.wanted.mode.clone() };
            let wanted = Wanted { mode, ..tree.wanted.clone() };
            let content = tree.held.get(sha256).cloned();
            let content = content.unwrap_or_else(|| Content { sha256: sha256.clone(), size: *size, bytes: None });
            FileState { content: Some(content), ..now.wanted(FileKind::File, &wanted) }
        }
    }
}

/// Closes the differences, directories before what is in them.
pub(crate) fn write(now: &Tree, want: &Tree, options: &Options<'_>, host: &mut dyn Host) -> Result<resource::Written, Failure> {
    for ((what, now), (_, want)) in now.entries.iter().zip(&want.entries) {
        match what {
            What::Directory => write_directory(now, want, host)?,
            What::Link(target) => {
                if now.kind != Some(FileKind::Link) || now.target.as_ref() != Some(target) {
                    host.symlink(target, &want.path)?;
                }
                if now.differs_outside(want) {
                    host.set_attributes(&want.path, &want.attributes())?;
                }
            }
            What::File { sha256, size, source, .. } => {
                let body = match (want.content.as_ref().and_then(|content| content.bytes.as_deref()), source) {
                    (Some(bytes), _) => Body::Bytes(bytes),
                    (None, Some(source)) => Body::From(Source::File(source)),
                    (None, None) => Body::From(Source::Offered { sha256, size: *size }),
                };
                let how = Put { body, validate: options.validate, backup: options.backup, backup_field: "backup_file" };
                put(now, want, &how, host)?;
            }
        }
    }
    Ok(resource::Written::quiet())
}

fn write_directory(now: &FileState, want: &FileState, host: &mut dyn Host) -> Result<(), Failure> {
    match now.kind {
        Some(FileKind::Directory) if now.differs_outside(want) => host.set_attributes(&want.path, &want.attributes()),
        Some(FileKind::Directory) => Ok(()),
        Some(_) => Err(Failure::new(format!("`{}` is not a directory", want.path.display()))),
        None => host.make_directory(&want.path, &want.attributes()),
    }
}
