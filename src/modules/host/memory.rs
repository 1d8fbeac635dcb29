//! A host in memory: what tests apply modules to.
//!
//! It has files with attributes, accounts, packages and units; commands are not run, but answered
//! from a script. Two copies can be compared, so that a test can show that nothing was touched.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::digest::digest_bytes;
use super::paths::{Last, resolve};
use super::{
    Attributes, CommandLine, Effect, FileKind, FileStat, FileWrite, Group, Host, Inspect, Output, Package, ServiceManager,
    Source, Stream, Thing, Unit, User, default_file_mode, http,
};
use crate::change::ResourceId;
use crate::outcome::Failure;

/// What stands behind one or more names.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// What kind of thing.
    pub kind: FileKind,
    /// Permission bits.
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Access time.
    pub atime: f64,
    /// Modification time.
    pub mtime: f64,
    /// Content of a file.
    pub content: Vec<u8>,
    /// Where a link points.
    pub target: Option<PathBuf>,
    /// Extended attributes.
    pub xattrs: BTreeMap<String, Vec<u8>>,
}

/// What a service answers to one kind of request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Service {
    /// Method and address, e.g. `GET http://example.org/`.
    pub request: String,
    /// The status code.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The content.
    pub body: Vec<u8>,
}

/// What goes wrong in the midst of a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The disk is full, or the command fails: this one call does nothing and says so.
    Refused,
    /// The agent is killed before the call: neither it nor anything after it is done.
    KilledBefore,
    /// The agent is killed after the call: it is done, but nobody hears of it, and nothing after it is done.
    KilledAfter,
}

/// A host in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryHost {
    /// Names of everything that exists, each with the number of its node.
    pub names: BTreeMap<PathBuf, u64>,
    /// The nodes.
    pub nodes: BTreeMap<u64, Node>,
    /// Accounts by name; their `groups` follow from the groups' members.
    pub users: BTreeMap<String, User>,
    /// Groups by name.
    pub groups: BTreeMap<String, Group>,
    /// Packages by name.
    pub packages: BTreeMap<String, Package>,
    /// Units by full name.
    pub units: BTreeMap<String, Unit>,
    /// What commands made of things that only their tools know.
    pub things: BTreeMap<ResourceId, Thing>,
    /// Content that is offered by digest.
    pub blobs: BTreeMap<String, Vec<u8>>,
    /// Answers to commands; a last word `*` stands for any further words.
    pub answers: Vec<(Vec<String>, Output)>,
    /// Commands that were run for their effect.
    pub ran: Vec<CommandLine>,
    /// Answers of services: method and address, status, headers, content.
    pub services: Vec<Service>,
    /// Requests that were sent.
    pub sent: Vec<http::Request>,
    /// Variables of the environment.
    pub environment: BTreeMap<String, String>,
    /// The service manager.
    pub manager: ServiceManager,
    /// The user that acts: uid and gid.
    pub ids: (u32, u32),
    /// The time.
    pub clock: f64,
    /// What goes wrong, and at which call that acts (the first is 1).
    pub fault: Option<(usize, Fault)>,
    /// Calls that act, so far.
    pub acted: usize,
    next: u64,
}

impl Default for MemoryHost {
    /// An empty root directory, the account `root`, systemd, and nothing else.
    fn default() -> Self {
        let mut host = Self {
            names: BTreeMap::new(),
            nodes: BTreeMap::new(),
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            packages: BTreeMap::new(),
            units: BTreeMap::new(),
            things: BTreeMap::new(),
            blobs: BTreeMap::new(),
            answers: Vec::new(),
            ran: Vec::new(),
            services: Vec::new(),
            sent: Vec::new(),
            environment: BTreeMap::from([
                ("HOME".to_owned(), "/root".to_owned()),
                ("PATH".to_owned(), "/usr/sbin:/usr/bin:/sbin:/bin".to_owned()),
            ]),
            manager: ServiceManager::Systemd,
            ids: (0, 0),
            clock: 1_700_000_000.0,
            fault: None,
            acted: 0,
            next: 2,
        };
        host.insert(Path::new("/"), FileKind::Directory, 0o755);
        host.add_group("root", 0, &[]);
        host.add_user("root", 0, 0, "/root", "/bin/bash");
        host
    }
}

