//! Whether what a server stores of a password belongs to a certain password.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::host::digest_bytes;

/// Rounds beyond which a stored value is not believed.
const MOST_ROUNDS: u32 = 1_000_000;

/// HMAC with SHA-256 (RFC 2104).
fn hmac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut block = [0_u8; 64];
    if key.len() > block.len() {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let pad = |byte: u8| block.map(|key| key ^ byte);
    let mut inner = Sha256::new_with_prefix(pad(0x36));
    parts.iter().for_each(|part| inner.update(part));
    Sha256::new_with_prefix(pad(0x5c)).chain_update(inner.finalize()).finalize().into()
}

/// The salted password of SCRAM (RFC 5802): PBKDF2 of one block.
fn salted(password: &str, salt: &[u8], rounds: u32) -> [u8; 32] {
    let mut last = hmac(password.as_bytes(), &[salt, &1_u32.to_be_bytes()]);
    let mut all = last;
    for _ in 1..rounds {
        last = hmac(password.as_bytes(), &[&last]);
        all.iter_mut().zip(last).for_each(|(all, last)| *all ^= last);
    }
    all
}

/// `SCRAM-SHA-256$rounds:salt$StoredKey:ServerKey`
fn is_scram(stored: &str, password: &str) -> Option<bool> {
    let (parameters, keys) = stored.strip_prefix("SCRAM-SHA-256$")?.split_once('$')?;
    let (rounds, salt) = parameters.split_once(':')?;
    let (stored_key, _) = keys.split_once(':')?;
    let rounds = rounds.parse().ok().filter(|rounds| (1..=MOST_ROUNDS).contains(rounds))?;
    let client = hmac(&salted(password, &STANDARD.decode(salt).ok()?, rounds), &[b"Client Key"]);
    Some(STANDARD.decode(stored_key).ok()? == Sha256::digest(client).as_slice())
}

/// Whether what PostgreSQL stores for a role is this password, which may be a stored form itself.
pub(crate) fn postgres(stored: &str, password: &str, role: &str) -> bool {
    if stored == password {
        return true;
    }
    if stored.starts_with("SCRAM-SHA-256$") {
        return is_scram(stored, password).unwrap_or(false);
    }
    let hash = digest_bytes(format!("{password}{role}").as_bytes(), "md5");
    hash.is_some_and(|hash| stored == format!("md5{hash}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_recognised() {
        // Stored by PostgreSQL 15.
        let scram = "SCRAM-SHA-256$4096:AetogHoa+GmyhPXe1VKEEg==$JYQs3ypIkvrL2hAuFNIO9umBu+55LG8nstaIC5w7yJU=:\
                     NbS6MQxC5uZID/KGi2aVqNS1LqYGB9HNmylgMlMvnks=";
        assert!(postgres(scram, "it's secret", "joe") && !postgres(scram, "other", "joe") && postgres(scram, scram, "joe"));
        let md5 = "md5fb9ebce7d57f3b02977972b1c6bf2d3b";
        assert!(postgres(md5, "p\u{e4}ssword", "ann") && !postgres(md5, "p\u{e4}ssword", "joe"));
        assert!(!postgres("SCRAM-SHA-256$4096:broken", "x", "bob"));
    }
}
