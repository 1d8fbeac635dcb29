//! `openssl_privatekey`: a private key in a file.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::artefact::{self, Artefact};
use super::key::Key;
use super::openssl::{OPENSSL, PASS_OUT, fingerprints, on_key};
use crate::accounts::group::Presence;
use crate::change::ResourceState;
use crate::choice;
use crate::claims::Claims;
use crate::files::attributes::file_args;
use crate::files::state;
use crate::host::{Host, Inspect};
use crate::object::properties;
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

choice! {
    /// Kinds of keys.
    pub enum Kind {
        /// Signs.
        Dsa = "DSA",
        /// On an elliptic curve.
        Ecc = "ECC",
        /// Signs.
        Ed25519 = "Ed25519",
        /// Signs.
        Ed448 = "Ed448",
        /// The usual.
        Rsa = "RSA",
        /// Agrees on keys.
        X25519 = "X25519",
        /// Agrees on keys.
        X448 = "X448",
    }
}

choice! {
    /// Forms in which keys are stored.
    pub enum Format {
        /// The old form, each kind of key with its own label.
        Pkcs1 = "pkcs1",
        /// The form that holds every kind.
        Pkcs8 = "pkcs8",
        /// Bare bytes.
        Raw = "raw",
        /// The old form where there is one.
        Auto = "auto",
        /// Likewise; an existing key may have any form.
        AutoIgnore = "auto_ignore",
    }
}

choice! {
    /// What is done about a key of another form.
    pub enum Mismatch {
        /// A new key.
        Regenerate = "regenerate",
        /// The same key in another form.
        Convert = "convert",
    }
}

choice! {
    /// When an existing key is replaced.
    pub enum Regenerate {
        /// Not at all.
        Never = "never",
        /// A key that does not fit is an error.
        Fail = "fail",
        /// If it can be read and does not fit.
        Partial = "partial_idempotence",
        /// If it cannot be read or does not fit.
        Full = "full_idempotence",
        /// Every time.
        Always = "always",
    }
}

