//! Properties of NetworkManager's connections: how they are written, and how `nmcli` tells them.

use std::collections::BTreeMap;

use crate::outcome::Failure;

/// Property to value, as `nmcli` takes it.
pub(super) type Profile = BTreeMap<String, String>;

/// What `nmcli` tells of a connection: a property, a colon and the value on each line.
pub(super) fn parse(told: &str) -> Profile {
    let one = |line: &str| line.split_once(':').map(|(property, value)| (property.to_owned(), value.trim().to_owned()));
    told.lines().filter_map(one).collect()
}

/// Properties that are lists, in the order in which they count.
fn is_list(property: &str) -> bool {
    let (_, last) = property.split_once('.').unwrap_or_default();
    ["addresses", "dns", "dns-search", "dns-options", "routes", "routing-rules", "options", "arp-ip-target"].contains(&last)
}

/// `{ ip = 10.0.0.0/8, nh = 10.0.0.1, mt = 5 }`, as older versions tell a route, in the form in which it is written.
fn route(told: &str) -> String {
    let inner = told.trim().trim_start_matches('{').trim_end_matches('}');
    if !inner.contains('=') || !told.trim().starts_with('{') {
        return told.split_whitespace().collect::<Vec<_>>().join(" ");
    }
    let parts = inner.split(',').filter_map(|part| part.split_once('='));
    let words: Vec<String> = parts
        .map(|(key, value)| match key.trim() {
            "ip" | "nh" | "mt" => value.trim().to_owned(),
            other => format!("{other}={}", value.trim()),
        })
        .collect();
    words.join(" ")
}

/// A value in the form in which two are compared.
pub(super) fn comparable(property: &str, value: &str) -> String {
    let value = value.trim();
    if property.ends_with(".routes") {
        let separator = if value.contains('{') { ';' } else { ',' };
        let routes: Vec<String> = value.split(separator).map(route).filter(|route| !route.is_empty()).collect();
        return routes.join(", ");
    }
    if is_list(property) {
        let parts = value.split([',', ';']).map(str::trim).filter(|part| !part.is_empty());
        let mut parts: Vec<&str> = parts.collect();
        if property == "bond.options" {
            parts.sort_unstable();
        }
        return parts.join(", ");
    }
    // What a number stands for is told in parentheses.
    let value = value.split_once(" (").map_or(value, |(value, _)| value);
    match (property, value) {
        ("802-3-ethernet.mtu" | "infiniband.mtu", "auto") => "0".into(),
        ("ip-tunnel.mode", "ipip") => "1".into(),
        ("ip-tunnel.mode", "gre") => "2".into(),
        ("ip-tunnel.mode", "sit") => "3".into(),
        (_, value) if property.ends_with("mac-address") => value.to_uppercase(),
        (_, value) => value.to_owned(),
    }
}

/// An address with its prefix: that of a single host where none is written.
pub(super) fn with_prefix(address: &str, bits: u8) -> String {
    let address = address.trim();
    if address.is_empty() || address.contains('/') { address.to_owned() } else { format!("{address}/{bits}") }
}

/// An error where a value would be taken for something else.
pub(super) fn check(profile: &Profile) -> Result<(), Failure> {
    match profile.iter().find(|(_, value)| value.contains(['\n', '\0'])) {
        Some((property, _)) => Err(Failure::new(format!("{property} must be one line"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compared_by_what_they_mean() {
        for (property, told, written) in [
            ("ipv4.addresses", "10.0.0.1/24, 10.0.0.2/24", "10.0.0.1/24,10.0.0.2/24"),
            ("ipv4.dns", "1.1.1.1,8.8.8.8", "1.1.1.1 , 8.8.8.8"),
            (
                "ipv4.routes",
                "{ ip = 192.0.3.0/24, nh = 10.0.0.254, mt = 100 }; { ip = 10.0.0.0/8 }",
                "192.0.3.0/24 10.0.0.254 100, 10.0.0.0/8",
            ),
            ("ipv4.routes", "192.0.3.0/24  10.0.0.254 table=5", "192.0.3.0/24 10.0.0.254 table=5"),
            ("bond.options", "miimon=100,mode=active-backup", "mode=active-backup,miimon=100"),
            ("ipv6.ip6-privacy", "2 (enabled, prefer temporary IP)", "2"),
            ("802-3-ethernet.mtu", "auto", "0"),
            ("bridge.mac-address", "52:54:00:ab:5f:30", "52:54:00:AB:5F:30"),
            ("ip-tunnel.mode", "1 (ipip)", "ipip"),
        ] {
            assert_eq!(comparable(property, told), comparable(property, written), "{property}");
        }
        assert_ne!(comparable("ipv4.dns", "1.1.1.1,8.8.8.8"), comparable("ipv4.dns", "8.8.8.8,1.1.1.1"));
        assert_eq!(with_prefix("10.0.0.1", 32), "10.0.0.1/32");
        assert_eq!(parse("connection.id:a:b\nipv6.addresses:fd00::1/64\n")["connection.id"], "a:b");
    }
}
