//! What the options of `docker_container` ask for, as properties, and how they are compared with what is there.

use serde_json::{Map, Value, json};

use super::docker_container::Args;
use super::rows::{Kind, ROWS};
use super::sizes::bytes;
use super::words::{map, scalar, texts};
use super::{environment, health, mounts, networks, ports, rows};
use crate::commands::words::split;
use crate::host::Inspect;
use crate::outcome::Failure;

/// Properties that are asked for, with what only a look at the host can tell of them.
pub(super) fn properties(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
    let mut asked = plain(args);
    let sizes = [
        ("memory", &args.memory),
        ("memory_reservation", &args.memory_reservation),
        ("memory_swap", &args.memory_swap),
        ("kernel_memory", &args.kernel_memory),
        ("shm_size", &args.shm_size),
    ];
    for (name, text) in sizes {
        if let Some(text) = text.as_deref().filter(|text| !text.is_empty()) {
            asked.insert(name.into(), if text == "unlimited" { json!(-1) } else { bytes(name, text)?.into() });
        }
    }
    let environment = variables(args, host)?;
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            asked.insert(name.into(), value);
        }
    };
    put("env", (args.env.is_some() || args.env_file.is_some()).then(|| json!(environment)));
    let address = args.default_host_ip.as_deref().unwrap_or_default();
    put(
        "published_ports",
        args.published_ports.as_ref().map(|list| ports::published(list, address)).transpose()?.map(Value::Object),
    );
    put("exposed_ports", args.exposed_ports.as_ref().map(|list| ports::exposed(list)).transpose()?.map(|list| json!(list)));
    put("volumes", args.volumes.as_ref().map(|list| mounts::volumes(list, host)).transpose()?.map(|list| json!(list)));
    let list = args.mounts.as_ref().map(|list| list.iter().map(mounts::mount).collect::<Result<Vec<Value>, Failure>>());
    put("mounts", list.transpose()?.map(Value::Array));
    put("tmpfs", args.tmpfs.as_ref().map(|list| mounts::tmpfs(list).into()));
    put("healthcheck", args.healthcheck.as_ref().map(health::asked).transpose()?);
    let list = args.ulimits.as_ref().map(|list| list.iter().map(|text| ulimit(text)).collect::<Result<Vec<Value>, Failure>>());
    put("ulimits", list.transpose()?.map(Value::Array));
    put("devices", args.devices.as_ref().map(|list| list.iter().map(|text| device(text)).collect::<Vec<_>>().into()));
    for (name, list) in [
        ("device_read_bps", &args.device_read_bps),
        ("device_write_bps", &args.device_write_bps),
        ("device_read_iops", &args.device_read_iops),
        ("device_write_iops", &args.device_write_iops),
    ] {
        let list = list.as_ref().map(|list| list.iter().map(|one| rate(name, one)).collect::<Result<Vec<Value>, Failure>>());
        put(name, list.transpose()?.map(Value::Array));
    }
    let command = command(args)?;
    match (&args.entrypoint, command) {
        // The client takes only one word for it: others are the first of the command.
        (Some(words), command) if words.len() > 1 => {
            put("entrypoint", Some(json!(words[..1])));
            put("command", Some(json!([&words[1..], &command.unwrap_or_default()].concat())));
        }
        (entrypoint, command) => {
            put("entrypoint", entrypoint.as_ref().map(|words| json!(words)));
            put("command", command.map(|words| json!(words)));
        }
    }
    Ok(asked)
}

/// The variables that are asked for: those of the file, and over them those of the playbook.
fn variables(args: &Args, host: &dyn Inspect) -> Result<std::collections::BTreeMap<String, String>, Failure> {
    let mut all = match &args.env_file {
        Some(path) => environment::file(&crate::commands::words::expand_path(path, host), host)?,
        None => std::collections::BTreeMap::new(),
    };
    all.extend(args.env.as_ref().map(environment::texts).transpose()?.unwrap_or_default());
    Ok(all)
}

