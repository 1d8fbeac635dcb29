//! What modules a playbook may call, with their options. Filled from above, so that this layer
//! knows neither hosts nor actions.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use stead_modules::args::{ArgError, Field};
use stead_modules::claims::Claims;

/// Who does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Performer {
    /// The agent on the host.
    Agent,
    /// The controller, perhaps with the agent's help.
    Controller,
    /// The loader or the scheduler (imports, includes, `meta`).
    Engine,
}

/// One module.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Plain name.
    pub name: &'static str,
    /// Who does the work.
    pub performer: Performer,
    /// Its options.
    pub fields: Vec<Field>,
    /// Takes a free-form command (`command: ls creates=/x`).
    pub takes_command: bool,
    /// Takes any option (`set_fact`).
    pub takes_anything: bool,
    /// Another host could notice whether it ran.
    pub observable: bool,
    /// Checks options without a host; the values are as written.
    pub check: fn(&Map<String, Value>) -> Vec<ArgError>,
    /// What a task with these options touches.
    pub claims: fn(&Map<String, Value>) -> Claims,
}

/// All modules by plain name.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    entries: BTreeMap<&'static str, Entry>,
}

impl Catalog {
    /// A catalogue of these; a later entry replaces an earlier one of the same name.
    pub fn new(entries: impl IntoIterator<Item = Entry>) -> Self {
        Self { entries: entries.into_iter().map(|entry| (entry.name, entry)).collect() }
    }

    /// The module of this plain name.
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.get(name)
    }

    /// All plain names, sorted.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.entries.keys().copied()
    }

    /// All entries, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }
}
