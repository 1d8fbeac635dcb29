//! `docker_container_info`, `docker_image_info`, `docker_network_info`, `docker_volume_info`: what Docker says of
//! one thing.

use serde_json::{Map, Value, json};

use super::engine::{Engine, docker_args};
use crate::host::Inspect;
use crate::object::properties;
use crate::outcome::Failure;
use crate::query::Query;

docker_args! {
    /// Looks at a container: whether it is there, and all that `docker container inspect` says of it.
    pub struct ContainerArgs {
        /// Name or id of the container.
        name: String,
    }
}

docker_args! {
    /// Looks at images: all that `docker image inspect` says of them. Those that are not there are left out.
    pub struct ImageArgs {
        /// Names or ids of images; missing: all of them.
        name: Option<Vec<String>>,
    }
}

docker_args! {
    /// Looks at a network: whether it is there, and all that `docker network inspect` says of it.
    pub struct NetworkArgs {
        /// Name or id of the network.
        name: String,
    }
}

docker_args! {
    /// Looks at a volume: whether it is there, and all that `docker volume inspect` says of it.
    pub struct VolumeArgs {
        /// Name of the volume.
        name ("volume_name"): String,
    }
}

/// Examples of `docker_container_info`; each is a test.
pub const CONTAINER_EXAMPLES: &str = "
- name: Is it running?
  docker_container_info:
    name: web
  register: web
";

/// Examples of `docker_image_info`; each is a test.
pub const IMAGE_EXAMPLES: &str = "
- name: Two images
  docker_image_info:
    name: ['nginx:1.27', 'redis']
- name: All images
  docker_image_info:
";

/// Examples of `docker_network_info`; each is a test.
pub const NETWORK_EXAMPLES: &str = "
- name: A network
  docker_network_info:
    name: backend
";

/// Examples of `docker_volume_info`; each is a test.
pub const VOLUME_EXAMPLES: &str = "
- name: A volume
  docker_volume_info:
    name: data
";

/// `docker_container_info`.
pub struct DockerContainerInfo;
/// `docker_image_info`.
pub struct DockerImageInfo;
/// `docker_network_info`.
pub struct DockerNetworkInfo;
/// `docker_volume_info`.
pub struct DockerVolumeInfo;

/// Whether it is there, and what is said of it.
fn looked(engine: &Engine, kind: &str, name: &str, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
    let found = engine.inspect(kind, name, host)?;
    let mut result = Map::new();
    result.insert("exists".into(), found.is_some().into());
    result.insert(kind.into(), found.unwrap_or_default());
    Ok(result)
}

impl Query for DockerContainerInfo {
    type Args = ContainerArgs;

    fn query(args: &ContainerArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        looked(&args.engine()?, "container", &args.name, host)
    }
}

impl Query for DockerNetworkInfo {
    type Args = NetworkArgs;

    fn query(args: &NetworkArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        looked(&args.engine()?, "network", &args.name, host)
    }
}

impl Query for DockerVolumeInfo {
    type Args = VolumeArgs;

    fn query(args: &VolumeArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        looked(&args.engine()?, "volume", &args.name, host)
    }
}

impl Query for DockerImageInfo {
    type Args = ImageArgs;

    fn query(args: &ImageArgs, host: &dyn Inspect) -> Result<Map<String, Value>, Failure> {
        let engine = args.engine()?;
        let names = match &args.name {
            Some(names) if !names.is_empty() => names.clone(),
            _ => unique(&engine.answer(["image", "ls", "--quiet", "--no-trunc"], host)?.unwrap_or_default()),
        };
        let mut images = Vec::new();
        for name in &names {
            images.extend(engine.inspect("image", name, host)?);
        }
        Ok(properties([("images", json!(images))]))
    }
}

/// The lines of a list of ids, each once.
pub(super) fn unique(text: &str) -> Vec<String> {
    let mut list: Vec<String> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !list.iter().any(|other| other == line) {
            list.push(line.to_owned());
        }
    }
    list
}
