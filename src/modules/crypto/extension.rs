//! Extensions of requests and certificates: between words and their encoding.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::der::{self, BITS, BOOLEAN, INTEGER, OCTETS, OID, SEQUENCE};
use super::names::{general, general_text};
use crate::outcome::Failure;

/// One extension.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Extension {
    pub(super) is_critical: bool,
    pub(super) value: Vec<u8>,
}

/// Extensions by their numbers.
pub(super) type Extensions = BTreeMap<String, Extension>;

pub(super) const SUBJECT_KEY: &str = "2.5.29.14";
pub(super) const KEY_USAGE: &str = "2.5.29.15";
pub(super) const ALT_NAME: &str = "2.5.29.17";
pub(super) const BASIC: &str = "2.5.29.19";
pub(super) const NAME_CONSTRAINTS: &str = "2.5.29.30";
pub(super) const CRL_POINTS: &str = "2.5.29.31";
pub(super) const AUTHORITY_KEY: &str = "2.5.29.35";
pub(super) const EXTENDED_USAGE: &str = "2.5.29.37";
pub(super) const FEATURES: &str = "1.3.6.1.5.5.7.1.24";

/// Properties that are compared, by the numbers of extensions.
const PROPERTIES: &[(&str, &str)] = &[
    ("subject_alt_name", ALT_NAME),
    ("key_usage", KEY_USAGE),
    ("extended_key_usage", EXTENDED_USAGE),
    ("basic_constraints", BASIC),
    ("ocsp_must_staple", FEATURES),
    ("name_constraints", NAME_CONSTRAINTS),
    ("subject_key_identifier", SUBJECT_KEY),
    ("authority_key_identifier", AUTHORITY_KEY),
    ("crl_distribution_points", CRL_POINTS),
];
/// What a key may be used for, bit by bit: as playbooks and as `openssl` have it.
const USES: &[(&str, &str)] = &[
    ("digitalSignature", "Digital Signature"),
    ("nonRepudiation", "Non Repudiation"),
    ("keyEncipherment", "Key Encipherment"),
    ("dataEncipherment", "Data Encipherment"),
    ("keyAgreement", "Key Agreement"),
    ("keyCertSign", "Certificate Sign"),
    ("cRLSign", "CRL Sign"),
    ("encipherOnly", "Encipher Only"),
    ("decipherOnly", "Decipher Only"),
];
/// Further uses.
const EXTENDED: &[(&str, &str, &str)] = &[
    ("serverAuth", "TLS Web Server Authentication", "1.3.6.1.5.5.7.3.1"),
    ("clientAuth", "TLS Web Client Authentication", "1.3.6.1.5.5.7.3.2"),
    ("codeSigning", "Code Signing", "1.3.6.1.5.5.7.3.3"),
    ("emailProtection", "E-mail Protection", "1.3.6.1.5.5.7.3.4"),
    ("ipsecEndSystem", "IPSec End System", "1.3.6.1.5.5.7.3.5"),
    ("ipsecTunnel", "IPSec Tunnel", "1.3.6.1.5.5.7.3.6"),
    ("ipsecUser", "IPSec User", "1.3.6.1.5.5.7.3.7"),
    ("timeStamping", "Time Stamping", "1.3.6.1.5.5.7.3.8"),
    ("OCSPSigning", "OCSP Signing", "1.3.6.1.5.5.7.3.9"),
    ("anyExtendedKeyUsage", "Any Extended Key Usage", "2.5.29.37.0"),
];

/// Other names of a subject.
pub(super) fn alt_names(names: &[String]) -> Result<Vec<u8>, Failure> {
    let list: Vec<Vec<u8>> = names.iter().map(|name| general(name)).collect::<Result<_, _>>()?;
    Ok(der::list(SEQUENCE, list))
}

/// What a key may be used for.
pub(super) fn key_usage(words: &[String]) -> Result<Vec<u8>, Failure> {
    let mut bits: u16 = 0;
    for word in words {
        let word = if word == "contentCommitment" { "nonRepudiation" } else { word };
        let place = USES.iter().position(|(short, long)| *short == word || *long == word);
        bits |= 0x8000 >> place.ok_or_else(|| Failure::new(format!("`key_usage`: `{word}` is not known")))?;
    }
    let length = if bits.trailing_zeros() >= 8 { 1 } else { 2 };
    let unused = bits.trailing_zeros() as usize - (2 - length) * 8;
    Ok(der::element(BITS, &[&[unused as u8], &bits.to_be_bytes()[..length]].concat()))
}

