//! Walks of small graphs with outcomes chosen by the test, and of random ones.

use proptest::prelude::{BoxedStrategy, Just, ProptestConfig, TestCaseError, any, prop};
use proptest::strategy::Strategy as _;
use proptest::{prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::*;
use crate::graph::build::tests::{block, outline, task};
use crate::graph::{Outline, OutlineItem, TaskOutline, build};
use OutlineItem::Task;

/// Tasks `t1, t2 ...` in a row.
fn tasks(numbers: impl IntoIterator<Item = usize>) -> Vec<OutlineItem> {
    numbers.into_iter().map(|number| Task(task(number))).collect()
}

fn noticeable(number: usize) -> OutlineItem {
    Task(TaskOutline { observable: true, ..task(number) })
}

fn once(number: usize) -> OutlineItem {
    Task(TaskOutline { run_once: true, observable: true, ..task(number) })
}

fn graph(outline: &Outline) -> Graph {
    let (graph, diagnostics) = build(outline);
    assert!(!diagnostics.has_errors(), "{diagnostics:?}");
    graph
}

/// The sequence of tasks on each host, `!` after a failure, `?` after a loss, `*` where a task ran
/// for all; and how each host ended. Steps finish in the order in which they were handed out.
fn walk(outline: &Outline, hosts: usize, limits: Limits, finish: impl Fn(usize, usize) -> Finish) -> Vec<String> {
    let graph = graph(outline);
    let mut scheduler = Scheduler::new(&graph, hosts, limits);
    let mut lines: Vec<String> = vec![String::new(); hosts];
    let mut running: VecDeque<(NodeId, usize)> = VecDeque::new();
    loop {
        for step in scheduler.ready() {
            match step {
                Step::Run { node, host } => running.push_back((node, host)),
                Step::RunOnce { node, host, hosts } => {
                    hosts.iter().filter(|other| **other != host).for_each(|other| lines[*other].push_str("* "));
                    running.push_back((node, host));
                }
            }
        }
        assert!(running.len() <= limits.forks);
        let Some((node, host)) = running.pop_front() else { break };
        let number = graph.task(node).expect("only tasks are handed out");
        let how = finish(number, host);
        let mark = match (how, scheduler.finished(node, host, how)) {
            (_, Verdict::Rescued) => "!r",
            (_, Verdict::Fails) => "!",
            (Finish::Lost, _) => "?",
            (Finish::EndHost | Finish::EndPlay, _) => ".",
            _ => "",
        };
        lines[host].push_str(&format!("{number}{mark} "));
    }
    assert!(scheduler.is_done(), "{scheduler:?}");
    lines.iter().enumerate().map(|(host, line)| format!("{line}{:?}", scheduler.host_state(host))).collect()
}

fn fails(task: usize, host: usize) -> impl Fn(usize, usize) -> Finish {
    move |this, on| if (this, on) == (task, host) { Finish::Failed } else { Finish::Done }
}

fn standard(items: Vec<OutlineItem>) -> Outline {
    outline(Strategy::Standard, items)
}

const FATAL: Limits = Limits { forks: usize::MAX, any_errors_fatal: true, max_fail_percentage: None };

fn lockstep(items: Vec<OutlineItem>) -> Outline {
    Outline { barrier_after_each: true, ..standard(items) }
}

#[test]
fn a_failure_ends_its_host_only() {
    let found = walk(&standard(tasks(1..4)), 2, Limits::default(), fails(2, 0));
    assert_eq!(found, ["1 2! Failed", "1 2 3 Done"]);
}

#[test]
fn a_lost_host_runs_nothing_more_not_even_always() {
    let items = vec![block(tasks([1]), tasks([2]), tasks([3])), Task(task(4))];
    let found = walk(
        &standard(items),
        2,
        Limits::default(),
        |task, host| if (task, host) == (1, 0) { Finish::Lost } else { Finish::Done },
    );
    assert_eq!(found, ["1? Dead", "1 3 4 Done"]);
}

#[test]
fn sections_run_as_they_should() {
    let items = || vec![block(tasks([1, 2]), tasks([3, 4]), tasks([5, 6])), Task(task(7))];
    for (failing, expected) in [(0, "1 2 5 6 7 Done"), (1, "1!r 3 4 5 6 7 Done"), (3, "1 2 5 6 7 Done"), (5, "1 2 5! Failed")] {
        assert_eq!(walk(&standard(items()), 1, Limits::default(), fails(failing, 0)), [expected], "{failing} fails");
    }
    let both = walk(
        &standard(items()),
        1,
        Limits::default(),
        |task, _| if matches!(task, 2 | 3) { Finish::Failed } else { Finish::Done },
    );
    assert_eq!(both, ["1 2!r 3! 5 6 Failed"]);
}

#[test]
fn a_failure_leaves_inner_blocks_and_is_rescued_outside() {
    let inner = block(tasks([1, 2]), vec![], tasks([3]));
    let items = vec![block(vec![inner, Task(task(4))], tasks([5]), tasks([6])), Task(task(7))];
    assert_eq!(walk(&standard(items), 1, Limits::default(), fails(1, 0)), ["1!r 3 5 6 7 Done"]);
}

#[test]
fn a_rescue_of_an_inner_block_hides_the_failure_from_the_outer() {
    let inner = block(tasks([1]), tasks([2]), vec![]);
    let items = vec![block(vec![inner, Task(task(3))], tasks([4]), vec![])];
    assert_eq!(walk(&standard(items), 1, Limits::default(), fails(1, 0)), ["1!r 2 3 Done"]);
}

#[test]
fn any_errors_fatal_sends_every_host_to_its_rescue() {
    // As in Ansible: h1 fails, all hosts run rescue and always, and go on.
    let items = vec![block(tasks([1, 2]), tasks([3]), tasks([4])), Task(task(5))];
    let found = walk(&lockstep(items), 2, FATAL, fails(1, 0));
    assert_eq!(found, ["1!r 3 4 5 Done", "1 3 4 5 Done"]);
}

#[test]
fn any_errors_fatal_without_a_rescue_runs_always_and_stops_all() {
    let items = vec![block(tasks([1, 2]), vec![], tasks([3, 4])), Task(task(5))];
    let found = walk(&lockstep(items), 3, Limits { forks: 1, ..FATAL }, fails(1, 0));
    assert_eq!(found, ["1! 3 4 Failed", "1 3 4 Stopped", "1 3 4 Stopped"]);
}

#[test]
fn any_errors_fatal_in_an_inner_block_is_rescued_outside_on_all_hosts() {
    let inner = block(tasks([1]), vec![], tasks([2]));
    let items = vec![block(vec![inner, Task(task(3))], tasks([4]), tasks([5])), Task(task(6))];
    let found = walk(&lockstep(items), 2, FATAL, fails(1, 0));
    assert_eq!(found, ["1!r 2 4 5 6 Done", "1 2 4 5 6 Done"]);
}

#[test]
fn without_barriers_a_fatal_error_stops_hosts_where_they_are() {
    let found = walk(&outline(Strategy::Free, tasks(1..4)), 3, Limits { forks: 2, ..FATAL }, fails(1, 0));
    assert_eq!(found, ["1! Failed", "1 Stopped", "Stopped"]);
}

#[test]
fn more_than_the_allowed_share_of_failures_stops_all() {
    let failing = |task: usize, host: usize| if task == 1 && host < 2 { Finish::Failed } else { Finish::Done };
    let run = |most| walk(&lockstep(tasks(1..3)), 4, Limits { max_fail_percentage: Some(most), ..Limits::default() }, failing);
    assert_eq!(run(49.0), ["1! Failed", "1! Failed", "1 Stopped", "1 Stopped"]);
    assert_eq!(run(50.0), ["1! Failed", "1! Failed", "1 2 Done", "1 2 Done"]);
}

#[test]
fn run_once_counts_for_all_hosts() {
    let items = || vec![Task(task(1)), once(2), Task(task(3))];
    assert_eq!(walk(&standard(items()), 2, Limits::default(), fails(0, 0)), ["1 2 3 Done", "1 * 3 Done"]);
    assert_eq!(walk(&standard(items()), 2, Limits::default(), fails(1, 0)), ["1! Failed", "1 2 3 Done"]);
    assert_eq!(walk(&standard(items()), 2, Limits::default(), fails(2, 0)), ["1 2! Failed", "1 * Failed"]);
    let lost = walk(&standard(items()), 2, Limits::default(), |task, _| if task == 2 { Finish::Lost } else { Finish::Done });
    assert_eq!(lost, ["1 2? Dead", "1 * Stopped"]);
}

#[test]
fn run_once_runs_everywhere_where_hosts_do_not_wait_for_each_other() {
    assert_eq!(walk(&outline(Strategy::Free, vec![once(1)]), 2, Limits::default(), fails(0, 0)), ["1 Done", "1 Done"]);
}

#[test]
fn ends_of_hosts_and_plays_are_no_failures() {
    let items = || vec![block(tasks([1, 2]), vec![], tasks([3]))];
    let end = |how| {
        walk(&lockstep(items()), 2, Limits::default(), move |task, host| if (task, host) == (1, 0) { how } else { Finish::Done })
    };
    assert_eq!(end(Finish::EndHost), ["1. Ended", "1 2 3 Done"]);
    assert_eq!(end(Finish::EndPlay), ["1. Ended", "1 Ended"]);
}

#[test]
fn failed_for_all_needs_no_limit() {
    let items = vec![Task(TaskOutline { barrier: true, ..task(1) }), Task(task(2))];
    let found =
        walk(
            &standard(items),
            2,
            Limits::default(),
            |task, host| if (task, host) == (1, 1) { Finish::FailedForAll } else { Finish::Done },
        );
    assert_eq!(found, ["1 Stopped", "1! Failed"]);
}

/// What is handed out before anything finishes, then after each finish in turn.
fn handed_out(outline: &Outline, hosts: usize, forks: usize) -> Vec<String> {
    let graph = graph(outline);
    let mut scheduler = Scheduler::new(&graph, hosts, Limits { forks, ..Limits::default() });
    let mut running = VecDeque::new();
    let mut batches = Vec::new();
    loop {
        let batch = scheduler.ready();
        let names: Vec<String> = batch
            .into_iter()
            .map(|step| {
                let (Step::Run { node, host } | Step::RunOnce { node, host, .. }) = step;
                running.push_back((node, host));
                format!("{}@{host}", graph.task(node).expect("a task"))
            })
            .collect();
        batches.push(names.join(" "));
        let Some((node, host)) = running.pop_front() else { break };
        scheduler.finished(node, host, Finish::Done);
    }
    batches
}

#[test]
fn forks_bound_what_runs_and_the_longest_waiting_host_is_next() {
    let found = handed_out(&outline(Strategy::Free, tasks(1..3)), 3, 2);
    assert_eq!(found, ["1@0 1@1", "1@2", "2@0", "2@1", "2@2", "", ""]);
}

#[test]
fn a_pinned_host_keeps_its_place() {
    let found = handed_out(&outline(Strategy::HostPinned, tasks(1..3)), 3, 2);
    assert_eq!(found, ["1@0 1@1", "2@0", "2@1", "1@2", "", "2@2", ""]);
}

#[test]
fn a_throttle_bounds_one_task() {
    let items = vec![Task(TaskOutline { throttle: Some(1), ..task(1) }), Task(task(2))];
    assert_eq!(handed_out(&standard(items), 2, 9), ["1@0", "1@1 2@0", "2@1", "", ""]);
}

#[test]
fn a_slow_host_holds_back_others_only_at_what_they_could_notice() {
    let graph = graph(&standard(vec![Task(task(1)), Task(task(2)), noticeable(3)]));
    let mut scheduler = Scheduler::new(&graph, 2, Limits::default());
    assert_eq!(scheduler.ready().len(), 2);
    scheduler.finished(NodeId(0), 1, Finish::Done);
    assert_eq!(scheduler.ready(), [Step::Run { node: NodeId(1), host: 1 }]);
    scheduler.finished(NodeId(1), 1, Finish::Done);
    assert_eq!(scheduler.ready(), []);
    scheduler.finished(NodeId(0), 0, Finish::Lost);
    assert_eq!(scheduler.ready(), [Step::Run { node: NodeId(2), host: 1 }]);
    assert_eq!(scheduler.live_hosts(), [1]);
}

#[test]
fn a_million_slots_are_walked() {
    let graph = graph(&outline(Strategy::Linear, tasks(0..100)));
    let begin = std::time::Instant::now();
    let mut scheduler = Scheduler::new(&graph, 10_000, Limits { forks: 500, ..Limits::default() });
    let mut count = 0;
    loop {
        let steps = scheduler.ready();
        if steps.is_empty() {
            break;
        }
        for step in steps {
            let (Step::Run { node, host } | Step::RunOnce { node, host, .. }) = step;
            scheduler.finished(node, host, Finish::Done);
            count += 1;
        }
    }
    #[expect(clippy::print_stderr, reason = "a measurement for whoever asks for it with --nocapture")]
    {
        eprintln!("1,000,000 slots in {:?}", begin.elapsed());
    }
    assert_eq!(count, 1_000_000);
    assert!(scheduler.is_done());
}

/// A list of tasks and blocks; numbers are given out afterwards.
fn items(depth: u32) -> BoxedStrategy<Vec<OutlineItem>> {
    let plain = (any::<[bool; 4]>(), 0..4usize).prop_map(|([observable, run_once, barrier, sparse], throttle)| {
        Task(TaskOutline {
            observable,
            run_once: run_once && sparse,
            barrier: barrier && sparse,
            throttle: (throttle > 0).then_some(throttle),
            ..task(0)
        })
    });
    if depth == 0 {
        return prop::collection::vec(plain, 0..4).boxed();
    }
    let nested =
        (items(depth - 1), items(depth - 1), items(depth - 1)).prop_map(|(body, rescue, always)| block(body, rescue, always));
    prop::collection::vec(prop_oneof![2 => plain, 1 => nested], 0..4).boxed()
}

fn number(items: &mut [OutlineItem], next: &mut usize) {
    for item in items {
        match item {
            Task(task) => {
                task.task = *next;
                *next += 1;
            }
            OutlineItem::Block(block) => {
                number(&mut block.body, next);
                number(&mut block.rescue, next);
                number(&mut block.always, next);
            }
        }
    }
}

fn strategies() -> impl proptest::strategy::Strategy<Value = Strategy> {
    prop_oneof![
        Just(Strategy::Standard),
        Just(Strategy::Linear),
        Just(Strategy::Free),
        Just(Strategy::HostPinned),
        Just(Strategy::Graph)
    ]
}

/// One run with outcomes and finishing order taken from `dice`; the log of what was started.
fn random_walk(graph: &Graph, hosts: usize, limits: Limits, dice: &[u8]) -> Result<Vec<(NodeId, usize)>, TestCaseError> {
    let mut dice = dice.iter().copied().cycle();
    let mut roll = |sides: usize| dice.next().map_or(0, usize::from) % sides;
    let mut scheduler = Scheduler::new(graph, hosts, limits);
    let mut running: Vec<(NodeId, usize)> = Vec::new();
    let mut log = Vec::new();
    // Blocks in which a host has started something, and whether their always section was offered.
    let mut started = std::collections::BTreeSet::new();
    let mut throttled: BTreeMap<NodeId, usize> = BTreeMap::new();
    loop {
        for step in scheduler.ready() {
            let (node, first, all) = match step {
                Step::Run { node, host } => (node, host, vec![host]),
                Step::RunOnce { node, host, hosts } => (node, host, hosts),
            };
            running.push((node, first));
            *throttled.entry(node).or_default() += 1;
            prop_assert!(throttled[&node] <= graph.node(node).throttle.unwrap_or(usize::MAX));
            for host in all {
                prop_assert!(!log.contains(&(node, host)), "a node runs once on each host");
                log.push((node, host));
                started.extend(graph.node(node).scope.iter().map(|(block, section)| (*block, *section, host)));
                for (source, edge) in graph.waits_for(node) {
                    prop_assert_eq!(scheduler.slot(source.0, host as u32), Slot::Settled, "it waits for its predecessors");
                    if edge.across_hosts {
                        prop_assert!((0..hosts).all(|other| scheduler.slot(source.0, other as u32) == Slot::Settled));
                    }
                }
            }
        }
        prop_assert!(running.len() <= limits.forks);
        if running.is_empty() {
            break;
        }
        let (node, host) = running.swap_remove(roll(running.len()));
        *throttled.entry(node).or_default() -= 1;
        let how = match roll(16) {
            0 | 1 => Finish::Failed,
            2 => Finish::FailedForAll,
            3 => Finish::Lost,
            4 if roll(4) == 0 => Finish::EndHost,
            5 if roll(8) == 0 => Finish::EndPlay,
            _ => Finish::Done,
        };
        scheduler.finished(node, host, how);
    }
    prop_assert!(scheduler.is_done(), "nothing runs and nothing is ready, so everything is settled");
    prop_assert!((0..hosts).all(|host| scheduler.host_state(host) != HostState::Running));
    // The first task of an always section ran wherever its block had begun, unless the host was gone or ended.
    for (id, node) in graph.nodes().filter(|(id, _)| graph.task(*id).is_some()) {
        let Some((block, Section::Always)) = node.scope.last().copied() else { continue };
        let first = graph.nodes().find(|(_, other)| other.scope.last() == Some(&(block, Section::Always))).map(|(id, _)| id);
        for host in (0..hosts).filter(|host| !matches!(scheduler.host_state(*host), HostState::Dead | HostState::Ended)) {
            let begun = started.contains(&(block, Section::Body, host));
            if begun && first == Some(id) && graph.strategy() != Strategy::Graph {
                prop_assert!(log.contains(&(id, host)), "always runs: {:?} on {}", node.name, host);
            }
        }
    }
    Ok(log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_walk_settles_everything_once_in_order_and_repeats_itself(
        mut items in items(2),
        strategy in strategies(),
        hosts in 1..5usize,
        forks in 1..6usize,
        each in any::<bool>(),
        any_errors_fatal in any::<bool>(),
        most in prop::option::of(0.0..100.0),
        dice in prop::collection::vec(any::<u8>(), 8..200),
    ) {
        number(&mut items, &mut 0);
        let graph = graph(&Outline { items, strategy, barrier_after_each: each });
        let limits = Limits { forks, any_errors_fatal, max_fail_percentage: most };
        let log = random_walk(&graph, hosts, limits, &dice)?;
        prop_assert_eq!(log, random_walk(&graph, hosts, limits, &dice)?, "the same calls give the same order");
    }
}
