//! One path as it is or as it should be, and how the difference is closed: what all modules that
//! write files share.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::attributes::{Account, Wanted, group_of, owner_of};
use super::mode::octal;
use super::paths;
use crate::change::{Content, ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Attributes, FileKind, FileStat, FileWrite, Host, Inspect, Source};
use crate::outcome::Failure;
use crate::resource::Written;

/// One path, observed or wanted. Of a wanted one, what is `None` is not managed.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileState {
    pub(crate) path: PathBuf,
    /// What is there; `None` if nothing is (or should be).
    pub(crate) kind: Option<FileKind>,
    pub(crate) mode: Option<u32>,
    pub(crate) owner: Option<Account>,
    pub(crate) group: Option<Account>,
    /// Where a link points.
    pub(crate) target: Option<PathBuf>,
    pub(crate) content: Option<Content>,
    /// Length in bytes, where observed.
    pub(crate) size: u64,
    /// Number of names, where observed.
    pub(crate) nlink: u64,
}

/// Whether a look at a file reads its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    /// Only attributes.
    Outside,
    /// Also the content.
    Inside,
}

/// The resource that a path is.
pub(crate) fn resource_id(path: &Path) -> ResourceId {
    ResourceId::new("file", path.display().to_string())
}

impl FileState {
    /// What is at this path now; a link at its end is not followed.
    pub(crate) fn observe(path: &Path, look: Look, host: &dyn Inspect) -> Result<Self, Failure> {
        let Some(stat) = host.stat(path)? else { return Ok(Self::absent(path)) };
        let content =
            (stat.kind == FileKind::File && look == Look::Inside).then(|| content_of(path, stat.size, host)).transpose()?;
        Ok(Self { content, ..Self::from_stat(path, &stat, host)? })
    }

    /// A path with attributes from a stat.
    pub(crate) fn from_stat(path: &Path, stat: &FileStat, host: &dyn Inspect) -> Result<Self, Failure> {
        Ok(Self {
            path: path.to_owned(),
            kind: Some(stat.kind),
            mode: Some(stat.mode),
            owner: Some(owner_of(stat.uid, host)?),
            group: Some(group_of(stat.gid, host)?),
            target: stat.target.clone(),
            content: None,
            size: stat.size,
            nlink: stat.nlink,
        })
    }

    /// Nothing at this path.
    pub(crate) fn absent(path: &Path) -> Self {
        Self { path: path.to_owned(), ..Self::default() }
    }

    /// This path as it should be: of this kind, with these attributes, nothing else managed.
    pub(crate) fn wanted(&self, kind: FileKind, wanted: &Wanted) -> Self {
        let current = match self.mode {
            Some(mode) if self.kind == Some(kind) => mode,
            _ if kind == FileKind::Directory => 0o755,
            _ => 0o644,
        };
        // Two names of one number are no difference.
        let account = |now: &Option<Account>, wanted: &Option<Account>| match (now, wanted) {
            (Some(now), Some(wanted)) if now.id == wanted.id => Some(now.clone()),
            (_, wanted) => wanted.clone(),
        };
        Self {
            path: self.path.clone(),
            kind: Some(kind),
            mode: wanted.mode.as_ref().map(|mode| mode.bits(current, kind == FileKind::Directory)),
            owner: account(&self.owner, &wanted.owner),
            group: account(&self.group, &wanted.group),
            target: None,
            content: None,
            size: self.size,
            nlink: self.nlink,
        }
    }

    /// As a resource for comparison.
    pub(crate) fn resource(&self) -> ResourceState {
        let id = resource_id(&self.path);
        let Some(kind) = self.kind else { return ResourceState::absent(id) };
        let mode = self.mode.filter(|_| kind != FileKind::Link);
        let state = ResourceState::present(id)
            .with("state", kind_word(kind))
            .with("src", self.target.as_ref().map(|target| target.display().to_string()))
            .with("mode", mode.map(octal))
            .with("owner", self.owner.as_ref().map(Account::shown))
            .with("group", self.group.as_ref().map(Account::shown));
        match &self.content {
            Some(content) => state.with_content(content.clone()),
            None => state,
        }
    }

