//! [`ExpressStore`]: where express-session keeps its sessions. Here are the two stores of the mission; another one is
//! four calls.

use std::time::Duration;

use crate::error::StoreError;

/// A store of express-session, with the sessions as its Node package lays them down: in clear, under the id in the
/// cookie, as the text of `JSON.stringify(session)`. For [`Sessions::shared`](crate::Sessions::shared).
///
/// Times are milliseconds since 1970. `expires` is what the session's `cookie.expires` says, and `None` when that is
/// `null`: then the store's own [`ttl`](Self::ttl) counts, from `now`.
pub trait ExpressStore: Send + Sync + 'static {
    /// The text of the session, byte for byte; `None` when there is none, or when its time in the store is over. A
    /// `cookie.expires` in the text that has passed is no reason: Express touches sessions without writing it.
    fn load(&self, sid: &str, now: u64) -> impl Future<Output = Result<Option<String>, StoreError>> + Send;

    /// Writes `text` if the session is still `previous`, byte for byte; with `None`, if there is no session. One step for
    /// everybody. Answers whether it was written.
    fn replace(
        &self,
        sid: &str,
        previous: Option<&str>,
        text: &str,
        expires: Option<u64>,
        now: u64,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Lets the session live longer, and leaves its text alone.
    fn touch(&self, sid: &str, expires: Option<u64>, now: u64) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the session.
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
