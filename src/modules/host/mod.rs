//! The only door to the machine: [`Inspect`] looks, [`Host`] acts.
//!
//! Three hosts stand behind it: [`real`] (the machine), [`overlay`] (a plan: what earlier tasks
//! would have done, over what is there) and [`memory`] (tests). Nothing outside this folder calls
//! `std::fs` or `std::process`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{Read, Seek};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::change::ResourceId;
use crate::outcome::Failure;

mod accounts;
mod atomic;
mod digest;
mod dpkg;
pub mod http;
pub mod memory;
pub mod overlay;
mod paths;
mod process;
pub mod real;
mod terminal;
mod units;
mod words;

pub use atomic::{STAGED, staged_name};
pub use digest::{Digester, digest_bytes};
pub use words::split_command;

/// What kind of thing a path is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Link,
    /// A character device.
    Character,
    /// A block device.
    Block,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
}

/// What `lstat` says of a path.
#[derive(Debug, Clone, PartialEq)]
pub struct FileStat {
    /// What it is.
    pub kind: FileKind,
    /// Permission bits including set-id and sticky (`0o7777`).
    pub mode: u32,
    /// Owner.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Length in bytes.
    pub size: u64,
    /// Access time, seconds since the epoch.
    pub atime: f64,
    /// Modification time, seconds since the epoch.
    pub mtime: f64,
    /// Change time, seconds since the epoch.
    pub ctime: f64,
    /// Device number.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Number of hard links.
    pub nlink: u64,
    /// Of a device: its number.
    pub device: u64,
    /// How many blocks of 512 bytes it takes, and how many bytes are best read at once; none where
    /// nothing is stored yet.
    pub storage: Option<(u64, u64)>,
    /// Where a symbolic link points.
    pub target: Option<PathBuf>,
}

/// A command as an argument vector. There is no shell unless the program is one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Program (looked up in `PATH` if it has no slash) and arguments.
    pub argv: Vec<String>,
    /// Working directory.
    pub chdir: Option<PathBuf>,
    /// Variables added to the environment.
    pub environment: BTreeMap<String, String>,
    /// What is written to its standard input.
    pub stdin: Option<Vec<u8>>,
    /// How long it may run; none = until the request's own deadline.
    pub deadline: Option<Duration>,
}

impl CommandLine {
    /// A command without a shell.
    pub fn new<I: IntoIterator<Item = S>, S: Into<String>>(argv: I) -> Self {
        Self { argv: argv.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    /// Adds a variable to the environment.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    /// What is written to its standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(bytes.into());
        self
    }
}

/// How a command on a terminal is talked with.
pub struct Dialogue<'a> {
    /// Whether the terminal shows what is typed.
    pub echo: bool,
    /// How long nothing may be answered before the command is ended; none = for ever.
    pub silence: Option<Duration>,
    /// Given what was said since the last answer: how many bytes of it are done with, and the answer.
    pub answer: &'a mut dyn FnMut(&[u8]) -> Result<Option<(usize, Vec<u8>)>, Failure>,
}

/// What a command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// Exit status; a signal is its negative number, as Ansible has it.
    pub rc: i32,
    /// Standard output (head and tail kept when enormous).
    pub stdout: Vec<u8>,
    /// Standard error (likewise).
    pub stderr: Vec<u8>,
}

impl Output {
    /// Standard output as text; invalid UTF-8 is replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text; invalid UTF-8 is replaced.
    pub fn error_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// An account, as `/etc/passwd` and `/etc/shadow` have it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct User {
    /// Login name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of the primary group.
    pub gid: u32,
    /// Comment (GECOS).
    pub comment: String,
    /// Home directory.
    pub home: PathBuf,
    /// Login shell.
    pub shell: String,
    /// Password hash; `None` where it may not be read.
    pub password: Option<String>,
    /// Expiry, days since the epoch.
    pub expires: Option<i64>,
    /// Days between password changes: least.
    pub password_min_days: Option<i64>,
    /// Days between password changes: most.
    pub password_max_days: Option<i64>,
    /// Names of supplementary groups, sorted.
    pub groups: Vec<String>,
}

/// A group, as `/etc/group` has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Group {
    /// Name.
    pub name: String,
    /// Number.
    pub gid: u32,
    /// Names of members, sorted.
    pub members: Vec<String>,
}

/// A package in the package manager's own database.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// Name without architecture.
    pub name: String,
    /// Architecture.
    pub arch: String,
    /// Installed version.
    pub version: String,
    /// Held back from upgrades.
    pub held: bool,
    /// Removed, but configuration files are left.
    pub config_only: bool,
    /// Unpacked or half-configured: needs repair.
    pub broken: bool,
    /// In a plan: would be installed; its version may not be known.
    pub planned: bool,
}

