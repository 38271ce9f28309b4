//! What happened to a session, with typed reasons, told to `tracing` under the target `hardtack`. An
//! event never holds a token, a key or a value of the session; a session is named by its handle.

use std::fmt;

use crate::{
    error::{BuildError, StoreError},
    record::Handle,
};

/// Why a cookie did not become a session. To the visitor all of them look the same (F07).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// Not base64url, or of a length that no envelope has.
    Malformed,
    /// A wire format that this version does not know.
    UnknownVersion,
    /// Sealed under a key that is not in the keyring.
    UnknownKey,
    /// Sealed under a key that was revoked.
    RevokedKey,
    /// The tag does not fit: changed, or sealed for another cookie name or realm.
    Forged,
    /// Authentic, but against the rules of the format.
    Invalid,
    /// Authentic, but of a kind that this placement does not write.
    WrongKind,
    /// Made further in the future than clocks may differ.
    FromTheFuture,
    /// Not used for longer than the idle timeout.
    Idle,
    /// Older than the absolute timeout.
    Absolute,
    /// Ended by sign-out, by a new sign-in, by its owner or by an administrator.
    Ended,
    /// Ended a moment ago, because the same visitor signed in.
    Superseded,
    /// Not in the store: ended, or over for long.
    Absent,
    /// In the store, but what is there cannot be read or is not this session's.
    Unreadable,
    /// A cookie from before a renewal came again long after it: somebody had a copy. The session ended.
    Reused,
    /// Two cookies of the same name held two different sessions.
    Conflict,
}

