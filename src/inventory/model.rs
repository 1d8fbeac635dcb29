//! Hosts, groups and how they contain each other. Knows neither files nor formats.

use std::collections::HashSet;
use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::beside::Beside;
use crate::source::NodeValue;
use crate::vars::{Definition, Layer, Origin, Precedence, Value, Variable, Variables};

/// The group of all hosts.
pub const ALL: &str = "all";
/// The group of hosts that are in no other group.
pub const UNGROUPED: &str = "ungrouped";
/// Names of this machine, which is there even if no inventory names it.
pub const LOCALHOST: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const ALL_INDEX: u32 = 0;
const UNGROUPED_INDEX: u32 = 1;

/// A host and what the inventory itself says about it.
#[derive(Debug, Clone, Default)]
pub(super) struct Host {
    pub(super) variables: Arc<Variables>,
    groups: Vec<u32>,
    /// Which of the sources named it first.
    source: Option<u32>,
}

/// What named a host: a file in a directory counts by itself, a list of names has no directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostSource {
    /// `inventory_file`: the absolute path, or the list of names.
    pub file: String,
    /// `inventory_dir`: the absolute path of the file's directory.
    pub directory: Option<String>,
}

/// A group and what the inventory itself says about it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) variables: Arc<Variables>,
    hosts: IndexSet<u32>,
    children: IndexSet<u32>,
    parents: Vec<u32>,
    /// Steps from `all`, the longest way.
    pub(super) depth: u32,
    /// `ansible_group_priority`: of two groups in one depth the higher one wins.
    pub(super) priority: i64,
}

/// All hosts and groups. Names are kept once; variables of a group are shared by its hosts.
#[derive(Debug, Clone)]
pub struct Inventory {
    pub(super) hosts: IndexMap<Arc<str>, Host>,
    pub(super) groups: IndexMap<Arc<str>, Group>,
    /// `group_vars` and `host_vars` beside each inventory source, in the order of the sources.
    pub(super) beside: Vec<Arc<Beside>>,
    /// The same beside the playbook.
    pub(super) beside_playbook: Option<Arc<Beside>>,
    /// What was given with `-i`, paths made absolute: `ansible_inventory_sources`.
    pub(super) given: Vec<String>,
    /// Definitions that a later one of the same host or group replaced, earliest first.
    pub(super) overwritten: Vec<Overwritten>,
    /// Every file and list that was read.
    sources: Vec<HostSource>,
    /// The one of `sources` that is being read.
    reading: Option<u32>,
    nothing: Arc<Variables>,
}

/// A definition that a later one of the same host or group replaced.
#[derive(Debug, Clone)]
pub(super) struct Overwritten {
    pub(super) owner: Owner,
    pub(super) name: Arc<str>,
    pub(super) variable: Variable,
}

/// Whose variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    Host(Arc<str>),
    Group(Arc<str>),
}

/// Where a layer of a host's variables is from.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerPlace<'a> {
    pub(super) precedence: Precedence,
    /// None: the host itself.
    pub(super) group: Option<u32>,
    /// The files beside an inventory or playbook; none: an inventory source itself.
    pub(super) beside: Option<&'a Arc<Beside>>,
    pub(super) variables: &'a Arc<Variables>,
}

/// A group cannot contain itself.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("group `{group}` would contain itself through `{through}`")]
pub struct Cycle {
    /// The group that would become a child.
    pub group: String,
    /// The group that would become its parent.
    pub through: String,
}

impl Default for Inventory {
    fn default() -> Self {
        let nothing = Arc::new(Variables::new());
        let mut inventory = Self {
            hosts: IndexMap::new(),
            groups: IndexMap::new(),
            beside: Vec::new(),
            beside_playbook: None,
            given: Vec::new(),
            overwritten: Vec::new(),
            sources: Vec::new(),
            reading: None,
            nothing,
        };
        inventory.add_group(ALL);
        inventory.add_group(UNGROUPED);
        inventory.link(ALL_INDEX, UNGROUPED_INDEX);
        inventory
    }
}

impl Inventory {
    /// Names of all hosts in the order in which they were first mentioned.
    pub fn hosts(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.hosts.keys()
    }

    /// Names of all groups, `all` and `ungrouped` first.
    pub fn group_names(&self) -> impl ExactSizeIterator<Item = &Arc<str>> {
        self.groups.keys()
    }

    /// Whether the inventory names this host.
    pub fn has_host(&self, name: &str) -> bool {
        self.hosts.contains_key(name)
    }

    /// Whether there is such a group.
    pub fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// What was given with `-i`, paths made absolute: `ansible_inventory_sources`.
    pub fn sources(&self) -> &[String] {
        &self.given
    }

