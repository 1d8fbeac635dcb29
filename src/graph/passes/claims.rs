//! Without a written order: tasks that touch the same things on a host keep theirs.

use stead_modules::change::ResourceId;
use stead_modules::claims::Claims;

use crate::graph::build::Draft;
use crate::graph::model::{NodeId, Reason};
use crate::graph::outline::TaskOutline;

/// Draws edges between tasks that conflict. A task that may touch anything (a command, a package,
/// a flush of handlers, or one of which nothing is known) is ordered against everything.
pub(in crate::graph) fn claims(draft: &mut Draft<'_>) {
    if draft.keeps_order() {
        return;
    }
    for at in 0..draft.tasks.len() {
        let Some(task) = draft.tasks[at] else { continue };
        let target = NodeId(at as u32);
        for earlier in (0..at).rev() {
            let Some(other) = draft.tasks[earlier] else { continue };
            let source = NodeId(earlier as u32);
            if let Some(reason) = conflict(other, task) {
                draft.draw(draft.lifted(source, target), target, reason);
            }
            // What stands before a task that touches anything is already waited for through it.
            if touches_anything(other) {
                break;
            }
        }
    }
}

fn touches_anything(task: &TaskOutline) -> bool {
    let Claims { provides, needs, everything } = &task.claims;
    *everything
        || task.flush
        || (provides.is_empty() && needs.is_empty())
        || provides.iter().any(|resource| resource.kind == "package")
}

fn conflict(earlier: &TaskOutline, later: &TaskOutline) -> Option<Reason> {
    if later.flush {
        return Some(Reason::Flushes);
    }
    if touches_anything(earlier) || touches_anything(later) {
        return Some(Reason::Anything);
    }
    let both = |ones: &[ResourceId], others: &[ResourceId]| {
        ones.iter().find(|one| others.iter().any(|other| overlap(one, other))).cloned()
    };
    let (one, other) = (&earlier.claims, &later.claims);
    both(&one.provides, &other.provides)
        .or_else(|| both(&one.provides, &other.needs))
        .or_else(|| both(&one.needs, &other.provides))
        .map(Reason::Claims)
}

/// Whether touching one can be felt by the other: the same thing, or a path and what is below it.
fn overlap(one: &ResourceId, other: &ResourceId) -> bool {
    one.kind == other.kind
        && (one.name == other.name || (one.kind == "file" && (below(&one.name, &other.name) || below(&other.name, &one.name))))
}

fn below(path: &str, parent: &str) -> bool {
    path.strip_prefix(parent.trim_end_matches('/')).is_some_and(|rest| rest.starts_with('/'))
}
