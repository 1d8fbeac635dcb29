//! What the graph needs to know of a list of tasks: the only thing it reads.

use std::collections::BTreeSet;

use stead_modules::claims::Claims;

use crate::source::Span;

/// What the graph needs to know of a list of tasks; made by `playbook/`, understood by nobody else.
#[derive(Debug, Clone, Default)]
pub struct Outline {
    /// Tasks and blocks in written order.
    pub items: Vec<OutlineItem>,
    /// How edges are drawn.
    pub strategy: Strategy,
    /// Every task gets an all-hosts barrier after it (`any_errors_fatal` or `max_fail_percentage` on the play).
    pub barrier_after_each: bool,
}

/// One entry of an outline.
#[derive(Debug, Clone)]
pub enum OutlineItem {
    /// A task, an include, or a flush point.
    Task(TaskOutline),
    /// A block with its three sections.
    Block(BlockOutline),
}

/// What the graph needs to know of one task.
#[derive(Debug, Clone)]
pub struct TaskOutline {
    /// The caller's number for it; handed back in [`Node`](super::Node).
    pub task: usize,
    /// Its name, for exports.
    pub name: String,
    /// Its place.
    pub span: Span,
    /// Another host could notice whether this ran (command, service, delegate_to ...): the default
    /// strategy puts all-hosts barriers around it.
    pub observable: bool,
    /// It runs once for all hosts of a batch.
    pub run_once: bool,
    /// It ends with an all-hosts barrier whatever the strategy (`any_errors_fatal`, flush points).
    pub barrier: bool,
    /// It runs the handlers notified so far.
    pub flush: bool,
    /// At most this many hosts at once.
    pub throttle: Option<usize>,
    /// Variables that it makes (register, set_fact).
    pub provides: BTreeSet<String>,
    /// Variables that it reads.
    pub reads: BTreeSet<String>,
    /// Handler names that it notifies.
    pub notifies: Vec<String>,
    /// What it touches on the host.
    pub claims: Claims,
}

/// A block: body, then rescue if the body failed, then always.
#[derive(Debug, Clone)]
pub struct BlockOutline {
    /// Its place.
    pub span: Span,
    /// The body.
    pub body: Vec<OutlineItem>,
    /// What runs after the body failed.
    pub rescue: Vec<OutlineItem>,
    /// What runs in any case.
    pub always: Vec<OutlineItem>,
}

/// How edges are drawn; one scheduler runs them all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Program order on each host; barriers only where another host could notice.
    #[default]
    Standard,
    /// Strict lockstep.
    Linear,
    /// Program order on each host, no barriers.
    Free,
    /// Like free; a host keeps its place among the forks until it is done.
    HostPinned,
    /// No program order: edges from data, needs, notify and claims.
    Graph,
}
