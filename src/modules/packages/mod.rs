//! Packages of the host's package manager.

use crate::registry::{self, Module};

pub mod apt;
mod apt_lists;
pub mod apt_repository;
pub mod apt_state;
pub mod package;
pub(crate) mod version;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<apt::Apt>("apt", apt::EXAMPLES),
    registry::resource::<apt_repository::AptRepository>("apt_repository", apt_repository::EXAMPLES),
    registry::resource::<package::PackageModule>("package", package::EXAMPLES),
];
