//! `nmcli`: connections of NetworkManager.

use serde_json::{Map, Value};

use super::nmcli_profile::{self as profile, Profile, comparable, with_prefix};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::files::attributes::Unsupported;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::{Tool, plain_word};
use crate::{args, choice};

choice! {
    /// What should be.
    pub enum Wish {
        /// There is no such connection.
        Absent = "absent",
        /// The connection has these properties.
        Present = "present",
        /// The connection is in use; its properties are left.
        Up = "up",
        /// The connection is not in use; its properties are left.
        Down = "down",
    }
}

choice! {
    /// What kind of connection.
    pub enum Kind {
        /// Several interfaces as one.
        Bond = "bond",
        /// An interface of a bond.
        BondSlave = "bond-slave",
        /// A bridge.
        Bridge = "bridge",
        /// An interface of a bridge.
        BridgeSlave = "bridge-slave",
        /// An interface that leads nowhere.
        Dummy = "dummy",
        /// Ethernet.
        Ethernet = "ethernet",
        /// Whatever NetworkManager knows no better.
        Generic = "generic",
        /// A GRE tunnel.
        Gre = "gre",
        /// An IPIP tunnel.
        Ipip = "ipip",
        /// A SIT tunnel.
        Sit = "sit",
        /// The interface to the host itself.
        Loopback = "loopback",
        /// A VLAN.
        Vlan = "vlan",
        /// A VXLAN.
        Vxlan = "vxlan",
        /// A routing domain.
        Vrf = "vrf",
    }
}

choice! {
    /// How a bond divides its traffic.
    pub enum Mode {
        /// By LACP.
        Lacp = "802.3ad",
        /// One at a time.
        ActiveBackup = "active-backup",
        /// By load, both ways.
        BalanceAlb = "balance-alb",
        /// In turn.
        BalanceRr = "balance-rr",
        /// By load, what is sent.
        BalanceTlb = "balance-tlb",
        /// By address.
        BalanceXor = "balance-xor",
        /// All get everything.
        Broadcast = "broadcast",
    }
}

choice! {
    /// What the connection is a part of.
    pub enum Slave {
        /// A bond.
        Bond = "bond",
        /// A bridge.
        Bridge = "bridge",
        /// A routing domain.
        Vrf = "vrf",
    }
}

choice! {
    /// How addresses come.
    pub enum Method {
        /// From the network.
        Auto = "auto",
        /// From DHCP alone (IPv6).
        Dhcp = "dhcp",
        /// Those of the link alone.
        LinkLocal = "link-local",
        /// Those that are written.
        Manual = "manual",
        /// The host gives them to others.
        Shared = "shared",
        /// Not at all.
        Disabled = "disabled",
        /// NetworkManager does not care (IPv6).
        Ignore = "ignore",
    }
}

choice! {
    /// Whether temporary addresses are used.
    pub enum Privacy {
        /// No.
        Disabled = "disabled",
        /// The public one first.
        PreferPublic = "prefer-public-addr",
        /// The temporary one first.
        PreferTemporary = "prefer-temp-addr",
        /// As the system has it.
        Unknown = "unknown",
    }
}

