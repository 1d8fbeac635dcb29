//! A finished run in numbers, folded from its events; and the exit code that it means.

use super::event::{Counts, Event, EventSink, HostEnding, HostRecap, RunMode};

/// What is left of a run when it is over.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Summary {
    /// What kind of run; `None` before the first event.
    pub mode: Option<RunMode>,
    /// Hosts that were selected, as the first event said.
    pub selected: usize,
    /// Every host; empty until the run has ended.
    pub hosts: Vec<HostRecap>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Whether its last event came.
    pub ended: bool,
    /// How long it took.
    pub seconds: f64,
}

/// All endings, in the order in which reports list them.
pub const ENDINGS: [HostEnding; 7] = [
    HostEnding::Ok,
    HostEnding::Changed,
    HostEnding::Failed,
    HostEnding::Unreachable,
    HostEnding::Unknown,
    HostEnding::NotRun,
    HostEnding::Locked,
];

impl Summary {
    /// Hosts that ended so.
    pub fn ending(&self, ending: HostEnding) -> usize {
        self.hosts.iter().filter(|host| host.ending == ending).count()
    }

    /// Hosts by ending, every ending once; the sum is the number of hosts.
    pub fn endings(&self) -> [(HostEnding, usize); 7] {
        ENDINGS.map(|ending| (ending, self.ending(ending)))
    }

    /// Task endings of all hosts together.
    pub fn counts(&self) -> Counts {
        self.hosts.iter().fold(Counts::default(), |sum, host| Counts {
            ok: sum.ok + host.counts.ok,
            changed: sum.changed + host.counts.changed,
            skipped: sum.skipped + host.counts.skipped,
            failed: sum.failed + host.counts.failed,
            ignored: sum.ignored + host.counts.ignored,
            rescued: sum.rescued + host.counts.rescued,
            unreachable: sum.unreachable + host.counts.unreachable,
            unknown: sum.unknown + host.counts.unknown,
        })
    }
}

impl EventSink for Summary {
    fn event(&mut self, event: &Event) {
        match event {
            Event::RunStarted { mode, hosts, .. } => {
                self.mode = Some(*mode);
                self.selected = *hosts;
            }
            Event::RunEnded { recap, seconds, interrupted } => {
                self.hosts.clone_from(recap);
                self.seconds = *seconds;
                self.interrupted = *interrupted;
                self.ended = true;
            }
            _ => {}
        }
    }
}

/// The exit code of a run. `detailed`: an apply that changed something says so with 2.
///
/// What is not known weighs more than a failure in an apply, which must not hide that a host was
/// left in an unknown state. In a plan, where "unknown" may only mean that a command is not run, a
/// failure weighs more.
pub fn exit_code(mode: RunMode, summary: &Summary, detailed: bool) -> u8 {
    use HostEnding::{Changed, Failed, Locked, Unknown, Unreachable};
    let any = |endings: &[HostEnding]| summary.hosts.iter().any(|host| endings.contains(&host.ending));
    if summary.interrupted {
        return 130;
    }
    if !summary.ended {
        return 1;
    }
    match mode {
        RunMode::Apply => {
            if any(&[Unknown, Unreachable]) {
                5
            } else if any(&[Failed]) {
                4
            } else if any(&[Locked]) {
                7
            } else if detailed && any(&[Changed]) {
                2
            } else {
                0
            }
        }
        RunMode::Plan | RunMode::Drift => {
            if any(&[Failed]) {
                4
            } else if any(&[Unknown, Unreachable, Locked]) {
                3
            } else if any(&[Changed]) {
                2
            } else {
                0
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use HostEnding::{Changed, Failed, Locked, NotRun, Ok, Unknown, Unreachable};

    fn summary(endings: &[HostEnding]) -> Summary {
        let mut summary = Summary::default();
        let recap =
            endings.iter().map(|ending| HostRecap { host: "h".into(), ending: *ending, counts: Counts::default(), why: None });
        summary.event(&Event::RunEnded { recap: recap.collect(), seconds: 1.0, interrupted: false });
        summary
    }

    #[test]
    fn exit_codes_are_those_of_the_manual() {
        let table: &[(&[HostEnding], u8, u8)] = &[
            // hosts, plan or drift, apply
            (&[], 0, 0),
            (&[Ok], 0, 0),
            (&[Ok, Changed], 2, 0),
            (&[Ok, NotRun], 0, 0),
            (&[Changed, Failed], 4, 4),
            (&[Changed, Unreachable], 3, 5),
            (&[Changed, Unknown], 3, 5),
            (&[Failed, Unreachable], 4, 5),
            (&[Failed, Unknown, Locked], 4, 5),
            (&[Failed, Locked], 4, 4),
            (&[Changed, Locked], 3, 7),
        ];
        for (hosts, plan, apply) in table {
            let summary = summary(hosts);
            assert_eq!(exit_code(RunMode::Plan, &summary, false), *plan, "plan of {hosts:?}");
            assert_eq!(exit_code(RunMode::Drift, &summary, false), *plan, "drift of {hosts:?}");
            assert_eq!(exit_code(RunMode::Apply, &summary, false), *apply, "apply of {hosts:?}");
        }
    }

    #[test]
    fn detailed_codes_tell_changes_of_an_apply() {
        assert_eq!(exit_code(RunMode::Apply, &summary(&[Ok, Changed]), true), 2);
        assert_eq!(exit_code(RunMode::Apply, &summary(&[Ok]), true), 0);
        assert_eq!(exit_code(RunMode::Apply, &summary(&[Changed, Failed]), true), 4);
    }

    #[test]
    fn an_interrupted_run_and_one_without_an_end_have_their_own() {
        assert_eq!(exit_code(RunMode::Apply, &Summary { interrupted: true, ..summary(&[Failed]) }, false), 130);
        assert_eq!(exit_code(RunMode::Plan, &Summary::default(), false), 1);
    }

    #[test]
    fn endings_sum_up_to_the_hosts() {
        let summary = summary(&[Ok, Failed, Failed, NotRun]);
        assert_eq!(summary.endings().iter().map(|(_, count)| count).sum::<usize>(), 4);
        assert_eq!(summary.ending(Failed), 2);
    }
}
