//! Network interfaces, their addresses, and the default routes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::gather::{Facts, exists, line, link_name, text};
use crate::host::{CommandLine, Inspect};

/// An address of an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Address {
    interface: String,
    ip: IpAddr,
    prefix: u8,
    broadcast: String,
    /// `global`, `link`, `host`.
    scope: String,
}

/// All facts of the group.
pub(super) fn gather(host: &dyn Inspect, facts: &mut Facts) {
    let devices = Path::new("/sys/class/net");
    let names: Vec<String> = host
        .list(devices)
        .unwrap_or_default()
        .into_iter()
        .filter(|name| exists(host, devices.join(name).join("address")))
        .collect();
    let addresses = addresses(host, facts);
    for name in &names {
        facts.set(name, interface(host, name, &addresses));
    }
    let global = |ip: &IpAddr| !ip.is_loopback();
    let all = |v4: bool| -> Vec<String> {
        addresses
            .iter()
            .filter(|address| address.ip.is_ipv4() == v4 && global(&address.ip))
            .map(|address| address.ip.to_string())
            .collect()
    };
    facts.set("interfaces", names);
    facts.set("all_ipv4_addresses", all(true));
    facts.set("all_ipv6_addresses", all(false));
    let mut reachable: (Vec<String>, Vec<String>) = (Vec::new(), Vec::new());
    for address in &addresses {
        if let IpAddr::V4(v4) = address.ip {
            if v4.is_loopback() {
                reachable.0.push(format!("{}/{}", network(v4, address.prefix), address.prefix));
            }
            reachable.0.push(v4.to_string());
        } else {
            reachable.1.push(address.ip.to_string());
        }
    }
    facts.set("locally_reachable_ips", json!({"ipv4": reachable.0, "ipv6": reachable.1}));
    let v4 = default_v4(&text(host, "/proc/net/route")).map(|(name, gateway)| (name, IpAddr::V4(gateway)));
    facts.set("default_ipv4", default_route(host, v4, &addresses));
    let v6 = default_v6(&text(host, "/proc/net/ipv6_route")).map(|(name, gateway)| (name, IpAddr::V6(gateway)));
    facts.set("default_ipv6", default_route(host, v6, &addresses));
}

/// Addresses as `ip` has them, or as the kernel's tables have them where there is no `ip`.
fn addresses(host: &dyn Inspect, facts: &Facts) -> Vec<Address> {
    let mut ask = CommandLine::new(["ip", "-json", "address", "show"]);
    ask.deadline = Some(facts.patience);
    let asked = host.query(&ask).ok().filter(|output| output.rc == 0).and_then(|output| parse_ip(&output.text()));
    asked.unwrap_or_else(|| {
        let mut found = from_kernel_v4(&text(host, "/proc/net/fib_trie"), &text(host, "/proc/net/route"));
        found.extend(from_kernel_v6(&text(host, "/proc/net/if_inet6")));
        found
    })
}

fn parse_ip(text: &str) -> Option<Vec<Address>> {
    let links: Vec<Value> = serde_json::from_str(text).ok()?;
    let mut all = Vec::new();
    for link in &links {
        let Some(interface) = link["ifname"].as_str() else { continue };
        for entry in link["addr_info"].as_array().into_iter().flatten() {
            let Some(ip) = entry["local"].as_str().and_then(|text| text.parse().ok()) else { continue };
            all.push(Address {
                interface: interface.to_owned(),
                ip,
                prefix: entry["prefixlen"].as_u64().unwrap_or(0) as u8,
                broadcast: entry["broadcast"].as_str().unwrap_or_default().to_owned(),
                scope: entry["scope"].as_str().unwrap_or("global").to_owned(),
            });
        }
    }
    Some(all)
}

/// A row of `/proc/net/route`: interface, destination, gateway, mask.
fn routes(table: &str) -> impl Iterator<Item = (&str, u32, u32, u32, u32)> {
    table.lines().skip(1).filter_map(|row| {
        let columns: Vec<&str> = row.split_whitespace().collect();
        // Addresses stand in the byte order of the network, read as a number of this machine.
        let word = |at: usize| u32::from_str_radix(columns.get(at)?, 16).ok().map(u32::from_be);
        Some((*columns.first()?, word(1)?, word(2)?, word(7)?, columns.get(6)?.parse().ok()?))
    })
}

fn from_kernel_v4(trie: &str, table: &str) -> Vec<Address> {
    let mut locals: Vec<Ipv4Addr> = Vec::new();
    let mut last = None;
    for row in trie.lines() {
        let row = row.trim();
        if let Some(ip) = row.strip_prefix("|-- ") {
            last = ip.parse::<Ipv4Addr>().ok();
        } else if row == "/32 host LOCAL"
            && let Some(ip) = last.filter(|ip| !locals.contains(ip))
        {
            locals.push(ip);
        }
    }
    locals
        .into_iter()
        .filter_map(|ip| {
            if ip.is_loopback() {
                return Some(Address {
                    interface: "lo".into(),
                    ip: ip.into(),
                    prefix: 8,
                    broadcast: String::new(),
                    scope: "host".into(),
                });
            }
            let (interface, _, _, mask, _) = routes(table)
                .filter(|route| route.2 == 0 && u32::from(ip) & route.3 == route.1 && route.3 != 0)
                .max_by_key(|route| route.3)?;
            let broadcast = Ipv4Addr::from(u32::from(ip) | !mask).to_string();
            Some(Address {
                interface: interface.into(),
                ip: ip.into(),
                prefix: mask.count_ones() as u8,
                broadcast,
                scope: "global".into(),
            })
        })
        .collect()
}

