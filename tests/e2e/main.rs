//! The built binary on real hosts: labs, and Debian hosts with systemd and sshd.
//!
//! What a test needs and this machine lacks (root, systemd-nspawn ...) makes it skip, aloud.

mod bad_input;
mod become_root;
mod drift;
mod examples;
mod facts;
mod fleet;
mod front_door;
mod lab;
mod links;
mod modules;
#[path = "../pages/mod.rs"]
mod pages;
mod plan;
mod project;
mod roles;
mod support;
mod vault;
mod workloads;