impl Reason {
    /// A stable word for logs and tools.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownVersion => "unknown_version",
            Self::UnknownKey => "unknown_key",
            Self::RevokedKey => "revoked_key",
            Self::Forged => "forged",
            Self::Invalid => "invalid",
            Self::WrongKind => "wrong_kind",
            Self::FromTheFuture => "from_the_future",
            Self::Idle => "idle",
            Self::Absolute => "absolute",
            Self::Ended => "ended",
            Self::Superseded => "superseded",
            Self::Absent => "absent",
            Self::Unreadable => "unreadable",
            Self::Reused => "reused",
            Self::Conflict => "conflict",
        }
    }

    /// Whether the session was good once and its time is over.
    pub fn is_expiry(self) -> bool {
        matches!(self, Self::Idle | Self::Absolute)
    }

    /// Whether the answer leaves the cookie alone: a newer one may be on its way to the browser.
    pub(crate) fn keeps_the_cookie(self) -> bool {
        matches!(self, Self::Ended | Self::Superseded | Self::Absent | Self::Unreadable)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A presented cookie did not become a session. What speaks of an attack or of a damaged store is louder.
pub(crate) fn refused(reason: Reason) {
    match reason {
        Reason::Conflict | Reason::Reused | Reason::Unreadable => {
            tracing::warn!(target: "hardtack", reason = reason.as_str(), "session refused")
        }
        _ => tracing::debug!(target: "hardtack", reason = reason.as_str(), "session refused"),
    }
}

/// A stored value no longer fits the type that the program asks for.
pub(crate) fn undecodable(field: &str) {
    tracing::warn!(target: "hardtack", field, "a field of the session does not fit its type");
}

/// The program wrote to a session whose response had left.
pub(crate) fn written_late() {
    tracing::error!(target: "hardtack", "a session was written after its commit; the write is lost");
}

/// A request changed a session that had ended meanwhile; the ending wins.
pub(crate) fn lost_to_an_ending(handle: Handle) {
    tracing::info!(target: "hardtack", %handle, "changes dropped: the session ended during the request");
}

/// A request with the cookie from before a sign-in wrote to a session that nobody will see.
pub(crate) fn held_back() {
    tracing::info!(target: "hardtack", "changes dropped: the cookie is from before a sign-in");
}

/// The keyring was read again.
pub(crate) fn keys_reloaded() {
    tracing::info!(target: "hardtack", "keys reloaded");
}

/// The keyring could not be read again and stays as it was.
pub(crate) fn keys_not_reloaded(error: &BuildError) {
    tracing::error!(target: "hardtack", %error, "keys not reloaded");
}

/// Somebody signed in.
pub(crate) fn signed_in(handle: Handle) {
    tracing::info!(target: "hardtack", %handle, "signed in");
}

/// A session ended.
pub(crate) fn ended(handle: Handle) {
    tracing::info!(target: "hardtack", %handle, "session ended");
}

/// The last use of a session could not be written down; the request goes on.
pub(crate) fn not_touched(error: &StoreError) {
    tracing::warn!(target: "hardtack", %error, "the last use of a session was not recorded");
}

/// What was over has left the store.
pub(crate) fn purged(rows: usize) {
    tracing::debug!(target: "hardtack", rows, "expired sessions purged");
}

/// Purging failed; it is tried again.
pub(crate) fn not_purged(error: &StoreError) {
    tracing::warn!(target: "hardtack", %error, "expired sessions not purged");
}

/// The revocation table was full and became coarser: more ends than was asked for, never less.
pub(crate) fn coarsened(what: &'static str) {
    tracing::warn!(target: "hardtack", ended = what, "the revocation table is full");
}

/// So much ended that it is not remembered one by one: copies from before ask the store.
pub(crate) fn distrusted() {
    tracing::warn!(target: "hardtack", "too many endings to remember: older copies of sessions ask the store");
}

/// The feed could not be read; copies are not trusted until it can.
pub(crate) fn not_followed(error: &StoreError) {
    tracing::warn!(target: "hardtack", %error, "the feed of the store was not read; sessions are loaded from the store");
}

/// What the feed told has a gap.
pub(crate) fn gap() {
    tracing::warn!(target: "hardtack", "the feed of the store has a gap: older copies of sessions ask the store");
}

/// A request was refused: another site sent it, or it has no token. Who it was is known where the session was asked (J11).
#[cfg(any(feature = "axum", feature = "actix-web-4"))]
pub(crate) fn csrf_refused(refusal: crate::csrf::CsrfRefusal, handle: Option<Handle>) {
    let (reason, handle) = (refusal.as_str(), handle.map(tracing::field::display));
    tracing::info!(target: "hardtack", reason, handle, "request refused: cross-site request forgery");
}

/// A password was asked for again in a session that goes on.
pub(crate) fn stepped_up(handle: Handle) {
    tracing::info!(target: "hardtack", %handle, "signed in again in the same session");
}

/// A password was right. The account is named by a keyed hash.
#[cfg(feature = "login")]
pub(crate) fn password_proved(account: crate::login::Bucket) {
    tracing::info!(target: "hardtack", ?account, "password proved");
}

/// Nobody was signed in: an unknown name, a wrong password or a disabled account. It is named by a keyed hash, because
/// people type passwords into the field of the name.
#[cfg(feature = "login")]
pub(crate) fn login_refused(account: crate::login::Bucket) {
    tracing::warn!(target: "hardtack", ?account, "login refused");
}

/// A password was not even looked at.
#[cfg(feature = "login")]
pub(crate) fn login_throttled(bucket: crate::login::Bucket) {
    tracing::warn!(target: "hardtack", ?bucket, "login throttled");
}

/// An attempt that succeeded stays counted.
#[cfg(feature = "login")]
pub(crate) fn not_given_back(error: &StoreError) {
    tracing::warn!(target: "hardtack", %error, "a login that succeeded stays counted as an attempt");
}

/// A password was changed.
#[cfg(feature = "login")]
pub(crate) fn password_changed(handle: Option<Handle>) {
    tracing::info!(target: "hardtack", handle = handle.map(tracing::field::display), "password changed");
}

/// An old hash could not be replaced; the next login tries again.
#[cfg(feature = "login")]
pub(crate) fn hash_not_renewed(error: &StoreError) {
    tracing::warn!(target: "hardtack", %error, "an outdated hash was not replaced");
}

/// What the users' table holds as a hash is none.
#[cfg(feature = "login")]
pub(crate) fn unreadable_hash() {
    tracing::error!(target: "hardtack", "a user's hash cannot be read, so nobody can sign in with it");
}
