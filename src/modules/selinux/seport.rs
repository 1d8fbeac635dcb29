//! `seport`: which network ports a type of SELinux covers.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::policy::{SEMANAGE, list, require};
use crate::accounts::group::Presence;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::plain_word;
use crate::{args, choice};

choice! {
    /// Of which protocol.
    pub enum Protocol {
        /// TCP.
        Tcp = "tcp",
        /// UDP.
        Udp = "udp",
    }
}

args! {
    /// Assigns network ports to a type of SELinux, or takes them from it, with the host's `semanage`.
    pub struct Args {
        /// Ports and ranges (`8000-8010`).
        ports: Vec<String>,
        /// Of which protocol.
        proto: Protocol,
        /// The type.
        setype: String,
        /// Whether the ports are of this type.
        state: Presence = Presence::Present,
        /// Whether the policy is loaded afterwards.
        reload: bool = true,
        /// Whether it does not matter that SELinux is off (in a chroot).
        ignore_selinux_state: bool = false,
        /// Whether only what the administrator added is looked at.
        local: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: The web server listens on more ports
  seport:
    ports: [8888, 10000-10100]
    proto: tcp
    setype: http_port_t
- name: Not any more
  seport:
    ports: '8081'
    proto: tcp
    setype: http_port_t
    state: absent
";

/// The module.
pub struct Seport;

/// Each port and its type, if it has one of its own.
#[derive(Debug, Clone)]
pub struct State {
    protocol: &'static str,
    types: BTreeMap<String, Option<String>>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        let one = |(port, setype): (&String, &Option<String>)| match setype {
            None => ResourceState::absent(id(self.protocol, port)),
            Some(setype) => ResourceState::present(id(self.protocol, port)).with("type", setype.clone()),
        };
        self.types.iter().map(one).collect()
    }
}

fn id(protocol: &str, port: &str) -> ResourceId {
    ResourceId::new("seport", format!("{protocol}/{port}"))
}

/// A port or a range as `semanage` writes it.
fn port(written: &str) -> Result<String, Failure> {
    let number = |text: &str| text.trim().parse::<u16>().ok().filter(|number| *number > 0);
    let parsed = match written.split_once('-') {
        None => number(written).map(|port| port.to_string()),
        Some((first, last)) => match (number(first), number(last)) {
            (Some(first), Some(last)) if first < last => Some(format!("{first}-{last}")),
            _ => None,
        },
    };
    parsed.ok_or_else(|| Failure::new(format!("`{written}` is not a port or a range of ports")))
}

/// Which type a port has in the list: lines of a type, a protocol and ports with commas.
fn parse(list: &str, protocol: &str, port: &str, favoured: &str) -> Option<String> {
    let mut found: Option<&str> = None;
    for line in list.lines() {
        let mut words = line.split_whitespace();
        let (Some(setype), Some(of)) = (words.next(), words.next()) else { continue };
        if of == protocol && words.any(|word| word.trim_end_matches(',') == port) && found != Some(favoured) {
            found = Some(setype);
        }
    }
    found.map(str::to_owned)
}

impl Resource for Seport {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        plain_word("setype", &args.setype)?;
        let ports: Vec<String> = args.ports.iter().map(|written| port(written)).collect::<Result<_, _>>()?;
        require(args.ignore_selinux_state, host)?;
        let listed = list("port", args.local, host)?;
        let protocol = args.proto.word();
        let setype = |port: &str| match host.thing(&id(protocol, port)) {
            Some(Thing::There(setype)) => Some(setype),
            Some(Thing::Gone) => None,
            None => parse(&listed, protocol, port, &args.setype),
        };
        let types = ports.iter().map(|port| (port.clone(), setype(port))).collect();
        Ok(State { protocol, types })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        for setype in want.types.values_mut() {
            match args.state {
                Presence::Present => *setype = Some(args.setype.clone()),
                Presence::Absent => drop(setype.take_if(|setype| *setype == args.setype)),
            }
        }
        Ok(want)
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        // What the policy itself says is changed rather than added, even if only local changes are asked for.
        let listed = if args.local { list("port", false, host.inspect())? } else { String::new() };
        let protocol = args.proto.word();
        for (port, setype) in &step.want.types {
            let now = step.now.types.get(port).cloned().flatten();
            if now == *setype {
                continue;
            }
            let known = now.is_some() || parse(&listed, protocol, port, &args.setype).is_some();
            let (verb, thing) = match setype {
                None => ("-d", Thing::Gone),
                Some(setype) => (if known { "-m" } else { "-a" }, Thing::There(setype.clone())),
            };
            let mut words = vec!["port", verb, "-p", protocol];
            if setype.is_some() {
                words.extend(["-t", &args.setype]);
            }
            words.extend((!args.reload).then_some("-N"));
            words.push(port);
            SEMANAGE.act(words, &[Effect::Thing(id(protocol, port), thing)], host)?;
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, _: &State, _: &State) -> Map<String, Value> {
        let fields = json!({
            "ports": args.ports, "proto": args.proto.word(), "setype": args.setype, "state": args.state.word(),
        });
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides(args.ports.iter().map(|port| id(args.proto.word(), port)))
            .needing([ResourceId::new("package", "policycoreutils-python-utils")])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_of_a_port_is_read() {
        let list = "http_port_t                    tcp      8888, 80, 81, 443\n\
                    http_port_t                    udp      9999\n\
                    afs3_callback_port_t           tcp      7001, 10000-10100\n\
                    other_port_t                   tcp      443\n";
        for (protocol, port, expected) in [
            ("tcp", "80", Some("http_port_t")),
            ("tcp", "443", Some("http_port_t")),
            ("tcp", "10000-10100", Some("afs3_callback_port_t")),
            ("tcp", "10050", None),
            ("udp", "9999", Some("http_port_t")),
            ("udp", "80", None),
        ] {
            assert_eq!(parse(list, protocol, port, "http_port_t").as_deref(), expected, "{protocol} {port}");
        }
    }

    #[test]
    fn ports_are_checked() {
        for (written, expected) in [
            ("80", Some("80")),
            ("8000 - 8010", Some("8000-8010")),
            ("8010-8000", None),
            ("0", None),
            ("70000", None),
            ("-a", None),
            ("http", None),
        ] {
            assert_eq!(port(written).ok().as_deref(), expected, "{written}");
        }
    }
}