    /// What named a host first; nothing for hosts that were added in a run.
    pub fn source_of(&self, host: &str) -> Option<&HostSource> {
        self.sources.get(self.hosts.get(host)?.source? as usize)
    }

    /// The first file or list that was read.
    pub(super) fn first_source(&self) -> Option<&HostSource> {
        self.sources.first()
    }

    /// From now on hosts come from this source, or (none) from nowhere.
    pub(super) fn read_from(&mut self, source: Option<HostSource>) {
        self.reading = source.map(|source| {
            self.sources.push(source);
            self.sources.len() as u32 - 1
        });
    }

    /// Adds a group if it is not there yet.
    pub fn add_group(&mut self, name: &str) {
        self.group_index(name);
    }

    /// Adds a host if it is not there yet; its group follows from `add_host_to_group` or, at the
    /// end, from `settle`.
    pub fn add_host(&mut self, name: &str) {
        self.host_index(name);
    }

    /// Puts a host into a group; both are made if they are not there yet.
    pub fn add_host_to_group(&mut self, host: &str, group: &str) {
        let (host, group) = (self.host_index(host), self.group_index(group));
        if self.groups[group as usize].hosts.insert(host) {
            self.hosts[host as usize].groups.push(group);
        }
    }

    /// Puts a group into another; both are made if they are not there yet.
    pub fn add_child(&mut self, parent: &str, child: &str) -> Result<(), Cycle> {
        let (above, below) = (self.group_index(parent), self.group_index(child));
        // `all` contains every group in the end.
        if below == ALL_INDEX || above == below || self.ancestors([above]).contains(&below) {
            return Err(Cycle { group: child.to_owned(), through: parent.to_owned() });
        }
        self.link(above, below);
        Ok(())
    }

    /// Sets a variable of a host.
    pub fn set_host_variable(&mut self, host: &str, name: Arc<str>, variable: Variable) {
        let index = self.host_index(host) as usize;
        let old = Arc::make_mut(&mut self.hosts[index].variables).insert(Arc::clone(&name), variable);
        if let Some(variable) = old {
            self.overwritten.push(Overwritten { owner: Owner::Host(self.host_name(index)), name, variable });
        }
    }

    /// Sets variables of a host as inventory sources do. As in Ansible, a host with the name of a
    /// group that is there already is taken for the group: in `[web]`, `web x=1` sets `x` for all of it.
    pub(super) fn set_host_variables(&mut self, host: &str, variables: Variables) {
        let index = self.host_index(host) as usize;
        if self.has_group(host) {
            return variables.into_iter().for_each(|(name, variable)| self.set_group_variable(host, name, variable));
        }
        let own = &mut self.hosts[index].variables;
        if own.is_empty() {
            *own = Arc::new(variables);
        } else {
            variables.into_iter().for_each(|(name, variable)| self.set_host_variable(host, name, variable));
        }
    }

    /// Sets a variable of a group. `ansible_group_priority` is not a variable but decides which
    /// of two groups in one depth wins.
    pub fn set_group_variable(&mut self, group: &str, name: Arc<str>, variable: Variable) {
        let index = self.group_index(group);
        let group = &mut self.groups[index as usize];
        if &*name == "ansible_group_priority"
            && let Some(priority) = whole_number(&variable.definition)
        {
            group.priority = priority;
            return;
        }
        if let Some(variable) = Arc::make_mut(&mut group.variables).insert(Arc::clone(&name), variable) {
            self.overwritten.push(Overwritten { owner: Owner::Group(self.group_name(index)), name, variable });
        }
    }

    /// After changes: every group without a parent becomes a child of `all`, every host without a
    /// group a member of `ungrouped`, and no other host stays there.
    pub fn settle(&mut self) {
        for index in 2..self.groups.len() as u32 {
            if self.groups[index as usize].parents.is_empty() {
                self.link(ALL_INDEX, index);
            }
        }
        for index in 0..self.hosts.len() as u32 {
            let groups = &self.hosts[index as usize].groups;
            let elsewhere = groups.iter().any(|group| *group > UNGROUPED_INDEX);
            let ungrouped = groups.contains(&UNGROUPED_INDEX);
            if elsewhere && ungrouped {
                self.hosts[index as usize].groups.retain(|group| *group != UNGROUPED_INDEX);
                self.groups[UNGROUPED_INDEX as usize].hosts.shift_remove(&index);
            } else if !elsewhere && !ungrouped {
                self.hosts[index as usize].groups.push(UNGROUPED_INDEX);
                self.groups[UNGROUPED_INDEX as usize].hosts.insert(index);
            }
        }
    }