args! {
    /// Manages a connection of NetworkManager, with the host's `nmcli`. Properties that are not named are left,
    /// except those that have a default here. Wireless, mobile, VPN, WireGuard, MACVLAN, team and Open vSwitch
    /// connections cannot be managed yet.
    pub struct Args {
        /// What should be.
        state: Wish,
        /// Name of the connection.
        conn_name: String,
        /// What kind of connection.
        r#type: Option<Kind>,
        /// The interface; the connection's name where none is named, `*` for any.
        ifname: Option<String>,
        /// Whether it is brought up by itself.
        autoconnect: bool = true,
        /// Which of several is brought up first.
        autoconnect_priority: Option<i64>,
        /// How often bringing it up is tried.
        autoconnect_retries: Option<i64>,
        /// Whether connections are read anew after a change.
        conn_reload: bool = false,
        /// What the connection is a part of.
        slave_type: Option<Slave>,
        /// The connection or interface that it is a part of.
        master: Option<String>,
        /// The zone of the firewall.
        zone: Option<String>,
        /// IPv4 addresses.
        ip4: Option<Vec<String>>,
        /// IPv4 gateway.
        gw4: Option<String>,
        /// Whether routes from the network are passed over.
        gw4_ignore_auto: bool = false,
        /// IPv4 routes (`192.0.3.0/24 192.0.2.1`).
        routes4: Option<Vec<String>>,
        /// Metric of IPv4 routes.
        route_metric4: Option<i64>,
        /// Rules of IPv4 routing.
        routing_rules4: Option<Vec<String>>,
        /// Whether this is never the way to everywhere.
        never_default4: bool = false,
        /// IPv4 name servers.
        dns4: Option<Vec<String>>,
        /// Search domains.
        dns4_search: Option<Vec<String>>,
        /// Options of the resolver.
        dns4_options: Option<Vec<String>>,
        /// Whether name servers from the network are passed over.
        dns4_ignore_auto: bool = false,
        /// How IPv4 addresses come; `manual` where some are named.
        method4: Option<Method>,
        /// Whether the connection may do without IPv4.
        may_fail4: bool = true,
        /// The name by which DHCP knows the host.
        dhcp_client_id: Option<String>,
        /// IPv6 addresses.
        ip6: Option<Vec<String>>,
        /// IPv6 gateway.
        gw6: Option<String>,
        /// Whether routes from the network are passed over.
        gw6_ignore_auto: bool = false,
        /// IPv6 routes.
        routes6: Option<Vec<String>>,
        /// Metric of IPv6 routes.
        route_metric6: Option<i64>,
        /// IPv6 name servers.
        dns6: Option<Vec<String>>,
        /// Search domains.
        dns6_search: Option<Vec<String>>,
        /// Options of the resolver.
        dns6_options: Option<Vec<String>>,
        /// Whether name servers from the network are passed over.
        dns6_ignore_auto: bool = false,
        /// How IPv6 addresses come; `manual` where some are named.
        method6: Option<Method>,
        /// Whether temporary addresses are used.
        ip_privacy6: Option<Privacy>,
        /// How addresses are made (`eui64`, `stable-privacy` ...).
        addr_gen_mode6: Option<String>,
        /// Largest packet.
        mtu: Option<u32>,
        /// The hardware's address.
        mac: Option<String>,
        /// How a bond divides its traffic.
        mode: Mode = Mode::BalanceRr,
        /// The bond's first interface.
        primary: Option<String>,
        /// How often a bond looks at links (milliseconds).
        miimon: Option<u32>,
        /// How long a bond waits before it gives up a link.
        downdelay: Option<u32>,
        /// How long a bond waits before it uses a link.
        updelay: Option<u32>,
        /// By what a bond chooses the link.
        xmit_hash_policy: Option<String>,
        /// Whose address a bond has.
        fail_over_mac: Option<String>,
        /// How often a bond asks by ARP.
        arp_interval: Option<u32>,
        /// Whom a bond asks by ARP.
        arp_ip_target: Option<String>,
        /// Whether a bridge runs the spanning tree protocol.
        stp: bool = true,
        /// A bridge's priority.
        priority: u32 = 128,
        /// A bridge's delay of forwarding (seconds).
        forwarddelay: u32 = 15,
        /// A bridge's time between hellos.
        hellotime: u32 = 2,
        /// How long a bridge believes messages.
        maxage: u32 = 20,
        /// How long a bridge knows addresses.
        ageingtime: u32 = 300,
        /// Priority of an interface of a bridge.
        slavepriority: u32 = 32,
        /// Cost of an interface of a bridge.
        path_cost: u32 = 100,
        /// Whether an interface of a bridge sends back.
        hairpin: bool = false,
        /// Number of a VLAN.
        vlanid: Option<u32>,
        /// Interface that a VLAN is on.
        vlandev: Option<String>,
        /// Flags of a VLAN.
        flags: Option<String>,
        /// Map of priorities of a VLAN, inwards.
        ingress: Option<String>,
        /// Map of priorities of a VLAN, outwards.
        egress: Option<String>,
        /// Number of a VXLAN.
        vxlan_id: Option<u32>,
        /// The other end of a VXLAN.
        vxlan_remote: Option<String>,
        /// This end of a VXLAN.
        vxlan_local: Option<String>,
        /// Interface that a tunnel is on.
        ip_tunnel_dev: Option<String>,
        /// The other end of a tunnel.
        ip_tunnel_remote: Option<String>,
        /// This end of a tunnel.
        ip_tunnel_local: Option<String>,
        /// Key of what comes out of a GRE tunnel.
        ip_tunnel_input_key: Option<String>,
        /// Key of what goes into a GRE tunnel.
        ip_tunnel_output_key: Option<String>,
        /// Table of a routing domain.
        table: Option<u32>,
        /// Refused: use `routes4`.
        routes4_extended: Option<Unsupported>,
        /// Refused: use `routes6`.
        routes6_extended: Option<Unsupported>,
        /// Refused.
        sriov: Option<Unsupported>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Fixed addresses
  nmcli:
    conn_name: office
    type: ethernet
    ifname: eth0
    ip4: 192.0.2.10/24
    gw4: 192.0.2.1
    dns4: [192.0.2.53, 198.51.100.53]
    state: present
- name: Two as one
  nmcli:
    conn_name: bond0
    type: bond
    mode: active-backup
    miimon: 100
    method4: disabled
    state: present
- name: Not any more
  nmcli:
    conn_name: old
    state: absent
";

const NMCLI: Tool = Tool::new("nmcli", "network-manager");

/// The module.
pub struct Nmcli;

/// The connection; `None` where there is none.
#[derive(Debug, Clone)]
pub struct State {
    name: String,
    profile: Option<Profile>,
    active: Option<bool>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let id = id(&self.name);
        let Some(profile) = &self.profile else { return vec![ResourceState::absent(id)] };
        let mut list = vec![ResourceState::present(id).with("active", self.active)];
        for (property, value) in profile {
            let id = ResourceId::new("connection", format!("{} {property}", self.name));
            list.push(ResourceState::present(id).with("value", comparable(property, value)));
        }
        list
    }
}

fn id(name: &str) -> ResourceId {
    ResourceId::new("connection", name)
}

fn yes(is: bool) -> String {
    if is { "yes" } else { "no" }.to_owned()
}

/// The type as NetworkManager calls it.
fn type_word(kind: Kind) -> &'static str {
    match kind {
        Kind::BondSlave | Kind::BridgeSlave => "ethernet",
        Kind::Gre | Kind::Ipip | Kind::Sit => "ip-tunnel",
        other => other.word(),
    }
}

