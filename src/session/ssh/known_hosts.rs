//! Whether a host's key is the right one, by the known_hosts files.
//!
//! Strict: what is unknown, changed or revoked is refused, and the refusal says what was seen,
//! where the known key stands, and what would accept it.

use std::fmt::Write as _;
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use russh::keys::PublicKeyOrCertificate;
use russh::keys::ssh_key::certificate::CertType;
use russh::keys::ssh_key::public::KeyData;
use russh::keys::{Algorithm, Certificate, HashAlg, PublicKey};
use sha1::Sha1;

use super::config::{Options, Strictness};
use crate::session::error::SessionError;

/// Longest file (bytes) that is read.
const LONGEST_FILE: u64 = 64 << 20;

/// What kind of line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Plain,
    Revoked,
    Authority,
}

/// A line that is about this host.
#[derive(Debug, Clone)]
struct Line {
    mark: Mark,
    key: PublicKey,
    place: String,
    file: PathBuf,
}

/// The lines of all files that are about one host.
#[derive(Debug, Clone, Default)]
pub(super) struct KnownHost {
    name: String,
    lines: Vec<Line>,
}

/// What the files say of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It is the right one.
    Known,
    /// Nothing is known of this host.
    Unknown,
    /// Another key is known.
    Changed {
        /// `file:line`.
        place: String,
        /// The file.
        file: PathBuf,
        /// Type and fingerprint of the known key.
        known: String,
    },
    /// It must not be used any more.
    Revoked {
        /// `file:line`.
        place: String,
    },
    /// It is certified, but the certificate is not good here.
    BadCertificate {
        /// Why.
        why: String,
    },
}

impl KnownHost {
    /// Reads what all files say of a host.
    pub(super) fn load(options: &Options) -> Self {
        let host = options.host_key_alias.as_deref().unwrap_or(&options.hostname).to_lowercase();
        let port = if options.host_key_alias.is_some() { 22 } else { options.port };
        let name = if port == 22 { host } else { format!("[{host}]:{port}") };
        let mut known = Self { name, lines: Vec::new() };
        for file in options.user_known_hosts.iter().chain(&options.global_known_hosts) {
            let mut text = Vec::new();
            let read = std::fs::File::open(file).and_then(|opened| opened.take(LONGEST_FILE).read_to_end(&mut text));
            if read.is_ok() {
                known.add(file, &String::from_utf8_lossy(&text));
            }
        }
        known
    }

    fn add(&mut self, file: &Path, text: &str) {
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let mut words = line.split_ascii_whitespace();
            let Some(mut word) = words.next().filter(|word| !word.starts_with('#')) else { continue };
            let mut mark = Mark::Plain;
            if word.starts_with('@') {
                mark = match word {
                    "@revoked" => Mark::Revoked,
                    "@cert-authority" => Mark::Authority,
                    _ => continue,
                };
                let Some(next) = words.next() else { continue };
                word = next;
            }
            if !names_match(word, &self.name) {
                continue;
            }
            let (Some(kind), Some(data)) = (words.next(), words.next()) else { continue };
            let Ok(key) = PublicKey::from_openssh(&format!("{kind} {data}")) else { continue };
            let place = format!("{}:{}", file.display(), number + 1);
            self.lines.push(Line { mark, key, place, file: file.to_owned() });
        }
    }

    /// The name under which the host stands in the files.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether certificates of this host are trusted.
    pub(super) fn has_authority(&self) -> bool {
        self.lines.iter().any(|line| line.mark == Mark::Authority)
    }

    /// Key algorithms with the known ones first, so that the server shows a key that is known.
    pub(super) fn prefer(&self, algorithms: &[Algorithm]) -> Vec<Algorithm> {
        let known = |algorithm: &Algorithm| {
            self.lines.iter().any(|line| line.mark == Mark::Plain && same_kind(&line.key.algorithm(), algorithm))
        };
        let (mut first, rest): (Vec<_>, Vec<_>) = algorithms.iter().cloned().partition(known);
        first.extend(rest);
        first
    }

    /// Judges what the server showed at the time `now` (seconds since the epoch).
    pub(super) fn judge(&self, shown: &PublicKeyOrCertificate, now: u64) -> Judgement {
        let key = shown.public_key();
        let is = |line: &Line, key: &KeyData| line.key.key_data() == key;
        let authority = shown.certificate().map(Certificate::signature_key);
        let revoked = self.lines.iter().filter(|line| line.mark == Mark::Revoked);
        for line in revoked {
            if is(line, key.key_data()) || authority.is_some_and(|authority| is(line, authority)) {
                return Judgement::Revoked { place: line.place.clone() };
            }
        }
        if self.lines.iter().any(|line| line.mark == Mark::Plain && is(line, key.key_data())) {
            return Judgement::Known;
        }
        if let Some(certificate) = shown.certificate() {
            let trusted = self.lines.iter().filter(|line| line.mark == Mark::Authority);
            let trusted: Vec<_> = trusted.map(|line| line.key.fingerprint(HashAlg::Sha256)).collect();
            match self.certified(certificate, &trusted, now) {
                Ok(()) => return Judgement::Known,
                Err(why) if !trusted.is_empty() => return Judgement::BadCertificate { why },
                Err(_) => {}
            }
        }
        // A key of the same type that differs is the more telling one.
        let plain = || self.lines.iter().filter(|line| line.mark == Mark::Plain);
        let other = plain().find(|line| same_kind(&line.key.algorithm(), &key.algorithm())).or_else(|| plain().next());
        match other {
            Some(line) => Judgement::Changed { place: line.place.clone(), file: line.file.clone(), known: describe(&line.key) },
            None => Judgement::Unknown,
        }
    }

    fn certified(
        &self,
        certificate: &Certificate,
        trusted: &[russh::keys::ssh_key::Fingerprint],
        now: u64,
    ) -> Result<(), String> {
        if certificate.cert_type() != CertType::Host {
            return Err("it is a user's certificate".into());
        }
        certificate.validate_at(now, trusted).map_err(|_| {
            "it has expired, is not yet valid, or is signed by an authority that is not trusted for this host".to_owned()
        })?;
        if certificate.critical_options().iter().next().is_some() {
            return Err("it has critical options that are not known".into());
        }
        let host = self.name.strip_prefix('[').and_then(|name| name.split_once("]:")).map_or(self.name.as_str(), |n| n.0);
        let names = certificate.valid_principals();
        if !names.iter().any(|name| wildcard(&name.to_lowercase(), host)) {
            return Err(format!("it is for {}, not for `{host}`", names.join(", ")));
        }
        Ok(())
    }
}

