//! The written order, where the strategy keeps it.

use crate::graph::build::Draft;
use crate::graph::model::{Node, NodeId, NodeKind, Reason};

/// Each node waits for the one written before it; borders between sections are left to `rescue`.
pub(in crate::graph) fn order(draft: &mut Draft<'_>) {
    if !draft.keeps_order() {
        return;
    }
    for (source, target) in neighbours(draft) {
        if border(draft.graph.node(source), draft.graph.node(target)).is_none() {
            draft.draw(source, target, Reason::Written);
        }
    }
}

/// Each node with the one written after it.
pub(super) fn neighbours(draft: &Draft<'_>) -> Vec<(NodeId, NodeId)> {
    (1..draft.graph.len() as u32).map(|at| (NodeId(at - 1), NodeId(at))).collect()
}

/// Why the second waits for the first, if a section of a block ends between them.
pub(super) fn border(source: &Node, target: &Node) -> Option<Reason> {
    use crate::graph::model::Section;
    if let NodeKind::BlockEnd(block) = target.kind {
        return source.scope.iter().any(|(other, _)| *other == block).then_some(Reason::BlockDone);
    }
    let differs = source.scope.iter().zip(&target.scope).find(|(one, other)| one != other);
    match differs {
        Some(((one, _), (other, section))) if one == other => match section {
            Section::Body => None,
            Section::Rescue => Some(Reason::Rescues),
            Section::Always => Some(Reason::AlwaysRuns),
        },
        _ => None,
    }
}
