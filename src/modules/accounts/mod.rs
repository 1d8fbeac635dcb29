//! Users and groups.

use crate::registry::{self, Module};

pub mod group;
mod numbers;
mod shadow;
mod ssh_key;
pub mod user;
mod user_tools;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<group::GroupModule>("group", group::EXAMPLES),
    registry::resource::<user::UserModule>("user", user::EXAMPLES),
];
