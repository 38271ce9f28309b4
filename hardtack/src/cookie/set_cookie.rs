//! Writes `Set-Cookie`: `NAME=VALUE` and the attributes of the policy, each once (A08).
//!
//! Lifetimes are written as `Max-Age`, in digits only (A10). There is no `Expires`: every browser in use
//! prefers `Max-Age`, and a second clock could only disagree with it.

use super::CookiePolicy;
use crate::error::CommitError;

/// The most bytes that browsers keep for a name and its value together (RFC 6265bis §5.6, A06).
pub(crate) const MAX_NAME_VALUE: usize = 4096;
/// The longest lifetime that browsers honour: 400 days (A10).
pub(crate) const MAX_AGE_SECONDS: u64 = 34_560_000;

/// A policy with its lines prepared.
#[derive(Clone)]
pub(crate) struct CookieWriter {
    name: String,
    attributes: String,
}

impl CookieWriter {
    pub(crate) fn new(policy: &CookiePolicy, secure: bool) -> Self {
        Self { name: policy.name().to_owned(), attributes: policy.attributes(secure) }
    }

    /// A cookie of another name with the same attributes.
    #[cfg(feature = "interop")]
    pub(crate) fn named(&self, name: &str) -> Self {
        Self { name: name.to_owned(), attributes: self.attributes.clone() }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The line that sets `value`, for as long as the browser runs or for `max_age` seconds.
    pub(crate) fn set(&self, value: &str, max_age: Option<u64>) -> Result<String, CommitError> {
        let size = self.name.len() + value.len();
        if size > MAX_NAME_VALUE {
            return Err(CommitError::TooLarge { size, limit: MAX_NAME_VALUE });
        }
        Ok(self.line(value, max_age.map(|seconds| seconds.min(MAX_AGE_SECONDS))))
    }

    /// The line that removes the cookie: the same attributes and `Max-Age=0` (A11).
    pub(crate) fn remove(&self) -> String {
        self.line("", Some(0))
    }

    fn line(&self, value: &str, max_age: Option<u64>) -> String {
        const LONGEST_MAX_AGE: usize = "; Max-Age=34560000".len();
        let mut line =
            String::with_capacity(self.name.len() + 1 + value.len() + self.attributes.len() + LONGEST_MAX_AGE);
        line += &self.name;
        line += "=";
        line += value;
        line += &self.attributes;
        if let Some(seconds) = max_age {
            line += "; Max-Age=";
            line += &seconds.to_string();
        }
        line
    }
}
