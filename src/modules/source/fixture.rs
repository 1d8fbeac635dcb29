//! What the examples of sources find on a host in memory.

use crate::host::memory::MemoryHost;

/// Commands (a last word `*` stands for any further words), exit status and standard output.
const ANSWERS: &[(&str, i32, &str)] = &[
    ("git config --global --null --get-all *", 1, ""),
    ("git config --system --null --get-all *", 1, ""),
    ("git config --global --null --get-all alias.ci", 0, "commit\0"),
    ("git ls-remote -- https://example.org/app.git *", 0, APP),
    ("git ls-remote -- git@example.org:site.git *", 0, SITE),
    ("make -j 4 install PREFIX=/usr/local --question", 1, ""),
    ("make all --question", 0, ""),
    ("git -C /srv/app rev-parse *", 0, "2222222222222222222222222222222222222222\n"),
    ("git -C /srv/site rev-parse *", 0, "3333333333333333333333333333333333333333\n"),
    ("git -C /srv/mirror/app.git rev-parse *", 0, "1111111111111111111111111111111111111111\n"),
];

const APP: &str = "1111111111111111111111111111111111111111\tHEAD
1111111111111111111111111111111111111111\trefs/heads/main
4444444444444444444444444444444444444444\trefs/tags/v1.2.0
2222222222222222222222222222222222222222\trefs/tags/v1.2.0^{}
";
const SITE: &str = "3333333333333333333333333333333333333333\tHEAD
3333333333333333333333333333333333333333\trefs/heads/main
";

/// Adds all of it.
pub(crate) fn add(host: &mut MemoryHost) {
    for (line, rc, stdout) in ANSWERS {
        let words: Vec<&str> = line.split(' ').collect();
        host.answer(&words, *rc, stdout);
    }
}
