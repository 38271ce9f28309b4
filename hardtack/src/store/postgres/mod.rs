//! [`PostgresStore`]: sessions in PostgreSQL, for any number of machines.
//!
//! Every call of the contract is one statement and one transaction: a plain one, or a function of the schema where
//! it takes several steps ([`statements`], `1.sql`). A `replace` that does not succeed asks once more, for the reason.
//!
//! - **Tombstones** are rows of the same table, without data. So one unique index decides between a `create` and a
//!   `delete` that meet, and a row and its tombstone are never both there.
//! - **Owners.** Whoever ends sessions of an owner, or counts them against a limit, holds the owner's advisory lock until
//!   the commit; a `create` without a limit shares it. What is decided under the lock is read after it was taken.
//! - **Two statements never wait for each other in a circle**: each holds at most one owner's lock, and whoever changes
//!   several rows holds it alone for all of them; a purge waits for nobody.
//! - **Isolation** is read committed, and another one is refused: under it an `UPDATE` that waited for somebody asks its
//!   condition of what that one has written.

mod calls;
#[cfg(feature = "tokio-postgres-0_7")]
mod client;
#[cfg(feature = "deadpool-postgres-0_14")]
mod deadpool;
mod driver;
mod news;
#[cfg(feature = "tokio-postgres-0_7")]
mod pipelined;
mod schema;
mod settings;
#[cfg(feature = "sqlx-0_9")]
mod sqlx;
mod statements;

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::AcqRel, Ordering::Release},
    },
    time::Duration,
};

#[cfg(all(feature = "deadpool-postgres-0_14", feature = "interop"))]
pub(crate) use self::driver::Fault;
pub use self::settings::PostgresSettings;
use self::{news::Waiting, statements::SchemaName};
use super::{
    Admission, Created, Replaced, Row, Store, StoreKey,
    feed::{Batch, Cursor, Feed, News},
};
use crate::error::{BuildError, StoreError};

/// Sessions in PostgreSQL 13 or newer. Cheap to clone; clones share everything.
///
/// Every node of an application has its own store over the same tables, and sees what the others wrote at once. A
/// logout is in the database's log on the disk before it is answered, whatever `synchronous_commit` is set to
/// there; so are sign-ins and data. All is read from the primary, and a standby is refused.
///
/// It makes its tables in a schema of its own, and brings them up to date. A role that may not do that can be spared it:
/// [`MIGRATIONS`](Self::MIGRATIONS) is the SQL.
///
/// A connection that is lost is made again, for as long as the store lives. While that fails, calls fail at once.
///
/// ```no_run
/// # #[cfg(feature = "tokio-postgres-0_7")]
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hardtack::store::{PostgresStore, Store};
///
/// let store = PostgresStore::connect("postgres://app@localhost/app").await?;
/// store.purge(1_800_000_000_000, 1_000).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct PostgresStore {
    shared: Arc<Shared>,
}

struct Shared {
    engine: Engine,
    schema: SchemaName,
    waiting: Waiting,
    /// Others are about to be told that there are news.
    is_telling: AtomicBool,
}

enum Engine {
    #[cfg(feature = "tokio-postgres-0_7")]
    Pipelined(pipelined::Pipelined),
    #[cfg(feature = "deadpool-postgres-0_14")]
    Deadpool(deadpool::Deadpool),
    #[cfg(feature = "sqlx-0_9")]
    Sqlx(sqlx::Sqlx),
}

/// Says a call to whichever driver there is.
macro_rules! with_driver {
    ($store:expr, $driver:ident => $call:expr) => {
        match &$store.shared.engine {
            #[cfg(feature = "tokio-postgres-0_7")]
            Engine::Pipelined($driver) => $call.await.map_err(StoreError::from),
            #[cfg(feature = "deadpool-postgres-0_14")]
            Engine::Deadpool($driver) => $call.await.map_err(StoreError::from),
            #[cfg(feature = "sqlx-0_9")]
            Engine::Sqlx($driver) => $call.await.map_err(StoreError::from),
        }
    };
}

impl PostgresStore {
    /// The SQL that makes the tables, for the schema `hardtack`: number n brings them from version n - 1 to n. Each is
    /// to run in one transaction, as with `psql --single-transaction`, and needs the schema.
    pub const MIGRATIONS: &[&str] = &schema::MIGRATIONS;

