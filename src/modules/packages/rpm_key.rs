//! `rpm_key`: keys that RPM trusts.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::openpgp::{self, Key};
use super::{fetch, work};
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::commands::process;
use crate::host::{Attributes, CommandLine, Effect, FileWrite, Host, Inspect, Thing};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages keys in RPM's database.
    pub struct Args {
        /// The key: an address, a path on the host, or the identifier of one that is there.
        key: String,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Fingerprints of which one must be that of the key.
        fingerprint: Option<Vec<String>>,
        /// Whether the certificate of an address is checked.
        validate_certs: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: No such key
  rpm_key:
    key: DEADB33F
    state: absent
";

/// The module.
pub struct RpmKey;

/// Keys of a file, or the identifier of one.
#[derive(Debug, Clone)]
pub struct State {
    /// Identifier or fingerprint, and whether it is there.
    keys: Vec<(String, bool)>,
    /// What the database calls those that are there.
    installed: Vec<String>,
    /// The keys to be imported.
    data: Vec<u8>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.keys
            .iter()
            .map(|(key, there)| if *there { ResourceState::present(id(key)) } else { ResourceState::absent(id(key)) })
            .collect()
    }
}

fn id(key: &str) -> ResourceId {
    ResourceId::new("rpm-key", key)
}

/// The keys that the option names.
fn wanted(args: &Args, host: &dyn Inspect) -> Result<(Vec<Key>, Vec<u8>), Failure> {
    let data = if fetch::is_url(&args.key) {
        fetch::get(&args.key, args.validate_certs, host)?
    } else if args.key.starts_with('/') {
        host.read(std::path::Path::new(&args.key), 1 << 20)?
    } else {
        return Ok((Vec::new(), Vec::new()));
    };
    let keys = openpgp::keys(&data).map_err(|problem| Failure::new(format!("Not a public key: {}: {problem}", args.key)))?;
    if keys.is_empty() {
        return Err(Failure::new(format!("Not a public key: {}", args.key)));
    }
    if let Some(prints) = &args.fingerprint {
        let is_named = |key: &Key| prints.iter().any(|print| openpgp::normal(print) == key.fingerprint);
        if let Some(other) = keys.iter().find(|key| !is_named(key)) {
            return Err(Failure::new(format!(
                "The specified fingerprint, '{}', does not match any key fingerprints in '{}': it is '{}'",
                prints.join(", "),
                args.key,
                other.fingerprint
            )));
        }
    }
    Ok((keys, data))
}