    /// Managed attributes as numbers.
    pub(crate) fn attributes(&self) -> Attributes {
        Attributes {
            mode: self.mode,
            uid: self.owner.as_ref().map(|owner| owner.id),
            gid: self.group.as_ref().map(|group| group.id),
        }
    }

    /// Whether owner, group or mode differ from what is wanted.
    pub(crate) fn differs_outside(&self, want: &Self) -> bool {
        let differs = |now: &Option<Account>, want: &Option<Account>| {
            want.as_ref().is_some_and(|want| now.as_ref().is_none_or(|now| now.id != want.id))
        };
        let mode = want.mode.filter(|_| want.kind != Some(FileKind::Link));
        mode.is_some_and(|mode| self.mode != Some(mode)) || differs(&self.owner, &want.owner) || differs(&self.group, &want.group)
    }

    /// Whether kind or content differ from what is wanted.
    pub(crate) fn differs_inside(&self, want: &Self) -> bool {
        self.kind != want.kind || want.content.is_some() && self.content != want.content
    }

    /// The fields that results have of every existing path: `uid`, `gid`, `owner`, `group`,
    /// `mode`, `size`, `state`.
    pub(crate) fn result(&self) -> Map<String, Value> {
        let mut result = Map::new();
        let Some(kind) = self.kind else {
            result.insert("state".into(), "absent".into());
            return result;
        };
        if let Some(owner) = &self.owner {
            result.insert("uid".into(), owner.id.into());
            result.insert("owner".into(), owner.shown().into());
        }
        if let Some(group) = &self.group {
            result.insert("gid".into(), group.id.into());
            result.insert("group".into(), group.shown().into());
        }
        if let Some(mode) = self.mode {
            result.insert("mode".into(), octal(mode).into());
        }
        result.insert("size".into(), self.size.into());
        let is_hard = kind == FileKind::File && self.nlink > 1;
        result.insert("state".into(), if is_hard { "hard" } else { kind_word(kind) }.into());
        result
    }
}

/// The word for a kind in results and changes.
pub(crate) fn kind_word(kind: FileKind) -> &'static str {
    match kind {
        FileKind::File => "file",
        FileKind::Directory => "directory",
        FileKind::Link => "link",
        FileKind::Character => "char",
        FileKind::Block => "block",
        FileKind::Fifo => "fifo",
        FileKind::Socket => "socket",
    }
}

/// The content of a file: bytes where it is small, else by digest alone.
pub(crate) fn content_of(path: &Path, size: u64, host: &dyn Inspect) -> Result<Content, Failure> {
    if size <= Content::SHOWN as u64 {
        return Ok(Content::of(&host.read(path, 4 * Content::SHOWN as u64)?));
    }
    Ok(Content { sha256: host.digest(path, "sha256")?, size, bytes: None })
}

/// How a file is put in its place.
#[derive(Debug)]
pub(crate) struct Put<'a> {
    /// The wanted content: bytes, or where to get them.
    pub(crate) body: Body<'a>,
    /// Command that must accept the staged file.
    pub(crate) validate: Option<&'a str>,
    /// Whether a file that is replaced is copied first.
    pub(crate) backup: bool,
    /// Name of the result field for the copy.
    pub(crate) backup_field: &'static str,
}

