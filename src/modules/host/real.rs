//! The machine itself.
//!
//! Together with its neighbours in this folder the only code that calls `std::fs` and
//! `std::process`.

#![expect(clippy::disallowed_methods, reason = "this is the door to the machine that all others must use")]

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::fs::{Access, AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, UTIME_OMIT, Uid};
use rustix::io::Errno;

use super::atomic::{self, Directory, Inherit, Input};
use super::digest::Digester;
use super::{
    Attributes, CommandLine, Dialogue, Effect, FileKind, FileStat, FileWrite, Group, Host, Inspect, Output, Package,
    ServiceManager, Source, Stream, Unit, User, accounts, default_file_mode, dpkg, http, no_algorithm, no_unit, process,
    terminal, too_large, unit_name, units,
};
use crate::outcome::Failure;

/// Gets content that the controller offered, by its SHA-256 in lower-case hex.
pub type BlobProvider = Box<dyn FnMut(&str) -> Result<Vec<u8>, Failure>>;

const PASSWD: &str = "/etc/passwd";
const GROUP: &str = "/etc/group";
const SHADOW: &str = "/etc/shadow";
const DPKG_STATUS: &str = "/var/lib/dpkg/status";
/// Largest database that is read.
const LONGEST_DATABASE: u64 = 256 << 20;
/// Largest offered content that is kept for a second look.
const LARGEST_KEPT_BLOB: usize = 4 << 20;
/// Most names that are listed in one directory.
const MOST_NAMES: usize = 1_000_000;
/// How long a query may take that the caller gave no deadline.
const QUERY_DEADLINE: Duration = Duration::from_secs(120);

/// The machine that this process runs on.
pub struct RealHost {
    blobs: RefCell<BlobProvider>,
    last_blob: RefCell<Option<(String, Rc<Vec<u8>>)>>,
    environment: BTreeMap<String, String>,
    deadline: Option<Instant>,
    dpkg: RefCell<Option<(Stamp, Rc<dpkg::Packages>)>>,
    dpkg_arch: RefCell<Option<String>>,
    cleaned: RefCell<HashSet<(u64, u64)>>,
    /// Answers of `getent` by database and key, until something acts.
    getent: RefCell<HashMap<(String, String), Option<String>>>,
    manager: Cell<Option<ServiceManager>>,
    umask: u32,
}

/// Modification time (seconds, nanoseconds) and size: what says that a file is still the same.
type Stamp = (i64, i64, u64);

