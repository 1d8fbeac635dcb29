//! OpenPGP public keys: taken out of their armour, told apart, and named by their fingerprints.

use base64::Engine as _;
use sha1::{Digest as _, Sha1};

use crate::change::hex;

/// One public key with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Fingerprint, upper-case hex.
    pub fingerprint: String,
    /// Fingerprints of its subkeys.
    pub subkeys: Vec<String>,
    /// Its packets as they are in a keyring.
    pub bytes: Vec<u8>,
}

impl Key {
    /// The long identifier: the last 16 digits of the fingerprint of version 4.
    pub(super) fn id(&self) -> &str {
        &self.fingerprint[self.fingerprint.len().saturating_sub(16)..]
    }

    /// Whether a short, a long identifier or a fingerprint (in any case) names it or a subkey.
    pub(super) fn is(&self, id: &str) -> bool {
        let id = normal(id);
        !id.is_empty() && std::iter::once(&self.fingerprint).chain(&self.subkeys).any(|own| own.ends_with(&id))
    }
}

/// An identifier as it is compared: upper case, no `0x`, no blanks.
pub(super) fn normal(id: &str) -> String {
    let id: String = id.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
    id.strip_prefix("0X").map_or(id.clone(), str::to_owned)
}

/// Whether this is text between armour lines.
pub(super) fn is_armored(data: &[u8]) -> bool {
    data.windows(BEGIN.len()).any(|window| window == BEGIN.as_bytes())
}

const BEGIN: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----";
const END: &str = "-----END PGP";

/// All public keys in armoured or plain data; what is damaged is an error.
pub(super) fn keys(data: &[u8]) -> Result<Vec<Key>, String> {
    let plain = if is_armored(data) { unarmor(&String::from_utf8_lossy(data))? } else { data.to_vec() };
    let mut keys: Vec<Key> = Vec::new();
    let mut rest = plain.as_slice();
    while !rest.is_empty() {
        let (tag, body, length) = packet(rest).ok_or("the key's data is damaged")?;
        match tag {
            PUBLIC_KEY => keys.push(Key { fingerprint: fingerprint(body)?, subkeys: Vec::new(), bytes: Vec::new() }),
            PUBLIC_SUBKEY => {
                let subkey = fingerprint(body)?;
                keys.last_mut().ok_or("a subkey stands before its key")?.subkeys.push(subkey);
            }
            _ => {}
        }
        if let Some(key) = keys.last_mut() {
            key.bytes.extend_from_slice(&rest[..length]);
        }
        rest = &rest[length..];
    }
    Ok(keys)
}

/// The packets of all blocks of armoured text.
fn unarmor(text: &str) -> Result<Vec<u8>, String> {
    let mut all = Vec::new();
    for block in text.split(BEGIN).skip(1) {
        let block = block.split(END).next().unwrap_or_default().trim_start_matches([' ', '\t', '\r']);
        let lines: Vec<&str> = block.lines().map(str::trim).collect();
        // Header lines (`Version: ...`) end at an empty one.
        let first = lines.iter().skip(1).take_while(|line| line.contains(": ")).count() + 1;
        let data: String = lines[first.min(lines.len())..].iter().filter(|line| !line.starts_with('=')).copied().collect();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(data)
            .map_err(|error| format!("the key's armour is damaged: {error}"))?;
        all.extend(bytes);
    }
    Ok(all)
}

const PUBLIC_KEY: u8 = 6;
const PUBLIC_SUBKEY: u8 = 14;

