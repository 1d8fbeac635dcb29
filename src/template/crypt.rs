//! Hashes of passwords as `/etc/shadow` has them: SHA-crypt, MD5-crypt, bcrypt.

use md5::Md5;
use sha2::{Digest, Sha256, Sha512};

/// The alphabet of the numbers in a hash.
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A kind of hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    Md5,
    Bcrypt,
    Sha256,
    Sha512,
}

impl Scheme {
    /// The scheme of a name as Ansible writes it.
    pub(super) fn named(name: &str) -> Option<Self> {
        Some(match name {
            "md5" | "md5_crypt" => Self::Md5,
            "blowfish" | "bcrypt" => Self::Bcrypt,
            "sha256" | "sha256_crypt" => Self::Sha256,
            "sha512" | "sha512_crypt" => Self::Sha512,
            _ => return None,
        })
    }

    fn salt_length(self) -> usize {
        match self {
            Self::Md5 => 8,
            Self::Bcrypt => 22,
            Self::Sha256 | Self::Sha512 => 16,
        }
    }

    /// The number of rounds, if it may be that; without one what passlib, and so Ansible, takes.
    fn rounds(self, given: Option<u32>) -> Result<u32, String> {
        let (low, high, default) = match self {
            Self::Md5 => (0, u32::MAX, 0),
            Self::Bcrypt => (4, 31, 12),
            Self::Sha256 => (1000, 999_999_999, 535_000),
            Self::Sha512 => (1000, 999_999_999, 656_000),
        };
        match given.unwrap_or(default) {
            rounds if (low..=high).contains(&rounds) => Ok(rounds),
            rounds => Err(format!("{rounds} rounds are not between {low} and {high}")),
        }
    }

    /// A salt that nobody can foresee.
    pub(super) fn random_salt(self) -> String {
        let mut salt: String = (0..self.salt_length()).map(|_| char::from(ALPHABET[rand::random_range(0..64)])).collect();
        if self == Self::Bcrypt {
            // Of the last character only two bits count.
            salt.pop();
            salt.push(['.', 'O', 'e', 'u'][rand::random_range(0..4)]);
        }
        salt
    }
}

/// The hash of a password, ready for `/etc/shadow`. The error says what is wrong with the salt or
/// the number of rounds.
pub(super) fn hash(
    scheme: Scheme,
    password: &str,
    salt: &str,
    rounds: Option<u32>,
    ident: Option<&str>,
) -> Result<String, String> {
    if let Some(bad) = salt.bytes().find(|byte| !ALPHABET.contains(byte)) {
        return Err(format!("`{}` cannot be in a salt", char::from(bad)));
    }
    let limit = scheme.salt_length();
    let rounds = scheme.rounds(rounds)?;
    match scheme {
        _ if scheme != Scheme::Bcrypt && salt.len() > limit => Err(format!("a salt has at most {limit} characters")),
        Scheme::Md5 => Ok(md5_crypt(password.as_bytes(), salt)),
        Scheme::Sha256 => Ok(sha_crypt::<Sha256>(password.as_bytes(), salt, rounds, "5", &ORDER_256)),
        Scheme::Sha512 => Ok(sha_crypt::<Sha512>(password.as_bytes(), salt, rounds, "6", &ORDER_512)),
        Scheme::Bcrypt => bcrypt_hash(password, salt, rounds, ident.unwrap_or("2b")),
    }
}

