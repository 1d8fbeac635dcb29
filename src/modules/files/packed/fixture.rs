//! Archives for tests.

use std::io::Write as _;

/// One entry: path, kind as tar writes it, content or target, mode.
pub(crate) type Made<'a> = (&'a str, u8, &'a str, u32);

/// A tar archive of these, of the account `admin` and of a time long ago. Paths are written as they are.
pub(crate) fn tar(entries: &[Made<'_>]) -> Vec<u8> {
    tar_of(entries, 1234, 1_000_000_000)
}

/// The same, of this account and time.
pub(crate) fn tar_of(entries: &[Made<'_>], id: u64, time: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (path, kind, text, mode) in entries {
        let mut header = tar::Header::new_gnu();
        let is_file = *kind == b'0';
        header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
        if !is_file {
            header.as_mut_bytes()[157..157 + text.len()].copy_from_slice(text.as_bytes());
        }
        header.set_entry_type(tar::EntryType::new(*kind));
        header.set_mode(*mode);
        header.set_uid(id);
        header.set_gid(id);
        header.set_mtime(time);
        header.set_username("admin").unwrap();
        header.set_groupname("admin").unwrap();
        header.set_size(if is_file { text.len() as u64 } else { 0 });
        header.set_cksum();
        bytes.write_all(header.as_bytes()).unwrap();
        if is_file {
            bytes.write_all(text.as_bytes()).unwrap();
            bytes.resize(bytes.len().next_multiple_of(512), 0);
        }
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// The archive of the examples.
pub(crate) fn app() -> Vec<u8> {
    tar(&[
        ("app-1.0/", b'5', "", 0o755),
        ("app-1.0/bin/app", b'0', "#!/bin/sh\n", 0o755),
        ("app-1.0/bin/second", b'1', "app-1.0/bin/app", 0o755),
        ("app-1.0/current", b'2', "bin/app", 0o777),
        ("app-1.0/notes.txt", b'0', "notes\n", 0o640),
    ])
}

/// What `tar` makes of the directories of the examples.
pub(crate) fn answers(host: &mut crate::host::memory::MemoryHost) {
    let words = "--null --verbatim-files-from --files-from=- --file=-";
    host.add_file("/srv/fix.patch", "--- a\n+++ b\n");
    host.answer(&["getfacl", "*"], 0, "user::rw-\ngroup::r--\nother::r--\n\n");
    host.answer(&["setfacl", "*"], 0, "/etc/motd: u::rw-,u:www-data:r--,g::r--,m::r--,o::r--,*\n");
    let motd = crate::change::sha256(host.text("/etc/motd").unwrap().as_bytes());
    host.answer(&["sha256sum", "--", "/etc/motd"], 0, &format!("{motd}  /etc/motd\n"));
    host.answer(&["test", "-e", "/var/www/html"], 0, "");
    let patch = ["patch", "--quiet", "--forward", "--batch", "--dry-run"];
    host.answer(&[&patch[..], &["*"]].concat(), 0, "");
    for place in [&["--strip=0", "--directory=/etc"], &["--strip=1", "--directory=/var/www/html"]] {
        host.answer(&[&patch[..], place, &["--reverse", "*"]].concat(), 1, "");
    }
    host.add_file("/srv/pages/index.html", "hello\n");
    let yesterday = host.clock as u64 - 86_400;
    for (root, name, path) in [("/srv", "pages/index.html", "/srv/pages/index.html"), ("/var/log", "app.log", "/var/log/app.log")]
    {
        let line = format!("tar --create --format=gnu --no-recursion --hard-dereference --directory {root} {words}");
        let content = host.text(path).unwrap();
        let made = tar_of(&[(name, b'0', &content, 0o644)], 0, yesterday);
        host.answer(&line.split(' ').collect::<Vec<_>>(), 0, std::str::from_utf8(&made).unwrap());
    }
}
