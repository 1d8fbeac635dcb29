//! SSH by russh. Nothing outside this folder names that crate.
//!
//! `config.rs` finds out how a host is to be reached (inventory, arguments, `ssh_config`),
//! `stream.rs` opens the byte stream (TCP, jump host, proxy command), `known_hosts.rs` judges the
//! host's key, `auth.rs` logs in, and `connection.rs` starts commands on what results.

mod auth;
mod config;
mod connection;
mod known_hosts;
mod stream;

pub(super) use connection::connect;

#[cfg(test)]
mod test_server;
#[cfg(test)]
mod tests;
