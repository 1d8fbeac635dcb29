//! Which edges wait for all hosts: the only thing by which most strategies differ.

use petgraph::visit::EdgeRef as _;

use crate::graph::build::Draft;
use crate::graph::model::Reason;
use crate::graph::outline::Strategy;

/// Marks the edges that wait for all live hosts.
pub(in crate::graph) fn barriers(draft: &mut Draft<'_>) {
    let strategy = draft.outline.strategy;
    let notices = matches!(strategy, Strategy::Standard | Strategy::Graph);
    let everywhere = if strategy == Strategy::Linear {
        Some(Reason::Lockstep)
    } else {
        draft.outline.barrier_after_each.then_some(Reason::Barrier)
    };
    for index in draft.graph.inner.node_indices() {
        let task = draft.tasks[index.index()];
        draft.graph.inner[index].barrier_after = everywhere.is_some()
            || task.is_some_and(|task| task.barrier || (notices && task.observable) || draft.graph.inner[index].run_once);
    }
    let edges: Vec<_> = draft.graph.inner.edge_references().map(|edge| (edge.id(), edge.source(), edge.target())).collect();
    for (id, source, target) in edges {
        let (before, after) = (draft.tasks[source.index()], draft.tasks[target.index()]);
        let noticed = |task: Option<&crate::graph::TaskOutline>| notices && task.is_some_and(|task| task.observable);
        let reason = if draft.graph.inner[source].run_once || draft.graph.inner[target].run_once {
            Some(Reason::RunsOnce)
        } else if everywhere.is_some() {
            everywhere.clone()
        } else if before.is_some_and(|task| task.barrier) {
            Some(Reason::Barrier)
        } else if noticed(before) || noticed(after) {
            Some(Reason::Noticeable)
        } else {
            None
        };
        let edge = &mut draft.graph.inner[id];
        if let Some(reason) = reason.filter(|_| !edge.implied) {
            edge.across_hosts = true;
            edge.reasons.push(reason);
        }
    }
}
