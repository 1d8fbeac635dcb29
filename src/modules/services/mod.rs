//! Services: whether they run and start at boot.

use crate::registry::{self, Module};

pub mod manage;
pub mod service;
pub mod systemd;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<service::Service>("service", service::EXAMPLES),
    registry::resource::<systemd::Systemd>("systemd", systemd::EXAMPLES),
];
