//! Exit codes as `ansible-playbook` and `ansible` give them (observed with ansible-core 2.19).

use std::process::ExitCode;

use stead::run::event::HostEnding;
use stead::run::summary::Summary;

/// Something went wrong before hosts were contacted: a missing file, a bad inventory.
pub(super) const ERROR: u8 = 1;
/// A host failed.
const FAILED: u8 = 2;
/// A host could not be reached, or a playbook could not be read.
pub(super) const UNREACHABLE: u8 = 4;
/// The command line cannot be understood; clap's own usage errors in Ansible's programs end with 2.
pub(super) const BAD_OPTIONS: u8 = 2;
/// The command makes no sense for this inventory: a host or group that is not in it.
pub(super) const BAD_COMMAND: u8 = 5;
/// Interrupted.
const INTERRUPTED: u8 = 99;

/// The code of a finished run. Changes that are pending (`--check`) are no news to these programs.
pub(super) fn code(summary: &Summary) -> ExitCode {
    let any = |endings: &[HostEnding]| summary.hosts.iter().any(|host| endings.contains(&host.ending));
    let is_apply = summary.mode == Some(stead::run::event::RunMode::Apply);
    ExitCode::from(if summary.interrupted {
        INTERRUPTED
    } else if !summary.ended {
        ERROR
    } else if any(&[HostEnding::Unreachable, HostEnding::Locked]) || (is_apply && any(&[HostEnding::Unknown])) {
        UNREACHABLE
    } else if any(&[HostEnding::Failed]) {
        FAILED
    } else {
        0
    })
}
