//! [`SecureSession`]: the cookie of `@fastify/secure-session` 8: `base64(box);base64(nonce)`, percent-encoded, where
//! the box is libsodium's `crypto_secretbox_easy` (XSalsa20-Poly1305) of the JSON with `__ts`.
//!
//! What to know:
//!
//! - The reader's own `expiry` decides how long a cookie lives after `__ts`, and every write starts anew: there is no
//!   absolute timeout. **A cookie without `__ts` never ends.** It is not bound to the cookie's name.
//! - A secret becomes a key by Argon2id with 256 MiB of memory: about a second, once, when this is built. Without a
//!   salt of its own the package's well-known one is used.
//! - A cookie of an older key is answered with a new one; [`Opened::is_to_be_resent`] says so.
//! - The option `signed` puts another signature around it. It is not supported.

use std::{fmt, sync::Arc, time::Duration};

use argon2::{Algorithm, Argon2, Params, Version};
use crypto_secretbox::{AeadInPlace, Key, KeyInit, Nonce, Tag, XSalsa20Poly1305};
use zeroize::Zeroizing;

use super::{
    Attributes, Opened, Refusal, SealError,
    config::{Fill, cookie_name, random, refuse},
    json,
    opened::signed,
    text,
};
use crate::{clock::millis, cookie::SameSite, error::BuildError};

const KEY: usize = 32;
const NONCE: usize = 24;
const TAG: usize = 16;
const SALT: usize = 16;
const MIN_SECRET: usize = 32;
/// What the package takes when there is no salt.
const WELL_KNOWN_SALT: &str = "mq9hDxBVDbspDR6nLfFT1g==";
/// `crypto_pwhash_OPSLIMIT_MODERATE` and `crypto_pwhash_MEMLIMIT_MODERATE` of libsodium, the latter in KiB.
const PASSES: u32 = 3;
const MEMORY: u32 = 262_144;

/// Reads and writes the cookie of `@fastify/secure-session`.
///
/// ```
/// use hardtack::interop::SecureSession;
///
/// let key: [u8; 32] = std::array::from_fn(|index| index as u8);
/// let sessions = SecureSession::new("session", [key])?;
/// let value = sessions.seal(r#"{"visits":3}"#, 1_750_000_000_000)?;
/// let opened = sessions.open(value.as_bytes(), 1_750_000_000_000)?;
/// assert_eq!(opened.data_json(), r#"{"visits":3}"#);
/// assert_eq!(opened.created_at(), Some(1_750_000_000_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct SecureSession {
    name: String,
    keys: Arc<[XSalsa20Poly1305]>,
    expiry: Duration,
}

impl SecureSession {
    /// The first key encrypts, all decrypt. The package's own name for the cookie is `session`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] without a key and for a name that is no cookie's.
    pub fn new(name: impl Into<String>, keys: impl IntoIterator<Item = [u8; KEY]>) -> Result<Self, BuildError> {
        let keys: Arc<[_]> =
            keys.into_iter().map(Zeroizing::new).map(|key| XSalsa20Poly1305::new(Key::from_slice(&key[..]))).collect();
        if keys.is_empty() {
            return refuse("secure-session needs a key of 32 bytes, or a secret; write the Node application's");
        }
        Ok(Self { name: cookie_name(name)?, keys, expiry: Duration::from_secs(86_401) })
    }

    /// The key that the package makes of a secret and a salt. It takes about a second and 256 MiB, once.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for a secret of fewer than 32 bytes, and as for [`new`](Self::new).
    pub fn from_secret(
        name: impl Into<String>,
        secret: impl AsRef<[u8]>,
        salt: Option<[u8; SALT]>,
    ) -> Result<Self, BuildError> {
        let secret = secret.as_ref();
        if secret.len() < MIN_SECRET {
            return refuse(format!(
                "the secret of secure-session has {} bytes; write at least {MIN_SECRET} random ones",
                secret.len()
            ));
        }
        let salt = salt.map_or_else(|| text::from_node_base64(WELL_KNOWN_SALT), Vec::from);
        let mut key = Zeroizing::new([0; KEY]);
        let derived = Params::new(MEMORY, PASSES, 1, Some(KEY)).and_then(|params| {
            Argon2::new(Algorithm::Argon2id, Version::V0x13, params).hash_password_into(secret, &salt, &mut key[..])
        });
        match derived {
            Ok(()) => Self::new(name, [*key]),
            Err(error) => refuse(format!("the secret of secure-session makes no key: {error}")),
        }
    }

