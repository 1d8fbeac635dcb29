//! Things that are run once: command, shell, raw, script; and what waits or answers.

use crate::registry::{self, Module};

pub mod async_status;
pub mod bridge;
pub mod command;
pub mod expect;
pub(crate) mod glob;
pub mod ping;
pub(crate) mod process;
pub(crate) mod resolve;
pub mod script;
pub mod shell;
pub mod wait_for;
pub(crate) mod words;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::command::<async_status::AsyncStatus>("async_status", async_status::EXAMPLES),
    registry::command::<bridge::Bridge>("bridge", bridge::EXAMPLES),
    registry::command::<command::RunCommand>("command", command::EXAMPLES),
    registry::command::<expect::Expect>("expect", expect::EXAMPLES),
    registry::query::<ping::Ping>("ping", ping::EXAMPLES),
    registry::command::<shell::raw::Raw>("raw", shell::raw::EXAMPLES),
    registry::command::<script::Script>("script", script::EXAMPLES),
    registry::command::<shell::Shell>("shell", shell::EXAMPLES),
    registry::command::<wait_for::WaitFor>("wait_for", wait_for::EXAMPLES),
];
