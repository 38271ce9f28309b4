//! [`ClientSessions`]: the cookie of Mozilla's `client-sessions` 0.8.
//!
//! ```text
//! <iv>.<ciphertext>.<created at>.<duration>.<HMAC>        plaintext = <cookie name>=<JSON>
//! ```
//!
//! AES-CBC, then an HMAC over all of it; times in milliseconds. What to know:
//!
//! - A secret of any length is taken and turned into two keys by one HMAC: it must be random to be strong.
//! - The cookie itself says how long it lives, and a live one is prolonged without end while it is used: there is
//!   no absolute timeout, and none of its copies can be ended.
//! - When less than the active duration is left, the package moves "created at" forward by it (even beyond now) and
//!   sends the cookie again; [`Opened::is_to_be_resent`] says so and [`ClientSessions::reseal`] does it.
//! - A secret cannot be rotated: there is one.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{
    cipher::{AES_128, AES_192, AES_256, Algorithm},
    constant_time, hmac,
};
use zeroize::Zeroizing;

use super::{
    Attributes, Opened, Refusal, SealError, cbc,
    config::{Fill, cookie_name, random, refuse},
    json,
    opened::signed,
    text,
};
use crate::{clock::millis, error::BuildError};

/// How the content is encrypted. Default [`Aes256`](Self::Aes256).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encryption {
    /// `aes128`: a key of 16 bytes.
    Aes128,
    /// `aes192`: a key of 24 bytes.
    Aes192,
    /// `aes256`: a key of 32 bytes.
    #[default]
    Aes256,
}

impl Encryption {
    /// Reads the package's name of it, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Aes128, Self::Aes192, Self::Aes256].into_iter().find(|one| one.as_str().eq_ignore_ascii_case(name))
    }

    /// The package's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aes128 => "aes128",
            Self::Aes192 => "aes192",
            Self::Aes256 => "aes256",
        }
    }

    fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Aes128 => &AES_128,
            Self::Aes192 => &AES_192,
            Self::Aes256 => &AES_256,
        }
    }

    fn key_length(self) -> usize {
        match self {
            Self::Aes128 => 16,
            Self::Aes192 => 24,
            Self::Aes256 => 32,
        }
    }
}

/// How the cookie is signed. Default [`Sha256`](Self::Sha256). Those that drop keep the first half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signature {
    /// `sha256`: a key of at least 32 bytes.
    #[default]
    Sha256,
    /// `sha256-drop128`.
    Sha256Drop128,
    /// `sha384`: a key of at least 48 bytes.
    Sha384,
    /// `sha384-drop192`.
    Sha384Drop192,
    /// `sha512`: a key of at least 64 bytes.
    Sha512,
    /// `sha512-drop256`.
    Sha512Drop256,
}

impl Signature {
    /// Reads the package's name of it, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let all =
            [Self::Sha256, Self::Sha256Drop128, Self::Sha384, Self::Sha384Drop192, Self::Sha512, Self::Sha512Drop256];
        all.into_iter().find(|one| one.as_str().eq_ignore_ascii_case(name))
    }

    /// The package's name of it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha256Drop128 => "sha256-drop128",
            Self::Sha384 => "sha384",
            Self::Sha384Drop192 => "sha384-drop192",
            Self::Sha512 => "sha512",
            Self::Sha512Drop256 => "sha512-drop256",
        }
    }

    fn algorithm(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 | Self::Sha256Drop128 => hmac::HMAC_SHA256,
            Self::Sha384 | Self::Sha384Drop192 => hmac::HMAC_SHA384,
            Self::Sha512 | Self::Sha512Drop256 => hmac::HMAC_SHA512,
        }
    }

    fn kept(self) -> usize {
        match self {
            Self::Sha256 => 32,
            Self::Sha256Drop128 => 16,
            Self::Sha384 => 48,
            Self::Sha384Drop192 => 24,
            Self::Sha512 => 64,
            Self::Sha512Drop256 => 32,
        }
    }
}

