//! Throw-away hosts on this machine: an overlay of its own root in fresh namespaces, reached over
//! real SSH through a server of our own on loopback. Nothing but this binary is needed.
//!
//! ```text
//! controller ── control socket ──> enter (new namespaces) ──> init (PID 1: mounts, reaps) ──> serve
//!     └────────────── SSH over 127.0.0.1 ───────────────────────────────────────────────────────┘
//! ```
//!
//! The control socket is the lease: when its other end closes, whatever the reason, PID 1 of the
//! host exits, and the kernel takes every process, mount and namespace of the host with it.

pub mod child;
mod controller;
mod keys;
mod loopback;
mod privileges;
mod protocol;
mod root;
mod server;
mod submounts;

pub use controller::{Lab, LabError, LabHost, LabSettings};
