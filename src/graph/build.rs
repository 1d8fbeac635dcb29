//! From an outline to a graph: the list of passes, and the draft that they work on.

use petgraph::graph::NodeIndex;

use super::model::{Edge, Graph, NodeId, Reason};
use super::outline::{Outline, Strategy, TaskOutline};
use super::passes;
use crate::source::Diagnostics;

/// A graph in the making.
pub(super) struct Draft<'a> {
    /// What is drawn.
    pub(super) outline: &'a Outline,
    /// What has been drawn.
    pub(super) graph: Graph,
    /// The outline of each task node; `None` for block ends.
    pub(super) tasks: Vec<Option<&'a TaskOutline>>,
    /// What is wrong with it.
    pub(super) diagnostics: Diagnostics,
}

impl Draft<'_> {
    /// Whether tasks keep their written order on each host.
    pub(super) fn keeps_order(&self) -> bool {
        self.outline.strategy != Strategy::Graph
    }

    /// Makes `target` wait for `source`; a second edge between the same two adds its reason to the first.
    pub(super) fn draw(&mut self, source: NodeId, target: NodeId, reason: Reason) {
        self.add(source, target, reason, false);
    }

    /// Notes a reason for an order that other edges already give.
    pub(super) fn note(&mut self, source: NodeId, target: NodeId, reason: Reason) {
        self.add(source, target, reason, true);
    }

    fn add(&mut self, source: NodeId, target: NodeId, reason: Reason, implied: bool) {
        let (from, to) = (NodeIndex::new(source.index()), NodeIndex::new(target.index()));
        let edge = self
            .graph
            .inner
            .find_edge(from, to)
            .unwrap_or_else(|| self.graph.inner.add_edge(from, to, Edge { implied, ..Edge::default() }));
        let edge = &mut self.graph.inner[edge];
        edge.implied &= implied;
        if !edge.reasons.contains(&reason) {
            edge.reasons.push(reason);
        }
    }

    /// What stands for `source` outside of its blocks: the end of the outermost block around it
    /// that is not also around `target`.
    pub(super) fn lifted(&self, source: NodeId, target: NodeId) -> NodeId {
        let around = &self.graph.node(target).scope;
        let outer = self.graph.node(source).scope.iter().find(|(block, _)| !around.iter().any(|(other, _)| other == block));
        outer.map_or(source, |(block, _)| self.graph.blocks[block.index()].end)
    }
}

/// A step of building: its name, for tracing, and what it does.
type Pass = (&'static str, fn(&mut Draft<'_>));

/// Reading this list is reading how a graph comes to be.
const PASSES: &[Pass] = &[
    ("nodes", passes::nodes),
    ("order", passes::order),
    ("rescue", passes::rescue),
    ("data", passes::data),
    ("notify", passes::notify),
    ("claims", passes::claims),
    ("barriers", passes::barriers),
    ("cycles", passes::cycles),
];

/// The graph of an outline. With errors among the diagnostics it must not be run.
pub fn build(outline: &Outline) -> (Graph, Diagnostics) {
    let graph = Graph { strategy: outline.strategy, ..Graph::default() };
    let mut draft = Draft { outline, graph, tasks: Vec::new(), diagnostics: Diagnostics::default() };
    for (name, pass) in PASSES {
        pass(&mut draft);
        tracing::trace!(pass = name, nodes = draft.graph.len(), edges = draft.graph.inner.edge_count());
    }
    (draft.graph, draft.diagnostics)
}

#[cfg(test)]
pub(crate) mod tests {
    //! Outlines for tests, also those of the scheduler.

    use super::super::export::text;
    use super::super::outline::{BlockOutline, OutlineItem};
    use super::*;
    use crate::source::{SourceMap, Span};
    use std::path::Path;
    use stead_modules::change::ResourceId;
    use stead_modules::claims::Claims;

    /// A map and a span in it.
    pub(crate) fn place() -> (SourceMap, Span) {
        let map = SourceMap::default();
        let file = map.add(Path::new("site.yml"), "tasks\n");
        (map, Span { file, start: 0, end: 5 })
    }

    /// A plain task.
    pub(crate) fn task(number: usize) -> TaskOutline {
        TaskOutline {
            task: number,
            name: format!("t{number}"),
            span: place().1,
            observable: false,
            run_once: false,
            barrier: false,
            flush: false,
            throttle: None,
            provides: [].into(),
            reads: [].into(),
            notifies: Vec::new(),
            claims: Claims::default(),
        }
    }

    /// A block of these sections.
    pub(crate) fn block(body: Vec<OutlineItem>, rescue: Vec<OutlineItem>, always: Vec<OutlineItem>) -> OutlineItem {
        OutlineItem::Block(BlockOutline { span: place().1, body, rescue, always })
    }

