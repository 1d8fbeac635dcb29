//! Names of subjects, and the other names that certificates have: between playbooks and their encoding.

use std::net::IpAddr;

use super::der::{self, IA5, PRINTABLE, SEQUENCE, SET, UTF8};
use crate::outcome::Failure;

/// Parts of a subject: short name, long name, number, and the kind of text.
const PARTS: &[(&str, &str, &str, u8)] = &[
    ("C", "countryName", "2.5.4.6", PRINTABLE),
    ("ST", "stateOrProvinceName", "2.5.4.8", UTF8),
    ("L", "localityName", "2.5.4.7", UTF8),
    ("O", "organizationName", "2.5.4.10", UTF8),
    ("OU", "organizationalUnitName", "2.5.4.11", UTF8),
    ("CN", "commonName", "2.5.4.3", UTF8),
    ("emailAddress", "E", "1.2.840.113549.1.9.1", IA5),
    ("serialNumber", "serialNumber", "2.5.4.5", PRINTABLE),
    ("SN", "surname", "2.5.4.4", UTF8),
    ("GN", "givenName", "2.5.4.42", UTF8),
    ("title", "title", "2.5.4.12", UTF8),
    ("street", "streetAddress", "2.5.4.9", UTF8),
    ("postalCode", "postalCode", "2.5.4.17", UTF8),
    ("dnQualifier", "dnQualifier", "2.5.4.46", PRINTABLE),
    ("initials", "initials", "2.5.4.43", UTF8),
    ("pseudonym", "pseudonym", "2.5.4.65", UTF8),
    ("organizationIdentifier", "organizationIdentifier", "2.5.4.97", UTF8),
    ("DC", "domainComponent", "0.9.2342.19200300.100.1.25", IA5),
    ("UID", "userId", "0.9.2342.19200300.100.1.1", UTF8),
];

/// The name of a part as results have it.
pub(super) fn canonical(name: &str) -> &str {
    PARTS.iter().find(|(short, long, ..)| *short == name || *long == name).map_or(name, |(short, ..)| short)
}

/// A subject of these parts in this order.
pub(super) fn subject(parts: &[(String, String)]) -> Result<Vec<u8>, Failure> {
    let mut list = Vec::new();
    for (name, value) in parts {
        let known = PARTS.iter().find(|(short, long, number, _)| [short, long, number].contains(&&name.as_str()));
        let (number, tag) = known.map_or((name.as_str(), UTF8), |(_, _, number, tag)| (*number, *tag));
        let number =
            der::oid(number).ok_or_else(|| Failure::new(format!("`{name}` is not a part of a subject that is known")))?;
        list.push(der::list(SET, [der::list(SEQUENCE, [number, der::element(tag, value.as_bytes())])]));
    }
    Ok(der::list(SEQUENCE, list))
}

/// The parts of a subject.
pub(super) fn parts(subject: &[u8]) -> Result<Vec<(String, String)>, Failure> {
    let mut list = Vec::new();
    for set in der::one(subject)?.inside()? {
        for part in set.inside()? {
            let pair = part.inside()?;
            let number = der::oid_text(der::at(&pair, 0)?.content);
            let name =
                PARTS.iter().find(|(_, _, known, _)| *known == number).map_or(number.clone(), |(short, ..)| (*short).to_owned());
            list.push((name, String::from_utf8_lossy(der::at(&pair, 1)?.content).into_owned()));
        }
    }
    Ok(list)
}

fn address(text: &str) -> Option<Vec<u8>> {
    Some(match text.parse().ok()? {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    })
}

/// An address with its mask, as constraints have them.
fn network(text: &str) -> Option<Vec<u8>> {
    let (base, length) = text.split_once('/')?;
    let mut bytes = address(base)?;
    let length: usize = length.parse().ok().filter(|length| *length <= bytes.len() * 8)?;
    let mask: Vec<u8> = (0..bytes.len()).map(|place| (0xff00_u16 >> length.saturating_sub(place * 8).min(8)) as u8).collect();
    bytes.extend(mask);
    Some(bytes)
}

/// A name such as `DNS:example.org`, `IP:10.0.0.1` or `URI:https://example.org/`.
pub(super) fn general(text: &str) -> Result<Vec<u8>, Failure> {
    let unknown = || {
        Failure::new(format!(
            "`{text}` is not a name that can be put in a certificate here; write `DNS:`, `IP:`, `email:`, `URI:` or `RID:`"
        ))
    };
    let (kind, value) = text.split_once(':').ok_or_else(unknown)?;
    let (tag, bytes) = match kind {
        "email" => (0x81, value.as_bytes().to_vec()),
        "DNS" => (0x82, value.as_bytes().to_vec()),
        "URI" => (0x86, value.as_bytes().to_vec()),
        "IP" => (0x87, address(value).or_else(|| network(value)).ok_or_else(unknown)?),
        "RID" => (0x88, der::one(&der::oid(value).ok_or_else(unknown)?)?.content.to_vec()),
        _ => return Err(unknown()),
    };
    if !bytes.is_ascii() && tag < 0x87 {
        return Err(Failure::new(format!("`{text}`: international names are written in ASCII (`xn--`)")));
    }
    Ok(der::element(tag, &bytes))
}

/// Such a name as text.
pub(super) fn general_text(name: &der::Element<'_>) -> String {
    let text = || String::from_utf8_lossy(name.content).into_owned();
    let ip = |bytes: &[u8]| match bytes.len() {
        4 => <[u8; 4]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        16 => <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::from(bytes).to_string()),
        _ => None,
    };
    let half = name.content.len() / 2;
    let with_mask = || {
        let (base, mask) = name.content.split_at(half);
        Some(format!("{}/{}", ip(base)?, mask.iter().map(|byte| byte.count_ones()).sum::<u32>()))
    };
    match name.tag {
        0x81 => format!("email:{}", text()),
        0x82 => format!("DNS:{}", text()),
        0x86 => format!("URI:{}", text()),
        0x87 => format!("IP:{}", ip(name.content).filter(|_| name.content.len() != 8).or_else(with_mask).unwrap_or_default()),
        0x88 => format!("RID:{}", der::oid_text(name.content)),
        tag => format!("{tag:02x}:{}", crate::change::hex(name.content)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_were_written() {
        for text in [
            "DNS:*.example.org",
            "IP:10.0.0.1",
            "IP:fe80::1",
            "IP:10.0.0.0/9",
            "IP:fe80::/16",
            "email:a@b.c",
            "URI:x:y",
            "RID:1.2.3.4",
        ] {
            let bytes = general(text).unwrap();
            assert_eq!(general_text(&der::one(&bytes).unwrap()), text);
        }
        for text in ["example.org", "IP:x", "IP:10.0.0.0/33", "otherName:1;UTF8:x", "DNS:é", "RID:x"] {
            assert!(general(text).is_err(), "{text}");
        }
        let list = [("C", "DE"), ("CN", "é"), ("1.2.3.4", "x")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(parts(&subject(&list).unwrap()).unwrap(), list);
        assert!(subject(&[("nonsense".into(), "x".into())]).is_err());
    }
}