fn command(args: &Args) -> Result<Option<Vec<String>>, Failure> {
    Ok(match &args.command {
        None | Some(Value::Null) => None,
        Some(Value::Array(list)) => Some(list.iter().map(scalar).collect()),
        Some(text) => Some(split(&scalar(text))?),
    })
}

/// What needs no more than its value.
fn plain(args: &Args) -> Map<String, Value> {
    let compatible = args.container_default_behavior == super::docker_container::Defaults::Compatibility;
    let switch = |given: Option<bool>| json!(given.or(compatible.then_some(false)));
    let dict = |given: &Option<Map<String, Value>>| given.as_ref().map_or(Value::Null, |map| texts(map).into());
    let capabilities = |list: &Option<Vec<String>>| list.as_ref().map_or(Value::Null, |list| rows::capabilities(&json!(list)));
    let hosts =
        args.etc_hosts.as_ref().map(|hosts| hosts.iter().map(|(name, to)| format!("{name}:{}", scalar(to))).collect::<Vec<_>>());
    let links = args.links.as_ref().map(|links| {
        links.iter().map(|link| if link.contains(':') { link.clone() } else { format!("{link}:{link}") }).collect::<Vec<_>>()
    });
    let restart = args.restart_policy.map(|policy| match (policy, args.restart_retries) {
        (super::docker_container::Restart::OnFailure, Some(count)) if count > 0 => format!("on-failure:{count}"),
        (policy, _) => policy.word().to_owned(),
    });
    let all = [
        ("publish_all_ports", json!(args.publish_all_ports)),
        ("volumes_from", json!(args.volumes_from)),
        ("volume_driver", json!(args.volume_driver)),
        ("hostname", json!(args.hostname)),
        ("domainname", json!(args.domainname)),
        ("mac_address", json!(args.mac_address.as_ref().map(|address| address.replace('-', ":").to_lowercase()))),
        ("dns_servers", json!(args.dns_servers)),
        ("dns_opts", json!(args.dns_opts)),
        ("dns_search_domains", json!(args.dns_search_domains)),
        ("etc_hosts", json!(hosts)),
        ("links", json!(links)),
        ("labels", dict(&args.labels)),
        ("restart_policy", json!(restart)),
        ("user", json!(args.user)),
        ("groups", json!(args.groups)),
        ("working_dir", json!(args.working_dir)),
        ("privileged", switch(args.privileged)),
        ("read_only", switch(args.read_only)),
        ("capabilities", capabilities(&args.capabilities)),
        ("cap_drop", capabilities(&args.cap_drop)),
        ("security_opts", json!(args.security_opts)),
        ("device_cgroup_rules", json!(args.device_cgroup_rules)),
        ("device_requests", json!(args.device_requests)),
        ("memory_swappiness", json!(args.memory_swappiness)),
        ("cpus", json!(args.cpus.map(|cpus| (cpus * 1e9).round() as i64))),
        ("cpu_period", json!(args.cpu_period)),
        ("cpu_quota", json!(args.cpu_quota)),
        ("cpu_shares", json!(args.cpu_shares)),
        ("cpuset_cpus", json!(args.cpuset_cpus)),
        ("cpuset_mems", json!(args.cpuset_mems)),
        ("blkio_weight", json!(args.blkio_weight)),
        ("pids_limit", json!(args.pids_limit)),
        ("oom_killer", json!(args.oom_killer)),
        ("oom_score_adj", json!(args.oom_score_adj)),
        ("sysctls", dict(&args.sysctls)),
        ("storage_opts", dict(&args.storage_opts)),
        ("log_driver", json!(args.log_driver)),
        ("log_options", dict(&args.log_options)),
        ("stop_signal", json!(args.stop_signal)),
        ("stop_timeout", json!(args.stop_timeout)),
        ("auto_remove", switch(args.auto_remove)),
        ("init", switch(args.init)),
        ("interactive", switch(args.interactive)),
        ("tty", switch(args.tty)),
        ("ipc_mode", json!(args.ipc_mode)),
        ("pid_mode", json!(args.pid_mode)),
        ("uts", json!(args.uts)),
        ("userns_mode", json!(args.userns_mode)),
        ("cgroupns_mode", json!(args.cgroupns_mode.map(super::docker_container::CgroupNs::word))),
        ("cgroup_parent", json!(args.cgroup_parent)),
        ("runtime", json!(args.runtime)),
        ("network_mode", json!(network_mode(args))),
    ];
    crate::object::properties(all)
}

