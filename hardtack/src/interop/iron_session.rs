//! [`IronSession`]: the cookie of `iron-session` 6, 8 and 9, which is a seal of `@hapi/iron` and `~2`.
//!
//! ```text
//! Fe26.2*<id>*<encryption salt>*<iv>*<ciphertext>*<expiry>*<MAC salt>*<MAC>~2
//! ```
//!
//! AES-256-CBC and HMAC-SHA256 under keys that PBKDF2 makes of the password and of each salt's text. What to know:
//!
//! - **PBKDF2 runs one iteration.** A guessed password costs an attacker two hashes, so the password must be random;
//!   32 characters are asked for, as the package does. Nothing here makes a weak one strong.
//! - The seal says when it ends and never when it began: there is no absolute timeout, and every write starts a new
//!   one. It is not bound to the cookie's name.
//! - The `~2` is not authenticated. `~1` and none are read as version 8 reads them: the session is the member
//!   `persistent`.
//! - A seal is taken for 60 seconds beyond its end, as the package does.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{cipher::AES_256, hmac};
use zeroize::Zeroizing;

use super::{
    Attributes, Opened, Refusal, SealError, cbc,
    config::{Fill, cookie_name, random, refuse},
    json, text,
};
use crate::{clock::millis, cookie::SameSite, error::BuildError};

const PREFIX: &str = "Fe26.2";
const SUFFIX: &str = "~2";
const SALT: usize = 32;
/// How long after its end a seal is still taken, in milliseconds.
const SKEW: i64 = 60_000;
/// UTF-16 units, as JavaScript counts.
const MIN_PASSWORD: usize = 32;
/// Characters of a `Set-Cookie` line that the package writes at the most.
const MAX_LINE: usize = 4096;
const MAX_CHUNKS: usize = 4;

/// Reads and writes the cookie of `iron-session`.
///
/// ```
/// use hardtack::interop::IronSession;
///
/// let iron = IronSession::new("session", "complex_password_at_least_32_characters_long")?;
/// let value = iron.seal(r#"{"user":{"id":42}}"#, 1_750_000_000_000)?;
/// let opened = iron.open(value.as_bytes(), 1_750_000_000_000)?;
/// assert_eq!(opened.data_json(), r#"{"user":{"id":42}}"#);
/// assert_eq!(opened.expires_at(), Some(1_750_000_000_000 + 14 * 86_400_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct IronSession {
    name: String,
    passwords: Arc<[Password]>,
    ttl: Duration,
    chunk: bool,
}

struct Password {
    id: String,
    /// PBKDF2's pseudo-random function with the password in place.
    prf: hmac::Key,
}

impl IronSession {
    /// One password, which has the id `1`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for a password of fewer than 32 characters and a name that is no cookie's.
    pub fn new(cookie_name: impl Into<String>, password: impl AsRef<str>) -> Result<Self, BuildError> {
        Self::with_passwords(cookie_name, [("1", password)])
    }

    /// A map of passwords: the one with the highest number seals, all open.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when no id is a number, one is given twice or is no word of letters, digits and `_`, and as for
    /// [`new`](Self::new).
    pub fn with_passwords<I: Into<String>, P: AsRef<str>>(
        name: impl Into<String>,
        passwords: impl IntoIterator<Item = (I, P)>,
    ) -> Result<Self, BuildError> {
        let mut known: Vec<Password> = Vec::new();
        for (id, password) in passwords {
            let (id, password) = (id.into(), password.as_ref());
            if password.encode_utf16().count() < MIN_PASSWORD {
                return refuse(format!(
                    "the password {id} of iron-session has fewer than {MIN_PASSWORD} characters; write a random one of at least {MIN_PASSWORD}"
                ));
            }
            let is_word = !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if !is_word || known.iter().any(|other| other.id == id) {
                return refuse(format!(
                    "{id:?} is no id of a password of iron-session, or is there twice; number them"
                ));
            }
            let prf = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
            known.push(Password { id, prf });
        }
        known.sort_by_key(|password| std::cmp::Reverse(number(&password.id)));
        if known.first().and_then(|password| number(&password.id)).is_none() {
            return refuse("iron-session needs a password whose id is a number, to seal with; write {\"1\": \"…\"}");
        }
        let (name, passwords) = (cookie_name(name)?, known.into());
        Ok(Self { name, passwords, ttl: Duration::from_secs(14 * 86_400), chunk: false })
    }

    /// How long a seal lives. Default 14 days, as in version 8 (version 6 has 15); zero is for ever. Readers do not
    /// ask for it.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// Writes what one cookie cannot hold into `name.0` to `name.3`, which version 9 alone reads. Default off. They
    /// are read either way.
    pub fn chunk(mut self, chunk: bool) -> Self {
        self.chunk = chunk;
        self
    }

