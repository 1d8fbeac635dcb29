//! Things that are run once: command, shell, raw, script.

use crate::registry::Module;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[];
