//! Host names to addresses without the C library's resolver, which a static program must not call.

use std::net::IpAddr;
use std::path::Path;

use crate::host::{CommandLine, Inspect};

/// The addresses of a host name: as written, from `/etc/hosts`, then as `getent` finds them.
pub(crate) fn resolve(name: &str, host: &dyn Inspect) -> Vec<IpAddr> {
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    if let Ok(address) = bare.parse() {
        return vec![address];
    }
    let file = host.read(Path::new("/etc/hosts"), 4 << 20).unwrap_or_default();
    let listed = in_hosts_file(&String::from_utf8_lossy(&file), name);
    if !listed.is_empty() {
        return listed;
    }
    let asked = host.query(&CommandLine::new(["getent", "ahosts", name])).map(|output| output.text()).unwrap_or_default();
    let mut addresses: Vec<IpAddr> = Vec::new();
    for address in asked.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok()) {
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() && name == "localhost" {
        addresses.push(IpAddr::from([127, 0, 0, 1]));
    }
    addresses
}

fn in_hosts_file(text: &str, name: &str) -> Vec<IpAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            words.any(|word| word.eq_ignore_ascii_case(name)).then_some(address)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_file_is_read_with_comments_and_aliases() {
        let text = "127.0.0.1 localhost # me\n10.0.0.5 db.example.org DB\n#10.0.0.6 db\n::1 localhost\n";
        assert_eq!(in_hosts_file(text, "db"), ["10.0.0.5".parse::<IpAddr>().unwrap()]);
        assert_eq!(in_hosts_file(text, "localhost").len(), 2);
        assert!(in_hosts_file(text, "me").is_empty());
    }
}
