//! Digests of content by the names that playbooks use for them.

use sha2::Digest as _;

use crate::change::hex;

/// A digest that takes its content piece by piece.
pub enum Digester {
    #[expect(missing_docs, reason = "named after its algorithm")]
    Md5(md5::Md5),
    #[expect(missing_docs, reason = "named after its algorithm")]
    Sha1(sha1::Sha1),
    #[expect(missing_docs, reason = "named after its algorithm")]
    Sha224(sha2::Sha224),
    #[expect(missing_docs, reason = "named after its algorithm")]
    Sha256(sha2::Sha256),
    #[expect(missing_docs, reason = "named after its algorithm")]
    Sha384(sha2::Sha384),
    #[expect(missing_docs, reason = "named after its algorithm")]
    Sha512(sha2::Sha512),
}

impl Digester {
    /// `None` where there is no such algorithm.
    pub fn new(algorithm: &str) -> Option<Self> {
        Some(match algorithm {
            "md5" => Self::Md5(md5::Md5::new()),
            "sha1" => Self::Sha1(sha1::Sha1::new()),
            "sha224" => Self::Sha224(sha2::Sha224::new()),
            "sha256" => Self::Sha256(sha2::Sha256::new()),
            "sha384" => Self::Sha384(sha2::Sha384::new()),
            "sha512" => Self::Sha512(sha2::Sha512::new()),
            _ => return None,
        })
    }

    /// Takes the next piece.
    pub fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(digest) => digest.update(bytes),
            Self::Sha1(digest) => digest.update(bytes),
            Self::Sha224(digest) => digest.update(bytes),
            Self::Sha256(digest) => digest.update(bytes),
            Self::Sha384(digest) => digest.update(bytes),
            Self::Sha512(digest) => digest.update(bytes),
        }
    }

    /// The digest in lower-case hex.
    pub fn finish(self) -> String {
        match self {
            Self::Md5(digest) => hex(&digest.finalize()),
            Self::Sha1(digest) => hex(&digest.finalize()),
            Self::Sha224(digest) => hex(&digest.finalize()),
            Self::Sha256(digest) => hex(&digest.finalize()),
            Self::Sha384(digest) => hex(&digest.finalize()),
            Self::Sha512(digest) => hex(&digest.finalize()),
        }
    }
}

/// The digest of bytes at hand; `None` where there is no such algorithm.
pub fn digest_bytes(bytes: &[u8], algorithm: &str) -> Option<String> {
    let mut digester = Digester::new(algorithm)?;
    digester.update(bytes);
    Some(digester.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(digest_bytes(b"", "md5").as_deref(), Some("d41d8cd98f00b204e9800998ecf8427e"));
        assert_eq!(digest_bytes(b"abc", "sha1").as_deref(), Some("a9993e364706816aba3e25717850c26c9cd0d89d"));
        assert_eq!(digest_bytes(b"", "crc32"), None);
    }
}
