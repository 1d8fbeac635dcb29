//! Disks: partitions, volumes, file systems and where they are mounted.

use crate::registry::{self, Module};

mod fstab;
pub mod mount;
pub mod mount_facts;
pub(crate) mod mounts;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<mount::Mount>("mount", mount::EXAMPLES),
    registry::query::<mount_facts::MountFacts>("mount_facts", mount_facts::EXAMPLES),
];
