//! What root in a lab host may not do: everything by which it could reach through its namespaces to
//! the machine itself (devices, mounts, kernel modules, the clock, rebooting).

use rustix::io::Errno;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, remove_capability_from_bounding_set, set_capabilities};

use super::protocol::{Step, Trouble};

/// Kept are those that administration needs within the host: files, owners, networks, signals.
const REFUSED: CapabilitySet = CapabilitySet::SYS_ADMIN
    .union(CapabilitySet::MKNOD)
    .union(CapabilitySet::SYS_MODULE)
    .union(CapabilitySet::SYS_RAWIO)
    .union(CapabilitySet::SYS_TIME)
    .union(CapabilitySet::SYS_BOOT)
    .union(CapabilitySet::SYS_PACCT)
    .union(CapabilitySet::SYS_TTY_CONFIG)
    .union(CapabilitySet::SYSLOG)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::MAC_ADMIN)
    .union(CapabilitySet::MAC_OVERRIDE)
    .union(CapabilitySet::AUDIT_CONTROL)
    .union(CapabilitySet::AUDIT_READ)
    .union(CapabilitySet::WAKE_ALARM)
    .union(CapabilitySet::BLOCK_SUSPEND)
    .union(CapabilitySet::BPF)
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::CHECKPOINT_RESTORE);

/// Gives them up for this thread and everything that it starts from now on.
pub(super) fn give_up() -> Result<(), Trouble> {
    for capability in REFUSED.iter() {
        match remove_capability_from_bounding_set(capability) {
            Ok(()) | Err(Errno::INVAL) => {} // INVAL: a capability that this kernel does not know
            Err(error) => return Err(Trouble::new("give up privileges", error)),
        }
    }
    let now = capabilities(None).step("read own privileges")?;
    let kept = CapabilitySets {
        effective: now.effective.difference(REFUSED),
        permitted: now.permitted.difference(REFUSED),
        inheritable: now.inheritable.difference(REFUSED),
    };
    set_capabilities(None, kept).step("give up privileges")
}
