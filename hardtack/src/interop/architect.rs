//! [`Architect`]: the cookie `_idx` of Enhance and `@architect/functions`, a compact JWE: `dir` and AES-GCM.
//!
//! ```text
//! base64url({"alg":"dir","enc":"A256GCM"})..<iv>.<ciphertext>.<tag>        plaintext = JSON with `iat`
//! ```
//!
//! The package's own reader takes the algorithm from the token, tags of four bytes, and even other kinds of tokens.
//! This one does not: the header is exactly the one above, the nonce has 12 bytes and the tag 16. What to know:
//!
//! - The key is the first bytes of the secret's text, as they are. Only a random text makes a strong key.
//! - A token lives seven days from `iat`, whatever the cookie's attributes say, and every write starts a new seven
//!   days: there is no absolute timeout, and a copy cannot be ended. A field `exp` of the session, in seconds, ends
//!   it earlier.
//! - It is not bound to the cookie's name, and the secret cannot be rotated.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::aead::{
    AES_128_GCM, AES_192_GCM, AES_256_GCM, Aad, Algorithm, LessSafeKey, NONCE_LEN, Nonce, UnboundKey,
};
use zeroize::Zeroizing;

use super::{
    Attributes, Opened, Refusal, SealError,
    config::{Fill, random, refuse},
    json, text,
};
use crate::{cookie::SameSite, error::BuildError};

const NAME: &str = "_idx";
/// How long a token lives from `iat`, in seconds.
const WEEK: f64 = 604_800.0;
const TAG: usize = 16;
/// What the package takes when there is no secret: everybody knows it.
const WELL_KNOWN: &str = "12345678901234567890123456789012";

/// The option `ARC_APP_SECRET_ALGO`. Default [`A256Gcm`](Self::A256Gcm).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ArcAlgorithm {
    /// `A256GCM`: the first 32 bytes of the secret.
    #[default]
    A256Gcm,
    /// `A192GCM`: the first 24.
    A192Gcm,
    /// `A128GCM`: the first 16.
    A128Gcm,
}

impl ArcAlgorithm {
    /// Reads the package's name of it.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::A256Gcm, Self::A192Gcm, Self::A128Gcm].into_iter().find(|one| one.as_str() == name)
    }

    /// The package's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A256Gcm => "A256GCM",
            Self::A192Gcm => "A192GCM",
            Self::A128Gcm => "A128GCM",
        }
    }

    fn aead(self) -> &'static Algorithm {
        match self {
            Self::A256Gcm => &AES_256_GCM,
            Self::A192Gcm => &AES_192_GCM,
            Self::A128Gcm => &AES_128_GCM,
        }
    }
}

/// Reads and writes the cookie of `@architect/functions`.
///
/// ```
/// use hardtack::interop::{ArcAlgorithm, Architect};
///
/// let architect = Architect::new("this-is-a-32-character-app-secre", ArcAlgorithm::A256Gcm)?;
/// let value = architect.seal(r#"{"visits":3}"#, 1_750_000_000_000)?;
/// let opened = architect.open(value.as_bytes(), 1_750_000_000_000)?;
/// assert_eq!(opened.data_json(), r#"{"visits":3}"#);
/// assert_eq!(opened.expires_at(), Some(1_750_000_000_000 + 7 * 86_400_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Architect {
    key: Arc<LessSafeKey>,
    /// The first part of every token, which is its associated data too.
    header: Arc<str>,
}

impl Architect {
    /// `ARC_APP_SECRET` and `ARC_APP_SECRET_ALGO`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for a secret that is too short or is the one that the package takes when there is none.
    pub fn new(secret: impl AsRef<str>, algorithm: ArcAlgorithm) -> Result<Self, BuildError> {
        let (secret, length) = (secret.as_ref(), algorithm.aead().key_len());
        // Characters, as JavaScript counts them; of these the first bytes.
        match secret.as_bytes().get(..length) {
            Some(key) if secret.encode_utf16().count() >= length => Self::from_key(key, algorithm),
            _ => refuse(format!(
                "ARC_APP_SECRET is too short: {} takes {length} characters; write a random text of at least as many",
                algorithm.as_str()
            )),
        }
    }

    /// `ARC_APP_SECRET` with `ARC_FORCE_LEGACY_JWE_SECRET`, as before version 7: `A128GCM` under the first 16 bytes of
    /// what the secret says in base64, read as leniently as Node reads it.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when it says fewer than 16 bytes, and as for [`new`](Self::new).
    pub fn legacy(secret: impl AsRef<str>) -> Result<Self, BuildError> {
        let bytes = Zeroizing::new(text::from_node_base64(secret.as_ref()));
        match bytes.get(..16) {
            Some(key) => Self::from_key(key, ArcAlgorithm::A128Gcm),
            None => refuse("ARC_APP_SECRET says fewer than 16 bytes in base64; write at least 22 random characters"),
        }
    }

    fn from_key(key: &[u8], algorithm: ArcAlgorithm) -> Result<Self, BuildError> {
        if WELL_KNOWN.as_bytes().starts_with(key) {
            return refuse(
                "ARC_APP_SECRET is the one that @architect/functions takes when none is set, which everybody knows; set a random one on both sides",
            );
        }
        let Ok(key) = UnboundKey::new(algorithm.aead(), key) else {
            return refuse(format!("ARC_APP_SECRET is no key of {}; write a longer one", algorithm.as_str()));
        };
        let header = format!("{{\"alg\":\"dir\",\"enc\":\"{}\"}}", algorithm.as_str());
        Ok(Self { key: Arc::new(LessSafeKey::new(key)), header: text::base64url(header.as_bytes()).into() })
    }

