//! `firewalld`: what the zones of firewalld let in.

use serde_json::{Map, Value};

use super::firewalld_side::{Side, default_zone, is_running};
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::{args, choice};

choice! {
    /// What should be.
    pub enum Wish {
        /// The setting is there.
        Enabled = "enabled",
        /// The setting is not there.
        Disabled = "disabled",
        /// The zone, or its target, is there.
        Present = "present",
        /// The zone is not there, or its target is the usual one.
        Absent = "absent",
    }
}

choice! {
    /// What becomes of packets that nothing else in the zone is about.
    pub enum Target {
        /// As the zone is meant.
        Default = "default",
        /// They are let in.
        Accept = "ACCEPT",
        /// They are dropped.
        Drop = "DROP",
        /// They are refused.
        Reject = "%%REJECT%%",
    }
}

args! {
    /// Manages a setting of a zone of firewalld, in the running firewall, in what is kept, or in both.
    /// Where firewalld does not run, what is kept is managed without it.
    pub struct Args {
        /// A service that is let in.
        service: Option<String>,
        /// A protocol that is let in.
        protocol: Option<String>,
        /// A port, or a range of ports, that is let in (`8080/tcp`, `161-162/udp`).
        port: Option<String>,
        /// A port that is forwarded: `port`, `proto`, `toport` and maybe `toaddr`.
        port_forward: Option<Vec<Map<String, Value>>>,
        /// A rich rule.
        rich_rule: Option<String>,
        /// A network that belongs to the zone.
        source: Option<String>,
        /// An interface that belongs to the zone.
        interface: Option<String>,
        /// A kind of ICMP message that is refused.
        icmp_block: Option<String>,
        /// Whether only the kinds of ICMP messages that are named are let in.
        icmp_block_inversion: Option<bool>,
        /// The zone; the default zone where none is named.
        zone: Option<String>,
        /// Whether what is kept is managed.
        permanent: bool = false,
        /// Whether the running firewall is managed; without `permanent` it always is.
        immediate: bool = false,
        /// What should be.
        state: Wish,
        /// After how many seconds the running firewall forgets it; 0 for never.
        timeout: u32 = 0,
        /// Whether packets go from one interface of the zone to another.
        forward: Option<bool>,
        /// Whether the zone hides addresses.
        masquerade: Option<bool>,
        /// Whether `immediate` is passed over where firewalld does not run.
        offline: bool = false,
        /// What becomes of packets that nothing else in the zone is about.
        target: Option<Target>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A service, now and kept
  firewalld:
    service: https
    state: enabled
    permanent: true
    immediate: true
- name: No longer a port
  firewalld:
    zone: dmz
    port: 8081/tcp
    state: disabled
    permanent: true
- name: A zone of its own
  firewalld:
    zone: backend
    state: present
    permanent: true
- name: Hides addresses
  firewalld:
    zone: dmz
    masquerade: true
    state: enabled
    permanent: true
";

/// The module.
pub struct Firewalld;

/// What is managed.
#[derive(Debug, Clone, PartialEq, Eq)]
enum What {
    /// A setting by the name that options of the tool have, and its value if it has one.
    Setting(&'static str, Option<String>),
    /// The zone's target.
    Target(Target),
    /// The zone itself.
    Zone,
}

impl What {
    /// Of which kind, and which.
    fn name(&self) -> String {
        match self {
            Self::Setting(kind, None) => (*kind).to_owned(),
            Self::Setting(kind, Some(value)) => format!("{kind} {value}"),
            Self::Target(_) => "target".into(),
            Self::Zone => "zone".into(),
        }
    }
}

/// Each side that is managed, and how it has the setting; `None` = it has it not.
#[derive(Debug, Clone)]
pub struct State {
    zone: String,
    what: What,
    sides: Vec<(Side, Option<String>)>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let one = |(side, value): &(Side, Option<String>)| {
            let id = id(&self.zone, *side, &self.what);
            match value {
                None => ResourceState::absent(id),
                Some(value) => ResourceState::present(id).with("value", value.clone()),
            }
        };
        self.sides.iter().map(one).collect()
    }
}

fn id(zone: &str, side: Side, what: &What) -> ResourceId {
    ResourceId::new("firewalld", format!("{zone} {} {}", side.word(), what.name()))
}

/// A forwarded port as the tool writes it.
fn forward_port(list: &[Map<String, Value>]) -> Result<String, Failure> {
    let [one] = list else {
        return Err(Failure::new("Only one port forward supported at a time"));
    };
    if let Some(other) = one.keys().find(|key| !["port", "proto", "toport", "toaddr"].contains(&key.as_str())) {
        return Err(Failure::new(format!("`{other}` is not an option of port_forward")));
    }
    let text = |key: &str| match one.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    };
    let needed = |key: &str| {
        let text = text(key);
        if text.is_empty() || text.contains([':', '=']) {
            return Err(Failure::new(format!("port_forward needs a `{key}`")));
        }
        Ok(text)
    };
    let mut written = format!("port={}:proto={}:toport={}", needed("port")?, needed("proto")?, needed("toport")?);
    let address = text("toaddr");
    if !address.is_empty() {
        written.push_str(&format!(":toaddr={address}"));
    }
    Ok(written)
}

/// What the options are about, and whether it should be there.
fn what(args: &Args) -> Result<(What, bool), Failure> {
    let enabled = matches!(args.state, Wish::Enabled | Wish::Present);
    let mut list: Vec<(What, bool)> = Vec::new();
    for (kind, value) in [
        ("service", &args.service),
        ("protocol", &args.protocol),
        ("port", &args.port),
        ("rich-rule", &args.rich_rule),
        ("source", &args.source),
        ("interface", &args.interface),
        ("icmp-block", &args.icmp_block),
    ] {
        list.extend(value.clone().map(|value| (What::Setting(kind, Some(value)), enabled)));
    }
    if let Some(ports) = args.port_forward.as_deref() {
        list.push((What::Setting("forward-port", Some(forward_port(ports)?)), enabled));
    }
    for (kind, value) in
        [("icmp-block-inversion", args.icmp_block_inversion), ("forward", args.forward), ("masquerade", args.masquerade)]
    {
        list.extend(value.map(|value| (What::Setting(kind, None), value == enabled)));
    }
    let zoned = matches!(args.state, Wish::Present | Wish::Absent);
    if let Some(target) = args.target {
        list.push((What::Target(if enabled { target } else { Target::Default }), true));
    } else if zoned && !list.is_empty() {
        return Err(Failure::new("absent and present state can only be used in zone level operations"));
    }
    if list.len() > 1 {
        return Err(Failure::new(
            "can only operate on one of port, service, protocol, rich_rule, masquerade, forward, icmp_block, \
             icmp_block_inversion, interface, source, port_forward or target at once",
        ));
    }
    match (list.pop(), &args.zone) {
        (Some(found), _) => Ok(found),
        (None, Some(_)) if zoned => Ok((What::Zone, enabled)),
        (None, None) if zoned => Err(Failure::new("a zone is needed to make or remove one")),
        (None, _) => Err(Failure::new("one of the settings of a zone is needed (service, port, source ...)")),
    }
}

/// The sides that are managed.
fn sides(args: &Args, what: &What, host: &dyn Inspect) -> Result<Vec<Side>, Failure> {
    let immediate = args.immediate || !args.permanent;
    if matches!(what, What::Zone | What::Target(_)) && immediate {
        return Err(Failure::new(
            "Zone operations must be permanent. Make sure you didn't set the 'permanent' flag to 'false' or the \
             'immediate' flag to 'true'.",
        ));
    }
    if args.timeout > 0 && args.permanent {
        return Err(Failure::new("`timeout` is of the running firewall alone, not for what is permanent"));
    }
    let running = is_running(host)?;
    if immediate && !running && !(args.permanent && args.offline) {
        if !host.acts() && host.has_plans() {
            return Err(Failure::unknown("firewalld does not run yet"));
        }
        return Err(Failure::new(
            "firewall is not currently running, unable to perform immediate actions without a running firewall daemon",
        ));
    }
    let mut sides = Vec::new();
    if args.permanent {
        sides.push(if running { Side::Permanent } else { Side::Offline });
    }
    if immediate && running {
        sides.push(Side::Runtime);
    }
    Ok(sides)
}

/// How one side has it.
fn read_side(side: Side, zone: &str, what: &What, host: &dyn Inspect) -> Result<Option<String>, Failure> {
    match host.thing(&id(zone, side, what)) {
        Some(Thing::Gone) => return Ok(None),
        Some(Thing::There(value)) => return Ok(Some(value)),
        None => {}
    }
    // A zone that a plan would make has nothing of its own yet.
    let planned = host.thing(&id(zone, side, &What::Zone));
    match what {
        What::Zone => {
            let zones = side.tell(None, &["--get-zones"], host)?;
            Ok(zones.split_whitespace().any(|other| other == zone).then(|| "there".to_owned()))
        }
        What::Target(_) if planned.is_some() => Ok(Some("default".into())),
        What::Target(_) => Ok(Some(side.tell(Some(zone), &["--get-target"], host)?.trim().to_owned())),
        What::Setting(..) if planned.is_some() => Ok(None),
        What::Setting(kind, value) => {
            let query = value.as_ref().map_or_else(|| format!("--query-{kind}"), |value| format!("--query-{kind}={value}"));
            Ok(side.is(zone, &query, host)?.then(|| "on".to_owned()))
        }
    }
}

/// The options that make or remove it.
fn acting(side: Side, what: &What, zone: &str, on: bool, timeout: u32) -> Vec<String> {
    match what {
        What::Zone => vec![format!("--{}-zone={zone}", if on { "new" } else { "delete" })],
        What::Target(target) => vec![format!("--set-target={}", target.word())],
        What::Setting(kind, value) => {
            let verb = match (*kind, on) {
                // An interface belongs to one zone: it leaves the other.
                ("interface", true) => "change",
                (_, true) => "add",
                (_, false) => "remove",
            };
            // The tool for a firewall that does not run has another meaning for the short name.
            let suffix = if side == Side::Offline && *kind == "service" && !on { "-from-zone" } else { "" };
            let mut words = vec![format!("--{verb}-{kind}{suffix}")];
            if let Some(value) = value {
                words[0].push_str(&format!("={value}"));
            }
            if on && side == Side::Runtime && timeout > 0 {
                words.push(format!("--timeout={timeout}"));
            }
            words
        }
    }
}

impl Resource for Firewalld {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let (what, _) = what(args)?;
        let sides = sides(args, &what, host)?;
        let first = *sides.first().expect("a side is always managed");
        let zone = match &args.zone {
            Some(zone) => zone.clone(),
            None => default_zone(first, host)?,
        };
        let sides =
            sides.into_iter().map(|side| Ok((side, read_side(side, &zone, &what, host)?))).collect::<Result<_, Failure>>()?;
        Ok(State { zone, what, sides })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let (what, on) = what(args)?;
        let value = match &what {
            What::Zone => "there",
            What::Target(target) => target.word(),
            What::Setting(..) => "on",
        };
        let sides = now.sides.iter().map(|(side, _)| (*side, on.then(|| value.to_owned()))).collect();
        Ok(State { sides, ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        for ((side, now), (_, want)) in step.now.sides.iter().zip(&step.want.sides) {
            if now == want {
                continue;
            }
            let State { zone, what, .. } = step.want;
            let thing = want.clone().map_or(Thing::Gone, Thing::There);
            let effect = Effect::Thing(id(zone, *side, what), thing);
            let words = acting(*side, what, zone, want.is_some(), args.timeout);
            let of = (*what != What::Zone).then_some(zone.as_str());
            side.act(of, &words, &effect, host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let mut said = Vec::new();
        said.push(match (args.permanent, args.immediate) {
            (true, true) => "Permanent and Non-Permanent(immediate) operation".to_owned(),
            (true, false) => "Permanent operation".to_owned(),
            (false, _) => "Non-permanent operation".to_owned(),
        });
        if before.sides != after.sides {
            said.push(match (&after.what, args.state) {
                (What::Zone, Wish::Present) => format!("Added zone {}", after.zone),
                (What::Zone, _) => format!("Removed zone {}", after.zone),
                (what, state) => format!("Changed {} to {}", what.name(), state.word()),
            });
        }
        Map::from_iter([("msg".to_owned(), said.join(", ").into())])
    }

    fn claims(args: &Args) -> Claims {
        let zone = args.zone.clone().unwrap_or_else(|| "default".into());
        Claims::provides([ResourceId::new("firewalld", zone)])
            .needing([ResourceId::new("package", "firewalld"), ResourceId::new("unit", "firewalld.service")])
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::args::Arguments as _;

    fn parse(options: &Value) -> Args {
        Args::parse(options.as_object().unwrap()).unwrap()
    }

    #[test]
    fn options_are_one_setting() {
        let setting = |kind, value: &str| Some((What::Setting(kind, Some(value.to_owned())), true));
        for (options, expected) in [
            (json!({"service": "https", "state": "enabled"}), setting("service", "https")),
            (json!({"service": "https", "port": "1/tcp", "state": "enabled"}), None),
            (json!({"service": "https", "state": "present"}), None),
            (json!({"state": "enabled"}), None),
            (json!({"zone": "x", "state": "enabled"}), None),
            (json!({"zone": "x", "state": "absent"}), Some((What::Zone, false))),
            (json!({"zone": "x", "state": "absent", "target": "DROP"}), Some((What::Target(Target::Default), true))),
            (json!({"masquerade": false, "state": "enabled"}), Some((What::Setting("masquerade", None), false))),
            (json!({"masquerade": false, "state": "disabled"}), Some((What::Setting("masquerade", None), true))),
            (
                json!({"port_forward": [{"port": 443, "proto": "tcp", "toport": "8443"}], "state": "enabled"}),
                setting("forward-port", "port=443:proto=tcp:toport=8443"),
            ),
            (json!({"port_forward": [{"port": 443, "proto": "tcp"}], "state": "enabled"}), None),
        ] {
            assert_eq!(what(&parse(&options)).ok(), expected, "{options}");
        }
    }

    #[test]
    fn each_side_has_its_words() {
        let service = What::Setting("service", Some("ftp".into()));
        for (side, what, on, timeout, expected) in [
            (Side::Runtime, service.clone(), true, 60, "--add-service=ftp --timeout=60"),
            (Side::Permanent, service.clone(), false, 0, "--remove-service=ftp"),
            (Side::Offline, service, false, 0, "--remove-service-from-zone=ftp"),
            (Side::Offline, What::Setting("masquerade", None), true, 0, "--add-masquerade"),
            (Side::Permanent, What::Setting("interface", Some("eth0".into())), true, 0, "--change-interface=eth0"),
            (Side::Permanent, What::Zone, false, 0, "--delete-zone=z"),
            (Side::Permanent, What::Target(Target::Reject), true, 0, "--set-target=%%REJECT%%"),
        ] {
            assert_eq!(acting(side, &what, "z", on, timeout).join(" "), expected);
        }
    }
}
