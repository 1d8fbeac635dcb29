//! The built binary on real hosts: labs, and Debian hosts with systemd and sshd.
//!
//! What a test needs and this machine lacks (root, systemd-nspawn ...) makes it skip, aloud.

mod lab;
mod support;