    /// An outline of these items.
    pub(crate) fn outline(strategy: Strategy, items: Vec<OutlineItem>) -> Outline {
        Outline { items, strategy, barrier_after_each: false }
    }

    fn drawn(outline: &Outline) -> String {
        let (graph, diagnostics) = build(outline);
        assert!(!diagnostics.has_errors(), "{diagnostics:?}");
        text(&graph, &place().0)
    }

    use OutlineItem::Task;

    #[test]
    fn the_standard_strategy_waits_for_other_hosts_only_where_they_could_notice() {
        let noticed = TaskOutline { observable: true, ..task(2) };
        let items = vec![Task(task(0)), Task(task(1)), Task(noticed), Task(task(3))];
        insta::assert_snapshot!(drawn(&outline(Strategy::Standard, items)), @r"
        t0 (site.yml:1)
          waits for nothing
        t1 (site.yml:1)
          waits for t0 (site.yml:1): written after it
        t2 (site.yml:1)
          waits for t1 (site.yml:1): written after it; all hosts: another host could notice
        t3 (site.yml:1)
          waits for t2 (site.yml:1): written after it; all hosts: another host could notice
        ");
    }

    #[test]
    fn a_block_is_one_chain_of_its_sections() {
        let items = vec![block(vec![Task(task(0))], vec![Task(task(1))], vec![Task(task(2))]), Task(task(3))];
        insta::assert_snapshot!(drawn(&outline(Strategy::Free, items)), @r"
        t0 (site.yml:1)
          waits for nothing
        t1 (site.yml:1) in rescue of block 1
          waits for t0 (site.yml:1): rescue runs after the block failed
        t2 (site.yml:1) in always of block 1
          waits for t1 (site.yml:1): always runs after block and rescue
        end of block (site.yml:1)
          waits for t2 (site.yml:1): the block ends with it
        t3 (site.yml:1)
          waits for end of block (site.yml:1): written after it
        ");
    }

    #[test]
    fn data_and_notifications_are_named_although_the_order_already_keeps_them() {
        let made = TaskOutline { provides: ["x".to_owned()].into(), notifies: vec!["restart web".into()], ..task(0) };
        let used = TaskOutline { reads: ["x".to_owned()].into(), ..task(2) };
        let flush = TaskOutline { flush: true, barrier: true, ..task(3) };
        let items = vec![Task(made), Task(task(1)), Task(used), Task(flush)];
        let (graph, _) = build(&outline(Strategy::Linear, items));
        let reads = graph.waits_for(NodeId(2));
        assert_eq!(reads[0].1.why(), "reads `x`, which it sets");
        assert!(reads[0].1.implied);
        let flush = graph.waits_for(NodeId(3));
        assert_eq!(flush[0].1.why(), "runs `restart web`, notified by it");
    }

    #[test]
    fn the_graph_strategy_orders_only_what_touches_the_same_things() {
        let file =
            |number: usize, path: &str| TaskOutline { claims: Claims::provides([ResourceId::new("file", path)]), ..task(number) };
        let command = TaskOutline { claims: Claims::everything(), ..task(4) };
        let items = vec![
            Task(file(0, "/srv")),
            Task(file(1, "/etc/motd")),
            Task(file(2, "/srv/www")),
            block(vec![Task(file(3, "/etc/hosts"))], vec![], vec![]),
            Task(command),
        ];
        insta::assert_snapshot!(drawn(&outline(Strategy::Graph, items)), @r"
        t0 (site.yml:1)
          waits for nothing
        t1 (site.yml:1)
          waits for nothing
        t2 (site.yml:1)
          waits for t0 (site.yml:1): both touch file /srv
        t3 (site.yml:1)
          waits for nothing
        end of block (site.yml:1)
          waits for t3 (site.yml:1): the block ends with it
        t4 (site.yml:1)
          waits for t0 (site.yml:1): one of them may touch anything
          waits for t1 (site.yml:1): one of them may touch anything
          waits for t2 (site.yml:1): one of them may touch anything
          waits for end of block (site.yml:1): one of them may touch anything
        ");
    }

    #[test]
    fn a_loop_is_a_diagnostic_that_names_every_edge() {
        let items = outline(Strategy::Standard, vec![Task(task(0)), Task(task(1)), Task(task(2))]);
        let mut draft =
            Draft { outline: &items, graph: Graph::default(), tasks: Vec::new(), diagnostics: Diagnostics::default() };
        passes::nodes(&mut draft);
        passes::order(&mut draft);
        draft.draw(NodeId(2), NodeId(1), Reason::Reads("x".into()));
        passes::cycles(&mut draft);
        let found: Vec<_> = draft.diagnostics.iter().collect();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].message, "these tasks wait for each other: t1, t2");
        let labels: Vec<_> = found[0].related.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, ["`t1` waits for `t2`: reads `x`, which it sets", "`t2` waits for `t1`: written after it"]);
    }
}
