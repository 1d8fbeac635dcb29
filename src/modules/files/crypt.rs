//! Password hashes as web servers keep them: `$apr1$`, `$1$`, `{SHA}`, `$5$`, `$6$` and plain text.

use base64::Engine as _;
use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

use super::tempfile::random_word;

/// A way to hash a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Apache's variant of MD5.
    Apr1,
    /// The same under the name that `crypt` has for it.
    Md5,
    /// SHA-1 without salt.
    Sha1,
    /// SHA-256 in rounds.
    Sha256,
    /// SHA-512 in rounds.
    Sha512,
    /// Not hashed at all.
    Plain,
    /// Blowfish; only `htpasswd` itself can do it.
    Bcrypt,
}

/// Rounds where a hash does not say how many.
const ROUNDS: usize = 5000;
/// Rounds that passlib writes into new hashes.
const NEW_ROUNDS: usize = 535_000;
/// Most rounds that the format allows.
const MOST_ROUNDS: usize = 999_999_999;
const LETTERS: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

impl Scheme {
    /// By the name that passlib has for it.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "apr_md5_crypt" | "portable" | "portable_apache22" => Self::Apr1,
            "md5_crypt" => Self::Md5,
            "ldap_sha1" => Self::Sha1,
            "sha256_crypt" => Self::Sha256,
            "sha512_crypt" => Self::Sha512,
            "plaintext" => Self::Plain,
            "bcrypt" | "portable_apache24" | "portable_apache_24" | "host_apache24" | "host_apache_24" => Self::Bcrypt,
            _ => return None,
        })
    }

    /// The scheme of a hash.
    pub(crate) fn of(hash: &str) -> Self {
        const STARTS: &[(&str, Scheme)] = &[
            ("$apr1$", Scheme::Apr1),
            ("$1$", Scheme::Md5),
            ("{SHA}", Scheme::Sha1),
            ("$5$", Scheme::Sha256),
            ("$6$", Scheme::Sha512),
            ("$2", Scheme::Bcrypt),
        ];
        STARTS.iter().find(|(start, _)| hash.starts_with(start)).map_or(Self::Plain, |(_, scheme)| *scheme)
    }

    /// What stands before the hash: scheme, rounds, and a salt that nobody can guess.
    pub(crate) fn new_setting(self) -> String {
        match self {
            Self::Apr1 => format!("$apr1${}", random_word(8)),
            Self::Md5 => format!("$1${}", random_word(8)),
            Self::Sha1 => "{SHA}".into(),
            Self::Sha256 => format!("$5$rounds={NEW_ROUNDS}${}", random_word(16)),
            Self::Sha512 => format!("$6$rounds={NEW_ROUNDS}${}", random_word(16)),
            Self::Plain | Self::Bcrypt => String::new(),
        }
    }
}

/// The hash of a password under what another hash (or only its beginning) says; `None` where that
/// cannot be done here.
pub(crate) fn crypt(password: &[u8], setting: &str) -> Option<String> {
    match Scheme::of(setting) {
        Scheme::Apr1 => Some(md5_crypt(password, "$apr1$", setting)),
        Scheme::Md5 => Some(md5_crypt(password, "$1$", setting)),
        Scheme::Sha1 => {
            let digest = sha1::Sha1::digest(password);
            Some(format!("{{SHA}}{}", base64::engine::general_purpose::STANDARD.encode(digest)))
        }
        Scheme::Sha256 => Some(sha_crypt::<Sha256>(password, "$5$", setting)),
        Scheme::Sha512 => Some(sha_crypt::<Sha512>(password, "$6$", setting)),
        Scheme::Plain => String::from_utf8(password.to_vec()).ok(),
        Scheme::Bcrypt => None,
    }
}

/// 24 bits as four letters, the low ones first.
fn letters(text: &mut String, bits: u32, count: usize) {
    let mut bits = bits;
    for _ in 0..count {
        text.push(char::from(LETTERS[(bits & 0x3f) as usize]));
        bits >>= 6;
    }
}

