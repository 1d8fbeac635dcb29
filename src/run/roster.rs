//! The inventory of a run: what was read, and what `add_host` and `group_by` make of it while it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock};

use super::scope::data;
use crate::actions::inventory::Addition;
use crate::inventory::Inventory;
use crate::source::{Severity, SourceMap};
use crate::vars::{Definition, Key, Variables};

/// Reads the inventory's sources again (`meta: refresh_inventory`); the error is for people.
pub type Reload = Arc<dyn Fn() -> Result<Inventory, String> + Send + Sync>;

/// An inventory that may change. Readers get a view that does not.
pub struct Roster {
    now: RwLock<Arc<Inventory>>,
    added: Mutex<Vec<Addition>>,
    changes: AtomicU64,
    groups: Mutex<(u64, Arc<Variables>)>,
    map: SourceMap,
    reload: Option<Reload>,
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Roster").field("changes", &self.changes).finish_non_exhaustive()
    }
}

impl Roster {
    /// The inventory as it was read from files of `map`, and how it is read again.
    pub fn new(inventory: Arc<Inventory>, map: SourceMap, reload: Option<Reload>) -> Self {
        let groups = Mutex::new((0, groups_of(&inventory)));
        Self { now: RwLock::new(inventory), added: Mutex::default(), changes: AtomicU64::new(0), groups, map, reload }
    }

    /// The inventory as it is now.
    pub fn view(&self) -> Arc<Inventory> {
        Arc::clone(&self.now.read().expect("no thread panics here"))
    }

    /// How often it has changed: what was computed from it is stale when this has moved.
    pub fn changes(&self) -> u64 {
        self.changes.load(Ordering::Acquire)
    }

    /// The variable `groups`.
    pub fn groups(&self) -> Arc<Variables> {
        let now = self.changes();
        let mut known = self.groups.lock().expect("no thread panics here");
        if known.0 != now {
            *known = (now, groups_of(&self.view()));
        }
        Arc::clone(&known.1)
    }

    /// Adds a host or a group; whether anything is new, or why it cannot be.
    pub fn add(&self, addition: Addition) -> Result<bool, String> {
        let mut now = self.now.write().expect("no thread panics here");
        if is_known(&now, &addition) {
            return Ok(false);
        }
        apply(Arc::make_mut(&mut now), &addition, &self.map)?;
        self.added.lock().expect("no thread panics here").push(addition);
        self.changes.fetch_add(1, Ordering::Release);
        Ok(true)
    }

    /// Reads the sources again; what tasks added stays. Does nothing where there are no sources.
    pub fn refresh(&self) -> Result<(), String> {
        let Some(reload) = &self.reload else { return Ok(()) };
        let mut fresh = reload()?;
        let mut now = self.now.write().expect("no thread panics here");
        for addition in self.added.lock().expect("no thread panics here").iter() {
            apply(&mut fresh, addition, &self.map)?;
        }
        *now = Arc::new(fresh);
        self.changes.fetch_add(1, Ordering::Release);
        Ok(())
    }
}

fn groups_of(inventory: &Inventory) -> Arc<Variables> {
    Arc::new(Variables::from_iter([(Arc::from("groups"), data(inventory.groups_value()))]))
}

fn is_member(inventory: &Inventory, host: &str, group: &str) -> bool {
    inventory.own_hosts_of(group).iter().any(|member| **member == *host)
}

fn is_known(inventory: &Inventory, addition: &Addition) -> bool {
    match addition {
        Addition::Host { name, groups, variables } => {
            let layers = inventory.host_layers(name);
            let same = |(key, value): (&Key, &crate::vars::Value)| {
                let Key::Str(key) = key else { return true };
                let known = layers.iter().rev().find_map(|layer| layer.variables.get(key));
                matches!(known.map(|variable| &variable.definition), Some(Definition::Data(known)) if known == value)
            };
            inventory.has_host(name) && groups.iter().all(|group| is_member(inventory, name, group)) && variables.iter().all(same)
        }
        Addition::Group { name, parents, host } => {
            let inside = |parent: &String| inventory.children_of(parent).iter().any(|child| **child == **name);
            is_member(inventory, host, name) && parents.iter().all(|parent| parent == "all" || inside(parent))
        }
    }
}

