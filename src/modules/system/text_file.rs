//! A text file of which a module manages a few lines.

use std::path::{Path, PathBuf};

use crate::change::{Content, ResourceId, ResourceState};
use crate::host::{Attributes, FileWrite, Host, Inspect};
use crate::outcome::Failure;

/// Largest file (bytes) that is managed by lines.
const LARGEST: u64 = 16 << 20;

/// A file and its text; `None` where there is no such file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextFile {
    /// Where it is.
    pub path: PathBuf,
    /// What is in it.
    pub text: Option<String>,
}

impl TextFile {
    /// Looks at it.
    pub(crate) fn read(path: &Path, host: &dyn Inspect) -> Result<Self, Failure> {
        if !crate::commands::glob::exists(path, host) {
            return Ok(Self { path: path.to_owned(), text: None });
        }
        let bytes = host.read(path, LARGEST)?;
        let text = String::from_utf8(bytes).map_err(|_| Failure::at("manage lines of", path, "it is not UTF-8 text"))?;
        Ok(Self { path: path.to_owned(), text: Some(text) })
    }

    /// The same file with another text.
    pub(crate) fn with(&self, text: impl Into<String>) -> Self {
        Self { path: self.path.clone(), text: Some(text.into()) }
    }

    /// The same file, removed.
    pub(crate) fn gone(&self) -> Self {
        Self { path: self.path.clone(), text: None }
    }

    /// The lines of its text.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.as_deref().unwrap_or_default().lines()
    }

    /// The file as a resource.
    pub(crate) fn resource(&self) -> ResourceState {
        let id = ResourceId::new("file", self.path.display().to_string());
        match &self.text {
            None => ResourceState::absent(id),
            Some(text) => ResourceState::present(id).with_content(Content::of(text.as_bytes())),
        }
    }

    /// Keeps a copy of the file as it is on the host; its path.
    pub(crate) fn backup(&self, host: &mut dyn Host) -> Result<PathBuf, Failure> {
        let copy = crate::files::state::backup_name(&self.path, host.inspect());
        host.copy(&self.path, &copy)?;
        Ok(copy)
    }

    /// Writes it, or removes it where it should not be.
    pub(crate) fn write(&self, attributes: Attributes, host: &mut dyn Host) -> Result<(), Failure> {
        match &self.text {
            None => host.remove(&self.path),
            Some(text) => {
                let path = real_path(&self.path, host.inspect())?;
                host.write(&FileWrite { path: &path, content: text.as_bytes(), attributes, validate: None })
            }
        }
    }
}

/// What a symbolic link points at, so that the link stays.
fn real_path(path: &Path, host: &dyn Inspect) -> Result<PathBuf, Failure> {
    let mut path = path.to_owned();
    for _ in 0..40 {
        let Some(target) = host.stat(&path)?.and_then(|stat| stat.target) else { return Ok(path) };
        path = path.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
    }
    Err(Failure::at("write", &path, "too many levels of symbolic links"))
}