fn md5_crypt(password: &[u8], magic: &str, setting: &str) -> String {
    let salt: String = setting[magic.len()..].chars().take_while(|c| *c != '$').take(8).collect();
    let other = Md5::new().chain_update(password).chain_update(&salt).chain_update(password).finalize();
    let mut first = Md5::new().chain_update(password).chain_update(magic).chain_update(&salt);
    for left in (1..=password.len()).rev().step_by(16) {
        first.update(&other[..left.min(16)]);
    }
    let mut length = password.len();
    while length > 0 {
        if length & 1 == 1 {
            first.update([0]);
        } else {
            first.update(&password[..1]);
        }
        length >>= 1;
    }
    let mut digest = first.finalize();
    for round in 0..1000 {
        let mut next = Md5::new();
        if round % 2 == 1 {
            next.update(password);
        } else {
            next.update(digest);
        }
        if round % 3 != 0 {
            next.update(&salt);
        }
        if round % 7 != 0 {
            next.update(password);
        }
        if round % 2 == 1 {
            next.update(digest);
        } else {
            next.update(password);
        }
        digest = next.finalize();
    }
    let mut text = format!("{magic}{salt}$");
    for (a, b, c) in [(0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5)] {
        letters(&mut text, u32::from(digest[a]) << 16 | u32::from(digest[b]) << 8 | u32::from(digest[c]), 4);
    }
    letters(&mut text, u32::from(digest[11]), 2);
    text
}

