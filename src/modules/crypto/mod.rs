//! Keys, requests and certificates, made with the host's own `openssl` and `ssh-keygen`.

use crate::registry::{self, Module};

mod artefact;
mod certificate;
mod der;
mod extension;
#[cfg(test)]
pub(crate) mod fixture;
mod key;
mod names;
pub mod openssh_keypair;
mod openssl;
pub mod openssl_csr;
pub mod openssl_privatekey;
mod request;
pub mod x509_certificate;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<openssh_keypair::OpensshKeypair>("openssh_keypair", openssh_keypair::EXAMPLES),
    registry::resource::<openssl_csr::OpensslCsr>("openssl_csr", openssl_csr::EXAMPLES),
    registry::resource::<openssl_privatekey::OpensslPrivatekey>("openssl_privatekey", openssl_privatekey::EXAMPLES),
    registry::resource::<x509_certificate::X509Certificate>("x509_certificate", x509_certificate::EXAMPLES),
];
