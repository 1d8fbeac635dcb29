//! `unarchive`: what is in an archive, on the host.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::attributes::{Account, Wanted, file_args, group_of, owner_of};
use super::mode::Mode;
use super::offer::Offer;
use super::packed::choose::Extra;
use super::packed::list::{Listed, Listing, Selection, list};
use super::packed::read::{Entry, Format, Kind, Owner, unpacked};
use super::packed::source::{self, Shared};
use super::paths::{expand, is_directory, plain, real_path, stat_followed};
use super::state::{self, FileState, Look};
use crate::args::{ArgError, Arguments, Field};
use crate::change::{Content, ResourceState};
use crate::claims::Claims;
use crate::commands::process::guard;
use crate::host::{FileKind, FileWrite, Host, Inspect, Source};
use crate::outcome::{Ending, Failure, Outcome};
use crate::resource::{self, Prepared, Resource, Step, Written};

file_args! {
    /// Unpacks an archive into a directory of the host: tar, plain or compressed with gzip, bzip2, xz or
    /// zstd (the last three need the program of that name on the host), and zip. The kind is told by the
    /// content, not by the name.
    ///
    /// Every entry is compared with what is there: kind, content, permissions, time of files, and as root the
    /// owner. An archive with an entry that would go outside of the directory is refused before
    /// anything is written. A link in the directory that leads to a directory serves as one.
    pub struct Options {
        /// The archive on the controller, relative to `files/` of the role or to the playbook; with
        /// `remote_src` a path on the host, or an address with `http` or `https` that the host asks (a plan
        /// does not ask it, and knows nothing then).
        src: String,
        /// The directory; it must exist.
        dest: PathBuf,
        /// Whether `src` is on the host.
        remote_src: bool = false,
        /// Older form of `remote_src`: `false` means on the host.
        copy: bool = true,
        /// A path; if it exists, nothing is done.
        creates: Option<PathBuf>,
        /// Whether the result has the names of all entries (`files`).
        list_files: bool = false,
        /// Entries that are left out: shell patterns for paths, or for their ends.
        exclude: Vec<String> = Vec::new(),
        /// The only entries that are unpacked: paths (with what is beneath them) or shell patterns.
        include: Vec<String> = Vec::new(),
        /// Whether files that are newer than those of the archive are left.
        keep_newer: bool = false,
        /// Options of `tar` or `unzip`; those that are known have their effect, others are an error.
        extra_opts: Vec<String> = Vec::new(),
        /// Whether the server of an address must prove who it is.
        validate_certs: bool = true,
        /// Whether a vault-encrypted `src` is decrypted (by the controller).
        decrypt: bool = true,
        /// Has no effect: content is read piece by piece.
        io_buffer_size: u64 = 65536,
        /// Set by the controller: SHA-256 and size of the archive.
        stead_source: Option<Offer>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: An archive that the host has
  unarchive:
    src: /srv/app.tar
    dest: /opt
    remote_src: true
- name: Without its uppermost directory, everything for one account
  unarchive:
    src: /srv/app.tar
    dest: /opt
    remote_src: true
    owner: admin
    group: admin
    mode: u=rwX,go=rX
    exclude: ['*.txt']
    extra_opts: [--strip-components=1]
- name: Unless it was done before
  unarchive:
    src: /srv/app.tar
    dest: /opt
    remote_src: true
    creates: /etc/motd
";

/// The module.
pub struct Unarchive;

/// The options, and the archive.
#[derive(Debug)]
pub struct Args {
    options: Options,
    opened: RefCell<Option<Rc<Opened>>>,
}

/// An archive that was looked through.
#[derive(Debug)]
struct Opened {
    archive: Shared,
    format: Format,
    extra: Extra,
    listing: Listing,
    /// The directory, without links above it.
    top: PathBuf,
    /// Whom entries belong to; nobody in particular where owners cannot or should not be set.
    owners: BTreeMap<Owner, (Account, Account)>,
    /// Bits that new entries do not get.
    masked: u32,
}

impl Arguments for Args {
    fn fields() -> Vec<Field> {
        Options::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        let options = Options::parse(options)?;
        if !options.include.is_empty() && !options.exclude.is_empty() {
            let problem = "is mutually exclusive with `exclude`".to_owned();
            return Err(vec![ArgError { option: "include".into(), problem }]);
        }
        Ok(Self { options, opened: RefCell::default() })
    }
    fn doc() -> &'static str {
        Options::doc()
    }
}

/// One path.
#[derive(Debug, Clone)]
struct Item {
    /// Where it is beneath the top.
    place: PathBuf,
    state: FileState,
    /// Time of a file, where it matters.
    modified: Option<u64>,
    /// Which entry this is a second name of.
    hard: Option<PathBuf>,
}

/// Every path that the archive has.
#[derive(Debug, Clone)]
pub struct State {
    dest: FileState,
    items: Vec<Item>,
    wanted: Wanted,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.items
            .iter()
            .map(|item| {
                let state = item.state.resource();
                if !state.present {
                    return state;
                }
                let moment = item.modified.and_then(|seconds| jiff::Timestamp::from_second(i64::try_from(seconds).ok()?).ok());
                state
                    .with("modified", moment.map(|moment| moment.to_string()))
                    .with("hard link to", item.hard.as_ref().map(|path| path.display().to_string()))
            })
            .collect()
    }
}

