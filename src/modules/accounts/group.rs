//! `group`: a group of `/etc/group`.

use std::path::Path;

use serde_json::{Map, Value};

use super::numbers::{LoginDefs, free};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process::succeed;
use crate::host::{CommandLine, Effect, Group, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// Whether an account is there.
    pub enum Presence {
        /// It is.
        Present = "present",
        /// It is not.
        Absent = "absent",
    }
}

args! {
    /// Manages a group: its existence and its number.
    pub struct Args {
        /// Name of the group.
        name: String,
        /// Number of the group; chosen by the system if not given.
        gid: Option<u32>,
        /// Whether the group is there.
        state: Presence = Presence::Present,
        /// Whether a new group gets a number from the system's own range.
        system: bool = false,
        /// Look only at `/etc/group`, not at a directory service.
        local: bool = false,
        /// Whether the number may be one that another group has.
        non_unique: bool = false,
        /// Remove the group even if it is some user's primary group.
        force: bool = false,
        /// Least number that is chosen for a new group.
        gid_min: Option<u32>,
        /// Greatest number that is chosen for a new group.
        gid_max: Option<u32>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A group
  group:
    name: somegroup
- name: A group with a number
  group:
    name: docker
    gid: 1750
    state: present
- name: A system group
  group:
    name: exporter
    system: true
- name: No group
  group:
    name: oldgroup
    state: absent
";

/// The module.
pub struct GroupModule;

/// The group as it is or should be.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    group: Option<Group>,
    /// The number is asked for, so it is compared.
    numbered: bool,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = ResourceId::new("group", &self.name);
        vec![match &self.group {
            None => ResourceState::absent(id),
            Some(group) => ResourceState::present(id).with("gid", self.numbered.then_some(group.gid)),
        }]
    }
}

impl Resource for GroupModule {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let mut group = host.group(&args.name)?;
        if args.local && !listed(host, "/etc/group", &args.name) {
            group = None;
        }
        let taken = args.gid.filter(|_| args.state == Presence::Present && !args.non_unique);
        if let Some(gid) = taken
            && group.as_ref().is_none_or(|group| group.gid != gid)
            && let Some(other) = host.group_by_id(gid)?
        {
            return Err(Failure::new(format!("the group id {gid} is taken by the group `{}`", other.name)));
        }
        Ok(State { name: args.name.clone(), group, numbered: args.gid.is_some() })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.name.is_empty() || args.name.contains([':', '\n', ',']) {
            return Err(Failure::new(format!("`{}` cannot be the name of a group", args.name)));
        }
        if args.non_unique && args.gid.is_none() {
            return Err(Failure::new("non_unique is True but all of the following are missing: gid"));
        }
        let group = match args.state {
            Presence::Absent => None,
            Presence::Present => {
                let group = now.group.clone().unwrap_or_else(|| Group { name: args.name.clone(), ..Group::default() });
                Some(Group { gid: args.gid.unwrap_or(group.gid), ..group })
            }
        };
        Ok(State { group, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut argv: Vec<String> = Vec::new();
        let mut option = |words: &[&str]| argv.extend(words.iter().map(|word| (*word).to_owned()));
        let effect = match (&step.now.group, &step.want.group) {
            (_, None) => {
                option(&["groupdel"]);
                if args.force {
                    option(&["-f"]);
                }
                Effect::NoGroup(args.name.clone())
            }
            (now, Some(want)) => {
                option(&[if now.is_some() { "groupmod" } else { "groupadd" }]);
                if let Some(gid) = args.gid {
                    option(&["-g", &gid.to_string()]);
                    if args.non_unique {
                        option(&["-o"]);
                    }
                }
                let mut group = want.clone();
                if now.is_none() {
                    if args.system {
                        option(&["-r"]);
                    }
                    for (name, bound) in [("GID_MIN", args.gid_min), ("GID_MAX", args.gid_max)] {
                        if let Some(bound) = bound {
                            option(&["-K", &format!("{name}={bound}")]);
                        }
                    }
                    if args.gid.is_none() {
                        group.gid = free("GID", args.system, &LoginDefs::read(host), &|gid| {
                            Ok(args.gid_min.is_some_and(|least| gid < least) || host.group_by_id(gid)?.is_some())
                        })?;
                    }
                }
                Effect::Group(group)
            }
        };
        argv.push(args.name.clone());
        succeed(host, &CommandLine::new(argv), &[effect])?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let mut result = Map::new();
        result.insert("name".into(), args.name.clone().into());
        result.insert("state".into(), args.state.word().into());
        if let Some(group) = &after.group {
            result.insert("gid".into(), group.gid.into());
            result.insert("system".into(), args.system.into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([ResourceId::new("group", &args.name)])
    }
}

/// Whether a file of accounts has a line for this name.
pub(super) fn listed(host: &dyn Inspect, file: &str, name: &str) -> bool {
    let text = host.read(Path::new(file), 64 << 20).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().any(|line| line.split(':').next() == Some(name))
}
