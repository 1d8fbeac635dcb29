//! Services: whether they run and start at boot.

use crate::registry::{self, Module};

pub mod manage;
pub mod service;
pub mod service_facts;
pub mod systemd;
pub mod sysvinit;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<service::Service>("service", service::EXAMPLES),
    registry::query::<service_facts::ServiceFacts>("service_facts", service_facts::EXAMPLES),
    registry::resource::<systemd::Systemd>("systemd", systemd::EXAMPLES),
    registry::resource::<sysvinit::Sysvinit>("sysvinit", sysvinit::EXAMPLES),
];