impl Args {
    fn opened(&self) -> Rc<Opened> {
        self.opened.borrow().clone().expect("`prepare` was called before")
    }

    fn open(&self, host: &mut dyn Host) -> Result<Opened, Failure> {
        let options = &self.options;
        let remote = options.remote_src || !options.copy;
        if !remote && options.stead_source.is_none() {
            return Err(Failure::new("`src` is no archive that the controller has; for one on the host set `remote_src: true`"));
        }
        let dest = plain(&expand(&options.dest, host.inspect()));
        if !is_directory(&dest, host.inspect())? {
            return Err(Failure::new(format!("dest '{}' must be an existing dir", dest.display())));
        }
        let top = real_path(&dest, host.inspect())?;
        let offered = options.stead_source.as_ref().filter(|_| !remote);
        let archive = source::open(&options.src, offered, options.validate_certs, host)?;
        let at_source = |failure: Failure| Failure { message: format!("`{}`: {}", options.src, failure.message), ..failure };
        let format = Format::of(&mut *archive.rewound()?).map_err(at_source)?;
        let extra = Extra::parse(&options.extra_opts, format == Format::Zip)?;
        let selection = Selection { include: &options.include, exclude: &options.exclude, extra: &extra };
        let host = host.inspect();
        let listing = list(format, &archive, &selection, &top, host).map_err(at_source)?;
        let is_root = host.whoami().0 == 0;
        let owners = if is_root && !extra.no_owner { owners(&listing, &extra, host)? } else { BTreeMap::new() };
        let masked = if is_root || format == Format::Zip { 0 } else { umask(host) };
        Ok(Opened { archive, format, extra, listing, top, owners, masked })
    }
}

/// The accounts that the owners of an archive are on this host: by name, or else by number.
fn owners(listing: &Listing, extra: &Extra, host: &dyn Inspect) -> Result<BTreeMap<Owner, (Account, Account)>, Failure> {
    let mut owners = BTreeMap::new();
    for owner in listing.entries.values().filter_map(|listed| listed.entry.owner.as_ref()) {
        if owners.contains_key(owner) {
            continue;
        }
        let named = |name: &str| !name.is_empty() && !extra.numeric;
        let user = if named(&owner.user) { host.user(&owner.user)? } else { None };
        let group = if named(&owner.group) { host.group(&owner.group)? } else { None };
        let user = user.map_or_else(|| owner_of(owner.uid, host), |user| Ok(Account { id: user.uid, name: Some(user.name) }))?;
        let group =
            group.map_or_else(|| group_of(owner.gid, host), |group| Ok(Account { id: group.gid, name: Some(group.name) }))?;
        owners.insert(owner.clone(), (user, group));
    }
    Ok(owners)
}

fn umask(host: &dyn Inspect) -> u32 {
    let status = host.read(Path::new("/proc/self/status"), 64 << 10).unwrap_or_default();
    let status = String::from_utf8_lossy(&status);
    let line = status.lines().find_map(|line| line.strip_prefix("Umask:"));
    line.and_then(|text| u32::from_str_radix(text.trim(), 8).ok()).unwrap_or(0o022)
}