impl std::fmt::Debug for RealHost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RealHost").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl RealHost {
    /// This machine; `blobs` is asked for content that modules need and the controller offered.
    pub fn new(blobs: BlobProvider) -> Self {
        Self {
            blobs: RefCell::new(blobs),
            last_blob: RefCell::new(None),
            environment: BTreeMap::new(),
            deadline: None,
            dpkg: RefCell::new(None),
            dpkg_arch: RefCell::new(None),
            cleaned: RefCell::new(HashSet::new()),
            getent: RefCell::new(HashMap::new()),
            manager: Cell::new(None),
            umask: read_umask().unwrap_or(0o022),
        }
    }

    /// Begins a task: its environment is added to that of every command, and no command runs past
    /// its deadline.
    pub fn begin_task(&mut self, environment: BTreeMap<String, String>, deadline: Option<Instant>) {
        self.environment = environment;
        self.deadline = deadline;
        self.getent.borrow_mut().clear();
    }

    fn run(&self, command: &CommandLine, most: Option<Duration>) -> Result<Output, Failure> {
        let (environment, path, deadline) = self.surroundings(command, most);
        process::run(command, &environment, &path, deadline)
    }

    /// Variables that are added, where programs are looked for, and until when a command may run.
    fn surroundings(&self, command: &CommandLine, most: Option<Duration>) -> (Vec<(&String, &String)>, String, Option<Instant>) {
        let now = Instant::now();
        let own = command.deadline.or(most).and_then(|limit| now.checked_add(limit));
        let deadline = [own, self.deadline].into_iter().flatten().min();
        let path = command.environment.get("PATH").cloned().or_else(|| self.env("PATH")).unwrap_or_default();
        (self.environment.iter().collect(), path, deadline)
    }

    /// One line of `getent`; `None` where it knows nothing of the key, or is missing.
    fn getent(&self, database: &str, key: &str) -> Option<String> {
        let asked = (database.to_owned(), key.to_owned());
        if let Some(known) = self.getent.borrow().get(&asked) {
            return known.clone();
        }
        let command = CommandLine::new(["getent", database, key]);
        let output = self.run(&command, Some(Duration::from_secs(15))).ok()?;
        let line = (output.rc == 0).then(|| output.text().lines().next().map(str::to_owned)).flatten();
        self.getent.borrow_mut().insert(asked, line.clone());
        line
    }

    fn find_user(&self, key: &str, is_it: &dyn Fn(&User) -> bool) -> Result<Option<User>, Failure> {
        let passwd = read_database(PASSWD)?;
        let found = passwd.lines().filter_map(accounts::user).find(is_it);
        let found = found.or_else(|| self.getent("passwd", key).as_deref().and_then(accounts::user).filter(|user| is_it(user)));
        let Some(mut user) = found else { return Ok(None) };
        if let Ok(shadow) = fs::read_to_string(SHADOW) {
            for line in shadow.lines() {
                accounts::add_shadow(&mut user, line);
            }
        }
        user.groups = read_database(GROUP)?
            .lines()
            .filter_map(accounts::group)
            .filter(|group| group.members.contains(&user.name))
            .map(|group| group.name)
            .collect();
        user.groups.sort();
        Ok(Some(user))
    }

    fn find_group(&self, key: &str, is_it: &dyn Fn(&Group) -> bool) -> Result<Option<Group>, Failure> {
        let groups = read_database(GROUP)?;
        let found = groups.lines().filter_map(accounts::group).find(is_it);
        Ok(found.or_else(|| self.getent("group", key).as_deref().and_then(accounts::group).filter(|group| is_it(group))))
    }

    fn native_arch(&self) -> String {
        let mut arch = self.dpkg_arch.borrow_mut();
        arch.get_or_insert_with(|| {
            // dpkg writes this file only once a second architecture was added; the first line is its own.
            let listed = fs::read_to_string("/var/lib/dpkg/arch").ok().and_then(|text| text.lines().next().map(str::to_owned));
            listed.unwrap_or_else(|| match std::env::consts::ARCH {
                "x86_64" => "amd64".into(),
                "aarch64" => "arm64".into(),
                other => other.into(),
            })
        })
        .clone()
    }

    fn init_script(&self, name: &str) -> Unit {
        let plain = name.strip_suffix(".service").unwrap_or(name);
        let script = Path::new("/etc/init.d").join(plain);
        if !script.exists() {
            return no_unit(name);
        }
        let status = CommandLine::new([script.to_string_lossy().as_ref(), "status"]);
        let running = self.run(&status, Some(Duration::from_secs(30))).is_ok_and(|output| output.rc == 0);
        units::from_init_script(name, running, starts_at_boot(plain))
    }

    fn put(&mut self, file: &FileWrite<'_>, input: Input<'_>) -> Result<(), Failure> {
        let inherit = Inherit::Replaced(default_file_mode(self.umask));
        let Some(template) = file.validate else {
            return self.stage(file.path, input, inherit, &file.attributes, None);
        };
        let validate = |staged: &Path| self.validate(template, staged);
        self.stage(file.path, input, inherit, &file.attributes, Some(&validate))
    }

    fn stage(
        &self,
        path: &Path,
        input: Input<'_>,
        inherit: Inherit<'_>,
        attributes: &Attributes,
        validate: Option<atomic::Validate<'_>>,
    ) -> Result<(), Failure> {
        let (directory, name) = self.open_directory(path).map_err(|errno| Failure::at("write", path, errno))?;
        atomic::write(path, &directory, &name, input, inherit, attributes, validate)
    }

    /// Opens the directory of a path; what killed runs left there is removed the first time.
    fn open_directory(&self, path: &Path) -> Result<(Directory, PathBuf), Errno> {
        let (directory, name) = Directory::of(path)?;
        if self.cleaned.borrow_mut().insert(directory.identity()?) {
            // A directory that cannot be listed may still be written to.
            let _ = directory.clean(self.now());
        }
        Ok((directory, name))
    }

    fn validate(&self, template: &str, staged: &Path) -> Result<(), Failure> {
        if !template.contains("%s") {
            return Err(Failure::new(format!("validate must contain %s: {template}")));
        }
        let mut argv = super::split_command(template)
            .ok_or_else(|| Failure::new(format!("validate: a quotation mark in `{template}` is not closed")))?;
        for word in &mut argv {
            *word = word.replace("%s", &staged.to_string_lossy());
        }
        let output = self.run(&CommandLine::new(argv), None)?;
        if output.rc == 0 {
            return Ok(());
        }
        let said = if output.stderr.is_empty() { output.text() } else { output.error_text() };
        Err(Failure::new(format!("failed to validate: rc:{} error:{}", output.rc, said.trim_end()))
            .with("exit_status", output.rc)
            .with("stdout", output.text())
            .with("stderr", output.error_text()))
    }
}