/// The secrets of [`ClientSessions`] and what is done with them. A text becomes a `secret`.
#[derive(Clone, Default)]
pub struct ClientKeys {
    secret: Option<Zeroizing<Vec<u8>>>,
    encryption_key: Option<Zeroizing<Vec<u8>>>,
    signature_key: Option<Zeroizing<Vec<u8>>>,
    encryption: Encryption,
    signature: Signature,
}

impl ClientKeys {
    /// The option `secret`, from which both keys are derived that are not given. They have 32 bytes then, so that it
    /// goes with `aes256`, `sha256` and `sha256-drop128` only.
    pub fn secret(secret: impl AsRef<[u8]>) -> Self {
        Self { secret: Some(Zeroizing::new(secret.as_ref().to_vec())), ..Self::default() }
    }

    /// The options `encryptionKey` and `signatureKey`.
    pub fn pair(encryption_key: impl AsRef<[u8]>, signature_key: impl AsRef<[u8]>) -> Self {
        Self::default().encryption_key(encryption_key).signature_key(signature_key)
    }

    /// The option `encryptionKey`: exactly 16, 24 or 32 bytes, as the algorithm wants.
    pub fn encryption_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.encryption_key = Some(Zeroizing::new(key.as_ref().to_vec()));
        self
    }

    /// The option `signatureKey`: at least 32, 48 or 64 bytes, as the algorithm wants.
    pub fn signature_key(mut self, key: impl AsRef<[u8]>) -> Self {
        self.signature_key = Some(Zeroizing::new(key.as_ref().to_vec()));
        self
    }

    /// The option `encryptionAlgorithm`.
    pub fn encryption(mut self, encryption: Encryption) -> Self {
        self.encryption = encryption;
        self
    }

    /// The option `signatureAlgorithm`.
    pub fn signature(mut self, signature: Signature) -> Self {
        self.signature = signature;
        self
    }

    /// A given key, or the one that the package derives of the secret.
    fn key(&self, given: &Option<Zeroizing<Vec<u8>>>, purpose: &str) -> Result<Zeroizing<Vec<u8>>, BuildError> {
        if let Some(key) = given {
            return Ok(key.clone());
        }
        let Some(secret) = self.secret.as_ref().filter(|secret| !secret.is_empty()) else {
            return refuse("client-sessions needs a secret, or an encryptionKey and a signatureKey");
        };
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), purpose.as_bytes());
        Ok(Zeroizing::new(tag.as_ref().to_vec()))
    }
}

impl From<&str> for ClientKeys {
    fn from(secret: &str) -> Self {
        Self::secret(secret)
    }
}

impl fmt::Debug for ClientKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientKeys({}, {}, secrets withheld)", self.encryption.as_str(), self.signature.as_str())
    }
}

/// Reads and writes the cookie of `client-sessions`.
///
/// ```
/// use hardtack::interop::ClientSessions;
///
/// let sessions = ClientSessions::new("session_state", "a long and random secret")?;
/// let value = sessions.seal(r#"{"visits":3}"#, 1_750_000_000_000)?;
/// let opened = sessions.open(value.as_bytes(), 1_750_000_000_000)?;
/// assert_eq!(opened.data_json(), r#"{"visits":3}"#);
/// assert_eq!(opened.expires_at(), Some(1_750_000_000_000 + 86_400_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ClientSessions {
    name: String,
    keys: Arc<Keys>,
    duration: Duration,
    active_duration: Duration,
}

struct Keys {
    encryption: Encryption,
    encryption_key: Zeroizing<Vec<u8>>,
    signature: Signature,
    signature_key: hmac::Key,
}