impl Resource for RpmKey {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let (keys, data) = wanted(args, host)?;
        let names: Vec<String> = if keys.is_empty() {
            let id = openpgp::normal(&args.key);
            if id.len() < 8 || !id.chars().all(|c| c.is_ascii_hexdigit()) {
                return Err(Failure::new(format!("Not a valid key {}", args.key)));
            }
            vec![id]
        } else {
            keys.iter().map(|key| key.fingerprint.clone()).collect()
        };
        // The version of such a package is an identifier (8 digits) or, in RPM 6, the fingerprint.
        let line = CommandLine::new(["rpm", "-q", "gpg-pubkey", "--queryformat", "%{VERSION} %{RELEASE}\n"]);
        let text = work::ask(&line, "rpm", host)?.text();
        let rows: Vec<(&str, &str)> =
            text.lines().filter_map(|row| row.split_once(' ')).filter(|(version, _)| version.len() >= 8).collect();
        let is = |name: &str, version: &str| {
            let version = version.to_uppercase();
            name.ends_with(&version) || version.ends_with(name)
        };
        let state = |name: String| {
            let found = rows.iter().any(|(version, _)| is(&name, version));
            let there = match host.thing(&id(&name)) {
                None => found,
                Some(thing) => thing != Thing::Gone,
            };
            (name, there)
        };
        let installed = rows
            .iter()
            .filter(|(version, _)| names.iter().any(|name| is(name, version)))
            .map(|(v, r)| format!("gpg-pubkey-{v}-{r}"));
        Ok(State { installed: installed.collect(), data, keys: names.into_iter().map(state).collect() })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let there = args.state == Presence::Present;
        if there && now.data.is_empty() && now.keys.iter().any(|(_, is)| !is) {
            return Err(Failure::new(format!("the key `{}` is not there; name an address or a file that has it", args.key)));
        }
        Ok(State { keys: now.keys.iter().map(|(key, _)| (key.clone(), there)).collect(), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let there = args.state == Presence::Present;
        let thing = |is: bool| if is { Thing::There(String::new()) } else { Thing::Gone };
        let effects: Vec<Effect> = step.want.keys.iter().map(|(key, is)| Effect::Thing(id(key), thing(*is))).collect();
        if !there {
            let mut line = CommandLine::new(["rpm", "--erase", "--allmatches"]);
            line.argv.extend(step.now.installed.iter().cloned());
            process::succeed(host, &line, &effects)?;
            return Ok(Written::quiet());
        }
        // RPM reads keys from files only, and what was looked at is what is imported.
        let staged = PathBuf::from(format!("/run/stead-key-{}.asc", &crate::change::sha256(&step.now.data)[..16]));
        let attributes = Attributes { mode: Some(0o600), ..Attributes::default() };
        host.write(&FileWrite { path: &staged, content: &step.now.data, attributes, validate: None })?;
        let line = CommandLine::new(["rpm", "--import", &staged.display().to_string()]);
        let imported = process::succeed(host, &line, &effects);
        host.remove(&staged)?;
        imported?;
        Ok(Written::quiet())
    }

    fn result(_: &Args, _: &State, _: &State) -> Map<String, Value> {
        Map::new()
    }

    fn claims(args: &Args) -> Claims {
        Claims::provides([ResourceId::new("rpm-key", &args.key), ResourceId::new("package-manager", "dnf")])
            .needing(Some(&args.key).filter(|key| key.starts_with('/')).map(|key| ResourceId::new("file", key)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;
    use serde_json::json;

    fn run(options: &Value, host: &mut MemoryHost) -> Result<crate::outcome::Outcome, Failure> {
        converge::<RpmKey>(&Args::parse(options.as_object().unwrap()).unwrap(), host)
    }

    #[test]
    fn a_key_comes_and_goes() {
        let mut host = MemoryHost::default();
        host.add_directory("/run");
        host.add_file("/key.asc", openpgp::SAMPLE);
        host.answer(&["rpm", "-q", "gpg-pubkey", "*"], 1, "package gpg-pubkey is not installed\n");
        let outcome =
            run(&json!({"key": "/key.asc", "fingerprint": openpgp::SAMPLE_FINGERPRINT.to_lowercase()}), &mut host).unwrap();
        assert_eq!(outcome.changes[0].resource.name, openpgp::SAMPLE_FINGERPRINT);
        assert_eq!(host.ran[0].argv[..2], ["rpm", "--import"]);
        assert_eq!(host.list(std::path::Path::new("/run")).unwrap(), Vec::<String>::new());
        let short = openpgp::SAMPLE_FINGERPRINT[32..].to_lowercase();
        host.things.clear();
        host.answer(&["rpm", "-q", "gpg-pubkey", "*"], 0, &format!("{short} 6b03d2c2\n"));
        assert_eq!(run(&json!({"key": "/key.asc"}), &mut host).unwrap().changes, []);
        assert_eq!(run(&json!({"key": format!("0x{short}"), "state": "absent"}), &mut host).unwrap().changes.len(), 1);
        assert_eq!(host.ran[1].argv[3..], [format!("gpg-pubkey-{short}-6b03d2c2")]);
    }

    #[test]
    fn another_fingerprint_is_refused() {
        let mut host = MemoryHost::default();
        host.add_file("/key.asc", openpgp::SAMPLE);
        assert!(run(&json!({"key": "/key.asc", "fingerprint": "ABCD"}), &mut host).is_err());
        assert!(run(&json!({"key": "nothex"}), &mut host).is_err());
    }
}
