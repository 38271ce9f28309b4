//! [`CookieSession`]: the two cookies of `cookie-session` 2: `session`, which is the JSON in base64, and
//! `session.sig`, which is keygrip's HMAC of `session=<value>`.
//!
//! What to know:
//!
//! - **Signed only: the visitor reads everything in it.** Put no secret there.
//! - **There is no time in it. A copied cookie is valid for ever**, sign-out or not, until the key goes.
//! - The signature is HMAC-SHA1 unless keygrip was told otherwise; for an HMAC that is still sound.

use std::{fmt, sync::Arc};

use aws_lc_rs::hmac;

use super::{
    Attributes, Opened, Refusal, SealError,
    config::{cookie_name, hmac_keys, verified_by},
    json, text,
};
use crate::error::BuildError;

/// The algorithm of a `Keygrip`. Default [`Sha1`](Self::Sha1), as in keygrip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeygripAlgorithm {
    /// `sha1`.
    #[default]
    Sha1,
    /// `sha256`.
    Sha256,
    /// `sha384`.
    Sha384,
    /// `sha512`.
    Sha512,
}

impl KeygripAlgorithm {
    /// Reads Node's name of it, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha384 => hmac::HMAC_SHA384,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }
}

/// How a `Keygrip` writes signatures. Default [`Base64`](Self::Base64), as in keygrip.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeygripEncoding {
    /// `base64`, which keygrip turns into base64url without padding.
    #[default]
    Base64,
    /// `hex`.
    Hex,
}

impl KeygripEncoding {
    /// Reads Node's name of it, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "base64" | "base64url" => Some(Self::Base64),
            "hex" => Some(Self::Hex),
            _ => None,
        }
    }

    fn encode(self, tag: &[u8]) -> String {
        match self {
            Self::Base64 => text::base64url(tag),
            Self::Hex => text::hex(tag),
        }
    }

    fn decode(self, signature: &str) -> Result<Vec<u8>, Refusal> {
        match self {
            Self::Base64 => text::from_base64url(signature),
            Self::Hex => text::from_hex(signature).ok_or(Refusal::Malformed),
        }
    }
}

/// Reads and writes the cookies of `cookie-session`.
///
/// ```
/// use hardtack::interop::CookieSession;
///
/// let sessions = CookieSession::new("session", ["key-one"])?;
/// let (value, signature) = sessions.seal(r#"{"visits":3}"#)?;
/// let opened = sessions.open(value.as_bytes(), signature.as_deref().map(str::as_bytes))?;
/// assert_eq!(opened.data_json(), r#"{"visits":3}"#);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct CookieSession {
    name: String,
    /// None at all when `signed` is false.
    keys: Arc<[hmac::Key]>,
    encoding: KeygripEncoding,
}

impl CookieSession {
    /// The first key signs, all verify. The package's own name for the cookie is `session`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] without a key, for an empty one, and for a name that is no cookie's.
    pub fn new<S: AsRef<str>>(name: impl Into<String>, keys: impl IntoIterator<Item = S>) -> Result<Self, BuildError> {
        Self::with_keygrip(name, keys, KeygripAlgorithm::default(), KeygripEncoding::default())
    }

    /// As `keys: new Keygrip(keys, algorithm, encoding)`.
    ///
    /// # Errors
    ///
    /// As for [`new`](Self::new).
    pub fn with_keygrip<S: AsRef<str>>(
        name: impl Into<String>,
        keys: impl IntoIterator<Item = S>,
        algorithm: KeygripAlgorithm,
        encoding: KeygripEncoding,
    ) -> Result<Self, BuildError> {
        let keys = hmac_keys("cookie-session", algorithm.hmac(), keys)?;
        Ok(Self { name: cookie_name(name)?, keys: keys.into(), encoding })
    }

    /// As `signed: false`: the one cookie, which **anybody can write**. To look at such cookies, never to trust them:
    /// [`Foreign::check`](super::Foreign::check) refuses it.
    ///
    /// # Errors
    ///
    /// [`BuildError`] for a name that is no cookie's.
    pub fn unsigned(name: impl Into<String>) -> Result<Self, BuildError> {
        Ok(Self { name: cookie_name(name)?, keys: Arc::new([]), encoding: KeygripEncoding::default() })
    }

    /// Opens the values of both cookies. There is no time in them.
    ///
    /// # Errors
    ///
    /// [`Refusal`]; without a signature [`Refusal::Malformed`].
    pub fn open(&self, value: &[u8], signature: Option<&[u8]>) -> Result<Opened, Refusal> {
        let value = text::raw(text::unquoted(value))?;
        let mut key = None;
        if self.is_signed() {
            let signature = text::raw(text::unquoted(signature.ok_or(Refusal::Malformed)?))?;
            let tag = self.encoding.decode(signature)?;
            let verified = verified_by(&self.keys, self.signed_text(value).as_bytes(), &tag);
            key = Some(verified.ok_or(Refusal::Forged)?);
        }
        let bytes = text::from_base64(value)?;
        let mut opened = Opened::new(json::spread(json::authentic(&bytes)?).into_owned());
        opened.key_id = key.map(|key| key.to_string());
        opened.resend = key.is_some_and(|key| key > 0);
        Ok(opened)
    }

    /// Makes the values of both cookies of a JSON object, however long: the package has no limit, browsers have.
    ///
    /// # Errors
    ///
    /// [`SealError::NotAnObject`].
    pub fn seal(&self, data_json: &str) -> Result<(String, Option<String>), SealError> {
        let data = json::object(data_json).ok_or(SealError::NotAnObject)?;
        let value = text::base64(data.as_bytes());
        let sign = |key| hmac::sign(key, self.signed_text(&value).as_bytes());
        let signature = self.keys.first().map(|key| self.encoding.encode(sign(key).as_ref()));
        Ok((value, signature))
    }

    /// The name is in it, so that a value cannot move to another cookie.
    fn signed_text(&self, value: &str) -> String {
        format!("{}={value}", self.name)
    }

    pub(super) fn is_signed(&self) -> bool {
        !self.keys.is_empty()
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn signature_name(&self) -> String {
        format!("{}.sig", self.name)
    }

    pub(super) fn attributes(&self) -> Attributes {
        Attributes { path: Some("/"), secure: false, same_site: None, max_age: None }
    }
}

impl fmt::Debug for CookieSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CookieSession({:?}, secrets withheld)", self.name)
    }
}