fn read_umask() -> Option<u32> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("Umask:"))?;
    u32::from_str_radix(mask.trim(), 8).ok()
}

fn read_database(path: &str) -> Result<String, Failure> {
    match read_limited(Path::new(path), LONGEST_DATABASE) {
        Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Failure::at("read", Path::new(path), error)),
    }
}

fn read_limited(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open_file(path)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > limit {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, format!("it has more than the limit of {limit} bytes")));
    }
    Ok(bytes)
}

/// Opens a regular file; a pipe or a device would hang or never end.
fn open_file(path: &Path) -> io::Result<File> {
    let file = File::from(rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty())?);
    let kind = file.metadata()?.file_type();
    if kind.is_file() {
        return Ok(file);
    }
    let kind = if kind.is_dir() { io::ErrorKind::IsADirectory } else { io::ErrorKind::InvalidInput };
    Err(if kind == io::ErrorKind::IsADirectory { kind.into() } else { io::Error::new(kind, "it is not a regular file") })
}

/// Whether a link starts this init script in any of the usual run levels.
fn starts_at_boot(name: &str) -> bool {
    ["2", "3", "4", "5", "S"].iter().any(|level| {
        let Ok(links) = fs::read_dir(format!("/etc/rc{level}.d")) else { return false };
        links.flatten().any(|link| {
            let link = link.file_name();
            let link = link.to_string_lossy();
            link.starts_with('S') && link.get(3..) == Some(name)
        })
    })
}

fn kind_of(kind: fs::FileType) -> FileKind {
    match () {
        () if kind.is_file() => FileKind::File,
        () if kind.is_dir() => FileKind::Directory,
        () if kind.is_symlink() => FileKind::Link,
        () if kind.is_char_device() => FileKind::Character,
        () if kind.is_block_device() => FileKind::Block,
        () if kind.is_fifo() => FileKind::Fifo,
        () => FileKind::Socket,
    }
}

fn seconds(whole: i64, nanoseconds: i64) -> f64 {
    whole as f64 + nanoseconds as f64 / 1e9
}

fn timespec(time: Option<f64>) -> Timespec {
    match time {
        None => Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        Some(time) => Timespec { tv_sec: time.floor() as i64, tv_nsec: ((time - time.floor()) * 1e9) as _ },
    }
}

impl Inspect for RealHost {
    fn stat(&self, path: &Path) -> Result<Option<FileStat>, Failure> {
        let found = match fs::symlink_metadata(path) {
            Ok(found) => found,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(None),
            Err(error) => return Err(Failure::at("look at", path, error)),
        };
        let kind = kind_of(found.file_type());
        let target = match kind {
            FileKind::Link => Some(fs::read_link(path).map_err(|error| Failure::at("read link", path, error))?),
            _ => None,
        };
        Ok(Some(FileStat {
            kind,
            mode: found.mode() & 0o7777,
            uid: found.uid(),
            gid: found.gid(),
            size: found.size(),
            atime: seconds(found.atime(), found.atime_nsec()),
            mtime: seconds(found.mtime(), found.mtime_nsec()),
            ctime: seconds(found.ctime(), found.ctime_nsec()),
            dev: found.dev(),
            ino: found.ino(),
            nlink: found.nlink(),
            device: found.rdev(),
            storage: Some((found.blocks(), found.blksize())),
            target,
        }))
    }

    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure> {
        if let Ok(found) = fs::metadata(path)
            && found.is_file()
            && found.size() > limit
        {
            return Err(too_large(path, found.size(), limit));
        }
        read_limited(path, limit).map_err(|error| Failure::at("read", path, error))
    }