/// What is to be done with a judged key: accepted (true = record it first) or refused.
pub(super) fn decide(
    judgement: &Judgement,
    shown: &PublicKeyOrCertificate,
    known: &KnownHost,
    strictness: Strictness,
) -> Result<bool, SessionError> {
    let name = known.name();
    let key = describe(&shown.public_key());
    match (judgement, strictness) {
        (Judgement::Known, _) => Ok(false),
        (Judgement::Revoked { place }, _) => {
            let message = format!("the host key of `{name}` is revoked by {place}: {key}");
            Err(SessionError::unreachable(message).hint("the host needs a new key; do not connect to it with this one"))
        }
        (_, Strictness::Off) => Ok(false),
        (Judgement::Unknown, Strictness::AcceptNew) => Ok(true),
        (Judgement::Unknown, Strictness::Strict) => {
            let message = format!("the host key of `{name}` is not known: {key}");
            Err(SessionError::unreachable(message).hint(
                "compare the fingerprint with the host's own (`ssh-keygen -lf` on its public key), \
                 then run again with `--accept-new-host-keys`",
            ))
        }
        (Judgement::Changed { place, file, known }, _) => {
            let message = format!(
                "the host key of `{name}` has changed: it is {key}, but {place} says {known}; \
                 the host was installed anew, or somebody stands in between"
            );
            Err(SessionError::unreachable(message).hint(format!(
                "if you know why it changed: `ssh-keygen -R '{name}' -f '{}'`, then run with `--accept-new-host-keys`",
                file.display()
            )))
        }
        (Judgement::BadCertificate { why }, _) => {
            let message = format!("the host certificate of `{name}` is refused ({key}): {why}");
            Err(SessionError::unreachable(message).hint("have the authority sign the host's key again"))
        }
    }
}

/// Writes a new key to a file, with one write to its end.
pub(super) fn record(file: &Path, name: &str, key: &PublicKey, hashed: bool) -> std::io::Result<()> {
    if file == Path::new("/dev/null") {
        return Ok(());
    }
    if let Some(directory) = file.parent().filter(|directory| !directory.is_dir()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let shown = if hashed { hash_name(name, &rand::random::<[u8; 20]>()) } else { name.to_owned() };
    let data = key.to_openssh().map_err(std::io::Error::other)?;
    let mut words = data.split_ascii_whitespace();
    let (kind, data) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut opened = std::fs::OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(file)?;
    let mut text = String::new();
    if opened.metadata()?.len() > 0 {
        let mut last = [0];
        opened.seek(std::io::SeekFrom::End(-1))?;
        opened.read_exact(&mut last)?;
        if last != *b"\n" {
            text.push('\n');
        }
    }
    let _ = writeln!(text, "{shown} {kind} {data}");
    opened.write_all(text.as_bytes())?;
    opened.sync_data()
}

/// `ssh-ed25519 SHA256:...`.
pub(super) fn describe(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm().as_str(), key.fingerprint(HashAlg::Sha256))
}

fn same_kind(one: &Algorithm, other: &Algorithm) -> bool {
    match (one, other) {
        (Algorithm::Rsa { .. }, Algorithm::Rsa { .. }) => true,
        (one, other) => one == other,
    }
}

/// Whether the first field of a line is about `name` (`host` or `[host]:port`).
fn names_match(field: &str, name: &str) -> bool {
    if let Some(hashed) = field.strip_prefix("|1|") {
        let Some((salt, _)) = hashed.split_once('|') else { return false };
        return STANDARD.decode(salt).is_ok_and(|salt| hash_name(name, &salt) == field);
    }
    let mut matched = false;
    for pattern in field.split(',') {
        let (negated, pattern) = pattern.strip_prefix('!').map_or((false, pattern), |pattern| (true, pattern));
        let pattern = pattern.to_lowercase();
        // `[host]:22` and `host` are the same.
        let plain = pattern.strip_prefix('[').and_then(|pattern| pattern.strip_suffix("]:22")).unwrap_or(&pattern);
        if wildcard(plain, name) {
            if negated {
                return false;
            }
            matched = true;
        }
    }
    matched
}

fn hash_name(name: &str, salt: &[u8]) -> String {
    let mut hash = Hmac::<Sha1>::new_from_slice(salt).expect("any length of key will do");
    hash.update(name.as_bytes());
    format!("|1|{}|{}", STANDARD.encode(salt), STANDARD.encode(hash.finalize().into_bytes()))
}

/// `*` and `?`; the time is the product of the lengths at worst.
fn wildcard(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, from));
                at += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[from] => {
                at += 1;
                from += 1;
            }
            _ => match star {
                Some((star_at, star_from)) => {
                    star = Some((star_at, star_from + 1));
                    at = star_at + 1;
                    from = star_from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
#[path = "known_hosts_tests.rs"]
mod tests;
