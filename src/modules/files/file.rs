//! `file`: what a path is (file, directory, link, nothing) and who may do what with it.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::attributes::{Account, Wanted, file_args, group_of, owner_of};
use super::paths::{self, expand, is_directory, missing_above, real_path, stat_followed};
use super::state::{self, FileState, Look, kind_word, make_directories};
use super::times::{self, Time, Times};
use crate::args::{ArgError, Arguments, Field};
use crate::change::ResourceState;
use crate::claims::Claims;
use crate::host::{FileKind, FileStat, FileWrite, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{Resource, State, Step, Written};

crate::choice! {
    /// What a path should be.
    pub enum Form { File = "file", Directory = "directory", Link = "link", Hard = "hard", Touch = "touch", Absent = "absent" }
}

file_args! {
    /// Sets what a path is: a directory, a link, an empty file, or nothing; and owner, group, mode
    /// and times of what is there. Content is the business of `copy` and `template`.
    pub struct Options {
        /// The path.
        path ("dest", "name"): PathBuf,
        /// What it should be. `file` only sets attributes of an existing file; `touch` makes an empty
        /// one or renews the times; `absent` removes, a directory with everything in it. Missing: what
        /// it is.
        state: Option<Form>,
        /// For `link` and `hard`: what the link leads to. Of a symbolic link it is kept as written.
        src: Option<String>,
        /// For `directory`: also everything in it gets owner, group and mode.
        recurse: bool = false,
        /// For links: make one even though its target does not exist, or in place of what is there.
        force: bool = false,
        /// Whether a link at `path` is followed.
        follow: bool = true,
        /// `preserve`, `now`, or a moment. Missing: `now` for `touch`, else `preserve`.
        modification_time: Option<String>,
        /// How `modification_time` is written.
        modification_time_format: String = "%Y%m%d%H%M.%S".into(),
        /// `preserve`, `now`, or a moment. Missing: `now` for `touch`, else `preserve`.
        access_time: Option<String>,
        /// How `access_time` is written.
        access_time_format: String = "%Y%m%d%H%M.%S".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A directory
  file:
    path: /srv/app/releases
    state: directory
    owner: root
    group: root
    mode: '0750'
- name: Owner of everything in a directory
  file:
    path: /etc/default
    state: directory
    owner: daemon
    mode: u=rwX,g=rX,o=
    recurse: true
- name: A link
  file:
    src: /etc/hosts
    path: /etc/hosts.link
    state: link
- name: A link to what is not there yet
  file:
    src: releases/1
    path: /srv/current
    state: link
    force: true
- name: A second name
  file:
    src: /etc/hosts
    dest: /etc/hosts.same
    state: hard
- name: Permissions of a file
  file:
    path: /etc/hosts
    mode: '0600'
- name: An empty file
  file:
    path: /etc/nologin
    state: touch
- name: A time of its own
  file:
    path: /etc/motd
    state: touch
    modification_time: '202501020304.05'
    access_time: preserve
- name: Gone
  file:
    path: /etc/default
    state: absent
";

/// The options, and when the task began: `now` must mean one moment, however often it is asked.
#[derive(Debug, Clone)]
pub struct Args {
    options: Options,
    began: Cell<Option<f64>>,
}

impl Arguments for Args {
    fn fields() -> Vec<Field> {
        Options::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        Options::parse(options).map(|options| Self { options, began: Cell::new(None) })
    }
    fn doc() -> &'static str {
        Options::doc()
    }
}

/// A path, and what else the task touches.
#[derive(Debug, Clone)]
pub struct Seen {
    form: Form,
    main: FileState,
    stat: Option<FileStat>,
    /// Missing directories above, uppermost first.
    above: Vec<FileState>,
    /// What lies inside and differs from what is wanted, with what it should be.
    inside: Vec<(FileState, FileState)>,
    /// What a symbolic link leads to, if its attributes are meant.
    beyond: Option<FileState>,
    /// Where a symbolic link would lead, if nothing is there.
    missing_source: Option<PathBuf>,
    /// The path is a directory with something in it.
    is_full: bool,
    /// The inode of the source of a hard link is that of the path.
    is_same_inode: bool,
    times: Times,
    /// Times as changes show them: access, modification.
    shown_times: (Option<f64>, Option<f64>),
    wanted: Wanted,
}

impl State for Seen {
    fn resources(&self) -> Vec<ResourceState> {
        let mut main = self.main.resource();
        if let Some(time) = self.shown_times.0 {
            main = main.with("access_time", times::shown(time));
        }
        if let Some(time) = self.shown_times.1 {
            main = main.with("modification_time", times::shown(time));
        }
        if self.form == Form::Hard {
            main = main.with("hard_link", self.is_same_inode);
        }
        let inside = self.inside.iter().map(|(state, _)| state);
        self.above
            .iter()
            .map(FileState::resource)
            .chain([main])
            .chain(inside.chain(&self.beyond).map(FileState::resource))
            .collect()
    }
}

/// The module.
pub struct File;

impl Options {
    /// What the path should be, where the option is missing.
    fn form(&self, now: Option<FileKind>) -> Form {
        match (self.state, now) {
            (Some(form), _) => form,
            (None, Some(FileKind::Directory)) => Form::Directory,
            (None, Some(FileKind::Link)) => Form::Link,
            (None, Some(_)) => Form::File,
            (None, None) if self.recurse => Form::Directory,
            (None, None) => Form::File,
        }
    }

    fn check(&self) -> Result<(), Failure> {
        if self.recurse && !matches!(self.state, None | Some(Form::Directory)) {
            return Err(Failure::new("recurse option requires state to be 'directory'"));
        }
        if self.src.is_some() && !matches!(self.state, Some(Form::Link | Form::Hard)) {
            return Err(Failure::new("src option requires state to be 'link' or 'hard'"));
        }
        if self.recurse && (self.modification_time.is_some() || self.access_time.is_some()) {
            return Err(Failure::new("recurse cannot be combined with access_time or modification_time"));
        }
        Ok(())
    }

    /// The path that is really meant.
    fn place(&self, host: &dyn Inspect) -> Result<PathBuf, Failure> {
        let path = paths::plain(&expand(&self.path, host));
        if self.state == Some(Form::Hard) && is_directory(&path, host)? {
            return Ok(path.join(Path::new(self.src.as_deref().unwrap_or_default()).file_name().unwrap_or_default()));
        }
        let keeps_link = matches!(self.state, None | Some(Form::Link | Form::Hard | Form::Absent)) || !self.follow;
        if keeps_link || host.stat(&path)?.is_none() {
            return Ok(path);
        }
        let target = real_path(&path, host)?;
        if self.state == Some(Form::Touch) && host.stat(&target)?.is_none() {
            return Err(Failure::new(format!("`{}` leads to `{}`, which does not exist", path.display(), target.display())));
        }
        Ok(target)
    }

    fn times(&self, form: Form, began: f64) -> Result<Times, Failure> {
        let missing = if form == Form::Touch { Time::Now } else { Time::Preserve };
        Ok(Times {
            access: Time::parse(self.access_time.as_deref(), &self.access_time_format, missing)?,
            modification: Time::parse(self.modification_time.as_deref(), &self.modification_time_format, missing)?,
            began,
        })
    }
}

impl Resource for File {
    type Args = Args;
    type State = Seen;

    fn read(args: &Args, host: &dyn Inspect) -> Result<Seen, Failure> {
        let began = args.began.get().unwrap_or_else(|| host.now());
        args.began.set(Some(began));
        let options = &args.options;
        options.check()?;
        let path = options.place(host)?;
        let stat = host.stat(&path)?;
        let form = options.form(stat.as_ref().map(|stat| stat.kind));
        let main = FileState::observe(&path, Look::Outside, host)?;
        let wanted = options.wanted_attributes().look_up(host)?;
        let is_hidden = || Ok::<_, Failure>(!missing_above(&path, host)?.is_empty());
        if main.kind.is_none() && (form == Form::File || form == Form::Absent && is_hidden()?) {
            state::awaited(&path, host)?;
        }
        let above = match form {
            Form::Directory => missing_above(&path, host)?.iter().map(|path| FileState::absent(path)).collect(),
            _ => Vec::new(),
        };
        let inside = match (form, main.kind) {
            (Form::Directory, Some(FileKind::Directory)) if options.recurse => {
                let mut walk = Walk { follow: options.follow, ..Walk::new(host, &wanted) };
                walk.directory(&path)?;
                walk.found
            }
            _ => Vec::new(),
        };
        let times = options.times(form, began)?;
        let shown_times = match (&stat, times.are_kept()) {
            (Some(stat), false) => (Some(stat.atime), Some(stat.mtime)),
            _ => (None, None),
        };
        let is_full =
            matches!(form, Form::Link | Form::Hard) && main.kind == Some(FileKind::Directory) && !host.list(&path)?.is_empty();
        let mut seen = Seen {
            form,
            main,
            stat,
            above,
            inside,
            beyond: None,
            missing_source: None,
            is_full,
            is_same_inode: false,
            times,
            shown_times,
            wanted,
        };
        match form {
            Form::Link => {
                seen.beyond = link_target(options, &path, host)?;
                seen.missing_source = missing_source_of(options, &seen.main, host)?;
            }
            Form::Hard => seen.is_same_inode = is_same_inode(options, seen.stat.as_ref(), host)?,
            _ => {}
        }
        Ok(seen)
    }

    fn want(args: &Args, now: &Seen) -> Result<Seen, Failure> {
        let options = &args.options;
        let mut want = now.clone();
        want.shown_times = now.times.to_set(now.stat.as_ref());
        want.inside = now.inside.iter().map(|(_, wanted)| (wanted.clone(), wanted.clone())).collect();
        want.above = now.above.iter().map(|directory| directory.wanted(FileKind::Directory, &now.wanted)).collect();
        let path = now.main.path.display();
        match (now.form, now.main.kind) {
            (Form::Absent, _) => want.main = FileState::absent(&now.main.path),
            (Form::File, None) => {
                return Err(Failure::new(format!("file ({path}) is absent, cannot continue"))
                    .with("path", path.to_string())
                    .with("state", "absent"));
            }
            (Form::File, Some(kind @ (FileKind::Directory | FileKind::Link))) => {
                return Err(Failure::new(format!("file ({path}) is {}, cannot continue", kind_word(kind)))
                    .with("path", path.to_string())
                    .with("state", kind_word(kind)));
            }
            (Form::File, Some(kind)) => want.main = now.main.wanted(kind, &now.wanted),
            (Form::Touch, Some(kind @ (FileKind::File | FileKind::Directory))) => want.main = now.main.wanted(kind, &now.wanted),
            (Form::Touch, None) => want.main = now.main.wanted(FileKind::File, &now.wanted),
            (Form::Touch, Some(_)) => {
                return Err(Failure::new(format!(
                    "Cannot touch other than files, directories, and hardlinks ({path} is {})",
                    now.kind()
                )));
            }
            (Form::Directory, None | Some(FileKind::Directory)) => want.main = now.main.wanted(FileKind::Directory, &now.wanted),
            (Form::Directory, Some(_)) => {
                return Err(Failure::new(format!("{path} already exists as a {}", now.kind())).with("path", path.to_string()));
            }
            (Form::Link, _) => want_link(options, now, &mut want)?,
            (Form::Hard, _) => want_hard_link(options, now, &mut want)?,
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, Seen>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (step.now, step.want);
        make_directories(&want.above, host)?;
        write_main(&args.options, now, want, host)?;
        for (now, want) in &now.inside {
            if now.differs_outside(want) {
                host.set_attributes(&want.path, &want.attributes())?;
            }
        }
        if let (Some(now), Some(want)) = (&now.beyond, &want.beyond)
            && now.differs_outside(want)
        {
            host.set_attributes(&want.path, &want.attributes())?;
        }
        let (access, modification) = want.shown_times;
        if access.is_some() || modification.is_some() {
            host.set_times(&want.main.path, access, modification)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &Seen, after: &Seen) -> Map<String, Value> {
        let mut result = after.main.result();
        let path = after.main.path.display().to_string();
        match after.form {
            Form::Touch | Form::Link | Form::Hard => result.insert("dest".into(), path.into()),
            Form::File if args.options.state.is_none() && after.main.nlink > 1 => {
                result.insert("src".into(), Value::Null);
                result.insert("dest".into(), path.into())
            }
            _ => result.insert("path".into(), path.into()),
        };
        if matches!(after.form, Form::Link | Form::Hard) {
            let target = after.main.target.as_ref().map(|target| target.display().to_string());
            result.insert("src".into(), args.options.src.clone().or(target).into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let options = &args.options;
        let claims = state::claims(&options.path, options.owner.as_deref(), options.group.as_deref());
        let source = options.src.as_deref().filter(|source| source.starts_with('/'));
        claims.needing(source.map(|source| state::resource_id(Path::new(source))))
    }
}

impl Seen {
    fn kind(&self) -> &'static str {
        match self.main.kind {
            Some(FileKind::File) if self.main.nlink > 1 => "hard",
            Some(kind) => kind_word(kind),
            None => "absent",
        }
    }
}

fn write_main(options: &Options, now: &Seen, want: &Seen, host: &mut dyn Host) -> Result<(), Failure> {
    let (before, after) = (&now.main, &want.main);
    let attributes = after.attributes();
    match (now.form, before.kind) {
        (Form::Absent, Some(_)) => return host.remove(&after.path),
        (Form::Absent, None) => return Ok(()),
        (Form::Directory, None) => return host.make_directory(&after.path, &attributes),
        (Form::Touch, None) => {
            return host.write(&FileWrite { path: &after.path, content: b"", attributes, validate: None });
        }
        (Form::Link, kind) if kind != Some(FileKind::Link) || before.target != after.target => {
            if kind == Some(FileKind::Directory) {
                host.remove(&after.path)?;
            }
            let target = after.target.as_ref().expect("a wanted link has a target");
            host.symlink(target, &after.path)?;
        }
        (Form::Hard, kind) if !now.is_same_inode => {
            if kind == Some(FileKind::Directory) {
                host.remove(&after.path)?;
            }
            host.hard_link(&expand(Path::new(options.src.as_deref().unwrap_or_default()), host.inspect()), &after.path)?;
        }
        _ => {}
    }
    let fresh = FileState::observe(&after.path, Look::Outside, host.inspect())?;
    if fresh.differs_outside(after) { host.set_attributes(&after.path, &attributes) } else { Ok(()) }
}

/// What a link leads (or will lead) to, if it exists and its attributes are asked for.
fn link_target(options: &Options, path: &Path, host: &dyn Inspect) -> Result<Option<FileState>, Failure> {
    let asked = options.owner.is_some() || options.group.is_some() || options.mode.is_some();
    if !options.follow || !asked {
        return Ok(None);
    }
    let target = match &options.src {
        Some(source) => real_path(&absolute_source(source, path, host), host)?,
        None => real_path(path, host)?,
    };
    host.stat(&target)?.map(|stat| FileState::from_stat(&target, &stat, host)).transpose()
}

/// The source of a link, seen from the directory of the link.
fn absolute_source(source: &str, path: &Path, host: &dyn Inspect) -> PathBuf {
    path.parent().unwrap_or(Path::new("/")).join(expand(Path::new(source), host))
}

fn missing_source_of(options: &Options, main: &FileState, host: &dyn Inspect) -> Result<Option<PathBuf>, Failure> {
    let Some(source) = &options.src else { return Ok(None) };
    // In place of a directory, a relative source is seen from within it.
    let source = match main.kind {
        Some(FileKind::Directory) => main.path.join(expand(Path::new(source), host)),
        _ => absolute_source(source, &main.path, host),
    };
    if stat_followed(&source, host)?.is_some() {
        return Ok(None);
    }
    if !options.force {
        state::awaited(&source, host)?;
    }
    Ok(Some(source))
}

fn is_same_inode(options: &Options, now: Option<&FileStat>, host: &dyn Inspect) -> Result<bool, Failure> {
    let source = options.src.as_deref().ok_or_else(|| Failure::new("src is required for creating new hardlinks"))?;
    let source = expand(Path::new(source), host);
    let missing = || {
        Failure::new("src does not exist")
            .with("src", source.display().to_string())
            .with("dest", options.path.display().to_string())
    };
    let source = host.stat(&source)?.ok_or_else(missing)?;
    Ok(now.is_some_and(|now| (now.dev, now.ino) == (source.dev, source.ino)))
}

fn want_link(options: &Options, now: &Seen, want: &mut Seen) -> Result<(), Failure> {
    let path = now.main.path.display();
    let target = match (&options.src, &now.main.target) {
        (Some(source), _) => PathBuf::from(source),
        (None, Some(target)) => target.clone(),
        (None, None) => return Err(Failure::new("src is required for creating new symlinks").with("path", path.to_string())),
    };
    if let Some(missing) = now.missing_source.as_ref().filter(|_| !options.force) {
        return Err(Failure::new(format!(
            "src file does not exist, use 'force=yes' if you really want to create the link: {}",
            missing.display()
        ))
        .with("path", path.to_string())
        .with("src", missing.display().to_string()));
    }
    refuse_full_directory(now)?;
    match now.main.kind {
        None | Some(FileKind::Link) => {}
        Some(_) if !options.force => {
            return Err(Failure::new(format!("refusing to convert from {} to symlink for {path}", now.kind()))
                .with("path", path.to_string()));
        }
        Some(_) => {}
    }
    // With `follow`, attributes are those of what the link leads to.
    let wanted = if options.follow { Wanted::default() } else { Wanted { mode: None, ..now.wanted.clone() } };
    want.main = FileState { target: Some(target), ..now.main.wanted(FileKind::Link, &wanted) };
    want.beyond = now.beyond.as_ref().map(|beyond| beyond.wanted(beyond.kind.unwrap_or(FileKind::File), &now.wanted));
    Ok(())
}

fn refuse_full_directory(now: &Seen) -> Result<(), Failure> {
    if !now.is_full {
        return Ok(());
    }
    let path = now.main.path.display();
    Err(Failure::new(format!("the directory {path} is not empty, refusing to convert it")).with("path", path.to_string()))
}

fn want_hard_link(options: &Options, now: &Seen, want: &mut Seen) -> Result<(), Failure> {
    let path = now.main.path.display();
    if now.main.kind.is_some() && !now.is_same_inode && !options.force {
        let what = if now.kind() == "hard" { "different hard link" } else { now.kind() };
        return Err(Failure::new(format!("Cannot link, {what} exists at destination"))
            .with("dest", path.to_string())
            .with("src", options.src.clone()));
    }
    if !now.is_same_inode {
        refuse_full_directory(now)?;
    }
    let kind = now.main.kind.filter(|_| now.is_same_inode).unwrap_or(FileKind::File);
    want.main = now.main.wanted(kind, &now.wanted);
    want.is_same_inode = true;
    Ok(())
}

/// A walk through a directory that collects what differs from what is wanted.
struct Walk<'a> {
    wanted: &'a Wanted,
    follow: bool,
    host: &'a dyn Inspect,
    found: Vec<(FileState, FileState)>,
    visited: BTreeSet<PathBuf>,
    owners: BTreeMap<u32, Account>,
    groups: BTreeMap<u32, Account>,
}

impl<'a> Walk<'a> {
    fn new(host: &'a dyn Inspect, wanted: &'a Wanted) -> Self {
        Self {
            wanted,
            follow: false,
            host,
            found: Vec::new(),
            visited: BTreeSet::new(),
            owners: BTreeMap::new(),
            groups: BTreeMap::new(),
        }
    }

    fn directory(&mut self, directory: &Path) -> Result<(), Failure> {
        let mut todo = vec![directory.to_owned()];
        while let Some(directory) = todo.pop() {
            if !self.visited.insert(directory.clone()) {
                continue;
            }
            for name in self.host.list(&directory)? {
                let path = directory.join(name);
                let Some(stat) = self.host.stat(&path)? else { continue };
                self.compare(&path, &stat)?;
                match stat.kind {
                    FileKind::Directory => todo.push(path),
                    FileKind::Link if self.follow => {
                        let target = real_path(&path, self.host)?;
                        let Some(stat) = self.host.stat(&target)? else { continue };
                        self.compare(&target, &stat)?;
                        if stat.kind == FileKind::Directory {
                            todo.push(target);
                        }
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }

    fn compare(&mut self, path: &Path, stat: &FileStat) -> Result<(), Failure> {
        if !self.owners.contains_key(&stat.uid) {
            self.owners.insert(stat.uid, owner_of(stat.uid, self.host)?);
        }
        if !self.groups.contains_key(&stat.gid) {
            self.groups.insert(stat.gid, group_of(stat.gid, self.host)?);
        }
        let now = FileState {
            path: path.to_owned(),
            kind: Some(stat.kind),
            mode: Some(stat.mode),
            owner: self.owners.get(&stat.uid).cloned(),
            group: self.groups.get(&stat.gid).cloned(),
            target: None,
            content: None,
            size: stat.size,
            nlink: stat.nlink,
        };
        let want = now.wanted(stat.kind, self.wanted);
        if now.differs_outside(&want) && !self.found.iter().any(|(other, _)| other.path == now.path) {
            self.found.push((now, want));
        }
        Ok(())
    }
}