    fn open(&self, path: &Path) -> Result<Box<dyn Stream>, Failure> {
        Ok(Box::new(open_file(path).map_err(|error| Failure::at("read", path, error))?))
    }

    fn filter(&self, command: &CommandLine, input: Box<dyn Stream>) -> Result<Box<dyn io::Read>, Failure> {
        let path = self.env("PATH").unwrap_or_default();
        Ok(Box::new(process::filter(command, &self.environment, &path, input)?))
    }

    fn digest(&self, path: &Path, algorithm: &str) -> Result<String, Failure> {
        let mut digester = Digester::new(algorithm).ok_or_else(|| no_algorithm(algorithm))?;
        let mut buffer = vec![0; 128 << 10];
        let mut file = open_file(path).map_err(|error| Failure::at("read", path, error))?;
        loop {
            match file.read(&mut buffer) {
                Ok(0) => return Ok(digester.finish()),
                Ok(length) => digester.update(&buffer[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::at("read", path, error)),
            }
        }
    }

    fn list(&self, path: &Path) -> Result<Vec<String>, Failure> {
        let fail = |error: io::Error| Failure::at("list", path, error);
        let mut names = Vec::new();
        for entry in fs::read_dir(path).map_err(fail)? {
            names.push(entry.map_err(fail)?.file_name().to_string_lossy().into_owned());
            if names.len() > MOST_NAMES {
                return Err(Failure::at("list", path, format!("it has more than {MOST_NAMES} entries")));
            }
        }
        names.sort();
        Ok(names)
    }

    fn access(&self, path: &Path) -> [bool; 3] {
        [Access::READ_OK, Access::WRITE_OK, Access::EXEC_OK]
            .map(|access| rustix::fs::accessat(CWD, path, access, AtFlags::EACCESS).is_ok())
    }

    fn xattrs(&self, path: &Path) -> BTreeMap<String, Vec<u8>> {
        atomic::xattrs(path).into_iter().collect()
    }

    fn query(&self, command: &CommandLine) -> Result<Output, Failure> {
        self.run(command, Some(QUERY_DEADLINE))
    }

    fn user(&self, name: &str) -> Result<Option<User>, Failure> {
        self.find_user(name, &|user| user.name == name)
    }

    fn user_by_id(&self, uid: u32) -> Result<Option<User>, Failure> {
        self.find_user(&uid.to_string(), &|user| user.uid == uid)
    }

    fn group(&self, name: &str) -> Result<Option<Group>, Failure> {
        self.find_group(name, &|group| group.name == name)
    }

    fn group_by_id(&self, gid: u32) -> Result<Option<Group>, Failure> {
        self.find_group(&gid.to_string(), &|group| group.gid == gid)
    }

    fn package(&self, name: &str) -> Result<Option<Package>, Failure> {
        let path = Path::new(DPKG_STATUS);
        let found = fs::metadata(path).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Failure::new("no package database that is known here was found (only dpkg's is)"),
            _ => Failure::at("read", path, error),
        })?;
        let stamp = (found.mtime(), found.mtime_nsec(), found.size());
        let mut cache = self.dpkg.borrow_mut();
        if cache.as_ref().is_none_or(|(known, _)| *known != stamp) {
            *cache = Some((stamp, Rc::new(dpkg::parse(&read_database(DPKG_STATUS)?))));
        }
        let packages = cache.as_ref().map(|(_, packages)| packages.clone()).expect("the cache was just filled");
        Ok(dpkg::find(&packages, name, &self.native_arch()))
    }

    fn unit(&self, name: &str) -> Result<Unit, Failure> {
        let full = unit_name(name);
        match self.service_manager() {
            ServiceManager::Systemd => {
                let output =
                    self.query(&CommandLine::new(["systemctl", "show", "--no-pager", "--", &full]).env("LC_ALL", "C"))?;
                if output.rc != 0 && output.stdout.is_empty() {
                    return Err(Failure::new(format!("cannot look at unit `{full}`: {}", output.error_text().trim_end())));
                }
                Ok(units::from_systemctl(&full, &output.text()))
            }
            ServiceManager::Sysvinit => Ok(self.init_script(&full)),
            ServiceManager::None => Ok(no_unit(&full)),
        }
    }

    fn service_manager(&self) -> ServiceManager {
        if let Some(manager) = self.manager.get() {
            return manager;
        }
        let manager = match () {
            () if Path::new("/run/systemd/system").is_dir() => ServiceManager::Systemd,
            () if Path::new("/etc/init.d").is_dir() => ServiceManager::Sysvinit,
            () => ServiceManager::None,
        };
        self.manager.set(Some(manager));
        manager
    }

    fn blob(&self, sha256: &str) -> Result<Vec<u8>, Failure> {
        if let Some((known, bytes)) = self.last_blob.borrow().as_ref()
            && known == sha256
        {
            return Ok(bytes.to_vec());
        }
        let bytes = (self.blobs.borrow_mut())(sha256)?;
        let found = crate::change::sha256(&bytes);
        if found != sha256 {
            return Err(Failure::new(format!("content {sha256} arrived damaged: its digest is {found}")));
        }
        if bytes.len() <= LARGEST_KEPT_BLOB {
            *self.last_blob.borrow_mut() = Some((sha256.to_owned(), Rc::new(bytes.clone())));
        }
        Ok(bytes)
    }

    fn whoami(&self) -> (u32, u32) {
        (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw())
    }

    fn now(&self) -> f64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.environment.get(name).cloned().or_else(|| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn acts(&self) -> bool {
        true
    }
}

