//! Requests for certificates: read and put together.

use super::der::{self, SEQUENCE, SET};
use super::extension::{self, Extensions};
use super::names;
use crate::change::hex;
use crate::host::digest_bytes;
use crate::outcome::Failure;

/// The number of the attribute that has the extensions.
const EXTENSIONS: &str = "1.2.840.113549.1.9.14";

/// What a request says.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// The parts of the subject.
    pub(super) subject: Vec<(String, String)>,
    /// The public key, `SubjectPublicKeyInfo`.
    pub(super) public: Vec<u8>,
    pub(super) extensions: Extensions,
}

impl Request {
    /// Reads a request.
    pub(super) fn read(text: &[u8]) -> Result<Self, Failure> {
        let (_, bytes) =
            der::from_pem(text, "CERTIFICATE REQUEST").ok_or_else(|| Failure::new("it is not a certificate request"))?;
        let body = der::at(&der::one(&bytes)?.inside()?, 0)?.inside()?;
        let mut extensions = Extensions::new();
        for attribute in body.get(3).map(der::Element::inside).transpose()?.unwrap_or_default() {
            let parts = attribute.inside()?;
            if der::oid_text(der::at(&parts, 0)?.content) == EXTENSIONS {
                extensions = extension::decode(der::at(&parts, 1)?.content)?;
            }
        }
        let subject = names::parts(der::at(&body, 1)?.whole)?;
        Ok(Self { subject, public: der::at(&body, 2)?.whole.to_vec(), extensions })
    }

    /// What is signed.
    pub(super) fn body(&self) -> Result<Vec<u8>, Failure> {
        let mut attributes = Vec::new();
        if !self.extensions.is_empty() {
            let number = der::oid(EXTENSIONS).unwrap_or_default();
            attributes.push(der::list(SEQUENCE, [number, der::list(SET, [extension::encode(&self.extensions)?])]));
        }
        let parts = [der::number(&[0]), names::subject(&self.subject)?, self.public.clone(), der::list(0xa0, attributes)];
        Ok(der::list(SEQUENCE, parts))
    }
}

/// The usual identifier of a key: the SHA-1 of its bits.
pub(super) fn key_identifier(public: &[u8]) -> Result<Vec<u8>, Failure> {
    let parts = der::one(public)?.inside()?;
    // A key that is yet to be made has no bits.
    let bits = parts.get(1).map_or(public, |bits| bits.content.get(1..).unwrap_or_default());
    let text = digest_bytes(bits, "sha1").unwrap_or_else(|| hex(bits));
    Ok((0..text.len() / 2).filter_map(|place| u8::from_str_radix(&text[place * 2..place * 2 + 2], 16).ok()).collect())
}
