//! `capabilities`: privileges of programs.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value};

use super::tool::{Tool, exists};
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Gives capabilities to a program's file, or takes them away. Other capabilities of the file stay.
    pub struct Args {
        /// The file.
        path ("key"): PathBuf,
        /// The capability, with operator and flags (`cap_net_raw+ep`); without them to remove it.
        capability ("cap"): String,
        /// Whether the file has it.
        state: Presence = Presence::Present,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Ports below 1024
  capabilities:
    path: /usr/bin/app
    capability: cap_net_bind_service+ep
- name: Not any more
  capabilities:
    path: /usr/bin/app
    capability: cap_sys_admin
    state: absent
";

/// Names by number, as the kernel counts them.
const NAMES: [&str; 41] = [
    "cap_chown",
    "cap_dac_override",
    "cap_dac_read_search",
    "cap_fowner",
    "cap_fsetid",
    "cap_kill",
    "cap_setgid",
    "cap_setuid",
    "cap_setpcap",
    "cap_linux_immutable",
    "cap_net_bind_service",
    "cap_net_broadcast",
    "cap_net_admin",
    "cap_net_raw",
    "cap_ipc_lock",
    "cap_ipc_owner",
    "cap_sys_module",
    "cap_sys_rawio",
    "cap_sys_chroot",
    "cap_sys_ptrace",
    "cap_sys_pacct",
    "cap_sys_admin",
    "cap_sys_boot",
    "cap_sys_nice",
    "cap_sys_resource",
    "cap_sys_time",
    "cap_sys_tty_config",
    "cap_mknod",
    "cap_lease",
    "cap_audit_write",
    "cap_audit_control",
    "cap_setfcap",
    "cap_mac_override",
    "cap_mac_admin",
    "cap_syslog",
    "cap_wake_alarm",
    "cap_block_suspend",
    "cap_audit_read",
    "cap_perfmon",
    "cap_bpf",
    "cap_checkpoint_restore",
];

const SETCAP: Tool = Tool::new("setcap", "libcap2-bin");

/// Capability to flags, in the order `eip`.
type Set = BTreeMap<String, String>;

/// The module.
pub struct Capabilities;

/// The capabilities of the file.
#[derive(Debug, Clone)]
pub struct State {
    path: String,
    set: Set,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![ResourceState::present(id(&self.path)).with("capabilities", text(&self.set))]
    }
}

fn id(path: &str) -> ResourceId {
    ResourceId::new("capabilities", path)
}

fn text(set: &Set) -> String {
    set.iter().map(|(name, flags)| format!("{name}={flags}")).collect::<Vec<_>>().join(" ")
}

fn parse_text(text: &str) -> Set {
    text.split_whitespace().filter_map(|one| one.split_once('=')).map(|(name, flags)| (name.into(), flags.into())).collect()
}

/// What the kernel keeps at a file: a word of version and "effective", then permitted and inheritable.
fn decode(bytes: &[u8]) -> Set {
    let word =
        |at: usize| bytes.get(at * 4..at * 4 + 4).map_or(0, |four| u32::from_le_bytes(four.try_into().expect("four bytes")));
    let both = |at: usize| u64::from(word(at)) | u64::from(if bytes.len() >= 20 { word(at + 2) } else { 0 }) << 32;
    let (effective, permitted, inheritable) = (word(0) & 1 == 1, both(1), both(2));
    let mut set = Set::new();
    for (number, name) in NAMES.iter().enumerate() {
        let is = |mask: u64| mask >> number & 1 == 1;
        if is(permitted) || is(inheritable) {
            let flags = [(effective, 'e'), (is(inheritable), 'i'), (is(permitted), 'p')];
            set.insert((*name).to_owned(), flags.iter().filter(|(is, _)| *is).map(|(_, flag)| flag).collect());
        }
    }
    set
}

/// Name and flags of the option.
fn parse(args: &Args) -> Result<(String, String), Failure> {
    let written = args.capability.trim().to_lowercase();
    let (name, flags) = written.split_once(['+', '=']).unwrap_or((&written, ""));
    if !NAMES.contains(&name) {
        return Err(Failure::new(format!("`{}` is not a capability", args.capability)));
    }
    let sorted: String = "eip".chars().filter(|flag| flags.contains(*flag)).collect();
    if args.state == Presence::Present && (sorted.is_empty() || sorted.len() != flags.len()) {
        return Err(Failure::new(format!(
            "Couldn't find operator (one of: =, +) and flags (of e, i, p) in `{}`",
            args.capability
        )));
    }
    Ok((name.to_owned(), sorted))
}

impl Resource for Capabilities {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let path = args.path.display().to_string();
        if !args.path.is_absolute() || !exists(&args.path, host) {
            return Err(Failure::at("look at", &args.path, "there is no such file (an absolute path is needed)"));
        }
        let set = match host.thing(&id(&path)) {
            Some(Thing::There(text)) => parse_text(&text),
            Some(Thing::Gone) => Set::new(),
            None => host.xattrs(&args.path).get("security.capability").map(|bytes| decode(bytes)).unwrap_or_default(),
        };
        Ok(State { path, set })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let (name, flags) = parse(args)?;
        let mut want = now.clone();
        match args.state {
            Presence::Present => drop(want.set.insert(name, flags)),
            Presence::Absent => drop(want.set.remove(&name)),
        }
        Ok(want)
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (path, set) = (&step.want.path, &step.want.set);
        let effect = Effect::Thing(id(path), Thing::There(text(set)));
        let words = if set.is_empty() { ["-r".to_owned(), path.clone()] } else { [text(set), path.clone()] };
        let output = SETCAP.act(words, &[effect], host)?;
        Ok(Written::quiet().with("stdout", output.text()))
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let msg = if before.set == after.set { "capabilities unchanged" } else { "capabilities changed" };
        Map::from_iter([("msg".to_owned(), msg.into()), ("state".to_owned(), args.state.word().into())])
    }

    fn claims(args: &Args) -> Claims {
        let path = args.path.display().to_string();
        // Writing the file takes its capabilities away.
        Claims::provides([id(&path)]).needing([ResourceId::new("file", path), ResourceId::new("package", "libcap2-bin")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_form_is_read() {
        // cap_net_raw=ep and cap_bpf=ei, revision 2.
        let mut bytes = vec![1, 0, 0, 2];
        for word in [1_u32 << 13, 0, 0, 1 << (39 - 32)] {
            bytes.extend(word.to_le_bytes());
        }
        assert_eq!(text(&decode(&bytes)), "cap_bpf=ei cap_net_raw=ep");
        assert_eq!(parse_text("cap_bpf=ei cap_net_raw=ep"), decode(&bytes));
        assert_eq!(decode(&[]), Set::new());
    }

    #[test]
    fn options_are_checked() {
        for (written, state, expected) in [
            ("cap_net_raw+pe", Presence::Present, Some(("cap_net_raw", "ep"))),
            ("CAP_NET_RAW=eip", Presence::Present, Some(("cap_net_raw", "eip"))),
            ("cap_net_raw", Presence::Absent, Some(("cap_net_raw", ""))),
            ("cap_net_raw", Presence::Present, None),
            ("cap_net_raw+x", Presence::Present, None),
            ("-r", Presence::Absent, None),
        ] {
            let args = Args { path: "/x".into(), capability: written.into(), state };
            let found = parse(&args).ok();
            assert_eq!(found.as_ref().map(|(name, flags)| (name.as_str(), flags.as_str())), expected, "{written}");
        }
    }
}
