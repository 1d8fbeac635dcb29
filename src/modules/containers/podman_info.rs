//! `podman_container_info`, `podman_image_info`, `podman_network_info`, `podman_volume_info`: what Podman says of
//! its things.

use serde_json::{Map, Value};

use super::docker_info::unique;
use super::engine::Engine;
use crate::args;
use crate::host::Inspect;
use crate::outcome::Failure;
use crate::query::Query;

args! {
    /// Looks at containers or images: all that Podman's `inspect` says of them. Those that are not there are left out.
    pub struct ManyArgs {
        /// Names or ids; missing: all of them.
        name: Option<Vec<String>>,
        /// The program.
        executable: String = "podman".into(),
    }
}

args! {
    /// Looks at one network or volume, or all of them: what Podman's `inspect` says. One that is not there is an error.
    pub struct OneArgs {
        /// Its name; missing: all of them.
        name: Option<String>,
        /// The program.
        executable: String = "podman".into(),
    }
}

/// Examples of `podman_container_info`; each is a test.
pub const CONTAINER_EXAMPLES: &str = "
- name: Two containers
  podman_container_info:
    name: [web, db]
";

/// Examples of `podman_image_info`; each is a test.
pub const IMAGE_EXAMPLES: &str = "
- name: All images
  podman_image_info:
";

/// Examples of `podman_network_info`; each is a test.
pub const NETWORK_EXAMPLES: &str = "
- name: All networks
  podman_network_info:
";

/// Examples of `podman_volume_info`; each is a test.
pub const VOLUME_EXAMPLES: &str = "
- name: All volumes
  podman_volume_info:
";

/// `podman_container_info`.
pub struct PodmanContainerInfo;
/// `podman_image_info`.
pub struct PodmanImageInfo;
/// `podman_network_info`.
pub struct PodmanNetworkInfo;
/// `podman_volume_info`.
pub struct PodmanVolumeInfo;

/// What is said of each thing of a kind, and of those that are listed where none is named.
fn said(
    executable: &str,
    kind: &str,
    list: &[&str],
    names: Option<&[String]>,
    host: &dyn Inspect,
) -> Result<Vec<(String, Option<Value>)>, Failure> {
    let engine = Engine::podman(executable);
    let listed = match names {
        Some(names) if !names.is_empty() => names.to_vec(),
        _ => unique(&engine.answer([kind, "ls"].iter().chain(list).copied(), host)?.unwrap_or_default()),
    };
    listed.into_iter().map(|name| engine.inspect(kind, &name, host).map(|found| (name, found))).collect()
}

fn many(kind: &str, list: &[&str], args: &ManyArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
    let found = said(&args.executable, kind, list, args.name.as_deref(), host)?;
    let things: Vec<Value> = found.into_iter().filter_map(|(_, found)| found).collect();
    Ok(Map::from_iter([(format!("{kind}s"), things.into())]))
}

fn one(kind: &str, args: &OneArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
    let names: Vec<String> = args.name.iter().cloned().collect();
    let mut things = Vec::new();
    for (name, found) in said(&args.executable, kind, &["--quiet"], Some(&names), host)? {
        match found {
            Some(found) => things.push(found),
            None if args.name.is_some() => return Err(Failure::new(format!("there is no {kind} `{name}`"))),
            // Gone since it was listed.
            None => {}
        }
    }
    Ok(Map::from_iter([(format!("{kind}s"), things.into())]))
}

impl Query for PodmanContainerInfo {
    type Args = ManyArgs;

    fn query(args: &ManyArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        many("container", &["--all", "--quiet", "--no-trunc"], args, host)
    }
}

impl Query for PodmanImageInfo {
    type Args = ManyArgs;

    fn query(args: &ManyArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        many("image", &["--quiet", "--no-trunc"], args, host)
    }
}

impl Query for PodmanNetworkInfo {
    type Args = OneArgs;

    fn query(args: &OneArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        one("network", args, host)
    }
}

impl Query for PodmanVolumeInfo {
    type Args = OneArgs;

    fn query(args: &OneArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        one("volume", args, host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;
    use crate::object::properties;
    use serde_json::json;

    #[test]
    fn what_is_not_there_is_left_out_or_an_error() {
        let mut host = MemoryHost::default();
        crate::containers::fixture::answers(&mut host);
        host.answer(&["podman", "container", "inspect", "web"], 0, "[{\"Name\":\"web\"}]");
        host.answer(&["podman", "volume", "inspect", "data"], 0, "[{\"Name\":\"data\"}]");
        host.answer(&["podman", "volume", "ls", "--quiet"], 0, "data\nother\n");
        let names = json!({"name": ["web", "db"]});
        let args = ManyArgs::parse(names.as_object().unwrap()).unwrap();
        assert_eq!(PodmanContainerInfo::query(&args, &host).unwrap(), properties([("containers", json!([{"Name": "web"}]))]));
        for (options, expected) in [(json!({"name": "data"}), Some(1)), (json!({"name": "x"}), None), (json!({}), Some(1))] {
            let args = OneArgs::parse(options.as_object().unwrap()).unwrap();
            let found = PodmanVolumeInfo::query(&args, &host).ok().map(|result| result["volumes"].as_array().unwrap().len());
            assert_eq!(found, expected, "{options}");
        }
    }
}
