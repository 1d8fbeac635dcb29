//! One host, connected: what `run/` works with.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use stead_agent::wire::Task;
use stead_modules::outcome::Outcome;
use tokio::sync::{Mutex, OnceCell};

use super::agent::AgentSession;
use super::contents::Contents;
use super::error::SessionError;
use super::local::Local;
use super::memory::World;
use super::process::{Exec, LastWords, ended, read_bounded};
use super::target::{Identity, SessionSettings, Target, Transport};
use super::{privilege, push, script, ssh};

/// Most bytes that are kept of each stream of a raw command.
const MOST_RAW: usize = 16 << 20;

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
pub struct HostSession {
    target: Target,
    settings: Arc<SessionSettings>,
    contents: Contents,
    way: Way,
    agents: Mutex<HashMap<String, Agent>>,
}

/// An identity's agent. A refusal is kept as well: a wrong password is tried once, not once for
/// every task, which would lock the account.
type Agent = Arc<OnceCell<Result<AgentSession, SessionError>>>;

enum Way {
    /// Through a shell on the host.
    Shell(Box<dyn Exec>),
    /// An agent in this process.
    Memory(World),
}

impl std::fmt::Debug for HostSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HostSession").field("host", &self.target.host).finish_non_exhaustive()
    }
}

impl HostSession {
    /// Connects and authenticates; starts no agent yet.
    pub async fn connect(target: Target, settings: Arc<SessionSettings>, contents: Contents) -> Result<Self, SessionError> {
        let way = match target.transport {
            Transport::Ssh => Way::Shell(Box::new(ssh::connect(&target, &settings).await?)),
            Transport::Local => Way::Shell(Box::new(Local::new(&settings.user, &settings.directory))),
            Transport::Memory => {
                settings.memory.reach(&target.host)?;
                Way::Memory(settings.memory.clone())
            }
        };
        Ok(Self { target, settings, contents, way, agents: Mutex::default() })
    }

    /// Runs one task as `identity`, starting that identity's agent if it is the first.
    pub async fn run(&self, identity: &Identity, task: Task) -> Result<Outcome, SessionError> {
        let agent = self.agent(identity).await?;
        started(&agent)?.run(task).await
    }

    /// Takes the host's advisory lock for the life of the session; the holder's text if taken.
    pub async fn lock(&self, identity: &Identity, owner: &str, wait: Duration) -> Result<Option<String>, SessionError> {
        // A host in memory is its test's own; the lock file would be this machine's.
        if let Way::Memory(_) = &self.way {
            return Ok(None);
        }
        let agent = self.agent(identity).await?;
        started(&agent)?.lock(owner, wait).await
    }

    /// Runs a command line through the login shell, without an agent (the `raw` module).
    pub async fn raw(&self, identity: &Identity, command: &str, timeout: Option<Duration>) -> Result<RawOutput, SessionError> {
        let Way::Shell(exec) = &self.way else {
            return Err(SessionError::Refused { message: "a host in memory has no shell".into(), hint: None });
        };
        let words = LastWords::with_limit(MOST_RAW);
        let (mut process, entered) = match self.effective(identity) {
            Identity::Login => (exec.exec(command, words.clone()).await?, None),
            Identity::Become(how) => {
                let nonce = push::nonce();
                let entering = format!("echo {} {nonce} entered; {command}", script::SAYS);
                if let Some(Some(Err(refused))) = self.agents.lock().await.get(&key(identity)).map(|agent| agent.get()) {
                    return Err(refused.clone());
                }
                let process = privilege::enter(exec.as_ref(), identity, &entering, &nonce, &words).await?;
                (process, Some((how, format!("{} {nonce} entered\n", script::SAYS))))
            }
        };
        process.end_input().await;
        let whole = async {
            let stdout = read_bounded(&mut process.stdout, MOST_RAW).await;
            (stdout, ended(&mut process.status).await)
        };
        let done = match timeout {
            Some(timeout) => tokio::time::timeout(timeout, whole).await,
            None => Ok(whole.await),
        };
        let Ok((mut stdout, status)) = done else {
            process.kill();
            let message = format!("the command was ended after {} s", timeout.unwrap_or_default().as_secs());
            return Ok(RawOutput { rc: -1, stdout: Vec::new(), stderr: message.into_bytes() });
        };
        if let Some((how, mark)) = entered {
            let Some(at) = stdout.windows(mark.len()).position(|window| window == mark.as_bytes()) else {
                return Err(privilege::refused_with(how, status, &words.text()));
            };
            stdout.drain(..at + mark.len());
        }
        let Some(rc) = status else {
            let message = "the link was lost while a raw command ran".into();
            return Err(SessionError::Lost { message });
        };
        Ok(RawOutput { rc, stdout, stderr: words.bytes() })
    }

    /// Fingerprint of the host key that was accepted, `SHA256:...`; none without SSH.
    pub fn host_key(&self) -> Option<String> {
        match &self.way {
            Way::Shell(exec) => exec.host_key(),
            Way::Memory(_) => None,
        }
    }

    /// Whether a host key that was unknown before was accepted and recorded.
    pub fn accepted_new_key(&self) -> bool {
        matches!(&self.way, Way::Shell(exec) if exec.accepted_new_key())
    }

    /// Says goodbye to all agents and closes the connection.
    pub async fn close(&self) {
        let agents: Vec<_> = self.agents.lock().await.drain().map(|(_, agent)| agent).collect();
        futures::future::join_all(agents.iter().filter_map(|agent| agent.get()?.as_ref().ok()).map(AgentSession::goodbye)).await;
        if let Way::Shell(exec) = &self.way {
            exec.close().await;
        }
    }

    /// The identity's agent, started if it is not there yet.
    async fn agent(&self, identity: &Identity) -> Result<Agent, SessionError> {
        let identity = self.effective(identity);
        let cell = Arc::clone(self.agents.lock().await.entry(key(identity)).or_default());
        cell.get_or_try_init(|| async {
            let agent = match &self.way {
                Way::Shell(exec) => push::start(exec.as_ref(), identity, &self.contents, self.settings.connect_timeout).await,
                Way::Memory(world) => world.start(&self.target.host, &self.contents).await,
            };
            match agent {
                Err(error @ SessionError::Refused { .. }) => Ok(Err(error)),
                Err(error) => Err(error),
                Ok(agent) => Ok(Ok(agent)),
            }
        })
        .await?;
        Ok(cell)
    }

    /// Becoming the user that is logged in already needs nothing.
    fn effective<'a>(&self, identity: &'a Identity) -> &'a Identity {
        match (identity, &self.way) {
            (Identity::Become(how), Way::Shell(exec)) if how.user == exec.login_user() => &Identity::Login,
            _ => identity,
        }
    }
}

/// What tells agents of one host apart.
fn key(identity: &Identity) -> String {
    match identity {
        Identity::Login => String::new(),
        Identity::Become(how) => {
            let secret = how.password.as_ref().map(|password| stead_modules::change::sha256(password.reveal().as_bytes()));
            format!("{}\0{}\0{}\0{secret:?}", how.method, how.user, how.flags.join("\0"))
        }
    }
}

fn started(agent: &Agent) -> Result<&AgentSession, SessionError> {
    agent.get().expect("it was awaited").as_ref().map_err(Clone::clone)
}

#[cfg(test)]
#[path = "host_session_tests.rs"]
mod tests;