/// The network mode: where networks are named, the first of them, as the client does it.
pub(super) fn network_mode(args: &Args) -> Option<String> {
    let first = || args.networks.as_ref()?.first()?.get("name").map(scalar);
    args.network_mode.clone().or_else(|| if args.networks_cli_compatible { first() } else { None })
}

/// Networks that are asked for.
pub(super) fn networks(args: &Args) -> Result<Option<networks::Asked>, Failure> {
    args.networks.as_ref().map(|list| networks::asked(list)).transpose()
}

fn ulimit(text: &str) -> Result<Value, Failure> {
    let bad = || Failure::new(format!("`ulimits`: `{text}` is not NAME:SOFT:HARD"));
    let parts: Vec<&str> = text.split([':', '=']).collect();
    let number = |text: &str| text.parse::<i64>().map_err(|_| bad());
    match parts.as_slice() {
        [name, soft] => Ok(json!({"name": name, "soft": number(soft)?, "hard": number(soft)?})),
        [name, soft, hard] => Ok(json!({"name": name, "soft": number(soft)?, "hard": number(hard)?})),
        _ => Err(bad()),
    }
}

fn device(text: &str) -> Value {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    json!({
        "host": parts[0],
        "container": parts.get(1).unwrap_or(&parts[0]),
        "permissions": parts.get(2).unwrap_or(&"rwm"),
    })
}

fn rate(option: &str, given: &Map<String, Value>) -> Result<Value, Failure> {
    let text = given.get("rate").map(scalar).unwrap_or_default();
    Ok(json!({"path": given.get("path").map(scalar).unwrap_or_default(), "rate": bytes(option, &text)?}))
}

/// How a property is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    /// Not at all.
    Ignore,
    /// Exactly.
    Strict,
    /// What is asked must be there, and more may be.
    More,
}

/// How this property is compared: as `comparisons` says, else exactly where it is one value or a list in order.
pub(super) fn comparison(comparisons: &Map<String, Value>, name: &str, kind: Kind) -> Result<Comparison, Failure> {
    let said = comparisons.get(name).or_else(|| comparisons.get("*")).map(scalar);
    Ok(match said.as_deref() {
        Some("ignore") => Comparison::Ignore,
        Some("strict") => Comparison::Strict,
        Some("allow_more_present") if kind != Kind::Value || name == "networks" => Comparison::More,
        Some(other) => return Err(Failure::new(format!("`comparisons`: `{name}` cannot be compared by `{other}`"))),
        None if name == "stop_timeout" => Comparison::Ignore,
        None if matches!(kind, Kind::Value | Kind::List) && name != "networks" => Comparison::Strict,
        None => Comparison::More,
    })
}

/// Whether every name in `comparisons` is one of a property.
pub(super) fn check(comparisons: &Map<String, Value>) -> Result<(), Failure> {
    for name in comparisons.keys().filter(|name| *name != "*") {
        let Some(row) = ROWS.iter().find(|row| row.name == name) else {
            return Err(Failure::new(format!("`comparisons`: `{name}` is not an option that is compared")));
        };
        comparison(comparisons, name, row.kind)?;
    }
    let all = comparisons.get("*").map(scalar);
    if all.is_some_and(|all| !["strict", "ignore"].contains(&all.as_str())) {
        return Err(Failure::new("`comparisons`: `*` is `strict` or `ignore`"));
    }
    Ok(())
}

