//! [`ExpressSession`]: the cookie of `express-session` 1, which is a signed id: `s:<id>.<signature>`,
//! percent-encoded.
//!
//! The session itself is in the application's store under that id, in clear, so the id is a password: whoever reads
//! the store's keys can sign himself in with the secret. What to know:
//!
//! - Signed, not encrypted, and without a time: the store alone knows whether a session is over.
//! - An id that a secret other than the first signed is taken, and is not signed again until the cookie is set.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::hmac;

use super::{
    Attributes, Opened, Refusal, SealError,
    config::{cookie_name, hmac_keys, verified_by},
    json, text,
};
use crate::error::BuildError;

/// Reads and writes the id in the cookie of `express-session`.
///
/// ```
/// use hardtack::interop::ExpressSession;
///
/// let express = ExpressSession::new("connect.sid", ["keyboard cat"])?;
/// let value = express.sign("q2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz");
/// assert!(value.starts_with("s%3Aq2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz."));
/// assert_eq!(express.verify(value.as_bytes())?, "q2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct ExpressSession {
    name: String,
    keys: Arc<[hmac::Key]>,
    max_age: Option<Duration>,
    rolling: bool,
}

impl ExpressSession {
    /// The first secret signs, all verify. The package's own name for the cookie is `connect.sid`.
    ///
    /// # Errors
    ///
    /// [`BuildError`] without a secret, for an empty one, and for a name that is no cookie's.
    pub fn new<S: AsRef<str>>(
        name: impl Into<String>,
        secrets: impl IntoIterator<Item = S>,
    ) -> Result<Self, BuildError> {
        let keys = hmac_keys("express-session", hmac::HMAC_SHA256, secrets)?;
        Ok(Self { name: cookie_name(name)?, keys: keys.into(), max_age: None, rolling: false })
    }

    /// `cookie.maxAge` of the sessions that [`Sessions::shared`](crate::Sessions::shared) begins: how long one lives that
    /// nobody uses. By default it goes with the browser, and the store says for how long it keeps it. Those that Express
    /// began keep their own.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// `rolling` of [`Sessions::shared`](crate::Sessions::shared): every answer sends the cookie again, with a later
    /// deadline. Default `false`: only one that changed the session, if it has a `maxAge`.
    pub fn rolling(mut self, rolling: bool) -> Self {
        self.rolling = rolling;
        self
    }

    /// The id that a cookie's value holds.
    ///
    /// # Errors
    ///
    /// [`Refusal`].
    pub fn verify(&self, value: &[u8]) -> Result<String, Refusal> {
        self.verified(value).map(|(id, _)| id)
    }

    /// The value that holds an id.
    pub fn sign(&self, id: &str) -> String {
        let tag = hmac::sign(&self.keys[0], id.as_bytes());
        text::encode_component(&format!("s:{id}.{}", text::base64_unpadded(tag.as_ref())))
    }

    /// The id, and which secret signed it.
    pub(crate) fn verified(&self, value: &[u8]) -> Result<(String, usize), Refusal> {
        let value = text::decoded(text::unquoted(value))?;
        let signed = value.strip_prefix("s:").ok_or(Refusal::Malformed)?;
        let (id, signature) = signed.rsplit_once('.').ok_or(Refusal::Malformed)?;
        if id.is_empty() {
            return Err(Refusal::Malformed);
        }
        let tag = text::from_base64_unpadded(signature)?;
        let key = verified_by(&self.keys, id.as_bytes(), &tag).ok_or(Refusal::Forged)?;
        Ok((id.to_owned(), key))
    }

    /// As all formats answer: the data is `{"id":"…"}`.
    pub(super) fn inspect(&self, value: &[u8]) -> Result<Opened, Refusal> {
        let (id, key) = self.verified(value)?;
        let mut opened = Opened::new(format!("{{\"id\":{}}}", json::string(&id)));
        opened.key_id = Some(key.to_string());
        Ok(opened)
    }

    pub(super) fn seal(&self, data_json: &str) -> Result<String, SealError> {
        let data = json::object(data_json).ok_or(SealError::NotAnObject)?;
        let id = json::member(&data, "id").and_then(|id| serde_json::from_str::<String>(id).ok());
        Ok(self.sign(&id.filter(|id| !id.is_empty()).ok_or(SealError::NoId)?))
    }

    pub(crate) fn max_age_of_new(&self) -> Option<Duration> {
        self.max_age
    }

    pub(crate) fn rolls(&self) -> bool {
        self.rolling
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn attributes(&self) -> Attributes {
        Attributes { path: Some("/"), secure: false, same_site: None, max_age: None }
    }
}

impl fmt::Debug for ExpressSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExpressSession({:?}, secrets withheld)", self.name)
    }
}
