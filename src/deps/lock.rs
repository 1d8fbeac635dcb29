//! The lock file: what exactly was installed, by content.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::requirements::{Kind, Requirement};

const HEAD: &str = "# What `stead deps install` installed, by content. Written by it; keep it under version control.\n";

/// Why a lock file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// It cannot be read or written.
    #[error("`{}`: {error}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not one.
    #[error("`{}` is not a lock file: {error}", path.display())]
    Format {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: serde_yaml::Error,
    },
    /// It was written by a later version.
    #[error("`{}` has format {found}, this program reads format {FORMAT}", path.display())]
    Version {
        /// Which file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
}

/// The format that is written.
const FORMAT: u32 = 1;

/// Everything that is installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The file's format.
    format: u32,
    /// Sorted by kind and name.
    pub items: Vec<Locked>,
}

/// One role or collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Locked {
    /// Role or collection.
    pub kind: Kind,
    /// Its name (`namespace.name` of a collection).
    pub name: String,
    /// Where it came from.
    pub source: String,
    /// The version that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What that was: a commit, or the SHA-256 of an archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// SHA-256 of the content.
    pub sha256: String,
}

impl Default for Lock {
    fn default() -> Self {
        Self { format: FORMAT, items: Vec::new() }
    }
}

impl Lock {
    /// Reads it; a file that is not there locks nothing.
    pub fn read(path: &Path) -> Result<Self, LockError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(LockError::Io { path: path.to_owned(), error }),
        };
        let lock: Self = serde_yaml::from_str(&text).map_err(|error| LockError::Format { path: path.to_owned(), error })?;
        if lock.format == FORMAT { Ok(lock) } else { Err(LockError::Version { path: path.to_owned(), found: lock.format }) }
    }

    /// Writes it, all or nothing.
    pub fn write(&self, path: &Path) -> Result<(), LockError> {
        let failed = |error| LockError::Io { path: path.to_owned(), error };
        let text = serde_yaml::to_string(self).map_err(|error| LockError::Format { path: path.to_owned(), error })?;
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new()
            .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .tempfile_in(directory)
            .map_err(failed)?;
        file.write_all(HEAD.as_bytes()).and_then(|()| file.write_all(text.as_bytes())).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(path).map_err(|error| failed(error.error))?;
        Ok(())
    }

    /// What is locked for a requirement as it is written now.
    pub(super) fn of(&self, requirement: &Requirement) -> Option<&Locked> {
        let source = requirement.source.to_string();
        self.items.iter().find(|locked| {
            locked.kind == requirement.kind
                && locked.source == source
                && locked.version == requirement.version
                && requirement.name.as_ref().is_none_or(|name| *name == locked.name)
        })
    }

    /// What is locked under a name.
    pub(super) fn named(&self, kind: Kind, name: &str) -> Option<&Locked> {
        self.items.iter().find(|locked| locked.kind == kind && locked.name == name)
    }

    /// Locks something, in place of what had its name.
    pub(super) fn set(&mut self, locked: Locked) {
        self.items.retain(|other| (other.kind, &other.name) != (locked.kind, &locked.name));
        self.items.push(locked);
        self.items.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
    }
}