/// A service unit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Unit {
    /// Full name with suffix.
    pub name: String,
    /// Whether a unit (or init script) of this name is there.
    pub exists: bool,
    /// `active`, `inactive`, `failed`, `activating` ...
    pub active: String,
    /// `enabled`, `disabled`, `masked`, `static`, `alias` ...
    pub enabled: String,
    /// What else `systemctl show` says: the `status` result field.
    pub properties: BTreeMap<String, String>,
    /// The unit file changed on disk since it was loaded.
    pub needs_reload: bool,
}

/// Which service manager runs the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServiceManager {
    /// systemd is PID 1.
    Systemd,
    /// Init scripts (`service`, `update-rc.d`), as in containers and chroots.
    Sysvinit,
    /// Nothing that we know.
    None,
}

/// What a command that acts does to the host, as far as it can be told beforehand.
///
/// The real host runs the command and ignores this; overlay and memory hosts carry it out.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The account is like this afterwards.
    User(User),
    /// The account is gone.
    NoUser(String),
    /// The group is like this afterwards.
    Group(Group),
    /// The group is gone.
    NoGroup(String),
    /// The package is like this afterwards.
    Package(Package),
    /// The package is gone.
    NoPackage(String),
    /// The unit is like this afterwards.
    Unit(Unit),
    /// The file at this path exists afterwards with this content and mode.
    File(PathBuf, Vec<u8>, u32),
    /// A directory exists afterwards with mode, uid, gid.
    Directory(PathBuf, u32, u32, u32),
    /// The path is gone.
    NoPath(PathBuf),
    /// Package lists were refreshed.
    PackageLists,
    /// A thing that only a tool on the host knows (a Python package, a snap, a database) is like
    /// this afterwards.
    Thing(ResourceId, Thing),
}

/// What a plan says of a thing that only a tool on the host knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// It would not be there.
    Gone,
    /// It would be there; what its module has to know of it (a version, a value).
    There(String),
}

/// Size of a file system, as `statvfs` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystem {
    /// Bytes in a block, for the counts of blocks.
    pub block_size: u64,
    /// Blocks.
    pub blocks: u64,
    /// Free blocks.
    pub blocks_free: u64,
    /// Blocks free for everybody.
    pub blocks_available: u64,
    /// Inodes.
    pub inodes: u64,
    /// Free inodes.
    pub inodes_free: u64,
    /// Inodes free for everybody.
    pub inodes_available: u64,
    /// Bytes that are best read at once.
    pub preferred_block_size: u64,
}

/// Attributes to be set on a path; `None` leaves one as it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attributes {
    /// Permission bits (`0o7777`).
    pub mode: Option<u32>,
    /// Owner.
    pub uid: Option<u32>,
    /// Group.
    pub gid: Option<u32>,
}

/// A file to be written whole.
#[derive(Debug)]
pub struct FileWrite<'a> {
    /// The target; a symbolic link there is replaced, not followed.
    pub path: &'a Path,
    /// The whole content.
    pub content: &'a [u8],
    /// Attributes; where `None`: those of the existing file, else mode `0666 & !umask` and the
    /// running user.
    pub attributes: Attributes,
    /// Program and arguments that must exit 0 for the staged file; `%s` stands for its path.
    pub validate: Option<&'a str>,
}

/// Content that is not in memory, for [`Host::write_from`].
#[derive(Clone, Copy)]
pub enum Source<'a> {
    /// Content that the controller offered by digest.
    Offered {
        /// Its SHA-256, lower-case hex.
        sha256: &'a str,
        /// Its length in bytes.
        size: u64,
    },
    /// A regular file on the host (symbolic links are followed).
    File(&'a Path),
    /// What a stream gives until its end.
    Stream(&'a RefCell<dyn Read + 'a>),
    /// Like `Stream`, for one of many files that are synced together by [`Host::sync`] afterwards.
    Part(&'a RefCell<dyn Read + 'a>),
    /// What only an apply can tell, and why: an overlay remembers that something is there.
    Unknown(&'a str),
}

impl std::fmt::Debug for Source<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offered { sha256, size } => f.debug_struct("Offered").field("sha256", sha256).field("size", size).finish(),
            Self::File(path) => f.debug_tuple("File").field(path).finish(),
            Self::Stream(_) => f.write_str("Stream"),
            Self::Part(_) => f.write_str("Part"),
            Self::Unknown(reason) => f.debug_tuple("Unknown").field(reason).finish(),
        }
    }
}

/// Content that can be read piece by piece, at any place.
pub trait Stream: Read + Seek + Send {}

impl<T: Read + Seek + Send> Stream for T {}

