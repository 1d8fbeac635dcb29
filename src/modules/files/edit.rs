//! Files whose text is edited rather than given: what `lineinfile`, `blockinfile` and `replace` share.

use std::cell::RefCell;
use std::path::Path;

use serde_json::{Map, Value};

use super::attributes::{Wanted, Written};
use super::paths::{self, expand, missing_above, real_path, stat_followed};
use super::state::{self, Body, FileState, Look, Put, make_directories};
use crate::args::{ArgError, Arguments, Field};
use crate::change::{Content, ResourceState};
use crate::host::{FileKind, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, State};

/// Largest file (bytes) that is edited.
const LARGEST: u64 = 64 << 20;

/// A file that is edited: its text, and what became of it.
#[derive(Debug, Clone)]
pub struct Edited {
    pub(crate) file: FileState,
    pub(crate) above: Vec<FileState>,
    pub(crate) wanted: Wanted,
    pub(crate) text: Vec<u8>,
    /// The path as it was written, for messages.
    pub(crate) shown: String,
    /// What was done, in words.
    pub(crate) message: String,
    /// How many times, where that is told.
    pub(crate) count: usize,
}

impl State for Edited {
    fn resources(&self) -> Vec<ResourceState> {
        self.above.iter().chain([&self.file]).map(FileState::resource).collect()
    }
}

/// Options of an edit, and the text that it has written.
///
/// An expression may match its own replacement. Such an edit changes the file every time it is
/// asked for, but within one task it is done once it was written.
#[derive(Debug, Clone)]
pub struct Once<O> {
    pub(crate) options: O,
    written: RefCell<Option<Vec<u8>>>,
}

impl<O: Arguments> Arguments for Once<O> {
    fn fields() -> Vec<Field> {
        O::fields()
    }
    fn parse(options: &Map<String, Value>) -> Result<Self, Vec<ArgError>> {
        O::parse(options).map(|options| Self { options, written: RefCell::new(None) })
    }
    fn doc() -> &'static str {
        O::doc()
    }
}

impl<O> Once<O> {
    /// Remembers what was written.
    pub(crate) fn done(&self, want: &Edited) {
        *self.written.borrow_mut() = Some(want.text.clone());
    }

    /// Whether this is what was written.
    pub(crate) fn is_done(&self, now: &Edited) -> bool {
        self.written.borrow().as_ref() == Some(&now.text)
    }
}

/// Whether a missing file is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// It is made, with the directories above it.
    Create,
    /// It stays missing.
    Leave,
    /// It is an error, but in a plan, where a package may bring it.
    Expect,
}

/// Reads the file; links are followed.
pub(crate) fn read(path: &Path, written: Written<'_>, missing: Missing, host: &dyn Inspect) -> Result<Edited, Failure> {
    let path = paths::plain(&expand(path, host));
    let shown = path.display().to_string();
    let found = stat_followed(&path, host)?;
    if found.as_ref().is_some_and(|stat| stat.kind == FileKind::Directory) {
        return Err(Failure::new(format!("Path {shown} is a directory !")).with("rc", 256));
    }
    if found.is_none() && missing == Missing::Expect {
        state::awaited(&path, host)?;
    }
    let path = if host.stat(&path)?.is_some() { real_path(&path, host)? } else { path };
    let mut file = FileState::observe(&path, Look::Outside, host)?;
    let text = if found.is_some() { host.read(&path, LARGEST)? } else { Vec::new() };
    if found.is_some() {
        file.content = Some(Content::of(&text));
    }
    let above = match missing {
        Missing::Create => missing_above(&path, host)?.iter().map(|path| FileState::absent(path)).collect(),
        Missing::Leave | Missing::Expect => Vec::new(),
    };
    let wanted = written.look_up(host)?;
    Ok(Edited { file, above, wanted, text, shown, message: String::new(), count: 0 })
}

/// The file with this text; `message` says what was done to get it.
pub(crate) fn want(now: &Edited, text: Vec<u8>, message: &str) -> Edited {
    let exists = now.file.kind.is_some();
    let mut want = now.clone();
    let is_edited = !exists || text != now.text;
    want.file = now.file.wanted(FileKind::File, &now.wanted);
    want.file.content = Some(Content::of(&text));
    want.above = now.above.iter().map(|directory| directory.wanted(FileKind::Directory, &Wanted::default())).collect();
    want.message = if is_edited { message.to_owned() } else { String::new() };
    let sets_attributes = if exists { now.file.differs_outside(&want.file) } else { now.wanted != Wanted::default() };
    if sets_attributes {
        join_message(&mut want.message);
    }
    want.text = text;
    want
}

/// The file as it is: nothing is managed.
pub(crate) fn leave(now: &Edited) -> Edited {
    let mut want = now.clone();
    want.file = FileState { kind: now.file.kind, ..FileState::absent(&now.file.path) };
    want
}

fn join_message(message: &mut String) {
    if !message.is_empty() {
        message.push_str(" and ");
    }
    message.push_str("ownership, perms or SE linux context changed");
}

/// Puts the edited text in place. `backup_field` names the result field of a backup.
pub(crate) fn write(
    now: &Edited,
    want: &Edited,
    validate: Option<&str>,
    backup: bool,
    backup_field: &'static str,
    host: &mut dyn Host,
) -> Result<resource::Written, Failure> {
    make_directories(&want.above, host)?;
    let how = Put { body: Body::Bytes(&want.text), validate, backup, backup_field };
    let written = state::put(&now.file, &want.file, &how, host)?;
    Ok(written.with("msg", want.message.as_str()))
}

/// The result of a task that changed nothing: `msg` is empty, as with Ansible.
pub(crate) fn result() -> Map<String, Value> {
    Map::from_iter([("msg".to_owned(), Value::String(String::new()))])
}

/// The lines of a text, each with its ending.
pub(crate) fn lines(text: &[u8]) -> Vec<&[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').collect()
}

/// A line without its line feed.
pub(crate) fn bare(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\n").unwrap_or(line)
}