impl Opened {
    /// Every place with its entry, and the directories that the archive takes for granted.
    fn places(&self) -> BTreeMap<&Path, Option<&Listed>> {
        let mut places: BTreeMap<&Path, Option<&Listed>> = BTreeMap::new();
        for (place, listed) in &self.listing.entries {
            for above in place.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
                places.entry(above).or_insert(None);
            }
            places.insert(place, Some(listed));
        }
        places
    }

    fn path(&self, place: &Path) -> PathBuf {
        if place.as_os_str().is_empty() { self.top.clone() } else { self.top.join(place) }
    }

    fn look(&self, place: &Path, listed: Option<&Listed>, host: &dyn Inspect) -> Result<Item, Failure> {
        let path = self.path(place);
        let kind = listed.map_or(&Kind::Directory, |listed| &listed.entry.kind);
        let mut item = Item { place: place.to_owned(), state: FileState::absent(&path), modified: None, hard: None };
        let Some(stat) = host.stat(&path)? else { return Ok(item) };
        item.state = FileState::observe(&path, Look::Outside, host)?;
        match (kind, stat.kind) {
            (Kind::Directory, FileKind::Link) => {
                if let Some(stat) = stat_followed(&path, host)?.filter(|stat| stat.kind == FileKind::Directory) {
                    item.state = FileState::from_stat(&path, &stat, host)?;
                }
            }
            (Kind::Directory, _) => {}
            (_, FileKind::Directory) => {
                return Err(Failure::new(format!("`{}` is a directory; the archive has something else there", path.display())));
            }
            (Kind::File | Kind::Hard(_), FileKind::File) => {
                let shown = self.content(listed).is_some_and(|content| content.bytes.is_some());
                let content = if shown {
                    Content::of(&host.read(&path, 4 * Content::SHOWN as u64)?)
                } else {
                    Content { sha256: host.digest(&path, "sha256")?, size: stat.size, bytes: None }
                };
                item.state.content = Some(content);
                item.modified = Some(stat.mtime.max(0.0) as u64);
                if let Kind::Hard(target) = kind {
                    let of = host.stat(&self.path(target))?;
                    item.hard = of.filter(|of| (of.ino, of.dev) == (stat.ino, stat.dev)).map(|_| target.clone());
                }
            }
            _ => {}
        }
        Ok(item)
    }

    /// The content of an entry; of a second name that of the first.
    fn content<'a>(&'a self, listed: Option<&'a Listed>) -> Option<&'a Content> {
        let listed = listed?;
        match &listed.entry.kind {
            Kind::Hard(target) => self.listing.entries.get(target)?.content.as_ref(),
            _ => listed.content.as_ref(),
        }
    }

    fn want(&self, listed: Option<&Listed>, now: &Item, options: &Options, wanted: &Wanted) -> Item {
        let state = &now.state;
        let Some(listed) = listed else {
            return Item { state: state.wanted(FileKind::Directory, &Wanted::default()), modified: None, ..now.clone() };
        };
        let entry = &listed.entry;
        let (kind, target) = match &entry.kind {
            Kind::Directory => (FileKind::Directory, None),
            Kind::Link(target) => (FileKind::Link, Some(target.clone())),
            Kind::File | Kind::Hard(_) | Kind::Special(_) => (FileKind::File, None),
        };
        let is_newer = options.keep_newer && now.modified > entry.modified && state.kind == Some(FileKind::File);
        if state.kind.is_some() && (self.extra.keep_old || is_newer) {
            let state = state.wanted(state.kind.unwrap_or(kind), wanted);
            return Item { state, modified: None, hard: None, ..now.clone() };
        }
        let is_kept = kind == FileKind::Directory && state.kind == Some(kind) && self.extra.no_overwrite_dir;
        let attributes = if is_kept { wanted.clone() } else { self.attributes(entry, kind, wanted) };
        let mut state = FileState { target, ..state.wanted(kind, &attributes) };
        let hard = match &entry.kind {
            Kind::Hard(target) => Some(target.clone()),
            _ => None,
        };
        let modified = entry.modified.filter(|_| entry.kind == Kind::File && !self.extra.touch);
        state.content = self.content(Some(listed)).cloned();
        Item { state, modified, hard, ..now.clone() }
    }

    /// Owner, group and mode: what the options say, else what the archive says.
    fn attributes(&self, entry: &Entry, kind: FileKind, wanted: &Wanted) -> Wanted {
        let own = entry.mode.map(|mode| mode & !self.masked);
        let usual = if kind == FileKind::Directory { 0o755 } else { 0o644 };
        let mode = match &wanted.mode {
            Some(mode) => Some(Mode::of(mode.bits(own.unwrap_or(usual), kind == FileKind::Directory))),
            None => own.map(Mode::of),
        };
        let owner = entry.owner.as_ref().and_then(|owner| self.owners.get(owner));
        Wanted {
            owner: wanted.owner.clone().or_else(|| owner.map(|(user, _)| user.clone())),
            group: wanted.group.clone().or_else(|| owner.map(|(_, group)| group.clone())),
            mode,
        }
    }
}

/// An item whose kind, content or link is not as it should be.
fn differs_inside(now: &Item, want: &Item) -> bool {
    now.state.differs_inside(&want.state) || want.state.target.is_some() && now.state.target != want.state.target
}

impl Resource for Unarchive {
    type Args = Args;
    type State = State;