file_args! {
    /// Manages a private key in a file: its kind, its length or curve, and its passphrase. A new key can be read by its owner
    /// only, unless `mode` says otherwise.
    pub struct Args {
        /// The file.
        path: PathBuf,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Bits of an RSA or DSA key.
        size: u64 = 4096,
        /// Kind of key.
        r#type: Kind = Kind::Rsa,
        /// Curve of a key of `type: ECC`, for example `secp384r1`.
        curve: Option<String>,
        /// Passphrase that protects the key.
        passphrase: Option<String>,
        /// How a passphrase protects it: `auto` is AES with 256 bits, else a name that `openssl` knows.
        cipher: String = "auto".into(),
        /// Form in which it is stored; `raw` is refused.
        format: Format = Format::AutoIgnore,
        /// What is done about a key of another form.
        format_mismatch: Mismatch = Mismatch::Regenerate,
        /// When an existing key is replaced.
        regenerate: Regenerate = Regenerate::Full,
        /// The same as `regenerate: always`.
        force: bool = false,
        /// Whether a key that is replaced or removed is kept under another name.
        backup: bool = false,
        /// Whether the result has the key itself as `privatekey`.
        return_content: bool = false,
        /// Accepted for playbooks that name it; the host's `openssl` makes the keys.
        select_crypto_backend: String = "auto".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A key
  openssl_privatekey:
    path: /etc/ssl/private/new.pem
    size: 2048
- name: A key that is there
  openssl_privatekey:
    path: /etc/ssl/private/app.pem
    size: 2048
    regenerate: never
    owner: www-data
    mode: '0640'
- name: No key
  openssl_privatekey:
    path: /etc/ssl/private/app.pem
    state: absent
";

/// The module.
pub struct OpensslPrivatekey;

/// The file, and the key in it.
#[derive(Debug, Clone)]
pub struct State {
    file: Artefact,
    key: Option<Key>,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        resource::State::resources(&self.file)
    }
}

const NAMES: &[&str] = &["type", "size", "curve", "protected", "format", "key"];

impl Args {
    fn regenerates(&self) -> Regenerate {
        if self.force { Regenerate::Always } else { self.regenerate }
    }

    fn has_size(&self) -> bool {
        matches!(self.r#type, Kind::Rsa | Kind::Dsa)
    }

    fn wanted_format(&self) -> &'static str {
        match (self.format, self.r#type) {
            (Format::Pkcs8, _) | (_, Kind::X25519 | Kind::X448 | Kind::Ed25519 | Kind::Ed448) => "pkcs8",
            _ => "pkcs1",
        }
    }

    fn is_protected(&self) -> bool {
        self.passphrase.as_ref().is_some_and(|passphrase| !passphrase.is_empty())
    }

    fn check(&self) -> Result<(), Failure> {
        let says = |text: &str| Err(Failure::new(text));
        match self.curve.as_deref() {
            None if self.r#type == Kind::Ecc => return says("`type: ECC` needs a `curve`"),
            Some(curve) if !curve.chars().all(|letter| letter.is_ascii_alphanumeric()) => {
                return says("`curve` is not the name of a curve");
            }
            _ => {}
        }
        if self.format == Format::Raw {
            return says("`format: raw` cannot be honoured by this version");
        }
        if self.format == Format::Pkcs1 && self.wanted_format() != "pkcs1" {
            return Err(Failure::new(format!("a key of type {} has no form `pkcs1`", self.r#type.word())));
        }
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-';
        if self.cipher.is_empty() || self.cipher.starts_with('-') || !self.cipher.chars().all(plain) {
            return says("`cipher` is not the name of a cipher");
        }
        if self.passphrase.as_ref().is_some_and(|passphrase| passphrase.contains(['\0', '\n'])) {
            return says("a passphrase cannot have a newline in it");
        }
        Ok(())
    }

    fn wanted(&self) -> Map<String, Value> {
        properties([
            ("type", self.r#type.word().into()),
            ("size", if self.has_size() { self.size.into() } else { Value::Null }),
            ("curve", if self.r#type == Kind::Ecc { json!(self.curve) } else { Value::Null }),
            ("protected", self.is_protected().into()),
            ("format", self.wanted_format().into()),
        ])
    }

    /// The words that make a key.
    fn generation(&self) -> Vec<String> {
        let words = |list: &[&str]| list.iter().map(|&word| word.to_owned()).collect();
        match self.r#type {
            Kind::Rsa => words(&["genpkey", "-algorithm", "RSA", "-pkeyopt", &format!("rsa_keygen_bits:{}", self.size)]),
            Kind::Dsa => words(&["dsaparam", "-noout", "-genkey", &self.size.to_string()]),
            Kind::Ecc => {
                let curve = match self.curve.as_deref().unwrap_or_default() {
                    "secp256r1" => "prime256v1",
                    "secp192r1" => "prime192v1",
                    other => other,
                };
                let curve = format!("ec_paramgen_curve:{curve}");
                words(&["genpkey", "-algorithm", "EC", "-pkeyopt", &curve, "-pkeyopt", "ec_param_enc:named_curve"])
            }
            other => words(&["genpkey", "-algorithm", other.word()]),
        }
    }

    /// A key in the wanted form.
    fn convert(&self, pem: &[u8], passphrase: Option<&str>, host: &mut dyn Host) -> Result<Vec<u8>, Failure> {
        let mut words = vec!["pkey"];
        if self.wanted_format() == "pkcs1" {
            words.push("-traditional");
        }
        let cipher = format!("-{}", if self.cipher == "auto" { "aes256" } else { &self.cipher });
        if self.is_protected() {
            words.extend([&cipher, "-passout", "env:STEAD_PASSOUT"]);
        }
        let line = on_key(&words, pem, passphrase).env(PASS_OUT, self.passphrase.as_deref().unwrap_or_default());
        Ok(OPENSSL.run(&line, &[], host)?.stdout)
    }
}

fn found(key: &Key) -> Map<String, Value> {
    properties([
        ("type", key.kind.as_str().into()),
        ("size", json!(key.bits)),
        ("curve", json!(key.curve)),
        ("protected", key.is_protected.into()),
        ("format", key.format.as_str().into()),
    ])
}

impl Resource for OpensslPrivatekey {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        args.check()?;
        let file = Artefact::look(&args.path, "private key", NAMES, args.wanted_attributes(), host)?;
        let Some(bytes) = &file.bytes else { return Ok(State { file, key: None }) };
        if args.state == Presence::Absent {
            return Ok(State { file: file.with(Map::new()), key: None });
        }
        let key = Key::read(bytes, args.passphrase.as_deref(), host)?;
        let inside = key.as_ref().map_or_else(|| properties([("key", "unreadable".into())]), found);
        Ok(State { file: file.with(inside), key })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        if args.state == Presence::Absent {
            return Ok(State { file: now.file.gone(), key: None });
        }
        let State { file, key } = now;
        let regenerate = args.regenerates();
        let path = file.shown();
        let mut wanted = args.wanted();
        if file.bytes.is_some() && regenerate != Regenerate::Always {
            let unreadable = match key {
                None => Some("cannot be read: it is broken, or its passphrase is another"),
                Some(key) if args.is_protected() && !key.is_protected => Some("is not protected by a passphrase"),
                Some(_) => None,
            };
            if let Some(why) = unreadable.filter(|_| regenerate != Regenerate::Full) {
                let hint = "hint: `regenerate: full_idempotence` or `force: true` replaces it";
                return Err(Failure::new(format!("the key `{path}` {why}\n{hint}")));
            }
            if let Some(key) = key {
                let now = found(key);
                let is_other = |name: &str| now.get(name) != wanted.get(name);
                let reformats = args.format != Format::AutoIgnore && is_other("format");
                let differs = ["type", "size", "curve", "protected"].into_iter().any(is_other)
                    || (reformats && args.format_mismatch == Mismatch::Regenerate);
                if differs && regenerate == Regenerate::Fail {
                    return Err(Failure::new(format!(
                        "the key `{path}` is another than the options want, and `regenerate` is `fail`"
                    )));
                }
                if differs && regenerate == Regenerate::Never {
                    wanted.clone_from(&now);
                } else if !differs && !reformats {
                    wanted.insert("format".into(), key.format.as_str().into());
                }
            }
        }
        if file.bytes.is_some() && regenerate == Regenerate::Always {
            wanted.insert("key".into(), "new".into());
        }
        Ok(State { file: file.private(wanted), key: None })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let (now, want) = (step.now, step.want);
        let converts = args.format_mismatch == Mismatch::Convert
            && ["type", "size", "curve", "protected", "key"]
                .iter()
                .all(|name| now.file.object.get(name) == want.file.object.get(name));
        let make = |host: &mut dyn Host| -> Result<Vec<u8>, Failure> {
            if !host.acts() {
                let key = Key {
                    kind: args.r#type.word().into(),
                    bits: args.has_size().then_some(args.size),
                    curve: args.curve.clone().filter(|_| args.r#type == Kind::Ecc),
                    format: args.wanted_format().into(),
                    is_protected: args.is_protected(),
                    public: Vec::new(),
                    pem: Vec::new(),
                    passphrase: None,
                    is_planned: true,
                };
                return Ok(key.planned(&want.file.file.path));
            }
            if let Some(key) = now.key.as_ref().filter(|_| converts) {
                return args.convert(&key.pem, args.passphrase.as_deref(), host);
            }
            let made = OPENSSL.act(args.generation(), &[], host)?.stdout;
            args.convert(&made, None, host)
        };
        artefact::put(&now.file, &want.file, args.backup, make, host)
    }

    fn settled(args: &Args, _: &State) -> bool {
        args.regenerates() == Regenerate::Always
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let is_ecc = args.r#type == Kind::Ecc;
        let content = after.file.bytes.as_ref().filter(|_| args.return_content && after.key.is_some());
        properties([
            ("filename", after.file.shown().into()),
            ("size", args.size.into()),
            ("type", args.r#type.word().into()),
            ("curve", if is_ecc { json!(args.curve) } else { Value::Null }),
            ("fingerprint", after.key.as_ref().map_or_else(|| json!({}), |key| fingerprints(key).into())),
            ("privatekey", content.map_or(Value::Null, |bytes| String::from_utf8_lossy(bytes).into())),
        ])
    }

    fn claims(args: &Args) -> Claims {
        state::claims(&args.path, args.owner.as_deref(), args.group.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::Arguments as _;
    use crate::crypto::fixture;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::outcome::Ending;
    use crate::registry::find;

    fn args(options: &Value) -> Args {
        let mut options = options.as_object().unwrap().clone();
        options.insert("path".into(), "/k.pem".into());
        Args::parse(&options).unwrap()
    }

    #[test]
    fn keys_are_made_by_argv() {
        for (options, expected) in [
            (json!({}), "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096"),
            (
                json!({"type": "ECC", "curve": "secp256r1"}),
                "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:prime256v1 -pkeyopt ec_param_enc:named_curve",
            ),
            (json!({"type": "Ed25519"}), "genpkey -algorithm Ed25519"),
            (json!({"type": "DSA", "size": 2048}), "dsaparam -noout -genkey 2048"),
        ] {
            let args = args(&options);
            args.check().unwrap();
            assert_eq!(args.generation().join(" "), expected);
        }
        for options in [
            json!({"type": "ECC"}),
            json!({"type": "ECC", "curve": "a:b"}),
            json!({"format": "raw"}),
            json!({"type": "Ed25519", "format": "pkcs1"}),
            json!({"cipher": "-x"}),
        ] {
            assert!(args(&options).check().is_err(), "{options}");
        }
    }

    #[test]
    fn an_existing_key_is_replaced_as_often_as_asked() {
        for (options, ending) in [
            (json!({}), Ending::Ok),
            (json!({"size": 4096}), Ending::Changed),
            (json!({"size": 4096, "regenerate": "never"}), Ending::Ok),
            (json!({"size": 4096, "regenerate": "fail"}), Ending::Failed),
            (json!({"type": "Ed25519", "regenerate": "partial_idempotence"}), Ending::Changed),
            (json!({"passphrase": "geheim", "regenerate": "partial_idempotence"}), Ending::Failed),
            (json!({"passphrase": "geheim"}), Ending::Changed),
            (json!({"regenerate": "always"}), Ending::Changed),
            (json!({"force": true}), Ending::Changed),
            (json!({"format": "pkcs1"}), Ending::Changed),
            (json!({"format": "pkcs8"}), Ending::Ok),
        ] {
            let mut host = MemoryHost::default();
            fixture::answers(&mut host);
            let mut given = json!({"path": fixture::KEY, "size": 2048});
            given.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
            let outcome = (find("openssl_privatekey").unwrap().run)(given.as_object().unwrap(), &mut Overlay::new(host));
            assert_eq!(outcome.ending, ending, "{options}: {:?}", outcome.result);
            assert!(!serde_json::to_string(&outcome).unwrap().contains("geheim"));
        }
    }

    #[test]
    fn passphrases_are_in_no_argv() {
        let mut host = MemoryHost::default();
        fixture::answers(&mut host);
        let options = json!({"path": "/etc/ssl/private/new.pem", "size": 2048, "passphrase": "geheim"});
        let _ = (find("openssl_privatekey").unwrap().run)(options.as_object().unwrap(), &mut host);
        assert!(host.ran.iter().any(|line| line.environment.values().any(|value| value == "geheim")));
        assert!(host.ran.iter().all(|line| line.argv.iter().all(|word| !word.contains("geheim"))));
    }
}
