//! [`ExpressStore`]: where express-session keeps its sessions, as five calls. [`ConnectRedis`] and [`ConnectPgSimple`] are
//! the two stores that most Express applications have; another one is written in the same way.

#[cfg(feature = "deadpool-postgres-0_14")]
mod connect_pg_simple;
#[cfg(feature = "redis-1")]
mod connect_redis;
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "redis-1"))]
mod times;

use std::time::Duration;

#[cfg(feature = "deadpool-postgres-0_14")]
pub use self::connect_pg_simple::ConnectPgSimple;
#[cfg(feature = "redis-1")]
pub use self::connect_redis::ConnectRedis;

use crate::error::StoreError;
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "redis-1"))]
use crate::{foreign::owner_in, interop::json};

/// A store of express-session, with the sessions as its Node package lays them down: in clear, under the id in the
/// cookie, as the text of `JSON.stringify(session)`. For [`Sessions::shared`](crate::Sessions::shared).
///
/// Times are milliseconds since 1970. `expires` is what the session's `cookie.expires` says, and `None` when that is
/// `null`: then the store's own [`ttl`](Self::ttl) counts, from `now`.
///
/// - **An error is a system fault**, and says nothing of a session, its id least of all: that is a password. After one, a
///   write may have happened or not.
/// - **A future may be dropped** at any await. What it was doing then happens whole or not at all.
pub trait ExpressStore: Send + Sync + 'static {
    /// The text of the session, byte for byte; `None` when there is none, or when its time in the store is over. A
    /// `cookie.expires` in the text that has passed is no reason: Express touches sessions without writing it.
    fn load(&self, sid: &str, now: u64) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// Writes `text` if the session is still `previous`, byte for byte; with `None`, if there is no session. One step for
    /// everybody. Answers whether it was written.
    ///
    /// With an `expires` that has passed, the session is over when this answers yes.
    fn replace(
        &self,
        sid: &str,
        previous: Option<&str>,
        text: &str,
        expires: Option<u64>,
        now: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Lets the session live until then, and leaves its text alone. Does nothing where there is none.
    fn touch(&self, sid: &str, expires: Option<u64>, now: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the session, if there is one.
    fn delete(&self, sid: &str) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes all sessions whose member `field` is `owner`, a text or a whole number, but for that under the id `except`.
    fn end_owner(
        &self,
        field: &str,
        owner: &str,
        except: Option<&str>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How long a session lives whose cookie says nothing. Default one day, as in both packages.
    fn ttl(&self) -> Duration {
        Duration::from_secs(86_400)
    }
}

/// Whether a session is an owner's.
#[cfg(any(feature = "deadpool-postgres-0_14", feature = "redis-1"))]
fn is_of(text: &str, field: &str, owner: &str) -> bool {
    let session = json::value(text).filter(|text| text.starts_with('{'));
    session.and_then(|session| json::member(session, field)).and_then(owner_in).as_deref() == Some(owner)
}