/// Further uses.
pub(super) fn extended(words: &[String]) -> Result<Vec<u8>, Failure> {
    let mut list = Vec::new();
    for word in words {
        let number = EXTENDED
            .iter()
            .find(|(short, long, _)| *short == word.as_str() || *long == word.as_str())
            .map_or(word.as_str(), |(.., number)| number);
        list.push(der::oid(number).ok_or_else(|| Failure::new(format!("`extended_key_usage`: `{word}` is not known")))?);
    }
    Ok(der::list(SEQUENCE, list))
}

/// Whether a certificate may sign others: `CA:TRUE`, `pathlen:0`.
pub(super) fn basic(words: &[String]) -> Result<Vec<u8>, Failure> {
    let (mut is_ca, mut length) = (false, None);
    for word in words {
        match word.split_once(':').map(|(name, value)| (name, value.to_lowercase())) {
            Some(("CA", value)) if value == "true" || value == "false" => is_ca = value == "true",
            Some(("pathlen", value)) => {
                let said = || format!("`basic_constraints`: `{word}`: the length is a small number");
                length = Some(value.parse::<u8>().map_err(|_| Failure::new(said()))?);
            }
            _ => {
                return Err(Failure::new(format!(
                    "`basic_constraints`: `{word}` is neither `CA:TRUE`, `CA:FALSE` nor `pathlen:NUMBER`"
                )));
            }
        }
    }
    let ca = if is_ca { der::element(BOOLEAN, &[0xff]) } else { Vec::new() };
    Ok(der::list(SEQUENCE, [ca, length.map(|length| der::number(&[length])).unwrap_or_default()]))
}

/// Names that certificates below may and may not have.
pub(super) fn constraints(permitted: &[String], excluded: &[String]) -> Result<Vec<u8>, Failure> {
    let trees = |tag: u8, names: &[String]| -> Result<Vec<u8>, Failure> {
        let list: Vec<Vec<u8>> =
            names.iter().map(|name| Ok(der::list(SEQUENCE, [general(name)?]))).collect::<Result<_, Failure>>()?;
        Ok(if list.is_empty() { Vec::new() } else { der::list(tag, list) })
    };
    Ok(der::list(SEQUENCE, [trees(0xa0, permitted)?, trees(0xa1, excluded)?]))
}

/// That the server has to prove that its certificate was not revoked.
pub(super) fn must_staple() -> Vec<u8> {
    der::list(SEQUENCE, [der::number(&[5])])
}

/// Which key signed.
pub(super) fn authority_key(key: Option<&[u8]>, issuers: &[String], serial: Option<u64>) -> Result<Vec<u8>, Failure> {
    let key = key.map(|key| der::element(0x80, key)).unwrap_or_default();
    let names: Vec<Vec<u8>> = issuers.iter().map(|name| general(name)).collect::<Result<_, _>>()?;
    let names = if names.is_empty() { Vec::new() } else { der::list(0xa1, names) };
    let serial = serial.map(|serial| {
        let bytes = der::number(&serial.to_be_bytes());
        [&[0x82], &bytes[1..]].concat()
    });
    Ok(der::list(SEQUENCE, [key, names, serial.unwrap_or_default()]))
}

/// The identifier of the key that is in a certificate with these.
pub(super) fn subject_key(extensions: &Extensions) -> Option<Vec<u8>> {
    let identifier = der::one(&extensions.get(SUBJECT_KEY)?.value).ok()?;
    Some(identifier.content.to_vec())
}

/// The encoding of all of them.
pub(super) fn encode(extensions: &Extensions) -> Result<Vec<u8>, Failure> {
    let mut list = Vec::new();
    for (number, extension) in extensions {
        let number = der::oid(number).ok_or_else(|| Failure::new(format!("`{number}` is not the number of an extension")))?;
        let critical = if extension.is_critical { der::element(BOOLEAN, &[0xff]) } else { Vec::new() };
        list.push(der::list(SEQUENCE, [number, critical, der::element(OCTETS, &extension.value)]));
    }
    Ok(der::list(SEQUENCE, list))
}

/// Reads them.
pub(super) fn decode(sequence: &[u8]) -> Result<Extensions, Failure> {
    let mut extensions = Extensions::new();
    for item in der::one(sequence)?.inside()? {
        let parts = item.inside()?;
        let number = der::oid_text(der::at(&parts, 0)?.content);
        let is_critical = parts.iter().any(|part| part.tag == BOOLEAN && part.content != [0]);
        let value = parts.iter().find(|part| part.tag == OCTETS).map(|part| part.content.to_vec()).unwrap_or_default();
        extensions.insert(number, Extension { is_critical, value });
    }
    Ok(extensions)
}

