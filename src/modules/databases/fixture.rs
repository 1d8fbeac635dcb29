//! What clients of databases answer on the host in memory that the examples are applied to.

use crate::host::memory::MemoryHost;

/// Adds the answers: servers that have nothing yet.
pub(crate) fn answers(host: &mut MemoryHost) {
    host.answer(&["psql", "*"], 0, "[]\n");
    host.answer(&["mysql", "*"], 0, "");
}