fn apply(inventory: &mut Inventory, addition: &Addition, map: &SourceMap) -> Result<(), String> {
    let (mut new_groups, mut new_hosts): (Vec<Arc<str>>, Vec<Arc<str>>) = (Vec::new(), Vec::new());
    let mut is_new = |inventory: &Inventory, groups: &[String], host: &str| {
        new_groups.extend(groups.iter().filter(|group| !inventory.has_group(group)).map(|group| Arc::from(group.as_str())));
        new_hosts.extend((!inventory.has_host(host)).then(|| Arc::from(host)));
    };
    match addition {
        Addition::Host { name, groups, variables } => {
            is_new(inventory, groups, name);
            inventory.add_host(name);
            for group in groups {
                inventory.add_host_to_group(name, group);
            }
            for (key, value) in variables {
                if let Key::Str(key) = key {
                    inventory.set_host_variable(name, Arc::clone(key), data(value.clone()));
                }
            }
        }
        Addition::Group { name, parents, host } => {
            is_new(inventory, parents, host);
            is_new(inventory, std::slice::from_ref(name), host);
            inventory.add_host_to_group(host, name);
            for parent in parents.iter().filter(|parent| *parent != "all") {
                inventory.add_child(parent, name).map_err(|cycle| cycle.to_string())?;
            }
        }
    }
    inventory.settle();
    let found = inventory.load_beside_of(map, &new_groups, &new_hosts);
    match found.iter().find(|problem| problem.severity == Severity::Error) {
        Some(problem) => Err(problem.message.clone()),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vars::Value;

    fn host(name: &str, groups: &[&str], variables: &[(&str, i64)]) -> Addition {
        Addition::Host {
            name: name.into(),
            groups: groups.iter().map(|group| (*group).into()).collect(),
            variables: variables.iter().map(|(name, value)| (Key::from(*name), Value::Int(*value))).collect(),
        }
    }

    fn group(name: &str, parents: &[&str], host: &str) -> Addition {
        Addition::Group { name: name.into(), parents: parents.iter().map(|parent| (*parent).into()).collect(), host: host.into() }
    }

    #[test]
    fn what_is_there_already_is_no_change() {
        let roster = Roster::new(Arc::default(), SourceMap::default(), None);
        let steps = [
            (host("h", &["g"], &[("x", 1)]), true),
            (host("h", &["g"], &[("x", 1)]), false),
            (host("h", &[], &[]), false),
            (host("h", &["g"], &[("x", 2)]), true),
            (host("h", &["other"], &[]), true),
            (group("g", &["p"], "h"), true),
            (group("g", &["p"], "h"), false),
            (group("g", &["q"], "h"), true),
        ];
        for (step, new) in steps {
            assert_eq!(roster.add(step.clone()), Ok(new), "{step:?}");
        }
        assert_eq!(roster.changes(), 5);
        let groups: Vec<String> = roster.view().groups_of("h").iter().map(ToString::to_string).collect();
        assert_eq!(groups, ["g", "other", "p", "q"]);
        assert!(roster.add(group("p", &["g"], "h")).unwrap_err().contains("itself"));
    }

    #[test]
    fn what_was_added_stays_after_a_refresh() {
        let roster = Roster::new(
            Arc::default(),
            SourceMap::default(),
            Some(Arc::new(|| {
                let mut fresh = Inventory::default();
                fresh.add_host("new");
                fresh.settle();
                Ok(fresh)
            })),
        );
        roster.add(host("added", &["g"], &[])).unwrap();
        roster.refresh().unwrap();
        let names: Vec<String> = roster.view().hosts().map(ToString::to_string).collect();
        assert_eq!(names, ["new", "added"]);
    }
}