fn bcrypt_hash(password: &str, salt: &str, cost: u32, ident: &str) -> Result<String, String> {
    let version = match ident {
        "2" | "2a" => bcrypt::Version::TwoA,
        "2b" => bcrypt::Version::TwoB,
        "2y" => bcrypt::Version::TwoY,
        other => return Err(format!("`{other}` is not a kind of bcrypt: 2, 2a, 2b or 2y")),
    };
    if salt.len() != 22 {
        return Err("a salt of bcrypt has 22 characters".to_owned());
    }
    let code = |byte: u8| BCRYPT_ALPHABET.iter().position(|own| *own == byte).unwrap_or(0) as u32;
    let (mut bits, mut count, mut raw) = (0_u32, 0, Vec::new());
    for byte in salt.bytes() {
        bits = (bits << 6) | code(byte);
        count += 6;
        if count >= 8 {
            count -= 8;
            raw.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    let raw: [u8; 16] = raw[..16].try_into().map_err(|_| "a salt of bcrypt has 22 characters".to_owned())?;
    let parts = bcrypt::hash_with_salt(password, cost, raw).map_err(|error| error.to_string())?;
    Ok(parts.format_for_version(version))
}

const BCRYPT_ALPHABET: &[u8; 64] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// Six bits a character, the lowest first.
fn number(mut bits: u32, characters: usize, out: &mut String) {
    for _ in 0..characters {
        out.push(char::from(ALPHABET[(bits & 63) as usize]));
        bits >>= 6;
    }
}

/// Which bytes of the digest are written together.
const ORDER_256: [[usize; 3]; 10] = [
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
];
const ORDER_512: [[usize; 3]; 21] = [
    [0, 21, 42],
    [22, 43, 1],
    [44, 2, 23],
    [3, 24, 45],
    [25, 46, 4],
    [47, 5, 26],
    [6, 27, 48],
    [28, 49, 7],
    [50, 8, 29],
    [9, 30, 51],
    [31, 52, 10],
    [53, 11, 32],
    [12, 33, 54],
    [34, 55, 13],
    [56, 14, 35],
    [15, 36, 57],
    [37, 58, 16],
    [59, 17, 38],
    [18, 39, 60],
    [40, 61, 19],
    [62, 20, 41],
];

/// A digest repeated to a length.
fn stretched(digest: &[u8], length: usize) -> Vec<u8> {
    digest.iter().copied().cycle().take(length).collect()
}

/// SHA-crypt (Drepper): many rounds over password, salt and what came before.
fn sha_crypt<D: Digest>(password: &[u8], salt: &str, rounds: u32, ident: &str, order: &[[usize; 3]]) -> String {
    let salt_bytes = salt.as_bytes();
    let digest = |parts: &[&[u8]]| {
        let mut hasher = D::new();
        parts.iter().for_each(|part| hasher.update(part));
        hasher.finalize().to_vec()
    };
    let alternate = digest(&[password, salt_bytes, password]);
    let mut hasher = D::new();
    hasher.update(password);
    hasher.update(salt_bytes);
    hasher.update(stretched(&alternate, password.len()));
    let mut length = password.len();
    while length > 0 {
        hasher.update(if length & 1 == 1 { &alternate[..] } else { password });
        length >>= 1;
    }
    let mut current = hasher.finalize().to_vec();
    let of_password = digest(&vec![password; password.len()]);
    let password_part = stretched(&of_password, password.len());
    let of_salt = digest(&vec![salt_bytes; 16 + usize::from(current[0])]);
    let salt_part = stretched(&of_salt, salt.len());
    for round in 0..rounds {
        let odd = round & 1 == 1;
        let mut hasher = D::new();
        hasher.update(if odd { &password_part } else { &current });
        if round % 3 != 0 {
            hasher.update(&salt_part);
        }
        if round % 7 != 0 {
            hasher.update(&password_part);
        }
        hasher.update(if odd { &current } else { &password_part });
        current = hasher.finalize().to_vec();
    }
    let mut out = format!("${ident}$");
    // 5000 is what a hash without a number means.
    if rounds != 5000 {
        out.push_str(&format!("rounds={rounds}$"));
    }
    out.push_str(salt);
    out.push('$');
    for [high, middle, low] in order {
        let bits = u32::from(current[*high]) << 16 | u32::from(current[*middle]) << 8 | u32::from(current[*low]);
        number(bits, 4, &mut out);
    }
    match current.len() {
        32 => number(u32::from(current[31]) << 8 | u32::from(current[30]), 3, &mut out),
        _ => number(u32::from(current[63]), 2, &mut out),
    }
    out
}

/// MD5-crypt, for old systems.
fn md5_crypt(password: &[u8], salt: &str) -> String {
    let salt_bytes = salt.as_bytes();
    let alternate = Md5::new().chain_update(password).chain_update(salt_bytes).chain_update(password).finalize();
    let mut hasher = Md5::new().chain_update(password).chain_update("$1$").chain_update(salt_bytes);
    hasher.update(stretched(&alternate, password.len()));
    let mut length = password.len();
    while length > 0 {
        hasher.update(if length & 1 == 1 { &[0][..] } else { &password[..1] });
        length >>= 1;
    }
    let mut current = hasher.finalize().to_vec();
    for round in 0..1000 {
        let odd = round & 1 == 1;
        let mut hasher = Md5::new();
        hasher.update(if odd { password } else { &current });
        if round % 3 != 0 {
            hasher.update(salt_bytes);
        }
        if round % 7 != 0 {
            hasher.update(password);
        }
        hasher.update(if odd { &current } else { password });
        current = hasher.finalize().to_vec();
    }
    let mut out = format!("$1${salt}$");
    for [high, middle, low] in [[0, 6, 12], [1, 7, 13], [2, 8, 14], [3, 9, 15], [4, 10, 5]] {
        number(u32::from(current[high]) << 16 | u32::from(current[middle]) << 8 | u32::from(current[low]), 4, &mut out);
    }
    number(u32::from(current[11]), 2, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_crypt() {
        // From the specification of SHA-crypt, and from `openssl passwd`.
        for (scheme, password, salt, rounds, expected) in [
            (Scheme::Sha256, "Hello world!", "saltstring", 5000, "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5"),
            (
                Scheme::Sha512,
                "Hello world!",
                "saltstring",
                5000,
                "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1",
            ),
            (
                Scheme::Sha256,
                "Hello world!",
                "saltstringsaltst",
                10000,
                "$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA",
            ),
        ] {
            assert_eq!(hash(scheme, password, salt, Some(rounds), None).as_deref(), Ok(expected));
        }
        assert_eq!(hash(Scheme::Md5, "secret", "mysalt12", None, None).as_deref(), Ok("$1$mysalt12$J4maadj8grGUvPcTTE3QY1"));
        for (scheme, salt, rounds) in [
            (Scheme::Sha512, "bad salt", None),
            (Scheme::Sha256, "x", Some(3)),
            (Scheme::Bcrypt, "short", None),
            (Scheme::Md5, "longerthan8", None),
        ] {
            assert!(hash(scheme, "x", salt, rounds, None).is_err(), "{scheme:?} {salt}");
        }
    }

    #[test]
    fn without_a_number_there_are_many_rounds() {
        assert_eq!(Scheme::Sha512.rounds(None), Ok(656_000));
        assert_eq!(Scheme::Sha256.rounds(None), Ok(535_000));
        assert_eq!(Scheme::Bcrypt.rounds(None), Ok(12));
        assert!(Scheme::Sha256.rounds(Some(10)).is_err());
    }

    #[test]
    fn random_salts_fit() {
        for scheme in [Scheme::Md5, Scheme::Bcrypt, Scheme::Sha256, Scheme::Sha512] {
            assert!(
                hash(scheme, "x", &scheme.random_salt(), Some(if scheme == Scheme::Bcrypt { 4 } else { 1000 }), None).is_ok()
            );
        }
    }
}
