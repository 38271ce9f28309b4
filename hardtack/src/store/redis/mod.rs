//! [`RedisStore`]: sessions in Redis or Valkey, for the processes of many machines.
//!
//! # One step each
//!
//! A read is one command and a write is one script, each one round trip. All that a script is about is in one shard:
//! the row or the tombstone under a key, the owner's index and epoch, and the shard's two indexes. So it is in one slot
//! of a cluster, and the script is one step for everybody.
//!
//! # The epochs
//!
//! The counter that gives all epochs is one key, and an owner's epoch is in the owner's shard; an ending of an owner
//! draws a number first and then runs its script. What may come between:
//!
//! - *A sign-in that read the counter before the draw* has a lower number than the script writes. Its `create` comes
//!   before the script, which then removes the row, or after it, and is refused.
//! - *A sign-in that read the counter after the draw* began its verification after the ending was asked for, so it
//!   verified the new credential. Its `create` is let in after the script; a row from before it is removed with the
//!   others, which costs one more sign-in.
//! - *Two endings of one owner* whose scripts run in the other order: the owner keeps the higher number, and each
//!   script removes what it finds.
//! - *The caller goes away between draw and script*: nothing has ended, and one number is never used.
//! - *The counter's server loses it*, in a failover: it gives numbers again that owners have. An ending that meets
//!   such an owner sees a number that the counter cannot have given, raises the counter above it and draws again; a
//!   sign-in that is refused because of one raises the counter, so that the next one is let in.
//!
//! # Time
//!
//! Redis' own expiry is the last resort: a key lives a day longer than anybody may ask for it, counted from the
//! callers' time, and `purge` removes it before. What ends when is in an index whose times may be early and are never
//! late: a touch moves a row's deadline and not the index, and a purge that comes too early moves the entry.

mod calls;
mod checks;
mod keys;
mod link;
mod news;
mod nodes;
mod rows;
mod scripts;
mod settings;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU16, Ordering::Relaxed},
    },
};

pub use self::settings::RedisSettings;
use self::{keys::Keys, nodes::Nodes, scripts::Scripts};
use super::{Admission, Created, Replaced, Row, Store, StoreKey};
use crate::{
    clock::Clock,
    error::{BuildError, StoreError},
};

/// Sessions in Redis or Valkey, one server or a cluster. Cheap to clone; clones share everything.
///
/// It has one connection to each server that has sessions, and opens it again when it is lost. A logout holds on
/// every node when it is answered, barring the failover to a replica that had not received it; with
/// [`durable_logout`](RedisSettings::durable_logout) also then. `docs/operating.md` has the rest: sizes, clusters,
/// Sentinel, backups.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hardtack::store::{RedisStore, Store};
///
/// let store = RedisStore::connect("redis://127.0.0.1:6379").await?;
/// store.purge(1_800_000_000_000, 1_000).await?;
///
/// let store = RedisStore::at("rediss://shop:secret@one:6379,rediss://shop:secret@two:6379")
///     .prefix("shop")
///     .durable_logout(1)
///     .connect()
///     .await?;
/// # drop(store);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    shared: Arc<Shared>,
}

struct Shared {
    nodes: Nodes,
    keys: Keys,
    scripts: Scripts,
    replicas: u32,
    clock: CallersClock,
    /// Where the next purge begins.
    cursor: AtomicU16,
}

impl RedisStore {
    /// Connects with the default [settings](Self::at). A cluster is recognised by itself; several servers are
    /// separated by commas.
    ///
    /// # Errors
    ///
    /// See [`RedisSettings::connect`].
    pub async fn connect(url: &str) -> Result<Self, BuildError> {
        Self::at(url).connect().await
    }

    /// Settings that begin with a server: `redis://[[USER]:PASSWORD@]HOST[:PORT][/DATABASE]`, or `rediss://` for TLS,
    /// whose certificate is checked against those of the system (or of the file in `SSL_CERT_FILE`).
    pub fn at(url: &str) -> RedisSettings {
        RedisSettings::new(url)
    }
}

impl Shared {
    fn new(nodes: Nodes, keys: Keys, replicas: u32) -> Self {
        let (scripts, clock) = (Scripts::new(), CallersClock::default());
        Self { nodes, keys, scripts, replicas, clock, cursor: AtomicU16::new(0) }
    }
}

/// The time of those who call, for the calls that do not say it: how far the last one who did was ahead of the system.
#[derive(Default)]
struct CallersClock {
    ahead: AtomicI64,
}

impl CallersClock {
    fn is(&self, now: u64) {
        self.ahead.store(now.cast_signed().wrapping_sub(Clock::system().now_ms().cast_signed()), Relaxed);
    }

    fn now(&self) -> u64 {
        Clock::system().now_ms().saturating_add_signed(self.ahead.load(Relaxed))
    }
}

impl Store for RedisStore {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        self.shared.create(key, &row, admission, now).await
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        self.shared.load(key, now).await
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        self.shared.replace(key, version, &row, now).await
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        self.shared.touch(key, last_seen, idle_deadline).await
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        self.shared.delete(key, tombstone_until).await
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        self.shared.owned_by(owner, now).await
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        self.shared.end_owner(owner, except, tombstone_until).await
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        self.shared.epoch().await
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        self.shared.purge(now, limit).await
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        self.shared.scan(after, limit).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("servers", &self.shared.nodes).finish()
    }
}
