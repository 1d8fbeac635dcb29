//! Which node runs next on which host. No clock, no IO, no randomness: the same calls give the same
//! order.
//!
//! The graph is walked once per host with a few bytes per (node, host). The caller runs the steps
//! that [`Scheduler::ready`] hands out and reports each with [`Scheduler::finished`]; block ends
//! and nodes that a host must not run (a rescue without a failure, what follows a failure) are
//! settled here and never handed out.

mod fate;

use std::collections::{BTreeMap, VecDeque};

use petgraph::visit::EdgeRef as _;

use crate::graph::{Graph, NodeId, NodeKind, Section, Strategy};

/// What bounds a run.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// At most this many (node, host) pairs run at once.
    pub forks: usize,
    /// One failure stops all hosts, once they have passed the node that failed.
    pub any_errors_fatal: bool,
    /// More than this percentage of failed hosts stops all hosts.
    pub max_fail_percentage: Option<f64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { forks: usize::MAX, any_errors_fatal: false, max_fail_percentage: None }
    }
}

/// Something to be started now. Hosts are numbers below the count given to [`Scheduler::new`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A node on one host.
    Run {
        /// The node.
        node: NodeId,
        /// The host.
        host: usize,
    },
    /// A node that runs on one host for all: its end counts for each of them.
    RunOnce {
        /// The node.
        node: NodeId,
        /// The host on which it runs.
        host: usize,
        /// All hosts for which it runs, `host` among them.
        hosts: Vec<usize>,
    },
}

/// How a step ended, as far as the order of things is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The host goes on (ok, changed, skipped, ignored failures).
    Done,
    /// The task failed.
    Failed,
    /// The task failed, and its own `any_errors_fatal` makes that everybody's failure.
    FailedForAll,
    /// The host is gone (unreachable, or its link was lost): nothing more runs on it.
    Lost,
    /// `meta: end_host`: the host is done, without a failure.
    EndHost,
    /// `meta: end_play` or `end_batch`: all hosts are done, without a failure.
    EndPlay,
    /// `meta: clear_host_errors`: hosts that are gone come back, and no failure counts any more.
    Forgive,
}

/// What a finish means for the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, or it ended as it was told to.
    GoesOn,
    /// It failed, and a rescue section takes over.
    Rescued,
    /// It failed, and no rescue section takes over; always sections still run.
    Fails,
    /// It is gone; nothing more runs.
    Dies,
}

/// How a host stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostState {
    /// There is still something to run.
    Running,
    /// It passed every node.
    Done,
    /// It failed.
    Failed,
    /// It is gone.
    Dead,
    /// It was told to end.
    Ended,
    /// It was stopped because others failed.
    Stopped,
    /// It failed, and the failure was cleared: it takes part in later plays.
    Forgiven,
}

/// What is known of a node on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Waiting,
    Queued,
    Running,
    Settled,
}

/// What the walk needs of a node, apart from the graph.
#[derive(Debug)]
struct Stop {
    scope: Box<[(u32, Section)]>,
    ends: Option<u32>,
    run_once: bool,
    throttle: usize,
    barrier_after: bool,
    /// Targets of edges, and whether they wait for all hosts.
    out: Box<[(u32, bool)]>,
    /// Edges from nodes that are not settled on all hosts yet.
    across: u32,
    /// Hosts on which it is not settled yet.
    unsettled: u32,
    running: usize,
    /// Hosts that are kept back by the throttle.
    held: VecDeque<u32>,
    /// It failed somewhere, and all hosts are to be stopped once it is settled everywhere.
    stops_all: bool,
}

/// A block, as the walk sees it.
#[derive(Debug)]
struct BlockStop {
    end: u32,
    rescue: std::ops::Range<usize>,
}

/// A host's place in the walk.
#[derive(Debug, Clone, Copy)]
struct HostPlace {
    last: Option<u32>,
    running: u32,
    unsettled: u32,
    dead: bool,
    ended: bool,
    failed: bool,
    /// It failed by itself, not because others did.
    own: bool,
    /// Others failed; to be noticed when what it is running has ended.
    to_stop: bool,
    /// Its failure was cleared.
    forgiven: bool,
}

