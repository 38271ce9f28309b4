//! Where the suite's stores are: one server of all tests together, and in it a schema for each.

use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use hardtack::store::{PostgresStore, conformance};
use hardtack_engines::{PgBouncer, Postgres};

/// How a node reaches the server.
#[derive(Clone, Copy, Debug)]
pub enum Driver {
    Pipelined,
    Unprepared,
    Deadpool,
    Sqlx,
}

impl Driver {
    pub const ALL: [Self; 4] = [Self::Pipelined, Self::Unprepared, Self::Deadpool, Self::Sqlx];

    /// A store in a schema.
    pub async fn open(self, url: &str, schema: &str) -> PostgresStore {
        let settings = PostgresStore::settings().schema(schema);
        let store = match self {
            Self::Pipelined => settings.connect(url).await,
            Self::Unprepared => settings.behind_a_pooler(true).connections(2).connect(url).await,
            Self::Deadpool => settings.from_deadpool(deadpool(url)).await,
            Self::Sqlx => settings.from_sqlx(sqlx::PgPool::connect(url).await.unwrap()).await,
        };
        store.unwrap()
    }
}

pub fn deadpool(url: &str) -> deadpool_postgres::Pool {
    let config = deadpool_postgres::Config { url: Some(url.to_owned()), ..deadpool_postgres::Config::new() };
    config.create_pool(Some(deadpool_postgres::Runtime::Tokio1), tokio_postgres::NoTls).unwrap()
}

/// An empty store that nobody else uses.
pub struct Place {
    driver: Driver,
    schema: String,
    is_pooled: bool,
}

impl Place {
    pub fn pipelined() -> Self {
        Self::new(Driver::Pipelined)
    }

    pub fn pooled() -> Self {
        Self { is_pooled: true, ..Self::new(Driver::Unprepared) }
    }

    pub fn deadpool() -> Self {
        Self::new(Driver::Deadpool)
    }

    pub fn sqlx() -> Self {
        Self::new(Driver::Sqlx)
    }

    fn new(driver: Driver) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self { driver, schema: format!("place_{}", COUNT.fetch_add(1, Ordering::Relaxed)), is_pooled: false }
    }
}

impl conformance::Place for Place {
    type Store = PostgresStore;

    async fn node(&self) -> PostgresStore {
        // No case could see whether a server survives a power cut.
        static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start_with(&["fsync=off"]));
        static POOLER: LazyLock<PgBouncer> = LazyLock::new(|| PgBouncer::to(&SERVER));
        let url = if self.is_pooled { POOLER.url("postgres") } else { SERVER.url("postgres") };
        self.driver.open(&url, &self.schema).await
    }
}