/// Content to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body<'a> {
    /// At hand.
    Bytes(&'a [u8]),
    /// Elsewhere.
    From(Source<'a>),
}

/// Closes the difference between a file and what is wanted of it.
pub(crate) fn put(now: &FileState, want: &FileState, how: &Put<'_>, host: &mut dyn Host) -> Result<Written, Failure> {
    let mut written = Written::quiet();
    if !now.differs_inside(want) {
        if now.differs_outside(want) {
            host.set_attributes(&want.path, &want.attributes())?;
        }
        return Ok(written);
    }
    if how.backup && now.kind == Some(FileKind::File) {
        let copy = backup_name(&now.path, host);
        host.copy(&now.path, &copy)?;
        written = written.with(how.backup_field, copy.display().to_string());
    }
    let content = if let Body::Bytes(bytes) = how.body { bytes } else { b"" };
    let file = FileWrite { path: &want.path, content, attributes: want.attributes(), validate: how.validate };
    match &how.body {
        Body::Bytes(_) => host.write(&file)?,
        Body::From(source) => host.write_from(source, &file)?,
    }
    Ok(written)
}

/// The name of a backup: `PATH.PID.YYYY-MM-DD@HH:MM:SS~`, in local time.
pub(crate) fn backup_name(path: &Path, host: &dyn Inspect) -> PathBuf {
    let moment = jiff::Timestamp::from_second(host.now() as i64).unwrap_or_default();
    let moment = moment.to_zoned(jiff::tz::TimeZone::system()).strftime("%Y-%m-%d@%H:%M:%S").to_string();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{}.{moment}~", std::process::id()));
    PathBuf::from(name)
}

/// Whether a path that is missing may be brought by a package that a plan installs: then nothing is
/// known of it.
pub(crate) fn awaited(path: &Path, host: &dyn Inspect) -> Result<(), Failure> {
    if !host.awaits_files() {
        return Ok(());
    }
    let path = path.display();
    Err(Failure::unknown(format!("`{path}` is not there, but a package that would be installed before may bring it")))
}

/// Makes missing directories, uppermost first.
pub(crate) fn make_directories(directories: &[FileState], host: &mut dyn Host) -> Result<(), Failure> {
    for directory in directories {
        if !paths::is_directory(&directory.path, host.inspect())? {
            host.make_directory(&directory.path, &directory.attributes())?;
        }
    }
    Ok(())
}

/// What a task that writes this path touches.
pub(crate) fn claims(path: &Path, owner: Option<&str>, group: Option<&str>) -> Claims {
    let path = paths::plain(path);
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).map(resource_id);
    let named = |kind: &str, name: Option<&str>| {
        name.filter(|name| !name.is_empty() && name.parse::<u32>().is_err()).map(|name| ResourceId::new(kind, name))
    };
    Claims::provides([resource_id(&path)]).needing(parent.into_iter().chain(named("user", owner)).chain(named("group", group)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::host::{CommandLine, Effect, Package};
    use crate::outcome::Ending;
    use crate::registry::find;
    use serde_json::json;

    #[test]
    fn after_a_planned_package_what_is_missing_may_come_with_it() {
        for (module, options, without, with) in [
            ("copy", json!({"dest": "/etc/web/web.conf", "content": "x", "owner": "web"}), Ending::Failed, Ending::Changed),
            ("lineinfile", json!({"path": "/etc/default/web", "line": "x"}), Ending::Failed, Ending::Unknown),
            ("blockinfile", json!({"path": "/etc/default/web", "block": "x"}), Ending::Failed, Ending::Unknown),
            ("replace", json!({"path": "/etc/default/web", "regexp": "x"}), Ending::Failed, Ending::Unknown),
            ("file", json!({"path": "/etc/default/web", "mode": "0600", "state": "file"}), Ending::Failed, Ending::Unknown),
            ("file", json!({"path": "/etc/web/default", "state": "absent"}), Ending::Ok, Ending::Unknown),
            ("file", json!({"path": "/etc/default/web", "state": "absent"}), Ending::Ok, Ending::Ok),
            ("file", json!({"path": "/etc/here", "owner": "nobody-yet", "state": "directory"}), Ending::Failed, Ending::Changed),
            ("file", json!({"path": "/etc/web/link", "src": "/etc/web/file", "state": "link"}), Ending::Failed, Ending::Unknown),
        ] {
            let plan = |planned: bool| {
                let mut below = MemoryHost::default();
                below.add_file("/etc/default/other", "");
                let mut host = Overlay::new(below);
                if planned {
                    let web = Package { name: "web".into(), planned: true, ..Package::default() };
                    host.act(&CommandLine::default(), &[Effect::Package(web)]).unwrap();
                }
                (find(module).unwrap().run)(options.as_object().unwrap(), &mut host)
            };
            let (alone, after) = (plan(false), plan(true));
            assert_eq!((alone.ending, after.ending), (without, with), "{module} {options}: {:?}", after.result);
        }
    }
}
