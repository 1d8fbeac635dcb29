//! A file that is managed whole: a keyring or a list of sources.

use std::path::{Path, PathBuf};

use crate::change::{Content, ResourceId, ResourceState};
use crate::host::{Attributes, FileWrite, Host, Inspect};
use crate::outcome::Failure;

/// Largest file (bytes) that is managed.
const LARGEST: u64 = 16 << 20;

/// A file, its content and, where it is managed, its mode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WholeFile {
    pub path: PathBuf,
    /// `None` where there is no such file.
    pub content: Option<Vec<u8>>,
    /// `None` where it is not managed.
    pub mode: Option<u32>,
}

impl WholeFile {
    /// Looks at it, and at its mode if that is managed.
    pub(super) fn read(path: &Path, with_mode: bool, host: &dyn Inspect) -> Result<Self, Failure> {
        if !crate::commands::glob::exists(path, host) {
            return Ok(Self { path: path.to_owned(), content: None, mode: None });
        }
        let content = Some(host.read(path, LARGEST)?);
        let mode = if with_mode { host.stat(path)?.map(|stat| stat.mode) } else { None };
        Ok(Self { path: path.to_owned(), content, mode })
    }

    /// The file as a resource.
    pub(super) fn resource(&self) -> ResourceState {
        let id = ResourceId::new("file", self.path.display().to_string());
        match &self.content {
            None => ResourceState::absent(id),
            Some(content) => ResourceState::present(id)
                .with_content(Content::of(content))
                .with("mode", self.mode.map(|mode| format!("{mode:04o}"))),
        }
    }

    /// Writes it, or removes it where it should not be; `mode` is that of a new file.
    pub(super) fn write(&self, mode: u32, host: &mut dyn Host) -> Result<(), Failure> {
        let there = host.stat(&self.path)?.is_some();
        let Some(content) = &self.content else { return if there { host.remove(&self.path) } else { Ok(()) } };
        make_directories(self.path.parent(), host)?;
        let attributes = Attributes { mode: self.mode.or((!there).then_some(mode)), ..Attributes::default() };
        host.write(&FileWrite { path: &self.path, content, attributes, validate: None })
    }
}

/// Makes a directory and those above it that are missing, readable by all.
pub(super) fn make_directories(path: Option<&Path>, host: &mut dyn Host) -> Result<(), Failure> {
    let Some(path) = path else { return Ok(()) };
    if crate::commands::glob::exists(path, host.inspect()) {
        return Ok(());
    }
    make_directories(path.parent(), host)?;
    host.make_directory(path, &Attributes { mode: Some(0o755), ..Attributes::default() })
}
