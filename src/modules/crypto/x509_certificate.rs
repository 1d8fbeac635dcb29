//! `x509_certificate`: a certificate in a file, signed by its own key or by an authority of one's own.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::artefact::{self, Artefact, content_at};
use super::certificate::{Certificate, time_text, when};
use super::der::{self, OCTETS};
use super::extension::{self as ext, Extension};
use super::key::Key;
use super::names;
use super::openssl::{sign, signature_algorithm};
use super::request::{Request, key_identifier};
use crate::accounts::group::Presence;
use crate::change::{ResourceState, sha256};
use crate::choice;
use crate::claims::Claims;
use crate::files::attributes::{Unsupported, file_args};
use crate::files::{paths, state};
use crate::host::{Host, Inspect};
use crate::object::properties;
use crate::outcome::Failure;
use crate::resource::{self, Prepared, Resource, Step, Written};

choice! {
    /// Who signs.
    pub enum Provider {
        /// The key of the certificate itself.
        Selfsigned = "selfsigned",
        /// An authority of one's own.
        Ownca = "ownca",
        /// A service.
        Acme = "acme",
    }
}

choice! {
    /// When the key's identifier is put in.
    pub enum Identifier {
        /// If the request has none.
        IfMissing = "create_if_not_provided",
        /// In place of the request's.
        Always = "always_create",
        /// The request's or none.
        Never = "never_create",
    }
}

file_args! {
    /// Manages a certificate that is signed by its own key or by an authority of one's own. An existing certificate stays if
    /// it says what the request says, has the key, and names the authority and its key. A certificate that has expired is
    /// warned about; it is made anew with `force`, or with `ignore_timestamps: false`.
    pub struct Args {
        /// The file.
        path: PathBuf,
        /// Whether it is there.
        state: Presence = Presence::Present,
        /// Who signs; `acme` is refused.
        provider: Option<Provider>,
        /// Whether a certificate is made even if there is one that fits.
        force: bool = false,
        /// The request for the certificate.
        csr_path: Option<PathBuf>,
        /// The request itself, in place of a path.
        csr_content: Option<String>,
        /// The private key; with `ownca` it is only compared with the request's.
        privatekey_path: Option<PathBuf>,
        /// The private key itself, in place of a path.
        privatekey_content: Option<String>,
        /// Passphrase of the private key.
        privatekey_passphrase: Option<String>,
        /// Whether from when to when an existing certificate counts may differ from what is asked for.
        ignore_timestamps: bool = true,
        /// Digest of the signature.
        selfsigned_digest: String = "sha256".into(),
        /// From when it counts: `20300131235959Z`, or from now, `+1d`.
        selfsigned_not_before ("selfsigned_notBefore"): String = "+0s".into(),
        /// Until when it counts, likewise.
        selfsigned_not_after ("selfsigned_notAfter"): String = "+3650d".into(),
        /// Version; there is only 3.
        selfsigned_version: u32 = 3,
        /// When the key's identifier is put in.
        selfsigned_create_subject_key_identifier: Identifier = Identifier::IfMissing,
        /// Certificate of the authority.
        ownca_path: Option<PathBuf>,
        /// Certificate of the authority itself, in place of a path.
        ownca_content: Option<String>,
        /// Private key of the authority.
        ownca_privatekey_path: Option<PathBuf>,
        /// Private key of the authority itself, in place of a path.
        ownca_privatekey_content: Option<String>,
        /// Passphrase of the authority's key.
        ownca_privatekey_passphrase: Option<String>,
        /// Digest of the signature.
        ownca_digest: String = "sha256".into(),
        /// From when it counts, as with `selfsigned_not_before`.
        ownca_not_before: String = "+0s".into(),
        /// Until when it counts, likewise.
        ownca_not_after: String = "+3650d".into(),
        /// Version; there is only 3.
        ownca_version: u32 = 3,
        /// When the key's identifier is put in.
        ownca_create_subject_key_identifier: Identifier = Identifier::IfMissing,
        /// Whether the identifier of the authority's key is put in. Without it a new key of an authority of the same name
        /// is not noticed.
        ownca_create_authority_key_identifier: bool = true,
        /// Refused.
        acme_accountkey_path: Option<Unsupported>,
        /// Refused.
        acme_challenge_path: Option<Unsupported>,
        /// Refused.
        acme_chain: Option<Unsupported>,
        /// Refused.
        acme_directory: Option<Unsupported>,
        /// Whether a certificate that is replaced or removed is kept under another name.
        backup: bool = false,
        /// Whether the result has the certificate as `certificate`.
        return_content: bool = false,
        /// Accepted for playbooks that name it; the host's `openssl` signs.
        select_crypto_backend: String = "auto".into(),
    }
}