impl ClientSessions {
    /// The cookie is bound to its name. The package's own default is `session_state`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] without a secret or both keys, for keys that are equal or of a length that the algorithm does
    /// not take, and for a name that is no cookie's.
    pub fn new(name: impl Into<String>, keys: impl Into<ClientKeys>) -> Result<Self, BuildError> {
        let keys = keys.into();
        let encryption_key = keys.key(&keys.encryption_key, "cookiesession-encryption")?;
        let signature_key = keys.key(&keys.signature_key, "cookiesession-signature")?;
        let (encryption, signature) = (keys.encryption, keys.signature);
        if encryption_key.len() != encryption.key_length() {
            return refuse(format!(
                "the encryptionKey of client-sessions has {} bytes; {} takes exactly {}",
                encryption_key.len(),
                encryption.as_str(),
                encryption.key_length()
            ));
        }
        let wanted = signature.algorithm().digest_algorithm().output_len();
        if signature_key.len() < wanted {
            return refuse(format!(
                "the signatureKey of client-sessions has {} bytes; {} takes at least {wanted}",
                signature_key.len(),
                signature.as_str()
            ));
        }
        if encryption_key == signature_key {
            return refuse("the encryptionKey and the signatureKey of client-sessions are the same; write two");
        }
        let signature_key = hmac::Key::new(signature.algorithm(), &signature_key);
        Ok(Self {
            name: cookie_name(name)?,
            keys: Arc::new(Keys { encryption, encryption_key, signature, signature_key }),
            duration: Duration::from_secs(86_400),
            active_duration: Duration::from_secs(300),
        })
    }

    /// How long a new cookie lives. Default 24 hours. Readers go by what the cookie says.
    pub fn duration(mut self, duration: Duration) -> Self {
        self.duration = duration;
        self
    }

    /// With less than this left, a session that is used is prolonged by as much. Default five minutes; zero is never.
    pub fn active_duration(mut self, active_duration: Duration) -> Self {
        self.active_duration = active_duration;
        self
    }

    /// Opens a cookie's value.
    ///
    /// # Errors
    ///
    /// [`Refusal`], and [`Refusal::Expired`] after the last millisecond of its duration.
    pub fn open(&self, value: &[u8], now_ms: u64) -> Result<Opened, Refusal> {
        let mut opened = self.inspect(value)?.live(now_ms)?;
        opened.resend = self.is_near_the_end(&opened, now_ms);
        Ok(opened)
    }

    /// As [`open`](Self::open), whatever the time is.
    ///
    /// # Errors
    ///
    /// [`Refusal`] for what is not authentic.
    pub fn inspect(&self, value: &[u8]) -> Result<Opened, Refusal> {
        let value = text::raw(value)?;
        let mut parts = value.split('.');
        let mut next = || parts.next().ok_or(Refusal::Malformed);
        let (iv, ciphertext, created_at, duration, mac) = (next()?, next()?, next()?, next()?, next()?);
        if parts.next().is_some() {
            return Err(Refusal::Malformed);
        }
        let iv: [u8; cbc::IV] = text::from_base64url(iv)?.try_into().map_err(|_| Refusal::Malformed)?;
        let mut ciphertext = text::from_base64url(ciphertext)?;
        let mac = text::from_base64url(mac)?;
        let times = (text::integer(created_at)?, text::integer(duration)?);

        let expected = self.keys.sign(&iv, &ciphertext, created_at, duration);
        constant_time::verify_slices_are_equal(&expected.as_ref()[..self.keys.signature.kept()], &mac)
            .map_err(|_| Refusal::Forged)?;
        let key = &self.keys.encryption_key;
        let plaintext = cbc::decrypt(self.keys.encryption.algorithm(), key, iv, &mut ciphertext);
        let plaintext = plaintext.map_err(|_| Refusal::Invalid)?;
        let equals = memchr::memchr(b'=', plaintext).ok_or(Refusal::Invalid)?;
        if plaintext[..equals] != *self.name.as_bytes() {
            return Err(Refusal::OtherCookie);
        }
        let data = json::authentic(&plaintext[equals + 1..])?;
        if data == "null" {
            return Err(Refusal::Invalid);
        }
        let mut opened = Opened::new(json::spread(data).into_owned());
        let (created_at, duration) = times;
        opened.created_at = Some(created_at);
        opened.duration = Some(duration);
        opened.expires_at = Some(created_at.saturating_add(duration));
        opened.last = opened.expires_at;
        Ok(opened)
    }

    /// Makes a new session's value of a JSON object, however long: the package has no limit, browsers have.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAnObject`].
    pub fn seal(&self, data_json: &str, now_ms: u64) -> Result<String, SealError> {
        self.seal_with(data_json, signed(now_ms), signed(millis(self.duration)), &mut random)
    }

