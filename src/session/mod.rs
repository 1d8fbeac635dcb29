//! How a host is reached: one connection, one agent per identity, tasks over frames.
//!
//! `run/` sees [`HostSession`] alone. Below it, a [`Link`] (ssh, local, memory) starts agents and
//! raw commands; `agent.rs` speaks the wire protocol; `push.rs` gets the agent onto the host.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use stead_agent::wire::Task;
use stead_modules::outcome::Outcome;

/// A text that must not be shown: no `Debug`, no `Serialize`, no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself; call it only where it is handed over.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(..)")
    }
}

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
    /// `SSH_AUTH_SOCK`.
    pub agent_socket: Option<PathBuf>,
    /// Asks for a passphrase or password by this prompt; none = never ask.
    pub ask: Option<Prompt>,
    /// Retries of a connection before anything was started on the host: 3.
    pub retries: u32,
}

/// A question to the person at the terminal.
#[derive(Clone)]
pub struct Prompt(pub Arc<dyn Fn(&str) -> Option<Secret> + Send + Sync>);

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prompt(..)")
    }
}

/// Why a host could not be reached or was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Nothing was started on the host: it is unreachable.
    #[error("{message}")]
    Unreachable {
        /// What happened, with address and port.
        message: String,
        /// What can be done.
        hint: Option<String>,
    },
    /// The identity could not be taken on (sudo refused, wrong password): the task failed.
    #[error("{message}")]
    Refused {
        /// What happened, with method and user.
        message: String,
        /// What can be done.
        hint: Option<String>,
    },
    /// The link broke while something was being done: what came of it is unknown.
    #[error("{message}")]
    Lost {
        /// What happened.
        message: String,
    },
}

/// Content by digest, for files that are copied: asked for only when a host lacks it.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    by_digest: Arc<std::sync::RwLock<BTreeMap<String, ContentSource>>>,
}

/// Where content comes from.
#[derive(Debug, Clone)]
pub enum ContentSource {
    /// In memory (rendered templates).
    Bytes(Arc<[u8]>),
    /// A file of the project.
    File(PathBuf),
}

impl Contents {
    /// Offers content; returns its SHA-256.
    pub fn offer_bytes(&self, bytes: impl Into<Arc<[u8]>>) -> String {
        let bytes = bytes.into();
        let sha256 = stead_modules::change::sha256(&bytes);
        self.offer(&sha256, ContentSource::Bytes(bytes));
        sha256
    }

    /// Offers content whose SHA-256 is known.
    pub fn offer(&self, sha256: &str, source: ContentSource) {
        self.by_digest.write().expect("no thread panics while offering").insert(sha256.to_owned(), source);
    }

    /// Where content comes from, if it was offered.
    pub fn get(&self, sha256: &str) -> Option<ContentSource> {
        self.by_digest.read().expect("no thread panics while offering").get(sha256).cloned()
    }
}

/// What a raw command left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawOutput {
    /// Exit status.
    pub rc: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// One host, connected: what `run/` works with. Methods take `&self`; tasks of one identity are
/// done in the order in which they were asked for.
#[derive(Debug)]
pub struct HostSession {}

impl HostSession {
    /// Connects and authenticates; starts no agent yet.
    pub async fn connect(target: Target, settings: Arc<SessionSettings>, contents: Contents) -> Result<Self, SessionError> {
        let _ = (target, settings, contents);
        todo!()
    }

    /// Runs one task as `identity`, starting that identity's agent if it is the first.
    pub async fn run(&self, identity: &Identity, task: Task) -> Result<Outcome, SessionError> {
        let _ = (identity, task);
        todo!()
    }

    /// Takes the host's advisory lock for the life of the session; the holder's text if taken.
    pub async fn lock(&self, identity: &Identity, owner: &str, wait: Duration) -> Result<Option<String>, SessionError> {
        let _ = (identity, owner, wait);
        todo!()
    }

    /// Runs a command line through the login shell, without an agent (the `raw` module).
    pub async fn raw(&self, identity: &Identity, command: &str, timeout: Option<Duration>) -> Result<RawOutput, SessionError> {
        let _ = (identity, command, timeout);
        todo!()
    }

    /// Fingerprint of the host key that was accepted, `SHA256:...`; none without SSH.
    pub fn host_key(&self) -> Option<String> {
        todo!()
    }

    /// Whether a host key that was unknown before was accepted and recorded.
    pub fn accepted_new_key(&self) -> bool {
        todo!()
    }

    /// Says goodbye to all agents and closes the connection.
    pub async fn close(&self) {
        todo!()
    }
}
