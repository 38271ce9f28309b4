//! [`MemoryStore`]: sessions in the memory of this process.
//!
//! - **Parts.** Keys and owners are cut into parts, each behind a lock that is held for a few entries at a time. An
//!   owner's lock is always taken before a key's, and a row with an owner comes and goes only under both:
//!   so signing in, ending an owner's sessions and the device limit are one step for each other.
//! - **Expiry** costs what expires: every part has a heap of deadlines, and a purge takes from its top.
//! - **Full** is an answer, see [`MemoryStore::with_limits`]. Nothing is ever evicted.

mod budget;
mod expiry;
mod log;
mod owners;
mod parts;
mod shard;
mod table;

use std::{fmt, sync::Arc, time::Duration};

use self::parts::Parts;
use super::{
    Admission, Created, Replaced, Row, Store, StoreKey,
    feed::{Batch, Cursor, Feed, News},
};
use crate::error::StoreError;

/// Sessions in memory: for one process, and until it ends. Cheap to clone; all clones are the same store.
///
/// What it holds is bounded, see [`with_limits`](Self::with_limits). A purge removes what is over; without one
/// it stays, is never given out, and goes when its room is needed.
#[derive(Clone)]
pub struct MemoryStore(Arc<Parts>);

impl MemoryStore {
    /// At most 1,000,000 sessions and 1 GiB (2^30 bytes).
    pub fn new() -> Self {
        Self::with_limits(1_000_000, 1 << 30)
    }

    /// At most so many sessions, and so many bytes for them and for the tombstones of ended ones.
    ///
    /// Bytes are [`Row::size`] and 112 more for each session, 96 for each tombstone: a little more than the process
    /// allocates. Rows without an owner, with their tombstones, take at most half of either, so that
    /// no crowd of anonymous visitors keeps people from signing in.
    ///
    /// A full store first removes what is over, at most 1,024 entries; then
    /// [`create`](Store::create), and a [`replace`](Store::replace) by a larger row, answer an error that
    /// says which limit it is. Nothing is ever evicted, and reading, touching and ending go on: a
    /// tombstone takes the place of its row and is smaller.
    ///
    /// An eighth of the bytes comes on top, for what has no row: tombstones under keys that had none, and
    /// owners' epochs. When that is full, a [`delete`](Store::delete) under such a key answers an error, and
    /// [`end_owner`](Store::end_owner) ends the sign-ins that are under way for all owners instead of one's:
    /// those have to be repeated. Neither is forgotten early.
    ///
    /// Hybrid sessions need the store's news of the last half hour, which take at most about 20 MB more.
    pub fn with_limits(sessions: usize, bytes: usize) -> Self {
        Self(Arc::new(Parts::new(sessions, bytes)))
    }
}

impl Store for MemoryStore {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        self.0.with_room(now, || self.0.create(key, &row, admission, now))
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        Ok(self.0.load(&key, now))
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        self.0.with_room(now, || self.0.replace(&key, version, &row, now))
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        self.0.touch(&key, last_seen, idle_deadline);
        Ok(())
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        self.0.delete(key, tombstone_until).map_err(StoreError::new)
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        Ok(self.0.owned_by(owner, now))
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        Ok(self.0.end_owner(owner, except, tombstone_until))
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        Ok(self.0.epoch())
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        Ok(self.0.purge(now, limit))
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        Ok(self.0.scan(after, limit))
    }
}

impl Feed for MemoryStore {
    async fn read(&self, after: Option<Cursor>, patience: Duration) -> Result<Batch, StoreError> {
        Ok(self.0.log.read(after, patience).await)
    }

    async fn publish(&self, news: Vec<News>, until: u64) -> Result<(), StoreError> {
        self.0.log.publish(news, until);
        Ok(())
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    /// How much there is, and nothing of what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sessions, bytes, stray_bytes] = self.0.used();
        f.debug_struct("MemoryStore")
            .field("sessions", &sessions)
            .field("bytes", &bytes)
            .field("stray_bytes", &stray_bytes)
            .finish()
    }
}