impl MemoryHost {
    /// Adds a directory and the missing ones above it (mode 0755, owned by root).
    pub fn add_directory(&mut self, path: &str) -> &mut Node {
        let path = Path::new(path);
        let mut above: Vec<&Path> = path.ancestors().skip(1).collect();
        above.reverse();
        for directory in above {
            if !self.names.contains_key(directory) {
                self.insert(directory, FileKind::Directory, 0o755);
            }
        }
        self.insert(path, FileKind::Directory, 0o755)
    }

    /// Adds a file (mode 0644, owned by root) and the missing directories above it.
    pub fn add_file(&mut self, path: &str, content: &str) -> &mut Node {
        if let Some(parent) = Path::new(path).parent().filter(|parent| !self.names.contains_key(*parent)) {
            let parent = parent.to_string_lossy().into_owned();
            self.add_directory(&parent);
        }
        let node = self.insert(Path::new(path), FileKind::File, 0o644);
        node.content = content.into();
        node
    }

    /// Adds a symbolic link.
    pub fn add_link(&mut self, path: &str, target: &str) {
        let node = self.add_file(path, "");
        node.kind = FileKind::Link;
        node.mode = 0o777;
        node.target = Some(target.into());
    }

    /// Adds an account.
    pub fn add_user(&mut self, name: &str, uid: u32, gid: u32, home: &str, shell: &str) -> &mut User {
        let user = User { name: name.into(), uid, gid, home: home.into(), shell: shell.into(), ..User::default() };
        self.users.remove(name);
        self.users.entry(name.into()).or_insert(user)
    }

    /// Adds a group.
    pub fn add_group(&mut self, name: &str, gid: u32, members: &[&str]) {
        let mut members: Vec<String> = members.iter().map(|&member| member.to_owned()).collect();
        members.sort();
        self.groups.insert(name.into(), Group { name: name.into(), gid, members });
    }

    /// Adds an installed package.
    pub fn add_package(&mut self, name: &str, version: &str) {
        let package = Package { name: name.into(), arch: "amd64".into(), version: version.into(), ..Package::default() };
        self.packages.insert(name.into(), package);
    }

    /// Adds a unit.
    pub fn add_unit(&mut self, name: &str, active: &str, enabled: &str) {
        let properties = BTreeMap::from([
            ("Id".to_owned(), name.to_owned()),
            ("LoadState".to_owned(), "loaded".to_owned()),
            ("ActiveState".to_owned(), active.to_owned()),
            ("UnitFileState".to_owned(), enabled.to_owned()),
        ]);
        let unit = Unit {
            name: name.into(),
            exists: true,
            active: active.into(),
            enabled: enabled.into(),
            properties,
            needs_reload: false,
        };
        self.units.insert(name.into(), unit);
    }

    /// Offers content by its digest, which is returned.
    pub fn offer(&mut self, content: impl Into<Vec<u8>>) -> String {
        let content = content.into();
        let sha256 = crate::change::sha256(&content);
        self.blobs.insert(sha256.clone(), content);
        sha256
    }

    /// Scripts the answer to a command; a last word `*` stands for any further words.
    pub fn answer(&mut self, argv: &[&str], rc: i32, stdout: &str) {
        let output = Output { rc, stdout: stdout.into(), stderr: Vec::new() };
        self.answers.push((argv.iter().map(|&word| word.to_owned()).collect(), output));
    }

    /// Scripts the answer of a service to a request, e.g. `GET http://example.org/`. Of several for one
    /// request the first that was not given yet is used, the last one again and again.
    pub fn serve(&mut self, request: &str, status: u16, headers: &[(&str, &str)], body: impl Into<Vec<u8>>) {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.services.push(Service { request: request.into(), status, headers, body: body.into() });
    }

    /// The content of a file as text; `None` where there is none.
    pub fn text(&self, path: &str) -> Option<String> {
        let node = self.node(Path::new(path), Last::Follow).ok()??;
        (node.kind == FileKind::File).then(|| String::from_utf8_lossy(&node.content).into_owned())
    }

    fn insert(&mut self, path: &Path, kind: FileKind, mode: u32) -> &mut Node {
        let number = self.next;
        self.next += 1;
        self.unlink(path);
        self.names.insert(path.to_owned(), number);
        let (uid, gid) = self.ids;
        let node = Node {
            kind,
            mode,
            uid,
            gid,
            atime: self.clock,
            mtime: self.clock,
            content: Vec::new(),
            target: None,
            xattrs: BTreeMap::new(),
        };
        self.nodes.entry(number).or_insert(node)
    }

