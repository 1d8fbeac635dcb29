//! Files, directories, links and what is in them.

use crate::registry::{self, Module};

pub(crate) mod attributes;
pub mod copy;
pub mod copy_tree;
pub mod file;
pub mod mode;
pub mod offer;
pub(crate) mod paths;
pub(crate) mod state;
pub mod template;
pub(crate) mod times;
pub mod tree;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<copy::Copy>("copy", copy::EXAMPLES),
    registry::resource::<copy_tree::CopyTree>("copy_tree", copy_tree::EXAMPLES),
    registry::resource::<file::File>("file", file::EXAMPLES),
    registry::resource::<template::Template>("template", template::EXAMPLES),
];
