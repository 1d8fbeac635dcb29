//! Containers: Docker and Podman, through their command lines.

use crate::registry::{self, Module};

mod asked;
pub mod docker_container;
pub mod docker_container_exec;
pub mod docker_host_info;
pub mod docker_info;
pub mod docker_login;
pub mod docker_network;
pub mod docker_prune;
pub mod docker_volume;
mod engine;
mod environment;
mod filters;
#[cfg(test)]
pub(crate) mod fixture;
mod health;
mod images;
mod lifecycle;
mod mounts;
mod networks;
pub mod podman_info;
mod ports;
mod rows;
mod sizes;
mod words;

/// The modules of this family.
pub(crate) const MODULES: &[Module] = &[
    registry::resource::<docker_container::DockerContainer>("docker_container", docker_container::EXAMPLES),
    registry::command::<docker_container_exec::DockerContainerExec>("docker_container_exec", docker_container_exec::EXAMPLES),
    registry::query::<docker_info::DockerContainerInfo>("docker_container_info", docker_info::CONTAINER_EXAMPLES),
    registry::query::<docker_host_info::DockerHostInfo>("docker_host_info", docker_host_info::EXAMPLES),
    registry::query::<docker_info::DockerImageInfo>("docker_image_info", docker_info::IMAGE_EXAMPLES),
    registry::resource::<docker_login::DockerLogin>("docker_login", docker_login::EXAMPLES),
    registry::resource::<docker_network::DockerNetwork>("docker_network", docker_network::EXAMPLES),
    registry::query::<docker_info::DockerNetworkInfo>("docker_network_info", docker_info::NETWORK_EXAMPLES),
    registry::command::<docker_prune::DockerPrune>("docker_prune", docker_prune::EXAMPLES),
    registry::resource::<docker_volume::DockerVolume>("docker_volume", docker_volume::EXAMPLES),
    registry::query::<docker_info::DockerVolumeInfo>("docker_volume_info", docker_info::VOLUME_EXAMPLES),
    registry::query::<podman_info::PodmanContainerInfo>("podman_container_info", podman_info::CONTAINER_EXAMPLES),
    registry::query::<podman_info::PodmanImageInfo>("podman_image_info", podman_info::IMAGE_EXAMPLES),
    registry::query::<podman_info::PodmanNetworkInfo>("podman_network_info", podman_info::NETWORK_EXAMPLES),
    registry::query::<podman_info::PodmanVolumeInfo>("podman_volume_info", podman_info::VOLUME_EXAMPLES),
];
