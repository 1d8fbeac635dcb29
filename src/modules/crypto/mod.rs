//! Keys, requests and certificates, made with the host's own `openssl` and `ssh-keygen`.

use crate::registry::{self, Module};

mod artefact;
mod der;
#[cfg(test)]
pub(crate) mod fixture;
mod key;
mod openssl;
pub mod openssl_privatekey;

/// The modules of this family.
pub(crate) const MODULES: &[Module] =
    &[registry::resource::<openssl_privatekey::OpensslPrivatekey>("openssl_privatekey", openssl_privatekey::EXAMPLES)];
