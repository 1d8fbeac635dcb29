//! Keys made for one lab: a key pair that may log in and one host key per host, with the files by
//! which an SSH client finds them. They live in a directory that only the owner can enter.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::{Algorithm, PrivateKey};

/// A fresh ed25519 key.
pub(super) fn generate() -> io::Result<PrivateKey> {
    PrivateKey::random(&mut rand::rng(), Algorithm::Ed25519).map_err(io::Error::other)
}

/// The private key as OpenSSH writes it.
pub(super) fn private_text(key: &PrivateKey) -> io::Result<String> {
    key.to_openssh(LineEnding::LF).map(|text| text.to_string()).map_err(io::Error::other)
}

/// The public key as OpenSSH writes it, one line.
pub(super) fn public_text(key: &PrivateKey) -> io::Result<String> {
    key.public_key().to_openssh().map_err(io::Error::other)
}

/// Writes the login key where clients look for it.
pub(super) fn write_identity(directory: &Path, key: &PrivateKey) -> io::Result<PathBuf> {
    let path = directory.join("id_ed25519");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(private_text(key)?.as_bytes())?;
    Ok(path)
}

/// Writes a `known_hosts` file with one line per (port on loopback, host key).
pub(super) fn write_known_hosts(directory: &Path, hosts: &[(u16, String)]) -> io::Result<PathBuf> {
    let path = directory.join("known_hosts");
    let lines: Vec<String> = hosts.iter().map(|(port, key)| format!("[127.0.0.1]:{port} {key}\n")).collect();
    fs::write(&path, lines.concat())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn identity_is_for_its_owner_alone_and_reads_back() {
        let directory = tempfile::tempdir().unwrap();
        let key = generate().unwrap();
        let path = write_identity(directory.path(), &key).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let read = PrivateKey::from_openssh(fs::read(&path).unwrap()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
    }

    #[test]
    fn known_hosts_names_each_port() {
        let directory = tempfile::tempdir().unwrap();
        let hosts = [(2001, "ssh-ed25519 A".to_owned()), (2002, "ssh-ed25519 B".to_owned())];
        let path = write_known_hosts(directory.path(), &hosts).unwrap();
        assert_eq!(fs::read_to_string(path).unwrap(), "[127.0.0.1]:2001 ssh-ed25519 A\n[127.0.0.1]:2002 ssh-ed25519 B\n");
    }
}