/// One of the two families of addresses.
struct Family<'a> {
    name: &'static str,
    bits: u8,
    addresses: &'a Option<Vec<String>>,
    gateway: &'a Option<String>,
    routes: &'a Option<Vec<String>>,
    metric: Option<i64>,
    dns: [&'a Option<Vec<String>>; 3],
    ignore: [bool; 2],
    method: Option<Method>,
}

impl Family<'_> {
    /// Its properties.
    fn add(&self, unnamed: Option<Method>, put: &mut impl FnMut(&str, Option<String>)) {
        let name = self.name;
        let joined = |list: &Option<Vec<String>>| list.as_ref().map(|list| list.join(","));
        let addresses = self.addresses.as_ref().filter(|list| list.iter().any(|one| !one.trim().is_empty()));
        let method = self.method.or(addresses.map(|_| Method::Manual)).or(unnamed);
        let prefixed = self.addresses.as_ref();
        let prefixed = prefixed.map(|list| list.iter().map(|one| with_prefix(one, self.bits)).collect::<Vec<_>>().join(","));
        put(&format!("{name}.method"), method.map(|method| method.word().to_owned()));
        put(&format!("{name}.addresses"), prefixed);
        put(&format!("{name}.gateway"), self.gateway.clone());
        put(&format!("{name}.routes"), joined(self.routes));
        put(&format!("{name}.route-metric"), self.metric.map(|metric| metric.to_string()));
        put(&format!("{name}.dns"), joined(self.dns[0]));
        put(&format!("{name}.dns-search"), joined(self.dns[1]));
        put(&format!("{name}.dns-options"), joined(self.dns[2]));
        put(&format!("{name}.ignore-auto-dns"), Some(yes(self.ignore[0])));
        put(&format!("{name}.ignore-auto-routes"), Some(yes(self.ignore[1])));
    }
}

