//! Filters that encode and hash.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use sha2::Digest as _;

use super::{Filter, filter, string};
use crate::template::error::{TemplateError, TemplateErrorKind, fail};
use crate::template::eval::Interpreter;
use crate::template::val::{Args, Res, Val};

pub(super) const FILTERS: &[Filter] = &[
    filter("b64encode", |it, input, args| {
        let text = it.runtime.string(&input)?;
        let bytes = encoded(&text, &string(it.runtime, args, "encoding", "utf-8")?)?;
        let url_safe = args.next("urlsafe").map_or(Ok(false), |value| it.runtime.truth(&value))?;
        Ok(Val::str(if url_safe { URL_SAFE.encode(bytes) } else { STANDARD.encode(bytes) }))
    }),
    filter("b64decode", |it, input, args| {
        let text = it.runtime.string(&input)?;
        let encoding = string(it.runtime, args, "encoding", "utf-8")?;
        let url_safe = args.next("urlsafe").map_or(Ok(false), |value| it.runtime.truth(&value))?;
        let clean: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let bytes = if url_safe { URL_SAFE.decode(&clean) } else { STANDARD.decode(&clean) };
        let bytes = bytes.map_err(|error| fail(format!("this is not base64: {error}")))?;
        decoded(bytes, &encoding).map(Val::str)
    }),
    filter("hash", |it, input, args| {
        let text = it.runtime.string(&input)?;
        let kind = string(it.runtime, args, "hashtype", "sha1")?;
        digest(&kind, text.as_bytes()).map(Val::str)
    }),
    filter("md5", |it, input, _| digest("md5", it.runtime.string(&input)?.as_bytes()).map(Val::str)),
    filter("sha1", |it, input, _| digest("sha1", it.runtime.string(&input)?.as_bytes()).map(Val::str)),
    filter("checksum", |it, input, _| digest("sha1", it.runtime.string(&input)?.as_bytes()).map(Val::str)),
    filter("to_uuid", to_uuid),
    filter("password_hash", |_, _, _| {
        let message = "password hashes (crypt) are not supported in templates yet";
        Err(TemplateError::new(TemplateErrorKind::Failed, message)
            .hint("make it once with `openssl passwd -6` and keep it in a vault")
            .into())
    }),
    filter("get_encrypted_password", |_, _, _| Err(fail("password hashes (crypt) are not supported in templates yet"))),
];

fn encoded(text: &str, encoding: &str) -> Res<Vec<u8>> {
    match encoding.to_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" => Ok(text.as_bytes().to_vec()),
        "ascii" | "us-ascii" if text.is_ascii() => Ok(text.as_bytes().to_vec()),
        "utf-16-le" | "utf-16le" => Ok(text.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        "utf-16-be" | "utf-16be" => Ok(text.encode_utf16().flat_map(u16::to_be_bytes).collect()),
        "utf-16" | "utf16" => Ok([0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()),
        "latin-1" | "iso-8859-1" | "latin1" => {
            text.chars().map(|c| u8::try_from(c as u32).map_err(|_| fail(format!("`{c}` does not exist in latin-1")))).collect()
        }
        other => Err(fail(format!("the encoding `{other}` is not supported, or the text does not fit in it"))),
    }
}

fn decoded(bytes: Vec<u8>, encoding: &str) -> Res<String> {
    let bad = || fail(format!("the bytes are not {encoding} text"));
    let wide = |order: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks(2).map(|pair| order([pair[0], pair.get(1).copied().unwrap_or(0)])).collect();
        String::from_utf16(&units).map_err(|_| bad())
    };
    match encoding.to_lowercase().replace('_', "-").as_str() {
        "utf-8" | "utf8" | "ascii" | "us-ascii" => String::from_utf8(bytes).map_err(|_| bad()),
        "utf-16-le" | "utf-16le" => wide(u16::from_le_bytes),
        "utf-16-be" | "utf-16be" => wide(u16::from_be_bytes),
        "utf-16" | "utf16" => wide(u16::from_le_bytes).map(|text| text.trim_start_matches('\u{feff}').to_owned()),
        "latin-1" | "iso-8859-1" | "latin1" => Ok(bytes.into_iter().map(char::from).collect()),
        other => Err(fail(format!("the encoding `{other}` is not supported"))),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest(kind: &str, bytes: &[u8]) -> Res<String> {
    Ok(match kind {
        "md5" => hex(&md5::Md5::digest(bytes)),
        "sha1" => hex(&sha1::Sha1::digest(bytes)),
        "sha224" => hex(&sha2::Sha224::digest(bytes)),
        "sha256" => hex(&sha2::Sha256::digest(bytes)),
        "sha384" => hex(&sha2::Sha384::digest(bytes)),
        "sha512" => hex(&sha2::Sha512::digest(bytes)),
        other => return Err(fail(format!("the hash `{other}` is not supported: md5, sha1, sha224, sha256, sha384 or sha512"))),
    })
}

/// A name-based UUID (version 5); Ansible's own namespace unless another is given.
fn to_uuid(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let text = it.runtime.string(&input)?;
    let namespace = string(it.runtime, args, "namespace", "361E6D51-FAEC-444A-9079-341386DA8E2E")?;
    let digits: String = namespace.chars().filter(char::is_ascii_hexdigit).collect();
    let space = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32);
    let space = space.ok_or_else(|| fail(format!("`{namespace}` is not a UUID")))?;
    let hash = sha1::Sha1::digest([&space.to_be_bytes()[..], text.as_bytes()].concat());
    let mut bytes: Vec<u8> = hash[..16].to_vec();
    bytes[6] = (bytes[6] & 0x0f) | 0x50;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let text = hex(&bytes);
    Ok(Val::str(format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])))
}