/// Walks one graph over a number of hosts.
#[derive(Debug)]
pub struct Scheduler {
    nodes: Vec<Stop>,
    blocks: Vec<BlockStop>,
    hosts: Vec<HostPlace>,
    limits: Limits,
    pinned: bool,
    /// By node, then host.
    slots: Vec<Slot>,
    /// Predecessors on the same host that are not settled yet.
    waits: Vec<u32>,
    /// By block, then host: what happened in it.
    marks: Vec<u8>,
    queue: VecDeque<(u32, u32)>,
    /// Hosts of queued or running nodes that run once.
    once: BTreeMap<u32, Vec<u32>>,
    /// Settled, successors not looked at yet.
    settled: VecDeque<(u32, u32)>,
    running: usize,
    unsettled: usize,
    failed: usize,
    stopped_by_percentage: bool,
}

impl Scheduler {
    /// Starts a walk of `graph` over `hosts` hosts.
    pub fn new(graph: &Graph, hosts: usize, limits: Limits) -> Self {
        let count = graph.len();
        let mut waits = vec![0; count * hosts];
        let nodes: Vec<Stop> = graph
            .nodes()
            .map(|(id, node)| {
                let mut across = 0;
                for (_, edge) in graph.waits_for(id).into_iter().filter(|(_, edge)| !edge.implied) {
                    if edge.across_hosts {
                        across += 1;
                    } else {
                        waits[id.index() * hosts..][..hosts].iter_mut().for_each(|waits| *waits += 1);
                    }
                }
                let mut out: Vec<_> = graph
                    .inner
                    .edges(petgraph::graph::NodeIndex::new(id.index()))
                    .filter(|edge| !edge.weight().implied)
                    .map(|edge| (edge.target().index() as u32, edge.weight().across_hosts))
                    .collect();
                out.sort_unstable();
                Stop {
                    scope: node.scope.iter().map(|(block, section)| (block.0, *section)).collect(),
                    ends: match node.kind {
                        NodeKind::BlockEnd(block) => Some(block.0),
                        NodeKind::Task(_) => None,
                    },
                    run_once: node.run_once,
                    throttle: node.throttle.unwrap_or(usize::MAX).max(1),
                    barrier_after: node.barrier_after,
                    out: out.into(),
                    across,
                    unsettled: hosts as u32,
                    running: 0,
                    held: VecDeque::new(),
                    stops_all: false,
                }
            })
            .collect();
        let place = HostPlace {
            last: None,
            running: 0,
            unsettled: count as u32,
            dead: false,
            ended: false,
            failed: false,
            own: false,
            to_stop: false,
            forgiven: false,
        };
        let mut scheduler = Self {
            nodes,
            blocks: graph.blocks().iter().map(|block| BlockStop { end: block.end.0, rescue: block.rescue.clone() }).collect(),
            hosts: vec![place; hosts],
            limits: Limits { forks: limits.forks.max(1), ..limits },
            pinned: graph.strategy() == Strategy::HostPinned,
            slots: vec![Slot::Waiting; count * hosts],
            waits,
            marks: vec![0; graph.blocks().len() * hosts],
            queue: VecDeque::new(),
            once: BTreeMap::new(),
            settled: VecDeque::new(),
            running: 0,
            unsettled: count * hosts,
            failed: 0,
            stopped_by_percentage: false,
        };
        for node in 0..count as u32 {
            if scheduler.nodes[node as usize].across == 0 {
                scheduler.open(node);
            }
        }
        scheduler.spread();
        scheduler
    }