    /// Opens a cookie's value, or all chunks of one behind each other.
    ///
    /// # Errors
    ///
    /// [`Refusal`], and [`Refusal::Expired`] from 60 seconds after its end.
    pub fn open(&self, value: &[u8], now_ms: u64) -> Result<Opened, Refusal> {
        self.inspect(value)?.live(now_ms)
    }

    /// As [`open`](Self::open), whatever the time is.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for what is not authentic.
    pub fn inspect(&self, value: &[u8]) -> Result<Opened, Refusal> {
        let value = text::decoded(text::unquoted(value))?;
        let (seal, version) = match value.split_once('~') {
            Some((seal, version)) => (seal, Some(text::integer(version)?)),
            None => (&*value, None),
        };
        let mut parts = seal.split('*');
        let mut next = || parts.next().ok_or(Refusal::Malformed);
        let (prefix, id, encryption_salt, iv) = (next()?, next()?, next()?, next()?);
        let (ciphertext, expiry, mac_salt, mac) = (next()?, next()?, next()?, next()?);
        if prefix != PREFIX || parts.next().is_some() || !is_salt(encryption_salt) || !is_salt(mac_salt) {
            return Err(Refusal::Malformed);
        }
        let iv = text::from_base64url(iv)?.try_into().map_err(|_| Refusal::Malformed)?;
        let mut ciphertext = text::from_base64url(ciphertext)?;
        let expires_at = if expiry.is_empty() { None } else { Some(text::integer(expiry)?) };
        let tag = text::from_base64url(mac)?;

        let id = if id.is_empty() { "default" } else { id };
        let password = self.passwords.iter().find(|password| password.id == id).ok_or(Refusal::UnknownKey)?;
        let signed = &seal[..seal.len() - mac_salt.len() - mac.len() - 2];
        let key = hmac::Key::new(hmac::HMAC_SHA256, &*password.derive(mac_salt));
        hmac::verify(&key, signed.as_bytes(), &tag).map_err(|_| Refusal::Forged)?;
        let plaintext = cbc::decrypt(&AES_256, &*password.derive(encryption_salt), iv, &mut ciphertext);

        let mut opened = Opened::new(session(plaintext.map_err(|_| Refusal::Invalid)?, version)?);
        opened.expires_at = expires_at;
        opened.last = expires_at.map(|expiry| expiry.saturating_add(SKEW - 1));
        opened.key_id = Some(password.id.clone());
        Ok(opened)
    }

    /// Makes a value of a JSON object, however long: browsers and [`Foreign`](super::Foreign) have limits.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAnObject`].
    pub fn seal(&self, data_json: &str, now_ms: u64) -> Result<String, SealError> {
        self.seal_with(data_json, now_ms, &mut random)
    }

    fn seal_with(&self, data_json: &str, now_ms: u64, fill: Fill<'_>) -> Result<String, SealError> {
        let data = json::object(data_json).ok_or(SealError::NotAnObject)?;
        let (mut encryption_salt, mut iv, mut mac_salt) = ([0; SALT], [0; cbc::IV], [0; SALT]);
        fill(&mut encryption_salt);
        fill(&mut iv);
        fill(&mut mac_salt);
        let (encryption_salt, mac_salt) = (text::hex(&encryption_salt), text::hex(&mac_salt));
        let expiry = match millis(self.ttl) {
            0 => String::new(),
            ttl => now_ms.saturating_add(ttl).to_string(),
        };
        let password = &self.passwords[0];
        let ciphertext = cbc::encrypt(&AES_256, &*password.derive(&encryption_salt), iv, data.into_bytes())?;
        let (id, iv, ciphertext) = (&password.id, text::base64url(&iv), text::base64url(&ciphertext));
        let signed = format!("{PREFIX}*{id}*{encryption_salt}*{iv}*{ciphertext}*{expiry}");
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*password.derive(&mac_salt)), signed.as_bytes());
        Ok(format!("{signed}*{mac_salt}*{}{SUFFIX}", text::base64url(mac.as_ref())))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn lifetime(&self) -> Option<Duration> {
        Some(self.ttl).filter(|ttl| !ttl.is_zero())
    }

    pub(super) fn attributes(&self) -> Attributes {
        let max_age = match self.ttl.as_secs() {
            0 => 2_147_483_647,
            short @ ..=60 => short,
            // So that the browser forgets the cookie before the server refuses it.
            ttl => ttl - 60,
        };
        Attributes { path: Some("/"), secure: true, same_site: Some(SameSite::Lax), max_age: Some(max_age) }
    }

    /// The names of the chunks.
    pub(super) fn chunk_names(&self) -> impl Iterator<Item = String> {
        (0..MAX_CHUNKS).map(|index| format!("{}.{index}", self.name))
    }

    /// The cookies of one value: one, or as many chunks as it takes, each filled up.
    pub(super) fn cookies(&self, value: String) -> Result<Vec<(String, String)>, SealError> {
        let attributes = self.attributes().to_string();
        let room = |name: &str| MAX_LINE.saturating_sub(name.len() + 1 + attributes.len());
        if value.len() <= room(&self.name) {
            return Ok(vec![(self.name.clone(), value)]);
        }
        if !self.chunk {
            return Err(SealError::TooLarge {
                size: self.name.len() + 1 + value.len() + attributes.len(),
                limit: MAX_LINE,
            });
        }
        let (mut cookies, mut rest) = (Vec::new(), value.as_str());
        for name in self.chunk_names() {
            let (chunk, after) = rest.split_at(rest.len().min(room(&name)));
            cookies.push((name, chunk.to_owned()));
            rest = after;
            if rest.is_empty() {
                return Ok(cookies);
            }
        }
        Err(SealError::TooLarge { size: value.len(), limit: value.len() - rest.len() })
    }
}

