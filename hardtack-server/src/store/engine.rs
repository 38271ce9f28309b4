//! The store behind an address: [`Engine`].

use std::time::Duration;

#[cfg(feature = "postgres")]
use hardtack::store::PostgresStore;
#[cfg(feature = "redis")]
use hardtack::store::RedisStore;
use hardtack::{
    StoreError,
    store::{
        Admission, Created, MemoryStore, Replaced, Row, SqliteStore, Store, StoreKey,
        feed::{Batch, Cursor, Feed, News},
    },
};

use super::{StoreAddress, StoreSettings};
use crate::Failure;

/// The store that was chosen. Cheap to clone; clones are one store.
#[derive(Clone)]
pub(crate) enum Engine {
    Memory(MemoryStore),
    Sqlite(SqliteStore),
    #[cfg(feature = "redis")]
    Redis(RedisStore),
    #[cfg(feature = "postgres")]
    Postgres(PostgresStore),
}

impl Engine {
    pub(super) async fn open(address: &StoreAddress, settings: &StoreSettings) -> Result<Self, Failure> {
        settings.check(address)?;
        Ok(match address {
            StoreAddress::Memory => Self::Memory(MemoryStore::new()),
            StoreAddress::Sqlite(path) => Self::Sqlite(SqliteStore::open(path)?),
            #[cfg(feature = "redis")]
            StoreAddress::Redis(server) => {
                let mut redis = RedisStore::at(server.whole());
                if let Some(prefix) = &settings.redis_prefix {
                    redis = redis.prefix(prefix);
                }
                if let Some(shards) = settings.redis_shards {
                    redis = redis.shards(shards);
                }
                if let Some(replicas) = settings.redis_durable_logout {
                    redis = redis.durable_logout(replicas);
                }
                Self::Redis(redis.connect().await.map_err(|error| format!("{address}: {error}"))?)
            }
            #[cfg(feature = "postgres")]
            StoreAddress::Postgres(server) => {
                let mut postgres = PostgresStore::settings().behind_a_pooler(settings.postgres_pooler);
                if let Some(schema) = &settings.postgres_schema {
                    postgres = postgres.schema(schema);
                }
                Self::Postgres(postgres.connect(server.whole()).await.map_err(|error| format!("{address}: {error}"))?)
            }
            #[cfg(not(all(feature = "redis", feature = "postgres")))]
            other => return Err(format!("{other}: this hardtack was built without that engine").into()),
        })
    }
}

/// Asks the store that was chosen.
macro_rules! ask {
    ($engine:expr, $call:ident($($argument:expr),*)) => {
        match $engine {
            Self::Memory(store) => store.$call($($argument),*).await,
            Self::Sqlite(store) => store.$call($($argument),*).await,
            #[cfg(feature = "redis")]
            Self::Redis(store) => store.$call($($argument),*).await,
            #[cfg(feature = "postgres")]
            Self::Postgres(store) => store.$call($($argument),*).await,
        }
    };
}

impl Feed for Engine {
    async fn read(&self, after: Option<Cursor>, patience: Duration) -> Result<Batch, StoreError> {
        ask!(self, read(after, patience))
    }

    async fn publish(&self, news: Vec<News>, until: u64) -> Result<(), StoreError> {
        ask!(self, publish(news, until))
    }
}

impl Store for Engine {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        ask!(self, create(key, row, admission, now))
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        ask!(self, load(key, now))
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        ask!(self, replace(key, version, row, now))
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        ask!(self, touch(key, last_seen, idle_deadline))
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        ask!(self, delete(key, tombstone_until))
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        ask!(self, owned_by(owner, now))
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        ask!(self, end_owner(owner, except, tombstone_until))
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        ask!(self, epoch())
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        ask!(self, purge(now, limit))
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        ask!(self, scan(after, limit))
    }
}