    /// What can be started now, within the limits. Each step is handed out once; nothing is handed
    /// out again before something has finished.
    pub fn ready(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while self.running < self.limits.forks
            && let Some((node, host)) = self.queue.pop_front()
        {
            let stop = &self.nodes[node as usize];
            if stop.run_once {
                let hosts: Vec<u32> = self.once.remove(&node).unwrap_or_default();
                let hosts: Vec<u32> = hosts.into_iter().filter(|host| self.slot(node, *host) == Slot::Queued).collect();
                if let Some(first) = hosts.first().copied() {
                    for host in &hosts {
                        self.start(node, *host);
                    }
                    self.nodes[node as usize].running += 1;
                    self.running += 1;
                    let all = hosts.iter().map(|host| *host as usize).collect();
                    self.once.insert(node, hosts);
                    steps.push(Step::RunOnce { node: NodeId(node), host: first as usize, hosts: all });
                }
            } else if self.slot(node, host) != Slot::Queued {
                self.release(node);
            } else if stop.running >= stop.throttle {
                self.nodes[node as usize].held.push_back(host);
            } else {
                self.start(node, host);
                self.nodes[node as usize].running += 1;
                self.running += 1;
                steps.push(Step::Run { node: NodeId(node), host: host as usize });
            }
        }
        steps
    }

    /// Takes the end of a step. Of a node that ran once for all, it counts for all of its hosts
    /// (except that only the host on which it ran can be gone: the others are stopped).
    pub fn finished(&mut self, node: NodeId, host: usize, finish: Finish) -> Verdict {
        let at = node.0;
        assert_eq!(self.slot(at, host as u32), Slot::Running, "only a step that was handed out can finish, and only once");
        self.running -= 1;
        self.nodes[node.index()].running -= 1;
        let hosts = self.once.remove(&at).unwrap_or_else(|| vec![host as u32]);
        let verdict = self.verdict(at, host as u32, finish);
        for one in &hosts {
            let place = &mut self.hosts[*one as usize];
            place.running -= 1;
            place.last = Some(at);
            match finish {
                Finish::Done => {}
                Finish::Failed | Finish::FailedForAll => self.fail(*one, at, true),
                Finish::Lost if *one as usize == host => place.dead = true,
                Finish::Lost => self.fail(*one, at, false),
                Finish::EndHost => place.ended = true,
                Finish::EndPlay | Finish::Forgive => {}
            }
            self.stop_if_due(*one);
        }
        if finish == Finish::EndPlay {
            self.hosts.iter_mut().filter(|place| !place.dead && !place.failed).for_each(|place| place.ended = true);
        }
        if finish == Finish::Forgive {
            self.forgive();
        }
        let fatal = match finish {
            Finish::FailedForAll => true,
            Finish::Failed | Finish::Lost => self.limits.any_errors_fatal,
            _ => false,
        };
        if fatal {
            self.stop_all_after(at);
        }
        for one in &hosts {
            self.settle(at, *one);
        }
        if finish == Finish::EndPlay {
            for one in 0..self.hosts.len() as u32 {
                self.recheck(one);
            }
        } else if finish != Finish::Done {
            for one in &hosts {
                self.recheck(*one);
            }
        }
        self.release(at);
        self.spread();
        verdict
    }

    /// Whether a failure of this node on this host would be taken over by a rescue section.
    pub fn is_rescuable(&self, node: NodeId, host: usize) -> bool {
        self.verdict(node.0, host as u32, Finish::Failed) == Verdict::Rescued
    }

    /// Whether every node is settled on every host.
    pub fn is_done(&self) -> bool {
        self.unsettled == 0
    }

    /// How a host stands. A failed host is `Failed` once the failure has left its last block.
    pub fn host_state(&self, host: usize) -> HostState {
        let place = &self.hosts[host];
        match place {
            _ if place.dead => HostState::Dead,
            _ if place.forgiven => HostState::Forgiven,
            _ if place.failed && place.own => HostState::Failed,
            _ if place.failed => HostState::Stopped,
            _ if place.ended => HostState::Ended,
            _ if place.unsettled == 0 => HostState::Done,
            _ => HostState::Running,
        }
    }

    /// Hosts that still take part: neither gone, nor failed, nor ended, nor stopped.
    pub fn live_hosts(&self) -> Vec<usize> {
        let live = |host: &usize| matches!(self.host_state(*host), HostState::Running | HostState::Done);
        (0..self.hosts.len()).filter(live).collect()
    }

    fn at(&self, node: u32, host: u32) -> usize {
        node as usize * self.hosts.len() + host as usize
    }

