//! The properties of a container: where the engine shows each of them, and how it is asked for.

use serde_json::{Map, Value, json};

use super::words::{each, map, pairs, scalar};
use super::{environment, mounts, ports};

/// How two values of a property are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// They are equal, or not.
    Value,
    /// The order matters.
    List,
    /// The order does not matter.
    Set,
    /// Mappings in any order; one that is asked for may name only some of its fields.
    Dicts,
    /// Names and values.
    Dict,
}

/// Where `inspect` has a property.
#[derive(Clone, Copy)]
pub(super) enum Look {
    /// At this place.
    At(&'static str),
    /// Made from all that it says.
    By(fn(&Value) -> Value),
}

/// How the program is told a property.
#[derive(Clone, Copy)]
pub(super) enum Say {
    /// An option with the value.
    Option(&'static str),
    /// An option that is on or off.
    Switch(&'static str),
    /// An option for each value.
    Each(&'static str),
    /// An option for each name and value.
    Pairs(&'static str),
    /// An option with values made from the property.
    Many(&'static str, fn(&Value) -> Vec<String>),
    /// Elsewhere.
    Apart,
}

/// A property.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Its name: that of the option of `docker_container`.
    pub(super) name: &'static str,
    /// How it is compared.
    pub(super) kind: Kind,
    /// Where it is shown.
    pub(super) look: Look,
    /// How it is said.
    pub(super) say: Say,
    /// Whether it can be changed while the container is there.
    pub(super) live: bool,
}

impl Row {
    /// What the engine says.
    pub(super) fn observed(&self, container: &Value) -> Value {
        let found = match self.look {
            Look::At(place) => container.pointer(place).cloned().unwrap_or_default(),
            Look::By(look) => look(container),
        };
        match (&found, self.kind) {
            (Value::Null, Kind::List | Kind::Set | Kind::Dicts) => json!([]),
            (Value::Null, Kind::Dict) => json!({}),
            _ => found,
        }
    }

    /// The words that ask for a value.
    pub(super) fn words(&self, value: &Value) -> Vec<String> {
        let items = || value.as_array().into_iter().flatten().map(scalar);
        match self.say {
            Say::Option(option) => vec![option.to_owned(), scalar(value)],
            Say::Switch(option) => vec![format!("{option}={}", scalar(value))],
            Say::Each(option) => each(option, items()),
            Say::Pairs(option) => each(option, pairs(&map(value))),
            Say::Many(option, said) => each(option, said(value)),
            Say::Apart => Vec::new(),
        }
    }
}

const fn row(name: &'static str, kind: Kind, look: Look, say: Say) -> Row {
    Row { name, kind, look, say, live: false }
}

const fn live(name: &'static str, place: &'static str, say: Say) -> Row {
    Row { name, kind: Kind::Value, look: Look::At(place), say, live: true }
}

const fn at(name: &'static str, place: &'static str, option: &'static str) -> Row {
    row(name, Kind::Value, Look::At(place), Say::Option(option))
}

const fn switch(name: &'static str, place: &'static str, option: &'static str) -> Row {
    row(name, Kind::Value, Look::At(place), Say::Switch(option))
}

const fn set(name: &'static str, place: &'static str, option: &'static str) -> Row {
    row(name, Kind::Set, Look::At(place), Say::Each(option))
}

const fn dict(name: &'static str, place: &'static str, option: &'static str) -> Row {
    row(name, Kind::Dict, Look::At(place), Say::Pairs(option))
}

const fn made(name: &'static str, kind: Kind, look: fn(&Value) -> Value, say: Say) -> Row {
    row(name, kind, Look::By(look), say)
}

/// The properties of a docker container, in the order in which a reader wants them.
pub(super) static ROWS: &[Row] = &[
    made("image", Kind::Value, |found| super::images::named(&scalar(&found["Config"]["Image"])).into(), Say::Apart),
    row("image_id", Kind::Value, Look::At("/Image"), Say::Apart),
    row("entrypoint", Kind::List, Look::At("/Config/Entrypoint"), Say::Apart),
    row("command", Kind::List, Look::At("/Config/Cmd"), Say::Apart),
    made("env", Kind::Dict, |found| json!(environment::listed(&found["Config"]["Env"])), Say::Apart),
    made(
        "published_ports",
        Kind::Dict,
        |found| ports::bindings(&found["HostConfig"]["PortBindings"]).into(),
        Say::Many("--publish", |value| ports::words(&map(value))),
    ),
    made("exposed_ports", Kind::Set, |found| keys(&found["Config"]["ExposedPorts"]), Say::Each("--expose")),
    switch("publish_all_ports", "/HostConfig/PublishAllPorts", "--publish-all"),
    made("volumes", Kind::Set, mounts::bound, Say::Each("--volume")),
    made(
        "mounts",
        Kind::Dicts,
        |found| mounts::mounted(&found["HostConfig"]["Mounts"]),
        Say::Many("--mount", |value| value.as_array().into_iter().flatten().map(mounts::word).collect()),
    ),
    made(
        "tmpfs",
        Kind::Dict,
        |found| found["HostConfig"]["Tmpfs"].clone(),
        Say::Many("--tmpfs", |value| {
            map(value)
                .iter()
                .map(|(target, options)| if options == "" { target.clone() } else { format!("{target}:{}", scalar(options)) })
                .collect()
        }),
    ),
    set("volumes_from", "/HostConfig/VolumesFrom", "--volumes-from"),
    at("volume_driver", "/HostConfig/VolumeDriver", "--volume-driver"),
    row("network_mode", Kind::Value, Look::At("/HostConfig/NetworkMode"), Say::Apart),
    made("networks", Kind::Value, super::networks::observed, Say::Apart),
    at("hostname", "/Config/Hostname", "--hostname"),
    at("domainname", "/Config/Domainname", "--domainname"),
    made("mac_address", Kind::Value, super::networks::hardware, Say::Option("--mac-address")),
    row("dns_servers", Kind::List, Look::At("/HostConfig/Dns"), Say::Each("--dns")),
    set("dns_opts", "/HostConfig/DnsOptions", "--dns-option"),
    row("dns_search_domains", Kind::List, Look::At("/HostConfig/DnsSearch"), Say::Each("--dns-search")),
    set("etc_hosts", "/HostConfig/ExtraHosts", "--add-host"),
    made("links", Kind::Set, links, Say::Each("--link")),
    dict("labels", "/Config/Labels", "--label"),
    Row { live: true, ..row("restart_policy", Kind::Value, Look::By(restart_policy), Say::Option("--restart")) },
    at("user", "/Config/User", "--user"),
    set("groups", "/HostConfig/GroupAdd", "--group-add"),
    at("working_dir", "/Config/WorkingDir", "--workdir"),
    switch("privileged", "/HostConfig/Privileged", "--privileged"),
    switch("read_only", "/HostConfig/ReadonlyRootfs", "--read-only"),
    made("capabilities", Kind::Set, |found| capabilities(&found["HostConfig"]["CapAdd"]), Say::Each("--cap-add")),
    made("cap_drop", Kind::Set, |found| capabilities(&found["HostConfig"]["CapDrop"]), Say::Each("--cap-drop")),
    set("security_opts", "/HostConfig/SecurityOpt", "--security-opt"),
    made(
        "devices",
        Kind::Dicts,
        devices,
        Say::Many("--device", |value| {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| [&one["host"], &one["container"], &one["permissions"]].map(scalar).join(":"))
                .collect()
        }),
    ),
    set("device_cgroup_rules", "/HostConfig/DeviceCgroupRules", "--device-cgroup-rule"),
    made(
        "device_requests",
        Kind::Dicts,
        requests,
        Say::Many("--gpus", |value| value.as_array().into_iter().flatten().map(request_word).collect()),
    ),
    made("device_read_bps", Kind::Dicts, |found| rates(found, "BlkioDeviceReadBps"), Say::Many("--device-read-bps", rate_words)),
    made(
        "device_write_bps",
        Kind::Dicts,
        |found| rates(found, "BlkioDeviceWriteBps"),
        Say::Many("--device-write-bps", rate_words),
    ),
    made(
        "device_read_iops",
        Kind::Dicts,
        |found| rates(found, "BlkioDeviceReadIOps"),
        Say::Many("--device-read-iops", rate_words),
    ),
    made(
        "device_write_iops",
        Kind::Dicts,
        |found| rates(found, "BlkioDeviceWriteIOps"),
        Say::Many("--device-write-iops", rate_words),
    ),
    live("memory", "/HostConfig/Memory", Say::Option("--memory")),
    live("memory_reservation", "/HostConfig/MemoryReservation", Say::Option("--memory-reservation")),
    live("memory_swap", "/HostConfig/MemorySwap", Say::Option("--memory-swap")),
    at("memory_swappiness", "/HostConfig/MemorySwappiness", "--memory-swappiness"),
    at("kernel_memory", "/HostConfig/KernelMemory", "--kernel-memory"),
    Row {
        live: true,
        ..row(
            "cpus",
            Kind::Value,
            Look::At("/HostConfig/NanoCpus"),
            Say::Many("--cpus", |value| vec![format!("{}", value.as_f64().unwrap_or_default() / 1e9)]),
        )
    },
    live("cpu_period", "/HostConfig/CpuPeriod", Say::Option("--cpu-period")),
    live("cpu_quota", "/HostConfig/CpuQuota", Say::Option("--cpu-quota")),
    live("cpu_shares", "/HostConfig/CpuShares", Say::Option("--cpu-shares")),
    live("cpuset_cpus", "/HostConfig/CpusetCpus", Say::Option("--cpuset-cpus")),
    live("cpuset_mems", "/HostConfig/CpusetMems", Say::Option("--cpuset-mems")),
    live("blkio_weight", "/HostConfig/BlkioWeight", Say::Option("--blkio-weight")),
    live("pids_limit", "/HostConfig/PidsLimit", Say::Option("--pids-limit")),
    switch("oom_killer", "/HostConfig/OomKillDisable", "--oom-kill-disable"),
    at("oom_score_adj", "/HostConfig/OomScoreAdj", "--oom-score-adj"),
    at("shm_size", "/HostConfig/ShmSize", "--shm-size"),
    made(
        "ulimits",
        Kind::Dicts,
        ulimits,
        Say::Many("--ulimit", |value| {
            value
                .as_array()
                .into_iter()
                .flatten()
                .map(|one| format!("{}={}:{}", scalar(&one["name"]), one["soft"], one["hard"]))
                .collect()
        }),
    ),
    dict("sysctls", "/HostConfig/Sysctls", "--sysctl"),
    dict("storage_opts", "/HostConfig/StorageOpt", "--storage-opt"),
    at("log_driver", "/HostConfig/LogConfig/Type", "--log-driver"),
    dict("log_options", "/HostConfig/LogConfig/Config", "--log-opt"),
    made("healthcheck", Kind::Dict, super::health::observed, Say::Apart),
    at("stop_signal", "/Config/StopSignal", "--stop-signal"),
    at("stop_timeout", "/Config/StopTimeout", "--stop-timeout"),
    switch("auto_remove", "/HostConfig/AutoRemove", "--rm"),
    switch("init", "/HostConfig/Init", "--init"),
    switch("interactive", "/Config/OpenStdin", "--interactive"),
    switch("tty", "/Config/Tty", "--tty"),
    at("ipc_mode", "/HostConfig/IpcMode", "--ipc"),
    at("pid_mode", "/HostConfig/PidMode", "--pid"),
    at("uts", "/HostConfig/UTSMode", "--uts"),
    at("userns_mode", "/HostConfig/UsernsMode", "--userns"),
    at("cgroupns_mode", "/HostConfig/CgroupnsMode", "--cgroupns"),
    at("cgroup_parent", "/HostConfig/CgroupParent", "--cgroup-parent"),
    at("runtime", "/HostConfig/Runtime", "--runtime"),
];

fn keys(found: &Value) -> Value {
    map(found).keys().cloned().collect::<Vec<_>>().into()
}

/// Capabilities without the prefix that newer engines add.
pub(super) fn capabilities(list: &Value) -> Value {
    let one = |value: &Value| {
        let name = scalar(value).to_uppercase();
        json!(name.strip_prefix("CAP_").unwrap_or(&name))
    };
    list.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().into()
}

/// `/db:/web/alias` is the link `db:alias`.
fn links(found: &Value) -> Value {
    let list = found["HostConfig"]["Links"].as_array().into_iter().flatten().filter_map(Value::as_str);
    list.map(|link| {
        let (container, alias) = link.split_once(':').unwrap_or((link, link));
        json!(format!("{}:{}", container.trim_start_matches('/'), alias.rsplit('/').next().unwrap_or(alias)))
    })
    .collect::<Vec<_>>()
    .into()
}

fn restart_policy(found: &Value) -> Value {
    let policy = &found["HostConfig"]["RestartPolicy"];
    let name = scalar(&policy["Name"]);
    match (name.as_str(), policy["MaximumRetryCount"].as_i64()) {
        ("", _) => json!("no"),
        ("on-failure", Some(count)) if count > 0 => json!(format!("on-failure:{count}")),
        _ => name.into(),
    }
}

fn devices(found: &Value) -> Value {
    let list = found["HostConfig"]["Devices"].as_array().into_iter().flatten();
    list.map(
        |one| json!({"host": one["PathOnHost"], "container": one["PathInContainer"], "permissions": one["CgroupPermissions"]}),
    )
    .collect::<Vec<_>>()
    .into()
}

fn ulimits(found: &Value) -> Value {
    let list = found["HostConfig"]["Ulimits"].as_array().into_iter().flatten();
    list.map(|one| json!({"name": one["Name"], "soft": one["Soft"], "hard": one["Hard"]})).collect::<Vec<_>>().into()
}

fn rates(found: &Value, name: &str) -> Value {
    let list = found["HostConfig"][name].as_array().into_iter().flatten();
    list.map(|one| json!({"path": one["Path"], "rate": one["Rate"]})).collect::<Vec<_>>().into()
}

fn rate_words(value: &Value) -> Vec<String> {
    value.as_array().into_iter().flatten().map(|one| format!("{}:{}", scalar(&one["path"]), one["rate"])).collect()
}

fn requests(found: &Value) -> Value {
    let list = found["HostConfig"]["DeviceRequests"].as_array().into_iter().flatten();
    let some = |value: &Value, standard: Value| if value.is_null() { standard } else { value.clone() };
    list.map(|one| {
        json!({
            "driver": some(&one["Driver"], json!("")),
            "count": some(&one["Count"], json!(0)),
            "device_ids": some(&one["DeviceIDs"], json!([])),
            "capabilities": some(&one["Capabilities"], json!([])),
            "options": some(&one["Options"], json!({})),
        })
    })
    .collect::<Vec<_>>()
    .into()
}

fn request_word(one: &Value) -> String {
    let list = |value: &Value| value.as_array().into_iter().flatten().map(scalar).collect::<Vec<_>>().join(",");
    let mut fields = Vec::new();
    if let Some(count) = one["count"].as_i64().filter(|count| *count != 0) {
        fields.push(if count < 0 { "count=all".to_owned() } else { format!("count={count}") });
    }
    let quoted = |name: &str, values: String| format!("\"{name}={values}\"");
    fields.extend(one["driver"].as_str().filter(|driver| !driver.is_empty()).map(|driver| format!("driver={driver}")));
    fields.extend(Some(list(&one["device_ids"])).filter(|ids| !ids.is_empty()).map(|ids| quoted("device", ids)));
    fields.extend(one["capabilities"].as_array().and_then(|all| all.first()).map(|some| quoted("capabilities", list(some))));
    let options: Map<String, Value> = map(&one["options"]);
    fields.extend(Some(pairs(&options).join(",")).filter(|text| !text.is_empty()).map(|text| quoted("options", text)));
    fields.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_has_a_name_of_its_own() {
        let mut names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }

    #[test]
    fn devices_for_machines_that_compute() {
        let all = json!({"count": -1, "capabilities": [["gpu"]]});
        assert_eq!(request_word(&all), "count=all,\"capabilities=gpu\"");
        let some = json!({"driver": "nvidia", "device_ids": ["0", "1"], "capabilities": [["gpu", "utility"]]});
        assert_eq!(request_word(&some), "driver=nvidia,\"device=0,1\",\"capabilities=gpu,utility\"");
    }
}