    /// Opens a cookie's value.
    ///
    /// # Errors
    ///
    /// [`Refusal`], and [`Refusal::Expired`] after seven days or after the session's own `exp`.
    pub fn open(&self, value: &[u8], now_ms: u64) -> Result<Opened, Refusal> {
        self.inspect(value)?.live(now_ms)
    }

    /// As [`open`](Self::open), whatever the time is.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for what is not authentic.
    pub fn inspect(&self, value: &[u8]) -> Result<Opened, Refusal> {
        let value = text::decoded(value)?;
        let mut parts = value.split('.');
        let mut next = || parts.next().ok_or(Refusal::Malformed);
        let (header, encrypted_key, iv, ciphertext, tag) = (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() || !encrypted_key.is_empty() {
            return Err(Refusal::Malformed);
        }
        if header != &*self.header {
            return Err(Refusal::WrongAlgorithm);
        }
        let iv: [u8; NONCE_LEN] = text::from_base64url(iv)?.try_into().map_err(|_| Refusal::Malformed)?;
        let mut sealed = text::from_base64url(ciphertext)?;
        let tag = text::from_base64url(tag)?;
        if tag.len() != TAG {
            return Err(Refusal::Malformed);
        }
        sealed.extend_from_slice(&tag);
        let nonce = Nonce::assume_unique_for_key(iv);
        let plaintext = self.key.open_in_place(nonce, Aad::from(header.as_bytes()), &mut sealed);
        session(plaintext.map_err(|_| Refusal::Forged)?)
    }

    /// Makes a value of a JSON object, however long: the package has no limit, browsers have. Its member `iat` becomes
    /// the time.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAnObject`].
    pub fn seal(&self, data_json: &str, now_ms: u64) -> Result<String, SealError> {
        self.seal_with(data_json, now_ms, &mut random)
    }

    fn seal_with(&self, data_json: &str, now_ms: u64, fill: Fill<'_>) -> Result<String, SealError> {
        let data = json::object(data_json).ok_or(SealError::NotAnObject)?;
        let mut sealed = json::with(&data, "iat", &(now_ms / 1000).to_string()).into_bytes();
        let mut iv = [0; NONCE_LEN];
        fill(&mut iv);
        let (nonce, aad) = (Nonce::assume_unique_for_key(iv), Aad::from(self.header.as_bytes()));
        let tag = self.key.seal_in_place_separate_tag(nonce, aad, &mut sealed)?;
        let (iv, sealed, tag) = (text::base64url(&iv), text::base64url(&sealed), text::base64url(tag.as_ref()));
        Ok(format!("{}..{iv}.{sealed}.{tag}", self.header))
    }

    pub(super) fn name(&self) -> &str {
        NAME
    }

    pub(super) fn lifetime(&self) -> Duration {
        Duration::from_secs(7 * 86_400)
    }

    pub(super) fn attributes(&self) -> Attributes {
        // The package's 25 years; browsers keep 400 days, the token seven.
        Attributes { path: Some("/"), secure: true, same_site: Some(SameSite::Lax), max_age: Some(788_400_000) }
    }
}

impl fmt::Debug for Architect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Architect(secret withheld)")
    }
}

/// The session that a token's plaintext is, without `iat`.
fn session(plaintext: &[u8]) -> Result<Opened, Refusal> {
    let data = json::authentic(plaintext)?;
    if !data.starts_with('{') {
        return Err(Refusal::Invalid);
    }
    let (kept, issued) = json::take(data, "iat");
    let claim = |value: Option<&str>| value.map_or(f64::NAN, number);
    let (issued, mut expiry) = (claim(issued), claim(json::member(data, "exp")));
    if !issued.is_finite() || issued == 0.0 {
        return Err(Refusal::Invalid);
    }
    // Neither 0 nor what is no number is an end.
    if expiry.is_nan() || expiry == 0.0 || issued + WEEK < expiry {
        expiry = issued + WEEK;
    }
    let mut opened = Opened::new(kept);
    opened.created_at = Some(milliseconds(issued));
    opened.expires_at = Some(milliseconds(expiry));
    opened.last = opened.expires_at;
    Ok(opened)
}

/// `Number(value)` of JavaScript, for what can be a claim.
fn number(value: &str) -> f64 {
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str::<String>(value).ok().and_then(|text| text.trim().parse().ok()),
        Some(b't') => Some(1.0),
        Some(b'f' | b'n') => Some(0.0),
        _ => value.parse().ok(),
    }
    .unwrap_or(f64::NAN)
}

/// Whole milliseconds; what no clock shows becomes the last one that can be.
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0).floor() as i64
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::config::{every_part_of, recorded, text_of};
    use super::*;

    #[test]
    fn with_the_same_random_bytes_a_token_is_the_package_s_byte_for_byte() {
        every_part_of(include_str!("../../tests/data/node/architect.json"), |vector| {
            let (parts, value) = (&vector["parts"], vector["input"]["cookie_value"].as_str()?);
            let algorithm = text_of(parts, "protected_header").split('"').nth(7).and_then(ArcAlgorithm::parse).unwrap();
            let key = text::from_hex(text_of(parts, "cek_hex")).unwrap();
            let architect = Architect::from_key(&key, algorithm).unwrap();
            let issued: u64 = json::member(text_of(parts, "plaintext"), "iat").unwrap().parse().unwrap();
            let mut fill = recorded(vec![text::from_hex(text_of(parts, "iv_hex")).unwrap()]);
            let data = json::take(text_of(parts, "plaintext"), "iat").0;
            Some((architect.seal_with(&data, issued * 1000, &mut fill).unwrap(), value.to_owned()))
        });
    }
}
