//! Playbooks and plays, resolved.

use std::path::PathBuf;
use std::sync::Arc;

use super::keywords::Keywords;
use super::role::RoleInfo;
use super::task::{Item, Task};
use crate::graph::Strategy;
use crate::source::{Node, Span};
use crate::vars::Variables;

/// A playbook file with everything that it imports.
#[derive(Debug, Clone)]
pub struct Playbook {
    /// As given.
    pub path: PathBuf,
    /// Its plays, those of imported playbooks in place.
    pub plays: Vec<Arc<Play>>,
}

/// One play.
#[derive(Debug, Clone)]
pub struct Play {
    /// Its place.
    pub span: Span,
    /// Its name, possibly a template.
    pub name: Option<Node>,
    /// Host pattern or list of patterns, possibly a template.
    pub hosts: Node,
    /// Directory of its playbook file.
    pub directory: PathBuf,
    /// Shared keywords of the play itself.
    pub keywords: Keywords,
    /// Whether facts are gathered first; none = yes.
    pub gather_facts: Option<Node>,
    /// `gather_subset`, `gather_timeout`.
    pub gather_options: Vec<(Arc<str>, Node)>,
    /// Batches.
    pub serial: Option<Node>,
    /// How edges are drawn.
    pub strategy: Strategy,
    /// Per cent of a batch that may fail.
    pub max_fail_percentage: Option<Node>,
    /// Handlers run although the host failed.
    pub force_handlers: Option<Node>,
    /// In which order hosts are taken.
    pub order: Option<Node>,
    /// The play's `vars`.
    pub vars: Arc<Variables>,
    /// Collections in which roles are looked for.
    pub collections: Vec<String>,
    /// `vars_files`, possibly templates; an inner list means "first that exists".
    pub vars_files: Vec<Node>,
    /// `vars_prompt`.
    pub vars_prompt: Vec<Prompt>,
    /// Tasks in the order in which they run: pre_tasks, roles, tasks, post_tasks, with the flush
    /// points between them.
    pub items: Vec<Item>,
    /// Handlers in the order in which they run.
    pub handlers: Vec<Arc<Task>>,
    /// Roles named by the play, whose defaults and variables all its tasks see.
    pub roles: Vec<Arc<RoleInfo>>,
}

/// One entry of `vars_prompt`.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// The variable.
    pub name: Arc<str>,
    /// The question.
    pub text: String,
    /// Not echoed.
    pub private: bool,
    /// Value of an empty answer, possibly a template.
    pub default: Option<Node>,
    /// Asked twice.
    pub confirm: bool,
    /// How the answer is hashed (`sha512_crypt` ...), and where that stands.
    pub encrypt: Option<(String, Span)>,
    /// Salt of the hash; random without it.
    pub salt: Option<String>,
    /// Length of a random salt.
    pub salt_size: Option<u64>,
}

impl Play {
    /// The name to be shown: as written, else the host pattern.
    pub fn title(&self) -> String {
        if let Some(name) = self.name.as_ref().and_then(Node::as_str) {
            return name.to_owned();
        }
        match self.hosts.as_list() {
            Some(list) => list.iter().filter_map(Node::as_str).collect::<Vec<_>>().join(","),
            None => self.hosts.as_str().unwrap_or("").to_owned(),
        }
    }
}
