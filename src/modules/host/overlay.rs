//! A plan's host: what earlier tasks would have done, laid over what is there.
//!
//! Every write is recorded and every later look sees it; nothing below is ever touched.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use super::digest::{Digester, digest_bytes};
use super::paths::{Last, resolve};
use super::{
    Attributes, CommandLine, Effect, FileKind, FileStat, FileWrite, Group, Host, Inspect, Output, Package, ServiceManager,
    Source, Stream, Thing, Unit, User, access_by_mode, default_file_mode, http, no_algorithm, too_large,
};
use crate::change::ResourceId;
use crate::outcome::Failure;

/// Where the content of a recorded file is.
#[derive(Debug, Clone)]
enum Body {
    /// Not a regular file.
    None,
    /// Here.
    Bytes(Rc<[u8]>),
    /// Below, in the file of this path.
    Below(PathBuf),
    /// With the controller, by digest.
    Offered(String),
    /// Nowhere yet: why it cannot be known.
    Unknown(String),
    /// Not kept, for its size; its SHA-256 is known.
    Digest(Box<(String, String)>),
}

/// What a plan says about one path.
#[derive(Debug, Clone)]
enum Entry {
    /// Nothing is there, nor beneath it.
    Gone,
    /// This is there. `fresh`: whatever lies below this path is hidden.
    Here { stat: FileStat, body: Body, fresh: bool, xattrs: BTreeMap<String, Vec<u8>> },
}

/// A host on which acting only records.
#[derive(Debug)]
pub struct Overlay<B: Inspect> {
    below: B,
    entries: BTreeMap<PathBuf, Entry>,
    users: BTreeMap<String, Option<User>>,
    groups: BTreeMap<String, Option<Group>>,
    packages: BTreeMap<String, Option<Package>>,
    units: BTreeMap<String, Unit>,
    things: BTreeMap<ResourceId, Thing>,
    /// Accounts that planned packages may make, in the order of the numbers that stand for them.
    awaited: RefCell<Vec<String>>,
    /// Whether an earlier task would refresh package lists.
    lists_changed: bool,
    /// Whether it is not known what an earlier task does.
    in_doubt: bool,
    next_inode: u64,
    /// Bytes of content from streams that are kept.
    kept: u64,
}

/// Largest content (bytes) of one file that a plan keeps.
const LARGEST_RECORDED: u64 = 4 << 20;
/// Most content from streams (bytes) that a plan keeps.
const MOST_RECORDED: u64 = 32 << 20;
/// Where package managers are told where their lists come from.
const LIST_SOURCES: [&str; 9] = [
    "/etc/apt",
    "/etc/yum.repos.d",
    "/etc/dnf",
    "/etc/yum.conf",
    "/etc/zypp",
    "/etc/pacman.conf",
    "/etc/pacman.d",
    "/etc/apk",
    "/var/lib/apt",
];
/// Inode numbers of recorded files start here, out of the way of real ones.
const FIRST_INODE: u64 = 1 << 62;
/// Numbers of accounts that planned packages may make start here.
const FIRST_AWAITED: u32 = 4_000_000_000;

impl<B: Inspect> Overlay<B> {
    /// An overlay without any record yet.
    pub fn new(below: B) -> Self {
        Self {
            below,
            entries: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            packages: BTreeMap::new(),
            units: BTreeMap::new(),
            things: BTreeMap::new(),
            awaited: RefCell::default(),
            lists_changed: false,
            in_doubt: false,
            next_inode: FIRST_INODE,
            kept: 0,
        }
    }

    /// What an earlier task does here is not known.
    pub fn doubt(&mut self) {
        self.in_doubt = true;
    }

    /// What lies below.
    pub fn below(&self) -> &B {
        &self.below
    }

    /// What lies below, e.g. to set its deadline.
    pub fn below_mut(&mut self) -> &mut B {
        &mut self.below
    }

    /// What is at a path whose directories contain no links.
    fn look(&self, path: &Path) -> Result<Option<FileStat>, Failure> {
        match self.entries.get(path) {
            Some(Entry::Gone) => return Ok(None),
            Some(Entry::Here { stat, .. }) => return Ok(Some(stat.clone())),
            None => {}
        }
        if self.is_hidden(path) { Ok(None) } else { self.below.stat(path) }
    }