#[expect(clippy::many_single_char_names, reason = "the names of the algorithm's own description")]
fn sha_crypt<D: Digest>(password: &[u8], magic: &str, setting: &str) -> String {
    let rest = &setting[magic.len()..];
    let named = rest.strip_prefix("rounds=").and_then(|rest| rest.split_once('$'));
    let (rounds, rest, shown) = match named.and_then(|(rounds, rest)| Some((rounds.parse::<usize>().ok()?, rest))) {
        Some((rounds, rest)) => {
            let rounds = rounds.clamp(1000, MOST_ROUNDS);
            (rounds, rest, format!("rounds={rounds}$"))
        }
        None => (ROUNDS, rest, String::new()),
    };
    let salt: String = rest.chars().take_while(|c| *c != '$').take(16).collect();
    let length = <D as Digest>::output_size();
    let b = D::new().chain_update(password).chain_update(&salt).chain_update(password).finalize();
    let mut a = D::new().chain_update(password).chain_update(&salt);
    for left in (1..=password.len()).rev().step_by(length) {
        a.update(&b[..left.min(length)]);
    }
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            a.update(&b);
        } else {
            a.update(password);
        }
        bits >>= 1;
    }
    let mut digest = a.finalize();
    let repeated = |digest: &[u8], length: usize| -> Vec<u8> { digest.iter().copied().cycle().take(length).collect() };
    let mut many = D::new();
    (0..password.len()).for_each(|_| many.update(password));
    let p = repeated(&many.finalize(), password.len());
    let mut many = D::new();
    (0..16 + usize::from(digest[0])).for_each(|_| many.update(&salt));
    let s = repeated(&many.finalize(), salt.len());
    for round in 0..rounds {
        let mut next = D::new();
        if round % 2 == 1 {
            next.update(&p);
        } else {
            next.update(&digest);
        }
        if round % 3 != 0 {
            next.update(&s);
        }
        if round % 7 != 0 {
            next.update(&p);
        }
        if round % 2 == 1 {
            next.update(&digest);
        } else {
            next.update(&p);
        }
        digest = next.finalize();
    }
    let mut text = format!("{magic}{shown}{salt}$");
    let third = length / 3;
    let at = |index: usize| u32::from(digest[index]);
    for group in 0..third {
        // The three bytes of a group rotate their places; which way depends on the digest's length.
        let turn = if length == 32 { (3 - group % 3) % 3 } else { group % 3 };
        let bytes = [group, third + group, 2 * third + group];
        let [a, b, c] = [0, 1, 2].map(|place| at(bytes[(place + turn) % 3]));
        letters(&mut text, a << 16 | b << 8 | c, 4);
    }
    if length == 32 {
        letters(&mut text, at(31) << 8 | at(30), 3);
    } else {
        letters(&mut text, at(63), 2);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_other_programs() {
        // Each comes from `openssl passwd`.
        for (password, hash) in [
            ("x", "$apr1$abcdefgh$82JubPF2dQkt1tVfvLnXS."),
            ("x", "$1$saltsalt$4px9i58NU2Z2/vZOUlGjq."),
            ("x", "$5$saltstring$8lNOPUYH/6hNVwI72WGU4WW1KQqblnIzRCd9nWOKs5A"),
            ("x", "$6$saltstring$nk7Qohr7tOmwY2mX639VRP.Lyvj3uhcgpatqHuLC867qfSHKq1LDuKa/h7Es9Nv0aL08pbF.cnQlRqhaoKT/D."),
            ("x", "{SHA}EfatjsUqKYSrqv18O1FlA3hcIHI="),
            ("secret", "$apr1$abcdefgh$h9FWgUz3n9YxylKLlR5SQ/"),
            ("secret", "$1$saltsalt$9xy1btjgzLYfb7hivXtC//"),
            ("secret", "$5$saltstring$C3o4O1TC6aRHF4FI.QSZMXtHbaj2gSXr4sUc/3NcUi."),
            ("secret", "$6$saltstring$AIsRs/Ee56G/tC8MEHhvReZTfx8u3rXXMl6eYrjCG9ibix19DxoMBLogdTET5Ukw9Sf7eZTITsuk0Ry5qulYz."),
            ("secret", "{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ="),
            ("pässwört", "$apr1$abcdefgh$u3dtNcy89b7JYFcCnain81"),
            ("pässwört", "$1$saltsalt$co0NuEZ/a7JwWi2ApCvzo."),
            ("pässwört", "$5$saltstring$B5wqXVPu4Y8cf1WGvAr6pAJ.Vz3ScA2Bt9l2gRE2M63"),
            ("pässwört", "$6$saltstring$JqPQMbsMc4DS3b9tURU88XUKVgUm7XG3guuTFwgwqwm7bb/BieD1UFj1itKWII.VinxY8Ky23XjgbfEr6LBh5."),
            ("pässwört", "{SHA}yAdFC+TQc6wOnPdCa57/FzNlzr0="),
            (
                "a much longer password than any digest has bytes, so that it wraps around twice over and more",
                "$apr1$abcdefgh$pndZ3dM3TgSbEpP1.oTer0",
            ),
            (
                "a much longer password than any digest has bytes, so that it wraps around twice over and more",
                "$1$saltsalt$yztgGbqR.Nw2uNMDwHBs7/",
            ),
            (
                "a much longer password than any digest has bytes, so that it wraps around twice over and more",
                "$5$saltstring$WpKbvOHIYoIH3b9/uB7yzr92vRobVUULQOIhIDYspy8",
            ),
            (
                "a much longer password than any digest has bytes, so that it wraps around twice over and more",
                "$6$saltstring$8YSJEnYVM3W.jQHsVpfPWBsXwnfpVGVun8CX8W1mQRueuslC/pCNBYmFWeyCuXBTGX2fUlYwlSWS50FNy8vJV.",
            ),
            (
                "a much longer password than any digest has bytes, so that it wraps around twice over and more",
                "{SHA}l3CCPIF0yi7KiHFAr6l2ymeZozQ=",
            ),
            ("secret", "$5$rounds=1500$q$V62jSGxa7o7AJEc8iiBWqqY5T0c47UyhzRC3mzqyqe1"),
            (
                "secret",
                "$6$rounds=1001$0123456789abcdef$HEeamOUi0lfHWdSoEYdo5NvOHx.uVaEti0eV1Zk922ktQrdsN7WACUrFU0zQc.nEl1BFdD/D.JAzAm6cuqH4p0",
            ),
        ] {
            let setting = hash.rsplit_once('$').map_or("{SHA}", |(setting, _)| setting);
            assert_eq!(crypt(password.as_bytes(), setting).as_deref(), Some(hash), "{password}");
            assert_eq!(crypt(password.as_bytes(), hash).as_deref(), Some(hash), "{password}");
        }
    }

    #[test]
    fn a_new_hash_can_be_checked() {
        for scheme in ["apr_md5_crypt", "md5_crypt", "ldap_sha1", "plaintext"] {
            let scheme = Scheme::named(scheme).unwrap();
            let hash = crypt(b"secret", &scheme.new_setting()).unwrap();
            assert_eq!(crypt(b"secret", &hash).as_ref(), Some(&hash));
            assert!(scheme == Scheme::Plain || crypt(b"other", &hash).as_ref() != Some(&hash));
        }
    }
}