/// The words of an extension, sorted where their order means nothing; digits where it has none.
fn words(number: &str, value: &[u8]) -> Result<Vec<String>, Failure> {
    let whole = der::one(value)?;
    let mut words: Vec<String> = match number {
        ALT_NAME => whole.inside()?.iter().map(general_text).collect(),
        KEY_USAGE => {
            let bytes = whole.content.get(1..).unwrap_or_default();
            let is_set = |place: usize| bytes.get(place / 8).is_some_and(|byte| byte & (0x80 >> (place % 8)) != 0);
            USES.iter().enumerate().filter(|(place, _)| is_set(*place)).map(|(_, (_, long))| (*long).to_owned()).collect()
        }
        EXTENDED_USAGE => {
            let name = |text: String| {
                EXTENDED.iter().find(|(.., known)| *known == text).map_or(text.clone(), |(_, long, _)| (*long).to_owned())
            };
            whole.inside()?.iter().filter(|item| item.tag == OID).map(|item| name(der::oid_text(item.content))).collect()
        }
        BASIC => {
            let parts = whole.inside()?;
            let is_ca = parts.iter().any(|part| part.tag == BOOLEAN && part.content != [0]);
            let length = parts.iter().find(|part| part.tag == INTEGER).and_then(|part| part.content.last());
            let ca = if is_ca { "CA:TRUE" } else { "CA:FALSE" };
            [Some(ca.to_owned()), length.map(|length| format!("pathlen:{length}"))].into_iter().flatten().collect()
        }
        SUBJECT_KEY => vec![super::openssl::colons(&crate::change::hex(whole.content))],
        _ => vec![crate::change::hex(value)],
    };
    words.sort();
    Ok(words)
}

/// All extensions as properties that are compared; those that are not there are empty.
pub(super) fn properties(extensions: &Extensions) -> Result<Map<String, Value>, Failure> {
    let mut shown: Map<String, Value> = PROPERTIES.iter().map(|(name, _)| ((*name).to_owned(), json!([]))).collect();
    let mut other = Map::new();
    for (number, extension) in extensions {
        let mut list = words(number, &extension.value)?;
        if extension.is_critical {
            list.push("critical".into());
        }
        match PROPERTIES.iter().find(|(_, known)| known == number) {
            Some((name, _)) => shown.insert((*name).to_owned(), list.into()),
            None => other.insert(number.clone(), list.into()),
        };
    }
    shown.insert("other_extensions".into(), other.into());
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_read_as_they_were_written() {
        let list = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut extensions = Extensions::new();
        let mut add = |number: &str, is_critical, value| extensions.insert(number.to_owned(), Extension { is_critical, value });
        add(ALT_NAME, false, alt_names(&list(&["DNS:b", "DNS:a"])).unwrap());
        add(KEY_USAGE, true, key_usage(&list(&["keyCertSign", "Digital Signature", "decipherOnly"])).unwrap());
        add(EXTENDED_USAGE, false, extended(&list(&["serverAuth", "1.2.3.4"])).unwrap());
        add(BASIC, true, basic(&list(&["CA:TRUE", "pathlen:0"])).unwrap());
        let read = decode(&encode(&extensions).unwrap()).unwrap();
        assert_eq!(read, extensions);
        let shown = properties(&read).unwrap();
        assert_eq!(shown["subject_alt_name"], json!(["DNS:a", "DNS:b"]));
        assert_eq!(shown["key_usage"], json!(["Certificate Sign", "Decipher Only", "Digital Signature", "critical"]));
        assert_eq!(shown["extended_key_usage"], json!(["1.2.3.4", "TLS Web Server Authentication"]));
        assert_eq!(shown["basic_constraints"], json!(["CA:TRUE", "pathlen:0", "critical"]));
        assert_eq!(shown["ocsp_must_staple"], json!([]));
    }

    #[test]
    fn bits_are_as_short_as_can_be() {
        assert_eq!(key_usage(&["digitalSignature".into(), "keyEncipherment".into()]).unwrap(), [3, 2, 5, 0xa0]);
        assert_eq!(key_usage(&["decipherOnly".into()]).unwrap(), [3, 3, 7, 0, 0x80]);
        assert!(key_usage(&["nonsense".into()]).is_err());
        assert!(basic(&["CA".into()]).is_err());
    }
}
