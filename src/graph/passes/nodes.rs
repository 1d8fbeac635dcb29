//! Every task becomes a node; every block becomes the nodes of its sections and an end.

use crate::graph::build::Draft;
use crate::graph::model::{Block, BlockId, Node, NodeId, NodeKind, Section};
use crate::graph::outline::{OutlineItem, Strategy, TaskOutline};
use crate::source::{Diagnostic, Span};

/// Adds the nodes in written order; a block's end follows its sections.
pub(in crate::graph) fn nodes(draft: &mut Draft<'_>) {
    add(draft, &draft.outline.items, &mut Vec::new());
}

fn add<'a>(draft: &mut Draft<'a>, items: &'a [OutlineItem], scope: &mut Vec<(BlockId, Section)>) {
    for item in items {
        match item {
            OutlineItem::Task(task) => add_task(draft, task, scope),
            OutlineItem::Block(block) => {
                let id = BlockId(draft.graph.blocks.len() as u32);
                draft.graph.blocks.push(Block { end: NodeId(0), rescue: 0..0 });
                let mut section = |section, items: &'a [OutlineItem]| {
                    let start = draft.graph.len();
                    scope.push((id, section));
                    add(draft, items, scope);
                    scope.pop();
                    start..draft.graph.len()
                };
                section(Section::Body, &block.body);
                let rescue = section(Section::Rescue, &block.rescue);
                section(Section::Always, &block.always);
                let end = NodeId(draft.graph.len() as u32);
                draft.graph.blocks[id.index()] = Block { end, rescue };
                push(draft, NodeKind::BlockEnd(id), "end of block", block.span, scope, None);
            }
        }
    }
}

fn add_task<'a>(draft: &mut Draft<'a>, task: &'a TaskOutline, scope: &[(BlockId, Section)]) {
    if task.run_once && !runs_once(draft.outline.strategy) {
        draft.diagnostics.push(
            Diagnostic::warning("run-once-everywhere", "`run_once` has no effect without barriers: the task runs on every host")
                .at(task.span, "runs on every host of the play")
                .hint("strategies `free` and `host_pinned` know no order between hosts; use another for this play"),
        );
    }
    push(draft, NodeKind::Task(task.task), &task.name, task.span, scope, Some(task));
}

/// As in Ansible, strategies that know no order between hosts run such a task everywhere.
fn runs_once(strategy: Strategy) -> bool {
    !matches!(strategy, Strategy::Free | Strategy::HostPinned)
}

fn push<'a>(
    draft: &mut Draft<'a>,
    kind: NodeKind,
    name: &str,
    span: Span,
    scope: &[(BlockId, Section)],
    task: Option<&'a TaskOutline>,
) {
    let run_once = task.is_some_and(|task| task.run_once) && runs_once(draft.outline.strategy);
    let throttle = task.and_then(|task| task.throttle);
    let scope = scope.to_vec();
    draft.graph.inner.add_node(Node { kind, name: name.to_owned(), span, scope, run_once, throttle, barrier_after: false });
    draft.tasks.push(task);
}
