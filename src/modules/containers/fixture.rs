//! What engines answer on the host in memory that the examples are applied to: they have nothing yet.

use crate::host::Output;
use crate::host::memory::MemoryHost;

/// Adds the answers.
pub(crate) fn answers(host: &mut MemoryHost) {
    for (program, kind) in [
        ("docker", "container"),
        ("docker", "image"),
        ("docker", "network"),
        ("docker", "volume"),
        ("podman", "container"),
        ("podman", "image"),
        ("podman", "network"),
        ("podman", "volume"),
        ("podman", "pod"),
        ("podman", "secret"),
    ] {
        let output = Output { rc: 1, stdout: b"[]\n".to_vec(), stderr: format!("Error: no such {kind}").into_bytes() };
        host.answers.push(([program, kind, "inspect", "*"].map(str::to_owned).into(), output));
        host.answer(&[program, kind, "ls", "*"], 0, "");
    }
    host.answer(&["docker", "info", "*"], 0, "{\"ServerVersion\":\"28.2.2\"}\n");
}
