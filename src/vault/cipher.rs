//! One encrypted text of Ansible Vault 1.1 or 1.2: its format, sealing and opening it.
//!
//! ```text
//! $ANSIBLE_VAULT;1.2;AES256;prod      (1.1 has no id)
//! hex(hex(salt) \n hex(hmac) \n hex(ciphertext)), 80 letters a line
//! ```
//!
//! The keys come from PBKDF2 with HMAC-SHA256; the content is padded as PKCS #7 has it, encrypted
//! with AES-256 in counter mode, and signed with HMAC-SHA256.

use std::num::NonZeroU32;

use aes::Aes256;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit as _, StreamCipher as _};
use ring::{hmac, pbkdf2};

/// How every encrypted text begins.
const MAGIC: &str = "$ANSIBLE_VAULT";
/// Rounds of PBKDF2: part of the format.
const ROUNDS: NonZeroU32 = NonZeroU32::new(10_000).expect("not zero");
/// Bytes of a new salt.
pub const SALT_BYTES: usize = 32;
/// Letters in a line.
const WIDTH: usize = 80;
const BLOCK: usize = 16;

/// What the first line of an encrypted text says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The vault id, if it has one that is not `default`.
    pub id: Option<String>,
}

/// Why a text could not be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// It is not what this format looks like.
    #[error("the encrypted text is damaged: {0}")]
    Malformed(&'static str),
    /// A version or cipher that Ansible no longer writes.
    #[error("the encrypted text's version or cipher is not supported: 1.1 and 1.2 with AES256 are")]
    Unsupported,
    /// The signature does not fit: another password, or a changed text.
    #[error("the password does not fit")]
    WrongPassword,
}

/// How a new text is sealed.
#[derive(Debug, Clone, Default)]
pub struct SealOptions<'a> {
    /// The vault id that it names; none and `default` give version 1.1.
    pub id: Option<&'a str>,
    /// The salt; else a random one. A fixed one makes texts comparable, and weaker.
    pub salt: Option<&'a [u8]>,
}

/// Whether this is the beginning of an encrypted text.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.starts_with(MAGIC.as_bytes())
}

/// Reads the first line.
pub fn header(text: &[u8]) -> Result<Header, OpenError> {
    let line = text.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = std::str::from_utf8(line).map_err(|_| OpenError::Malformed("its first line is not text"))?;
    let mut parts = line.trim().split(';').map(str::trim);
    if parts.next() != Some(MAGIC) {
        return Err(OpenError::Malformed("it does not begin with `$ANSIBLE_VAULT`"));
    }
    let (version, cipher) = (parts.next(), parts.next());
    if !matches!(version, Some("1.1" | "1.2")) || cipher != Some("AES256") {
        return Err(OpenError::Unsupported);
    }
    let id = parts.next().filter(|id| version == Some("1.2") && !id.is_empty()).map(str::to_owned);
    Ok(Header { id })
}

struct Keys {
    cipher: [u8; 32],
    signature: hmac::Key,
    counter: [u8; BLOCK],
}

fn keys(password: &[u8], salt: &[u8]) -> Keys {
    let mut bytes = [0; 32 + 32 + BLOCK];
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, salt, password, &mut bytes);
    let part = |from: usize| bytes[from..from + 32].try_into().expect("two keys of 32 bytes come first");
    let signature: [u8; 32] = part(32);
    Keys {
        cipher: part(0),
        signature: hmac::Key::new(hmac::HMAC_SHA256, &signature),
        counter: bytes[64..].try_into().expect("a block is left"),
    }
}

fn apply(keys: &Keys, bytes: &mut [u8]) {
    Ctr128BE::<Aes256>::new(&keys.cipher.into(), &keys.counter.into()).apply_keystream(bytes);
}

/// Opens an encrypted text.
pub fn open(text: &[u8], password: &[u8]) -> Result<Vec<u8>, OpenError> {
    header(text)?;
    let text = text.trim_ascii_start();
    let body = text.iter().position(|byte| *byte == b'\n').map_or(&[][..], |end| &text[end..]);
    let digits: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    let inner = unhex(&digits)?;
    let mut parts = inner.splitn(3, |byte| *byte == b'\n');
    let mut part = || unhex(parts.next().ok_or(OpenError::Malformed("a part is missing"))?);
    let (salt, signature, mut content) = (part()?, part()?, part()?);
    let keys = keys(password, &salt);
    hmac::verify(&keys.signature, &content, &signature).map_err(|_| OpenError::WrongPassword)?;
    apply(&keys, &mut content);
    // The signature holds, so whoever wrote the text padded it.
    let padding = content.last().map_or(0, |last| usize::from(*last));
    if padding == 0 || padding > BLOCK || padding > content.len() {
        return Err(OpenError::Malformed("its padding is none"));
    }
    content.truncate(content.len() - padding);
    Ok(content)
}

/// Seals content; the text ends with a line break.
pub fn seal(content: &[u8], password: &[u8], options: &SealOptions<'_>) -> String {
    let random: [u8; SALT_BYTES];
    let salt = match options.salt {
        Some(salt) => salt,
        None => {
            random = rand::random();
            &random
        }
    };
    let keys = keys(password, salt);
    let padding = BLOCK - content.len() % BLOCK;
    let mut bytes = content.to_vec();
    bytes.resize(content.len() + padding, padding as u8);
    apply(&keys, &mut bytes);
    let signature = hmac::sign(&keys.signature, &bytes);
    let inner = [hex(salt), hex(signature.as_ref()), hex(&bytes)].join("\n");
    let digits = hex(inner.as_bytes());
    let mut text = match options.id.filter(|id| !id.is_empty() && *id != super::DEFAULT_ID) {
        Some(id) => format!("{MAGIC};1.2;AES256;{id}\n"),
        None => format!("{MAGIC};1.1;AES256\n"),
    };
    for line in digits.as_bytes().chunks(WIDTH) {
        text.extend(line.iter().copied().map(char::from));
        text.push('\n');
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    stead_modules::change::hex(bytes)
}

fn unhex(digits: &[u8]) -> Result<Vec<u8>, OpenError> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16).map(|digit| digit as u8);
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(OpenError::Malformed("an odd number of hexadecimal digits"));
    }
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?));
    bytes.collect::<Option<_>>().ok_or(OpenError::Malformed("something else than hexadecimal digits"))
}
