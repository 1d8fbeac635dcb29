//! Keys, requests and certificates, made with the host's own `openssl` and `ssh-keygen`.

use crate::registry::{self, Module};

mod artefact;
mod der;
mod extension;
#[cfg(test)]
pub(crate) mod fixture;
mod key;
mod names;
mod openssl;
pub mod openssl_csr;
pub mod openssl_privatekey;
mod request;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<openssl_csr::OpensslCsr>("openssl_csr", openssl_csr::EXAMPLES),
    registry::resource::<openssl_privatekey::OpensslPrivatekey>("openssl_privatekey", openssl_privatekey::EXAMPLES),
];
