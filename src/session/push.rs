//! Gets an agent running on a host: started from the host's cache directly, and only if it is
//! missing there, sent first.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;

use super::agent::{AgentSession, StartError};
use super::contents::Contents;
use super::embedded::{self, EmbeddedAgent};
use super::error::SessionError;
use super::privilege;
use super::process::{Exec, LastWords, ended, read_bounded, readable};
use super::script::{self, Answer};
use super::target::Identity;

/// Most bytes of a script's output that are looked at.
const MOST_OUTPUT: usize = 64 << 10;
/// How long sending the agent may take.
const SENDING: Duration = Duration::from_secs(300);

/// Starts the agent of `identity`, installing it if it is missing.
pub(super) async fn start(
    exec: &dyn Exec,
    identity: &Identity,
    contents: &Contents,
    deadline: Duration,
) -> Result<AgentSession, SessionError> {
    let embedded = embedded::agents();
    if embedded.is_empty() {
        return Err(
            SessionError::unreachable("this build of stead carries no agents").hint("build it again without `STEAD_AGENT=none`")
        );
    }
    let mut agents = embedded;
    let mut skip = 0;
    let mut installed = false;
    let mut reasons = Vec::new();
    loop {
        let answer = match attempt(exec, identity, contents, deadline, agents, skip).await? {
            Attempt::Started(session) => return Ok(*session),
            Attempt::Answered(answer) => answer,
        };
        if installed {
            return Err(SessionError::unreachable("the agent was installed but does not start"));
        }
        if answer.missing.is_none() {
            if agents.is_empty() {
                return Err(SessionError::unreachable("the host's shell does not do what it is told"));
            }
            // It is there but does not run: find a place, and install it anew.
            agents = &[];
            continue;
        }
        let agent = fitting(&answer, embedded)?;
        reasons.extend(answer.unusable);
        let Some(place) = answer.usable else {
            let message = format!("the agent cannot be installed in any directory: {}", reasons.join("; "));
            let hint = "give the user one directory of its own where programs may be run";
            return Err(SessionError::unreachable(message).hint(hint));
        };
        match send(exec, identity, agent, place, answer.gzip).await {
            Ok(()) => {
                installed = true;
                agents = embedded;
                skip = 0;
            }
            Err(Sending::Session(error)) => return Err(error),
            Err(Sending::Place(why)) => {
                reasons.push(why);
                skip = place;
            }
        }
    }
}

/// The agent for the host's architecture.
fn fitting(answer: &Answer, agents: &'static [EmbeddedAgent]) -> Result<&'static EmbeddedAgent, SessionError> {
    let machine = answer.missing.as_deref().unwrap_or_default();
    let arch = if machine == "arm64" { "aarch64" } else { machine };
    agents.iter().find(|agent| agent.arch == arch).ok_or_else(|| {
        let have: Vec<&str> = agents.iter().map(|agent| agent.arch).collect();
        let message = format!("there is no agent for architecture `{}`", readable(arch.as_bytes()));
        SessionError::unreachable(message)
            .hint(format!("this build of stead has agents for: {}; `cargo xtask agent` says what others need", have.join(", ")))
    })
}

enum Attempt {
    Started(Box<AgentSession>),
    /// The script ran, but no agent did.
    Answered(Answer),
}

async fn attempt(
    exec: &dyn Exec,
    identity: &Identity,
    contents: &Contents,
    deadline: Duration,
    agents: &[EmbeddedAgent],
    skip: usize,
) -> Result<Attempt, SessionError> {
    let nonce = nonce();
    let words = LastWords::default();
    let script = script::start(agents, skip, &nonce);
    let process = privilege::enter(exec, identity, &script, &nonce, &words).await?;
    let mut status = process.status;
    let started =
        AgentSession::start(process.stdout, process.stdin, process.keep, &nonce, contents.clone(), words.clone(), deadline);
    let noise = match started.await {
        Ok(session) => return Ok(Attempt::Started(Box::new(session))),
        Err(StartError::Ended { noise }) => noise,
        Err(StartError::Silent { noise }) => {
            let said = first_said(&readable(&noise), &words.text());
            return Err(SessionError::unreachable(format!("the agent did not answer within {} s{said}", deadline.as_secs())));
        }
        Err(StartError::Stranger { why }) => {
            return Err(SessionError::unreachable(format!("what answered is not the agent: {why}")));
        }
    };
    let answer = script::answer(&noise, &nonce);
    if answer.entered {
        return Ok(Attempt::Answered(answer));
    }
    let status = ended(&mut status).await;
    Err(match identity {
        Identity::Become(how) => privilege::refused_with(how, status, &words.text()),
        Identity::Login => {
            let said = first_said(&words.text(), &readable(&noise));
            SessionError::unreachable(format!("the login shell ran no command{said}"))
                .hint("stead needs a login shell that runs commands, and `/bin/sh`")
        }
    })
}

enum Sending {
    /// Nothing more can be tried.
    Session(SessionError),
    /// This directory does not take it.
    Place(String),
}

async fn send(exec: &dyn Exec, identity: &Identity, agent: &EmbeddedAgent, place: usize, gzip: bool) -> Result<(), Sending> {
    let nonce = nonce();
    let words = LastWords::default();
    let script = script::install(agent, place, if gzip { "gzip -dc" } else { "cat" }, &nonce);
    let process = privilege::enter(exec, identity, &script, &nonce, &words).await.map_err(Sending::Session)?;
    let (mut stdin, stdout) = (process.stdin, process.stdout);
    // What it says is read while it is written to: neither side can block the other.
    let sending = async move {
        let unpacked;
        let bytes = if gzip {
            agent.packed
        } else {
            unpacked = agent.unpacked();
            &unpacked
        };
        // An error here shows in the answer.
        let _ = stdin.write_all(bytes).await;
        let _ = stdin.shutdown().await;
        // A pipe ends only when it is closed.
        drop(stdin);
    };
    let both = async { tokio::join!(sending, read_bounded(stdout, MOST_OUTPUT)).1 };
    let output = tokio::time::timeout(SENDING, both).await.map_err(|_| {
        let why = format!("sending the agent took more than {} s", SENDING.as_secs());
        Sending::Session(SessionError::unreachable(why))
    })?;
    if script::answer(&output, &nonce).complete {
        return Ok(());
    }
    let mut status = process.status;
    let status = ended(&mut status).await;
    let words = words.text();
    let why = if words.is_empty() { format!("the shell ended with status {status:?}") } else { words };
    Err(Sending::Place(format!("directory {place}: {why}")))
}

/// A word that nobody can guess.
pub(super) fn nonce() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn first_said(first: &str, second: &str) -> String {
    let said = if first.is_empty() { second } else { first };
    if said.is_empty() { String::new() } else { format!("; the host said: {said}") }
}
