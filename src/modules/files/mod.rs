//! Files, directories, links and what is in them.

use crate::registry::Module;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[];
