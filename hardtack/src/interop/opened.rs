//! [`Opened`]: what a foreign cookie said.

use std::fmt;

use serde::de::DeserializeOwned;

use super::{Refusal, json};

/// What an authentic foreign cookie said. `Debug` leaves its data out.
#[derive(Clone)]
pub struct Opened {
    pub(super) data: String,
    pub(super) created_at: Option<i64>,
    pub(super) expires_at: Option<i64>,
    /// The last millisecond at which the package takes it.
    pub(super) last: Option<i64>,
    pub(super) key_id: Option<String>,
    pub(super) resend: bool,
    /// How long it lives from `created_at`, where the cookie itself says so.
    pub(super) duration: Option<i64>,
}

impl Opened {
    pub(crate) fn new(data: String) -> Self {
        Self { data, created_at: None, expires_at: None, last: None, key_id: None, resend: false, duration: None }
    }

    /// The text of the session's JSON, byte for byte as the package stored it: numbers, order of keys, escapes and
    /// lone surrogates included. An object, but for `iron-session`, which also stores arrays.
    pub fn data_json(&self) -> &str {
        &self.data
    }

    /// One member of the data; `None` when there is none or it is not of this type.
    pub fn get<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_str(json::member(&self.data, name)?).ok()
    }

    /// When it was made, in milliseconds since 1970, where the format says so.
    pub fn created_at(&self) -> Option<u64> {
        self.created_at.map(unsigned)
    }

    /// The deadline, in milliseconds since 1970, where there is one.
    pub fn expires_at(&self) -> Option<u64> {
        self.expires_at.map(unsigned)
    }

    /// Which key it was made with: the password's id of `iron-session`, otherwise the place in the list of keys,
    /// from `0`. `None` where there is only one.
    pub fn key_id(&self) -> Option<&str> {
        self.key_id.as_deref()
    }

    /// Whether the package answers the mere reading of this cookie with a new one: it was made with an older key
    /// (`cookie-session`, `secure-session`), or its sliding deadline is near (`client-sessions`).
    pub fn is_to_be_resent(&self) -> bool {
        self.resend
    }

    /// Whether its time is over at `now_ms`, by the package's own rule for the last millisecond.
    pub fn is_expired(&self, now_ms: u64) -> bool {
        self.last.is_some_and(|last| signed(now_ms) > last)
    }

    /// Itself, unless its time is over.
    pub(super) fn live(self, now_ms: u64) -> Result<Self, Refusal> {
        if self.is_expired(now_ms) { Err(Refusal::Expired) } else { Ok(self) }
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened")
            .field("created_at", &self.created_at)
            .field("expires_at", &self.expires_at)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

fn unsigned(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0)
}

/// A time of ours as the packages count.
pub(super) fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
