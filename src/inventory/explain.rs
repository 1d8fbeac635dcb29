//! Why a host's variable has its value: every definition in the inventory and in the files beside it,
//! and why one loses against another.

use std::sync::Arc;

use super::model::{Inventory, Owner};
use crate::vars::{Precedence, Variable};

/// One definition of a host's variable.
#[derive(Debug, Clone)]
pub struct HostDefinition {
    /// What it is and where it stands.
    pub variable: Variable,
    /// Its level.
    pub precedence: Precedence,
    /// The group that has it; none: the host itself.
    pub group: Option<GroupRank>,
    /// Whether a later definition of the same host or group replaced it.
    replaced: bool,
    /// Which of several places of one level, such as inventories given one after another.
    place: usize,
}

/// What decides between groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRank {
    /// The group's name.
    pub name: Arc<str>,
    /// Steps from `all`, the longest way.
    pub depth: u32,
    /// `ansible_group_priority`.
    pub priority: i64,
}

impl Inventory {
    /// All definitions of a host's variable, the winner last.
    pub fn definitions(&self, host: &str, name: &str) -> Vec<HostDefinition> {
        let mut found = Vec::new();
        let mut place = 0;
        let mut last = None;
        self.each_layer(host, &self.beside, self.beside_playbook.as_slice(), true, &mut |layer| {
            let Some(variable) = layer.variables.get(name) else { return };
            let group = layer.group.map(|index| {
                let group = &self.groups[index as usize];
                GroupRank { name: self.group_name(index), depth: group.depth, priority: group.priority }
            });
            let here = layer.beside.map(Arc::as_ptr);
            if last.replace(here) != Some(here) {
                place += 1;
            }
            let owner = group.as_ref().map_or_else(|| Owner::Host(host.into()), |group| Owner::Group(Arc::clone(&group.name)));
            let replaced = layer.beside.map_or(&self.overwritten, |beside| &beside.overwritten);
            let replaced = replaced.iter().filter(|old| old.owner == owner && &*old.name == name).map(|old| &old.variable);
            let all = replaced.map(|variable| (variable, true)).chain([(variable, false)]);
            found.extend(all.map(|(variable, replaced)| HostDefinition {
                variable: variable.clone(),
                precedence: layer.precedence,
                group: group.clone(),
                replaced,
                place,
            }));
        });
        found
    }
}

impl HostDefinition {
    /// Whether the next definition of the same host or group replaced it.
    pub fn is_replaced(&self) -> bool {
        self.replaced
    }

    /// Why this one loses against a definition further up.
    pub fn loses_to(&self, winner: &Self) -> String {
        if self.replaced {
            return "the same host or group has a later definition, which replaces this one".to_owned();
        }
        match (&self.group, &winner.group) {
            _ if self.precedence != winner.precedence => self.precedence.below(winner.precedence),
            _ if self.place != winner.place => "another inventory comes after this one and wins".to_owned(),
            (Some(own), Some(other)) if own.depth != other.depth => format!(
                "group `{}` is nearer to the host than `{}` (depth {} against {})",
                other.name, own.name, other.depth, own.depth
            ),
            (Some(own), Some(other)) if own.priority != other.priority => format!(
                "group `{}` has the priority {} and `{}` only {} (`ansible_group_priority`)",
                other.name, other.priority, own.name, own.priority
            ),
            (Some(own), Some(other)) => format!(
                "groups `{}` and `{}` are equally near: the later one in the alphabet wins (`ansible_group_priority` would decide)",
                own.name, other.name
            ),
            _ => "a later definition replaces this one".to_owned(),
        }
    }
}