fn from_kernel_v6(table: &str) -> Vec<Address> {
    table
        .lines()
        .filter_map(|row| {
            let columns: Vec<&str> = row.split_whitespace().collect();
            let [ip, _, prefix, scope, _, interface] = columns[..] else { return None };
            let scope = match scope {
                "10" => "host",
                "20" => "link",
                "40" => "site",
                _ => "global",
            };
            Some(Address {
                interface: interface.into(),
                ip: Ipv6Addr::from(u128::from_str_radix(ip, 16).ok()?).into(),
                prefix: u8::from_str_radix(prefix, 16).ok()?,
                broadcast: String::new(),
                scope: scope.into(),
            })
        })
        .collect()
}

fn default_v4(table: &str) -> Option<(String, Ipv4Addr)> {
    let best = routes(table).filter(|route| route.1 == 0 && route.3 == 0).min_by_key(|route| route.4)?;
    Some((best.0.to_owned(), Ipv4Addr::from(best.2)))
}

fn default_v6(table: &str) -> Option<(String, Ipv6Addr)> {
    let zero = "0".repeat(32);
    table
        .lines()
        .filter_map(|row| {
            let columns: Vec<&str> = row.split_whitespace().collect();
            let [destination, length, _, _, next, metric, _, _, flags, interface] = columns[..] else { return None };
            // 0x200: a route that only rejects.
            let rejects = u32::from_str_radix(flags, 16).ok()? & 0x200 != 0;
            let is = destination == zero && length == "00" && interface != "lo" && !rejects;
            let gateway = Ipv6Addr::from(u128::from_str_radix(next, 16).ok()?);
            is.then_some((u32::from_str_radix(metric, 16).ok()?, interface.to_owned(), gateway))
        })
        .min_by_key(|(metric, _, _)| *metric)
        .map(|(_, interface, gateway)| (interface, gateway))
}

fn network(ip: Ipv4Addr, prefix: u8) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(ip) & mask(prefix))
}

fn mask(prefix: u8) -> u32 {
    u32::MAX.checked_shl(32 - u32::from(prefix.min(32))).unwrap_or(0)
}

fn v4_entry(address: &Address) -> Map<String, Value> {
    let IpAddr::V4(ip) = address.ip else { return Map::new() };
    let entry = json!({
        "address": ip.to_string(), "broadcast": address.broadcast, "netmask": Ipv4Addr::from(mask(address.prefix)).to_string(),
        "network": network(ip, address.prefix).to_string(), "prefix": address.prefix.to_string(),
    });
    entry.as_object().cloned().unwrap_or_default()
}

fn v6_entry(address: &Address) -> Value {
    json!({"address": address.ip.to_string(), "prefix": address.prefix.to_string(), "scope": address.scope})
}

fn kind(host: &dyn Inspect, at: &Path) -> &'static str {
    match line(host, at.join("type")).as_deref() {
        _ if exists(host, at.join("bridge")) => "bridge",
        _ if exists(host, at.join("bonding")) => "bonding",
        Some("1") => "ether",
        Some("32") => "infiniband",
        Some("512") => "ppp",
        Some("772") => "loopback",
        Some("65534") => "tunnel",
        _ => "unknown",
    }
}

