//! What a task touches, derived from its options alone: the raw material of ordering.

use serde::{Deserialize, Serialize};

use crate::change::ResourceId;

/// Resources that a task provides (writes) and needs (must exist or be settled before).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// What it writes.
    pub provides: Vec<ResourceId>,
    /// What must be settled before.
    pub needs: Vec<ResourceId>,
    /// It may touch anything (a command): ordered against everything.
    pub everything: bool,
}

impl Claims {
    /// A task that writes these.
    pub fn provides(resources: impl IntoIterator<Item = ResourceId>) -> Self {
        Self { provides: resources.into_iter().collect(), ..Self::default() }
    }

    /// Adds what must be settled before.
    pub fn needing(mut self, resources: impl IntoIterator<Item = ResourceId>) -> Self {
        self.needs.extend(resources);
        self
    }

    /// A task that may touch anything.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }
}
