//! The finished graph: nodes, edges with their reasons, blocks. It never changes after it is built.

use petgraph::Direction;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef as _;
use stead_modules::change::ResourceId;

use super::outline::Strategy;
use crate::source::Span;

/// A node of one graph: small numbers in written order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NodeId(pub(crate) u32);

impl NodeId {
    /// Its number, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A block of one graph.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct BlockId(pub(crate) u32);

impl BlockId {
    /// Its number, from 0.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// A section of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Section {
    /// What is tried.
    Body,
    /// What runs after the body failed.
    Rescue,
    /// What runs in any case.
    Always,
}

impl Section {
    /// The word for it in playbooks.
    pub fn word(self) -> &'static str {
        match self {
            Self::Body => "block",
            Self::Rescue => "rescue",
            Self::Always => "always",
        }
    }
}

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeKind {
    /// A task, by the caller's number.
    Task(usize),
    /// All sections of a block are done.
    BlockEnd(BlockId),
}

/// One node.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// Its name, for people.
    pub name: String,
    /// Where it was written.
    pub span: Span,
    /// The sections around it, outermost first.
    pub scope: Vec<(BlockId, Section)>,
    /// It runs once for all hosts.
    pub run_once: bool,
    /// At most this many hosts at once.
    pub throttle: Option<usize>,
    /// Nothing after it starts before all live hosts have passed it.
    pub barrier_after: bool,
}

/// One block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Its last node.
    pub end: NodeId,
    /// Nodes of the rescue section, as a range of node numbers.
    pub rescue: std::ops::Range<usize>,
}

/// Why one node waits for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// Written after it.
    Written,
    /// Reads a variable that it makes.
    Reads(String),
    /// Makes a variable that it reads or makes, too.
    Overwrites(String),
    /// Runs the handlers that it notified.
    Notified(Vec<String>),
    /// Runs handlers, which belong after everything before.
    Flushes,
    /// Touches what it touches.
    Claims(ResourceId),
    /// One of the two may touch anything.
    Anything,
    /// The rescue section runs after the body failed.
    Rescues,
    /// The always section runs after body and rescue.
    AlwaysRuns,
    /// A block is done when its last section is.
    BlockDone,
    /// All hosts: another host could notice whether it ran.
    Noticeable,
    /// All hosts: the linear strategy.
    Lockstep,
    /// All hosts: a barrier was asked for after it.
    Barrier,
    /// All hosts: one of the two runs once for all.
    RunsOnce,
}

impl Reason {
    /// Whether this is why all hosts are waited for.
    pub fn is_across_hosts(&self) -> bool {
        matches!(self, Self::Noticeable | Self::Lockstep | Self::Barrier | Self::RunsOnce)
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Written => write!(f, "written after it"),
            Self::Reads(name) => write!(f, "reads `{name}`, which it sets"),
            Self::Overwrites(name) => write!(f, "sets `{name}`, which it reads or sets"),
            Self::Notified(names) => write!(f, "runs {}, notified by it", list(names)),
            Self::Flushes => write!(f, "handlers run after everything before them"),
            Self::Claims(resource) => write!(f, "both touch {resource}"),
            Self::Anything => write!(f, "one of them may touch anything"),
            Self::Rescues => write!(f, "rescue runs after the block failed"),
            Self::AlwaysRuns => write!(f, "always runs after block and rescue"),
            Self::BlockDone => write!(f, "the block ends with it"),
            Self::Noticeable => write!(f, "all hosts: another host could notice"),
            Self::Lockstep => write!(f, "all hosts: linear strategy"),
            Self::Barrier => write!(f, "all hosts: barrier after it"),
            Self::RunsOnce => write!(f, "all hosts: runs once for all"),
        }
    }
}

fn list(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// An edge: the target waits for the source.
#[derive(Debug, Clone, Default)]
pub struct Edge {
    /// Why, most telling first.
    pub reasons: Vec<Reason>,
    /// The target waits until the source is settled on all live hosts, not only on its own.
    pub across_hosts: bool,
    /// Other edges already make the target wait: drawn for its reason, not walked.
    pub implied: bool,
}

impl Edge {
    /// All reasons in one line.
    pub fn why(&self) -> String {
        self.reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }
}

/// The tasks of one list with everything that one of them waits for.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    pub(crate) inner: DiGraph<Node, Edge>,
    pub(crate) blocks: Vec<Block>,
    pub(crate) strategy: Strategy,
}

impl Graph {
    /// How the edges were drawn.
    pub fn strategy(&self) -> Strategy {
        self.strategy
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.inner.node_count()
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All nodes in written order.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        self.inner.node_indices().map(|index| (NodeId(index.index() as u32), &self.inner[index]))
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.inner[NodeIndex::new(id.index())]
    }

    /// The caller's number of a task node; `None` for block ends, which the scheduler never hands out.
    pub fn task(&self, id: NodeId) -> Option<usize> {
        match self.node(id).kind {
            NodeKind::Task(task) => Some(task),
            NodeKind::BlockEnd(_) => None,
        }
    }

    /// All blocks; a [`BlockId`] is an index into them.
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// All edges as source, target and edge, in the order of their targets.
    pub fn edges(&self) -> Vec<(NodeId, NodeId, &Edge)> {
        let mut edges: Vec<_> = self
            .inner
            .edge_references()
            .map(|edge| (NodeId(edge.source().index() as u32), NodeId(edge.target().index() as u32), edge.weight()))
            .collect();
        edges.sort_by_key(|(source, target, _)| (*target, *source));
        edges
    }

    /// What a node waits for, in written order.
    pub fn waits_for(&self, id: NodeId) -> Vec<(NodeId, &Edge)> {
        let mut edges: Vec<_> = self
            .inner
            .edges_directed(NodeIndex::new(id.index()), Direction::Incoming)
            .map(|edge| (NodeId(edge.source().index() as u32), edge.weight()))
            .collect();
        edges.sort_by_key(|(source, _)| *source);
        edges
    }
}
