//! `synchronize`: a tree made like another one, by what differs, as rsync does it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::attributes::{Account, group_of, owner_of};
use super::paths::{self, expand};
use super::state::{Body, FileState, Look, Put, put};
use crate::change::{Content, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, FileKind, Host, Inspect, Source, default_file_mode};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

pub mod listing;
pub mod options;
pub mod rules;

use listing::Entry;
use options::Options;

/// Times closer than this (seconds) are equal: not every file system keeps more.
const CLOSE: f64 = 0.001;
/// Most bytes of content that are held at once for diffs.
const HELD: u64 = 32 << 20;

args! {
    /// Makes a tree on the host like one of the project or (with `delegate_to` the host itself) like
    /// another one on the host. Only what differs is sent. No rsync is needed on either side.
    pub struct Args {
        /// What is copied: a file, or a directory; with `/` at its end, what is in the directory.
        src: PathBuf,
        /// Where it is copied to.
        dest: PathBuf,
        /// From the project to the host. The other direction (`pull`) is refused: `fetch` gets files.
        mode: Direction = Direction::Push,
        /// As `recursive`, `links`, `perms`, `times`, `owner` and `group` together.
        archive: bool = true,
        /// Content is always compared by digest, whatever stands here.
        checksum: bool = false,
        /// Without meaning: what is sent is always compressed where that pays.
        compress: bool = true,
        /// Only what is there already is made like its source.
        existing_only: bool = false,
        /// Whether what is not at the source is removed.
        delete: bool = false,
        /// Directories are made, but not entered.
        dirs: bool = false,
        /// Directories are entered. Missing: as `archive`.
        recursive: Option<bool>,
        /// Symbolic links are made. Missing: as `archive`.
        links: Option<bool>,
        /// What symbolic links point to is copied in their place.
        copy_links: bool = false,
        /// Modes are carried over. Missing: as `archive`.
        perms: Option<bool>,
        /// Modification times are carried over. Missing: as `archive`.
        times: Option<bool>,
        /// Owners are carried over, by name where it is known on the host; root only. Missing: as `archive`.
        owner: Option<bool>,
        /// Groups are carried over, likewise. Missing: as `archive`.
        group: Option<bool>,
        /// Options of rsync that say what is copied and left out: `--exclude=`, `--include=`, `--chmod=`,
        /// `--chown=`, `--delete-excluded`, `--ignore-existing`, `--update`, `--omit-dir-times`, `--mkpath`,
        /// `--no-perms` and the like. Any other that would change what is copied is refused.
        rsync_opts: Vec<String> = Vec::new(),
        /// Refused: hard links to another tree.
        link_dest: Option<super::attributes::Unsupported>,
        /// Without meaning: files are sent over the session that is there, and put in place whole.
        rsync_path: Option<String>,
        /// Likewise.
        rsync_timeout: u64 = 0,
        /// Likewise.
        set_remote_user: bool = true,
        /// Likewise.
        ssh_connection_multiplexing: bool = false,
        /// Likewise.
        partial: bool = false,
        /// Likewise: the host's key is always verified.
        verify_host: bool = false,
        /// Likewise: the key of the session.
        private_key: Option<PathBuf>,
        /// Likewise: the port of the session.
        dest_port: Option<u16>,
        /// Likewise.
        delay_updates: bool = true,
        /// Likewise.
        use_ssh_args: bool = false,
        /// What the controller found at `src`. Missing: `src` is on the host.
        stead_files: Option<Vec<Entry>>,
    }
}

