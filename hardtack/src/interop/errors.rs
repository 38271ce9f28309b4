//! Why a foreign cookie was refused, and why none could be made.

use std::fmt;

use crate::{error::CommitError, events::Reason};

/// Why a foreign cookie is not a session. To the visitor all of them look the same (F07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no such cookie.
    Absent,
    /// More bytes than four cookies can have.
    TooLong,
    /// Not of the format's shape, or not in its one canonical spelling.
    Malformed,
    /// Made with a key whose id is not known here.
    UnknownKey,
    /// It names another algorithm than the one that is configured.
    WrongAlgorithm,
    /// The signature or the tag does not fit any key: changed, or made with another secret.
    Forged,
    /// Authentic, but made for a cookie of another name.
    OtherCookie,
    /// Authentic, but what is in it is no session.
    Invalid,
    /// Its time is over.
    Expired,
}

impl Refusal {
    /// A stable word for logs and tools.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Absent => "absent",
            Self::TooLong => "too_long",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown_key",
            Self::WrongAlgorithm => "wrong_algorithm",
            Self::Forged => "forged",
            Self::OtherCookie => "other_cookie",
            Self::Invalid => "invalid",
            Self::Expired => "expired",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::error::Error for Refusal {}

/// The native reason that says the same.
impl From<Refusal> for Reason {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Absent => Self::Absent,
            Refusal::TooLong | Refusal::Malformed | Refusal::WrongAlgorithm => Self::Malformed,
            Refusal::UnknownKey => Self::UnknownKey,
            Refusal::Forged | Refusal::OtherCookie => Self::Forged,
            Refusal::Invalid => Self::Invalid,
            Refusal::Expired => Self::Absolute,
        }
    }
}

/// Why no foreign cookie could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SealError {
    /// The data is not the text of one JSON object.
    NotAnObject,
    /// Of `express-session` the data is `{"id": "…"}`, an id that is not empty.
    NoId,
    /// Browsers would drop the cookie, or the package would refuse to write it.
    TooLarge {
        /// Bytes that it would have.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// The cryptography failed, which it does not unless memory is short.
    Cipher,
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAnObject => f.write_str("only a JSON object can become the data of a session"),
            Self::NoId => f.write_str("of express-session only the id is in the cookie: write {\"id\": \"…\"}"),
            Self::TooLarge { size, limit } => {
                write!(f, "the cookie would have {size} bytes and {limit} are kept; keep less in the session")
            }
            Self::Cipher => f.write_str("the cookie could not be encrypted"),
        }
    }
}

impl std::error::Error for SealError {}

impl From<aws_lc_rs::error::Unspecified> for SealError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Cipher
    }
}

impl From<SealError> for CommitError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::TooLarge { size, limit } => Self::TooLarge { size, limit },
            other => Self::Field { why: other.to_string() },
        }
    }
}