    /// Whether what lies below this path is out of sight.
    fn is_hidden(&self, path: &Path) -> bool {
        path.ancestors().skip(1).any(|above| match self.entries.get(above) {
            Some(Entry::Gone) => true,
            Some(Entry::Here { stat, fresh, .. }) => *fresh || stat.kind != FileKind::Directory,
            None => false,
        })
    }

    fn find(&self, path: &Path, last: Last) -> Result<PathBuf, Failure> {
        resolve(path, last, &|path| self.look(path))
    }

    fn place(&self, doing: &str, path: &Path) -> Result<PathBuf, Failure> {
        let place = self.find(path, Last::Keep)?;
        match place.parent().map(|parent| self.look(parent)).transpose()?.flatten() {
            Some(parent) if parent.kind == FileKind::Directory => Ok(place),
            Some(_) => Err(Failure::at(doing, path, "Not a directory")),
            None => Err(Failure::at(doing, path, "No such file or directory")),
        }
    }

    fn new_stat(&mut self, kind: FileKind, mode: u32) -> FileStat {
        let (uid, gid) = self.below.whoami();
        let now = self.below.now();
        self.next_inode += 1;
        FileStat {
            kind,
            mode,
            uid,
            gid,
            size: 0,
            atime: now,
            mtime: now,
            ctime: now,
            dev: 0,
            ino: self.next_inode,
            nlink: 1,
            device: 0,
            storage: None,
            target: None,
        }
    }

    /// Where the content of an existing file is, and its length.
    fn body(&self, place: &Path) -> Result<Option<(FileStat, Body)>, Failure> {
        Ok(match self.entries.get(place) {
            Some(Entry::Gone) => None,
            Some(Entry::Here { stat, body, .. }) => Some((stat.clone(), body.clone())),
            None => self.look(place)?.map(|stat| {
                let body = if stat.kind == FileKind::File { Body::Below(place.to_owned()) } else { Body::None };
                (stat, body)
            }),
        })
    }

    /// A file for reading.
    fn open_body(&self, path: &Path) -> Result<(FileStat, Body), Failure> {
        match self.body(&self.find(path, Last::Follow)?)? {
            None => Err(Failure::at("read", path, "No such file or directory")),
            Some((stat, _)) if stat.kind == FileKind::Directory => Err(Failure::at("read", path, "Is a directory")),
            Some((stat, body)) => Ok((stat, body)),
        }
    }

    /// The entry of an existing path, taken up from below where it has none yet.
    fn take_up(&mut self, path: &Path) -> Result<&mut FileStat, Failure> {
        let place = self.find(path, Last::Keep)?;
        if !matches!(self.entries.get(&place), Some(Entry::Here { .. })) {
            let (stat, body) = self.body(&place)?.ok_or_else(|| Failure::at("change", path, "No such file or directory"))?;
            let xattrs = self.below.xattrs(&place);
            self.entries.insert(place.clone(), Entry::Here { stat, body, fresh: false, xattrs });
        }
        match self.entries.get_mut(&place) {
            Some(Entry::Here { stat, .. }) => Ok(stat),
            _ => unreachable!("the entry was just taken up"),
        }
    }

    fn put(&mut self, file: &FileWrite<'_>, body: Body, size: u64) -> Result<(), Failure> {
        self.await_directories(file.path)?;
        let place = self.place("write", file.path)?;
        let old = self.look(&place)?;
        if old.as_ref().is_some_and(|old| old.kind == FileKind::Directory) {
            return Err(Failure::at("write", file.path, "Is a directory"));
        }
        let xattrs = if old.is_some() { self.xattrs(&place) } else { BTreeMap::new() };
        let mut stat = self.new_stat(FileKind::File, default_file_mode(0o022));
        stat.size = size;
        if let Some(old) = old.filter(|old| old.kind == FileKind::File) {
            (stat.mode, stat.uid, stat.gid) = (old.mode, old.uid, old.gid);
        }
        set(&mut stat, &file.attributes);
        self.entries.insert(place, Entry::Here { stat, body, fresh: true, xattrs });
        Ok(())
    }