/// Examples; each is a test.
pub const EXAMPLES: &str = "
- name: A certificate signed by its own key
  x509_certificate:
    path: /etc/ssl/own.crt
    privatekey_path: /etc/ssl/private/app.pem
    provider: selfsigned
    selfsigned_not_after: +365d
- name: No certificate
  x509_certificate:
    path: /etc/ssl/old.crt
    state: absent
";

/// The module.
pub struct X509Certificate;

/// The file, and what is needed to make what is wanted.
#[derive(Debug, Clone)]
pub struct State {
    file: Artefact,
    found: Option<Certificate>,
    plan: Option<Plan>,
}

/// The certificate that is wanted, and who signs it.
#[derive(Debug, Clone)]
struct Plan {
    wanted: Certificate,
    issuer: Vec<u8>,
    key: Key,
    digest: String,
}

impl resource::State for State {
    fn resources(&self) -> Vec<ResourceState> {
        resource::State::resources(&self.file)
    }
}

const KIND: &str = "certificate";
const NAMES: &[&str] = &[
    "subject",
    "issuer",
    "subject_alt_name",
    "key_usage",
    "extended_key_usage",
    "basic_constraints",
    "ocsp_must_staple",
    "name_constraints",
    "subject_key_identifier",
    "authority_key_identifier",
    "crl_distribution_points",
    "other_extensions",
    "public_key",
    "not_before",
    "not_after",
    "certificate",
];

/// A text that is given itself or by its path.
fn given(path: Option<&Path>, content: Option<&str>, kind: &str, host: &dyn Inspect) -> Result<Option<Vec<u8>>, Failure> {
    match (path, content) {
        (Some(_), Some(_)) => Err(Failure::new(format!("a {kind} is given both by path and by content"))),
        (None, content) => Ok(content.map(|content| content.as_bytes().to_vec())),
        (Some(path), None) => {
            let path = paths::expand(path, host);
            let found = content_at(&path, kind, host)?;
            found.map(Some).ok_or_else(|| Failure::new(format!("the {kind} `{}` does not exist", path.display())))
        }
    }
}

fn sorted(name: &[(String, String)]) -> Value {
    let mut parts: Vec<String> = name.iter().map(|(part, value)| format!("{part}={value}")).collect();
    parts.sort();
    parts.into()
}

impl Args {
    fn shown(&self, certificate: &Certificate) -> Result<Map<String, Value>, Failure> {
        let mut shown = ext::properties(&certificate.extensions)?;
        shown.extend(properties([
            ("subject", sorted(&certificate.subject)),
            ("issuer", sorted(&certificate.issuer)),
            ("public_key", format!("sha256:{}", sha256(&certificate.public)).into()),
        ]));
        if !self.ignore_timestamps {
            shown.insert("not_before".into(), time_text(certificate.not_before).into());
            shown.insert("not_after".into(), time_text(certificate.not_after).into());
        }
        Ok(shown)
    }

    /// Whether times are counted from now and compared: they differ every time.
    fn moves(&self) -> bool {
        let times = match self.provider {
            Some(Provider::Ownca) => [&self.ownca_not_before, &self.ownca_not_after],
            _ => [&self.selfsigned_not_before, &self.selfsigned_not_after],
        };
        !self.ignore_timestamps && times.iter().any(|time| time.starts_with(['+', '-']))
    }