impl Host for RealHost {
    fn write(&mut self, file: &FileWrite<'_>) -> Result<(), Failure> {
        self.put(file, Input::Bytes(file.content))
    }

    fn write_from(&mut self, source: &Source<'_>, file: &FileWrite<'_>) -> Result<(), Failure> {
        match source {
            Source::Offered { sha256, .. } => {
                let content = self.blob(sha256)?;
                self.put(file, Input::Bytes(&content))
            }
            Source::File(path) => {
                let from = open_file(path).map_err(|error| Failure::at("read", path, error))?;
                self.put(file, Input::File(from))
            }
            Source::Stream(stream) => self.put(file, Input::Stream(&mut *stream.borrow_mut())),
            Source::Part(stream) => self.put(file, Input::Part(&mut *stream.borrow_mut())),
            Source::Unknown(reason) => Err(Failure::at("write", file.path, reason)),
        }
    }

    fn set_attributes(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure> {
        // A descriptor that only names the file: what is changed is what was looked at.
        let fd = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
            .map_err(|errno| Failure::at("open", path, errno))?;
        let found = rustix::fs::fstat(&fd).map_err(|errno| Failure::at("look at", path, errno))?;
        if attributes.uid.is_some() || attributes.gid.is_some() {
            let (uid, gid) = (attributes.uid.map(Uid::from_raw), attributes.gid.map(Gid::from_raw));
            rustix::fs::chownat(&fd, c"", uid, gid, AtFlags::EMPTY_PATH)
                .map_err(|errno| Failure::at("change owner of", path, errno))?;
        }
        let is_link = rustix::fs::FileType::from_raw_mode(found.st_mode) == rustix::fs::FileType::Symlink;
        if let Some(mode) = attributes.mode.filter(|_| !is_link) {
            use std::os::fd::AsRawFd as _;
            let mode = Mode::from_raw_mode(mode);
            let by_descriptor = format!("/proc/self/fd/{}", fd.as_raw_fd());
            let set = match rustix::fs::chmod(&*by_descriptor, mode) {
                // Without /proc the path has to do.
                Err(Errno::NOENT | Errno::NOTDIR) => rustix::fs::chmod(path, mode),
                other => other,
            };
            set.map_err(|errno| Failure::at("change mode of", path, errno))?;
        }
        Ok(())
    }

    fn set_times(&mut self, path: &Path, atime: Option<f64>, mtime: Option<f64>) -> Result<(), Failure> {
        let times = Timestamps { last_access: timespec(atime), last_modification: timespec(mtime) };
        rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|errno| Failure::at("set times of", path, errno))
    }

