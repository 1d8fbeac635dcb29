//! What a task needs to know of its role.

use std::path::PathBuf;
use std::sync::Arc;

use crate::vars::Variables;

/// A role as its tasks see it: one for every place where it is used.
#[derive(Debug)]
pub struct RoleInfo {
    /// Name as written.
    pub name: Arc<str>,
    /// Its directory.
    pub path: PathBuf,
    /// Defaults that its tasks see, the weakest first: those of its dependencies, those of roles
    /// that it was pulled in by, its own.
    pub defaults: Vec<Arc<Variables>>,
    /// Variables that its tasks see, the weakest first: those of roles that it was pulled in by, those
    /// of its dependencies, its own, those that were given with `vars` where it is used.
    pub vars: Vec<Arc<Variables>>,
    /// Parameters given where it is used, and where roles that it was pulled in by are used.
    pub params: Arc<Variables>,
    /// Its own `defaults/`: what other tasks of the play see.
    pub own_defaults: Arc<Variables>,
    /// Its own `vars/`: what other tasks of the play see.
    pub own_vars: Arc<Variables>,
    /// What was given with `vars` where it is used.
    pub given: Arc<Variables>,
    /// Parameters given where it is used, without those of other roles.
    pub own_params: Arc<Variables>,
    /// Roles that it was pulled in by, innermost first.
    pub parents: Vec<Arc<str>>,
    /// It depends on nothing but the play: not pulled in by another role's `dependencies`.
    pub named: bool,
    /// Equal for two places that ask for the same with the same parameters.
    pub key: String,
    /// A host that has run it (with this key) passes it by.
    pub once: bool,
}
