//! `openssl_csr`: a request for a certificate in a file.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::artefact::{self, Artefact};
use super::extension::{self as ext, Extension, Extensions};
use super::key::Key;
use super::names;
use super::openssl::sign;
use super::request::{Request, key_identifier};
use crate::accounts::group::Presence;
use crate::change::{ResourceState, sha256};
use crate::claims::Claims;
use crate::files::attributes::file_args;
use crate::files::state;
use crate::host::{Host, Inspect};
use crate::object::properties;
use crate::outcome::Failure;
use crate::resource::{self, Resource, Step, Written};

file_args! {
    /// Manages a request for a certificate: its subject, its other names, what the key may be used for. An existing request
    /// stays if it says what is wanted and has the key; the order of a subject's parts counts with `subject_ordered` only.
    pub struct Args {
        /// The file.
        path: PathBuf,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Digest of the signature.
        digest: String = "sha256".into(),
        /// The private key.
        privatekey_path: Option<PathBuf>,
        /// The private key itself, in place of a path.
        privatekey_content: Option<String>,
        /// Passphrase of the private key.
        privatekey_passphrase: Option<String>,
        /// Version of the request; there is only 1.
        version: u32 = 1,
        /// Parts of the subject, by name; a list for several of one name.
        subject: Option<Map<String, Value>>,
        /// Parts of the subject in their order.
        subject_ordered: Option<Vec<Map<String, Value>>>,
        /// `C` of the subject.
        country_name ("C", "countryName"): Option<String>,
        /// `ST` of the subject.
        state_or_province_name ("ST", "stateOrProvinceName"): Option<String>,
        /// `L` of the subject.
        locality_name ("L", "localityName"): Option<String>,
        /// `O` of the subject.
        organization_name ("O", "organizationName"): Option<String>,
        /// `OU` of the subject.
        organizational_unit_name ("OU", "organizationalUnitName"): Option<String>,
        /// `CN` of the subject.
        common_name ("CN", "commonName"): Option<String>,
        /// `emailAddress` of the subject.
        email_address ("E", "emailAddress"): Option<String>,
        /// Other names: `DNS:example.org`, `IP:10.0.0.1`, `email:`, `URI:`, `RID:`; others are refused.
        subject_alt_name ("subjectAltName"): Vec<String> = Vec::new(),
        /// Whether who does not know the other names must refuse the certificate.
        subject_alt_name_critical ("subjectAltName_critical"): bool = false,
        /// Whether `common_name` becomes a `DNS:` name where no other names are given.
        use_common_name_for_san ("useCommonNameForSAN"): bool = true,
        /// What the key may be used for.
        key_usage ("keyUsage"): Vec<String> = Vec::new(),
        /// Whether who does not know `key_usage` must refuse the certificate.
        key_usage_critical ("keyUsage_critical"): bool = false,
        /// Further uses of the key.
        extended_key_usage ("extKeyUsage", "extendedKeyUsage"): Vec<String> = Vec::new(),
        /// Whether who does not know `extended_key_usage` must refuse the certificate.
        extended_key_usage_critical ("extKeyUsage_critical", "extendedKeyUsage_critical"): bool = false,
        /// `CA:TRUE`, `CA:FALSE`, `pathlen:0`.
        basic_constraints ("basicConstraints"): Vec<String> = Vec::new(),
        /// Whether who does not know `basic_constraints` must refuse the certificate.
        basic_constraints_critical ("basicConstraints_critical"): bool = false,
        /// Whether servers have to prove that the certificate was not revoked.
        ocsp_must_staple ("ocspMustStaple"): bool = false,
        /// Whether who does not know `ocsp_must_staple` must refuse the certificate.
        ocsp_must_staple_critical ("ocspMustStaple_critical"): bool = false,
        /// Names that certificates below may have.
        name_constraints_permitted: Vec<String> = Vec::new(),
        /// Names that certificates below may not have.
        name_constraints_excluded: Vec<String> = Vec::new(),
        /// Whether who does not know the constraints must refuse the certificate.
        name_constraints_critical: bool = false,
        /// Whether the key's identifier is in it.
        create_subject_key_identifier: bool = false,
        /// The key's identifier, in hexadecimal digits with colons.
        subject_key_identifier: Option<String>,
        /// Identifier of the key that signs, likewise.
        authority_key_identifier: Option<String>,
        /// Names of who signs.
        authority_cert_issuer: Vec<String> = Vec::new(),
        /// Serial number of the certificate of who signs.
        authority_cert_serial_number: Option<u64>,
        /// Refused: places of revocation lists cannot be written yet.
        crl_distribution_points: Option<crate::files::attributes::Unsupported>,
        /// Whether a request is made even if there is one that fits.
        force: bool = false,
        /// Whether a request that is replaced or removed is kept under another name.
        backup: bool = false,
        /// Whether the result has the request as `csr`.
        return_content: bool = false,
        /// Accepted for playbooks that name it; the host's `openssl` signs.
        select_crypto_backend: String = "auto".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A request
  openssl_csr:
    path: /etc/ssl/www.csr
    privatekey_path: /etc/ssl/private/app.pem
    common_name: www.example.org
    organization_name: Example
    subject_alt_name: DNS:www.example.org,DNS:example.org,IP:10.0.0.1
    key_usage: [digitalSignature, keyEncipherment]
    extended_key_usage: serverAuth
- name: A request of an authority
  openssl_csr:
    path: /etc/ssl/ca.csr
    privatekey_path: /etc/ssl/private/app.pem
    common_name: Example CA
    use_common_name_for_san: false
    basic_constraints: ['CA:TRUE', 'pathlen:0']
    basic_constraints_critical: true
    key_usage: keyCertSign
    key_usage_critical: true
    create_subject_key_identifier: true
- name: No request
  openssl_csr:
    path: /etc/ssl/old.csr
    state: absent
";

/// The module.
pub struct OpensslCsr;

/// The file, the request in it, and the key.
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

const NAMES: &[&str] = &[
    "subject",
    "subject_alt_name",
    "key_usage",
    "extended_key_usage",
    "basic_constraints",
    "ocsp_must_staple",
    "name_constraints",
    "subject_key_identifier",
    "authority_key_identifier",
    "crl_distribution_points",
    "public_key",
    "request",
];

fn identifier(option: &str, text: &str) -> Result<Vec<u8>, Failure> {
    let bytes: Option<Vec<u8>> = text.split(':').map(|pair| u8::from_str_radix(pair, 16).ok()).collect();
    bytes.ok_or_else(|| Failure::new(format!("`{option}`: write hexadecimal digits in pairs with colons between them")))
}

fn value_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Args {
    /// The parts of the subject.
    fn subject(&self) -> Vec<(String, String)> {
        let single = [
            ("C", &self.country_name),
            ("ST", &self.state_or_province_name),
            ("L", &self.locality_name),
            ("O", &self.organization_name),
            ("OU", &self.organizational_unit_name),
            ("CN", &self.common_name),
            ("emailAddress", &self.email_address),
        ];
        let mut list: Vec<(String, String)> = single
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value.clone().filter(|value| !value.is_empty())?)))
            .collect();
        for (name, value) in self.subject.iter().flatten().chain(self.subject_ordered.iter().flatten().flatten()) {
            let name = names::canonical(name).to_owned();
            match value {
                Value::Array(values) => list.extend(values.iter().map(|value| (name.clone(), value_text(value)))),
                value => list.push((name, value_text(value))),
            }
        }
        list
    }

    /// Other names, with the common one where it counts.
    fn alt_names(&self) -> Vec<String> {
        let subject = self.subject();
        let common = subject.iter().find(|(name, _)| name == "CN").filter(|_| self.use_common_name_for_san);
        match common {
            Some((_, name)) if self.subject_alt_name.is_empty() => vec![format!("DNS:{name}")],
            _ => self.subject_alt_name.clone(),
        }
    }

    /// The extensions of a request with this key.
    fn extensions(&self, public: &[u8]) -> Result<Extensions, Failure> {
        let mut extensions = Extensions::new();
        let mut add = |number: &str, is_critical: bool, value: Vec<u8>| {
            extensions.insert(number.to_owned(), Extension { is_critical, value });
        };
        let names = self.alt_names();
        if !names.is_empty() {
            add(ext::ALT_NAME, self.subject_alt_name_critical, ext::alt_names(&names)?);
        }
        if !self.key_usage.is_empty() {
            add(ext::KEY_USAGE, self.key_usage_critical, ext::key_usage(&self.key_usage)?);
        }
        if !self.extended_key_usage.is_empty() {
            add(ext::EXTENDED_USAGE, self.extended_key_usage_critical, ext::extended(&self.extended_key_usage)?);
        }
        if !self.basic_constraints.is_empty() {
            add(ext::BASIC, self.basic_constraints_critical, ext::basic(&self.basic_constraints)?);
        }
        if self.ocsp_must_staple {
            add(ext::FEATURES, self.ocsp_must_staple_critical, ext::must_staple());
        }
        let (permitted, excluded) = (&self.name_constraints_permitted, &self.name_constraints_excluded);
        if !permitted.is_empty() || !excluded.is_empty() {
            add(ext::NAME_CONSTRAINTS, self.name_constraints_critical, ext::constraints(permitted, excluded)?);
        }
        if self.create_subject_key_identifier && self.subject_key_identifier.is_some() {
            return Err(Failure::new("`subject_key_identifier` cannot be given with `create_subject_key_identifier`"));
        }
        if self.create_subject_key_identifier {
            add(ext::SUBJECT_KEY, false, super::der::element(super::der::OCTETS, &key_identifier(public)?));
        } else if let Some(text) = &self.subject_key_identifier {
            let bytes = identifier("subject_key_identifier", text)?;
            add(ext::SUBJECT_KEY, false, super::der::element(super::der::OCTETS, &bytes));
        }
        let key =
            self.authority_key_identifier.as_deref().map(|text| identifier("authority_key_identifier", text)).transpose()?;
        if self.authority_cert_issuer.is_empty() != self.authority_cert_serial_number.is_none() {
            return Err(Failure::new("`authority_cert_issuer` and `authority_cert_serial_number` go together"));
        }
        if key.is_some() || !self.authority_cert_issuer.is_empty() {
            let value = ext::authority_key(key.as_deref(), &self.authority_cert_issuer, self.authority_cert_serial_number)?;
            add(ext::AUTHORITY_KEY, false, value);
        }
        Ok(extensions)
    }

    /// The properties of a request; the subject sorted where its order does not count.
    fn shown(&self, request: &Request) -> Result<Map<String, Value>, Failure> {
        let mut subject: Vec<String> = request.subject.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if self.subject_ordered.is_none() {
            subject.sort();
        }
        let mut shown = ext::properties(&request.extensions)?;
        shown.remove("other_extensions");
        shown.extend(properties([
            ("subject", subject.into()),
            ("public_key", format!("sha256:{}", sha256(&request.public)).into()),
        ]));
        Ok(shown)
    }

    fn wanted(&self, key: &Key) -> Result<Request, Failure> {
        Ok(Request { subject: self.subject(), public: key.public.clone(), extensions: self.extensions(&key.public)? })
    }
}

