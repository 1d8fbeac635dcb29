//! The program `openssl`: what modules ask of it. Keys go by standard input, passphrases by the environment.

use serde_json::{Map, Value};

use super::der;
use super::key::Key;
use crate::host::{CommandLine, Effect, Host, Inspect, digest_bytes};
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

/// Records in a plan what cannot be made before it is applied.
pub(super) fn stand_in(effect: Effect, host: &mut dyn Host) -> Result<(), Failure> {
    host.act(&OPENSSL.line(["version"]), &[effect]).map(drop)
}
