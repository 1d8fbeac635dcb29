//! What a host says of itself.

use crate::registry::{self, Module};

mod distribution;
mod gather;
mod hardware;
mod local;
mod lvm;
mod network;
mod platform;
pub mod setup;
mod virtualization;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[registry::query::<setup::Setup>("setup", setup::EXAMPLES)];