    fn plan(&self, host: &dyn Inspect) -> Result<Plan, Failure> {
        let says = |text: &str| Failure::new(text);
        if self.selfsigned_version != 3 || self.ownca_version != 3 {
            return Err(says("a certificate's version can only be 3"));
        }
        let passphrase = self.privatekey_passphrase.as_deref();
        let own = Key::needed(self.privatekey_path.as_deref(), self.privatekey_content.as_deref(), passphrase, host)?;
        let request = given(self.csr_path.as_deref(), self.csr_content.as_deref(), "certificate request", host)?;
        let request = request.map(|text| Request::read(&text)).transpose();
        let request = request.map_err(|failure| Failure::new(format!("the certificate request cannot be read: {failure}")))?;
        if let (Some(request), Some(key)) = (&request, &own)
            && request.public != key.public
        {
            return Err(says("the certificate request is for another key than the private key"));
        }
        let now = host.now() as i64;
        let (request, key, authority, digest, identifier, times) = match self.provider {
            None => return Err(says("`provider` is required")),
            Some(Provider::Acme) => return Err(says("`provider: acme` cannot be honoured by this version")),
            Some(Provider::Selfsigned) => {
                let key = own.ok_or_else(|| says("`provider: selfsigned` needs `privatekey_path` or `privatekey_content`"))?;
                let empty = || Request { subject: Vec::new(), public: key.public.clone(), extensions: ext::Extensions::new() };
                let times = (
                    when("selfsigned_not_before", &self.selfsigned_not_before, now)?,
                    when("selfsigned_not_after", &self.selfsigned_not_after, now)?,
                );
                let identifier = self.selfsigned_create_subject_key_identifier;
                (request.unwrap_or_else(empty), key, None, &self.selfsigned_digest, identifier, times)
            }
            Some(Provider::Ownca) => {
                let request = request.ok_or_else(|| says("`provider: ownca` needs `csr_path` or `csr_content`"))?;
                let text = given(self.ownca_path.as_deref(), self.ownca_content.as_deref(), KIND, host)?;
                let text = text.ok_or_else(|| says("`provider: ownca` needs `ownca_path` or `ownca_content`"))?;
                let authority = Certificate::read(&text)
                    .map_err(|failure| Failure::new(format!("the authority's certificate cannot be read: {failure}")))?;
                let (path, content) = (self.ownca_privatekey_path.as_deref(), self.ownca_privatekey_content.as_deref());
                let key = Key::needed(path, content, self.ownca_privatekey_passphrase.as_deref(), host)?;
                let key =
                    key.ok_or_else(|| says("`provider: ownca` needs `ownca_privatekey_path` or `ownca_privatekey_content`"))?;
                if key.public != authority.public {
                    return Err(says("the authority's private key is another than that of its certificate"));
                }
                let times = (
                    when("ownca_not_before", &self.ownca_not_before, now)?,
                    when("ownca_not_after", &self.ownca_not_after, now)?,
                );
                (request, key, Some(authority), &self.ownca_digest, self.ownca_create_subject_key_identifier, times)
            }
        };
        let mut extensions = request.extensions;
        let has_one = extensions.contains_key(ext::SUBJECT_KEY);
        if identifier == Identifier::Always || (identifier == Identifier::IfMissing && !has_one) {
            let value = der::element(OCTETS, &key_identifier(&request.public)?);
            extensions.insert(ext::SUBJECT_KEY.into(), Extension { is_critical: false, value });
        }
        if let Some(authority) = authority.as_ref().filter(|_| self.ownca_create_authority_key_identifier) {
            let identifier = ext::subject_key(&authority.extensions);
            let identifier = identifier.map_or_else(|| key_identifier(&authority.public), Ok)?;
            let value = ext::authority_key(Some(&identifier), &[], None)?;
            extensions.insert(ext::AUTHORITY_KEY.into(), Extension { is_critical: false, value });
        }
        let subject_name = names::subject(&request.subject)?;
        let (issuer, issuer_parts) = match authority {
            Some(authority) => (authority.subject_name, authority.subject),
            None => (subject_name.clone(), request.subject.clone()),
        };
        let wanted = Certificate {
            issuer: issuer_parts,
            subject: request.subject,
            subject_name,
            public: request.public,
            extensions,
            not_before: times.0,
            not_after: times.1,
            serial: String::new(),
        };
        Ok(Plan { wanted, issuer, key, digest: digest.clone() })
    }
}

