//! What package managers answer on the host in memory that the examples are applied to.

use crate::host::memory::MemoryHost;

/// Adds the answers.
pub(crate) fn answers(host: &mut MemoryHost) {
    host.answer(&["python3", "-m", "pip", "--version"], 0, "pip 20.3.4 from /usr/lib/python3/dist-packages/pip (python 3.9)\n");
    host.answer(&["python3", "-m", "pip", "list", "*"], 0, r#"[{"name": "six", "version": "1.16.0"}]"#);
}
