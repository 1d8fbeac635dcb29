//! Filters that encode and hash.

use base64::Engine as _;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE};
use sha2::Digest as _;

use super::{Filter, filter, string, whole};
use crate::template::crypt::{self, Scheme};
use crate::template::error::fail;
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
        // As Python does it: what is not of the alphabet does not count, nor what stands behind the end.
        let own = if url_safe { "-_" } else { "+/" };
        let clean: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '=' || own.contains(*c)).collect();
        let clean =
            clean.find('=').map_or(&*clean, |at| &clean[..(at + 2).min(clean.len()).next_multiple_of(4).min(clean.len())]);
        let bytes = if url_safe { LENIENT_URL_SAFE.decode(clean) } else { LENIENT.decode(clean) };
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
    filter("password_hash", password_hash),
    filter("get_encrypted_password", password_hash),
];

/// Bits that do not count may be anything.
const LENIENT_CONFIG: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
const LENIENT: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, LENIENT_CONFIG);
const LENIENT_URL_SAFE: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::URL_SAFE, LENIENT_CONFIG);

/// `password_hash(hashtype, salt, salt_size, rounds, ident)`.
fn password_hash(it: &Interpreter<'_>, input: Val, args: &mut Args) -> Res {
    let runtime = it.runtime;
    let kind = string(runtime, args, "hashtype", "sha512")?;
    let salt = super::optional(runtime, args, "salt")?;
    args.next("salt_size");
    let rounds = match args.next("rounds") {
        None | Some(Val::Null) => None,
        Some(rounds) => Some(u32::try_from(whole(&rounds)?).map_err(|_| fail("the number of rounds is too large"))?),
    };
    let ident = super::optional(runtime, args, "ident")?;
    let password = input.as_str().ok_or_else(|| fail(format!("a password is text, not a `{}`", input.type_name())))?;
    let scheme = Scheme::named(&kind)
        .ok_or_else(|| fail(format!("`{kind}` is not a hash for passwords: sha512, sha256, blowfish or md5")))?;
    // A round costs about as much as a few steps of a template.
    runtime.steps(u64::from(rounds.unwrap_or(0)).min(2_000_000) / 2)?;
    let salt = salt.map_or_else(|| scheme.random_salt(), |salt| salt.to_string());
    crypt::hash(scheme, password, &salt, rounds, ident.as_deref()).map(Val::str).map_err(fail)
}

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
        "sha512_256" => hex(&sha2::Sha512_256::digest(bytes)),
        "sha512_224" => hex(&sha2::Sha512_224::digest(bytes)),
        "sha3_224" => hex(&sha3::Sha3_224::digest(bytes)),
        "sha3_256" => hex(&sha3::Sha3_256::digest(bytes)),
        "sha3_384" => hex(&sha3::Sha3_384::digest(bytes)),
        "sha3_512" => hex(&sha3::Sha3_512::digest(bytes)),
        "blake2b" => hex(&blake2::Blake2b512::digest(bytes)),
        "blake2s" => hex(&blake2::Blake2s256::digest(bytes)),
        other => return Err(fail(format!("`{other}` is not a hash: sha256, sha512, sha1, md5, sha3_256, blake2b ..."))),
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
