//! What a task needs to know of its role.

use std::path::PathBuf;
use std::sync::Arc;

use crate::vars::Variables;

/// A role as its tasks see it.
#[derive(Debug)]
pub struct RoleInfo {
    /// Name as written.
    pub name: Arc<str>,
    /// Its directory.
    pub path: PathBuf,
    /// Defaults: those of its dependencies first, its own last.
    pub defaults: Vec<Arc<Variables>>,
    /// Variables: those of its dependencies first, its own last.
    pub vars: Vec<Arc<Variables>>,
    /// Parameters given where it is used.
    pub params: Arc<Variables>,
    /// Roles that it was pulled in by, innermost first.
    pub parents: Vec<Arc<str>>,
}