choice! {
    /// The direction.
    pub enum Direction {
        /// To the host.
        Push = "push",
        /// From the host.
        Pull = "pull",
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A release becomes the current one, on the host itself
  synchronize:
    src: /etc/ssh/
    dest: /srv/current
    delete: true
    rsync_opts: ['--exclude=*.log']
  delegate_to: '{{ inventory_hostname }}'
- name: A single file
  synchronize:
    src: /etc/hosts
    dest: /srv/hosts.copy
    owner: false
  delegate_to: '{{ inventory_hostname }}'
";

/// The module.
pub struct Synchronize;

/// One thing that is carried over.
#[derive(Debug, Clone)]
struct Pair {
    entry: Entry,
    state: FileState,
    mtime: Option<f64>,
}

/// A tree as it is or should be.
#[derive(Debug, Clone)]
pub struct Tree {
    options: Options,
    /// Directories above that are made.
    above: Vec<FileState>,
    pairs: Vec<Pair>,
    /// What is removed.
    gone: Vec<FileState>,
    /// Whose: what names at the source are here.
    accounts: [BTreeMap<(Option<String>, u32), Account>; 2],
    /// Owner and group that are asked for instead.
    given: [Option<Account>; 2],
    is_root: bool,
    umask: u32,
    /// Wanted content that is at hand, by digest.
    held: BTreeMap<String, Content>,
    dest: PathBuf,
}

impl resource::State for Tree {
    fn resources(&self) -> Vec<ResourceState> {
        let pairs = self.pairs.iter().map(|pair| {
            let resource = pair.state.resource();
            if pair.state.kind.is_some() { resource.with("mtime", pair.mtime.map(moment)) } else { resource }
        });
        self.above.iter().map(FileState::resource).chain(pairs).chain(self.gone.iter().map(FileState::resource)).collect()
    }
}

/// A time as changes show it.
fn moment(seconds: f64) -> String {
    let time = jiff::Timestamp::from_millisecond((seconds * 1000.0).round() as i64).unwrap_or_default();
    time.strftime("%Y-%m-%d %H:%M:%S%.3f UTC").to_string()
}

/// Where everything goes: the directory that is the top, and the entries below it.
fn placed(args: &Args, entries: Vec<Entry>, host: &dyn Inspect) -> Result<(PathBuf, Vec<Entry>), Failure> {
    let dest = paths::plain(&expand(&args.dest, host));
    let [one] = entries.as_slice() else { return Ok((dest, entries)) };
    if one.kind == FileKind::Directory || paths::ends_in_slash(&args.dest) || paths::is_directory(&dest, host)? {
        return Ok((dest, entries));
    }
    // A single file gets the name that it is told.
    let name = dest.file_name().map(PathBuf::from).ok_or_else(|| Failure::new("`dest` is empty"))?;
    let entry = Entry { path: name, ..one.clone() };
    Ok((dest.parent().unwrap_or(Path::new("/")).to_owned(), vec![entry]))
}

impl Tree {
    fn observe(args: &Args, host: &dyn Inspect) -> Result<Self, Failure> {
        let options = Options::of(args)?;
        let entries = match &args.stead_files {
            Some(entries) => entries.clone(),
            None => {
                let src = expand(&args.src, host);
                listing::list(&src, &options, host)?
                    .ok_or_else(|| Failure::new(format!("there is no `{}` on the host", args.src.display())))?
            }
        };
        let (top, entries) = placed(args, entries, host)?;
        let mut above = Vec::new();
        if host.stat(&top)?.is_none() {
            let missing = paths::missing_above(&top, host)?;
            if !missing.is_empty() && !options.make_parents {
                let parent = missing[0].display();
                return Err(Failure::new(format!("there is no directory `{parent}` to put `{}` in", top.display())));
            }
            above.extend(missing.iter().map(|path| FileState::absent(path)));
            if !entries.iter().any(|entry| entry.path.as_os_str().is_empty()) {
                above.push(FileState::absent(&top));
            }
        } else if !paths::is_directory(&top, host)? {
            return Err(Failure::new(format!("`{}` is not a directory", top.display())));
        }
        let mut tree = Self {
            above,
            pairs: Vec::new(),
            gone: Vec::new(),
            accounts: [BTreeMap::new(), BTreeMap::new()],
            given: given(&options, host)?,
            is_root: host.whoami().0 == 0,
            umask: 0o666 & !default_file_mode(0o022),
            held: BTreeMap::new(),
            dest: top.clone(),
            options,
        };
        for entry in entries {
            tree.look(&top, entry, host)?;
        }
        if tree.options.delete {
            tree.gone = tree.extra(&top, host)?;
        }
        Ok(tree)
    }

    /// Looks at where an entry goes.
    fn look(&mut self, top: &Path, mut entry: Entry, host: &dyn Inspect) -> Result<(), Failure> {
        let path = if entry.path.as_os_str().is_empty() { top.to_owned() } else { top.join(&entry.path) };
        if entry.kind == FileKind::File
            && let (None, Some(source)) = (&entry.sha256, &entry.source)
        {
            entry.sha256 = Some(host.digest(source, "sha256")?);
        }
        let is_top = entry.path.as_os_str().is_empty();
        let stat = if is_top { paths::stat_followed(&path, host)? } else { host.stat(&path)? };
        let (mut state, mtime) = match &stat {
            Some(stat) => (FileState::from_stat(&path, stat, host)?, Some(stat.mtime)),
            None => (FileState::absent(&path), None),
        };
        if state.kind.is_none() && self.options.existing
            || state.kind.is_some() && entry.kind != FileKind::Directory && self.keeps(&entry, mtime)
        {
            return Ok(());
        }
        if state.kind == Some(FileKind::Directory) && entry.kind != FileKind::Directory {
            let is_empty = host.list(&path)?.is_empty();
            if !is_empty && !self.options.delete {
                let path = path.display();
                return Err(Failure::new(format!("`{path}` is a directory that is not empty; something else is wanted there")));
            }
        }
        if (entry.kind, state.kind) == (FileKind::File, Some(FileKind::File)) {
            self.compare(&mut state, &entry, host)?;
        }
        for (at, key) in [(0, &entry.owner), (1, &entry.group)] {
            if !self.accounts[at].contains_key(key) {
                let account = account(at, key, self.options.numeric, host)?;
                self.accounts[at].insert(key.clone(), account);
            }
        }
        self.pairs.push(Pair { entry, state, mtime });
        Ok(())
    }

    /// Whether what is there stays as it is.
    fn keeps(&self, entry: &Entry, mtime: Option<f64>) -> bool {
        self.options.ignore_existing || self.options.update && mtime.is_some_and(|mtime| mtime > entry.mtime + CLOSE)
    }

    /// Compares a file by digest; what differs and is small is kept for the diff.
    fn compare(&mut self, state: &mut FileState, entry: &Entry, host: &dyn Inspect) -> Result<(), Failure> {
        let sha256 = host.digest(&state.path, "sha256")?;
        let wanted = entry.sha256.clone().unwrap_or_default();
        let room = HELD.saturating_sub(self.held.values().map(|content| content.size).sum());
        let is_shown = entry.size.max(state.size) <= Content::SHOWN as u64 && entry.size + state.size <= room;
        if sha256 == wanted || !is_shown {
            state.content = Some(Content { sha256, size: state.size, bytes: None });
            return Ok(());
        }
        let limit = 4 * Content::SHOWN as u64;
        state.content = Some(Content::of(&host.read(&state.path, limit)?));
        let bytes = match &entry.source {
            Some(source) => host.read(source, limit)?,
            None => host.blob(&wanted)?,
        };
        self.held.insert(wanted, Content::of(&bytes));
        Ok(())
    }

    /// What is there and is not at the source.
    fn extra(&self, top: &Path, host: &dyn Inspect) -> Result<Vec<FileState>, Failure> {
        let known: BTreeSet<&Path> = self.pairs.iter().map(|pair| pair.entry.path.as_path()).collect();
        let mut gone = Vec::new();
        for pair in &self.pairs {
            if pair.entry.kind != FileKind::Directory || pair.state.kind != Some(FileKind::Directory) {
                continue;
            }
            for name in host.list(&pair.state.path)? {
                let relative = pair.entry.path.join(name);
                if !known.contains(relative.as_path()) {
                    self.removable(top, &relative, host, &mut gone)?;
                }
            }
        }
        Ok(gone)
    }

    /// Whether all of this may be removed; if only a part of it, that part is noted.
    fn removable(&self, top: &Path, relative: &Path, host: &dyn Inspect, gone: &mut Vec<FileState>) -> Result<bool, Failure> {
        let path = top.join(relative);
        let Some(stat) = host.stat(&path)? else { return Ok(true) };
        let is_directory = stat.kind == FileKind::Directory;
        if !self.options.delete_excluded && self.options.rules.exclude(&relative.to_string_lossy(), is_directory) {
            return Ok(false);
        }
        let before = gone.len();
        let mut whole = true;
        if is_directory {
            for name in host.list(&path)? {
                whole &= self.removable(top, &relative.join(name), host, gone)?;
            }
        }
        if whole {
            gone.truncate(before);
            gone.push(FileState::observe(&path, Look::Inside, host)?);
        }
        Ok(whole)
    }

    fn wanted(&self, pair: &Pair) -> Pair {
        let (entry, now, options) = (&pair.entry, &pair.state, &self.options);
        let is_directory = entry.kind == FileKind::Directory;
        let is_new = now.kind != Some(entry.kind);
        let mut mode = match (options.modes, now.mode) {
            (true, _) => Some(entry.mode),
            (false, _) if is_new => Some(entry.mode & !self.umask),
            (false, _) => None,
        };
        for (_, _, change) in
            options.chmod.iter().filter(|(files, directories, _)| if is_directory { *directories } else { *files })
        {
            mode = Some(change.bits(mode.unwrap_or(entry.mode), is_directory));
        }
        let account = |at: usize, key: &(Option<String>, u32), is_asked: bool, now: &Option<Account>| {
            let wanted = self.given[at].clone().or_else(|| self.accounts[at].get(key).cloned())?;
            let same = now.clone().filter(|now| now.id == wanted.id);
            (is_asked && self.is_root).then(|| same.unwrap_or(wanted))
        };
        let state = FileState {
            path: now.path.clone(),
            kind: Some(entry.kind),
            mode: mode.filter(|_| entry.kind != FileKind::Link),
            owner: account(0, &entry.owner, options.owner, &now.owner),
            group: account(1, &entry.group, options.group, &now.group),
            target: entry.target.clone().filter(|_| entry.kind == FileKind::Link),
            content: entry.sha256.as_ref().map(|sha256| {
                let held = self.held.get(sha256).cloned();
                held.unwrap_or_else(|| Content { sha256: sha256.clone(), size: entry.size, bytes: None })
            }),
            size: entry.size,
            nlink: now.nlink,
        };
        let carries = options.times && entry.kind != FileKind::Link && !(is_directory && options.omit_directory_times);
        let mtime = carries.then(|| match pair.mtime {
            Some(mtime) if !is_new && (mtime - entry.mtime).abs() < CLOSE => mtime,
            _ => entry.mtime,
        });
        Pair { entry: entry.clone(), state, mtime }
    }
}

/// Owner and group of `--chown`.
fn given(options: &Options, host: &dyn Inspect) -> Result<[Option<Account>; 2], Failure> {
    let name = |name: &Option<String>| name.as_ref().map(|name| (Some(name.clone()), name.parse().unwrap_or(u32::MAX)));
    let find = |at: usize, name: Option<(Option<String>, u32)>| -> Result<Option<Account>, Failure> {
        let Some(key) = name else { return Ok(None) };
        let found = account(at, &key, false, host)?;
        if found.id == u32::MAX {
            return Err(Failure::new(format!("--chown: no account or group `{}`", key.0.unwrap_or_default())));
        }
        Ok(Some(found))
    };
    Ok([find(0, name(&options.chown.0))?, find(1, name(&options.chown.1))?])
}

/// What an owner (0) or group (1) at the source is here: of the same name, else of the same number.
fn account(at: usize, (name, id): &(Option<String>, u32), numeric: bool, host: &dyn Inspect) -> Result<Account, Failure> {
    if let Some(name) = name.as_ref().filter(|_| !numeric) {
        let found = match at {
            0 => host.user(name)?.map(|user| user.uid),
            _ => host.group(name)?.map(|group| group.gid),
        };
        if let Some(id) = found {
            return Ok(Account { id, name: Some(name.clone()) });
        }
    }
    if at == 0 { owner_of(*id, host) } else { group_of(*id, host) }
}

impl Resource for Synchronize {
    type Args = Args;
    type State = Tree;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Tree, Failure> {
        if args.mode == Direction::Pull {
            return Err(Failure::new("`mode: pull` cannot be honoured by this version; `fetch` gets files from the host"));
        }
        Tree::observe(args, host)
    }

    fn want(_: &Args, now: &Tree) -> Result<Tree, Failure> {
        let above = |state: &FileState| FileState { kind: Some(FileKind::Directory), ..state.clone() };
        Ok(Tree {
            above: now.above.iter().map(above).collect(),
            pairs: now.pairs.iter().map(|pair| now.wanted(pair)).collect(),
            gone: now.gone.iter().map(|state| FileState::absent(&state.path)).collect(),
            ..now.clone()
        })
    }

    fn write(_: &Args, step: &Step<'_, Tree>, host: &mut dyn Host) -> Result<Written, Failure> {
        for directory in &step.want.above {
            host.make_directory(&directory.path, &Attributes::default())?;
        }
        for (now, want) in step.now.pairs.iter().zip(&step.want.pairs) {
            write(now, want, host)?;
        }
        for state in &step.now.gone {
            // It may have gone with what stood in the way of something else.
            if host.stat(&state.path)?.is_some() {
                host.remove(&state.path)?;
            }
        }
        // What was written in a directory has changed its time: those further in come first.
        for want in step.want.pairs.iter().rev().filter(|pair| pair.entry.kind == FileKind::Directory) {
            let now = host.stat(&want.state.path)?.map(|stat| stat.mtime);
            if let (Some(now), Some(wanted)) = (now, want.mtime)
                && (now - wanted).abs() >= CLOSE
            {
                host.set_times(&want.state.path, None, Some(wanted))?;
            }
        }
        host.sync(&step.now.dest)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, before: &Tree, after: &Tree) -> Map<String, Value> {
        let lines = itemised(before, after, if args.stead_files.is_some() { '<' } else { '>' });
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut result = Map::new();
        result.insert("msg".into(), text.into());
        result.insert("rc".into(), 0.into());
        result.insert("stdout_lines".into(), lines.into());
        result
    }

    fn claims(args: &Args) -> Claims {
        super::state::claims(&args.dest, None, None)
    }
}

/// Brings one thing to where it should be; the time of a directory comes last of all.
fn write(now: &Pair, want: &Pair, host: &mut dyn Host) -> Result<(), Failure> {
    let path = &want.state.path;
    let stands_in_the_way = now.state.kind.is_some_and(|kind| kind != want.entry.kind)
        && (now.state.kind == Some(FileKind::Directory) || want.entry.kind == FileKind::Directory);
    let gone = FileState::absent(path);
    let state = if stands_in_the_way { &gone } else { &now.state };
    if stands_in_the_way {
        host.remove(path)?;
    }
    match want.entry.kind {
        FileKind::Directory if state.kind.is_none() => host.make_directory(path, &want.state.attributes())?,
        FileKind::Directory if state.differs_outside(&want.state) => host.set_attributes(path, &want.state.attributes())?,
        FileKind::Directory => {}
        FileKind::Link => {
            if state.kind != Some(FileKind::Link) || state.target != want.state.target {
                host.symlink(want.state.target.as_deref().unwrap_or(Path::new("")), path)?;
            }
            if state.differs_outside(&want.state) {
                host.set_attributes(path, &want.state.attributes())?;
            }
        }
        _ => {
            let body = match (want.state.content.as_ref().and_then(|content| content.bytes.as_deref()), &want.entry.source) {
                (Some(bytes), _) => Body::Bytes(bytes),
                (None, Some(source)) => Body::From(Source::File(source)),
                (None, None) => {
                    let sha256 = want.entry.sha256.as_deref().unwrap_or_default();
                    Body::From(Source::Offered { sha256, size: want.entry.size })
                }
            };
            put(state, &want.state, &Put { body, validate: None, backup: false, backup_field: "backup_file" }, host)?;
            let is_old = state.differs_inside(&want.state) || now.mtime.is_none_or(|mtime| Some(mtime) != want.mtime);
            if let Some(mtime) = want.mtime.filter(|_| is_old) {
                host.set_times(path, None, Some(mtime))?;
            }
        }
    }
    Ok(())
}

/// What was done, in the lines of `rsync --itemize-changes` as its manual page describes them.
fn itemised(before: &Tree, after: &Tree, arrow: char) -> Vec<String> {
    let mut lines = Vec::new();
    let found: BTreeMap<&Path, &Pair> = after.pairs.iter().map(|pair| (pair.entry.path.as_path(), pair)).collect();
    for old in &before.pairs {
        let Some(new) = found.get(old.entry.path.as_path()) else { continue };
        let (letter, name) = match old.entry.kind {
            FileKind::Directory => (
                'd',
                format!(
                    "{}/",
                    if old.entry.path.as_os_str().is_empty() { ".".into() } else { old.entry.path.display().to_string() }
                ),
            ),
            FileKind::Link => (
                'L',
                format!("{} -> {}", old.entry.path.display(), old.entry.target.as_deref().unwrap_or(Path::new("")).display()),
            ),
            _ => ('f', old.entry.path.display().to_string()),
        };
        if old.state.kind != new.state.kind {
            let arrow = if letter == 'f' { arrow } else { 'c' };
            lines.push(format!("{arrow}{letter}+++++++++ {name}"));
            continue;
        }
        let wanted = before.wanted(old);
        let is_inside = letter == 'f' && old.state.differs_inside(&wanted.state);
        let id = |account: &Option<Account>| account.as_ref().map(|account| account.id);
        let flags = [
            ('c', is_inside && old.state.size == new.state.size),
            ('s', is_inside && old.state.size != new.state.size),
            ('t', wanted.mtime.is_some_and(|wanted| old.mtime != Some(wanted))),
            ('p', wanted.state.mode.is_some_and(|mode| old.state.mode != Some(mode))),
            ('o', wanted.state.owner.is_some() && id(&wanted.state.owner) != id(&old.state.owner)),
            ('g', wanted.state.group.is_some() && id(&wanted.state.group) != id(&old.state.group)),
        ];
        let retargeted = letter == 'L' && old.state.target != wanted.state.target;
        if flags.iter().any(|(_, differs)| *differs) || retargeted {
            let shown: String = flags.iter().map(|(flag, differs)| if *differs { *flag } else { '.' }).collect();
            let first = if is_inside {
                arrow
            } else if retargeted {
                'c'
            } else {
                '.'
            };
            lines.push(format!("{first}{letter}{shown}... {name}"));
        }
    }
    for state in &before.gone {
        let path = state.path.strip_prefix(&before.dest).unwrap_or(&state.path).display().to_string();
        let slash = if state.kind == Some(FileKind::Directory) { "/" } else { "" };
        lines.push(format!("*deleting   {path}{slash}"));
    }
    lines
}