/// The properties that the options name.
fn wanted(args: &Args, kind: Kind) -> Profile {
    let mut wanted = Profile::new();
    let mut put = |property: &str, value: Option<String>| {
        if let Some(value) = value {
            wanted.insert(property.to_owned(), value);
        }
    };
    let number = |number: Option<u32>| number.map(|number| number.to_string());
    let interface = args.ifname.clone().unwrap_or_else(|| args.conn_name.clone());
    put("connection.interface-name", Some(if interface == "*" { String::new() } else { interface }));
    put("connection.autoconnect", Some(yes(args.autoconnect)));
    put("connection.autoconnect-priority", args.autoconnect_priority.map(|number| number.to_string()));
    put("connection.autoconnect-retries", args.autoconnect_retries.map(|number| number.to_string()));
    put("connection.zone", args.zone.clone());
    put("connection.master", args.master.clone());
    let slave = match kind {
        Kind::BondSlave => Some("bond"),
        Kind::BridgeSlave => Some("bridge"),
        _ => args.slave_type.map(Slave::word),
    };
    put("connection.slave-type", slave.map(str::to_owned));
    // What is part of another has no addresses of its own, except in a routing domain.
    if slave.is_none() || slave == Some("vrf") {
        let unnamed = (kind == Kind::Dummy && args.ip4.is_none()).then_some(Method::Disabled);
        let four = Family {
            name: "ipv4",
            bits: 32,
            addresses: &args.ip4,
            gateway: &args.gw4,
            routes: &args.routes4,
            metric: args.route_metric4,
            dns: [&args.dns4, &args.dns4_search, &args.dns4_options],
            ignore: [args.dns4_ignore_auto, args.gw4_ignore_auto],
            method: args.method4,
        };
        four.add(unnamed, &mut put);
        put("ipv4.dhcp-client-id", args.dhcp_client_id.clone());
        put("ipv4.routing-rules", args.routing_rules4.as_ref().map(|list| list.join(",")));
        put("ipv4.never-default", Some(yes(args.never_default4)));
        if args.method4.or(unnamed) != Some(Method::Disabled) {
            put("ipv4.may-fail", Some(yes(args.may_fail4)));
        }
        let unnamed = (kind == Kind::Dummy && args.ip6.is_none()).then_some(Method::Disabled);
        let six = Family {
            name: "ipv6",
            bits: 128,
            addresses: &args.ip6,
            gateway: &args.gw6,
            routes: &args.routes6,
            metric: args.route_metric6,
            dns: [&args.dns6, &args.dns6_search, &args.dns6_options],
            ignore: [args.dns6_ignore_auto, args.gw6_ignore_auto],
            method: args.method6,
        };
        six.add(unnamed, &mut put);
        let privacy = args.ip_privacy6.map(|privacy| match privacy {
            Privacy::Unknown => "-1",
            Privacy::Disabled => "0",
            Privacy::PreferPublic => "1",
            Privacy::PreferTemporary => "2",
        });
        put("ipv6.ip6-privacy", privacy.map(str::to_owned));
        put("ipv6.addr-gen-mode", args.addr_gen_mode6.clone());
    }
    put("802-3-ethernet.mtu", number(args.mtu));
    let mac = if kind == Kind::Bridge { "bridge.mac-address" } else { "802-3-ethernet.cloned-mac-address" };
    put(mac, args.mac.clone());
    match kind {
        Kind::Bond => {
            let options = [
                ("mode", Some(args.mode.word().to_owned())),
                ("primary", args.primary.clone()),
                ("miimon", number(args.miimon)),
                ("downdelay", number(args.downdelay)),
                ("updelay", number(args.updelay)),
                ("xmit_hash_policy", args.xmit_hash_policy.clone()),
                ("fail_over_mac", args.fail_over_mac.clone()),
                ("arp_interval", number(args.arp_interval)),
                ("arp_ip_target", args.arp_ip_target.clone()),
            ];
            let options = options.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
            put("bond.options", Some(options.collect::<Vec<_>>().join(",")));
        }
        Kind::Bridge => {
            put("bridge.stp", Some(yes(args.stp)));
            for (property, value) in [
                ("bridge.priority", Some(args.priority).filter(|_| args.stp)),
                ("bridge.forward-delay", Some(args.forwarddelay)),
                ("bridge.hello-time", Some(args.hellotime)),
                ("bridge.max-age", Some(args.maxage)),
                ("bridge.ageing-time", Some(args.ageingtime)),
            ] {
                put(property, number(value));
            }
        }
        Kind::Vlan => {
            put("vlan.id", number(args.vlanid));
            put("vlan.parent", args.vlandev.clone());
            put("vlan.flags", args.flags.clone());
            put("vlan.ingress-priority-map", args.ingress.clone());
            put("vlan.egress-priority-map", args.egress.clone());
        }
        Kind::Vxlan => {
            put("vxlan.id", number(args.vxlan_id));
            put("vxlan.remote", args.vxlan_remote.clone());
            put("vxlan.local", args.vxlan_local.clone());
        }
        Kind::Gre | Kind::Ipip | Kind::Sit => {
            put("ip-tunnel.mode", Some(kind.word().to_owned()));
            put("ip-tunnel.parent", args.ip_tunnel_dev.clone());
            put("ip-tunnel.remote", args.ip_tunnel_remote.clone());
            put("ip-tunnel.local", args.ip_tunnel_local.clone());
            put("ip-tunnel.input-key", args.ip_tunnel_input_key.clone());
            put("ip-tunnel.output-key", args.ip_tunnel_output_key.clone());
        }
        Kind::Vrf => put("vrf.table", number(args.table)),
        _ => {}
    }
    if slave == Some("bridge") {
        put("bridge-port.path-cost", Some(args.path_cost.to_string()));
        put("bridge-port.hairpin-mode", Some(yes(args.hairpin)));
        put("bridge-port.priority", Some(args.slavepriority.to_string()));
    }
    wanted
}

