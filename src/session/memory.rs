//! Hosts in memory: an agent in this process for each session, with the real protocol between.

use std::collections::BTreeMap;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use stead_agent::blobs::Blobs;
use stead_agent::machine::run_module;
use stead_agent::serve::{Worker, serve};
use stead_agent::wire::{Mode, Task};
use stead_modules::commands::async_status;
use stead_modules::host::memory::MemoryHost;
use stead_modules::host::overlay::Overlay;
use stead_modules::outcome::{Ending, Outcome};

use super::agent::AgentSession;
use super::contents::Contents;
use super::error::SessionError;
use super::process::LastWords;
use super::push::nonce;

/// Hosts in memory, by inventory name. Clones share the hosts, so that a test can look at them
/// after a run.
#[derive(Debug, Clone, Default)]
pub struct World {
    hosts: Arc<Mutex<BTreeMap<String, Arc<Mutex<MemoryHost>>>>>,
}

impl World {
    /// Adds (or replaces) a host. Hosts that were not added are unreachable.
    pub fn add(&self, name: &str, host: MemoryHost) {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.insert(name.to_owned(), Arc::new(Mutex::new(host)));
    }

    /// Removes a host: new sessions do not reach it any more.
    pub fn remove(&self, name: &str) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
    }

    /// A copy of a host as it is now.
    pub fn host(&self, name: &str) -> Option<MemoryHost> {
        self.shared(name).map(|host| host.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Changes a host behind the engine's back. Does nothing where it does not exist.
    pub fn change(&self, name: &str, change: impl FnOnce(&mut MemoryHost)) {
        if let Some(host) = self.shared(name) {
            change(&mut host.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    fn shared(&self, name: &str) -> Option<Arc<Mutex<MemoryHost>>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Whether a host is there.
    pub(super) fn reach(&self, name: &str) -> Result<(), SessionError> {
        match self.shared(name) {
            Some(_) => Ok(()),
            None => Err(SessionError::unreachable(format!("there is no host `{name}` in memory"))),
        }
    }

    /// Starts an agent for a session with this host.
    pub(super) async fn start(&self, name: &str, contents: &Contents) -> Result<AgentSession, SessionError> {
        self.reach(name)?;
        let host = self.shared(name).expect("it was reached");
        let cannot = |error: std::io::Error| SessionError::unreachable(format!("cannot start an agent: {error}"));
        let (ours, theirs) = UnixStream::pair().map_err(cannot)?;
        let reader = theirs.try_clone().map_err(cannot)?;
        let nonce = nonce();
        let agent = std::thread::Builder::new().name(format!("agent {name}"));
        agent
            .spawn({
                let nonce = nonce.clone();
                move || {
                    let ended = theirs.try_clone();
                    let _ = serve(reader, theirs, &nonce, |blobs| InMemory { blobs, host, plan: None });
                    // The reader's thread holds a clone; the stream ends for both only like this.
                    if let Ok(stream) = ended {
                        let _ = stream.shutdown(std::net::Shutdown::Both);
                    }
                }
            })
            .map_err(cannot)?;
        ours.set_nonblocking(true).map_err(cannot)?;
        let (from, to) = tokio::net::UnixStream::from_std(ours).map_err(cannot)?.into_split();
        let words = LastWords::default();
        AgentSession::start(from, to, (), &nonce, contents.clone(), words, Duration::from_secs(15))
            .await
            .map_err(|error| SessionError::unreachable(format!("the agent in memory did not start: {error:?}")))
    }
}

/// Does tasks on a host in memory.
struct InMemory {
    blobs: Blobs,
    host: Arc<Mutex<MemoryHost>>,
    plan: Option<Overlay<MemoryHost>>,
}

impl Worker for InMemory {
    fn run(&mut self, task: &Task) -> Outcome {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        // A host in memory has all content at hand: what the options name is fetched beforehand.
        let mut digests = Vec::new();
        task.options.values().for_each(|value| find_digests(value, &mut digests));
        for sha256 in digests {
            if let Ok(bytes) = self.blobs.get(&sha256) {
                host.blobs.insert(sha256.clone(), bytes.clone());
                if let Some(plan) = &mut self.plan {
                    plan.below_mut().blobs.insert(sha256, bytes);
                }
            }
        }
        match task.mode {
            Mode::Apply if task.job.is_some() => job(task, &mut host),
            Mode::Apply => run_module(task, &mut *host),
            Mode::Plan => run_module(task, self.plan.get_or_insert_with(|| Overlay::new(host.clone()))),
        }
    }
}

/// A job in memory has ended as soon as it was started.
fn job(task: &Task, host: &mut MemoryHost) -> Outcome {
    let name = format!("{}.1", task.job.as_ref().map_or("j", |job| job.name.as_str()));
    let outcome = run_module(task, host);
    let directory = async_status::directory(host);
    let content = serde_json::Value::from(async_status::ended(outcome)).to_string();
    host.add_directory(directory.display().to_string().as_str());
    host.add_file(directory.join(&name).display().to_string().as_str(), &content);
    Outcome::new(Ending::Changed, stead_agent::job::started(&name, &directory))
}

fn find_digests(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) if text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            found.push(text.clone());
        }
        Value::Array(values) => values.iter().for_each(|value| find_digests(value, found)),
        Value::Object(values) => values.values().for_each(|value| find_digests(value, found)),
        _ => {}
    }
}