    fn slot(&self, node: u32, host: u32) -> Slot {
        self.slots[self.at(node, host)]
    }

    fn start(&mut self, node: u32, host: u32) {
        let at = self.at(node, host);
        self.slots[at] = Slot::Running;
        self.hosts[host as usize].running += 1;
        self.mark_started(node, host);
    }

    /// Lets the next host that was kept back by a throttle into the queue.
    fn release(&mut self, node: u32) {
        while self.nodes[node as usize].running < self.nodes[node as usize].throttle
            && let Some(host) = self.nodes[node as usize].held.pop_front()
        {
            if self.slot(node, host) == Slot::Queued {
                self.queue.push_front((node, host));
                break;
            }
        }
    }

    /// Nothing across hosts keeps a node back any more: looks at it on every host.
    fn open(&mut self, node: u32) {
        let mut once = Vec::new();
        for host in 0..self.hosts.len() as u32 {
            let at = self.at(node, host);
            if self.waits[at] == 0 && self.slots[at] == Slot::Waiting {
                if !self.nodes[node as usize].run_once {
                    self.consider(node, host);
                } else if self.runs(node, host) {
                    self.slots[at] = Slot::Queued;
                    once.push(host);
                } else {
                    self.settle(node, host);
                }
            }
        }
        if let Some(first) = once.first().copied() {
            self.once.insert(node, once);
            self.queue.push_back((node, first));
        }
    }

    /// All that a node waits for is settled: queues it on this host, or settles it without running.
    fn consider(&mut self, node: u32, host: u32) {
        if let Some(block) = self.nodes[node as usize].ends {
            self.end_block(block, node, host);
            self.settle(node, host);
        } else if self.runs(node, host) {
            let at = self.at(node, host);
            self.slots[at] = Slot::Queued;
            // A pinned host keeps its turn; otherwise the host that has waited longest is next.
            if self.pinned && self.hosts[host as usize].last.is_some() {
                self.queue.push_front((node, host));
            } else {
                self.queue.push_back((node, host));
            }
        } else {
            self.settle(node, host);
        }
    }

    fn settle(&mut self, node: u32, host: u32) {
        let at = self.at(node, host);
        assert_ne!(self.slots[at], Slot::Settled, "a node settles once on each host");
        self.slots[at] = Slot::Settled;
        self.unsettled -= 1;
        self.hosts[host as usize].unsettled -= 1;
        self.nodes[node as usize].unsettled -= 1;
        self.settled.push_back((node, host));
        if self.nodes[node as usize].unsettled == 0 {
            // A host number that does not exist: settled everywhere.
            self.settled.push_back((node, u32::MAX));
        }
    }

    /// Looks at the successors of everything that was settled, until nothing more follows.
    fn spread(&mut self) {
        while let Some((node, host)) = self.settled.pop_front() {
            let everywhere = host == u32::MAX;
            if everywhere && std::mem::take(&mut self.nodes[node as usize].stops_all) {
                self.stop_all();
            }
            for index in 0..self.nodes[node as usize].out.len() {
                let (target, across) = self.nodes[node as usize].out[index];
                if across && everywhere {
                    self.nodes[target as usize].across -= 1;
                    if self.nodes[target as usize].across == 0 {
                        self.open(target);
                    }
                } else if !across && !everywhere {
                    let at = self.at(target, host);
                    self.waits[at] -= 1;
                    if self.waits[at] == 0 && self.nodes[target as usize].across == 0 && self.slots[at] == Slot::Waiting {
                        self.consider(target, host);
                    }
                }
            }
        }
    }

    /// Hosts that are gone take part again from here on; those that failed in later plays.
    fn forgive(&mut self) {
        for place in &mut self.hosts {
            place.dead = false;
            place.forgiven |= place.failed;
        }
        self.failed = 0;
    }

    /// Something changed on a host: settles what is queued there but must not run any more.
    fn recheck(&mut self, host: u32) {
        for node in 0..self.nodes.len() as u32 {
            if self.slot(node, host) == Slot::Queued && !self.runs(node, host) {
                self.settle(node, host);
            }
        }
    }
}

#[cfg(test)]
mod tests;