impl fmt::Debug for IronSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IronSession({:?}, secrets withheld)", self.name)
    }
}

impl Password {
    /// `PBKDF2-HMAC-SHA1(password, salt, 1 iteration, 32 bytes)`. With one iteration each block is one HMAC, whose
    /// key is always the same: so it is set up once.
    fn derive(&self, salt: &str) -> Zeroizing<[u8; 32]> {
        let block = |index: u32| {
            let mut context = hmac::Context::with_key(&self.prf);
            context.update(salt.as_bytes());
            context.update(&index.to_be_bytes());
            context.sign()
        };
        let mut key = Zeroizing::new([0; 32]);
        key[..20].copy_from_slice(block(1).as_ref());
        key[20..].copy_from_slice(&block(2).as_ref()[..12]);
        key
    }
}

/// The id's number, which decides who seals.
fn number(id: &str) -> Option<i64> {
    text::integer(id).ok()
}

fn is_salt(salt: &str) -> bool {
    salt.len() == 2 * SALT && salt.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The session that a seal's plaintext is.
fn session(plaintext: &[u8], version: Option<i64>) -> Result<String, Refusal> {
    let data = if plaintext.is_empty() { "null" } else { json::authentic(plaintext)? };
    if version != Some(2) {
        let persistent = if data.starts_with('{') { json::member(data, "persistent") } else { None };
        return Ok(json::spread(persistent.unwrap_or("null")).into_owned());
    }
    match data.as_bytes() {
        b"null" => Ok("{}".to_owned()),
        [b'{' | b'[', ..] => Ok(data.to_owned()),
        _ => Err(Refusal::Invalid),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::num::NonZeroU32;

    use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA1, derive};

    use super::super::config::{every_part_of, recorded, text_of};
    use super::*;

    #[test]
    fn with_the_same_random_bytes_a_seal_is_the_package_s_byte_for_byte() {
        every_part_of(include_str!("../../tests/data/node/iron_session.json"), |vector| {
            let (input, parts) = (&vector["input"], &vector["parts"]);
            let value = input["cookie_value"].as_str()?;
            let password = input["secret"].as_str()?;
            // What only a careless writer makes.
            if !value.ends_with("~2")
                || json::object(text_of(parts, "plaintext")).as_deref() != parts["plaintext"].as_str()
            {
                return None;
            }
            let expiry = text_of(parts, "expiration");
            let end: u64 = if expiry.is_empty() { 0 } else { expiry.parse().ok()? };
            let iron = IronSession::new("session", password).ok()?.ttl(Duration::from_millis(end.min(1)));
            let bytes = |name| text::from_hex(text_of(parts, name)).unwrap();
            let iv = text::from_base64url(text_of(parts, "iv_b64u")).unwrap();
            let mut fill = recorded(vec![bytes("enc_salt"), iv, bytes("mac_salt")]);
            let ours = iron.seal_with(text_of(parts, "plaintext"), end.saturating_sub(1), &mut fill).unwrap();
            assert_eq!(
                text::hex(&*iron.passwords[0].derive(text_of(parts, "enc_salt"))),
                text_of(parts, "enc_key_hex")
            );
            Some((ours, value.to_owned()))
        });
    }

    #[test]
    fn a_key_is_what_pbkdf2_makes() {
        let password = "complex_password_at_least_32_characters_long, and longer than the 64 bytes of a block";
        let iron = IronSession::new("session", password).unwrap();
        for salt in ["", "ab", &"0f".repeat(32), &"7".repeat(200)] {
            let mut key = [0; 32];
            derive(PBKDF2_HMAC_SHA1, NonZeroU32::MIN, salt.as_bytes(), password.as_bytes(), &mut key);
            assert_eq!(*iron.passwords[0].derive(salt), key);
        }
    }
}