    /// Connects with [settings](Self::settings) as they are, and brings the tables up to date; makes them, and the schema
    /// `hardtack` for them, when there are none.
    ///
    /// The URL is `postgres://USER:PASSWORD@HOST:5432/DATABASE`, with several hosts if there are standbys:
    /// `postgres://USER@HOST1,HOST2/DATABASE` finds the primary, at start-up and after a failover. To another machine
    /// the connection is encrypted and the server proves its name, to one of the system's authorities or to that in
    /// `?sslrootcert=FILE`; `?sslmode=disable` does without.
    ///
    /// # Errors
    ///
    /// [`BuildError::Store`] when there is no such server, it is a standby, its tables were written by a newer version of
    /// hardtack or cannot be made, or the URL is wrong. The message says what to do, and does not repeat the URL.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub async fn connect(url: &str) -> Result<Self, BuildError> {
        Self::settings().connect(url).await
    }

    /// A store over a pool of sqlx, which the application may use for itself too. Each call takes one of its connections,
    /// and waits while there is none; [`connect`](Self::connect) serves more requests with fewer connections.
    ///
    /// The pool must lead to the primary and to no pooler that shares connections between transactions.
    ///
    /// # Errors
    ///
    /// [`BuildError::Store`] when the server is a standby, or its tables were written by a newer version of hardtack or
    /// cannot be made. The message says what to do.
    #[cfg(feature = "sqlx-0_9")]
    pub async fn from_sqlx(pool: ::sqlx::PgPool) -> Result<Self, BuildError> {
        Self::settings().from_sqlx(pool).await
    }

    /// A store over a pool of deadpool-postgres, which the application may use for itself too. Each call takes one of
    /// its connections, and waits while there is none.
    ///
    /// # Errors
    ///
    /// [`BuildError::Store`] when the server is a standby, or its tables were written by a newer version of hardtack or
    /// cannot be made. The message says what to do.
    #[cfg(feature = "deadpool-postgres-0_14")]
    pub async fn from_deadpool(pool: deadpool_postgres::Pool) -> Result<Self, BuildError> {
        Self::settings().from_deadpool(pool).await
    }

    /// The defaults, to be changed.
    pub fn settings() -> PostgresSettings {
        PostgresSettings::new()
    }

    fn new(engine: Engine, schema: &SchemaName, waiting: Waiting) -> Self {
        let is_telling = AtomicBool::new(false);
        Self { shared: Arc::new(Shared { engine, schema: schema.clone(), waiting, is_telling }) }
    }

    /// Wakes the readers of news, here and elsewhere. Nobody waits for it, and if it fails they look by themselves.
    fn tell(&self) {
        self.shared.waiting.wake();
        if !self.shared.is_telling.swap(true, AcqRel) {
            let store = self.clone();
            tokio::spawn(async move {
                store.shared.is_telling.store(false, Release);
                let channel = store.shared.schema.channel();
                let told: Result<(), StoreError> = with_driver!(store, driver => news::notify(driver, &channel));
                told.unwrap_or_default();
            });
        }
    }
}

impl Store for PostgresStore {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        let (created, has_ended_others) =
            with_driver!(self, driver => calls::create(driver, key, &row, admission, now))?;
        if has_ended_others {
            self.tell();
        }
        Ok(created)
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        with_driver!(self, driver => calls::load(driver, key, now))
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        with_driver!(self, driver => calls::replace(driver, key, version, &row, now))
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        with_driver!(self, driver => calls::touch(driver, key, last_seen, idle_deadline))
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        let was_there = with_driver!(self, driver => calls::delete(driver, key, tombstone_until))?;
        if was_there {
            self.tell();
        }
        Ok(was_there)
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        with_driver!(self, driver => calls::owned_by(driver, owner, now))
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        let epoch = with_driver!(self, driver => calls::end_owner(driver, owner, except, tombstone_until))?;
        self.tell();
        Ok(epoch)
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        with_driver!(self, driver => calls::epoch(driver))
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        with_driver!(self, driver => calls::purge(driver, now, limit))
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        with_driver!(self, driver => calls::scan(driver, after, limit))
    }
}

impl Feed for PostgresStore {
    async fn read(&self, after: Option<Cursor>, patience: Duration) -> Result<Batch, StoreError> {
        with_driver!(self, driver => news::read(driver, &self.shared.waiting, after, patience))
    }

    async fn publish(&self, news: Vec<News>, until: u64) -> Result<(), StoreError> {
        with_driver!(self, driver => news::publish(driver, &news, until))?;
        self.tell();
        Ok(())
    }
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("schema", &self.shared.schema.as_str()).finish()
    }
}
