//! What failures mean: which sections they end, where a rescue takes over, whom they stop.

use super::{Finish, Scheduler, Section, Slot, Verdict};

/// A node of the block was started on the host.
const STARTED: u8 = 1;
/// Its body failed.
const BODY: u8 = 2;
/// Its rescue section failed, or can no longer run.
const RESCUE: u8 = 4;
/// Its always section failed.
const ALWAYS: u8 = 8;
/// The host's own failure, not that of others.
const OWN: u8 = 16;

impl Scheduler {
    fn marks(&mut self, block: u32, host: u32) -> &mut u8 {
        let at = block as usize * self.hosts.len() + host as usize;
        &mut self.marks[at]
    }

    fn marked(&self, block: u32, host: u32, mark: u8) -> bool {
        self.marks[block as usize * self.hosts.len() + host as usize] & mark != 0
    }

    pub(super) fn mark_started(&mut self, node: u32, host: u32) {
        for index in 0..self.nodes[node as usize].scope.len() {
            let (block, _) = self.nodes[node as usize].scope[index];
            *self.marks(block, host) |= STARTED;
        }
    }

    /// Whether a host runs a node, or passes it by.
    ///
    /// A failure interrupts what is around the node from some block outwards; then only an always
    /// section of a block that had begun still runs.
    pub(super) fn runs(&self, node: u32, host: u32) -> bool {
        let place = &self.hosts[host as usize];
        if place.dead || place.ended {
            return false;
        }
        let mut interrupted = place.failed;
        for (block, section) in &self.nodes[node as usize].scope {
            let marked = |mark| self.marked(*block, host, mark);
            if interrupted && !marked(STARTED) {
                return false;
            }
            match section {
                Section::Body => interrupted |= marked(BODY),
                Section::Rescue if !interrupted && !marked(BODY) => return false,
                Section::Rescue => interrupted |= marked(RESCUE),
                Section::Always => interrupted = marked(ALWAYS),
            }
        }
        !interrupted
    }

    /// What the end of a step means for its host, before it is marked.
    pub(super) fn verdict(&self, node: u32, host: u32, finish: Finish) -> Verdict {
        match finish {
            Finish::Done | Finish::EndHost | Finish::EndPlay | Finish::Forgive => Verdict::GoesOn,
            Finish::Lost => Verdict::Dies,
            Finish::Failed | Finish::FailedForAll => {
                let rescued = self.nodes[node as usize].scope.iter().any(|(block, section)| {
                    *section == Section::Body && self.has_rescue(*block) && !self.marked(*block, host, RESCUE)
                });
                if rescued { Verdict::Rescued } else { Verdict::Fails }
            }
        }
    }

    fn has_rescue(&self, block: u32) -> bool {
        !self.blocks[block as usize].rescue.is_empty()
    }

    /// A node failed on a host: the innermost section around it that is not over has failed.
    pub(super) fn fail(&mut self, host: u32, node: u32, own: bool) {
        let own_mark = if own { OWN } else { 0 };
        for index in (0..self.nodes[node as usize].scope.len()).rev() {
            let (block, section) = self.nodes[node as usize].scope[index];
            let BlockView { end, rescue_passed } = self.view(block, host);
            if self.slot(end, host) == Slot::Settled {
                continue;
            }
            *self.marks(block, host) |= own_mark
                | match section {
                    Section::Body if rescue_passed => BODY | RESCUE,
                    Section::Body => BODY,
                    Section::Rescue => BODY | RESCUE,
                    Section::Always => ALWAYS,
                };
            return;
        }
        self.fail_host(host, node, own);
    }

    fn view(&self, block: u32, host: u32) -> BlockView {
        let stop = &self.blocks[block as usize];
        let rescue_passed = stop.rescue.clone().any(|node| self.slot(node as u32, host) == Slot::Settled);
        BlockView { end: stop.end, rescue_passed }
    }

    /// All sections of a block are over: a failure that nothing rescued is one of what is around it.
    pub(super) fn end_block(&mut self, block: u32, node: u32, host: u32) {
        let marked = |mark| self.marked(block, host, mark);
        let rescued = self.has_rescue(block) && !marked(RESCUE);
        let fails = (marked(BODY) && !rescued) || marked(ALWAYS);
        let own = marked(OWN);
        let place = &self.hosts[host as usize];
        if fails && !place.dead && !place.ended {
            self.fail(host, node, own);
        }
    }

    /// The failure has left the last block.
    fn fail_host(&mut self, host: u32, node: u32, own: bool) {
        let place = &mut self.hosts[host as usize];
        if own && !(place.failed && place.own) {
            self.failed += 1;
        }
        place.own |= own;
        place.failed = true;
        let share = self.failed as f64 * 100.0 / self.hosts.len() as f64;
        if !self.stopped_by_percentage && self.limits.max_fail_percentage.is_some_and(|most| share > most) {
            self.stopped_by_percentage = true;
            self.stop_all_after(node);
        }
        // What is queued and now must not run is settled by whoever reports the failure, except
        // when a block's end found it.
        if self.nodes[node as usize].ends.is_some() {
            self.recheck(host);
        }
    }

    /// Stops all hosts: at once, or after all have passed `node` where they wait for each other.
    pub(super) fn stop_all_after(&mut self, node: u32) {
        let stop = &mut self.nodes[node as usize];
        if stop.barrier_after && stop.unsettled > 0 {
            stop.stops_all = true;
        } else {
            self.stop_all();
        }
    }

    /// Stops all hosts; what they are running ends first.
    pub(super) fn stop_all(&mut self) {
        for host in 0..self.hosts.len() as u32 {
            let place = &mut self.hosts[host as usize];
            if !place.dead && !place.ended && !place.failed {
                place.to_stop = true;
                self.stop_if_due(host);
            }
        }
    }

    /// The failure of others reaches a host where it stands, like a failure of what it ran last:
    /// its rescue and always sections still run.
    pub(super) fn stop_if_due(&mut self, host: u32) {
        let place = &mut self.hosts[host as usize];
        if !place.to_stop || place.running > 0 || place.dead || place.ended {
            return;
        }
        place.to_stop = false;
        match place.last {
            Some(last) => self.fail(host, last, false),
            None => place.failed = true,
        }
        self.recheck(host);
    }
}

/// How far a host is in a block.
struct BlockView {
    end: u32,
    rescue_passed: bool,
}
