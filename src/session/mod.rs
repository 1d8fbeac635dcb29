//! How a host is reached: one connection, one agent per identity, tasks over frames.
//!
//! `run/` sees [`HostSession`] alone. Below it, `process.rs` starts commands on a host (over
//! `ssh/`, or `local.rs`), `privilege.rs` starts them as somebody else, `push.rs` gets the agent
//! running, and `agent.rs` speaks the wire protocol with it. `memory.rs` is an agent in this
//! process.

mod agent;
mod contents;
mod embedded;
mod error;
mod host_session;
mod local;
pub mod memory;
mod privilege;
mod process;
mod push;
mod script;
mod ssh;
mod target;

pub use crate::vault::Secret;
pub use contents::{ContentSource, Contents};
pub use embedded::{EmbeddedAgent, agents};
pub use error::SessionError;
pub use host_session::{HostSession, RawOutput};
pub use target::{Ask, Become, Echo, Identity, Prompt, SessionSettings, Target, Transport};
