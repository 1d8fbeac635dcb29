//! `openssh_keypair`: a key of SSH and its public half, in two files.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::artefact::{self, Artefact};
use super::der;
use super::openssl_privatekey::Regenerate;
use crate::accounts::group::Presence;
use crate::change::ResourceState;
use crate::choice;
use crate::claims::Claims;
use crate::files::attributes::{Written as Attributes, file_args};
use crate::files::mode::Mode;
use crate::files::state;
use crate::host::{Effect, Host, Inspect, staged_name};
use crate::object::properties;
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};
use crate::system::tool::Tool;

choice! {
    /// Kinds of keys.
    pub enum Kind {
        /// The usual.
        Rsa = "rsa",
        /// Old.
        Dsa = "dsa",
        /// Older still: no program makes it any more.
        Rsa1 = "rsa1",
        /// On a curve of the NIST.
        Ecdsa = "ecdsa",
        /// On an Edwards curve.
        Ed25519 = "ed25519",
    }
}

choice! {
    /// Forms in which private keys are stored.
    pub enum Format {
        /// As `ssh-keygen` likes it; an existing key may have any form.
        Auto = "auto",
        /// The old form of OpenSSL.
        Pkcs1 = "pkcs1",
        /// The form that holds every kind.
        Pkcs8 = "pkcs8",
        /// That of OpenSSH.
        Ssh = "ssh",
    }
}

file_args! {
    /// Manages a key of SSH: the private half in one file, the public one beside it in a file that ends in `.pub`.
    pub struct Args {
        /// The file of the private half.
        path: PathBuf,
        /// Whether they are there.
        state: Presence = Presence::Present,
        /// Bits; missing: 4096 for `rsa`, 1024 for `dsa`, 256 for `ecdsa`.
        size: Option<u64>,
        /// Kind of key.
        r#type: Kind = Kind::Rsa,
        /// The comment of the public half; missing: that of an existing key, or none.
        comment: Option<String>,
        /// Refused unless it is empty: keys with a passphrase cannot be made yet.
        passphrase: Option<String>,
        /// Form in which the private half is stored.
        private_key_format: Format = Format::Auto,
        /// Accepted for playbooks that name it; the host's `ssh-keygen` makes the keys.
        backend: String = "auto".into(),
        /// When an existing key is replaced.
        regenerate: Regenerate = Regenerate::Partial,
        /// The same as `regenerate: always`.
        force: bool = false,
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A key
  openssh_keypair:
    path: /root/id_new
    type: ed25519
    comment: root@example.org
- name: No key
  openssh_keypair:
    path: /root/id_old
    state: absent
";

/// The module.
pub struct OpensshKeypair;

/// What is known of a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Found {
    kind: String,
    bits: u64,
    format: String,
    /// The public half: kind and letters, without a comment.
    public: String,
}

/// The two files.
#[derive(Debug, Clone)]
pub struct State {
    private: Artefact,
    public: Artefact,
    found: Option<Found>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        [&self.private, &self.public].into_iter().flat_map(resource::State::resources).collect()
    }
}

const SSH_KEYGEN: Tool = Tool::new("ssh-keygen", "openssh-client");
const PLANNED: &str = "PLANNED SSH KEY";
const PRIVATE: &[&str] = &["type", "size", "format", "key"];
const PUBLIC: &[&str] = &["key", "comment"];

/// Kind and bits of a public half.
fn describe(public: &str) -> Option<(String, u64)> {
    let mut words = public.split_ascii_whitespace();
    let (name, letters) = (words.next()?, words.next()?);
    let bytes = base64::engine::general_purpose::STANDARD.decode(letters).ok()?;
    let mut fields = Vec::new();
    let mut rest = bytes.as_slice();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let (field, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        fields.push(field);
        rest = after;
    }
    let bits = |number: &[u8]| {
        let digits: Vec<u8> = number.iter().copied().skip_while(|digit| *digit == 0).collect();
        digits.first().map_or(0, |first| digits.len() as u64 * 8 - u64::from(first.leading_zeros()))
    };
    Some(match name {
        "ssh-rsa" => ("rsa".into(), bits(fields.get(2)?)),
        "ssh-dss" => ("dsa".into(), bits(fields.get(1)?)),
        "ssh-ed25519" => ("ed25519".into(), 256),
        name => ("ecdsa".into(), name.strip_prefix("ecdsa-sha2-nistp")?.parse().ok()?),
    })
}

