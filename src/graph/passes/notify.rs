//! A flush point waits for the tasks whose handlers it runs.

use crate::graph::build::Draft;
use crate::graph::model::{NodeId, Reason};

/// Draws edges from notifying tasks to the next flush point.
pub(in crate::graph) fn notify(draft: &mut Draft<'_>) {
    let mut notified: Vec<(NodeId, Vec<String>)> = Vec::new();
    for at in 0..draft.tasks.len() {
        let Some(task) = draft.tasks[at] else { continue };
        let target = NodeId(at as u32);
        if task.flush {
            for (source, names) in notified.drain(..) {
                if draft.keeps_order() {
                    draft.note(source, target, Reason::Notified(names));
                } else {
                    draft.draw(draft.lifted(source, target), target, Reason::Notified(names));
                }
            }
        }
        if !task.notifies.is_empty() {
            notified.push((target, task.notifies.clone()));
        }
    }
}