    /// How long a cookie is taken after its `__ts`. Default 86,401 seconds. Every reader has its own.
    pub fn expiry(mut self, expiry: Duration) -> Self {
        self.expiry = expiry;
        self
    }

    /// Opens a cookie's value.
    ///
    /// # Errors
    ///
    /// [`Refusal`], and [`Refusal::Expired`] from the millisecond of its end on.
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
        let (sealed, nonce) = value.split_once(';').ok_or(Refusal::Malformed)?;
        let mut sealed = text::from_base64(sealed)?;
        let nonce: [u8; NONCE] = text::from_base64(nonce)?.try_into().map_err(|_| Refusal::Malformed)?;
        let (tag, text) = sealed.split_at_mut_checked(TAG).ok_or(Refusal::Malformed)?;
        let (nonce, tag) = (Nonce::from_slice(&nonce), Tag::from_slice(tag));
        for (index, key) in self.keys.iter().enumerate() {
            // What is not this key's stays as it is.
            if key.decrypt_in_place_detached(nonce, b"", text, tag).is_ok() {
                let mut opened = self.session(text)?;
                opened.key_id = Some(index.to_string());
                opened.resend = index > 0;
                return Ok(opened);
            }
        }
        Err(Refusal::Forged)
    }

    /// Makes a value of a JSON object, however long: the package has no limit, browsers have. It is percent-encoded,
    /// as the package's cookies are; readers take it either way.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAnObject`].
    pub fn seal(&self, data_json: &str, now_ms: u64) -> Result<String, SealError> {
        self.seal_with(data_json, now_ms, &mut random)
    }

    fn seal_with(&self, data_json: &str, now_ms: u64, fill: Fill<'_>) -> Result<String, SealError> {
        let (data, _) = json::take(&json::object(data_json).ok_or(SealError::NotAnObject)?, "__ts");
        let comma = if data == "{}" { "" } else { "," };
        // Math.round, which rounds halves up.
        let start = format!("{{\"__ts\":{}{comma}", now_ms.saturating_add(500) / 1000);
        let mut sealed = [&[0; TAG], start.as_bytes(), &data.as_bytes()[1..]].concat();
        let mut nonce = [0; NONCE];
        fill(&mut nonce);
        let tag = self.keys[0].encrypt_in_place_detached(Nonce::from_slice(&nonce), b"", &mut sealed[TAG..]);
        sealed[..TAG].copy_from_slice(&tag.map_err(|_| SealError::Cipher)?);
        Ok(text::encode_component(&[text::base64(&sealed), text::base64(&nonce)].join(";")))
    }

    /// The session that a plaintext is, without `__ts`.
    fn session(&self, plaintext: &[u8]) -> Result<Opened, Refusal> {
        let data = json::authentic(plaintext)?;
        if !data.starts_with(['{', '[']) {
            return Err(Refusal::Invalid);
        }
        let data = json::spread(data);
        let (data, seconds) = json::take(&data, "__ts");
        let mut opened = Opened::new(data);
        if let Some(seconds) = seconds {
            let created_at = text::integer(seconds).map_err(|_| Refusal::Invalid)?.saturating_mul(1000);
            let expires_at = created_at.saturating_add(signed(millis(self.expiry)));
            opened.created_at = Some(created_at);
            opened.expires_at = Some(expires_at);
            opened.last = Some(expires_at.saturating_sub(1));
        }
        Ok(opened)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.expiry
    }

    pub(super) fn attributes(&self) -> Attributes {
        Attributes { path: None, secure: false, same_site: Some(SameSite::Lax), max_age: None }
    }
}

impl fmt::Debug for SecureSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecureSession({:?}, secrets withheld)", self.name)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::config::{every_part_of, recorded, text_of};
    use super::*;

    #[test]
    fn with_the_same_random_bytes_a_box_is_the_package_s_byte_for_byte() {
        every_part_of(include_str!("../../tests/data/node/fastify_secure_session.json"), |vector| {
            let (parts, input) = (&vector["parts"], &vector["input"]);
            let key = input["key_hex"].as_str().or(vector["derived_key_hex"].as_str())?;
            let key = text::from_hex(key).unwrap().try_into().unwrap();
            let sessions = SecureSession::new("session", [key]).unwrap();
            let mut fill = recorded(vec![text::from_hex(text_of(parts, "nonce_hex")).unwrap()]);
            let now = vector["created_at_ms"].as_u64().unwrap();
            let ours = sessions.seal_with(text_of(parts, "plaintext"), now, &mut fill).unwrap();
            Some((ours, input["cookie_value"].as_str()?.to_owned()))
        });
    }
}