/// What a property should be: what is there if it is good enough, else what is asked, over what the image says.
pub(super) fn wanted(kind: Kind, how: Comparison, asked: &Value, now: &Value, image: &Value) -> Value {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let contains = |there: &[Value], one: &Value| match kind {
        Kind::Dicts => there.iter().any(|other| map(one).iter().all(|(name, value)| other[name] == *value)),
        _ => there.contains(one),
    };
    let (asked_list, there) = (list(asked), list(now));
    let mut base = asked_list.clone();
    let same = match (kind, how) {
        (_, Comparison::Ignore) => return now.clone(),
        (Kind::Value, _) | (Kind::List, Comparison::Strict) => asked == now,
        (Kind::List, Comparison::More) => {
            let mut rest = there.iter();
            asked_list.iter().all(|one| rest.any(|other| other == one))
        }
        (Kind::Set | Kind::Dicts, _) => {
            base.extend(list(image).into_iter().filter(|one| !asked_list.contains(one)));
            let all = asked_list.iter().all(|one| contains(&there, one));
            let most = if how == Comparison::Strict { base.len() } else { usize::MAX };
            all && there.len() <= most
        }
        (Kind::Dict, _) => {
            let mut all = map(image);
            all.extend(map(asked));
            let there = map(now);
            let named = map(asked).iter().all(|(name, value)| there.get(name) == Some(value));
            let same = !now.is_null() && if how == Comparison::Strict { there == all } else { named };
            return if same { now.clone() } else { all.into() };
        }
    };
    if same && !now.is_null() {
        now.clone()
    } else if base.is_empty() {
        asked.clone()
    } else {
        base.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_may_be_there_unless_compared_strictly() {
        use Comparison::{Ignore, More, Strict};
        for (kind, how, asked, now, image, same) in [
            (Kind::Value, Strict, json!("a"), json!("b"), json!(null), false),
            (Kind::Value, Ignore, json!("a"), json!("b"), json!(null), true),
            (Kind::List, Strict, json!(["a"]), json!(["a", "b"]), json!(null), false),
            (Kind::List, More, json!(["a", "c"]), json!(["a", "b", "c"]), json!(null), true),
            (Kind::List, More, json!(["c", "a"]), json!(["a", "b", "c"]), json!(null), false),
            (Kind::Set, More, json!(["b", "a"]), json!(["a", "b", "c"]), json!(null), true),
            (Kind::Set, Strict, json!(["b", "a"]), json!(["a", "b", "c"]), json!(null), false),
            (Kind::Set, Strict, json!(["b", "a"]), json!(["a", "b", "c"]), json!(["c"]), true),
            (Kind::Dicts, More, json!([{"x": 1}]), json!([{"x": 1, "y": 2}, {"x": 3}]), json!(null), true),
            (Kind::Dict, More, json!({"A": "1"}), json!({"A": "1", "B": "2"}), json!(null), true),
            (Kind::Dict, More, json!({"A": "2"}), json!({"A": "1"}), json!(null), false),
            (Kind::Dict, Strict, json!({"A": "1"}), json!({"A": "1", "B": "2"}), json!(null), false),
            (Kind::Dict, Strict, json!({"A": "1"}), json!({"A": "1", "B": "2"}), json!({"B": "2"}), true),
        ] {
            assert_eq!(wanted(kind, how, &asked, &now, &image) == now, same, "{kind:?} {how:?} {asked} {now} {image}");
        }
    }

    #[test]
    fn comparisons_name_properties() {
        for (given, good) in [
            (json!({"env": "strict", "*": "ignore"}), true),
            (json!({"env": "odd"}), false),
            (json!({"image": "allow_more_present"}), false),
            (json!({"foo": "strict"}), false),
            (json!({"*": "allow_more_present"}), false),
        ] {
            assert_eq!(check(given.as_object().unwrap()).is_ok(), good, "{given}");
        }
    }
}