/// The first packet: its tag, its body, and how many bytes it takes altogether.
fn packet(data: &[u8]) -> Option<(u8, &[u8], usize)> {
    let number = |bytes: &[u8]| bytes.iter().fold(0usize, |number, byte| number << 8 | usize::from(*byte));
    let first = *data.first()?;
    if first & 0x80 == 0 {
        return None;
    }
    let (tag, head, length) = if first & 0x40 == 0 {
        let width = [1, 2, 4].get(usize::from(first & 3)).copied()?;
        (first >> 2 & 0xf, 1 + width, number(data.get(1..=width)?))
    } else {
        let lead = usize::from(*data.get(1)?);
        match lead {
            0..192 => (first & 0x3f, 2, lead),
            192..224 => (first & 0x3f, 3, ((lead - 192) << 8) + usize::from(*data.get(2)?) + 192),
            255 => (first & 0x3f, 6, number(data.get(2..6)?)),
            // Lengths in parts are not allowed for keys.
            _ => return None,
        }
    };
    let end = head.checked_add(length)?;
    Some((tag, data.get(head..end)?, end))
}

fn fingerprint(body: &[u8]) -> Result<String, String> {
    let length = body.len();
    match body.first() {
        Some(4) => {
            let mut digest = Sha1::new();
            digest.update([0x99, (length >> 8) as u8, length as u8]);
            digest.update(body);
            Ok(hex(&digest.finalize()).to_uppercase())
        }
        Some(6) => {
            let mut data = vec![0x9b];
            data.extend_from_slice(&(length as u32).to_be_bytes());
            data.extend_from_slice(body);
            Ok(crate::change::sha256(&data).to_uppercase())
        }
        version => Err(format!("a key of version {} is not supported", version.copied().unwrap_or(0))),
    }
}

/// A key for tests: its fingerprint is [`SAMPLE_FINGERPRINT`].
#[cfg(test)]
pub(super) const SAMPLE: &str = "-----BEGIN PGP PUBLIC KEY BLOCK-----

mDMEawPSwhYJKwYBBAHaRw8BAQdA+ssTHXJf8DJFyn9TpJR6jiQ6XSjwGioeCaGL
v97atzO0GUV4YW1wbGUgPGtleUBleGFtcGxlLm9yZz6IkAQTFggAOBYhBPcdjScO
DqOSj2b4/i37KuCx2Bx0BQJrA9LCAhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheA
AAoJEC37KuCx2Bx0VeMBANsInfXde8jcSfY2GfwigrSyc8NeQezUV2YtpwYbFJa4
AQDiE9ZF1GMVbonS02Rt577MJ9pF26ZKe4t08dw+ZRQjAw==
=OclC
-----END PGP PUBLIC KEY BLOCK-----
";

#[cfg(test)]
pub(super) const SAMPLE_FINGERPRINT: &str = "F71D8D270E0EA3928F66F8FE2DFB2AE0B1D81C74";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_known_by_its_fingerprint() {
        let all = keys(SAMPLE.as_bytes()).unwrap();
        assert_eq!((all.len(), all[0].fingerprint.as_str()), (1, SAMPLE_FINGERPRINT));
        let id = &SAMPLE_FINGERPRINT[24..];
        assert_eq!(all[0].id(), id);
        assert!(all[0].is(id) && all[0].is(&format!("0x{}", id.to_lowercase())) && all[0].is(&SAMPLE_FINGERPRINT[32..]));
        assert!(!all[0].is("") && !all[0].is("0123456789ABCDEF"));
    }

    #[test]
    fn keyrings_are_split_and_put_together_again() {
        let one = keys(SAMPLE.as_bytes()).unwrap();
        let ring: Vec<u8> = [one[0].bytes.clone(), one[0].bytes.clone()].concat();
        let two = keys(&ring).unwrap();
        assert_eq!((two.len(), &two[1]), (2, &one[0]));
        let twice = format!("{SAMPLE}\n{SAMPLE}");
        assert_eq!(keys(twice.as_bytes()).unwrap(), two);
    }

    #[test]
    fn damage_is_an_error() {
        let one = keys(SAMPLE.as_bytes()).unwrap();
        assert!(keys(&one[0].bytes[..one[0].bytes.len() - 3]).is_err());
        assert!(keys(b"hello").is_err());
        assert!(keys(SAMPLE.replacen("\n\nm", "\n\n*", 1).as_bytes()).is_err());
        assert_eq!(keys(b"").unwrap(), []);
    }
}