    fn unlink(&mut self, path: &Path) {
        if let Some(number) = self.names.remove(path)
            && !self.names.values().any(|other| *other == number)
        {
            self.nodes.remove(&number);
        }
    }

    fn find(&self, path: &Path, last: Last) -> Result<PathBuf, Failure> {
        resolve(path, last, &|path| Ok(self.stat_here(path)))
    }

    fn node(&self, path: &Path, last: Last) -> Result<Option<&Node>, Failure> {
        let path = self.find(path, last)?;
        Ok(self.names.get(&path).map(|number| &self.nodes[number]))
    }

    fn file(&self, path: &Path) -> Result<&Node, Failure> {
        match self.node(path, Last::Follow)? {
            None => Err(Failure::at("read", path, "No such file or directory")),
            Some(node) if node.kind == FileKind::Directory => Err(Failure::at("read", path, "Is a directory")),
            Some(node) => Ok(node),
        }
    }

    fn stat_here(&self, path: &Path) -> Option<FileStat> {
        let number = self.names.get(path)?;
        let node = &self.nodes[number];
        Some(FileStat {
            kind: node.kind,
            mode: node.mode,
            uid: node.uid,
            gid: node.gid,
            size: node.target.as_ref().map_or(node.content.len(), |target| target.as_os_str().len()) as u64,
            atime: node.atime,
            mtime: node.mtime,
            ctime: node.mtime,
            dev: 1,
            ino: *number,
            nlink: self.names.values().filter(|other| *other == number).count() as u64,
            device: 0,
            storage: None,
            target: node.target.clone(),
        })
    }

    /// The place of a name that is to be made: its directory must exist.
    fn place(&self, doing: &str, path: &Path) -> Result<PathBuf, Failure> {
        let place = self.find(path, Last::Keep)?;
        let parent = place.parent().and_then(|parent| self.stat_here(parent));
        match parent {
            Some(parent) if parent.kind == FileKind::Directory => Ok(place),
            Some(_) => Err(Failure::at(doing, path, "Not a directory")),
            None => Err(Failure::at(doing, path, "No such file or directory")),
        }
    }

    fn change(&mut self, path: &Path) -> Result<&mut Node, Failure> {
        let place = self.find(path, Last::Keep)?;
        let number = self.names.get(&place).ok_or_else(|| Failure::at("change", path, "No such file or directory"))?;
        Ok(self.nodes.get_mut(number).expect("every name has a node"))
    }

    fn put(&mut self, file: &FileWrite<'_>, content: Vec<u8>) -> Result<(), Failure> {
        let place = self.place("write", file.path)?;
        let old = self.names.get(&place).map(|number| self.nodes[number].clone());
        if old.as_ref().is_some_and(|old| old.kind == FileKind::Directory) {
            return Err(Failure::at("write", file.path, "Is a directory"));
        }
        let old = old.filter(|old| old.kind == FileKind::File);
        let node = self.insert(&place, FileKind::File, default_file_mode(0o022));
        node.content = content;
        if let Some(old) = old {
            (node.mode, node.uid, node.gid, node.xattrs) = (old.mode, old.uid, old.gid, old.xattrs);
        }
        set(node, &file.attributes);
        Ok(())
    }

    fn answer_to(&self, command: &CommandLine) -> Option<Output> {
        let fits = |pattern: &[String]| match pattern.split_last() {
            Some((last, head)) if last == "*" => command.argv.starts_with(head),
            _ => pattern == command.argv,
        };
        self.answers.iter().rev().find(|(pattern, _)| fits(pattern)).map(|(_, output)| output.clone())
    }