impl Resource for OpensslCsr {
    type Args = Args;
    type State = State;

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        if args.version != 1 {
            return Err(Failure::new("`version` can only be 1"));
        }
        if args.subject.is_some() && args.subject_ordered.is_some() {
            return Err(Failure::new("`subject` and `subject_ordered` cannot be given together"));
        }
        let file = Artefact::look(&args.path, "certificate request", NAMES, args.wanted_attributes(), host)?;
        if args.state == Presence::Absent {
            let file = if file.bytes.is_some() { file.with(Map::new()) } else { file };
            return Ok(State { file, key: None });
        }
        let passphrase = args.privatekey_passphrase.as_deref();
        let key = Key::needed(args.privatekey_path.as_deref(), args.privatekey_content.as_deref(), passphrase, host)?;
        if key.is_none() {
            return Err(Failure::new("`privatekey_path` or `privatekey_content` is required"));
        }
        let Some(bytes) = &file.bytes else { return Ok(State { file, key }) };
        let inside = match Request::read(bytes).and_then(|request| args.shown(&request)) {
            Ok(shown) => shown,
            Err(_) => properties([("request", "unreadable".into())]),
        };
        Ok(State { file: file.with(inside), key })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let Some(key) = &now.key else { return Ok(State { file: now.file.gone(), key: None }) };
        let mut shown = args.shown(&args.wanted(key)?)?;
        if args.force && now.file.bytes.is_some() {
            shown.insert("request".into(), "new".into());
        }
        Ok(State { file: now.file.wanted(shown), key: Some(key.clone()) })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let target = &step.want.file.file.path;
        let make = |host: &mut dyn Host| -> Result<Vec<u8>, Failure> {
            let key = step.now.key.as_ref().ok_or_else(|| Failure::new("there is no private key"))?;
            let request = args.wanted(key)?;
            Ok(super::der::pem("CERTIFICATE REQUEST", &sign(request.body()?, key, &args.digest, target, host)?))
        };
        artefact::put(&step.now.file, &step.want.file, args.backup, make, host)
    }

    fn settled(args: &Args, _: &State) -> bool {
        args.force
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let list = |words: &[String]| if words.is_empty() { Value::Null } else { json!(words) };
        let content = after.file.bytes.as_ref().filter(|_| args.return_content);
        let mut result = properties([
            ("filename", after.file.shown().into()),
            ("privatekey", args.privatekey_path.as_ref().map_or(Value::Null, |path| path.display().to_string().into())),
            ("subject", args.subject().into_iter().map(|(name, value)| json!([name, value])).collect::<Vec<_>>().into()),
            ("csr", content.map_or(Value::Null, |bytes| String::from_utf8_lossy(bytes).into())),
            ("ocspMustStaple", args.ocsp_must_staple.into()),
        ]);
        for (name, words) in [
            ("subjectAltName", &args.alt_names()),
            ("keyUsage", &args.key_usage),
            ("extendedKeyUsage", &args.extended_key_usage),
            ("basicConstraints", &args.basic_constraints),
            ("name_constraints_permitted", &args.name_constraints_permitted),
            ("name_constraints_excluded", &args.name_constraints_excluded),
        ] {
            result.insert(name.into(), list(words));
        }
        result
    }

    fn claims(args: &Args) -> Claims {
        let claims = state::claims(&args.path, args.owner.as_deref(), args.group.as_deref());
        claims.needing(args.privatekey_path.iter().map(|path| state::resource_id(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::fixture;
    use crate::host::memory::MemoryHost;
    use crate::host::overlay::Overlay;
    use crate::outcome::{Ending, Outcome};
    use crate::registry::find;

    fn run(module: &str, options: &Value, host: &mut dyn Host) -> Outcome {
        (find(module).unwrap().run)(options.as_object().unwrap(), host)
    }

    #[test]
    fn a_request_is_made_again_when_it_says_something_else() {
        let mut host = MemoryHost::default();
        fixture::answers(&mut host);
        let first = json!({"path": "/etc/ssl/a.csr", "privatekey_path": fixture::KEY, "subject": {"CN": "a", "OU": ["x", "y"]}});
        assert_eq!(run("openssl_csr", &first, &mut host).ending, Ending::Changed);
        for (option, value, ending) in [
            ("subject", json!({"OU": ["y", "x"], "commonName": "a"}), Ending::Ok),
            ("subject", json!({"CN": "b"}), Ending::Changed),
            ("subject_alt_name", json!("DNS:a"), Ending::Ok),
            ("subject_alt_name", json!("DNS:b"), Ending::Changed),
            ("subject_alt_name_critical", json!(true), Ending::Changed),
            ("key_usage", json!("keyAgreement"), Ending::Changed),
            ("force", json!(true), Ending::Changed),
            ("subject_alt_name", json!("otherName:x"), Ending::Failed),
            ("crl_distribution_points", json!([]), Ending::Failed),
            ("privatekey_content", json!("x"), Ending::Failed),
            ("privatekey_path", json!("/nowhere"), Ending::Failed),
        ] {
            let mut options = first.clone();
            options[option] = value;
            assert_eq!(run("openssl_csr", &options, &mut Overlay::new(host.clone())).ending, ending, "{options}");
        }
    }

    #[test]
    fn a_plan_goes_on_with_a_key_that_is_yet_to_be_made() {
        let mut host = MemoryHost::default();
        fixture::answers(&mut host);
        let csr = json!({"path": "/etc/ssl/a.csr", "privatekey_path": fixture::KEY, "common_name": "a"});
        run("openssl_csr", &csr, &mut host);
        let mut plan = Overlay::new(host);
        assert_eq!(run("openssl_csr", &csr, &mut plan).ending, Ending::Ok);
        let key = json!({"path": fixture::KEY, "size": 4096});
        assert_eq!(run("openssl_privatekey", &key, &mut plan).ending, Ending::Changed);
        let outcome = run("openssl_csr", &csr, &mut plan);
        assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
        let properties: Vec<_> = outcome.changes.iter().flat_map(|change| &change.differences).map(|it| &it.property).collect();
        assert_eq!(properties, ["public_key"]);
        assert_eq!(run("openssl_csr", &csr, &mut plan).ending, Ending::Ok);
    }
}
