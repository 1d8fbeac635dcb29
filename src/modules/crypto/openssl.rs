//! The program `openssl`: what modules ask of it. Keys go by standard input, passphrases by the environment.

use std::path::Path;

use serde_json::{Map, Value};

use super::der::{self, SEQUENCE};
use super::key::Key;
use crate::host::{CommandLine, Effect, FileWrite, Host, Inspect, digest_bytes, staged_name};
use crate::outcome::Failure;
use crate::system::tool::Tool;

pub(super) const OPENSSL: Tool = Tool::new("openssl", "openssl");
/// Variables that hold passphrases.
pub(super) const PASS_IN: &str = "STEAD_PASSIN";
pub(super) const PASS_OUT: &str = "STEAD_PASSOUT";

/// A command on a key that it reads from its standard input.
pub(super) fn on_key(words: &[&str], key: &[u8], passphrase: Option<&str>) -> CommandLine {
    OPENSSL
        .line(words.iter().copied().chain(["-passin", "env:STEAD_PASSIN"]))
        .env(PASS_IN, passphrase.unwrap_or_default())
        .input(key)
}

/// The public half of a private key, as `SubjectPublicKeyInfo`; `None` where the key cannot be read.
pub(super) fn public_half(key: &[u8], passphrase: Option<&str>, host: &dyn Inspect) -> Result<Option<Vec<u8>>, Failure> {
    let answer = OPENSSL.query(&on_key(&["pkey", "-pubout"], key, passphrase), host)?;
    Ok(answer
        .filter(|output| output.rc == 0)
        .and_then(|output| der::from_pem(&output.stdout, "PUBLIC KEY"))
        .map(|(_, bytes)| bytes))
}

/// Digests of a key's public half, with colons, by algorithm; none of a key that is yet to be made.
pub(super) fn fingerprints(key: &Key) -> Map<String, Value> {
    if key.is_planned {
        return Map::new();
    }
    ["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), colons(&digest_bytes(&key.public, name)?).into())))
        .collect()
}

/// Hexadecimal digits in pairs.
pub(super) fn colons(hex: &str) -> String {
    let pairs: Vec<&str> = hex.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok()).collect();
    pairs.join(":")
}

/// How signatures of a kind of key with a digest are named.
fn algorithm(kind: &str, digest: &str) -> Option<Vec<u8>> {
    let null = vec![5, 0];
    let place = ["sha1", "sha224", "sha256", "sha384", "sha512"].iter().position(|known| *known == digest);
    let (name, rest) = match (kind, place) {
        ("RSA", Some(place)) => (format!("1.2.840.113549.1.1.{}", [5, 14, 11, 12, 13][place]), null),
        ("ECC", Some(0)) => ("1.2.840.10045.4.1".to_owned(), vec![]),
        ("ECC", Some(place)) => (format!("1.2.840.10045.4.3.{place}"), vec![]),
        ("DSA", Some(place)) if place < 3 => {
            (["1.2.840.10040.4.3", "2.16.840.1.101.3.4.3.1", "2.16.840.1.101.3.4.3.2"][place].to_owned(), vec![])
        }
        ("Ed25519", _) => ("1.3.101.112".to_owned(), vec![]),
        ("Ed448", _) => ("1.3.101.113".to_owned(), vec![]),
        _ => return None,
    };
    Some(der::list(SEQUENCE, [der::oid(&name)?, rest]))
}

/// The name of the algorithm with which this key signs.
pub(super) fn signature_algorithm(key: &Key, digest: &str) -> Result<Vec<u8>, Failure> {
    let digest = digest.to_lowercase().replace('-', "");
    algorithm(&key.kind, &digest)
        .ok_or_else(|| Failure::new(format!("a key of type {} cannot sign with the digest `{digest}`", key.kind)))
}

/// Signs what is to be written beside `target`: that, its algorithm and its signature in one sequence.
/// An overlay signs nothing.
pub(super) fn sign(body: Vec<u8>, key: &Key, digest: &str, target: &Path, host: &mut dyn Host) -> Result<Vec<u8>, Failure> {
    let algorithm = signature_algorithm(key, digest)?;
    if !host.acts() {
        return Ok(der::list(SEQUENCE, [body, algorithm, der::bits(b"")]));
    }
    let staged = target.with_file_name(staged_name());
    let content = FileWrite { path: &staged, content: &body, attributes: crate::host::Attributes::default(), validate: None };
    host.write(&content)?;
    let path = staged.display().to_string();
    let words: Vec<String> = if key.kind.starts_with("Ed") {
        ["pkeyutl", "-sign", "-rawin", "-inkey", "/dev/stdin", "-in", &path].map(str::to_owned).into()
    } else {
        let digest = format!("-{}", digest.to_lowercase().replace('-', ""));
        vec!["dgst".into(), digest, "-sign".into(), "/dev/stdin".into(), "-passin".into(), "env:STEAD_PASSIN".into(), path]
    };
    let mut line = OPENSSL.line(words).env(PASS_IN, key.passphrase.as_deref().unwrap_or_default()).input(key.pem.clone());
    if key.kind.starts_with("Ed") {
        line.argv.extend(["-passin".to_owned(), "env:STEAD_PASSIN".to_owned()]);
    }
    let output = OPENSSL.run(&line, &[], host);
    host.remove(&staged)?;
    Ok(der::list(SEQUENCE, [body, algorithm, der::bits(&output?.stdout)]))
}

/// Records in a plan what cannot be made before it is applied.
pub(super) fn stand_in(effect: Effect, host: &mut dyn Host) -> Result<(), Failure> {
    host.act(&OPENSSL.line(["version"]), &[effect]).map(drop)
}
