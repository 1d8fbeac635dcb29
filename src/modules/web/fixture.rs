//! Services that the examples find.

use crate::host::memory::MemoryHost;

/// Adds them.
pub(crate) fn add(host: &mut MemoryHost) {
    for url in ["https://example.org/app.tar.gz", "https://example.org/app.conf", "https://example.org/motd"] {
        host.serve(&format!("GET {url}"), 200, &[("Content-Type", "text/plain")], "hello");
    }
    let sums = format!("{}  ./app.conf\n", crate::change::sha256(b"hello"));
    host.serve("GET https://example.org/SHA256SUMS", 200, &[], sums);
}
