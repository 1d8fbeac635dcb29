//! What reading an inventory needs from outside.

use std::sync::Arc;
use std::time::Duration;

use crate::template::{RenderSettings, Renderer};
use crate::vars::Variables;

/// What reading an inventory needs from outside; the library reads no environment itself.
#[derive(Debug, Clone)]
pub struct InventorySettings {
    /// Evaluates the expressions of `constructed` and `generator` inventories.
    pub renderer: Arc<Renderer>,
    /// What `use_extra_vars` shows to these expressions.
    pub extra_vars: Arc<Variables>,
    /// How long one call of an inventory program may take. Default: five minutes.
    pub program_timeout: Duration,
}

impl Default for InventorySettings {
    fn default() -> Self {
        Self {
            renderer: Arc::new(Renderer::new(RenderSettings::default())),
            extra_vars: Arc::default(),
            program_timeout: Duration::from_secs(300),
        }
    }
}
