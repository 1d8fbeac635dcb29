//! `docker_network`: a network of Docker's, and which containers are connected to it.

use serde_json::{Map, Value, json};

use super::engine::{Engine, docker_args};
use super::words::{each, map, pairs, texts};
use crate::accounts::group::Presence;
use crate::change::{Change, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::host::{Effect, Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::plain_word;

choice! {
    /// How far a network reaches.
    pub enum Scope {
        /// This engine.
        Local = "local",
        /// All engines.
        Global = "global",
        /// The swarm.
        Swarm = "swarm",
    }
}

docker_args! {
    /// Manages a network of Docker's.
    ///
    /// An engine cannot change a network: where something differs it is removed and made anew, and of its containers only
    /// those in `connected` are connected again.
    pub struct Args {
        /// Name of the network.
        name ("network_name"): String,
        /// Containers that are connected to it.
        connected ("containers"): Vec<String> = Vec::new(),
        /// Whether containers that are not named stay connected.
        appends ("incremental"): bool = false,
        /// The driver.
        driver: String = "bridge".into(),
        /// Options of the driver.
        driver_options: Map<String, Value> = Map::new(),
        /// With `absent`: containers are disconnected first. With `present`: it is made anew every time.
        force: bool = false,
        /// Network that has the configuration.
        config_from: Option<String>,
        /// Whether it is only a configuration for others.
        config_only: Option<bool>,
        /// Whether it has IPv4.
        enable_ipv4: Option<bool>,
        /// Whether it has IPv6.
        enable_ipv6: Option<bool>,
        /// Whether it routes between nodes of a swarm.
        ingress: Option<bool>,
        /// Driver that manages addresses.
        ipam_driver: Option<String>,
        /// Its options.
        ipam_driver_options: Option<Map<String, Value>>,
        /// Blocks of addresses: each a mapping of `subnet`, `iprange`, `gateway` and `aux_addresses`.
        ipam_config: Option<Vec<Map<String, Value>>>,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Whether it leads nowhere else.
        internal: Option<bool>,
        /// Labels; those that are not named stay.
        labels: Map<String, Value> = Map::new(),
        /// How far it reaches.
        scope: Option<Scope>,
        /// Whether containers outside a swarm's services can be connected.
        attachable: Option<bool>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A network
  docker_network:
    name: backend
- name: With addresses, and two containers
  docker_network:
    name: frontend
    driver_options:
      com.docker.network.bridge.name: br-front
    ipam_config:
      - subnet: 172.23.27.0/24
        gateway: 172.23.27.2
        iprange: 172.23.27.0/26
    internal: true
- name: No network
  docker_network:
    name: old
    state: absent
    force: true
";

/// The module.
pub struct DockerNetwork;

/// The network, and what the engine says of it.
#[derive(Debug, Clone)]
pub struct State {
    network: Object,
    raw: Value,
}

const MANAGED: &[&str] = &[
    "driver",
    "driver_options",
    "ipam_driver",
    "ipam_driver_options",
    "ipam_config",
    "enable_ipv4",
    "enable_ipv6",
    "internal",
    "attachable",
    "ingress",
    "scope",
    "config_only",
    "config_from",
    "labels",
    "connected",
];

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.network.resource(MANAGED)]
    }
}

/// Blocks of addresses by the names of the options.
fn blocks(raw: &Value) -> Value {
    let block = |block: &Value| {
        let auxiliary = map(&block["AuxiliaryAddresses"]);
        let some = |value: &Value| if value == "" { Value::Null } else { value.clone() };
        Value::Object(properties([
            ("subnet", some(&block["Subnet"])),
            ("gateway", some(&block["Gateway"])),
            ("iprange", some(&block["IPRange"])),
            ("aux_addresses", if auxiliary.is_empty() { Value::Null } else { auxiliary.into() }),
        ]))
    };
    raw.as_array().into_iter().flatten().map(block).collect::<Vec<_>>().into()
}

/// Names of connected containers, sorted.
fn connected(raw: &Value) -> Vec<String> {
    let containers = raw["Containers"].as_object();
    let mut names: Vec<String> =
        containers.into_iter().flatten().filter_map(|(_, one)| one["Name"].as_str().map(str::to_owned)).collect();
    names.sort();
    names
}

fn observed(raw: &Value) -> Map<String, Value> {
    properties([
        ("driver", raw["Driver"].clone()),
        ("driver_options", map(&raw["Options"]).into()),
        ("ipam_driver", raw["IPAM"]["Driver"].clone()),
        ("ipam_driver_options", map(&raw["IPAM"]["Options"]).into()),
        ("ipam_config", blocks(&raw["IPAM"]["Config"])),
        ("enable_ipv4", raw["EnableIPv4"].clone()),
        ("enable_ipv6", raw["EnableIPv6"].clone()),
        ("internal", raw["Internal"].clone()),
        ("attachable", raw["Attachable"].clone()),
        ("ingress", raw["Ingress"].clone()),
        ("scope", raw["Scope"].clone()),
        ("config_only", raw["ConfigOnly"].clone()),
        ("config_from", raw["ConfigFrom"]["Network"].clone()),
        ("labels", map(&raw["Labels"]).into()),
    ])
}

/// A block of addresses as it is asked for; what the engine chose where nothing is said counts as asked.
fn asked_block(block: &Map<String, Value>, now: &Object) -> Result<Value, Failure> {
    if let Some(name) = block.keys().find(|name| !["subnet", "iprange", "gateway", "aux_addresses"].contains(&name.as_str())) {
        return Err(Failure::new(format!("`ipam_config`: `{name}` is not an option of a block of addresses")));
    }
    let given: Map<String, Value> = block
        .iter()
        .filter(|(_, value)| !value.is_null() && **value != json!({}))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let mut there = now.get("ipam_config").as_array().into_iter().flatten();
    let same = there.find(|there| given.iter().all(|(name, value)| there[name] == *value));
    Ok(same.cloned().unwrap_or(given.into()))
}

/// What is asked, but for connections.
fn asked(args: &Args, now: &Object) -> Result<Map<String, Value>, Failure> {
    // What is not named stays, but what is named must be so.
    let some = |name: &str, options: &Map<String, Value>| {
        if options.is_empty() { Value::Null } else { super::docker_volume::with(now.get(name), options) }
    };
    let config = match &args.ipam_config {
        None => Value::Null,
        Some(list) => {
            let wanted = list.iter().map(|block| asked_block(block, now)).collect::<Result<Vec<Value>, Failure>>()?;
            let there = now.get("ipam_config");
            let same =
                there.as_array().is_some_and(|there| there.len() == wanted.len() && wanted.iter().all(|one| there.contains(one)));
            if same { there.clone() } else { wanted.into() }
        }
    };
    let ipam_options = match &args.ipam_driver_options {
        Some(options) => texts(options).into(),
        None => Value::Null,
    };
    Ok(properties([
        ("driver", json!(args.driver)),
        ("driver_options", some("driver_options", &args.driver_options)),
        ("ipam_driver", json!(args.ipam_driver)),
        ("ipam_driver_options", ipam_options),
        ("ipam_config", config),
        ("enable_ipv4", json!(args.enable_ipv4)),
        ("enable_ipv6", json!(args.enable_ipv6)),
        ("internal", json!(args.internal)),
        ("attachable", json!(args.attachable)),
        ("ingress", json!(args.ingress)),
        ("scope", json!(args.scope.map(Scope::word))),
        ("config_only", json!(args.config_only)),
        ("config_from", json!(args.config_from)),
        ("labels", some("labels", &args.labels)),
    ]))
}

/// The words that make the network.
fn create(args: &Args) -> Result<Vec<String>, Failure> {
    let mut words: Vec<String> = ["network", "create", "--driver", &args.driver].map(str::to_owned).into();
    words.extend(each("--opt", pairs(&args.driver_options)));
    words.extend(each("--ipam-driver", args.ipam_driver.clone()));
    words.extend(each("--ipam-opt", pairs(args.ipam_driver_options.as_ref().unwrap_or(&Map::new()))));
    for block in args.ipam_config.iter().flatten() {
        for (name, option) in [("subnet", "--subnet"), ("iprange", "--ip-range"), ("gateway", "--gateway")] {
            words.extend(each(option, block.get(name).filter(|value| !value.is_null()).map(super::words::scalar)));
        }
        words.extend(each("--aux-address", pairs(&map(block.get("aux_addresses").unwrap_or(&Value::Null)))));
    }
    // Left alone where it is not asked for: older clients have no such option.
    words.extend(args.enable_ipv4.filter(|on| !on).map(|_| "--ipv4=false".to_owned()));
    for (on, option) in [
        (args.enable_ipv6, "--ipv6"),
        (args.internal, "--internal"),
        (args.attachable, "--attachable"),
        (args.ingress, "--ingress"),
        (args.config_only, "--config-only"),
    ] {
        words.extend(on.filter(|on| *on).map(|_| option.to_owned()));
    }
    words.extend(each("--scope", args.scope.map(|scope| scope.word().to_owned())));
    words.extend(each("--config-from", args.config_from.clone()));
    words.extend(each("--label", pairs(&args.labels)));
    words.push(args.name.clone());
    Ok(words)
}

/// Connects and disconnects until the wanted containers are connected.
fn connect(
    engine: &Engine,
    name: &str,
    now: &[String],
    want: &Object,
    effect: &Effect,
    host: &mut dyn Host,
) -> Result<(), Failure> {
    let wanted: Vec<String> = want.get("connected").as_array().into_iter().flatten().map(super::words::scalar).collect();
    for container in wanted.iter().filter(|container| !now.contains(container)) {
        engine.act(["network", "connect", name, container], std::slice::from_ref(effect), host)?;
    }
    for container in now.iter().filter(|container| !wanted.contains(container)) {
        engine.act(["network", "disconnect", "--force", name, container], std::slice::from_ref(effect), host)?;
    }
    Ok(())
}

impl Resource for DockerNetwork {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let engine = args.engine()?;
        plain_word("name", &args.name)?;
        args.connected.iter().try_for_each(|name| plain_word("connected", name))?;
        let id = engine.id("network", &args.name);
        if let Some(network) = Object::planned(&id, host) {
            return Ok(State { network, raw: Value::Null });
        }
        let Some(raw) = engine.inspect("network", &args.name, host)? else {
            return Ok(State { network: Object::absent(id), raw: Value::Null });
        };
        let mut names = connected(&raw);
        // The engine lists only containers that run.
        for name in &args.connected {
            if !names.contains(name)
                && let Some(container) = engine.inspect("container", name, host)?
                && map(&container["NetworkSettings"]["Networks"]).contains_key(&args.name)
            {
                names.push(name.clone());
            }
        }
        names.sort();
        let mut found = observed(&raw);
        found.insert("connected".into(), names.into());
        Ok(State { network: Object::present(id, found), raw })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let id = now.network.id.clone();
        if args.state == Presence::Absent {
            return Ok(State { network: Object::absent(id), raw: Value::Null });
        }
        let mut wanted = asked(args, &now.network)?;
        let mut names = args.connected.clone();
        if args.appends {
            names.extend(now.network.get("connected").as_array().into_iter().flatten().map(super::words::scalar));
        }
        names.sort();
        names.dedup();
        wanted.insert("connected".into(), names.into());
        Ok(State { network: Object::present(id, wanted), raw: Value::Null })
    }

    fn runs(args: &Args, now: &State, _: &State) -> Vec<Change> {
        let anew = args.force && args.state == Presence::Present && now.network.exists();
        if anew { vec![Change::run(now.network.id.clone())] } else { Vec::new() }
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let engine = args.engine()?;
        let mut now: Vec<String> =
            step.now.network.get("connected").as_array().into_iter().flatten().map(super::words::scalar).collect();
        let gone = Object::absent(step.now.network.id.clone());
        let effect = step.want.network.effect(&step.now.network);
        let differs =
            args.force || step.changes.iter().flat_map(|change| &change.differences).any(|one| one.property != "connected");
        if step.now.network.exists() && differs {
            if args.force || step.want.network.exists() {
                for container in &now {
                    engine.act(["network", "disconnect", "--force", &args.name, container], &[], host)?;
                }
            }
            engine.act(["network", "rm", &args.name], &[gone.effect(&step.now.network)], host)?;
            now.clear();
        }
        if step.want.network.exists() {
            if differs || !step.now.network.exists() {
                engine.act(create(args)?, std::slice::from_ref(&effect), host)?;
            }
            connect(&engine, &args.name, &now, &step.want.network, &effect, host)?;
        }
        Ok(Written::quiet())
    }

    fn result(_: &Args, _: &State, after: &State) -> Map<String, Value> {
        properties([("network", after.raw.clone())])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([args.claimed("network", &args.name)])
            .needing(args.connected.iter().map(|name| args.claimed("container", name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;

    fn there() -> Value {
        json!([{
            "Name": "n", "Id": "1", "Scope": "local", "Driver": "bridge", "EnableIPv6": false, "Internal": false, "Attachable": false,
            "Ingress": false, "ConfigFrom": {"Network": ""}, "ConfigOnly": false, "Options": {"a": "1"}, "Labels": {"x": "y"},
            "IPAM": {"Driver": "default", "Options": null, "Config": [{"Subnet": "10.1.0.0/24", "Gateway": "10.1.0.1"}]},
            "Containers": {"aa": {"Name": "web"}, "bb": {"Name": "db"}},
        }])
    }

    #[test]
    fn a_network_is_made_anew_only_where_it_differs() {
        let anew = |create: &str| {
            let mut list = vec!["network disconnect --force n db", "network disconnect --force n web", "network rm n"];
            list.push(create);
            list.into_iter().map(str::to_owned).collect::<Vec<String>>()
        };
        let cases: &[(Value, Vec<String>)] = &[
            (json!({"connected": ["web", "db"], "driver_options": {"a": 1}, "ipam_config": [{"subnet": "10.1.0.0/24"}]}), vec![]),
            (json!({"connected": ["web"]}), vec!["network disconnect --force n db".into()]),
            (json!({"connected": ["app"], "appends": true}), vec!["network connect n app".into()]),
            (json!({"internal": true}), anew("network create --driver bridge --internal n")),
            (
                json!({"ipam_config": [{"subnet": "10.2.0.0/24", "aux_addresses": {"a": "10.2.0.9"}}]}),
                anew("network create --driver bridge --subnet 10.2.0.0/24 --aux-address a=10.2.0.9 n"),
            ),
            (json!({"state": "absent"}), vec!["network rm n".into()]),
        ];
        for (options, expected) in cases {
            let mut options = options.clone();
            options["name"] = json!("n");
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            let mut host = MemoryHost::default();
            host.answer(&["docker", "container", "inspect", "*"], 0, "[{}]");
            host.answer(&["docker", "network", "inspect", "n"], 0, &there().to_string());
            resource::converge::<DockerNetwork>(&args, &mut host).unwrap();
            let ran: Vec<String> = host.ran.iter().map(|line| line.argv[1..].join(" ")).collect();
            assert_eq!(&ran, expected, "{options}");
        }
    }
}