    /// The account that a number stands for.
    fn awaited_name(&self, id: u32) -> Option<String> {
        let place = usize::try_from(id.checked_sub(FIRST_AWAITED)?).ok()?;
        self.awaited.borrow().get(place).cloned()
    }

    /// Records the directories above a path that only a planned package can bring.
    fn await_directories(&mut self, path: &Path) -> Result<(), Failure> {
        if !self.awaits_files() {
            return Ok(());
        }
        let place = self.find(path, Last::Keep)?;
        for above in place.ancestors().skip(1) {
            if self.look(above)?.is_some() {
                break;
            }
            let stat = self.new_stat(FileKind::Directory, 0o755);
            let entry = Entry::Here { stat, body: Body::None, fresh: true, xattrs: BTreeMap::new() };
            self.entries.insert(above.to_owned(), entry);
        }
        Ok(())
    }

    /// Content from a stream, kept as long as there is room; of what is too large only length and digest.
    fn record_stream(&mut self, path: &Path, stream: &mut dyn Read) -> Result<(Body, u64), Failure> {
        let broken = |error| Failure::at("write", path, error);
        let room = LARGEST_RECORDED.min(MOST_RECORDED - self.kept);
        let mut bytes = Vec::new();
        let mut size = (&mut *stream).take(room).read_to_end(&mut bytes).map_err(broken)? as u64;
        if size < room {
            self.kept += size;
            return Ok((Body::Bytes(bytes.into()), size));
        }
        let mut digester = Digester::new("sha256").expect("it is a known algorithm");
        digester.update(&bytes);
        bytes.resize(64 << 10, 0);
        loop {
            let count = stream.read(&mut bytes).map_err(broken)?;
            if count == 0 {
                let reason = format!("the content of `{}` is too large for a plan", path.display());
                return Ok((Body::Digest(Box::new((digester.finish(), reason))), size));
            }
            digester.update(&bytes[..count]);
            size += count as u64;
        }
    }

    /// Adds and removes the memberships of an account.
    fn set_memberships(&mut self, name: &str, groups: &[String]) -> Result<(), Failure> {
        let before = self.user(name)?.map(|user| user.groups).unwrap_or_default();
        let touched: BTreeSet<&String> = before.iter().chain(groups).collect();
        for group in touched {
            let Some(mut group) = self.group(group)? else { continue };
            group.members.retain(|member| member != name);
            if groups.contains(&group.name) {
                group.members.push(name.to_owned());
                group.members.sort();
            }
            self.groups.insert(group.name.clone(), Some(group));
        }
        Ok(())
    }

    /// An account with the memberships that the recorded groups give it.
    fn complete(&self, mut user: User) -> User {
        for (name, group) in &self.groups {
            user.groups.retain(|other| other != name);
            if group.as_ref().is_some_and(|group| group.members.contains(&user.name)) {
                user.groups.push(name.clone());
            }
        }
        user.groups.sort();
        user
    }

    fn record(&mut self, effect: &Effect) -> Result<(), Failure> {
        match effect {
            Effect::User(user) => {
                self.set_memberships(&user.name, &user.groups)?;
                self.users.insert(user.name.clone(), Some(user.clone()));
            }
            Effect::NoUser(name) => {
                self.set_memberships(name, &[])?;
                self.users.insert(name.clone(), None);
            }
            Effect::Group(group) => {
                self.groups.insert(group.name.clone(), Some(group.clone()));
            }
            Effect::NoGroup(name) => {
                self.groups.insert(name.clone(), None);
            }
            Effect::Package(package) => {
                self.packages.insert(package.name.clone(), Some(package.clone()));
            }
            Effect::NoPackage(name) => {
                self.packages.insert(name.clone(), None);
            }
            Effect::Unit(unit) => {
                self.units.insert(unit.name.clone(), unit.clone());
            }
            Effect::File(path, content, mode) => {
                let attributes = Attributes { mode: Some(*mode), ..Attributes::default() };
                self.write(&FileWrite { path, content, attributes, validate: None })?;
            }
            Effect::Directory(path, mode, uid, gid) => {
                if self.stat(path)?.is_none() {
                    self.make_directory(path, &Attributes::default())?;
                }
                self.set_attributes(path, &Attributes { mode: Some(*mode), uid: Some(*uid), gid: Some(*gid) })?;
            }
            Effect::NoPath(path) => {
                if self.stat(path)?.is_some() {
                    self.remove(path)?;
                }
            }
            Effect::PackageLists => self.lists_changed = true,
            Effect::Thing(id, thing) => {
                self.things.insert(id.clone(), thing.clone());
            }
        }
        Ok(())
    }
}

