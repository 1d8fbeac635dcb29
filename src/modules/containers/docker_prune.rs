//! `docker_prune`: removes what nothing uses.

use serde_json::{Map, Value, json};

use super::engine::{Engine, docker_args};
use super::sizes::shown_bytes;
use super::{filters, words::scalar};
use crate::change::{Change, ResourceId};
use crate::claims::Claims;
use crate::command::Command;
use crate::host::{Host, Inspect};
use crate::outcome::{Ending, Failure, Outcome};

docker_args! {
    /// Removes containers, images, networks, volumes and build caches that nothing uses.
    ///
    /// A plan cannot tell what that will be. Reclaimed space is as exact as the client says it.
    pub struct Args {
        /// Whether containers that do not run are removed.
        containers: bool = false,
        /// Which of them: names and values of the engine's filters.
        containers_filters: Map<String, Value> = Map::new(),
        /// Whether images are removed.
        images: bool = false,
        /// Which of them; `dangling: false` means all that no container uses.
        images_filters: Map<String, Value> = Map::new(),
        /// Whether networks are removed.
        networks: bool = false,
        /// Which of them.
        networks_filters: Map<String, Value> = Map::new(),
        /// Whether volumes are removed.
        volumes: bool = false,
        /// Which of them.
        volumes_filters: Map<String, Value> = Map::new(),
        /// Whether build caches are removed.
        builder_cache: bool = false,
        /// Whether also those that are in use.
        builder_cache_all: bool = false,
        /// Which of them.
        builder_cache_filters: Map<String, Value> = Map::new(),
        /// How much of them is kept, e.g. `10G`.
        builder_cache_keep_storage: Option<String>,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: Old images and containers
  docker_prune:
    containers: true
    images: true
    images_filters:
      dangling: false
      until: 24h
";

/// The module.
pub struct DockerPrune;

/// What one command says: what it removed, and how many bytes that were.
fn removed(text: &str) -> (Vec<String>, i64) {
    let mut list = Vec::new();
    let mut space = 0;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((_, size)) = line.split_once(':').filter(|(head, _)| matches!(*head, "Total reclaimed space" | "Total")) {
            space = shown_bytes(size);
            continue;
        }
        let heading = line.starts_with("Deleted ") && line.ends_with(':');
        if !heading && !line.starts_with("ID ") {
            list.push(line.to_owned());
        }
    }
    (list, space)
}

/// The commands that are asked for: what they are about, and their words.
fn commands(args: &Args) -> Result<Vec<(&'static str, Vec<String>)>, Failure> {
    let mut list = Vec::new();
    for (kind, asked, wanted) in [
        ("container", args.containers, &args.containers_filters),
        ("image", args.images, &args.images_filters),
        ("network", args.networks, &args.networks_filters),
        ("volume", args.volumes, &args.volumes_filters),
        ("builder", args.builder_cache, &args.builder_cache_filters),
    ] {
        if !asked {
            continue;
        }
        let mut words: Vec<String> = [kind, "prune", "--force"].map(str::to_owned).into();
        let mut wanted = wanted.clone();
        if kind == "image" {
            let dangling = wanted
                .remove("dangling")
                .is_none_or(|value| !matches!(scalar(&value).to_lowercase().as_str(), "false" | "no" | "0"));
            words.extend((!dangling).then(|| "--all".to_owned()));
        }
        words.extend(filters::words(&wanted)?);
        if kind == "builder" {
            words.extend(args.builder_cache_all.then(|| "--all".to_owned()));
            if let Some(keep) = &args.builder_cache_keep_storage {
                words.extend(["--keep-storage".to_owned(), super::sizes::bytes("builder_cache_keep_storage", keep)?.to_string()]);
            }
        }
        list.push((kind, words));
    }
    Ok(list)
}

fn prune(engine: &Engine, args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
    let mut result = Map::new();
    let mut changed = false;
    for (kind, words) in commands(args)? {
        let output = engine.act(words, &[], host)?;
        let (list, space) = removed(&output.text());
        changed |= !list.is_empty() || space > 0;
        match kind {
            "builder" => {
                result.insert("builder_cache_space_reclaimed".into(), space.into());
                result.insert("builder_cache_caches_deleted".into(), list.into());
                continue;
            }
            "image" => {
                let split = list.iter().filter_map(|line| line.split_once(": "));
                let actions: Vec<Value> = split
                    .map(|(what, id)| {
                        let what = if what == "untagged" { "Untagged" } else { "Deleted" };
                        json!({ what: id })
                    })
                    .collect();
                result.insert("images".into(), actions.into());
            }
            _ => {
                result.insert(format!("{kind}s"), list.into());
            }
        }
        if kind != "network" {
            result.insert(format!("{kind}s_space_reclaimed"), space.into());
        }
    }
    let mut outcome = Outcome::new(if changed { Ending::Changed } else { Ending::Ok }, result);
    if changed {
        outcome.changes.push(Change::run(ResourceId::new("command", DockerPrune::describe(args))));
    }
    Ok(outcome)
}

impl Command for DockerPrune {
    type Args = Args;

    fn guard(args: &Args, _: &dyn Inspect) -> Result<Option<Outcome>, Failure> {
        args.engine()?;
        Ok(commands(args)?.is_empty().then(|| Outcome::new(Ending::Ok, Map::new())))
    }

    fn run(args: &Args, host: &mut dyn Host) -> Result<Outcome, Failure> {
        prune(&args.engine()?, args, host)
    }

    fn describe(args: &Args) -> String {
        let kinds: Vec<&str> = commands(args).unwrap_or_default().iter().map(|(kind, _)| *kind).collect();
        format!("docker prune: {}", kinds.join(", "))
    }

    fn claims(_: &Args) -> Claims {
        Claims::everything()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_removed_is_what_is_listed() {
        let text = "Deleted Images:\nuntagged: a:1\ndeleted: sha256:1\n\nTotal reclaimed space: 1.5kB\n";
        assert_eq!(removed(text), (vec!["untagged: a:1".into(), "deleted: sha256:1".into()], 1500));
        assert_eq!(removed("Total reclaimed space: 0B\n"), (vec![], 0));
        assert_eq!(removed("Deleted Networks:\nn1\n\n"), (vec!["n1".into()], 0));
    }
}
