//! Users and groups.

use crate::registry::Module;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[];
