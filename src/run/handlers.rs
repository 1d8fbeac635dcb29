//! Handlers: which answer to a name, and running those that were notified.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::dispatch::{TaskList, Walk, walk};
use super::scheduler::{Finish, Limits};
use super::scope::play_scope;
use super::state::{HostState, Nested, PlayState, RunState};
use crate::graph::Strategy;
use crate::playbook::{Item, Task};
use crate::source::Node;

/// The handlers of a play with their names, as one host sees them: those of a later role, and of the
/// play itself, before those of an earlier one; within one list in written order.
pub struct Handlers(Vec<(String, Arc<Task>)>);

/// Handlers by the list that they stand in, the last list first.
fn last_list_first(handlers: Vec<Arc<Task>>) -> impl Iterator<Item = Arc<Task>> {
    let of_one_list = |one: &Arc<Task>, other: &Arc<Task>| match (&one.role, &other.role) {
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        (one, other) => one.is_none() && other.is_none(),
    };
    let mut lists: Vec<Vec<Arc<Task>>> = Vec::new();
    for handler in handlers {
        match lists.iter_mut().find(|list| of_one_list(&list[0], &handler)) {
            Some(list) => list.push(handler),
            None => lists.push(vec![handler]),
        }
    }
    lists.into_iter().rev().flatten()
}

impl Handlers {
    /// All handlers; templates in their names are rendered.
    pub fn of(run: &Arc<RunState>, play: &PlayState, host: &HostState) -> Self {
        let handlers = play.handlers.read().expect("no thread panics here").clone();
        let mut scope = None;
        let named = last_list_first(handlers).map(|handler| {
            let name = match handler.name.as_ref().and_then(Node::as_str) {
                Some(text) if text.contains("{{") => {
                    let scope = scope.get_or_insert_with(|| play_scope(run, play, host));
                    let node = handler.name.as_ref().expect("it is text");
                    run.renderer.value(node, scope).map_or_else(|_| text.to_owned(), |name| name.to_string())
                }
                Some(text) => text.to_owned(),
                None => String::new(),
            };
            (name, handler)
        });
        Self(named.collect())
    }

    /// Ids of the handlers that answer to a name: the first one of that name, and all that listen
    /// (of those with one name the first).
    pub fn answering(&self, name: &str) -> Vec<u64> {
        let is_named = |own: &str, handler: &Task| {
            !own.is_empty()
                && (own == name
                    || handler.role.as_ref().is_some_and(|role| {
                        let plain = role.name.rsplit('.').next().unwrap_or(&role.name);
                        [&*role.name, plain]
                            .into_iter()
                            .any(|role| name.strip_prefix(role).and_then(|rest| rest.strip_prefix(" : ")) == Some(own))
                    }))
        };
        let mut ids: Vec<u64> =
            self.0.iter().find(|(own, handler)| is_named(own, handler)).map(|(_, handler)| handler.id).into_iter().collect();
        let mut seen = BTreeSet::new();
        for (own, handler) in self.0.iter().filter(|(_, handler)| handler.listen.iter().any(|topic| **topic == *name)) {
            if own.is_empty() || seen.insert(own.as_str()) {
                ids.push(handler.id);
            }
        }
        ids
    }
}

/// Runs the notified handlers of a host, in the order in which they are written. A handler that is
/// notified by a later one waits for the next flush.
pub async fn flush(run: &Arc<RunState>, play: &Arc<PlayState>, host: &Arc<HostState>, nested: &Nested) -> Finish {
    let mut done = BTreeSet::new();
    loop {
        let handlers = play.handlers.read().expect("no thread panics here").clone();
        let next = {
            let mut notified = host.notified.lock().expect("no thread panics here");
            let passed = handlers.iter().rposition(|handler| done.contains(&handler.id)).map_or(0, |at| at + 1);
            let next = handlers.into_iter().skip(passed).find(|handler| notified.contains(&handler.id));
            if let Some(handler) = &next {
                notified.remove(&handler.id);
                done.insert(handler.id);
            }
            next
        };
        let Some(handler) = next else { return Finish::Done };
        let (list, _) = TaskList::new(run, &[Item::Task(handler)], Strategy::Standard, false, &|_| None);
        let inner = Nested { depth: nested.depth + 1, ..nested.clone() };
        let ended =
            walk(Arc::clone(run), Arc::clone(play), Arc::new(list), vec![Arc::clone(host)], Limits::default(), inner).await;
        match ended.first() {
            Some(Walk::Failed) => return Finish::Failed,
            Some(Walk::Dead) => return Finish::Lost,
            Some(Walk::Stopped) => return Finish::Done,
            Some(Walk::Ended(_)) => return Finish::EndHost,
            Some(Walk::Done) | None => {}
        }
    }
}