    /// The groups of a host, sorted by name, without `all`: `group_names`.
    pub fn groups_of(&self, host: &str) -> Vec<Arc<str>> {
        let Some(host) = self.hosts.get(host) else {
            return Vec::new();
        };
        let mut names: Vec<_> = self
            .ancestors(host.groups.iter().copied())
            .into_iter()
            .filter(|index| *index != ALL_INDEX)
            .map(|index| self.group_name(index))
            .collect();
        names.sort_unstable();
        names
    }

    /// Every group with the names of its hosts: `groups`.
    pub fn groups(&self) -> IndexMap<Arc<str>, Vec<Arc<str>>> {
        (0..self.groups.len() as u32).map(|index| (self.group_name(index), self.members(index))).collect()
    }

    /// The hosts of a group and of the groups in it, in inventory order.
    pub fn group_hosts(&self, group: &str) -> Vec<Arc<str>> {
        self.groups.get_index_of(group).map_or_else(Vec::new, |index| self.members(index as u32))
    }

    /// The groups directly in a group.
    pub fn children_of(&self, group: &str) -> Vec<Arc<str>> {
        self.groups.get(group).map_or_else(Vec::new, |group| group.children.iter().map(|index| self.group_name(*index)).collect())
    }

    /// The hosts directly in a group.
    pub fn own_hosts_of(&self, group: &str) -> Vec<Arc<str>> {
        let name = |index: &u32| Arc::clone(self.hosts.get_index(*index as usize).expect("members exist").0);
        self.groups.get(group).map_or_else(Vec::new, |group| group.hosts.iter().map(name).collect())
    }

    /// All variables that the inventory and the files beside it and beside the playbook define
    /// for a host, lowest precedence first. This machine has some even if no inventory names it.
    pub fn host_layers(&self, host: &str) -> Vec<Layer> {
        self.layers(host, &self.beside, self.beside_playbook.as_slice(), true)
    }

    /// What inventory plugins see of a host while sources are being read. `all` is not everybody's
    /// group yet, only of hosts and groups that a source put there.
    pub(super) fn layers_so_far(&self, host: &str, beside: &[Arc<Beside>]) -> Vec<Layer> {
        let in_all = self.hosts.get(host).is_some_and(|entry| self.ancestors(entry.groups.iter().copied()).contains(&ALL_INDEX));
        self.layers(host, beside, &[], in_all)
    }

    fn layers(&self, host: &str, beside: &[Arc<Beside>], beside_playbook: &[Arc<Beside>], in_all: bool) -> Vec<Layer> {
        let mut layers = Vec::new();
        self.each_layer(host, beside, beside_playbook, in_all, &mut |place| {
            layers.push(Layer { precedence: place.precedence, variables: Arc::clone(place.variables) });
        });
        layers
    }

