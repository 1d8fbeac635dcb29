//! `docker_host_info`: what Docker says of itself and of all it has.

use serde_json::{Map, Value, json};

use super::docker_info::unique;
use super::engine::{Engine, docker_args};
use super::filters;
use crate::host::Inspect;
use crate::object::properties;
use crate::outcome::Failure;
use crate::query::Query;

docker_args! {
    /// Looks at the engine itself and, if asked, at its containers, images, networks and volumes.
    pub struct Args {
        /// Whether containers are listed.
        containers: bool = false,
        /// Whether also those that do not run.
        containers_all: bool = false,
        /// Which containers: names and values of the engine's filters.
        containers_filters: Map<String, Value> = Map::new(),
        /// Whether images are listed.
        images: bool = false,
        /// Which images.
        images_filters: Map<String, Value> = Map::new(),
        /// Whether networks are listed.
        networks: bool = false,
        /// Which networks.
        networks_filters: Map<String, Value> = Map::new(),
        /// Whether volumes are listed.
        volumes: bool = false,
        /// Which volumes.
        volumes_filters: Map<String, Value> = Map::new(),
        /// How much room all this takes. The client says that only rounded, for people: asking for it is an error.
        disk_usage: bool = false,
        /// Whether lists have all that `inspect` says rather than the most important.
        verbose_output: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: The engine and its volumes
  docker_host_info:
    volumes: true
  register: engine
";

/// The module.
pub struct DockerHostInfo;

/// All that `inspect` says of what a listing names.
fn all(engine: &Engine, kind: &str, list: &[String], host: &dyn Inspect) -> Result<Vec<Value>, Failure> {
    let ids = unique(&engine.answer(list.iter().cloned(), host)?.unwrap_or_default());
    let mut found = Vec::new();
    for id in &ids {
        // Something may be gone since it was listed.
        found.extend(engine.inspect(kind, id, host)?);
    }
    Ok(found)
}

/// Seconds since the epoch of a time as `inspect` writes it.
fn seconds(text: &Value) -> Value {
    let time = text.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    time.map_or(Value::Null, |time| time.as_second().into())
}

/// The published and exposed ports of a container.
fn ports(container: &Value) -> Vec<Value> {
    let mut list = Vec::new();
    for (port, places) in container["NetworkSettings"]["Ports"].as_object().into_iter().flatten() {
        let (number, kind) = port.split_once('/').unwrap_or((port, "tcp"));
        let number: u16 = number.parse().unwrap_or_default();
        match places.as_array() {
            None => list.push(json!({"PrivatePort": number, "Type": kind})),
            Some(places) => list.extend(places.iter().map(|place| {
                let public: u16 = place["HostPort"].as_str().and_then(|port| port.parse().ok()).unwrap_or_default();
                json!({"IP": place["HostIp"], "PrivatePort": number, "PublicPort": public, "Type": kind})
            })),
        }
    }
    list
}

/// What is most important of a container.
fn short_container(container: &Value) -> Value {
    let mut words = vec![container["Path"].clone()];
    words.extend(container["Args"].as_array().cloned().unwrap_or_default());
    let command: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
    json!({
        "Id": container["Id"],
        "Image": container["Config"]["Image"],
        "Command": command.join(" "),
        "Created": seconds(&container["Created"]),
        "Status": container["State"]["Status"],
        "Ports": ports(container),
        "Names": [container["Name"]],
    })
}

fn some(thing: &Value, names: &[&str]) -> Value {
    names.iter().map(|name| ((*name).to_owned(), thing[*name].clone())).collect::<Map<_, _>>().into()
}

fn short_image(image: &Value) -> Value {
    let mut short = some(image, &["Id", "RepoTags", "Size"]);
    short["Created"] = seconds(&image["Created"]);
    short
}

impl Query for DockerHostInfo {
    type Args = Args;

    fn query(args: &Args, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        if args.disk_usage {
            return Err(Failure::new("`disk_usage`: the docker client says sizes only rounded; that is not supported"));
        }
        let engine = args.engine()?;
        let talks = |failure: Failure| failure.with("can_talk_to_docker", false);
        let info = engine.list(["info", "--format", "{{json .}}"], host).map_err(talks)?;
        let mut result =
            properties([("can_talk_to_docker", json!(true)), ("host_info", info.into_iter().next().unwrap_or_default())]);
        type Short = fn(&Value) -> Value;
        let lists: [(&str, bool, &[&str], &Map<String, Value>, Short); 4] = [
            (
                "container",
                args.containers,
                &["container", "ls", "--quiet", "--no-trunc"],
                &args.containers_filters,
                short_container,
            ),
            ("image", args.images, &["image", "ls", "--quiet", "--no-trunc"], &args.images_filters, short_image),
            ("network", args.networks, &["network", "ls", "--quiet", "--no-trunc"], &args.networks_filters, |network| {
                some(network, &["Id", "Driver", "Name", "Scope"])
            }),
            ("volume", args.volumes, &["volume", "ls", "--quiet"], &args.volumes_filters, |volume| {
                some(volume, &["Driver", "Name"])
            }),
        ];
        for (kind, asked, words, wanted, short) in lists {
            if !asked {
                continue;
            }
            let mut list: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            list.extend((kind == "container" && args.containers_all).then(|| "--all".to_owned()));
            list.extend(filters::words(wanted)?);
            let found = all(&engine, kind, &list, host)?;
            let shown = if args.verbose_output { found } else { found.iter().map(short).collect() };
            result.insert(format!("{kind}s"), shown.into());
        }
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_container_is_shaped_like_the_engines_list() {
        let container = json!({
            "Id": "x", "Path": "/bin/sleep", "Args": ["9"], "Created": "2026-11-23T13:51:28.501858066Z", "Name": "/web",
            "Config": {"Image": "a:1"}, "State": {"Status": "running"},
            "NetworkSettings": {"Ports": {"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}], "99/udp": null}},
        });
        assert_eq!(
            short_container(&container),
            json!({
                "Id": "x", "Image": "a:1", "Command": "/bin/sleep 9", "Created": 1_795_441_888, "Status": "running", "Names": ["/web"],
                "Ports": [
                    {"IP": "0.0.0.0", "PrivatePort": 80, "PublicPort": 8080, "Type": "tcp"},
                    {"PrivatePort": 99, "Type": "udp"},
                ],
            })
        );
    }
}