    /// Carries out what a command would have done.
    fn apply(&mut self, effect: &Effect) -> Result<(), Failure> {
        match effect {
            Effect::User(user) => {
                for group in self.groups.values_mut() {
                    group.members.retain(|member| *member != user.name);
                    if user.groups.contains(&group.name) {
                        group.members.push(user.name.clone());
                        group.members.sort();
                    }
                }
                self.users.insert(user.name.clone(), User { groups: Vec::new(), ..user.clone() });
            }
            Effect::NoUser(name) => {
                self.users.remove(name);
                self.groups.values_mut().for_each(|group| group.members.retain(|member| member != name));
            }
            Effect::Group(group) => {
                self.groups.insert(group.name.clone(), group.clone());
            }
            Effect::NoGroup(name) => {
                self.groups.remove(name);
            }
            Effect::Package(package) => {
                self.packages.insert(package.name.clone(), Package { planned: false, ..package.clone() });
            }
            Effect::NoPackage(name) => {
                self.packages.remove(name);
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
            Effect::PackageLists => {}
            Effect::Thing(id, thing) => {
                self.things.insert(id.clone(), thing.clone());
            }
        }
        Ok(())
    }

    /// One call that acts, or what goes wrong with it. What a command does is one call.
    fn doing<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Failure>) -> Result<T, Failure> {
        self.acted += 1;
        let (acted, fault) = (self.acted, self.fault.take());
        let done = match fault {
            Some((at, Fault::Refused)) if acted == at => Err(Failure::new("No space left on device")),
            Some((at, Fault::KilledBefore)) if acted >= at => Err(Failure::new("killed")),
            Some((at, Fault::KilledAfter)) if acted > at => Err(Failure::new("killed")),
            Some((at, Fault::KilledAfter)) if acted == at => work(self).and(Err(Failure::new("killed"))),
            _ => work(self),
        };
        (self.acted, self.fault) = (acted, fault);
        done
    }

    fn groups_of(&self, user: &str) -> Vec<String> {
        self.groups
            .values()
            .filter(|group| group.members.iter().any(|member| member == user))
            .map(|group| group.name.clone())
            .collect()
    }

    fn complete(&self, user: &User) -> User {
        User { groups: self.groups_of(&user.name), ..user.clone() }
    }
}

fn set(node: &mut Node, attributes: &Attributes) {
    node.mode = attributes.mode.unwrap_or(node.mode);
    node.uid = attributes.uid.unwrap_or(node.uid);
    node.gid = attributes.gid.unwrap_or(node.gid);
}

impl Inspect for MemoryHost {
    fn stat(&self, path: &Path) -> Result<Option<FileStat>, Failure> {
        Ok(self.stat_here(&self.find(path, Last::Keep)?))
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        let node = self.file(path)?;
        if node.content.len() as u64 > limit {
            return Err(super::too_large(path, node.content.len() as u64, limit));
        }
        Ok(node.content.clone())
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Stream>, Failure> {
        Ok(Box::new(std::io::Cursor::new(self.file(path)?.content.clone())))
    }

    fn filter(&self, command: &CommandLine, _: Box<dyn Stream>) -> Result<Box<dyn Read>, Failure> {
        Ok(Box::new(std::io::Cursor::new(self.query(command)?.stdout)))
    }

    fn digest(&self, path: &Path, algorithm: &str) -> Result<String, Failure> {
        digest_bytes(&self.file(path)?.content, algorithm).ok_or_else(|| super::no_algorithm(algorithm))
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, Failure> {
        let directory = self.find(path, Last::Follow)?;
        match self.stat_here(&directory) {
            None => return Err(Failure::at("list", path, "No such file or directory")),
            Some(stat) if stat.kind != FileKind::Directory => return Err(Failure::at("list", path, "Not a directory")),
            Some(_) => {}
        }
        let names: BTreeSet<String> = self
            .names
            .range(directory.clone()..)
            .map(|(path, _)| path)
            .take_while(|path| path.starts_with(&directory))
            .filter(|path| path.parent() == Some(&directory))
            .filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned()))
            .collect();
        Ok(names.into_iter().collect())
    }

    fn access(&self, path: &Path) -> [bool; 3] {
        self.node(path, Last::Follow)
            .ok()
            .flatten()
            .map_or([false; 3], |node| super::access_by_mode(node.kind, node.mode, node.uid, node.gid, self.ids))
    }

    fn xattrs(&self, path: &Path) -> BTreeMap<String, Vec<u8>> {
        self.node(path, Last::Follow).ok().flatten().map(|node| node.xattrs.clone()).unwrap_or_default()
    }

    fn query(&self, command: &CommandLine) -> Result<Output, Failure> {
        self.answer_to(command).ok_or_else(|| Failure::new(format!("no answer is scripted for `{}`", command.argv.join(" "))))
    }

