//! The error types. A variant says what went wrong; its message says what to write or do
//! instead, and never holds a token, a key or a value of a session.

use std::{fmt, path::PathBuf};

use crate::{
    keyring::{KEYS_VARIABLE, KeyId},
    record::NoRandom,
};

/// A configuration that cannot work. It stops start-up; its message says what to write instead.
///
/// `Debug` prints the message too, because `fn main() -> Result<(), Box<dyn Error>>` shows that.
#[non_exhaustive]
pub enum BuildError {
    /// There are no keys.
    MissingKeys {
        /// A fresh key to paste.
        example: String,
    },
    /// A key is not 256 bits in the text form of hardtack.
    WeakKey {
        /// A fresh key to paste.
        example: String,
    },
    /// Something else stands where a key with its state should.
    KeyText {
        /// Its first word, unless that could be a secret.
        text: String,
    },
    /// Two keys have the same id: the same key twice, nearly always.
    DuplicateKey {
        /// The id that both have.
        id: KeyId,
    },
    /// Not exactly one key is active.
    ActiveKeys {
        /// How many are.
        active: usize,
    },
    /// A file of keys cannot be used.
    KeyFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// A file of revocations cannot be used.
    RevocationFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file of sessions cannot be used.
    StoreFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it and what to do.
        why: String,
    },
    /// A server of sessions cannot be used.
    Store {
        /// What is wrong with it and what to do.
        why: String,
    },
    /// A cookie that a browser would refuse or that would protect less than it says.
    Cookie {
        /// What is wrong and what to write instead.
        why: String,
    },
    /// Timeouts that contradict each other or their preset.
    Lifetime {
        /// What is wrong and what to write instead.
        why: String,
    },
    /// A setting out of its range.
    Setting {
        /// Which one, and its range.
        why: String,
    },
    /// The operating system gave no random numbers.
    Random,
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingKeys { example } => write!(
                f,
                "{KEYS_VARIABLE} is not set. Here is a fresh key, made just now; keep it secret and set\n\n    {KEYS_VARIABLE}={example}\n"
            ),
            Self::WeakKey { example } => write!(
                f,
                "a key is the text \"htk1_\" and 43 characters that stand for 256 random bits, not a password. Here is a fresh one:\n\n    {example}\n"
            ),
            Self::KeyText { text } => write!(
                f,
                "{text:?} begins no key; write \"active KEY\", \"pending UNIX_MS KEY\", \"retired KEY\" or \"revoked ID\""
            ),
            Self::DuplicateKey { id } => write!(f, "two keys have the id {id}; write each key once"),
            Self::ActiveKeys { active } => write!(f, "{active} keys are active; mark exactly one as active"),
            Self::KeyFile { path, why } => write!(f, "the key file {}: {why}", path.display()),
            Self::RevocationFile { path, why } => write!(f, "the revocation file {}: {why}", path.display()),
            Self::StoreFile { path, why } => write!(f, "the session store {}: {why}", path.display()),
            Self::Store { why } => write!(f, "the session store: {why}"),
            Self::Cookie { why } => write!(f, "the cookie policy: {why}"),
            Self::Lifetime { why } => write!(f, "the lifetime: {why}"),
            Self::Setting { why } => f.write_str(why),
            Self::Random => f.write_str("the operating system gave no random numbers"),
        }
    }
}

impl fmt::Debug for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for BuildError {}

/// Why a handler does not get a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SessionRejection {
    /// No layer of hardtack runs before the handler: a fault of the program, answered with 500.
    NoLayer,
    /// The store does not answer: 503.
    Store(StoreError),
}