impl Resource for X509Certificate {
    type Args = Args;
    type State = State;

    fn prepare(args: &Args, host: &mut dyn Host) -> Result<Prepared, Failure> {
        let mut prepared = Prepared::default();
        if args.state == Presence::Absent || args.force {
            return Ok(prepared);
        }
        let path = paths::expand(&args.path, host.inspect());
        let found = content_at(&path, KIND, host.inspect())?.and_then(|text| Certificate::read(&text).ok());
        if let Some(found) = found.filter(|found| found.not_after < host.now() as i64) {
            let (path, end) = (path.display(), time_text(found.not_after));
            prepared.warnings.push(format!(
                "the certificate `{path}` expired at {end}; if it fits otherwise, only `force: true` or `ignore_timestamps: false` makes it anew"
            ));
        }
        Ok(prepared)
    }

    fn read(args: &Args, host: &dyn Inspect) -> Result<State, Failure> {
        let file = Artefact::look(&args.path, KIND, NAMES, args.wanted_attributes(), host)?;
        if args.state == Presence::Absent {
            let file = if file.bytes.is_some() { file.with(Map::new()) } else { file };
            return Ok(State { file, found: None, plan: None });
        }
        let plan = Some(args.plan(host)?);
        let Some(bytes) = &file.bytes else { return Ok(State { file, found: None, plan }) };
        let found = Certificate::read(bytes).ok();
        let inside = found.as_ref().and_then(|certificate| args.shown(certificate).ok());
        let inside = inside.unwrap_or_else(|| properties([("certificate", "unreadable".into())]));
        Ok(State { file: file.with(inside), found, plan })
    }

    fn want(args: &Args, now: &State) -> Result<State, Failure> {
        let Some(plan) = &now.plan else { return Ok(State { file: now.file.gone(), ..now.clone() }) };
        let mut shown = args.shown(&plan.wanted)?;
        if args.force && now.file.bytes.is_some() {
            shown.insert("certificate".into(), "new".into());
        }
        Ok(State { file: now.file.wanted(shown), ..now.clone() })
    }

    fn write(args: &Args, step: &Step<'_, State>, host: &mut dyn Host) -> Result<Written, Failure> {
        let target = &step.want.file.file.path;
        let make = |host: &mut dyn Host| -> Result<Vec<u8>, Failure> {
            let plan = step.want.plan.as_ref().ok_or_else(|| Failure::new("nobody signs"))?;
            let body = plan.wanted.body(&signature_algorithm(&plan.key, &plan.digest)?, &plan.issuer)?;
            Ok(der::pem("CERTIFICATE", &sign(body, &plan.key, &plan.digest, target, host)?))
        };
        artefact::put(&step.now.file, &step.want.file, args.backup, make, host)
    }

    fn settled(args: &Args, _: &State) -> bool {
        args.force || args.moves()
    }

    fn result(args: &Args, _: &State, after: &State) -> Map<String, Value> {
        let path = |path: &Option<PathBuf>| json!(path.as_ref().map(|path| path.display().to_string()));
        let content = after.file.bytes.as_ref().filter(|_| args.return_content && args.state == Presence::Present);
        let found = after.found.as_ref();
        let number = found.map_or(Value::Null, |found| found.serial.as_str().into());
        properties([
            ("filename", after.file.shown().into()),
            ("privatekey", path(&args.privatekey_path)),
            ("csr", path(&args.csr_path)),
            ("ca_cert", path(&args.ownca_path)),
            ("ca_privatekey", path(&args.ownca_privatekey_path)),
            ("notBefore", json!(found.map(|found| time_text(found.not_before)))),
            ("notAfter", json!(found.map(|found| time_text(found.not_after)))),
            ("serial_number", number),
            ("certificate", content.map_or(Value::Null, |bytes| String::from_utf8_lossy(bytes).into())),
        ])
    }

