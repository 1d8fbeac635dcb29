//! The static check on whole projects: typos seeded into the examples, twenty mistakes beside
//! ansible-core's messages, roles from collections, the command itself.

mod collections;
mod command;
mod diagnostics;
mod mutations;
mod support;