/// The digest by which people know a key.
fn fingerprint(public: &str) -> Option<String> {
    let bytes = base64::engine::general_purpose::STANDARD.decode(public.split_ascii_whitespace().nth(1)?).ok()?;
    Some(format!("SHA256:{}", base64::engine::general_purpose::STANDARD_NO_PAD.encode(Sha256::digest(bytes))))
}

/// A public half's key and its comment.
fn parts(text: &str) -> (String, String) {
    let line = text.lines().next().unwrap_or_default();
    let mut words = line.splitn(3, ' ');
    let key = [words.next(), words.next()].into_iter().flatten().collect::<Vec<_>>().join(" ");
    (key, words.next().unwrap_or_default().to_owned())
}

impl Args {
    fn regenerates(&self) -> Regenerate {
        if self.force { Regenerate::Always } else { self.regenerate }
    }

    fn bits(&self) -> u64 {
        match self.r#type {
            Kind::Ed25519 => 256,
            Kind::Dsa => self.size.unwrap_or(1024),
            Kind::Ecdsa => self.size.unwrap_or(256),
            Kind::Rsa | Kind::Rsa1 => self.size.unwrap_or(4096),
        }
    }

    fn check(&self) -> Result<(), Failure> {
        let allowed = match self.r#type {
            Kind::Rsa => self.bits() >= 1024,
            Kind::Dsa => self.bits() == 1024,
            Kind::Ecdsa => [256, 384, 521].contains(&self.bits()),
            Kind::Ed25519 => true,
            Kind::Rsa1 => return Err(Failure::new("`type: rsa1` is made by no program any more")),
        };
        if !allowed {
            return Err(Failure::new(format!("a key of type {} cannot have {} bits", self.r#type.word(), self.bits())));
        }
        if self.passphrase.as_ref().is_some_and(|passphrase| !passphrase.is_empty()) {
            return Err(Failure::new("`passphrase` cannot be honoured by this version: keys are made without one"));
        }
        if self.comment.as_ref().is_some_and(|comment| comment.contains(['\n', '\r', '\0'])) {
            return Err(Failure::new("`comment` cannot have a newline in it"));
        }
        Ok(())
    }

    fn wanted(&self) -> Map<String, Value> {
        let format = if self.private_key_format == Format::Auto { Value::Null } else { self.private_key_format.word().into() };
        properties([("type", self.r#type.word().into()), ("size", self.bits().into()), ("format", format)])
    }

    /// What stands for a key on hosts that only pretend.
    fn stand_in(&self) -> Vec<u8> {
        let format = if self.private_key_format == Format::Auto { "ssh" } else { self.private_key_format.word() };
        let told = json!({"type": self.r#type.word(), "size": self.bits(), "format": format});
        der::pem(PLANNED, told.to_string().as_bytes())
    }

    /// Makes a key; the private half is returned.
    fn make(&self, target: &Path, host: &mut dyn Host) -> Result<Vec<u8>, Failure> {
        let staged = target.with_file_name(staged_name());
        let bits = self.bits().to_string();
        let path = staged.display().to_string();
        let comment = self.comment.as_deref().unwrap_or_default();
        let mut words = vec!["-q", "-t", self.r#type.word(), "-b", &bits, "-N", "", "-C", comment, "-f", &path];
        match self.private_key_format {
            Format::Pkcs1 => words.extend(["-m", "PEM"]),
            Format::Pkcs8 => words.extend(["-m", "PKCS8"]),
            Format::Auto | Format::Ssh => {}
        }
        SSH_KEYGEN.act(words, &[Effect::File(staged.clone(), self.stand_in(), 0o600)], host)?;
        let made = host.read(&staged, 1 << 20);
        for path in [path.clone(), format!("{path}.pub")].map(PathBuf::from) {
            if host.stat(&path)?.is_some() {
                host.remove(&path)?;
            }
        }
        made
    }
}

/// What a private key is; `None` where it cannot be read.
fn look(bytes: &[u8], path: &Path, host: &dyn Inspect) -> Result<Option<Found>, Failure> {
    if let Some((_, told)) = der::from_pem(bytes, PLANNED) {
        let told: Value = serde_json::from_slice(&told).unwrap_or_default();
        let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
        let bits = told["size"].as_u64().unwrap_or_default();
        return Ok(Some(Found { kind: text("type"), bits, format: text("format"), public: "planned key".into() }));
    }
    let text = String::from_utf8_lossy(bytes);
    let format = match text.split_once("-----BEGIN ").map(|(_, rest)| rest) {
        Some(rest) if rest.starts_with("OPENSSH") => "ssh",
        Some(rest) if rest.starts_with("PRIVATE") || rest.starts_with("ENCRYPTED") => "pkcs8",
        _ => "pkcs1",
    };
    let output = SSH_KEYGEN.ask(["-y", "-P", "", "-f", &path.display().to_string()], host)?;
    let Some(output) = output.filter(|output| output.rc == 0) else { return Ok(None) };
    let (public, _) = parts(&output.text());
    Ok(describe(&public).map(|(kind, bits)| Found { kind, bits, format: format.into(), public }))
}

impl Resource for OpensshKeypair {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        args.check()?;
        let private = Artefact::look(&args.path, "ssh key", PRIVATE, args.wanted_attributes(), host)?;
        let beside = PathBuf::from(format!("{}.pub", private.shown()));
        // The public half is for all to read.
        let open = Mode::of(0o644);
        let attributes = Attributes { owner: args.owner.as_deref(), group: args.group.as_deref(), mode: Some(&open) };
        let mut public = Artefact::look(&beside, "ssh public key", PUBLIC, attributes, host)?;
        if let Some(bytes) = public.bytes.clone() {
            let (key, comment) = parts(&String::from_utf8_lossy(&bytes));
            public = public.with(properties([("key", key.into()), ("comment", comment.into())]));
        }
        let Some(bytes) = private.bytes.clone() else { return Ok(State { private, public, found: None }) };
        if args.state == Presence::Absent {
            return Ok(State { private: private.with(Map::new()), public, found: None });
        }
        let found = look(&bytes, &private.file.path, host)?;
        let inside = match &found {
            None => properties([("key", "unreadable".into())]),
            Some(found) => properties([
                ("type", found.kind.as_str().into()),
                ("size", found.bits.into()),
                ("format", found.format.as_str().into()),
            ]),
        };
        Ok(State { private: private.with(inside), public, found })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state == Presence::Absent {
            return Ok(State { private: now.private.gone(), public: now.public.gone(), found: None });
        }
        let (regenerate, path) = (args.regenerates(), now.private.shown());
        let mut wanted = args.wanted();
        let mut replaces = now.private.bytes.is_none();
        if !replaces && regenerate == Regenerate::Always {
            wanted.insert("key".into(), "new".into());
            replaces = true;
        } else if !replaces {
            let differs = wanted.iter().any(|(name, value)| now.private.object.get(name) != value);
            match regenerate {
                _ if !differs => {}
                Regenerate::Never if now.found.is_some() => wanted = now.private.object.there.clone().unwrap_or_default(),
                Regenerate::Partial if now.found.is_some() => replaces = true,
                Regenerate::Full => replaces = true,
                _ => {
                    let why = if now.found.is_some() { "is another than the options want" } else { "cannot be read" };
                    let hint = "hint: `regenerate: full_idempotence` or `force: true` replaces it";
                    return Err(Failure::new(format!("the key `{path}` {why}\n{hint}")));
                }
            }
        }
        let key = now.found.as_ref().filter(|_| !replaces).map_or_else(|| "new".to_owned(), |found| found.public.clone());
        let comment = args.comment.clone().unwrap_or_else(|| now.public.object.text("comment").to_owned());
        let public = now.public.wanted(properties([("key", key.into()), ("comment", comment.into())]));
        Ok(State { private: now.private.private(wanted), public, found: now.found.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (step.now, step.want);
        let differs = |now: &Artefact, want: &Artefact| {
            now.bytes.is_some() != want.object.exists() || now.differs(want) || now.file.differs_outside(&want.file)
        };
        if differs(&now.private, &want.private) {
            artefact::put(&now.private, &want.private, false, |host| args.make(&want.private.file.path, host), host)?;
        }
        if differs(&now.public, &want.public) {
            let path = &want.private.file.path;
            let make = |host: &mut dyn Host| -> Result<Vec<u8>, Failure> {
                let bytes = artefact::content_at(path, "ssh key", host.inspect())?.unwrap_or_default();
                let found = look(&bytes, path, host.inspect())?;
                let found = found.ok_or_else(|| Failure::new(format!("the key `{}` cannot be read", path.display())))?;
                let line = format!("{} {}", found.public, want.public.object.text("comment"));
                Ok(format!("{}\n", line.trim_end()).into_bytes())
            };
            artefact::put(&now.public, &want.public, false, make, host)?;
        }
        Ok(Written::quiet())
    }

    fn settled(args: &Args, _: &State) -> bool {
        args.regenerates() == Regenerate::Always
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let found = after.found.as_ref().filter(|found| found.public != "planned key");
        let comment = after.public.object.text("comment");
        let public = found.map(|found| format!("{} {comment}", found.public).trim_end().to_owned());
        properties([
            ("filename", after.private.shown().into()),
            ("type", args.r#type.word().into()),
            ("size", args.bits().into()),
            ("comment", comment.into()),
            ("fingerprint", json!(found.and_then(|found| fingerprint(&found.public)))),
            ("public_key", json!(public)),
        ])
    }

    fn claims(args: &Args) -> Claims {
        let mut claims = state::claims(&args.path, args.owner.as_deref(), args.group.as_deref());
        claims.provides.push(state::resource_id(&PathBuf::from(format!("{}.pub", args.path.display()))));
        claims
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::outcome::Ending;
    use crate::registry::find;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGQZSahUptTcwjr6lhxRO03tTjLSvByZWZ0mriA+5COb";

    #[test]
    fn public_halves_are_read() {
        assert_eq!(describe(KEY), Some(("ed25519".into(), 256)));
        assert_eq!(fingerprint(KEY).as_deref(), Some("SHA256:g1GRXXkmeUj8UFKQXok2yD5uHsVzP8AUpb27i//Smrw"));
        assert_eq!(parts(&format!("{KEY} c d\n")), (KEY.into(), "c d".into()));
        assert_eq!(describe("ssh-ed25519"), None);
    }

    #[test]
    fn an_existing_key_is_replaced_as_often_as_asked() {
        for (options, ending) in [
            (json!({"type": "ed25519"}), Ending::Ok),
            (json!({"type": "ed25519", "comment": "c d"}), Ending::Ok),
            (json!({"type": "ed25519", "comment": "e"}), Ending::Changed),
            (json!({"type": "ed25519", "force": true}), Ending::Changed),
            (json!({"type": "rsa"}), Ending::Changed),
            (json!({"type": "rsa", "regenerate": "never"}), Ending::Ok),
            (json!({"type": "rsa", "regenerate": "fail"}), Ending::Failed),
            (json!({"type": "ed25519", "private_key_format": "ssh"}), Ending::Ok),
            (json!({"type": "ed25519", "passphrase": "x"}), Ending::Failed),
            (json!({"type": "ecdsa", "size": 255}), Ending::Failed),
        ] {
            let mut host = MemoryHost::default();
            host.add_file("/k", "-----BEGIN OPENSSH PRIVATE KEY-----\n").mode = 0o600;
            host.add_file("/k.pub", &format!("{KEY} c d\n"));
            host.answer(&["ssh-keygen", "-y", "*"], 0, &format!("{KEY} c d\n"));
            let mut given = options.clone();
            given["path"] = "/k".into();
            let outcome = (find("openssh_keypair").unwrap().run)(given.as_object().unwrap(), &mut Overlay::new(host));
            assert_eq!(outcome.ending, ending, "{options}: {:?} {:?}", outcome.result, outcome.changes);
        }
    }
}
