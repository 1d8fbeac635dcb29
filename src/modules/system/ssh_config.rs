//! `ssh_config`: how the SSH client reaches a host.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::ssh_block::{self, Options};
use super::text_file::TextFile;
use super::tool::exists;
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::words::expand_path;
use crate::host::{Attributes, Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// Whether host keys are checked.
    pub enum Strict {
        /// Always.
        Yes = "yes",
        /// Never.
        No = "no",
        /// Somebody is asked.
        Ask = "ask",
        /// New hosts are accepted.
        AcceptNew = "accept-new",
    }
}

choice! {
    /// Whether connections are shared.
    pub enum Master {
        /// They are.
        Yes = "yes",
        /// They are not.
        No = "no",
        /// Somebody is asked.
        Ask = "ask",
        /// Where there is one.
        Auto = "auto",
        /// Where there is one, and somebody is asked.
        AutoAsk = "autoask",
    }
}

args! {
    /// Manages the block of a host in a configuration of the SSH client. Options that are not named stay.
    pub struct Args {
        /// Whether there is such a block.
        state: Presence = Presence::Present,
        /// Whose configuration it is (`~/.ssh/config`).
        user: Option<String>,
        /// To which group a new file belongs; the user's where none is named.
        group: Option<String>,
        /// The host, as the block names it.
        host: String,
        /// Its name or address.
        hostname: Option<String>,
        /// The port.
        port: Option<String>,
        /// As whom to log in.
        remote_user: Option<String>,
        /// The private key; it must be there.
        identity_file: Option<PathBuf>,
        /// Whether no other keys are tried.
        identities_only: Option<bool>,
        /// The file of known hosts.
        user_known_hosts_file: Option<String>,
        /// Whether host keys are checked.
        strict_host_key_checking: Option<Strict>,
        /// The command to connect through.
        proxycommand: Option<String>,
        /// The hosts to connect through.
        proxyjump: Option<String>,
        /// Whether the agent is forwarded.
        forward_agent: Option<bool>,
        /// Whether keys that are used are given to the agent.
        add_keys_to_agent: Option<bool>,
        /// The file; without it and `user`, `/etc/ssh/ssh_config`.
        ssh_config_file: Option<PathBuf>,
        /// Algorithms of host keys.
        host_key_algorithms: Option<String>,
        /// Whether connections are shared.
        controlmaster: Option<Master>,
        /// The socket of shared connections.
        controlpath: Option<String>,
        /// How long shared connections stay.
        controlpersist: Option<String>,
        /// A port that is forwarded to wherever asked.
        dynamicforward: Option<String>,
        /// Further options, in lower case.
        other_options: Option<BTreeMap<String, String>>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Where the code is
  ssh_config:
    ssh_config_file: /etc/ssh/client.conf
    host: code
    hostname: code.example.org
    port: 2222
    forward_agent: false
- name: Not any more
  ssh_config:
    host: old
    state: absent
";

const SYSTEM: &str = "/etc/ssh/ssh_config";

/// The module.
pub struct SshConfig;

/// The file, and whom it belongs to.
#[derive(Debug, Clone)]
pub struct State {
    file: TextFile,
    owner: Option<(u32, u32)>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.file.resource()]
    }
}

/// The options that are named, as the file has them.
fn options(args: &Args) -> Options {
    let bit = |is: Option<bool>| is.map(|is| if is { "yes" } else { "no" }.to_owned());
    let key = args.identity_file.as_ref().map(|path| path.display().to_string());
    let named = [
        ("hostname", args.hostname.clone()),
        ("port", args.port.clone()),
        ("identityfile", key),
        ("identitiesonly", bit(args.identities_only)),
        ("user", args.remote_user.clone()),
        ("stricthostkeychecking", args.strict_host_key_checking.map(|strict| strict.word().to_owned())),
        ("userknownhostsfile", args.user_known_hosts_file.clone()),
        ("proxycommand", args.proxycommand.clone()),
        ("proxyjump", args.proxyjump.clone()),
        ("forwardagent", bit(args.forward_agent)),
        ("addkeystoagent", bit(args.add_keys_to_agent)),
        ("hostkeyalgorithms", args.host_key_algorithms.clone()),
        ("controlmaster", args.controlmaster.map(|master| master.word().to_owned())),
        ("controlpath", args.controlpath.clone()),
        ("controlpersist", args.controlpersist.clone()),
        ("dynamicforward", args.dynamicforward.clone()),
    ];
    let named = named.into_iter().filter_map(|(word, value)| Some((word.to_owned(), value?)));
    named.chain(args.other_options.clone().into_iter().flatten()).collect()
}

