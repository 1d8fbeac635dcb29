//! Handlers: which answer to a name, and running those that were notified.

use std::sync::Arc;

use super::dispatch::{TaskList, Walk, walk};
use super::scheduler::{Finish, Limits};
use super::state::{HostState, Nested, PlayState, RunState};
use crate::graph::Strategy;
use crate::playbook::{Item, Task};

/// Ids of the handlers that answer to a name: the last one of that name, and all that listen.
pub fn answering(handlers: &[Arc<Task>], name: &str) -> Vec<u64> {
    let named = |handler: &&Arc<Task>| {
        handler.title() == name
            || handler.role.as_ref().is_some_and(|role| {
                name.strip_prefix(&*role.name).and_then(|rest| rest.strip_prefix(" : ")) == Some(handler.title())
            })
    };
    let mut ids: Vec<u64> = handlers.iter().rev().find(named).map(|handler| handler.id).into_iter().collect();
    ids.extend(handlers.iter().filter(|handler| handler.listen.iter().any(|topic| **topic == *name)).map(|handler| handler.id));
    ids
}

/// Rounds of handlers that notify handlers: more would be a circle.
const MOST_ROUNDS: usize = 100;

/// Runs the notified handlers of a host, in the order in which they are written.
pub async fn flush(run: &Arc<RunState>, play: &Arc<PlayState>, host: &Arc<HostState>, nested: &Nested) -> Finish {
    for _ in 0..MOST_ROUNDS {
        let handlers = play.handlers.read().expect("no thread panics here").clone();
        let next = {
            let mut notified = host.notified.lock().expect("no thread panics here");
            let next = handlers.into_iter().find(|handler| notified.contains(&handler.id));
            if let Some(handler) = &next {
                notified.remove(&handler.id);
            }
            next
        };
        let Some(handler) = next else { return Finish::Done };
        let (list, _) = TaskList::new(run, &[Item::Task(handler)], Strategy::Standard, false);
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
    Finish::Failed
}
