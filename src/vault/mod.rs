//! Secrets: their type, what takes them out of everything that is shown, and Ansible Vault.
//!
//! `cipher.rs` seals and opens one text and knows its format; `password.rs` gets passwords from
//! files, programs and people; `keyring.rs` holds them, tries them in Ansible's order, and opens
//! every text once. Opened texts are known to the redactor before anybody else sees them.

mod cipher;
mod files;
mod keyring;
mod password;
mod redactor;
mod secret;

pub use cipher::{Header, OpenError, SALT_BYTES, SealOptions, header, is_sealed, open, seal};
pub use files::{is_sealed_file, private_directory, write_private};
pub use keyring::{Key, Vault, VaultError};
pub use password::{Asks, DEFAULT_ID, PasswordError, PasswordSource, read_password};
pub use redactor::Redactor;
pub use secret::Secret;
