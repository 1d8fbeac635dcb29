//! Who asks: the headers of basic and digest authentication.

use base64::Engine as _;

use crate::files::tempfile::random_word;
use crate::host::digest_bytes;

/// The header value of basic authentication.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

/// What a server asks for that wants a digest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Challenge {
    realm: String,
    nonce: String,
    opaque: Option<String>,
    algorithm: Option<String>,
    has_qop: bool,
}

impl Challenge {
    /// Reads `Digest realm="x", nonce="y", qop="auth"`; `None` where it is no digest that is known here.
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("digest") {
            return None;
        }
        let mut challenge = Self::default();
        for (name, value) in pairs(rest) {
            match name.to_ascii_lowercase().as_str() {
                "realm" => challenge.realm = value,
                "nonce" => challenge.nonce = value,
                "opaque" => challenge.opaque = Some(value),
                "algorithm" => challenge.algorithm = Some(value),
                "qop" => challenge.has_qop = value.split(',').any(|word| word.trim() == "auth"),
                _ => {}
            }
        }
        challenge.hash("").map(|_| challenge)
    }

    fn hash(&self, text: &str) -> Option<String> {
        let name = match self.algorithm.as_deref().unwrap_or("MD5").to_ascii_uppercase().as_str() {
            "MD5" => "md5",
            "SHA" => "sha1",
            "SHA-256" => "sha256",
            _ => return None,
        };
        digest_bytes(text.as_bytes(), name)
    }

    /// The header value that answers it.
    pub(super) fn answer(&self, user: &str, password: &str, method: &str, path: &str) -> String {
        self.answer_with(user, password, method, path, &random_word(16))
    }

    fn answer_with(&self, user: &str, password: &str, method: &str, path: &str, own: &str) -> String {
        let hash = |text: String| self.hash(&text).expect("the algorithm was checked when it was read");
        let (realm, nonce) = (&self.realm, &self.nonce);
        let who = hash(format!("{user}:{realm}:{password}"));
        let what = hash(format!("{method}:{path}"));
        let middle = if self.has_qop { format!("{nonce}:00000001:{own}:auth") } else { nonce.clone() };
        let response = hash(format!("{who}:{middle}:{what}"));
        let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"");
        let mut header = format!(
            "Digest username=\"{}\", realm=\"{}\", nonce=\"{nonce}\", uri=\"{path}\", response=\"{response}\"",
            quoted(user),
            quoted(realm)
        );
        if let Some(opaque) = &self.opaque {
            header.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if let Some(algorithm) = &self.algorithm {
            header.push_str(&format!(", algorithm=\"{algorithm}\""));
        }
        if self.has_qop {
            header.push_str(&format!(", qop=auth, nc=00000001, cnonce=\"{own}\""));
        }
        header
    }
}

/// `a="b, c", d=e` -> pairs.
fn pairs(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = text.trim();
    while let Some((name, after)) = rest.split_once('=') {
        let (value, left) = if let Some(inside) = after.trim_start().strip_prefix('"') {
            let end = inside.find('"').unwrap_or(inside.len());
            (&inside[..end], inside[end..].trim_start_matches('"'))
        } else {
            after.split_at(after.find(',').unwrap_or(after.len()))
        };
        found.push((name.trim().to_owned(), value.trim().to_owned()));
        rest = left.trim_start().trim_start_matches(',').trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_standards_own_example_is_answered() {
        // RFC 2617, 3.5, and RFC 7616, 3.9.1.
        let challenge = Challenge::parse(
            "Digest realm=\"testrealm@host.com\", qop=\"auth,auth-int\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", opaque=\"5ccc069c403ebaf9f0171e9517f40e41\"",
        )
        .unwrap();
        let answer = challenge.answer_with("Mufasa", "Circle Of Life", "GET", "/dir/index.html", "0a4f113b");
        assert!(answer.contains("response=\"6629fae49393a05397450978507c4ef1\"") && answer.contains("opaque=\"5ccc"), "{answer}");
        let challenge = Challenge::parse(
            "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm=SHA-256, nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\"",
        )
        .unwrap();
        let own = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        let answer = challenge.answer_with("Mufasa", "Circle of Life", "GET", "/dir/index.html", own);
        assert!(answer.contains("753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"), "{answer}");
    }

    #[test]
    fn what_is_not_known_is_not_answered() {
        for header in ["Basic realm=\"x\"", "Digest realm=\"x\", nonce=\"y\", algorithm=MD4", "Negotiate"] {
            assert_eq!(Challenge::parse(header), None, "{header}");
        }
        assert_eq!(basic("Aladdin", "open sesame"), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    }
}