/// What a plan remembers of a connection.
fn remembered(profile: &Profile, active: Option<bool>) -> Thing {
    let lines = profile.iter().map(|(property, value)| format!("{property}:{value}\n"));
    Thing::There(lines.chain(active.map(|is| format!("active:{is}\n"))).collect())
}

impl Resource for Nmcli {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let name = args.conn_name.clone();
        plain_word("conn_name", &name)?;
        let moved = matches!(args.state, Wish::Up | Wish::Down);
        let list = |words: &[&str]| -> Result<bool, Failure> {
            let told = NMCLI.answer(["-t", "-e", "no", "-f", "NAME", "connection", "show"].iter().chain(words).copied(), host)?;
            let told = told.ok_or_else(|| Failure::unknown("`nmcli` is not installed yet"))?;
            Ok(told.lines().any(|line| line == name))
        };
        let (profile, active) = match host.thing(&id(&name)) {
            Some(Thing::Gone) => (None, None),
            Some(Thing::There(text)) => {
                let mut profile = profile::parse(&text);
                let active = profile.remove("active").map(|is| is == "true");
                (Some(profile), active)
            }
            None if !list(&[])? => (None, None),
            None => {
                let told = NMCLI.answer(["-t", "-e", "no", "connection", "show", "id", &name], host)?.unwrap_or_default();
                (Some(profile::parse(&told)), if moved { Some(list(&["--active"])?) } else { None })
            }
        };
        let active = if moved { active.or(Some(false)) } else { None };
        Ok(State { name, profile, active })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        match args.state {
            Wish::Absent => return Ok(State { profile: None, ..now.clone() }),
            Wish::Up | Wish::Down if now.profile.is_none() => {
                return Err(Failure::new(format!("there is no connection named `{}`", now.name)));
            }
            Wish::Up | Wish::Down => {
                return Ok(State { profile: Some(Profile::new()), active: Some(args.state == Wish::Up), ..now.clone() });
            }
            Wish::Present => {}
        }
        let told = now.profile.as_ref().and_then(|profile| profile.get("connection.type"));
        let kind = match (args.r#type, told.map(String::as_str)) {
            (Some(kind), _) => kind,
            (None, Some("802-3-ethernet")) => Kind::Ethernet,
            (None, _) => return Err(Failure::new("`type` is needed to make a connection or to change one that is not Ethernet")),
        };
        if args.slave_type.is_some() && args.master.is_none() {
            return Err(Failure::new("missing required arguments: master, since slave_type is named"));
        }
        if matches!(kind, Kind::BondSlave | Kind::BridgeSlave) && args.master.is_none() {
            return Err(Failure::new("Please specify a name for the master when type is a slave"));
        }
        if args.never_default4 && args.gw4.is_some() {
            return Err(Failure::new("parameters are mutually exclusive: never_default4|gw4"));
        }
        let wanted = wanted(args, kind);
        profile::check(&wanted)?;
        Ok(State { profile: Some(wanted), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let name = &step.want.name;
        let old = step.now.profile.clone().unwrap_or_default();
        let Some(want) = &step.want.profile else {
            NMCLI.act(["connection", "delete", "id", name], &[Effect::Thing(id(name), Thing::Gone)], host)?;
            return Ok(Written::quiet());
        };
        if let Some(active) = step.want.active {
            let effect = Effect::Thing(id(name), remembered(&old, Some(active)));
            NMCLI.act(["connection", if active { "up" } else { "down" }, "id", name], &[effect], host)?;
            return Ok(Written::quiet());
        }
        let mut words: Vec<&str> = match (&step.now.profile, args.r#type) {
            (Some(_), _) => vec!["connection", "modify", "id", name],
            (None, kind) => {
                let kind = type_word(kind.ok_or_else(|| Failure::new("`type` is needed to make a connection"))?);
                let interface = want.get("connection.interface-name").map_or("", String::as_str);
                vec![
                    "connection",
                    "add",
                    "type",
                    kind,
                    "con-name",
                    name,
                    "ifname",
                    if interface.is_empty() { "*" } else { interface },
                ]
            }
        };
        // What a connection is a part of decides which further settings it may have.
        let (first, rest): (Vec<_>, Vec<_>) = want.iter().partition(|(property, _)| property.starts_with("connection."));
        for (property, value) in first.into_iter().chain(rest) {
            let told = old.get(property).map(|told| comparable(property, told));
            let made = step.now.profile.is_none() && (property == "connection.interface-name" || value.is_empty());
            if told.as_deref() != Some(&comparable(property, value)) && !made {
                words.extend([property.as_str(), value]);
            }
        }
        let mut after = old.clone();
        after.extend(want.clone());
        NMCLI.act(words, &[Effect::Thing(id(name), remembered(&after, None))], host)?;
        if args.conn_reload {
            NMCLI.act(["connection", "reload"], &[], host)?;
        }
        Ok(Written::quiet())
    }

    fn settled(args: &Args, after: &State) -> bool {
        // NetworkManager may tell a value in other words than it was given.
        args.state == Wish::Present && after.profile.is_some()
    }

    fn result(args: &Args, before: &State, _: &State) -> Map<String, Value> {
        let mut result = Map::from_iter([
            ("conn_name".to_owned(), args.conn_name.clone().into()),
            ("state".to_owned(), args.state.word().into()),
        ]);
        if args.state == Wish::Present {
            let exists = if before.profile.is_some() { "Connections already exist and no changes made" } else { "" };
            result.insert("Exists".into(), exists.into());
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([id(&args.conn_name)])
            .needing(args.master.iter().map(|name| id(name)).chain([ResourceId::new("package", "network-manager")]))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    #[test]
    fn options_are_properties() {
        for (options, kind, some, none) in [
            (
                json!({"ip4": "192.0.2.10", "gw4": "192.0.2.1", "dns4": ["1.1.1.1", "8.8.8.8"], "ifname": "*", "mtu": 9000}),
                Kind::Ethernet,
                vec![
                    ("connection.interface-name", ""),
                    ("ipv4.method", "manual"),
                    ("ipv4.addresses", "192.0.2.10/32"),
                    ("ipv4.dns", "1.1.1.1,8.8.8.8"),
                    ("802-3-ethernet.mtu", "9000"),
                    ("ipv4.may-fail", "yes"),
                ],
                "ipv6.method",
            ),
            (
                json!({"mode": "active-backup", "miimon": 100, "method4": "disabled"}),
                Kind::Bond,
                vec![("bond.options", "mode=active-backup,miimon=100"), ("connection.interface-name", "c")],
                "ipv4.may-fail",
            ),
            (
                json!({"master": "br0"}),
                Kind::BridgeSlave,
                vec![("connection.slave-type", "bridge"), ("bridge-port.path-cost", "100")],
                "ipv4.method",
            ),
            (json!({"vlanid": 10, "vlandev": "eth0"}), Kind::Vlan, vec![("vlan.id", "10")], "vlan.flags"),
            (json!({}), Kind::Dummy, vec![("ipv4.method", "disabled"), ("ipv6.method", "disabled")], "ipv4.may-fail"),
        ] {
            let mut all = json!({"conn_name": "c", "state": "present"});
            all.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            let wanted = wanted(&Args::parse(all.as_object().unwrap()).unwrap(), kind);
            for (property, value) in some {
                assert_eq!(wanted.get(property).map(String::as_str), Some(value), "{property} of {options}");
            }
            assert_eq!(wanted.get(none), None, "{options}");
        }
    }
}
