//! `apt_key`: keys that APT trusts for every source.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::fetch;
use super::openpgp::{self, Key};
use super::whole_file::WholeFile;
use crate::accounts::group::Presence;
use crate::args;
use crate::change::{ResourceId, ResourceState};
use crate::claims::Claims;
use crate::host::{Host, Inspect};
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

args! {
    /// Manages keys in the keyrings that APT trusts for every source. Neither `apt-key` nor `gpg` has
    /// to be there. A key that is for one source only is better kept apart, and named in the source
    /// by `signed-by` (see `deb822_repository`).
    pub struct Args {
        /// Identifier (8 or 16 digits) or fingerprint of the key or of a subkey.
        id: Option<String>,
        /// Address that the key is fetched from, by the host.
        url: Option<String>,
        /// The key itself.
        data: Option<String>,
        /// Path of a file on the host with the key.
        file: Option<PathBuf>,
        /// Server that the key of this `id` is fetched from.
        keyserver: Option<String>,
        /// Keyring; otherwise keys are looked for in all of them, and a new one goes to `/etc/apt/trusted.gpg`.
        keyring: Option<PathBuf>,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Whether the certificate of `url` is checked.
        validate_certs: bool = true,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A key in a keyring of its own
  apt_key:
    data: |
      -----BEGIN PGP PUBLIC KEY BLOCK-----

      mDMEawPSwhYJKwYBBAHaRw8BAQdA+ssTHXJf8DJFyn9TpJR6jiQ6XSjwGioeCaGL
      v97atzO0GUV4YW1wbGUgPGtleUBleGFtcGxlLm9yZz4=
      -----END PGP PUBLIC KEY BLOCK-----
    keyring: /etc/apt/trusted.gpg.d/example.gpg
- name: No such key
  apt_key:
    id: '0x9FED2BCBDCD29CDF762678CBAED4B06F473041FA'
    state: absent
";

const MAIN: &str = "/etc/apt/trusted.gpg";
const PARTS: &str = "/etc/apt/trusted.gpg.d";

/// The module.
pub struct AptKey;

/// The keyrings, and the keys that are wanted.
#[derive(Debug, Clone)]
pub struct State {
    rings: Vec<WholeFile>,
    offered: Vec<Key>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        self.rings.iter().map(WholeFile::resource).collect()
    }
}

impl State {
    /// All keys that are trusted; a keyring that cannot be read counts as empty.
    fn keys(&self) -> Vec<Key> {
        self.rings.iter().filter_map(|ring| openpgp::keys(ring.content.as_deref()?).ok()).flatten().collect()
    }
}

/// `hkp://keys.example.org` -> `http://keys.example.org:11371/pks/lookup?...`.
fn lookup(server: &str, id: &str) -> String {
    let (scheme, rest) = server.split_once("://").unwrap_or(("hkp", server));
    let (scheme, port) = match scheme {
        "hkp" => ("http", ":11371"),
        "hkps" => ("https", ""),
        other => (other, ""),
    };
    let rest = rest.trim_end_matches('/');
    let port = if rest.contains(':') { "" } else { port };
    format!("{scheme}://{rest}{port}/pks/lookup?op=get&options=mr&search=0x{}", openpgp::normal(id))
}

/// The keys that the task brings with it, or nothing where it names one that may be there already.
fn offered(args: &Args, host: &dyn Inspect) -> Result<Option<Vec<u8>>, Failure> {
    Ok(match args {
        Args { data: Some(data), .. } => Some(data.clone().into_bytes()),
        Args { file: Some(path), .. } => Some(host.read(path, 1 << 20)?),
        Args { keyserver: Some(server), id: Some(id), .. } => Some(fetch::get(&lookup(server, id), args.validate_certs, host)?),
        Args { url: Some(url), .. } => Some(fetch::get(url, args.validate_certs, host)?),
        _ => None,
    })
}

impl Resource for AptKey {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if let Some(id) = &args.id
            && (!openpgp::normal(id).chars().all(|c| c.is_ascii_hexdigit()) || openpgp::normal(id).len() < 8)
        {
            return Err(Failure::new(format!("Invalid key_id: `{id}` is not made of 8, 16 or 40 hexadecimal digits")));
        }
        let paths = match &args.keyring {
            Some(ring) => vec![ring.clone()],
            None => {
                let names = host.list(Path::new(PARTS)).unwrap_or_default();
                let is_ring = |name: &&String| {
                    Path::new(name).extension().is_some_and(|extension| extension == "gpg" || extension == "asc")
                };
                let parts = names.iter().filter(is_ring).map(|name| Path::new(PARTS).join(name));
                std::iter::once(PathBuf::from(MAIN)).chain(parts).collect()
            }
        };
        let rings = paths.iter().map(|path| WholeFile::read(path, false, host)).collect::<Result<_, _>>()?;
        let mut state = State { rings, offered: Vec::new() };
        let there = args.id.as_ref().is_some_and(|id| state.keys().iter().any(|key| key.is(id)));
        // A key that is there by its identifier is not fetched again.
        if !there && (args.state == Presence::Present || args.id.is_none()) {
            let data = offered(args, host)?
                .ok_or_else(|| Failure::new("one of `data`, `file`, `url`, or `keyserver` with `id` is needed"))?;
            let keys = openpgp::keys(&data).map_err(|problem| Failure::new(format!("this is no key: {problem}")))?;
            if keys.is_empty() {
                return Err(Failure::new("No key to add"));
            }
            if let Some(id) = args.id.as_ref().filter(|id| !keys.iter().any(|key| key.is(id))) {
                let found: Vec<&str> = keys.iter().map(|key| key.fingerprint.as_str()).collect();
                return Err(Failure::new(format!("the key is not `{id}` but {}", found.join(", "))));
            }
            state.offered = keys;
        }
        Ok(state)
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let mut want = now.clone();
        if args.state == Presence::Absent {
            let goes = |key: &Key| match &args.id {
                Some(id) => key.is(id),
                None => now.offered.iter().any(|other| other.fingerprint == key.fingerprint),
            };
            for ring in &mut want.rings {
                let Some(keys) = ring.content.as_deref().and_then(|content| openpgp::keys(content).ok()) else { continue };
                if keys.iter().any(goes) {
                    let left: Vec<u8> = keys.into_iter().filter(|key| !goes(key)).flat_map(|key| key.bytes).collect();
                    let armored = ring.path.extension().is_some_and(|extension| extension == "asc");
                    if armored && !left.is_empty() {
                        return Err(Failure::new(format!("`{}` holds other keys, too", ring.path.display())));
                    }
                    ring.content = Some(left).filter(|left| !left.is_empty());
                }
            }
            return Ok(want);
        }
        let known = now.keys();
        let new: Vec<u8> = now
            .offered
            .iter()
            .filter(|key| !known.iter().any(|other| other.fingerprint == key.fingerprint))
            .flat_map(|key| key.bytes.clone())
            .collect();
        if !new.is_empty() {
            let ring = want.rings.first_mut().expect("read looks at one keyring at least");
            let mut content = ring.content.take().unwrap_or_default();
            if openpgp::is_armored(&content) {
                return Err(Failure::new(format!("`{}` is armoured; name a keyring that ends with `.gpg`", ring.path.display())));
            }
            content.extend(new);
            ring.content = Some(content);
        }
        Ok(want)
    }

    fn write(_: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        for (want, now) in step.want.rings.iter().zip(&step.now.rings) {
            if want != now {
                want.write(0o644, host)?;
            }
        }
        Ok(Written::quiet())
    }

    fn result(args: &Args, before: &State, after: &State) -> Map<String, Value> {
        let list = |state: &State| state.keys().iter().map(|key| key.id().to_owned()).collect::<Vec<_>>();
        let mut all = before.offered.iter().cloned().chain(before.keys()).chain(after.keys());
        let key = match &args.id {
            Some(id) => all.find(|key| key.is(id)),
            None => before.offered.first().cloned(),
        };
        let (before, after) = (list(before), list(after));
        let fields = match (key, &args.id) {
            (Some(key), _) => {
                let id = key.id();
                json!({"id": id, "key_id": id, "fp": key.fingerprint, "short_id": id[id.len().saturating_sub(8)..], "before": before, "after": after})
            }
            (None, id) => json!({"id": id, "before": before, "after": after}),
        };
        fields.as_object().cloned().unwrap_or_default()
    }

    fn claims(args: &Args) -> Claims {
        let ring = args.keyring.as_ref().map_or_else(|| "/etc/apt".to_owned(), |path| path.display().to_string());
        Claims::provides([ResourceId::new("file", ring), ResourceId::new("package-manager", "apt")])
            .needing(args.file.iter().map(|path| ResourceId::new("file", path.display().to_string())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments;
    use crate::host::memory::MemoryHost;
    use crate::resource::converge;

    fn run(options: &Value, host: &mut MemoryHost) -> crate::outcome::Outcome {
        converge::<AptKey>(&Args::parse(options.as_object().unwrap()).unwrap(), host).unwrap()
    }

    #[test]
    fn servers_are_asked_over_http() {
        let query = "/pks/lookup?op=get&options=mr&search=0xAB";
        for (server, address) in [
            ("keyserver.ubuntu.com", "http://keyserver.ubuntu.com:11371"),
            ("hkp://keys.example.org:80", "http://keys.example.org:80"),
            ("hkps://keys.example.org", "https://keys.example.org"),
            ("https://keys.example.org/", "https://keys.example.org"),
        ] {
            assert_eq!(lookup(server, "0xab"), format!("{address}{query}"));
        }
    }

    #[test]
    fn a_key_comes_and_goes() {
        let mut host = MemoryHost::default();
        host.add_directory("/etc/apt/trusted.gpg.d");
        let id = &openpgp::SAMPLE_FINGERPRINT[24..];
        let outcome = run(&json!({"data": openpgp::SAMPLE, "id": id}), &mut host);
        assert_eq!((outcome.changes.len(), &outcome.result["fp"]), (1, &json!(openpgp::SAMPLE_FINGERPRINT)));
        assert_eq!((&outcome.result["before"], &outcome.result["after"]), (&json!([]), &json!([id])));
        assert_eq!(run(&json!({"id": id}), &mut host).changes, []);
        assert_eq!(run(&json!({"data": openpgp::SAMPLE}), &mut host).changes, []);
        assert_eq!(run(&json!({"id": id, "state": "absent"}), &mut host).changes.len(), 1);
        assert_eq!(host.stat(Path::new(MAIN)).unwrap(), None);
    }

    #[test]
    fn another_key_than_the_one_that_is_named_is_refused() {
        let options = json!({"data": openpgp::SAMPLE, "id": "0123456789ABCDEF"});
        let args = Args::parse(options.as_object().unwrap()).unwrap();
        assert!(converge::<AptKey>(&args, &mut MemoryHost::default()).unwrap_err().message.contains(openpgp::SAMPLE_FINGERPRINT));
    }
}
