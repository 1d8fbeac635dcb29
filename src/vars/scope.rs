//! Which variables a task on a host sees, and which definition wins.

use std::path::PathBuf;
use std::sync::Arc;

use indexmap::IndexMap;

use super::value::Value;
use crate::source::{Node, Span};

/// Levels of precedence, lowest first, as Ansible's documentation lists them
/// ("Variable precedence: Where should I put a variable?").
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Precedence {
    /// Provided by stead itself (magic variables that others may shadow).
    Builtin,
    /// A role's `defaults/`.
    RoleDefaults,
    /// Group variables in an inventory file or script.
    InventoryGroup,
    /// `group_vars/all` beside the inventory.
    InventoryGroupVarsAll,
    /// `group_vars/all` beside the playbook.
    PlaybookGroupVarsAll,
    /// Other `group_vars/` beside the inventory.
    InventoryGroupVars,
    /// Other `group_vars/` beside the playbook.
    PlaybookGroupVars,
    /// Host variables in an inventory file or script.
    InventoryHost,
    /// `host_vars/` beside the inventory.
    InventoryHostVars,
    /// `host_vars/` beside the playbook.
    PlaybookHostVars,
    /// Facts and cached `set_fact`.
    Facts,
    /// A play's `vars`.
    PlayVars,
    /// A play's `vars_prompt`.
    PlayVarsPrompt,
    /// A play's `vars_files`.
    PlayVarsFiles,
    /// A role's `vars/`.
    RoleVars,
    /// A block's `vars`.
    BlockVars,
    /// A task's `vars`.
    TaskVars,
    /// `include_vars`.
    IncludeVars,
    /// `set_fact` and `register`.
    SetFact,
    /// Parameters of a role.
    RoleParams,
    /// Parameters of an include.
    IncludeParams,
    /// Loop variables and other variables of the moment.
    Loop,
    /// `-e`.
    ExtraVars,
    /// Magic variables that nobody may shadow (`inventory_hostname`, `hostvars` ...).
    Magic,
}

impl Precedence {
    /// Its number in the list of Ansible's documentation, which begins with connection options (1).
    pub fn number(self) -> Option<u8> {
        match self {
            Self::Builtin | Self::Magic | Self::Loop => None,
            Self::ExtraVars => Some(22),
            // The levels stand in the order of that list.
            level => Some(level as u8 + 1),
        }
    }

    /// Why a definition of this level loses against one of a higher level.
    pub fn below(self, winner: Self) -> String {
        match (self.number(), winner.number()) {
            (Some(own), Some(other)) => format!("{} ({other}) is above this level ({own})", winner.describe()),
            _ => format!("{} is above this level", winner.describe()),
        }
    }

    /// The level in words.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Builtin => "stead's own default",
            Self::RoleDefaults => "a role's defaults",
            Self::InventoryGroup => "a group in the inventory",
            Self::InventoryGroupVarsAll => "group_vars/all beside the inventory",
            Self::PlaybookGroupVarsAll => "group_vars/all beside the playbook",
            Self::InventoryGroupVars => "group_vars beside the inventory",
            Self::PlaybookGroupVars => "group_vars beside the playbook",
            Self::InventoryHost => "the host in the inventory",
            Self::InventoryHostVars => "host_vars beside the inventory",
            Self::PlaybookHostVars => "host_vars beside the playbook",
            Self::Facts => "facts",
            Self::PlayVars => "the play's vars",
            Self::PlayVarsPrompt => "the play's vars_prompt",
            Self::PlayVarsFiles => "the play's vars_files",
            Self::RoleVars => "a role's vars",
            Self::BlockVars => "a block's vars",
            Self::TaskVars => "the task's vars",
            Self::IncludeVars => "include_vars",
            Self::SetFact => "set_fact or register",
            Self::RoleParams => "a role's parameters",
            Self::IncludeParams => "an include's parameters",
            Self::Loop => "the loop",
            Self::ExtraVars => "the command line",
            Self::Magic => "a magic variable",
        }
    }
}

/// Where a definition stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// In a file.
    File(Span),
    /// On the command line.
    CommandLine,
    /// Made by a task while running (facts, register, set_fact): the task's place.
    Task(Span),
    /// stead's own.
    Builtin,
}

/// What a definition holds.
#[derive(Debug, Clone)]
pub enum Definition {
    /// Written by a user: text in it may be a template, rendered when it is used.
    Source(Node),
    /// Data (facts, results, loop items): never a template.
    Data(Value),
}

/// One definition of a variable.
#[derive(Debug, Clone)]
pub struct Variable {
    /// What it holds.
    pub definition: Definition,
    /// Where it stands.
    pub origin: Origin,
}

/// Definitions by name, in the order in which they were written.
pub type Variables = IndexMap<Arc<str>, Variable>;

/// All definitions of one level from one place.
#[derive(Debug, Clone)]
pub struct Layer {
    /// Its level.
    pub precedence: Precedence,
    /// Definitions by name.
    pub variables: Arc<Variables>,
}

/// What a scope can see of other hosts: `hostvars`.
pub trait World: Send + Sync + std::fmt::Debug {
    /// Names of all hosts of the inventory, in its order.
    fn hosts(&self) -> Vec<Arc<str>>;
    /// The variables of a host, as `hostvars[host]` shows them.
    fn scope(&self, host: &str) -> Option<Arc<Scope>>;
}

/// The variables that one task on one host sees.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// Layers, lowest precedence first; in one level the later layer wins.
    pub layers: Vec<Layer>,
    /// Directories in which lookups and templates search for files, best first: the task's role
    /// (and its `templates`, `files` ...), then the playbook's directory.
    pub search: Arc<[PathBuf]>,
    /// `hostvars`, where there is an inventory.
    pub world: Option<Arc<dyn World>>,
}

impl Scope {
    /// Adds a layer above all layers of the same or a lower level.
    pub fn push(&mut self, layer: Layer) {
        let at = self.layers.partition_point(|other| other.precedence <= layer.precedence);
        self.layers.insert(at, layer);
    }

    /// The definition that wins.
    pub fn lookup(&self, name: &str) -> Option<(&Variable, Precedence)> {
        self.candidates(name).next()
    }

    /// All definitions of a name, the winner first.
    pub fn candidates<'a, 'n>(&'a self, name: &'n str) -> impl Iterator<Item = (&'a Variable, Precedence)> + use<'a, 'n> {
        self.layers.iter().rev().filter_map(move |layer| layer.variables.get(name).map(|variable| (variable, layer.precedence)))
    }

    /// All names, each once, sorted.
    pub fn names(&self) -> Vec<Arc<str>> {
        let mut names: Vec<_> = self.layers.iter().flat_map(|layer| layer.variables.keys().cloned()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}