    /// Hands out the layers of a host, lowest precedence first.
    pub(super) fn each_layer(
        &self,
        host: &str,
        beside: &[Arc<Beside>],
        beside_playbook: &[Arc<Beside>],
        in_all: bool,
        see: &mut dyn FnMut(LayerPlace<'_>),
    ) {
        let groups = self.groups_by_precedence(host);
        let mut add = |precedence, group, beside: Option<&Arc<Beside>>, variables: Option<&Arc<Variables>>| {
            if let Some(variables) = variables.filter(|variables| !variables.is_empty()) {
                see(LayerPlace { precedence, group, beside, variables });
            }
        };
        for index in in_all.then_some(&ALL_INDEX).into_iter().chain(&groups) {
            let variables = &self.groups[*index as usize].variables;
            add(Precedence::InventoryGroup, Some(*index), None, Some(variables));
        }
        let places = [
            (Precedence::InventoryGroupVarsAll, Precedence::InventoryGroupVars, beside),
            (Precedence::PlaybookGroupVarsAll, Precedence::PlaybookGroupVars, beside_playbook),
        ];
        for (precedence, _, places) in places {
            for place in places.iter().filter(|_| in_all) {
                add(precedence, Some(ALL_INDEX), Some(place), place.groups.get(ALL));
            }
        }
        for (_, precedence, places) in places {
            for place in places {
                for index in &groups {
                    let (name, _) = self.groups.get_index(*index as usize).expect("groups of hosts exist");
                    add(precedence, Some(*index), Some(place), place.groups.get(name));
                }
            }
        }
        match self.hosts.get(host) {
            Some(host) => add(Precedence::InventoryHost, None, None, Some(&host.variables)),
            None if LOCALHOST.contains(&host) => {
                add(Precedence::InventoryHost, None, None, Some(&Arc::new(implicit_localhost())));
            }
            None => {}
        }
        for (precedence, places) in [(Precedence::InventoryHostVars, beside), (Precedence::PlaybookHostVars, beside_playbook)] {
            for place in places {
                add(precedence, None, Some(place), place.hosts.get(host));
            }
        }
    }

    /// The groups of a host without `all`: far from the host first, then low priority first, then
    /// by name. Later ones win.
    fn groups_by_precedence(&self, host: &str) -> Vec<u32> {
        let Some(host) = self.hosts.get(host) else {
            return Vec::new();
        };
        let mut groups = self.ancestors(host.groups.iter().copied());
        groups.retain(|index| *index != ALL_INDEX);
        groups.sort_by(|a, b| {
            let key = |index: u32| {
                let (name, group) = self.groups.get_index(index as usize).expect("groups of hosts exist");
                (group.depth, group.priority, name)
            };
            key(*a).cmp(&key(*b))
        });
        groups
    }

    pub(super) fn host_name(&self, index: usize) -> Arc<str> {
        Arc::clone(self.hosts.get_index(index).expect("hosts are never removed").0)
    }

    pub(super) fn group_name(&self, index: u32) -> Arc<str> {
        Arc::clone(self.groups.get_index(index as usize).expect("groups are never removed").0)
    }

    fn host_index(&mut self, name: &str) -> u32 {
        if let Some(index) = self.hosts.get_index_of(name) {
            return index as u32;
        }
        let host = Host { variables: Arc::clone(&self.nothing), groups: Vec::new(), source: self.reading };
        self.hosts.insert_full(name.into(), host).0 as u32
    }

    fn group_index(&mut self, name: &str) -> u32 {
        if let Some(index) = self.groups.get_index_of(name) {
            return index as u32;
        }
        let group = Group {
            variables: Arc::clone(&self.nothing),
            hosts: IndexSet::new(),
            children: IndexSet::new(),
            parents: Vec::new(),
            depth: u32::from(name != ALL),
            priority: 1,
        };
        self.groups.insert_full(name.into(), group).0 as u32
    }

    fn link(&mut self, parent: u32, child: u32) {
        if !self.groups[parent as usize].children.insert(child) {
            return;
        }
        self.groups[child as usize].parents.push(parent);
        // Depths below grow with the longest way; there are no cycles.
        let mut pending = vec![(parent, child)];
        while let Some((above, below)) = pending.pop() {
            let depth = self.groups[above as usize].depth + 1;
            let group = &mut self.groups[below as usize];
            if group.depth < depth {
                group.depth = depth;
                pending.extend(group.children.iter().map(|next| (below, *next)));
            }
        }
    }

    /// The groups and everything that contains them.
    fn ancestors(&self, groups: impl IntoIterator<Item = u32>) -> Vec<u32> {
        let mut found: Vec<u32> = Vec::new();
        let mut pending: Vec<u32> = groups.into_iter().collect();
        while let Some(index) = pending.pop() {
            if !found.contains(&index) {
                found.push(index);
                pending.extend(&self.groups[index as usize].parents);
            }
        }
        found
    }

    /// Hosts of a group: its own, then those of its children, level by level.
    pub(super) fn member_indices(&self, group: u32) -> IndexSet<u32> {
        let mut groups = IndexSet::from([group]);
        let mut next = 0;
        while let Some(index) = groups.get_index(next) {
            let children = self.groups[*index as usize].children.clone();
            groups.extend(children);
            next += 1;
        }
        groups.iter().flat_map(|index| self.groups[*index as usize].hosts.iter().copied()).collect()
    }

    fn members(&self, group: u32) -> Vec<Arc<str>> {
        self.member_indices(group).into_iter().map(|index| self.host_name(index as usize)).collect()
    }
}

fn whole_number(definition: &Definition) -> Option<i64> {
    match definition {
        Definition::Source(node) => match &node.value {
            NodeValue::Int(number) => Some(*number),
            _ => node.as_str()?.trim().parse().ok(),
        },
        Definition::Data(Value::Int(number)) => Some(*number),
        Definition::Data(_) => None,
    }
}

/// This machine is reached without a connection.
fn implicit_localhost() -> Variables {
    let local = Variable { definition: Definition::Data(Value::Str("local".into())), origin: Origin::Builtin };
    Variables::from_iter([(Arc::from("ansible_connection"), local)])
}

/// Text that is kept once however often it occurs.
#[derive(Debug, Default)]
pub(super) struct Names {
    known: HashSet<Arc<str>>,
}

impl Names {
    pub(super) fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.known.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.known.insert(Arc::clone(&name));
        name
    }
}