fn check(args: &Args, options: &Options) -> Result<(), Failure> {
    if args.user.is_some() && args.ssh_config_file.is_some() {
        return Err(Failure::new("parameters are mutually exclusive: user|ssh_config_file"));
    }
    if args.proxycommand.is_some() && args.proxyjump.is_some() {
        return Err(Failure::new("parameters are mutually exclusive: proxycommand|proxyjump"));
    }
    if args.host.trim().is_empty() || args.host.contains('\n') {
        return Err(Failure::new("`host` must be one line"));
    }
    for (word, value) in options {
        if word.is_empty() || !word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()) {
            return Err(Failure::new(format!("The other_options key {word:?} must be lower case")));
        }
        if value.trim().is_empty() || value.contains('\n') || ["host", "match"].contains(&word.as_str()) {
            return Err(Failure::new(format!("`{word}` cannot have this value in a block")));
        }
    }
    Ok(())
}

impl Resource for SshConfig {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        check(args, &options(args))?;
        if let Some(key) = args.identity_file.as_ref().filter(|_| args.state == Presence::Present)
            && !exists(expand_path(key, host), host)
        {
            return Err(Failure::new(format!("IdentityFile {} does not exist", key.display())));
        }
        let Some(name) = &args.user else {
            let path = args.ssh_config_file.clone().unwrap_or_else(|| SYSTEM.into());
            return Ok(State { file: TextFile::read(&expand_path(&path, host), host)?, owner: None });
        };
        let user = host.user(name)?.ok_or_else(|| Failure::new(format!("there is no account `{name}`")))?;
        let gid = match &args.group {
            None => user.gid,
            Some(group) => host.group(group)?.ok_or_else(|| Failure::new(format!("there is no group `{group}`")))?.gid,
        };
        let path = PathBuf::from(&user.home).join(".ssh/config");
        Ok(State { file: TextFile::read(&path, host)?, owner: Some((user.uid, gid)) })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let old = now.file.text.as_deref().unwrap_or_default();
        let new = match args.state {
            Presence::Present => ssh_block::set(old, &args.host, &options(args)),
            Presence::Absent => ssh_block::without(old, &args.host),
        };
        Ok(if new == old { now.clone() } else { State { file: now.file.with(new), ..now.clone() } })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let mut attributes = Attributes::default();
        if step.now.file.text.is_none() {
            let system = args.user.is_none() && args.ssh_config_file.is_none();
            attributes.mode = Some(if system { 0o644 } else { 0o600 });
            if let Some((uid, gid)) = step.now.owner {
                (attributes.uid, attributes.gid) = (Some(uid), Some(gid));
                let directory = step.now.file.path.parent().expect("it was joined to a home");
                if !exists(directory, host.inspect()) {
                    host.make_directory(directory, &Attributes { mode: Some(0o700), ..attributes })?;
                }
            }
        }
        step.want.file.write(attributes, host)?;
        Ok(Written::quiet())
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let of = |state: &State| ssh_block::options(state.file.text.as_deref().unwrap_or_default(), &args.host);
        let (old, new) = (of(before), of(after));
        let host = |is: bool| if is { vec![args.host.clone()] } else { Vec::new() };
        let map = |options: &Option<Options>| -> Map<String, Value> {
            options.iter().flatten().map(|(word, value)| (word.clone(), value.clone().into())).collect()
        };
        let changed = old.is_some() && new.is_some() && old != new;
        let diff: Vec<Value> =
            host(changed).into_iter().map(|host| json!({host: {"old": map(&old), "new": map(&new)}})).collect();
        let fields = json!({
            "hosts_added": host(old.is_none() && new.is_some()),
            "hosts_removed": host(old.is_some() && new.is_none()),
            "hosts_changed": host(changed),
            "hosts_change_diff": diff,
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let file = args.ssh_config_file.as_ref().map_or_else(|| SYSTEM.to_owned(), |path| path.display().to_string());
        match &args.user {
            Some(user) => {
                let file = ResourceId::new("file", format!("~{user}/.ssh/config"));
                Claims::provides([file]).needing([ResourceId::new("user", user)])
            }
            None => Claims::provides([ResourceId::new("file", file)]),
        }
    }
}