/// Looks at the machine. Every method is bounded and touches nothing.
pub trait Inspect {
    /// `lstat`: `None` where nothing is there.
    fn stat(&self, path: &Path) -> Result<Option<FileStat>, Failure>;
    /// The whole content of a regular file (symbolic links are followed), at most `limit` bytes.
    fn read(&self, path: &Path, limit: u64) -> Result<Vec<u8>, Failure>;
    /// A regular file for reading piece by piece (symbolic links are followed).
    fn open(&self, path: &Path) -> Result<Box<dyn Stream>, Failure>;
    /// What a command that only looks makes of its input, as it comes; a command that fails ends the
    /// stream with an error. For what is too large for [`Inspect::query`].
    fn filter(&self, command: &CommandLine, input: Box<dyn Stream>) -> Result<Box<dyn Read>, Failure>;
    /// Digest of a file's content: lower-case hex. `algorithm`: md5, sha1, sha224, sha256, sha384, sha512.
    fn digest(&self, path: &Path, algorithm: &str) -> Result<String, Failure>;
    /// Names in a directory, sorted.
    fn list(&self, path: &Path) -> Result<Vec<String>, Failure>;
    /// `access(2)` as the effective user: readable, writable, executable.
    fn access(&self, path: &Path) -> [bool; 3];
    /// Extended attributes that matter (ACLs, capabilities, SELinux label), name to value.
    fn xattrs(&self, path: &Path) -> BTreeMap<String, Vec<u8>>;
    /// Runs a command that only looks. On an overlay it sees the real host.
    fn query(&self, command: &CommandLine) -> Result<Output, Failure>;
    /// An account by name.
    fn user(&self, name: &str) -> Result<Option<User>, Failure>;
    /// An account by number.
    fn user_by_id(&self, uid: u32) -> Result<Option<User>, Failure>;
    /// A group by name.
    fn group(&self, name: &str) -> Result<Option<Group>, Failure>;
    /// A group by number.
    fn group_by_id(&self, gid: u32) -> Result<Option<Group>, Failure>;
    /// An installed package (Debian: dpkg's own database, read once and cached).
    fn package(&self, name: &str) -> Result<Option<Package>, Failure>;
    /// Packages that earlier tasks of a plan would have installed (`Some`) or removed.
    fn planned_packages(&self) -> Vec<(String, Option<Package>)> {
        Vec::new()
    }
    /// Whether packages that an earlier task of a plan would have installed may bring files that are not there.
    fn awaits_files(&self) -> bool {
        self.planned_packages().iter().any(|(_, package)| package.as_ref().is_some_and(|package| package.planned))
    }
    /// In a plan, the number that stands for an account or a group that such a package may make.
    fn awaited_account(&self, name: &str) -> Option<u32> {
        let _ = name;
        None
    }
    /// A unit with its state; `Unit::exists` is false where there is none.
    fn unit(&self, name: &str) -> Result<Unit, Failure>;
    /// What earlier tasks of a plan would have made of a thing that only a tool knows; `None` where
    /// the tool itself has to be asked, as always on a real host.
    fn thing(&self, id: &ResourceId) -> Option<Thing> {
        let _ = id;
        None
    }
    /// Which service manager runs the host.
    fn service_manager(&self) -> ServiceManager;
    /// Content that the controller offered by digest; fetched when it is first asked for.
    fn blob(&self, sha256: &str) -> Result<Vec<u8>, Failure>;
    /// The user that this process acts as: uid and gid.
    fn whoami(&self) -> (u32, u32);
    /// Seconds since the epoch.
    fn now(&self) -> f64;
    /// A variable of the agent's environment.
    fn env(&self, name: &str) -> Option<String>;
    /// Whether commands may be run for their effect (false on an overlay).
    fn acts(&self) -> bool;
    /// Whether an earlier task of a plan would have done anything here, or may have.
    fn has_plans(&self) -> bool {
        false
    }
    /// Whether package lists say now what they will say when this task is applied. Not so in a plan after
    /// a task that would refresh them, change where they come from, or do what nobody knows.
    fn lists_are_current(&self) -> bool {
        true
    }
    /// Opens a TCP connection from the host itself; nothing is sent.
    fn connect(&self, address: std::net::SocketAddr, within: Duration) -> std::io::Result<std::net::TcpStream> {
        std::net::TcpStream::connect_timeout(&address, within)
    }
    /// Size of the file system that holds a path; `None` if it does not answer within this time (a
    /// dead network mount).
    fn file_system(&self, path: &Path, within: Duration) -> Option<FileSystem> {
        let (answer, wait) = std::sync::mpsc::channel();
        let path = path.to_owned();
        // The thread of a look that hangs stays behind; nothing can end it.
        std::thread::spawn(move || {
            let _ = answer.send(rustix::fs::statvfs(&path).ok());
        });
        let found = wait.recv_timeout(within).ok()??;
        Some(FileSystem {
            block_size: found.f_frsize,
            blocks: found.f_blocks,
            blocks_free: found.f_bfree,
            blocks_available: found.f_bavail,
            inodes: found.f_files,
            inodes_free: found.f_ffree,
            inodes_available: found.f_favail,
            preferred_block_size: found.f_bsize,
        })
    }
    /// Lets time pass.
    fn pause(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// Acts on the machine. On an overlay nothing is touched, and later looks see the effect.
pub trait Host: Inspect {
    /// Writes a file whole: old or new, never in between.
    fn write(&mut self, file: &FileWrite<'_>) -> Result<(), Failure>;
    /// Like [`Host::write`] with content from elsewhere; `file.content` is not looked at. An overlay
    /// asks for offered content only if something reads it later.
    fn write_from(&mut self, source: &Source<'_>, file: &FileWrite<'_>) -> Result<(), Failure>;
    /// Sets attributes without following a symbolic link.
    fn set_attributes(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure>;
    /// Sets access and modification time, seconds since the epoch; `None` = leave.
    fn set_times(&mut self, path: &Path, atime: Option<f64>, mtime: Option<f64>) -> Result<(), Failure>;
    /// Makes one directory (its parent must exist).
    fn make_directory(&mut self, path: &Path, attributes: &Attributes) -> Result<(), Failure>;
    /// Makes or atomically replaces a symbolic link.
    fn symlink(&mut self, target: &Path, path: &Path) -> Result<(), Failure>;
    /// Makes or atomically replaces a hard link.
    fn hard_link(&mut self, source: &Path, path: &Path) -> Result<(), Failure>;
    /// Removes a file or a whole tree; symbolic links are never followed.
    fn remove(&mut self, path: &Path) -> Result<(), Failure>;
    /// Copies a file on the host itself to a new name, with its attributes.
    fn copy(&mut self, from: &Path, to: &Path) -> Result<(), Failure>;
    /// Runs a command that acts. `effects` says what it will have done, for hosts that only pretend.
    fn act(&mut self, command: &CommandLine, effects: &[Effect]) -> Result<Output, Failure>;
    /// Runs a command that acts on a terminal of its own, where it asks and is answered. What it says is its standard output.
    fn converse(&mut self, command: &CommandLine, effects: &[Effect], dialogue: &mut Dialogue<'_>) -> Result<Output, Failure> {
        let _ = dialogue;
        self.act(command, effects)
    }
    /// Sends a request from the host to a service elsewhere. An overlay never does.
    fn send(&mut self, request: &http::Request) -> Result<http::Reply, Failure>;
    /// Makes sure that everything written beneath this path will still be there after a power cut.
    fn sync(&mut self, path: &Path) -> Result<(), Failure>;
    /// This host as one that only looks.
    fn inspect(&self) -> &dyn Inspect;
}

/// Mode of a new file under this umask.
pub fn default_file_mode(umask: u32) -> u32 {
    0o666 & !umask
}

/// The full name of a unit: `.service` is added where no suffix stands.
pub fn unit_name(name: &str) -> String {
    const SUFFIXES: &[&str] =
        &["service", "socket", "target", "timer", "path", "mount", "automount", "swap", "slice", "scope", "device"];
    let suffix = name.rsplit_once('.').map(|(_, suffix)| suffix);
    if suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix)) { name.to_owned() } else { format!("{name}.service") }
}

/// What is said of a unit that does not exist.
fn no_unit(name: &str) -> Unit {
    let properties = BTreeMap::from([
        ("Id".to_owned(), name.to_owned()),
        ("LoadState".to_owned(), "not-found".to_owned()),
        ("ActiveState".to_owned(), "inactive".to_owned()),
    ]);
    Unit { name: name.into(), exists: false, active: "inactive".into(), enabled: String::new(), properties, needs_reload: false }
}

/// `access(2)` for hosts that keep modes themselves.
fn access_by_mode(kind: FileKind, mode: u32, owner: u32, group: u32, (uid, gid): (u32, u32)) -> [bool; 3] {
    if uid == 0 {
        return [true, true, kind == FileKind::Directory || mode & 0o111 != 0];
    }
    let shift = match () {
        () if uid == owner => 6,
        () if gid == group => 3,
        () => 0,
    };
    let bits = mode >> shift;
    [bits & 4 != 0, bits & 2 != 0, bits & 1 != 0]
}

fn too_large(path: &Path, size: u64, limit: u64) -> Failure {
    Failure::at("read", path, format!("it has {size} bytes, more than the limit of {limit}"))
}

fn no_algorithm(name: &str) -> Failure {
    Failure::new(format!("no checksum algorithm named `{name}`; known are md5, sha1, sha224, sha256, sha384, sha512"))
}
