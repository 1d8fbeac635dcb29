//! Private keys: what kind they are, read with the host's `openssl`.

use std::path::Path;

use serde_json::{Value, json};

use super::artefact::content_at;
use super::der::{self, SEQUENCE, UTF8};
use super::openssl::public_half;
use crate::files::paths;
use crate::host::Inspect;
use crate::outcome::Failure;

/// How a key that a plan would make is marked.
const PLANNED: &str = "PLANNED PRIVATE KEY";

/// A private key that could be read.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// `RSA`, `ECC`, `DSA`, `Ed25519` ...
    pub(super) kind: String,
    /// Its length in bits, where that is a matter of choice.
    pub(super) bits: Option<u64>,
    /// The curve, where there is a choice.
    pub(super) curve: Option<String>,
    /// `pkcs1` or `pkcs8`.
    pub(super) format: String,
    /// Whether a passphrase protects it.
    pub(super) is_protected: bool,
    /// Its public half, `SubjectPublicKeyInfo`.
    pub(super) public: Vec<u8>,
    /// The key as it is stored.
    pub(super) pem: Vec<u8>,
    pub(super) passphrase: Option<String>,
    /// Whether a plan would have made it.
    pub(super) is_planned: bool,
}

/// Curves as playbooks and certificates name them.
const CURVES: &[(&str, &str)] = &[
    ("secp192r1", "1.2.840.10045.3.1.1"),
    ("secp224r1", "1.3.132.0.33"),
    ("secp256k1", "1.3.132.0.10"),
    ("secp256r1", "1.2.840.10045.3.1.7"),
    ("secp384r1", "1.3.132.0.34"),
    ("secp521r1", "1.3.132.0.35"),
    ("brainpoolP256r1", "1.3.36.3.3.2.8.1.1.7"),
    ("brainpoolP384r1", "1.3.36.3.3.2.8.1.1.11"),
    ("brainpoolP512r1", "1.3.36.3.3.2.8.1.1.13"),
    ("sect163k1", "1.3.132.0.1"),
    ("sect163r2", "1.3.132.0.15"),
    ("sect233k1", "1.3.132.0.26"),
    ("sect233r1", "1.3.132.0.27"),
    ("sect283k1", "1.3.132.0.16"),
    ("sect283r1", "1.3.132.0.17"),
    ("sect409k1", "1.3.132.0.36"),
    ("sect409r1", "1.3.132.0.37"),
    ("sect571k1", "1.3.132.0.38"),
    ("sect571r1", "1.3.132.0.39"),
];
const KINDS: &[(&str, &str)] = &[
    ("RSA", "1.2.840.113549.1.1.1"),
    ("DSA", "1.2.840.10040.4.1"),
    ("ECC", "1.2.840.10045.2.1"),
    ("X25519", "1.3.101.110"),
    ("X448", "1.3.101.111"),
    ("Ed25519", "1.3.101.112"),
    ("Ed448", "1.3.101.113"),
];

fn bit_length(number: &[u8]) -> u64 {
    let digits: Vec<u8> = number.iter().copied().skip_while(|digit| *digit == 0).collect();
    digits.first().map_or(0, |first| digits.len() as u64 * 8 - u64::from(first.leading_zeros()))
}

/// Kind, length and curve of a public key.
pub(super) fn describe(public: &[u8]) -> Result<(String, Option<u64>, Option<String>), Failure> {
    let parts = der::one(public)?.inside()?;
    let algorithm = der::at(&parts, 0)?.inside()?;
    let name = der::oid_text(der::at(&algorithm, 0)?.content);
    let kind = KINDS.iter().find(|(_, oid)| *oid == name).map_or(name.clone(), |(kind, _)| (*kind).to_owned());
    let (bits, curve) = match kind.as_str() {
        "RSA" => {
            let numbers = der::one(der::at(&parts, 1)?.content.get(1..).unwrap_or_default())?.inside()?;
            (Some(bit_length(der::at(&numbers, 0)?.content)), None)
        }
        "DSA" => (Some(bit_length(der::at(&der::at(&algorithm, 1)?.inside()?, 0)?.content)), None),
        "ECC" => {
            let name = der::oid_text(der::at(&algorithm, 1)?.content);
            (None, Some(CURVES.iter().find(|(_, oid)| *oid == name).map_or(name.clone(), |(curve, _)| (*curve).to_owned())))
        }
        _ => (None, None),
    };
    Ok((kind, bits, curve))
}

impl Key {
    /// Reads a key; `None` where it cannot be read with this passphrase, or is none.
    pub(super) fn read(pem: &[u8], passphrase: Option<&str>, host: &dyn Inspect) -> Result<Option<Self>, Failure> {
        let passphrase = passphrase.map(str::to_owned);
        if let Some((label, bytes)) = der::from_pem(pem, PLANNED).filter(|(label, _)| label == PLANNED) {
            let told: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let text = |name: &str| told[name].as_str().map(str::to_owned);
            return Ok(Some(Self {
                kind: text("type").unwrap_or(label),
                bits: told["size"].as_u64(),
                curve: text("curve"),
                format: text("format").unwrap_or_default(),
                is_protected: told["protected"] == true,
                public: der::list(SEQUENCE, [der::element(UTF8, &bytes)]),
                pem: pem.to_owned(),
                passphrase,
                is_planned: true,
            }));
        }
        let text = String::from_utf8_lossy(pem);
        let is_protected = text.contains("ENCRYPTED");
        if !text.contains("PRIVATE KEY-----") {
            return Ok(None);
        }
        let format = if text.contains("-----BEGIN PRIVATE KEY") || text.contains("-----BEGIN ENCRYPTED PRIVATE KEY") {
            "pkcs8"
        } else {
            "pkcs1"
        };
        let Some(public) = public_half(pem, passphrase.as_deref(), host)? else { return Ok(None) };
        let (kind, bits, curve) = describe(&public)?;
        Ok(Some(Self {
            kind,
            bits,
            curve,
            format: format.into(),
            is_protected,
            public,
            pem: pem.to_owned(),
            passphrase,
            is_planned: false,
        }))
    }

    /// What stands in a plan for a key that is yet to be made.
    pub(super) fn planned(&self, path: &Path) -> Vec<u8> {
        let told = json!({
            "type": self.kind, "size": self.bits, "curve": self.curve, "format": self.format,
            "protected": self.is_protected, "path": path.display().to_string(),
        });
        der::pem(PLANNED, told.to_string().as_bytes())
    }

    /// The key at a path or in this text, which must be readable.
    pub(super) fn needed(
        path: Option<&Path>,
        content: Option<&str>,
        passphrase: Option<&str>,
        host: &dyn Inspect,
    ) -> Result<Option<Self>, Failure> {
        let (pem, what) = match (path, content) {
            (None, None) => return Ok(None),
            (Some(_), Some(_)) => return Err(Failure::new("a private key is given both by path and by content")),
            (None, Some(content)) => (content.as_bytes().to_owned(), "the private key that was given".to_owned()),
            (Some(path), None) => {
                let path = paths::expand(path, host);
                let what = format!("the private key `{}`", path.display());
                let found = content_at(&path, "private key", host)?;
                (found.ok_or_else(|| Failure::new(format!("{what} does not exist")))?, what)
            }
        };
        match Self::read(&pem, passphrase, host)? {
            Some(key) => Ok(Some(key)),
            None => Err(Failure::new(format!("{what} cannot be read: it is broken, or its passphrase is another"))),
        }
    }
}
