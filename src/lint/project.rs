//! What is looked at: plays with what they reach, the files around them, and what is known from
//! outside.

use std::collections::{BTreeSet, HashSet};
use std::sync::OnceLock;

use super::corpus::Corpus;
use super::follow::{PlayView, Seen};
use super::variables::{self, Names};
use crate::playbook::{Loader, TagSelection};
use crate::source::Span;

/// Everything that rules look at.
#[derive(Debug)]
pub(crate) struct Project<'a> {
    pub(super) loader: &'a Loader,
    /// Names that inventory and command line define.
    pub(super) known: BTreeSet<String>,
    /// Whether that is all: the inventory of a run is given.
    pub(super) closed: bool,
    /// Tags of a command line.
    pub(super) tags: Option<TagSelection>,
    pub(super) plays: Vec<PlayView>,
    /// The files around them; nothing before a run, which needs only what it reaches.
    pub(super) corpus: Corpus,
    names: OnceLock<Vec<Names>>,
}

impl<'a> Project<'a> {
    pub(super) fn new(
        loader: &'a Loader,
        known: BTreeSet<String>,
        closed: bool,
        tags: Option<TagSelection>,
        plays: Vec<PlayView>,
        corpus: Corpus,
    ) -> Self {
        Self { loader, known, closed, tags, plays, corpus, names: OnceLock::new() }
    }

    /// Tasks and handlers, each once, however many plays reach it.
    pub(super) fn tasks(&self) -> Vec<Seen> {
        let mut seen: HashSet<Span> = HashSet::new();
        let mut tasks = Vec::new();
        for view in &self.plays {
            let handlers = view.handlers.iter().map(Seen::perhaps);
            for one in view.tasks.iter().cloned().chain(handlers) {
                // The engine's own tasks were not written.
                if !one.task.written.entries.is_empty() && seen.insert(one.task.span) {
                    tasks.push(one);
                }
            }
        }
        tasks
    }

    /// Each play with the variables that its tasks see.
    pub(super) fn plays_with_names(&self) -> impl Iterator<Item = (&PlayView, &Names)> {
        let names = self.names.get_or_init(|| self.plays.iter().map(|view| variables::of_play(view, self)).collect());
        self.plays.iter().zip(names)
    }
}
