//! What can be asked of a host: one file per module, and the engine that compares.
//!
//! A module author writes options (`args!`), a state and three short functions (`read`, `want`,
//! `write`); [`resource::converge`] does the rest. The machine is reached only through
//! [`host::Inspect`] and [`host::Host`].

pub mod accounts;
pub mod args;
pub mod change;
pub mod claims;
pub mod command;
pub mod commands;
pub mod containers;
pub mod crypto;
pub mod databases;
pub mod facts;
pub mod files;
pub mod host;
pub mod network;
mod object;
pub mod outcome;
pub mod packages;
pub mod query;
pub mod registry;
pub mod resource;
pub mod selinux;
pub mod services;
pub mod source;
pub mod storage;
pub mod system;
pub mod web;
