//! The moving part of the screen: one overall bar, a line per running task, the slowest hosts.

use std::collections::BTreeMap;
use std::io::IsTerminal as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use stead::run::escape::escape_line;
use stead::run::event::TaskInfo;

/// Lines for running tasks, and for slow hosts.
const LINES: usize = 5;

/// Draws on standard error; nothing where that is not a terminal.
pub(crate) struct Progress {
    screen: Option<Bars>,
}

struct Bars {
    multi: MultiProgress,
    overall: ProgressBar,
    tasks: Vec<Line>,
    hosts: Vec<Line>,
    running: Running,
}

/// A line and what it shows at the moment.
#[derive(Default)]
struct Line {
    bar: Option<ProgressBar>,
    shows: Option<(String, Instant)>,
}

/// What runs now.
#[derive(Default)]
struct Running {
    /// By task id and host.
    since: BTreeMap<(u64, Arc<str>), (String, Instant)>,
}

impl Progress {
    /// On standard error if it is a terminal.
    pub(crate) fn on_stderr() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::hidden();
        }
        let multi = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let overall = multi.add(ProgressBar::new(0));
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg} {elapsed}").expect("a valid template");
        overall.set_style(style);
        overall.enable_steady_tick(Duration::from_millis(500));
        let lines = || (0..LINES).map(|_| Line::default()).collect();
        Self { screen: Some(Bars { multi, overall, tasks: lines(), hosts: lines(), running: Running::default() }) }
    }

    /// Nothing at all.
    pub(crate) fn hidden() -> Self {
        Self { screen: None }
    }

    /// A play begins.
    pub(crate) fn play(&mut self, hosts: usize, tasks: usize) {
        if let Some(bars) = &mut self.screen {
            bars.overall.inc_length((hosts * tasks) as u64);
            bars.running = Running::default();
            bars.update();
        }
    }

    /// A task begins on a host.
    pub(crate) fn task_started(&mut self, task: &TaskInfo, host: &Arc<str>) {
        if let Some(bars) = &mut self.screen {
            bars.running.since.insert((task.id, Arc::clone(host)), (escape_line(&task.name), Instant::now()));
            bars.update();
        }
    }

    /// A task ended on a host.
    pub(crate) fn task_ended(&mut self, task: &TaskInfo, host: &Arc<str>) {
        if let Some(bars) = &mut self.screen {
            bars.running.since.remove(&(task.id, Arc::clone(host)));
            bars.overall.inc(1);
            bars.update();
        }
    }

    /// Prints while the bars are out of the way.
    pub(crate) fn suspend(&self, print: impl FnOnce()) {
        match &self.screen {
            Some(bars) => bars.multi.suspend(print),
            None => print(),
        }
    }

    /// Removes everything from the screen.
    pub(crate) fn finish(&mut self) {
        if let Some(bars) = self.screen.take() {
            // The terminal may be gone; then there is nothing to clear.
            let _ = bars.multi.clear();
        }
    }
}

impl Running {
    /// Tasks with the number of hosts on which they run and when the first began, longest first.
    fn tasks(&self) -> Vec<(String, Instant)> {
        let mut tasks: BTreeMap<u64, (&str, usize, Instant)> = BTreeMap::new();
        for ((id, _), (name, since)) in &self.since {
            let task = tasks.entry(*id).or_insert((name, 0, *since));
            task.1 += 1;
            task.2 = task.2.min(*since);
        }
        let mut tasks: Vec<_> = tasks.into_values().collect();
        tasks.sort_by_key(|(_, _, since)| *since);
        tasks
            .into_iter()
            .map(|(name, count, since)| (format!("{name}: {}", super::recap::hosts(count)), since))
            .take(LINES)
            .collect()
    }

    /// The hosts that have been at one task for longest, if there are more hosts than lines would tell apart.
    fn slowest(&self) -> Vec<(String, Instant)> {
        let mut hosts: Vec<_> = self.since.iter().map(|((_, host), (name, since))| (*since, host, name)).collect();
        if hosts.len() < 2 {
            return Vec::new();
        }
        hosts.sort();
        hosts.into_iter().map(|(since, host, name)| (format!("  {}: {name}", escape_line(host)), since)).take(LINES).collect()
    }
}

impl Bars {
    fn update(&mut self) {
        show(&self.multi, 1, &mut self.tasks, self.running.tasks());
        let below = 1 + self.tasks.iter().filter(|line| line.bar.is_some()).count();
        show(&self.multi, below, &mut self.hosts, self.running.slowest());
    }
}

/// Puts what runs on its lines, the first of which is line `below` of the screen; a line whose
/// content stays is left alone.
fn show(multi: &MultiProgress, below: usize, lines: &mut [Line], wanted: Vec<(String, Instant)>) {
    let mut wanted = wanted.into_iter();
    for (at, line) in lines.iter_mut().enumerate() {
        let next = wanted.next();
        if line.shows == next {
            continue;
        }
        if let Some(bar) = line.bar.take() {
            bar.finish_and_clear();
            multi.remove(&bar);
        }
        if let Some((text, since)) = &next {
            let style = ProgressStyle::with_template("{wide_msg} {elapsed}").expect("a valid template");
            let bar = multi.insert(below + at, ProgressBar::new_spinner().with_style(style).with_elapsed(since.elapsed()));
            bar.set_message(text.clone());
            bar.enable_steady_tick(Duration::from_secs(1));
            line.bar = Some(bar);
        }
        line.shows = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_tasks_are_counted_and_the_longest_comes_first() {
        let mut running = Running::default();
        let begin = Instant::now();
        for (id, host, name, after) in [(2, "b", "two", 1), (1, "a", "one", 5), (1, "c", "one", 3)] {
            running.since.insert((id, host.into()), (name.into(), begin + Duration::from_secs(after)));
        }
        let words = |list: Vec<(String, Instant)>| list.into_iter().map(|(text, _)| text).collect::<Vec<_>>();
        assert_eq!(words(running.tasks()), ["two: 1 host", "one: 2 hosts"]);
        assert_eq!(words(running.slowest()), ["  b: two", "  c: one", "  a: one"]);
    }
}