fn interface(host: &dyn Inspect, name: &str, addresses: &[Address]) -> Value {
    let at = Path::new("/sys/class/net").join(name);
    let file = |rest: &str| line(host, at.join(rest));
    let number = |rest: &str| file(rest).and_then(|text| text.parse::<i64>().ok());
    let mut map = Map::new();
    map.insert("device".into(), name.into());
    if let Some(mac) = file("address").filter(|mac| !mac.is_empty() && mac != "00:00:00:00:00:00") {
        map.insert("macaddress".into(), mac.into());
    }
    if let Some(mtu) = number("mtu") {
        map.insert("mtu".into(), mtu.into());
    }
    map.insert("active".into(), file("operstate").is_some_and(|state| state != "down").into());
    if let Some(module) = link_name(host, at.join("device/driver/module")) {
        map.insert("module".into(), module.into());
    }
    if let Some(id) = link_name(host, at.join("device")) {
        map.insert("pciid".into(), id.into());
    }
    map.insert("type".into(), kind(host, &at).into());
    if exists(host, at.join("bridge")) {
        map.insert("interfaces".into(), host.list(&at.join("brif")).unwrap_or_default().into());
        map.insert("id".into(), file("bridge/bridge_id").unwrap_or_default().into());
        map.insert("stp".into(), (file("bridge/stp_state").as_deref() == Some("1")).into());
    }
    if exists(host, at.join("bonding")) {
        let slaves: Vec<String> = file("bonding/slaves").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        map.insert("slaves".into(), slaves.into());
        map.insert("mode".into(), file("bonding/mode").and_then(|text| Some(text.split_whitespace().next()?.to_owned())).into());
        map.insert("miimon".into(), file("bonding/miimon").into());
        map.insert(
            "lacp_rate".into(),
            file("bonding/lacp_rate").and_then(|text| Some(text.split_whitespace().next()?.to_owned())).into(),
        );
        map.insert("primary".into(), file("bonding/primary").into());
        map.insert("all_slaves_active".into(), (file("bonding/all_slaves_active").as_deref() == Some("1")).into());
    }
    let flags = file("flags").and_then(|text| i64::from_str_radix(text.trim_start_matches("0x"), 16).ok()).unwrap_or(0);
    map.insert("promisc".into(), (flags & 0x100 != 0).into());
    if let Some(speed) = number("speed") {
        map.insert("speed".into(), speed.into());
    }
    let own: Vec<&Address> = addresses.iter().filter(|address| address.interface == name).collect();
    let mut v4 = own.iter().filter(|address| address.ip.is_ipv4()).map(|address| v4_entry(address));
    if let Some(first) = v4.next() {
        map.insert("ipv4".into(), first.into());
    }
    let secondary: Vec<Value> = v4.map(Value::Object).collect();
    if !secondary.is_empty() {
        map.insert("ipv4_secondaries".into(), secondary.into());
    }
    let v6: Vec<Value> = own.iter().filter(|address| address.ip.is_ipv6()).map(|address| v6_entry(address)).collect();
    if !v6.is_empty() {
        map.insert("ipv6".into(), v6.into());
    }
    Value::Object(map)
}

/// The default route's interface, with the address that the host uses there.
fn default_route(host: &dyn Inspect, route: Option<(String, IpAddr)>, addresses: &[Address]) -> Value {
    let Some((interface, gateway)) = route else { return json!({}) };
    let usable = |address: &&Address| {
        address.interface == interface
            && address.ip.is_ipv4() == gateway.is_ipv4()
            && (address.ip.is_ipv4() || address.scope == "global")
    };
    let near = |address: &&Address| match (address.ip, gateway) {
        (IpAddr::V4(own), IpAddr::V4(gateway)) => network(own, address.prefix) == network(gateway, address.prefix),
        _ => true,
    };
    let chosen = addresses.iter().filter(usable).find(near).or_else(|| addresses.iter().find(usable));
    let at = Path::new("/sys/class/net").join(&interface);
    let mut map = Map::new();
    map.insert("interface".into(), interface.clone().into());
    map.insert("gateway".into(), gateway.to_string().into());
    if let Some(address) = chosen {
        if address.ip.is_ipv4() {
            map.extend(v4_entry(address));
            map.insert("alias".into(), interface.into());
        } else if let Value::Object(entry) = v6_entry(address) {
            map.extend(entry);
        }
    }
    if let Some(mac) = line(host, at.join("address")) {
        map.insert("macaddress".into(), mac.into());
    }
    if let Some(mtu) = line(host, at.join("mtu")).and_then(|text| text.parse::<i64>().ok()) {
        map.insert("mtu".into(), mtu.into());
    }
    map.insert("type".into(), kind(host, &at).into());
    Value::Object(map)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROUTES: &str = "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n\
        eth0\t00000000\t010200C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n\
        eth1\t00000000\t0100000A\t0003\t0\t0\t50\t00000000\t0\t0\t0\n\
        eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n";

    #[test]
    fn the_default_route_has_the_least_metric() {
        assert_eq!(default_v4(ROUTES), Some(("eth1".into(), Ipv4Addr::new(10, 0, 0, 1))));
        let six = "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fd000000000000000000000000000001 00000400 00000001 00000000 00000003     eth0\n\
                   00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n";
        assert_eq!(default_v6(six), Some(("eth0".into(), "fd00::1".parse().unwrap())));
    }

    #[test]
    fn addresses_are_found_without_ip() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 192.0.2.2\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n     |-- 192.0.2.255\n        /32 link BROADCAST\n";
        let found = from_kernel_v4(trie, ROUTES);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].interface.as_str(), found[0].prefix, found[0].broadcast.as_str()), ("eth0", 24, "192.0.2.255"));
        let six = from_kernel_v6("fe80000000000000000000000000cafe 02 40 20 80     eth0\n");
        assert_eq!((six[0].ip.to_string().as_str(), six[0].scope.as_str(), six[0].prefix), ("fe80::cafe", "link", 64));
    }

    #[test]
    fn networks_are_computed() {
        let address = Address {
            interface: "eth0".into(),
            ip: "10.200.16.1".parse().unwrap(),
            prefix: 20,
            broadcast: String::new(),
            scope: "global".into(),
        };
        let entry = v4_entry(&address);
        assert_eq!((entry["netmask"].as_str(), entry["network"].as_str()), (Some("255.255.240.0"), Some("10.200.16.0")));
        assert_eq!((mask(0), mask(32)), (0, u32::MAX));
    }
}
