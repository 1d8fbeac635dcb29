//! Where a host is, as whom it is worked on, and the limits that are the same for all hosts.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::memory::World;
use crate::vault::Secret;

/// By which way a host is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// SSH by russh.
    Ssh,
    /// This machine: the agent as a child process.
    Local,
    /// An agent in this process over a pipe, on an in-memory host (tests).
    Memory,
}

/// Where a host is and how to log in: an inventory's connection variables, resolved.
#[derive(Debug, Clone)]
pub struct Target {
    /// The inventory name.
    pub host: Arc<str>,
    /// How.
    pub transport: Transport,
    /// Address or name (`ansible_host`), as written.
    pub address: String,
    /// `ansible_port`; none = `ssh_config`, else 22.
    pub port: Option<u16>,
    /// `ansible_user`; none = `ssh_config`, else the local user.
    pub user: Option<String>,
    /// `ansible_password`.
    pub password: Option<Secret>,
    /// `ansible_ssh_private_key_file`.
    pub private_key: Option<PathBuf>,
    /// Passphrase of the private key, where the inventory has it.
    pub passphrase: Option<Secret>,
    /// `ansible_ssh_common_args` and `ansible_ssh_extra_args`, split as a shell would.
    pub ssh_args: Vec<String>,
    /// `ansible_host_key_checking`, `ANSIBLE_HOST_KEY_CHECKING`; none = strict.
    pub host_key_checking: Option<bool>,
}

/// Who a task acts as on the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The login user.
    Login,
    /// Another user, through a second agent on the same connection.
    Become(Become),
}

/// How to become another user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Become {
    /// `sudo`, `su` or `doas`.
    pub method: String,
    /// The user to become.
    pub user: String,
    /// Further flags for the method, split as a shell would.
    pub flags: Vec<String>,
    /// The password, if one is needed.
    pub password: Option<Secret>,
}

/// Limits and policies of sessions, the same for all hosts of a run.
#[derive(Debug, Clone)]
pub struct SessionSettings {
    /// For connecting, for authenticating, and for the first byte of the agent: 15 s each.
    pub connect_timeout: Duration,
    /// Write keys of unknown hosts to the known_hosts file instead of refusing them.
    pub accept_new_host_keys: bool,
    /// The user's home directory (known_hosts, keys, `~/.ssh/config`); none = no such files.
    pub home: Option<PathBuf>,
    /// The local user's name.
    pub user: String,
    /// Where work on this machine begins: relative paths of tasks are relative to it.
    pub directory: PathBuf,
    /// `SSH_AUTH_SOCK`.
    pub agent_socket: Option<PathBuf>,
    /// Asks for a passphrase or password by this prompt; none = never ask.
    pub ask: Option<Prompt>,
    /// Retries of a connection before anything was started on the host: 3.
    pub retries: u32,
    /// The hosts that [`Transport::Memory`] reaches.
    pub memory: World,
}

impl Default for SessionSettings {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(15),
            accept_new_host_keys: false,
            home: None,
            user: String::new(),
            directory: PathBuf::from("/"),
            agent_socket: None,
            ask: None,
            retries: 3,
            memory: World::default(),
        }
    }
}

/// Whether an answer is seen while it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Echo {
    /// It is a secret.
    Hidden,
    /// It is none.
    Shown,
}

/// Shows a question and returns the answer; none where nobody answers.
pub type Ask = dyn Fn(&str, Echo) -> Option<Secret> + Send + Sync;

/// A question to the person at the terminal.
#[derive(Clone)]
pub struct Prompt(pub Arc<Ask>);

impl Prompt {
    /// Asks, and waits for the answer.
    pub fn ask(&self, question: &str, echo: Echo) -> Option<Secret> {
        (self.0)(question, echo)
    }

    /// Asks for a secret.
    pub fn secret(&self, question: &str) -> Option<Secret> {
        self.ask(question, Echo::Hidden)
    }
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompt(..)")
    }
}
