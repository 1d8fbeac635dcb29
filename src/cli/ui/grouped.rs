//! What tasks did on the hosts of a play, kept back until all hosts have passed them: so each task is
//! told once, in the order of the play, however far apart the hosts are.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use stead::run::event::TaskInfo;

/// A task that all hosts have passed, with what is to be said of each host, in the order of the play.
#[derive(Debug)]
pub(crate) struct Finished<T> {
    pub(crate) task: Arc<TaskInfo>,
    pub(crate) said: Vec<(Arc<str>, T)>,
}

/// Tasks that hosts are at, or that some have not passed yet.
#[derive(Debug)]
pub(crate) struct Grouped<T> {
    hosts: Vec<Arc<str>>,
    numbers: HashMap<Arc<str>, usize>,
    /// Groups not told yet, in the order in which their tasks began; the first has number `base`.
    groups: VecDeque<Group<T>>,
    base: usize,
    /// Number of a task's latest group.
    latest: HashMap<u64, usize>,
    /// How many groups, counted from the first of the play, each host has passed.
    passed: Vec<usize>,
    /// Hosts that will pass nothing more.
    out_of_play: BTreeSet<usize>,
}

#[derive(Debug)]
struct Group<T> {
    task: Arc<TaskInfo>,
    /// Hosts that have passed it, by number in the play.
    passed: BTreeSet<usize>,
    /// What is to be said, by host.
    said: BTreeMap<usize, T>,
}

impl<T> Default for Grouped<T> {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            numbers: HashMap::new(),
            groups: VecDeque::new(),
            base: 0,
            latest: HashMap::new(),
            passed: Vec::new(),
            out_of_play: BTreeSet::new(),
        }
    }
}

impl<T> Grouped<T> {
    /// A play begins. Call [`Grouped::rest`] before.
    pub(crate) fn play(&mut self, hosts: &[Arc<str>]) {
        self.hosts = hosts.to_vec();
        self.numbers = hosts.iter().enumerate().map(|(at, host)| (Arc::clone(host), at)).collect();
        self.base += self.groups.len();
        self.groups.clear();
        self.latest.clear();
        self.passed = vec![self.base; hosts.len()];
        self.out_of_play.clear();
    }

    /// A task begins on a host, which has passed everything before it.
    pub(crate) fn started(&mut self, task: &Arc<TaskInfo>, host: &Arc<str>) -> Vec<Finished<T>> {
        let number = self.number(host);
        let at = self.group(task, number);
        self.pass(number, at);
        self.passed_by_all()
    }

    /// A task ended on a host. `leaves`: it is the last one of that host.
    pub(crate) fn ended(&mut self, task: &Arc<TaskInfo>, host: &Arc<str>, said: Option<T>, leaves: bool) -> Vec<Finished<T>> {
        let number = self.number(host);
        let at = self.group(task, number);
        let group = &mut self.groups[at - self.base];
        if let Some(said) = said {
            group.said.insert(number, said);
        }
        group.passed.insert(number);
        if leaves {
            self.out_of_play.insert(number);
            for group in &mut self.groups {
                group.passed.insert(number);
            }
        }
        self.passed_by_all()
    }

    /// Everything that was kept back.
    pub(crate) fn rest(&mut self) -> Vec<Finished<T>> {
        (0..self.groups.len()).filter_map(|_| self.front()).collect()
    }

    /// The number of a host in its play; a host that is not of the play (a delegate) joins it.
    fn number(&mut self, host: &Arc<str>) -> usize {
        if let Some(number) = self.numbers.get(host) {
            return *number;
        }
        self.hosts.push(Arc::clone(host));
        self.passed.push(self.base + self.groups.len());
        self.numbers.insert(Arc::clone(host), self.hosts.len() - 1);
        let number = self.hosts.len() - 1;
        for group in &mut self.groups {
            group.passed.insert(number);
        }
        number
    }

    /// The group of a task to which a host may still add: the latest that it has not passed.
    fn group(&mut self, task: &Arc<TaskInfo>, host: usize) -> usize {
        if let Some(at) = self.latest.get(&task.id).copied()
            && at >= self.base
            && !self.groups[at - self.base].passed.contains(&host)
        {
            return at;
        }
        let at = self.base + self.groups.len();
        self.groups.push_back(Group { task: Arc::clone(task), passed: self.out_of_play.clone(), said: BTreeMap::new() });
        self.latest.insert(task.id, at);
        at
    }

    /// A host has passed everything before group `until`.
    fn pass(&mut self, host: usize, until: usize) {
        for at in self.passed[host].max(self.base)..until {
            self.groups[at - self.base].passed.insert(host);
        }
        self.passed[host] = self.passed[host].max(until);
    }

    /// The groups that all hosts have passed, oldest first.
    fn passed_by_all(&mut self) -> Vec<Finished<T>> {
        let mut finished = Vec::new();
        while self.groups.front().is_some_and(|group| group.passed.len() >= self.hosts.len()) {
            finished.extend(self.front());
        }
        finished
    }

    fn front(&mut self) -> Option<Finished<T>> {
        let group = self.groups.pop_front()?;
        self.base += 1;
        let said = group.said.into_iter().map(|(number, said)| (Arc::clone(&self.hosts[number]), said)).collect();
        Some(Finished { task: group.task, said })
    }
}
