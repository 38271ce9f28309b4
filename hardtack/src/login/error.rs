//! Why nobody is signed in: [`LoginError`].

use std::{fmt, time::Duration};

use http::StatusCode;

use super::{PasswordError, Weakness};
use crate::error::{CommitError, StoreError};

/// The longest name that is looked up, in bytes.
pub(super) const MAX_NAME: usize = 512;

/// Why nobody is signed in, or no password was changed. Its text may be shown to the visitor; as a response it is that
/// text with its [`status`](Self::status).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LoginError {
    /// 401: the user is not known, the password is not right, or the account is disabled. Which of them is not told (I04).
    Refused,
    /// 429: too many attempts (I06).
    Throttled {
        /// How long until there is room for another one.
        retry_after: Duration,
    },
    /// 400: the name has more than 512 bytes or the password more than 1,024 (I05).
    TooLong,
    /// 422: the new password may not be chosen (I01, I07).
    Weak(Weakness),
    /// 401: only somebody who is signed in can do that.
    NotSignedIn,
    /// 409: the password was changed by somebody else meanwhile. Nothing was changed.
    Overtaken,
    /// 503: too many passwords are being checked (I05).
    Busy,
    /// 503: the users, the sessions or the counters of attempts do not answer.
    Store(StoreError),
    /// 500: no random numbers, or no thread.
    Failed,
}

impl LoginError {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Refused | Self::NotSignedIn => StatusCode::UNAUTHORIZED,
            Self::Throttled { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::TooLong => StatusCode::BAD_REQUEST,
            Self::Weak(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Overtaken => StatusCode::CONFLICT,
            Self::Busy | Self::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Failed => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `Retry-After` of the answer, in whole seconds, rounded up.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Throttled { retry_after } => Some(u64::try_from(retry_after.as_millis().div_ceil(1000)).unwrap_or(1)),
            Self::Busy => Some(1),
            _ => None,
        }
    }
}

impl fmt::Display for LoginError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("The name or the password is not right."),
            Self::Throttled { .. } => {
                let seconds = self.retry_after().unwrap_or(1);
                let (number, unit) = if seconds < 120 { (seconds, "second") } else { (seconds.div_ceil(60), "minute") };
                let many = if number == 1 { "" } else { "s" };
                write!(f, "That was tried too often. Try again in {number} {unit}{many}.")
            }
            Self::TooLong => write!(
                f,
                "A name has at most {MAX_NAME} bytes, and a password has at most {} bytes.",
                super::MAX_PASSWORD
            ),
            Self::Weak(weakness) => weakness.fmt(f),
            Self::NotSignedIn => f.write_str("Sign in first."),
            Self::Overtaken => f.write_str("The password was changed by somebody else a moment ago."),
            Self::Busy => f.write_str("Too many people are signing in. Try again in a moment."),
            Self::Store(_) => f.write_str("Nobody can be signed in at the moment. Try again later."),
            Self::Failed => f.write_str("The password could not be checked. Try again."),
        }
    }
}

impl std::error::Error for LoginError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl From<StoreError> for LoginError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<PasswordError> for LoginError {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::TooLong => Self::TooLong,
            PasswordError::Busy => Self::Busy,
            PasswordError::Failed => Self::Failed,
        }
    }
}

impl From<CommitError> for LoginError {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Store(error) => Self::Store(error),
            _ => Self::Failed,
        }
    }
}
