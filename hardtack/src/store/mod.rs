//! Where recorded sessions live, as a contract: [`Store`].
//!
//! A store keeps [`Row`]s under [`StoreKey`]s. It never sees a session's id or its data: the key is a
//! hash of the id, and the row's data is sealed under a key that only the id gives. So a copy of the
//! store signs nobody in (C09), and a row that was changed or moved does not open.
//!
//! The contract is small, so that it cannot be implemented wrongly; `conformance` (a feature) is a suite for
//! every implementation, ours and others'. Its rules:
//!
//! - **A delete wins.** [`replace`](Store::replace) and [`touch`](Store::touch) never bring a row back;
//!   [`delete`](Store::delete) leaves a tombstone, and while that stands [`create`](Store::create) of the
//!   same key answers [`Created::Exists`] (E07).
//! - **A replace is one compare-and-swap** on the version. It does not load, merge or retry; the caller
//!   does.
//! - **Expired is absent**: [`load`](Store::load) answers `None` for both, whether or not a purge has run
//!   (D08). Expiry is `now >= idle deadline` or `now >= absolute deadline`.
//! - **Time comes from the caller**, in milliseconds since 1970. A store has no clock.
//! - **An error is a system fault.** After one, a write may have happened or not; the caller finds out.
//! - **A future may be dropped** at any await. What it was doing then happens whole or not at all, and
//!   nothing stays locked.
//! - **A row with an owner is under a key in that owner's shard** ([`StoreKey::in_shard_of`]). A store over many
//!   machines may answer an error otherwise; keys that a [`Sessions`](crate::Sessions) makes are.
//! - A store belongs to one application. Two applications use two files, prefixes or schemas.

#[cfg(feature = "conformance")]
pub mod conformance;
pub mod feed;
mod key;
mod memory;
#[cfg(any(feature = "tokio-postgres-0_7", feature = "sqlx-0_9"))]
mod postgres;
#[cfg(feature = "redis-1")]
mod redis;
mod row;
pub(crate) mod sealing;
#[cfg(feature = "sqlite")]
mod sqlite;
pub(crate) mod timed;

pub use key::StoreKey;
pub use memory::MemoryStore;
#[cfg(all(feature = "deadpool-postgres-0_14", feature = "interop"))]
pub(crate) use postgres::Fault as PostgresFault;
#[cfg(any(feature = "tokio-postgres-0_7", feature = "sqlx-0_9"))]
pub use postgres::{PostgresSettings, PostgresStore};
#[cfg(feature = "redis-1")]
pub use redis::{RedisSettings, RedisStore};
pub use row::{Facts, Row};
#[cfg(feature = "sqlite")]
pub use sqlite::SqliteStore;

use crate::error::StoreError;

/// A place for recorded sessions. The [module](self) has the rules.
///
/// The methods are async functions, and an implementation writes them as such: `async fn load(&self, key:
/// StoreKey, now: u64) -> Result<Option<Row>, StoreError>`.
pub trait Store: Send + Sync + 'static {
    /// Inserts a row if there is none under its key and no tombstone, expired or not.
    ///
    /// For a row with an owner, in the same step and in this order: refuses when the owner's epoch is above
    /// `admission.epoch`, and keeps `admission.limit`, counting the owner's rows that are not expired. With
    /// [`Beyond::EndOldest`] those that were created first are deleted until there is room.
    fn create(
        &self,
        key: StoreKey,
        row: Row,
        admission: Admission,
        now: u64,
    ) -> impl Future<Output = Result<Created, StoreError>> + Send;

    /// The row, unless it is absent or expired.
    fn load(&self, key: StoreKey, now: u64) -> impl Future<Output = Result<Option<Row>, StoreError>> + Send;

    /// Puts `row` in place of the one whose version is `version`; [`Replaced::Gone`] when there is none or it
    /// is expired.
    ///
    /// What others may have moved meanwhile stays: the owner and the epoch are those of the row that is
    /// there, and its idle deadline and last use are the later ones of both.
    fn replace(
        &self,
        key: StoreKey,
        version: u64,
        row: Row,
        now: u64,
    ) -> impl Future<Output = Result<Replaced, StoreError>> + Send;

    /// Moves the last use and the idle deadline forward, never back, never beyond the absolute deadline. The
    /// version stays. Does nothing where there is no row.
    fn touch(
        &self,
        key: StoreKey,
        last_seen: u64,
        idle_deadline: u64,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Removes the row and keeps a tombstone in its place until then, where there was no row too. Answers
    /// whether there was one, expired or not.
    ///
    /// When this answers, no later call gives the row, on any node of the store.
    fn delete(&self, key: StoreKey, tombstone_until: u64) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// The owner's rows that are not expired.
    fn owned_by(&self, owner: &str, now: u64) -> impl Future<Output = Result<Vec<(StoreKey, Row)>, StoreError>> + Send;

    /// Removes all rows of an owner but one, as [`delete`](Self::delete) does, and raises the owner's epoch
    /// to one above the store's highest, which it answers. The row of `except` gets that epoch; its version
    /// stays. All of it is one step for [`create`](Self::create).
    ///
    /// The owner's epoch is remembered until `tombstone_until` at least.
    fn end_owner(
        &self,
        owner: &str,
        except: Option<StoreKey>,
        tombstone_until: u64,
    ) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// The highest epoch that was ever given: a counter of the store, 0 at first. It never falls.
    fn epoch(&self) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Removes up to `limit` rows, tombstones and owners' epochs whose time is over, through an index, and
    /// answers how many. Nothing depends on it but space.
    fn purge(&self, now: u64, limit: usize) -> impl Future<Output = Result<usize, StoreError>> + Send;

    /// Up to `limit` rows with keys above `after`, in the order of their keys, expired ones too: for
    /// operators.
    fn scan(
        &self,
        after: Option<StoreKey>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<(StoreKey, Row)>, StoreError>> + Send;
}

/// On which terms an owner's row is let in. Rows without an owner are not asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The store's [`epoch`](Store::epoch) from before the owner's credential was verified.
    pub epoch: u64,
    /// How many sessions the owner may have.
    pub limit: Option<DeviceLimit>,
}

/// How many sessions one owner may have at a time, and what happens beyond (E06).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviceLimit {
    /// The most sessions, at least 1.
    pub most: u32,
    /// What happens to one more.
    pub beyond: Beyond,
}

/// What happens when an owner signs in once too often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// The new session is refused.
    Refuse,
    /// The sessions that were created first end, to make room.
    EndOldest,
}

/// What [`Store::create`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// The row is there now.
    Created,
    /// Something is under the key already: a row, expired or not, or a tombstone.
    Exists,
    /// The owner's sessions were ended after the credential's verification began.
    OwnerEnded,
    /// The owner has as many sessions as allowed.
    LimitReached,
}

/// What [`Store::replace`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The new row is there.
    Replaced,
    /// There is a row of another version.
    Conflict,
    /// There is no row, or it is expired.
    Gone,
}
