//! The policy as `semanage` shows and changes it.

use std::path::Path;

use crate::host::Inspect;
use crate::outcome::Failure;
use crate::system::tool::{Tool, exists};

/// Shows and changes the policy.
pub(super) const SEMANAGE: Tool = Tool::new("semanage", "policycoreutils-python-utils");

/// Where the running kernel says whether it enforces.
pub(super) const ENFORCE: &str = "/sys/fs/selinux/enforce";

/// Whether the running kernel has SELinux in use.
pub(super) fn is_enabled(host: &dyn Inspect) -> bool {
    exists(Path::new(ENFORCE), host)
}

/// An error where SELinux is off, unless that does not matter.
pub(super) fn require(ignored: bool, host: &dyn Inspect) -> Result<(), Failure> {
    if ignored || is_enabled(host) {
        return Ok(());
    }
    Err(Failure::new("SELinux is disabled on this host."))
}

/// A list of one kind of record, without headings; of local changes alone where asked.
pub(super) fn list(kind: &str, local: bool, host: &dyn Inspect) -> Result<String, Failure> {
    let words = [kind, "-l", "-n"].into_iter().chain(local.then_some("-C"));
    SEMANAGE.answer(words, host)?.ok_or_else(|| Failure::unknown("`semanage` is not installed yet"))
}
