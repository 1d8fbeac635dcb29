//! The key pair that `generate_ssh_key` makes.

use std::path::{Path, PathBuf};

use super::user::Args;
use crate::commands::process::{ask, succeed};
use crate::host::{Attributes, CommandLine, Effect, Host, Inspect};
use crate::outcome::Failure;

/// A key that is there.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// Path of the private key.
    pub path: PathBuf,
    /// The public key's line.
    pub public: Option<String>,
    /// What `ssh-keygen -l` says.
    pub fingerprint: Option<String>,
}

/// Path of the private key.
fn path(args: &Args, home: &Path) -> PathBuf {
    match &args.ssh_key_file {
        Some(file) => home.join(file),
        None => home.join(".ssh").join(format!("id_{}", args.ssh_key_type)),
    }
}

fn public(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// The key, if there is one.
pub(super) fn read(args: &Args, home: &Path, host: &dyn Inspect) -> Result<Option<Key>, Failure> {
    let path = path(args, home);
    if host.stat(&path)?.is_none() {
        return Ok(None);
    }
    let line = host.read(&public(&path), 64 << 10).ok();
    let line = line.map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned());
    let fingerprint = ask(host, ["ssh-keygen", "-l", "-f", &path.display().to_string()]);
    Ok(Some(Key { path, public: line, fingerprint: fingerprint.map(|text| text.trim_end().to_owned()) }))
}

/// Makes the key without a passphrase, owned by the account.
pub(super) fn generate(args: &Args, home: &Path, host: &mut dyn Host) -> Result<(), Failure> {
    let path = path(args, home);
    let user = host.user(&args.name)?.ok_or_else(|| Failure::new(format!("the account {} is gone", args.name)))?;
    let owner = Attributes { uid: Some(user.uid), gid: Some(user.gid), ..Attributes::default() };
    let Some(directory) = path.parent() else { return Err(Failure::new("ssh_key_file is not the path of a file")) };
    if host.stat(directory)?.is_none() {
        host.make_directory(directory, &Attributes { mode: Some(0o700), ..owner })?;
    }
    let comment = args.ssh_key_comment.clone().unwrap_or_else(|| {
        let name = host.read(Path::new("/proc/sys/kernel/hostname"), 4096).unwrap_or_default();
        format!("ansible-generated on {}", String::from_utf8_lossy(&name).trim())
    });
    let file = path.display().to_string();
    let mut argv: Vec<String> =
        ["ssh-keygen", "-q", "-t", &args.ssh_key_type, "-C", &comment, "-N", "", "-f", &file].map(String::from).into();
    if let Some(bits) = args.ssh_key_bits.filter(|bits| *bits > 0) {
        argv.extend(["-b".into(), bits.to_string()]);
    }
    let effects = [Effect::File(path.clone(), Vec::new(), 0o600), Effect::File(public(&path), Vec::new(), 0o644)];
    succeed(host, &CommandLine::new(argv), &effects)?;
    host.set_attributes(&path, &owner)?;
    host.set_attributes(&public(&path), &owner)
}