    fn make_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure> {
        // Not open to others before it has its owner and mode.
        let first = attributes.mode.map_or(0o777, |mode| mode & 0o700);
        rustix::fs::mkdirat(CWD, path, Mode::from_raw_mode(first))
            .map_err(|errno| Failure::at("create directory", path, errno))?;
        self.set_attributes(path, attributes)
    }

    fn symlink(&mut self, target: &Path, path: &Path) -> Result<(), Failure> {
        self.open_directory(path)
            .and_then(|(directory, name)| directory.replace_link(&name, &|fd, staged| rustix::fs::symlinkat(target, fd, staged)))
            .map_err(|errno| Failure::at("link", path, errno))
    }

    fn hard_link(&mut self, source: &Path, path: &Path) -> Result<(), Failure> {
        self.open_directory(path)
            .and_then(|(directory, name)| {
                directory.replace_link(&name, &|fd, staged| rustix::fs::linkat(CWD, source, fd, staged, AtFlags::empty()))
            })
            .map_err(|errno| Failure::at("link", path, errno))
    }

    fn remove(&mut self, path: &Path) -> Result<(), Failure> {
        let fail = |error: io::Error| Failure::at("remove", path, error);
        let kind = fs::symlink_metadata(path).map_err(fail)?.file_type();
        if kind.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }.map_err(fail)
    }

    fn copy(&mut self, from: &Path, to: &Path) -> Result<(), Failure> {
        let input = open_file(from).map_err(|error| Failure::at("read", from, error))?;
        self.stage(to, Input::File(input), Inherit::Source(from), &Attributes::default(), None)
    }

    fn act(&mut self, command: &CommandLine, _effects: &[Effect]) -> Result<Output, Failure> {
        self.getent.borrow_mut().clear();
        self.run(command, None)
    }

    fn converse(&mut self, command: &CommandLine, _: &[Effect], dialogue: &mut Dialogue<'_>) -> Result<Output, Failure> {
        self.getent.borrow_mut().clear();
        let (environment, path, deadline) = self.surroundings(command, None);
        terminal::converse(command, &environment, &path, deadline, dialogue)
    }

    fn send(&mut self, request: &http::Request) -> Result<http::Reply, Failure> {
        crate::web::client::send(request, self)
    }

    fn sync(&mut self, path: &Path) -> Result<(), Failure> {
        let directory = File::open(path).map_err(|error| Failure::at("sync", path, error))?;
        rustix::fs::syncfs(&directory).map_err(|errno| Failure::at("sync", path, errno))
    }

    fn inspect(&self) -> &dyn Inspect {
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> RealHost {
        RealHost::new(Box::new(|sha256| Err(Failure::new(format!("no content {sha256}")))))
    }

    fn plain<'a>(path: &'a Path, content: &'a [u8]) -> FileWrite<'a> {
        FileWrite { path, content, attributes: Attributes::default(), validate: None }
    }

    #[test]
    fn a_written_file_keeps_mode_and_replaces_a_link() {
        let place = tempfile::tempdir().unwrap();
        let (file, link) = (place.path().join("a"), place.path().join("link"));
        let mut host = host();
        host.write(&FileWrite { attributes: Attributes { mode: Some(0o4640), ..Attributes::default() }, ..plain(&file, b"one") })
            .unwrap();
        host.write(&plain(&file, b"two")).unwrap();
        assert_eq!(host.stat(&file).unwrap().unwrap().mode, 0o4640);
        host.symlink(&file, &link).unwrap();
        host.write(&plain(&link, b"three")).unwrap();
        assert_eq!(host.read(&file, 99).unwrap(), b"two");
        assert_eq!(host.stat(&link).unwrap().unwrap().kind, FileKind::File);
        assert_eq!(host.list(place.path()).unwrap(), ["a", "link"]);
    }

    #[test]
    fn what_does_not_validate_is_not_written() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a");
        let mut host = host();
        host.write(&plain(&file, b"good\n")).unwrap();
        let failure = host.write(&FileWrite { validate: Some("grep -q good %s"), ..plain(&file, b"bad\n") }).unwrap_err();
        assert!(failure.message.starts_with("failed to validate: rc:1"), "{failure}");
        host.write(&FileWrite { validate: Some("grep -q 'good and' %s"), ..plain(&file, b"good and new\n") }).unwrap();
        assert_eq!(host.read(&file, 99).unwrap(), b"good and new\n");
        assert_eq!(host.list(place.path()).unwrap(), ["a"]);
    }

    #[test]
    fn a_staged_program_can_be_run_to_validate_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a");
        let attributes = Attributes { mode: Some(0o755), ..Attributes::default() };
        let write = FileWrite { validate: Some("%s"), attributes, ..plain(&file, b"#!/bin/sh\nexit 0\n") };
        host().write(&write).unwrap();
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_a_living_one_holds_is_kept() {
        let place = tempfile::tempdir().unwrap();
        let (left, held) = (place.path().join(".stead-0001"), place.path().join(".stead-0002"));
        fs::write(&left, "x").unwrap();
        fs::write(&held, "y").unwrap();
        let living = File::open(&held).unwrap();
        rustix::fs::flock(&living, rustix::fs::FlockOperation::LockExclusive).unwrap();
        host().write(&plain(&place.path().join("a"), b"")).unwrap();
        assert!(!left.exists() && held.exists());
    }

    #[test]
    fn copies_keep_mode_and_time() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("a"), place.path().join("b"));
        let mut host = host();
        host.write(&FileWrite { attributes: Attributes { mode: Some(0o600), ..Attributes::default() }, ..plain(&from, b"x") })
            .unwrap();
        host.set_times(&from, None, Some(1_000_000.5)).unwrap();
        host.copy(&from, &to).unwrap();
        let stat = host.stat(&to).unwrap().unwrap();
        assert_eq!((stat.mode, stat.mtime), (0o600, 1_000_000.5));
    }

    #[test]
    fn links_are_replaced_and_leave_nothing() {
        let place = tempfile::tempdir().unwrap();
        let (file, link) = (place.path().join("a"), place.path().join("b"));
        let mut host = host();
        host.write(&plain(&file, b"x")).unwrap();
        host.symlink(Path::new("nowhere"), &link).unwrap();
        host.hard_link(&file, &link).unwrap();
        host.hard_link(&file, &link).unwrap();
        assert_eq!((host.stat(&link).unwrap().unwrap().nlink, host.list(place.path()).unwrap().len()), (2, 2));
        host.remove(&link).unwrap();
        assert_eq!(host.list(place.path()).unwrap(), ["a"]);
    }

    #[test]
    fn pipes_and_large_files_are_not_read() {
        let place = tempfile::tempdir().unwrap();
        let pipe = place.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert!(host().read(&pipe, 99).unwrap_err().message.contains("not a regular file"));
        fs::write(place.path().join("big"), [0; 100]).unwrap();
        assert!(host().read(&place.path().join("big"), 99).unwrap_err().message.contains("100 bytes"));
        assert!(host().read(place.path(), 99).is_err());
    }

    #[test]
    fn root_is_known_by_name_and_number() {
        let root = host().user("root").unwrap().unwrap();
        assert_eq!(host().user_by_id(0).unwrap(), Some(root));
        assert_eq!(host().group_by_id(0).unwrap().unwrap().name, "root");
        assert_eq!(host().user("no-such-user-here").unwrap(), None);
    }

    #[test]
    fn damaged_content_is_refused() {
        let host = RealHost::new(Box::new(|_| Ok(b"other".to_vec())));
        assert!(host.blob(&crate::change::sha256(b"wanted")).unwrap_err().message.contains("damaged"));
    }
}
