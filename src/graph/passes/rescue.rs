//! Sections of a block: rescue after the body, always after both, the end after all.

use petgraph::Direction;
use petgraph::graph::NodeIndex;

use super::order::{border, neighbours};
use crate::graph::build::Draft;
use crate::graph::model::{BlockId, NodeId, NodeKind, Reason, Section};

/// Draws the order of sections, whatever the strategy.
pub(in crate::graph) fn rescue(draft: &mut Draft<'_>) {
    if draft.keeps_order() {
        for (source, target) in neighbours(draft) {
            if let Some(reason) = border(draft.graph.node(source), draft.graph.node(target)) {
                draft.draw(source, target, reason);
            }
        }
    } else {
        for block in 0..draft.graph.blocks.len() as u32 {
            sections(draft, BlockId(block));
        }
    }
}

/// Without a written order: all of a section waits for all of the sections before it.
fn sections(draft: &mut Draft<'_>, block: BlockId) {
    let end = draft.graph.blocks[block.index()].end;
    let mut done: Vec<NodeId> = Vec::new();
    for (section, reason) in
        [(Section::Body, Reason::Written), (Section::Rescue, Reason::Rescues), (Section::Always, Reason::AlwaysRuns)]
    {
        let inside: Vec<NodeId> =
            draft.graph.nodes().filter(|(_, node)| node.scope.contains(&(block, section))).map(|(id, _)| id).collect();
        for target in &inside {
            // What waits for something in its own section waits for the earlier sections with it.
            let waits = draft
                .graph
                .inner
                .neighbors_directed(NodeIndex::new(target.index()), Direction::Incoming)
                .any(|source| inside.contains(&NodeId(source.index() as u32)));
            if !waits {
                for source in &done {
                    draft.draw(*source, *target, reason.clone());
                }
            }
        }
        // Nodes directly in the section: tasks, and the ends of blocks in it.
        let direct = inside.into_iter().filter(|id| draft.graph.node(*id).scope.last() == Some(&(block, section)));
        done.extend(direct.collect::<Vec<_>>());
    }
    for source in done {
        draft.draw(source, end, Reason::BlockDone);
    }
    debug_assert!(matches!(draft.graph.node(end).kind, NodeKind::BlockEnd(_)));
}
