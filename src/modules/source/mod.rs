//! Sources: version control, and building from them.

use crate::registry::{self, Module};

#[cfg(test)]
pub(crate) mod fixture;
pub mod git;
pub mod git_config;
pub mod make;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<git::Git>("git", git::EXAMPLES),
    registry::resource::<git_config::GitConfig>("git_config", git_config::EXAMPLES),
    registry::resource::<make::Make>("make", make::EXAMPLES),
];