    fn claims(args: &Args) -> Claims {
        let claims = state::claims(&args.path, args.owner.as_deref(), args.group.as_deref());
        let needed = [&args.csr_path, &args.privatekey_path, &args.ownca_path, &args.ownca_privatekey_path];
        claims.needing(needed.into_iter().flatten().map(|path| state::resource_id(path)))
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

    /// A host with an authority, and a request for `a`.
    fn host() -> MemoryHost {
        let mut host = MemoryHost::default();
        fixture::answers(&mut host);
        for (name, options) in [
            ("ca", json!({"common_name": "CA", "basic_constraints": "CA:TRUE", "use_common_name_for_san": false})),
            ("a", json!({"common_name": "a"})),
            ("b", json!({"common_name": "b"})),
        ] {
            let mut options = options;
            options["path"] = format!("/etc/ssl/{name}.csr").into();
            options["privatekey_path"] = fixture::KEY.into();
            assert_eq!(run("openssl_csr", &options, &mut host).ending, Ending::Changed);
        }
        let own = json!({"path": "/etc/ssl/ca.crt", "csr_path": "/etc/ssl/ca.csr", "privatekey_path": fixture::KEY, "provider": "selfsigned"});
        assert_eq!(run("x509_certificate", &own, &mut host).ending, Ending::Changed);
        assert_eq!(run("x509_certificate", &own, &mut host).ending, Ending::Ok);
        host
    }

    #[test]
    fn a_certificate_is_made_again_when_it_has_to_say_something_else() {
        let mut host = host();
        let first = json!({
            "path": "/etc/ssl/a.crt", "csr_path": "/etc/ssl/a.csr", "provider": "ownca",
            "ownca_path": "/etc/ssl/ca.crt", "ownca_privatekey_path": fixture::KEY,
            "ownca_not_before": "20200101000000Z", "ownca_not_after": "20990101000000Z",
        });
        assert_eq!(run("x509_certificate", &first, &mut host).ending, Ending::Changed);
        for (option, value, ending) in [
            ("ownca_not_after", json!("20400101000000Z"), Ending::Ok),
            ("ignore_timestamps", json!(false), Ending::Ok),
            ("csr_path", json!("/etc/ssl/b.csr"), Ending::Changed),
            ("ownca_create_authority_key_identifier", json!(false), Ending::Changed),
            ("ownca_create_subject_key_identifier", json!("never_create"), Ending::Changed),
            ("force", json!(true), Ending::Changed),
            ("provider", json!("acme"), Ending::Failed),
            ("ownca_not_after", json!("soon"), Ending::Failed),
            ("csr_path", json!("/nowhere"), Ending::Failed),
        ] {
            let mut options = first.clone();
            options[option] = value;
            let outcome = run("x509_certificate", &options, &mut Overlay::new(host.clone()));
            assert_eq!(outcome.ending, ending, "{options} {:?} {:?}", outcome.result, outcome.changes);
        }
    }

    #[test]
    fn an_expired_certificate_is_warned_about_and_renewed_on_demand() {
        let mut host = host();
        let mut options = json!({
            "path": "/etc/ssl/a.crt", "csr_path": "/etc/ssl/a.csr", "provider": "selfsigned", "privatekey_path": fixture::KEY,
            "selfsigned_not_before": "19600101000000Z", "selfsigned_not_after": "19600201000000Z",
        });
        assert_eq!(run("x509_certificate", &options, &mut host).warnings, Vec::<String>::new());
        let outcome = run("x509_certificate", &options, &mut host);
        assert_eq!(outcome.ending, Ending::Ok);
        assert!(outcome.warnings[0].contains("expired at 19600201000000Z"), "{:?}", outcome.warnings);
        options["selfsigned_not_after"] = "+1d".into();
        options["ignore_timestamps"] = false.into();
        let outcome = run("x509_certificate", &options, &mut host);
        assert_eq!(outcome.ending, Ending::Changed, "{:?}", outcome.result);
    }
}
