//! Everything else that is asked of a host: ping, wait_for ...

use crate::registry::Module;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[];