fn set(stat: &mut FileStat, attributes: &Attributes) {
    stat.mode = attributes.mode.unwrap_or(stat.mode);
    stat.uid = attributes.uid.unwrap_or(stat.uid);
    stat.gid = attributes.gid.unwrap_or(stat.gid);
}

impl<B: Inspect> Inspect for Overlay<B> {
    fn stat(&self, path: &Path) -> Result<Option<FileStat>, Failure> {
        if self.entries.is_empty() {
            return self.below.stat(path);
        }
        self.look(&self.find(path, Last::Keep)?)
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        let (stat, body) = self.open_body(path)?;
        if stat.size > limit {
            return Err(too_large(path, stat.size, limit));
        }
        match body {
            Body::None => Err(Failure::at("read", path, "Is not a regular file")),
            Body::Bytes(bytes) => Ok(bytes.to_vec()),
            Body::Below(below) => self.below.read(&below, limit),
            Body::Offered(sha256) => self.below.blob(&sha256),
            Body::Unknown(reason) => Err(Failure::unknown(reason)),
            Body::Digest(known) => Err(Failure::unknown(known.1)),
        }
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Stream>, Failure> {
        match self.open_body(path)?.1 {
            Body::None => Err(Failure::at("read", path, "Is not a regular file")),
            Body::Bytes(bytes) => Ok(Box::new(Cursor::new(bytes.to_vec()))),
            Body::Below(below) => self.below.open(&below),
            Body::Offered(sha256) => Ok(Box::new(Cursor::new(self.below.blob(&sha256)?))),
            Body::Unknown(reason) => Err(Failure::unknown(reason)),
            Body::Digest(known) => Err(Failure::unknown(known.1)),
        }
    }

    fn filter(&self, command: &CommandLine, input: Box<dyn Stream>) -> Result<Box<dyn Read>, Failure> {
        self.below.filter(command, input)
    }

    fn digest(&self, path: &Path, algorithm: &str) -> Result<String, Failure> {
        let bytes = match self.open_body(path)?.1 {
            Body::None => return Err(Failure::at("read", path, "Is not a regular file")),
            Body::Below(below) => return self.below.digest(&below, algorithm),
            Body::Offered(sha256) if algorithm == "sha256" => return Ok(sha256),
            Body::Digest(known) if algorithm == "sha256" => return Ok(known.0),
            Body::Offered(sha256) => self.below.blob(&sha256)?.into(),
            Body::Bytes(bytes) => bytes,
            Body::Unknown(reason) => return Err(Failure::unknown(reason)),
            Body::Digest(known) => return Err(Failure::unknown(known.1)),
        };
        digest_bytes(&bytes, algorithm).ok_or_else(|| no_algorithm(algorithm))
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, Failure> {
        let directory = self.find(path, Last::Follow)?;
        match self.look(&directory)? {
            None => return Err(Failure::at("list", path, "No such file or directory")),
            Some(stat) if stat.kind != FileKind::Directory => return Err(Failure::at("list", path, "Not a directory")),
            Some(_) => {}
        }
        let hidden = matches!(self.entries.get(&directory), Some(Entry::Here { fresh: true, .. })) || self.is_hidden(&directory);
        let mut names: BTreeSet<String> =
            if hidden { BTreeSet::new() } else { self.below.list(&directory)?.into_iter().collect() };
        let recorded = self.entries.range(directory.clone()..).take_while(|(path, _)| path.starts_with(&directory));
        for (path, entry) in recorded.filter(|(path, _)| path.parent() == Some(&directory)) {
            let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
            match entry {
                Entry::Gone => names.remove(&name),
                Entry::Here { .. } => names.insert(name),
            };
        }
        Ok(names.into_iter().collect())
    }

    fn access(&self, path: &Path) -> [bool; 3] {
        let Ok(place) = self.find(path, Last::Follow) else { return [false; 3] };
        match self.entries.get(&place) {
            Some(Entry::Gone) => [false; 3],
            Some(Entry::Here { stat, .. }) => access_by_mode(stat.kind, stat.mode, stat.uid, stat.gid, self.below.whoami()),
            None if self.is_hidden(&place) => [false; 3],
            None => self.below.access(&place),
        }
    }

    fn xattrs(&self, path: &Path) -> BTreeMap<String, Vec<u8>> {
        let Ok(place) = self.find(path, Last::Follow) else { return BTreeMap::new() };
        match self.entries.get(&place) {
            Some(Entry::Gone) => BTreeMap::new(),
            Some(Entry::Here { xattrs, .. }) => xattrs.clone(),
            None if self.is_hidden(&place) => BTreeMap::new(),
            None => self.below.xattrs(&place),
        }
    }

    fn query(&self, command: &CommandLine) -> Result<Output, Failure> {
        self.below.query(command)
    }

    fn user(&self, name: &str) -> Result<Option<User>, Failure> {
        let user = match self.users.get(name) {
            Some(user) => user.clone(),
            None => self.below.user(name)?,
        };
        Ok(user.map(|user| self.complete(user)))
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<User>, Failure> {
        let recorded = self.users.values().flatten().find(|user| user.uid == uid).cloned();
        let user = match recorded {
            Some(user) => Some(user),
            None => match self.awaited_name(uid) {
                Some(name) => Some(User { name, uid, ..User::default() }),
                None => self.below.user_by_id(uid)?.filter(|user| !self.users.contains_key(&user.name)),
            },
        };
        Ok(user.map(|user| self.complete(user)))
    }

    fn group(&self, name: &str) -> Result<Option<Group>, Failure> {
        self.groups.get(name).map_or_else(|| self.below.group(name), |group| Ok(group.clone()))
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<Group>, Failure> {
        let recorded = self.groups.values().flatten().find(|group| group.gid == gid).cloned();
        match recorded {
            Some(group) => Ok(Some(group)),
            None if self.awaited_name(gid).is_some() => {
                Ok(self.awaited_name(gid).map(|name| Group { name, gid, ..Group::default() }))
            }
            None => Ok(self.below.group_by_id(gid)?.filter(|group| !self.groups.contains_key(&group.name))),
        }
    }

    fn package(&self, name: &str) -> Result<Option<Package>, Failure> {
        let plain = name.split(':').next().unwrap_or(name);
        self.packages.get(plain).map_or_else(|| self.below.package(name), |package| Ok(package.clone()))
    }

    fn planned_packages(&self) -> Vec<(String, Option<Package>)> {
        self.packages.iter().map(|(name, package)| (name.clone(), package.clone())).collect()
    }

    fn awaited_account(&self, name: &str) -> Option<u32> {
        if !self.awaits_files() {
            return None;
        }
        let mut awaited = self.awaited.borrow_mut();
        let place = awaited.iter().position(|known| known == name).unwrap_or_else(|| {
            awaited.push(name.to_owned());
            awaited.len() - 1
        });
        u32::try_from(place).ok().map(|place| FIRST_AWAITED + place)
    }

    /// A unit; after a package was planned, a unit that is not there yet counts as one that the
    /// package brings, enabled and running as Debian's packages leave theirs.
    fn unit(&self, name: &str) -> Result<Unit, Failure> {
        let full = super::unit_name(name);
        if let Some(unit) = self.units.get(&full) {
            return Ok(unit.clone());
        }
        let mut unit = self.below.unit(name)?;
        if !unit.exists && self.packages.values().flatten().any(|package| package.planned) {
            unit.exists = true;
            unit.active = "active".into();
            unit.enabled = "enabled".into();
            let assumed = [("LoadState", "loaded"), ("ActiveState", "active"), ("UnitFileState", "enabled"), ("Planned", "yes")];
            unit.properties.extend(assumed.map(|(name, value)| (name.to_owned(), value.to_owned())));
        }
        Ok(unit)
    }

    fn thing(&self, id: &ResourceId) -> Option<Thing> {
        self.things.get(id).cloned().or_else(|| self.below.thing(id))
    }

    fn service_manager(&self) -> ServiceManager {
        self.below.service_manager()
    }

    fn blob(&self, sha256: &str) -> Result<Vec<u8>, Failure> {
        self.below.blob(sha256)
    }

    fn whoami(&self) -> (u32, u32) {
        self.below.whoami()
    }

    fn now(&self) -> f64 {
        self.below.now()
    }

    fn env(&self, name: &str) -> Option<String> {
        self.below.env(name)
    }

    fn acts(&self) -> bool {
        false
    }

    fn has_plans(&self) -> bool {
        self.in_doubt
            || self.lists_changed
            || !self.entries.is_empty()
            || !self.users.is_empty()
            || !self.groups.is_empty()
            || !self.packages.is_empty()
            || !self.units.is_empty()
            || !self.things.is_empty()
    }

    fn lists_are_current(&self) -> bool {
        let is_source = |path: &PathBuf| LIST_SOURCES.iter().any(|source| path.starts_with(source));
        !self.lists_changed && !self.in_doubt && !self.entries.keys().any(is_source)
    }
}

impl<B: Inspect> Host for Overlay<B> {
    fn write(&mut self, file: &FileWrite<'_>) -> Result<(), Failure> {
        self.put(file, Body::Bytes(file.content.into()), file.content.len() as u64)
    }

    fn write_from(&mut self, source: &Source<'_>, file: &FileWrite<'_>) -> Result<(), Failure> {
        match source {
            Source::Offered { sha256, size } => self.put(file, Body::Offered((*sha256).to_owned()), *size),
            Source::File(path) => {
                let (stat, body) = self.open_body(path)?;
                self.put(file, body, stat.size)
            }
            Source::Stream(stream) | Source::Part(stream) => {
                let (body, size) = self.record_stream(file.path, &mut *stream.borrow_mut())?;
                self.put(file, body, size)
            }
            Source::Unknown(reason) => self.put(file, Body::Unknown((*reason).to_owned()), 0),
        }
    }

    fn set_attributes(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure> {
        let stat = self.take_up(path)?;
        let mode = attributes.mode.filter(|_| stat.kind != FileKind::Link);
        set(stat, &Attributes { mode, ..*attributes });
        Ok(())
    }

    fn set_times(&mut self, path: &Path, atime: Option<f64>, mtime: Option<f64>) -> Result<(), Failure> {
        let stat = self.take_up(path)?;
        stat.atime = atime.unwrap_or(stat.atime);
        stat.mtime = mtime.unwrap_or(stat.mtime);
        Ok(())
    }

    fn make_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure> {
        let place = self.place("create directory", path)?;
        if self.look(&place)?.is_some() {
            return Err(Failure::at("create directory", path, "File exists"));
        }
        let mut stat = self.new_stat(FileKind::Directory, 0o755);
        set(&mut stat, attributes);
        self.entries.insert(place, Entry::Here { stat, body: Body::None, fresh: true, xattrs: BTreeMap::new() });
        Ok(())
    }

    fn symlink(&mut self, target: &Path, path: &Path) -> Result<(), Failure> {
        self.await_directories(path)?;
        let place = self.place("link", path)?;
        if self.look(&place)?.is_some_and(|stat| stat.kind == FileKind::Directory) {
            return Err(Failure::at("link", path, "Is a directory"));
        }
        let mut stat = self.new_stat(FileKind::Link, 0o777);
        stat.size = target.as_os_str().len() as u64;
        stat.target = Some(target.to_owned());
        self.entries.insert(place, Entry::Here { stat, body: Body::None, fresh: true, xattrs: BTreeMap::new() });
        Ok(())
    }

    fn hard_link(&mut self, source: &Path, path: &Path) -> Result<(), Failure> {
        let from = self.find(source, Last::Keep)?;
        let (mut stat, body) = self.body(&from)?.ok_or_else(|| Failure::at("link", source, "No such file or directory"))?;
        let place = self.place("link", path)?;
        if self.look(&place)?.is_some_and(|stat| stat.kind == FileKind::Directory) {
            return Err(Failure::at("link", path, "Is a directory"));
        }
        stat.nlink += 1;
        let xattrs = self.xattrs(&from);
        self.entries.insert(place, Entry::Here { stat, body, fresh: true, xattrs });
        Ok(())
    }

    fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        let place = self.find(path, Last::Keep)?;
        if self.look(&place)?.is_none() {
            return Err(Failure::at("remove", path, "No such file or directory"));
        }
        self.entries.retain(|name, _| !name.starts_with(&place));
        self.entries.insert(place, Entry::Gone);
        Ok(())
    }

    fn copy(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let source = self.find(from, Last::Follow)?;
        let (mut stat, body) = self.open_body(from)?;
        let xattrs = self.xattrs(&source);
        let place = self.place("copy to", to)?;
        self.next_inode += 1;
        (stat.ino, stat.nlink) = (self.next_inode, 1);
        self.entries.insert(place, Entry::Here { stat, body, fresh: true, xattrs });
        Ok(())
    }

    fn act(&mut self, _command: &CommandLine, effects: &[Effect]) -> Result<Output, Failure> {
        effects.iter().try_for_each(|effect| self.record(effect))?;
        Ok(Output::default())
    }

    fn send(&mut self, request: &http::Request) -> Result<http::Reply, Failure> {
        Err(Failure::unknown(format!("what `{}` answers is known only when it is applied", http::without_secret(&request.url))))
    }

    fn sync(&mut self, _: &Path) -> Result<(), Failure> {
        Ok(())
    }

    fn inspect(&self) -> &dyn Inspect {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryHost;
    use super::*;

    fn overlay() -> Overlay<MemoryHost> {
        let mut host = MemoryHost::default();
        host.add_file("/etc/a", "old\n").mode = 0o600;
        host.add_file("/etc/d/one", "1");
        host.add_link("/link", "etc");
        Overlay::new(host)
    }

    fn write(host: &mut dyn Host, path: &str, content: &str) -> Result<(), Failure> {
        host.write(&FileWrite {
            path: Path::new(path),
            content: content.as_bytes(),
            attributes: Attributes::default(),
            validate: None,
        })
    }

    #[test]
    fn later_looks_see_what_was_written_and_nothing_below_is_touched() {
        let mut host = overlay();
        let before = host.below().clone();
        write(&mut host, "/link/a", "new\n").unwrap();
        host.make_directory(Path::new("/etc/new"), &Attributes { mode: Some(0o700), ..Attributes::default() }).unwrap();
        write(&mut host, "/etc/new/file", "x").unwrap();
        assert_eq!(host.read(Path::new("/etc/a"), 99).unwrap(), b"new\n");
        assert_eq!(host.stat(Path::new("/etc/a")).unwrap().unwrap().mode, 0o600);
        assert_eq!(host.list(Path::new("/link")).unwrap(), ["a", "d", "new"]);
        assert_eq!(host.list(Path::new("/link/new")).unwrap(), ["file"]);
        assert!(!host.acts());
        assert_eq!(*host.below(), before);
    }

    #[test]
    fn a_removed_directory_that_is_made_again_is_empty() {
        let mut host = overlay();
        host.remove(Path::new("/etc/d")).unwrap();
        assert_eq!(host.stat(Path::new("/etc/d/one")).unwrap(), None);
        assert!(write(&mut host, "/etc/d/two", "2").is_err());
        host.make_directory(Path::new("/etc/d"), &Attributes::default()).unwrap();
        assert_eq!(host.list(Path::new("/etc/d")).unwrap(), Vec::<String>::new());
        assert_eq!(host.list(Path::new("/etc")).unwrap(), ["a", "d"]);
    }

    #[test]
    fn changed_attributes_keep_content_and_contents() {
        let mut host = overlay();
        let mode = Attributes { mode: Some(0o640), ..Attributes::default() };
        host.set_attributes(Path::new("/etc/a"), &mode).unwrap();
        host.set_attributes(Path::new("/etc/d"), &mode).unwrap();
        assert_eq!(host.read(Path::new("/etc/a"), 99).unwrap(), b"old\n");
        assert_eq!(host.list(Path::new("/etc/d")).unwrap(), ["one"]);
        assert_eq!(host.stat(Path::new("/etc/d")).unwrap().unwrap().mode, 0o640);
    }

    #[test]
    fn offered_content_is_fetched_only_when_it_is_read() {
        let mut host = overlay();
        let sha256 = crate::change::sha256(b"big");
        let file = FileWrite { path: Path::new("/etc/big"), content: b"", attributes: Attributes::default(), validate: None };
        host.write_from(&Source::Offered { sha256: &sha256, size: 3 }, &file).unwrap();
        assert_eq!(host.digest(Path::new("/etc/big"), "sha256").unwrap(), sha256);
        assert_eq!(host.stat(Path::new("/etc/big")).unwrap().unwrap().size, 3);
        assert!(host.read(Path::new("/etc/big"), 99).is_err());
        host.below_mut().offer("big");
        assert_eq!(host.read(Path::new("/etc/big"), 99).unwrap(), b"big");
    }

    #[test]
    fn of_streams_that_are_too_large_the_digest_is_known() {
        let mut host = overlay();
        for (length, known) in [(3_u64, true), (LARGEST_RECORDED + 1, false)] {
            let content = std::cell::RefCell::new(std::io::repeat(b'x').take(length));
            let file = FileWrite { path: Path::new("/etc/s"), content: b"", attributes: Attributes::default(), validate: None };
            host.write_from(&Source::Stream(&content), &file).unwrap();
            let bytes = vec![b'x'; usize::try_from(length).unwrap()];
            assert_eq!(host.digest(Path::new("/etc/s"), "sha256").unwrap(), crate::change::sha256(&bytes));
            assert_eq!(host.read(Path::new("/etc/s"), u64::MAX).is_ok(), known);
        }
        assert!(host.read(Path::new("/etc/s"), u64::MAX).unwrap_err().unknown);
    }

    #[test]
    fn planned_accounts_are_seen() {
        let mut host = overlay();
        let none = CommandLine::default();
        let wheel = Group { name: "wheel".into(), gid: 10, members: Vec::new() };
        let alice = User { name: "alice".into(), uid: 1000, groups: vec!["wheel".into()], ..User::default() };
        host.act(&none, &[Effect::Group(wheel), Effect::User(alice)]).unwrap();
        assert_eq!(host.user("alice").unwrap().unwrap().groups, ["wheel"]);
        assert_eq!(host.group("wheel").unwrap().unwrap().members, ["alice"]);
        host.act(&none, &[Effect::NoUser("alice".into())]).unwrap();
        assert_eq!(host.user_by_id(1000).unwrap(), None);
        assert_eq!(host.group("wheel").unwrap().unwrap().members, Vec::<String>::new());
    }

    #[test]
    fn a_planned_package_may_bring_directories_and_accounts() {
        let mut host = overlay();
        assert!(write(&mut host, "/opt/web/conf/file", "x").is_err());
        assert_eq!(host.awaited_account("web"), None);
        let web = Package { name: "web".into(), planned: true, ..Package::default() };
        host.act(&CommandLine::default(), &[Effect::Package(web)]).unwrap();
        write(&mut host, "/opt/web/conf/file", "x").unwrap();
        assert_eq!(host.list(Path::new("/opt/web/conf")).unwrap(), ["file"]);
        let (web, www) = (host.awaited_account("web").unwrap(), host.awaited_account("www").unwrap());
        assert_ne!(web, www);
        assert_eq!(host.awaited_account("web"), Some(web));
        assert_eq!(host.user_by_id(web).unwrap().unwrap().name, "web");
        assert_eq!(host.group_by_id(www).unwrap().unwrap().name, "www");
        assert_eq!(host.user("web").unwrap(), None);
    }

    #[test]
    fn a_planned_package_brings_its_unit() {
        let mut host = overlay();
        assert!(!host.unit("nginx").unwrap().exists);
        let nginx = Package { name: "nginx".into(), planned: true, ..Package::default() };
        host.act(&CommandLine::default(), &[Effect::Package(nginx)]).unwrap();
        assert!(host.package("nginx").unwrap().is_some());
        assert_eq!(host.unit("nginx").unwrap().active, "active");
    }
}
