//! Disks: partitions, volumes, file systems and where they are mounted.

use crate::registry::{self, Module};

pub mod filesystem;
mod fstab;
pub mod lvg;
mod lvm;
pub mod lvol;
pub mod mount;
pub mod mount_facts;
pub(crate) mod mounts;
pub mod parted;
mod parted_table;
mod sizes;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<filesystem::FileSystem>("filesystem", filesystem::EXAMPLES),
    registry::resource::<lvg::Lvg>("lvg", lvg::EXAMPLES),
    registry::resource::<lvol::Lvol>("lvol", lvol::EXAMPLES),
    registry::resource::<mount::Mount>("mount", mount::EXAMPLES),
    registry::query::<mount_facts::MountFacts>("mount_facts", mount_facts::EXAMPLES),
    registry::resource::<parted::Parted>("parted", parted::EXAMPLES),
];