    fn guard(args: &Args, host: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        let guarded = guard(args.options.creates.as_deref(), None, None, host);
        Ok(guarded.map(|guarded| {
            let message = format!("skipped, since {} exists", guarded.path);
            Outcome::new(Ending::Skipped, Map::from_iter([("msg".to_owned(), message.into())]))
        }))
    }

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let opened = args.open(host)?;
        *args.opened.borrow_mut() = Some(Rc::new(opened));
        Ok(Prepared::default())
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let opened = args.opened();
        let dest = FileState::observe(&opened.top, Look::Outside, host)?;
        let items = opened.places().into_iter().map(|(place, listed)| opened.look(place, listed, host));
        Ok(State { dest, items: items.collect::<Result<_, _>>()?, wanted: args.options.wanted_attributes().look_up(host)? })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let opened = args.opened();
        let places = opened.places();
        let want = |item: &Item| {
            let listed = places.get(item.place.as_path()).copied().flatten();
            opened.want(listed, item, &args.options, &now.wanted)
        };
        Ok(State { items: now.items.iter().map(want).collect(), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let opened = args.opened();
        let items: Vec<(&Item, &Item)> = step.now.items.iter().zip(&step.want.items).collect();
        let mut new_directories: BTreeSet<&Path> = BTreeSet::new();
        for (now, want) in &items {
            if want.state.kind == Some(FileKind::Directory) && now.state.kind != want.state.kind {
                if now.state.kind.is_some() {
                    host.remove(&now.state.path)?;
                }
                // Its own attributes may not let anything be put into it: they come last.
                host.make_directory(&want.state.path, &crate::host::Attributes::default())?;
                new_directories.insert(&want.place);
            }
        }
        unpack(&opened, &items, host)?;
        for (now, want) in items.iter().rev() {
            let path = &want.state.path;
            let is_new = now.state.kind != want.state.kind;
            if is_new && want.state.kind != Some(FileKind::File) || !is_new && now.state.differs_outside(&want.state) {
                host.set_attributes(path, &want.state.attributes())?;
            }
            if want.modified.is_some() && (now.modified != want.modified || differs_inside(now, want)) {
                host.set_times(path, None, want.modified.map(|seconds| seconds as f64))?;
            }
        }
        let times = opened.listing.entries.iter().rev().filter(|_| !opened.extra.touch);
        for (place, listed) in times {
            let is_new = new_directories.contains(place.as_path());
            if let Some(modified) = listed.entry.modified.filter(|_| is_new) {
                host.set_times(&opened.path(place), None, Some(modified as f64))?;
            }
        }
        host.sync(&opened.top)?;
        Ok(Written::quiet().with("extract_results", json!({"cmd": [], "rc": 0, "out": "", "err": ""})))
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let opened = args.opened();
        let mut result = after.dest.result();
        result.insert("dest".into(), args.options.dest.display().to_string().into());
        result.insert("src".into(), args.options.src.as_str().into());
        result.insert("handler".into(), opened.format.handler().into());
        if args.options.list_files {
            result.insert("files".into(), opened.listing.names.clone().into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let options = &args.options;
        let mut claims = state::claims(&options.dest, options.owner.as_deref(), options.group.as_deref());
        claims.needs.push(state::resource_id(&options.dest));
        if options.remote_src {
            claims.needs.push(state::resource_id(Path::new(&options.src)));
        }
        claims
    }
}

/// Goes through the archive once more and puts what differs in its place.
fn unpack(opened: &Opened, items: &[(&Item, &Item)], host: &mut dyn Host) -> Result<(), Failure> {
    let mut todo: BTreeMap<usize, &Item> = BTreeMap::new();
    let mut rewritten: BTreeSet<&Path> = BTreeSet::new();
    for (now, want) in items {
        let Some(listed) = opened.listing.entries.get(&want.place) else { continue };
        if want.state.kind != Some(FileKind::Directory) && differs_inside(now, want) {
            todo.insert(listed.index, want);
            rewritten.insert(&want.place);
        }
    }
    for (now, want) in items {
        // A second name must be given again when the first is replaced.
        let Some(target) = &want.hard else { continue };
        if now.hard != want.hard || rewritten.contains(target.as_path()) {
            todo.insert(opened.listing.entries[&want.place].index, want);
        }
    }
    if todo.is_empty() {
        return Ok(());
    }
    let mut links = Vec::new();
    unpacked(opened.format, opened.archive.rewound()?, host.inspect())?.walk(&mut |index, entry, content| {
        let Some(item) = todo.get(&index) else { return Ok(()) };
        if entry.kind != Kind::File {
            links.push(*item);
            return Ok(());
        }
        let content = RefCell::new(content);
        let file = FileWrite { path: &item.state.path, content: b"", attributes: item.state.attributes(), validate: None };
        host.write_from(&Source::Part(&content), &file)
    })?;
    // They come last, so that nothing goes through one of them.
    for item in links {
        match (&item.hard, &item.state.target) {
            (Some(target), _) => host.hard_link(&opened.path(target), &item.state.path)?,
            (None, Some(target)) => host.symlink(target, &item.state.path)?,
            (None, None) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
