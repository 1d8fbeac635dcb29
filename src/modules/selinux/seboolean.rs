//! `seboolean`: switches of the SELinux policy.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::policy::{SEMANAGE, is_enabled, list, require};
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, exists, plain_word};

args! {
    /// Turns a switch of the SELinux policy on or off, with the host's `setsebool` or `semanage`.
    pub struct Args {
        /// Name of the switch.
        name: String,
        /// Whether it is kept over a reboot.
        persistent: bool = false,
        /// On or off.
        state: bool,
        /// Whether it does not matter that SELinux is off (in a chroot).
        ignore_selinux_state: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: The web server may connect
  seboolean:
    name: httpd_can_network_connect
    state: true
    persistent: true
- name: Until the next boot
  seboolean:
    name: httpd_enable_homedirs
    state: false
";

const SETSEBOOL: Tool = Tool::new("setsebool", "policycoreutils");

/// The module.
pub struct Seboolean;

/// The switch as the kernel has it and as it is kept; `None` where that is not managed.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    live: Option<bool>,
    kept: Option<bool>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![ResourceState::present(id(&self.name)).with("live", self.live).with("kept", self.kept)]
    }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("seboolean", name)
}

/// Where the kernel shows the switch.
fn live_path(name: &str) -> PathBuf {
    Path::new("/sys/fs/selinux/booleans").join(name)
}

/// A line of the list: the name, and in parentheses the live and the kept value.
fn parse(list: &str, name: &str) -> Option<bool> {
    list.lines().find_map(|line| {
        let (found, rest) = line.split_once('(')?;
        let (_, kept) = rest.split_once(')')?.0.split_once(',')?;
        (found.trim() == name).then(|| kept.trim() == "on")
    })
}

fn missing(name: &str) -> Failure {
    Failure::new(format!("SELinux boolean {name} does not exist."))
}

impl Resource for Seboolean {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        plain_word("name", &args.name)?;
        if args.name.contains('/') || args.name == ".." {
            return Err(missing(&args.name));
        }
        require(args.ignore_selinux_state, host)?;
        let path = live_path(&args.name);
        let live = if !is_enabled(host) {
            None
        } else if exists(&path, host) {
            Some(host.read(&path, 64)?.starts_with(b"1"))
        } else {
            return Err(missing(&args.name));
        };
        let kept = match host.thing(&id(&args.name)).filter(|_| args.persistent) {
            Some(thing) => Some(thing == Thing::There("on".into())),
            None if !args.persistent => None,
            None => Some(parse(&list("boolean", false, host)?, &args.name).ok_or_else(|| missing(&args.name))?),
        };
        if live.is_none() && kept.is_none() {
            return Err(Failure::new("where SELinux is off a boolean can only be kept: `persistent` is needed"));
        }
        Ok(State { name: args.name.clone(), live, kept })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        Ok(State { live: now.live.map(|_| args.state), kept: now.kept.map(|_| args.state), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (word, bit) = if args.state { ("on", "1") } else { ("off", "0") };
        let mut effects = Vec::new();
        if step.now.live.is_some() {
            effects.push(Effect::File(live_path(&args.name), format!("{bit} {bit}").into_bytes(), 0o644));
        }
        if !args.persistent {
            SETSEBOOL.act([&args.name, word], &effects, host)?;
            return Ok(Written::quiet());
        }
        effects.push(Effect::Thing(id(&args.name), Thing::There(word.into())));
        SEMANAGE.act(["boolean", "-m", if args.state { "-1" } else { "-0" }, &args.name], &effects, host)?;
        // A switch that was kept so already may still differ in the kernel.
        if host.acts() && step.now.live.is_some() && !host.read(&live_path(&args.name), 64)?.starts_with(bit.as_bytes()) {
            SETSEBOOL.act([&args.name, word], &effects, host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let fields = json!({"name": args.name, "persistent": args.persistent, "state": args.state});
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(&args.name)]).needing([ResourceId::new("package", "policycoreutils-python-utils")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read() {
        let list = "abrt_anon_write                (off  ,  off)  Allow ABRT (all of it) to anon write\n\
                    httpd_can_network_connect      (off  ,   on)  Allow httpd to\n";
        for (name, expected) in [("abrt_anon_write", Some(false)), ("httpd_can_network_connect", Some(true)), ("httpd_can", None)]
        {
            assert_eq!(parse(list, name), expected, "{name}");
        }
    }
}
