//! Services that are spoken to over HTTP, from the host.

use crate::registry::{self, Module};

mod auth;
mod body;
pub(crate) mod client;
pub(crate) mod exchange;
#[cfg(test)]
pub(crate) mod fixture;
pub mod get_url;
mod netrc;
pub mod uri;
mod url;

/// The modules of this family.
pub(crate) const MODULES: &[Module] =
    &[registry::resource::<get_url::GetUrl>("get_url", get_url::EXAMPLES), registry::command::<uri::Uri>("uri", uri::EXAMPLES)];
