//! The hashes that are understood: Argon2 and scrypt in PHC form, and bcrypt.

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash},
};

use super::cost::{Cost, MAX_MEMORY};

/// bcrypt looks at no more than 72 bytes of a password, and most of its implementations end it at a NUL.
const BCRYPT_LONGEST: usize = 72;
/// The highest cost of bcrypt that is computed; each step doubles the time.
const BCRYPT_MAX_COST: u32 = 16;
/// Bytes of a bcrypt hash in its usual text form.
const BCRYPT_LENGTH: usize = 60;

/// What became of a password that was held against a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Match {
    Right,
    Wrong,
    /// The text is no hash that is understood here. Nothing was computed.
    Unreadable,
}

/// Holds a password against a hash. Everything counts: no truncation, no folding (I02).
pub(super) fn verify(password: &[u8], hash: &str) -> Match {
    if hash.starts_with("$2") {
        return bcrypt(password, hash);
    }
    let Ok(hash) = PasswordHash::new(hash) else { return Match::Unreadable };
    if hash.salt.is_none() || hash.hash.is_none() {
        return Match::Unreadable;
    }
    let verified = match hash.algorithm.as_str() {
        "argon2id" | "argon2i" | "argon2d" => {
            let Ok(params) = Params::try_from(&hash) else { return Match::Unreadable };
            if params.m_cost() > MAX_MEMORY {
                return Match::Unreadable;
            }
            Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::default()).verify_password(password, &hash)
        }
        "scrypt" => {
            let number = |name: &str| hash.params.get_decimal(name).unwrap_or(0);
            // 128 · N · r bytes.
            let kib = (u64::from(number("r")) << number("ln").min(32)) / 8;
            if kib > u64::from(MAX_MEMORY) {
                return Match::Unreadable;
            }
            scrypt::Scrypt::default().verify_password(password, &hash)
        }
        _ => return Match::Unreadable,
    };
    if verified.is_ok() { Match::Right } else { Match::Wrong }
}

fn bcrypt(password: &[u8], hash: &str) -> Match {
    let is_known = ["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version));
    let cost = hash.get(4..6).and_then(|cost| cost.parse::<u32>().ok());
    if !is_known || hash.len() != BCRYPT_LENGTH || cost.is_none_or(|cost| cost > BCRYPT_MAX_COST) {
        return Match::Unreadable;
    }
    let verified = bcrypt::verify(password, hash);
    // What bcrypt would not have looked at makes another password. It was computed all the same, for its time.
    let is_whole = password.len() <= BCRYPT_LONGEST && !password.contains(&0);
    match verified {
        Ok(true) if is_whole => Match::Right,
        Ok(_) => Match::Wrong,
        Err(_) => Match::Unreadable,
    }
}

/// Whether a hash was made as this cost would make it.
pub(super) fn is_current(hash: &str, cost: &Cost) -> bool {
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    let params = Params::try_from(&hash);
    hash.algorithm.as_str() == "argon2id"
        && hash.version == Some(Version::V0x13.into())
        && params.is_ok_and(|params| {
            (params.m_cost(), params.t_cost(), params.p_cost()) == (cost.memory_kib(), cost.passes(), 1)
        })
}

/// The hash of a password, in PHC form.
pub(super) fn hash(password: &[u8], salt: &[u8], cost: &Cost) -> Option<String> {
    Some(cost.argon2()?.hash_password_with_salt(password, salt).ok()?.to_string())
}
