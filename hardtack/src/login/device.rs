//! The mark of a device that signed in before: a cookie of its own, sealed for one owner.
//!
//! It signs nobody in. It gives the device a bucket of its own when the owner's password is tried ([`Throttle`]), so that
//! guesses from elsewhere do not lock the owner out. It is an envelope like a session's, under another purpose, so that
//! neither is ever taken for the other.
//!
//! [`Throttle`]: super::Throttle

use http::HeaderValue;

use super::Visitor;
use crate::{
    cookie::{CookiePolicy, set_cookie::CookieWriter},
    envelope::{self, Binding},
    error::CommitError,
    fields::Fields,
    record::{Header, Kind, Record, SessionId},
    system::System,
};

/// The cookie's name.
pub(super) const NAME: &str = "__Host-device";
/// What the envelope is for.
const PURPOSE: &str = "device";
/// How long a device is known: 400 days, the longest that browsers keep a cookie.
const KNOWN: u64 = 400 * 86_400_000;

/// What marks are bound to.
pub(crate) fn binding(realm: &str) -> Binding {
    Binding::for_purpose(PURPOSE, realm, NAME)
}

/// The id in the visitor's mark, when it is the mark of a device of this owner's.
pub(super) fn known(system: &System, visitor: &Visitor, owner: &str) -> Option<[u8; 32]> {
    let now = system.now();
    visitor.marks.iter().find_map(|mark| {
        let opened = envelope::open(&system.keys, &system.device, mark, now).ok()?;
        let header = &opened.record.header;
        let is_known = header.owner.as_deref() == Some(owner) && now < header.absolute_deadline;
        is_known.then_some(header.id.0)
    })
}

/// The `Set-Cookie` that marks a device as one of the owner's. One that is marked keeps its id.
pub(super) fn mark(system: &System, visitor: &Visitor, owner: &str) -> Result<HeaderValue, CommitError> {
    let now = system.now();
    let (id, handle) = match known(system, visitor, owner) {
        Some(id) => (SessionId(id), crate::Handle([0; 16])),
        None => SessionId::new(system.random, Some(owner))?,
    };
    let ends = now.saturating_add(KNOWN);
    let header = Header {
        kind: Kind::Stateless,
        remembered: true,
        id,
        handle,
        generation: 0,
        epoch: 0,
        created: now,
        authenticated: now,
        confirmed: 0,
        last_seen: now,
        idle_deadline: ends,
        absolute_deadline: ends,
        version: 0,
        owner: Some(owner.into()),
        renewed: 0,
        label: None,
    };
    let record = Record { header, fields: Fields::empty() };
    let value = envelope::seal(&system.keys.sealing(now), &system.device, &record).map_err(|_| CommitError::Random)?;
    let policy = CookiePolicy::host("device").same_site(crate::SameSite::Strict);
    let line = CookieWriter::new(&policy, true).set(&value, Some(KNOWN / 1000))?;
    HeaderValue::try_from(line).map_err(|_| CommitError::Field { why: "the mark is no header value".into() })
}