    /// Makes the next value of a session that was opened: it keeps its age and its duration, and is prolonged by the
    /// active duration when less than that is left.
    ///
    /// # Errors
    ///
    /// As for [`seal`](Self::seal).
    pub fn reseal(&self, opened: &Opened, data_json: &str, now_ms: u64) -> Result<String, SealError> {
        let (Some(mut created_at), Some(duration)) = (opened.created_at, opened.duration) else {
            return self.seal(data_json, now_ms);
        };
        if self.is_near_the_end(opened, now_ms) {
            created_at = created_at.saturating_add(signed(millis(self.active_duration)));
        }
        self.seal_with(data_json, created_at, duration, &mut random)
    }

    fn seal_with(&self, data_json: &str, created_at: i64, duration: i64, fill: Fill<'_>) -> Result<String, SealError> {
        let data = json::object(data_json).ok_or(SealError::NotAnObject)?;
        let mut iv = [0; cbc::IV];
        fill(&mut iv);
        let plaintext = [self.name.as_bytes(), b"=", data.as_bytes()].concat();
        let (created_at, duration) = (created_at.to_string(), duration.to_string());
        let key = &self.keys.encryption_key;
        let ciphertext = cbc::encrypt(self.keys.encryption.algorithm(), key, iv, plaintext)?;
        let mac = self.keys.sign(&iv, &ciphertext, &created_at, &duration);
        let mac = text::base64url(&mac.as_ref()[..self.keys.signature.kept()]);
        let (iv, ciphertext) = (text::base64url(&iv), text::base64url(&ciphertext));
        Ok(format!("{iv}.{ciphertext}.{created_at}.{duration}.{mac}"))
    }

    fn is_near_the_end(&self, opened: &Opened, now_ms: u64) -> bool {
        let left = opened.expires_at.map(|expiry| expiry.saturating_sub(signed(now_ms)));
        left.is_some_and(|left| left < signed(millis(self.active_duration)))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn lifetime(&self) -> Duration {
        self.duration
    }

    pub(super) fn attributes(&self) -> Attributes {
        // One second more, because the package's `expires` loses the milliseconds.
        Attributes { path: Some("/"), secure: false, same_site: None, max_age: Some(self.duration.as_secs() + 1) }
    }
}

impl fmt::Debug for ClientSessions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientSessions({:?}, secrets withheld)", self.name)
    }
}

impl Keys {
    fn sign(&self, iv: &[u8], ciphertext: &[u8], created_at: &str, duration: &str) -> hmac::Tag {
        let mut context = hmac::Context::with_key(&self.signature_key);
        for part in [iv, b".", ciphertext, b".", created_at.as_bytes(), b".", duration.as_bytes()] {
            context.update(part);
        }
        context.sign()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::config::{every_part_of, recorded, text_of};
    use super::*;

    #[test]
    fn with_the_same_random_bytes_a_cookie_is_the_package_s_byte_for_byte() {
        every_part_of(include_str!("../../tests/data/node/client_sessions.json"), |vector| {
            let (input, parts) = (&vector["input"], &vector["parts"]);
            let value = input["cookie_value"].as_str()?;
            let (name, data) = text_of(parts, "plaintext").split_once('=')?;
            if !data.starts_with('{') || vector["expect"] != "ok" || vector["lenient"] == true {
                return None;
            }
            let key = |name| text::from_hex(text_of(parts, name)).unwrap();
            let mut keys = ClientKeys::pair(key("enc_key_hex"), key("sig_key_hex"));
            if let Some(encryption) = input["encryptionAlgorithm"].as_str() {
                keys = keys.encryption(Encryption::parse(encryption).unwrap());
            }
            if let Some(signature) = input["signatureAlgorithm"].as_str() {
                keys = keys.signature(Signature::parse(signature).unwrap());
            }
            let (created_at, duration) = (text_of(parts, "createdAt").parse().unwrap(), text_of(parts, "duration"));
            let mut fill = recorded(vec![key("iv_hex")]);
            let sessions = ClientSessions::new(name, keys).unwrap();
            let ours = sessions.seal_with(data, created_at, duration.parse().unwrap(), &mut fill).unwrap();
            Some((ours, value.to_owned()))
        });
    }
}
