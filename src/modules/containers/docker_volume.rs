//! `docker_volume`: a volume of Docker's.

use serde_json::{Map, Value, json};

use super::engine::docker_args;
use super::words::{each, pairs, texts};
use crate::accounts::group::Presence;
use crate::change::{Change, ResourceState};
use crate::choice;
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::object::{Object, properties};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::plain_word;

choice! {
    /// When a volume that is there is removed and made anew, with the loss of what is in it.
    pub enum Recreate {
        /// Every time.
        Always = "always",
        /// Never.
        Never = "never",
        /// Where its options differ.
        OptionsChanged = "options-changed",
    }
}

docker_args! {
    /// Manages a volume of Docker's.
    pub struct Args {
        /// Name of the volume.
        volume_name ("name"): String,
        /// The driver.
        driver: String = "local".into(),
        /// Options of the driver.
        driver_options: Map<String, Value> = Map::new(),
        /// Labels; those that are not named stay.
        labels: Option<Map<String, Value>>,
        /// When a volume that is there is removed and made anew, with the loss of what is in it. Nothing of a volume can be
        /// changed otherwise.
        recreate: Recreate = Recreate::Never,
        /// Whether it is there.
        state: Presence = Presence::Present,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A volume
  docker_volume:
    name: data
- name: On NFS
  docker_volume:
    name: shared
    driver_options:
      type: nfs
      o: addr=10.0.0.1,rw
      device: ':/export'
    labels:
      owner: web
- name: No volume
  docker_volume:
    name: old
    state: absent
";

/// The module.
pub struct DockerVolume;

/// The volume, and what the engine says of it.
#[derive(Debug, Clone)]
pub struct State {
    volume: Object,
    raw: Value,
}

/// What can be asked of a volume.
pub(super) const MANAGED: &[&str] = &["driver", "driver_options", "labels"];

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        vec![self.volume.resource(MANAGED)]
    }
}

/// What `inspect` says, as properties.
pub(super) fn observed(raw: &Value) -> Map<String, Value> {
    properties([
        ("driver", raw["Driver"].clone()),
        ("driver_options", super::words::map(&raw["Options"]).into()),
        ("labels", super::words::map(&raw["Labels"]).into()),
    ])
}

/// Names and values with further ones over them.
pub(super) fn with(now: &Value, asked: &Map<String, Value>) -> Value {
    let mut all = super::words::map(now);
    all.extend(texts(asked));
    all.into()
}

impl Resource for DockerVolume {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let engine = args.engine()?;
        plain_word("volume_name", &args.volume_name)?;
        let id = engine.id("volume", &args.volume_name);
        if let Some(volume) = Object::planned(&id, host) {
            return Ok(State { volume, raw: Value::Null });
        }
        Ok(match engine.inspect("volume", &args.volume_name, host)? {
            None => State { volume: Object::absent(id), raw: Value::Null },
            Some(raw) => State { volume: Object::present(id, observed(&raw)), raw },
        })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let id = now.volume.id.clone();
        if args.state == Presence::Absent {
            return Ok(State { volume: Object::absent(id), raw: Value::Null });
        }
        let labels = args.labels.as_ref().map_or(Value::Null, |labels| with(now.volume.get("labels"), labels));
        let mut wanted = properties([("driver", json!(args.driver)), ("labels", labels)]);
        if !args.driver_options.is_empty() {
            wanted.insert("driver_options".into(), with(now.volume.get("driver_options"), &args.driver_options));
        }
        if now.volume.exists() && args.recreate == Recreate::Never {
            wanted = now.volume.there.clone().unwrap_or_default();
        }
        Ok(State { volume: Object::present(id, wanted), raw: Value::Null })
    }

    fn runs(args: &Args, now: &State, _: &State) -> Vec<Change> {
        let anew = args.state == Presence::Present && args.recreate == Recreate::Always && now.volume.exists();
        if anew { vec![Change::run(now.volume.id.clone())] } else { Vec::new() }
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let engine = args.engine()?;
        let gone = Object::absent(step.now.volume.id.clone());
        if step.now.volume.exists() {
            engine.act(["volume", "rm", &args.volume_name], &[gone.effect(&step.now.volume)], host)?;
        }
        if step.want.volume.exists() {
            let mut words: Vec<String> = ["volume", "create", "--driver", &args.driver].map(str::to_owned).into();
            words.extend(each("--opt", pairs(&args.driver_options)));
            words.extend(each("--label", pairs(args.labels.as_ref().unwrap_or(&Map::new()))));
            words.push(args.volume_name.clone());
            engine.act(words, &[step.want.volume.effect(&gone)], host)?;
        }
        Ok(Written::quiet())
    }

    fn result(_: &Args, _: &State, after: &State) -> Map<String, Value> {
        Map::from_iter([("volume".to_owned(), if after.volume.exists() { after.raw.clone() } else { json!({}) })])
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([args.claimed("volume", &args.volume_name)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::host::memory::MemoryHost;

    #[test]
    fn only_recreating_changes_a_volume() {
        for (recreate, differs) in [("never", false), ("options-changed", true), ("always", true)] {
            let options = json!({"name": "v", "driver_options": {"size": 2}, "labels": {"a": "b"}, "recreate": recreate});
            let args = Args::parse(options.as_object().unwrap()).unwrap();
            let mut host = MemoryHost::default();
            let raw = json!([{"Name": "v", "Driver": "local", "Options": {"size": "1"}, "Labels": {"a": "b", "c": "d"}}]);
            host.answer(&["docker", "volume", "inspect", "v"], 0, &raw.to_string());
            let outcome = resource::converge::<DockerVolume>(&args, &mut host).unwrap();
            let ran: Vec<String> = host.ran.iter().map(|line| line.argv[1..].join(" ")).collect();
            let expected: &[&str] =
                if differs { &["volume rm v", "volume create --driver local --opt size=2 --label a=b v"] } else { &[] };
            assert_eq!(ran, expected, "{recreate}");
            let names: Vec<&str> =
                outcome.changes.iter().flat_map(|change| &change.differences).map(|one| one.property.as_str()).collect();
            assert_eq!(names, if differs { vec!["driver_options"] } else { vec![] });
        }
    }
}