impl fmt::Display for SessionRejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLayer => f.write_str("no sessions here; add .layer(sessions.layer()) after the routes (axum) or .wrap(sessions.actix()) (actix-web)"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for SessionRejection {}

/// Why one field could not be read or written.
#[derive(Debug)]
#[non_exhaustive]
pub enum FieldError {
    /// The stored value does not fit the type that was asked for.
    Decode {
        /// The field's name.
        field: String,
        /// What the decoder said. It may quote the value: not for the eyes of a visitor.
        source: serde_json::Error,
    },
    /// The value cannot be written as JSON.
    Encode {
        /// The field's name, or the type's for a whole struct.
        field: String,
        /// What the encoder said.
        source: serde_json::Error,
    },
    /// Not a JSON object, so it has no fields.
    NotAnObject,
    /// The name has more than 255 bytes, or the session more than 65,535 fields.
    Name {
        /// The beginning of the name.
        name: String,
    },
    /// The session was committed already; this write would be lost.
    Closed,
    /// The operating system gave no random numbers, so there is no new session to write to.
    Random,
}

impl fmt::Display for FieldError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decode { field, .. } => write!(f, "the session's field {field:?} does not fit its type"),
            Self::Encode { field, .. } => write!(f, "the value of the field {field:?} cannot be written as JSON"),
            Self::NotAnObject => f.write_str("only a JSON object can become the data of a session"),
            Self::Name { name } => write!(f, "the field {name:?}… has a name of more than 255 bytes"),
            Self::Closed => f.write_str("the session was committed already; write before the commit"),
            Self::Random => f.write_str("the operating system gave no random numbers"),
        }
    }
}

impl std::error::Error for FieldError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Decode { source, .. } | Self::Encode { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// Why a request's changes could not be committed. The layer answers with its
/// [`status`](CommitError::status), sets no cookie, and leaves this in the response's extensions.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum CommitError {
    /// The cookie would be longer than browsers keep (RFC 6265bis: 4,096 bytes for name and value).
    TooLarge {
        /// Bytes of the name and the value together.
        size: usize,
        /// The limit.
        limit: usize,
    },
    /// A value could not be written when it was set.
    Field {
        /// What [`Session::try_set`](crate::Session::try_set) would have answered.
        why: String,
    },
    /// An owner has 1 to 512 bytes.
    Owner,
    /// Something was written after the commit.
    Closed,
    /// The operating system gave no random numbers (C02): no session is better than a guessable one.
    Random,
    /// The session's data is more than the store takes for one session.
    RecordTooLarge {
        /// Bytes of the data.
        size: usize,
        /// The limit of [`SessionsBuilder::max_record`](crate::SessionsBuilder::max_record).
        limit: usize,
    },
    /// Others wrote the session faster than this request could, or its owner's sessions were ended
    /// meanwhile. Nothing was written; trying again may help.
    Conflict,
    /// The owner's sessions were ended after the verification of the credential began: nobody is signed in.
    OwnerEnded,
    /// The owner has as many sessions as
    /// [`SessionsBuilder::device_limit`](crate::SessionsBuilder::device_limit) allows: nobody is signed in.
    DeviceLimit,
    /// The store does not answer.
    Store(StoreError),
}

impl CommitError {
    /// 503 when trying again may help, 409 when the sign-in came too late or once too often, 500 when the
    /// program is at fault.
    pub fn status(&self) -> http::StatusCode {
        match self {
            Self::Store(_) | Self::Conflict => http::StatusCode::SERVICE_UNAVAILABLE,
            Self::OwnerEnded | Self::DeviceLimit => http::StatusCode::CONFLICT,
            _ => http::StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl fmt::Display for CommitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size, limit } => {
                write!(
                    f,
                    "the session cookie would have {size} bytes and browsers keep {limit}; keep less in the session"
                )
            }
            Self::Field { why } => f.write_str(why),
            Self::Owner => f.write_str("an owner has 1 to 512 bytes"),
            Self::Closed => f.write_str("the session was written after its commit"),
            Self::Random => f.write_str("the operating system gave no random numbers"),
            Self::RecordTooLarge { size, limit } => {
                write!(
                    f,
                    "the session's data would have {size} bytes and {limit} are allowed; keep less in the session"
                )
            }
            Self::Conflict => f.write_str("the session was changed by others at the same time; try again"),
            Self::OwnerEnded => f.write_str("the owner's sessions were ended during the sign-in; sign in again"),
            Self::DeviceLimit => f.write_str("the owner has as many sessions as are allowed; end one first"),
            Self::Store(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CommitError {}

impl From<NoRandom> for CommitError {
    fn from(_: NoRandom) -> Self {
        Self::Random
    }
}

impl From<StoreError> for CommitError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A system fault of what keeps sessions or revocations: the disk, the network, the server.
#[derive(Clone, Debug)]
pub struct StoreError {
    why: std::sync::Arc<str>,
}

impl StoreError {
    /// A fault, described for the operator.
    pub fn new(why: impl fmt::Display) -> Self {
        Self { why: why.to_string().into() }
    }
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the session store: {}", self.why)
    }
}

impl std::error::Error for StoreError {}