    fn user(&self, name: &str) -> Result<Option<User>, Failure> {
        Ok(self.users.get(name).map(|user| self.complete(user)))
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<User>, Failure> {
        Ok(self.users.values().find(|user| user.uid == uid).map(|user| self.complete(user)))
    }

    fn group(&self, name: &str) -> Result<Option<Group>, Failure> {
        Ok(self.groups.get(name).cloned())
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<Group>, Failure> {
        Ok(self.groups.values().find(|group| group.gid == gid).cloned())
    }

    fn package(&self, name: &str) -> Result<Option<Package>, Failure> {
        let plain = name.split(':').next().unwrap_or(name);
        Ok(self.packages.get(plain).cloned())
    }

    fn planned_packages(&self) -> Vec<(String, Option<Package>)> {
        let things = self.things.iter().filter(|(id, _)| id.kind == "package");
        things
            .map(|(id, thing)| (id.name.clone(), (*thing != Thing::Gone).then(|| self.packages.get(&id.name).cloned()).flatten()))
            .collect()
    }

    fn unit(&self, name: &str) -> Result<Unit, Failure> {
        let full = super::unit_name(name);
        Ok(self.units.get(&full).cloned().unwrap_or_else(|| super::no_unit(&full)))
    }

    fn thing(&self, id: &ResourceId) -> Option<Thing> {
        self.things.get(id).cloned()
    }

    fn service_manager(&self) -> ServiceManager {
        self.manager
    }

    fn blob(&self, sha256: &str) -> Result<Vec<u8>, Failure> {
        self.blobs.get(sha256).cloned().ok_or_else(|| Failure::new(format!("content {sha256} was not offered")))
    }

    fn whoami(&self) -> (u32, u32) {
        self.ids
    }

    fn now(&self) -> f64 {
        self.clock
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned()
    }

    fn acts(&self) -> bool {
        true
    }

    fn pause(&self, _: std::time::Duration) {}
}

impl Host for MemoryHost {
    fn write(&mut self, file: &FileWrite<'_>) -> Result<(), Failure> {
        self.doing(|host| host.put(file, file.content.to_vec()))
    }

    fn write_from(&mut self, source: &Source<'_>, file: &FileWrite<'_>) -> Result<(), Failure> {
        self.doing(|host| {
            let content = match source {
                Source::Offered { sha256, .. } => host.blob(sha256)?,
                Source::File(path) => host.read(path, u64::MAX)?,
                Source::Stream(stream) | Source::Part(stream) => {
                    let mut content = Vec::new();
                    stream.borrow_mut().read_to_end(&mut content).map_err(|error| Failure::at("write", file.path, error))?;
                    content
                }
                Source::Unknown(reason) => return Err(Failure::at("write", file.path, reason)),
            };
            host.put(file, content)
        })
    }

    fn set_attributes(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure> {
        self.doing(|host| {
            let node = host.change(path)?;
            let mode = attributes.mode.filter(|_| node.kind != FileKind::Link);
            set(node, &Attributes { mode, ..*attributes });
            Ok(())
        })
    }

    fn set_times(&mut self, path: &Path, atime: Option<f64>, mtime: Option<f64>) -> Result<(), Failure> {
        self.doing(|host| {
            let node = host.change(path)?;
            node.atime = atime.unwrap_or(node.atime);
            node.mtime = mtime.unwrap_or(node.mtime);
            Ok(())
        })
    }

    fn make_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure> {
        self.doing(|host| {
            let place = host.place("create directory", path)?;
            if host.names.contains_key(&place) {
                return Err(Failure::at("create directory", path, "File exists"));
            }
            set(host.insert(&place, FileKind::Directory, 0o755), attributes);
            Ok(())
        })
    }

    fn symlink(&mut self, target: &Path, path: &Path) -> Result<(), Failure> {
        self.doing(|host| {
            let place = host.place("link", path)?;
            if host.stat_here(&place).is_some_and(|stat| stat.kind == FileKind::Directory) {
                return Err(Failure::at("link", path, "Is a directory"));
            }
            host.insert(&place, FileKind::Link, 0o777).target = Some(target.to_owned());
            Ok(())
        })
    }

    fn hard_link(&mut self, source: &Path, path: &Path) -> Result<(), Failure> {
        self.doing(|host| {
            let from = host.find(source, Last::Keep)?;
            let number = *host.names.get(&from).ok_or_else(|| Failure::at("link", source, "No such file or directory"))?;
            let place = host.place("link", path)?;
            if host.stat_here(&place).is_some_and(|stat| stat.kind == FileKind::Directory) {
                return Err(Failure::at("link", path, "Is a directory"));
            }
            if host.names.get(&place) != Some(&number) {
                host.unlink(&place);
                host.names.insert(place, number);
            }
            Ok(())
        })
    }

    fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        self.doing(|host| {
            let place = host.find(path, Last::Keep)?;
            if !host.names.contains_key(&place) {
                return Err(Failure::at("remove", path, "No such file or directory"));
            }
            let gone: Vec<PathBuf> = host.names.keys().filter(|name| name.starts_with(&place)).cloned().collect();
            for name in &gone {
                host.unlink(name);
            }
            Ok(())
        })
    }

    fn copy(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        self.doing(|host| {
            let node = host.file(from)?.clone();
            let place = host.place("copy to", to)?;
            *host.insert(&place, FileKind::File, 0o644) = node;
            Ok(())
        })
    }

    fn act(&mut self, command: &CommandLine, effects: &[Effect]) -> Result<Output, Failure> {
        if self.fault == Some((self.acted + 1, Fault::Refused)) {
            self.acted += 1;
            self.ran.push(command.clone());
            return Ok(Output { rc: 1, stderr: b"No space left on device".to_vec(), ..Output::default() });
        }
        self.doing(|host| {
            host.ran.push(command.clone());
            let output = host.answer_to(command).unwrap_or_default();
            if output.rc == 0 {
                effects.iter().try_for_each(|effect| host.apply(effect))?;
            }
            Ok(output)
        })
    }

    fn send(&mut self, request: &http::Request) -> Result<http::Reply, Failure> {
        self.doing(|host| {
            let wanted = format!("{} {}", request.method, request.url);
            let before = host.sent.iter().filter(|sent| format!("{} {}", sent.method, sent.url) == wanted).count();
            host.sent.push(request.clone());
            let fitting: Vec<&Service> = host.services.iter().filter(|service| service.request == wanted).collect();
            let service =
                fitting.get(before).or(fitting.last()).ok_or_else(|| Failure::new(format!("no service answers `{wanted}`")))?;
            let headers: Vec<(&str, &str)> =
                service.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            Ok(http::Reply::new(service.status, &headers, service.body.clone()))
        })
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
    use super::*;

    #[test]
    fn a_written_file_keeps_what_is_not_asked_for() {
        let mut host = MemoryHost::default();
        host.add_file("/etc/a", "old\n").mode = 0o600;
        host.add_link("/link", "/etc");
        let attributes = Attributes { uid: Some(7), ..Attributes::default() };
        host.write(&FileWrite { path: Path::new("/link/a"), content: b"new\n", attributes, validate: None }).unwrap();
        let stat = host.stat(Path::new("/etc/a")).unwrap().unwrap();
        assert_eq!((stat.mode, stat.uid, host.text("/etc/a").as_deref()), (0o600, 7, Some("new\n")));
        assert_eq!(host.list(Path::new("/link")).unwrap(), ["a"]);
    }

    #[test]
    fn removal_does_not_follow_links() {
        let mut host = MemoryHost::default();
        host.add_file("/etc/a", "old\n");
        host.add_link("/tree/link", "/etc");
        host.remove(Path::new("/tree")).unwrap();
        assert_eq!((host.stat(Path::new("/tree")).unwrap(), host.text("/etc/a").is_some()), (None, true));
    }

    #[test]
    fn commands_are_answered_and_take_effect() {
        let mut host = MemoryHost::default();
        host.answer(&["id", "*"], 3, "no");
        assert_eq!(host.query(&CommandLine::new(["id", "-u"])).unwrap().rc, 3);
        assert!(host.query(&CommandLine::new(["whoami"])).is_err());
        let alice = User { name: "alice".into(), groups: vec!["root".into()], ..User::default() };
        host.act(&CommandLine::new(["useradd", "alice"]), &[Effect::User(alice)]).unwrap();
        assert_eq!(host.user("alice").unwrap().unwrap().groups, ["root"]);
        assert_eq!(host.group("root").unwrap().unwrap().members, ["alice"]);
    }

    #[test]
    fn hard_links_share_a_node() {
        let mut host = MemoryHost::default();
        host.add_file("/a", "x");
        host.hard_link(Path::new("/a"), Path::new("/b")).unwrap();
        host.set_attributes(Path::new("/b"), &Attributes { mode: Some(0o600), ..Attributes::default() }).unwrap();
        let stat = host.stat(Path::new("/a")).unwrap().unwrap();
        assert_eq!((stat.nlink, stat.mode), (2, 0o600));
    }
}
