//! What controller and lab host say to each other on the control socket: one line of JSON each way.

use std::io::{self, BufRead, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What a lab host has to know, sent to it by the controller. It holds a private key, so it travels
/// over the socket and is never an argument.
#[derive(Serialize, Deserialize)]
pub(super) struct Assignment {
    /// Host name.
    pub(super) name: String,
    /// The host's private key, OpenSSH format.
    pub(super) host_key: String,
    /// The one public key that may log in, OpenSSH format.
    pub(super) authorized_key: String,
}

/// How starting went, sent back by the lab host.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// Connections are accepted from now on.
    Ready,
    /// The host could not be made.
    Failed(Trouble),
}

/// A step of making a host that the system refused.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
#[error("cannot {step}: {message}")]
pub(super) struct Trouble {
    /// What was attempted, as a verb phrase: `mount an overlay of /`.
    pub(super) step: String,
    /// What the system said.
    pub(super) message: String,
}

impl Trouble {
    /// A step that failed for `cause`.
    pub(super) fn new(step: impl Into<String>, cause: impl ToString) -> Self {
        Self { step: step.into(), message: cause.to_string() }
    }
}

/// Puts the name of the step to an error.
pub(super) trait Step<T> {
    /// `Err` becomes "cannot STEP: ERROR".
    fn step(self, step: &str) -> Result<T, Trouble>;
}

impl<T, E: ToString> Step<T> for Result<T, E> {
    fn step(self, step: &str) -> Result<T, Trouble> {
        self.map_err(|cause| Trouble::new(step, cause.to_string()))
    }
}

/// Writes one message.
pub(super) fn send<T: Serialize>(mut to: impl Write, message: &T) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    to.write_all(&line)
}

/// Reads one message; `None` if the other end closed before it.
pub(super) fn receive<T: DeserializeOwned>(from: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut line = String::new();
    if from.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}
