//! PostgreSQL keeps the contract, over every driver.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::{
    LazyLock,
    atomic::{AtomicUsize, Ordering},
};

use hardtack::store::{PostgresSettings, PostgresStore, conformance::Place};
use hardtack_engines::Postgres;

/// Tables that nobody else uses.
fn new_schema() -> PostgresSettings {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    PostgresStore::settings().schema(format!("place_{}", COUNT.fetch_add(1, Ordering::Relaxed)))
}

/// A server that need not survive a power cut: no case could see whether it does.
fn url() -> String {
    static SERVER: LazyLock<Postgres> = LazyLock::new(|| Postgres::start_with(&["fsync=off"]));
    SERVER.url("postgres")
}

/// Connections of its own, for every node.
mod pipelined {
    use super::*;

    struct Tables(PostgresSettings);

    impl Place for Tables {
        type Store = PostgresStore;

        async fn node(&self) -> PostgresStore {
            self.0.clone().connect(&url()).await.unwrap()
        }
    }

    hardtack::store_conformance!(async || Tables(new_schema()));
}

/// The same, and every statement as a pooler needs it.
mod unprepared {
    use super::*;

    struct Tables(PostgresSettings);

    impl Place for Tables {
        type Store = PostgresStore;

        async fn node(&self) -> PostgresStore {
            self.0.clone().behind_a_pooler(true).connections(2).connect(&url()).await.unwrap()
        }
    }

    hardtack::store_conformance!(async || Tables(new_schema()));
}

/// A pool of deadpool for every node.
mod deadpool {
    use deadpool_postgres::{Config, Pool, Runtime};

    use super::*;

    struct Tables(PostgresSettings);

    fn pool() -> Pool {
        let config = Config { url: Some(url()), ..Config::new() };
        config.create_pool(Some(Runtime::Tokio1), tokio_postgres::NoTls).unwrap()
    }

    impl Place for Tables {
        type Store = PostgresStore;

        async fn node(&self) -> PostgresStore {
            self.0.clone().from_deadpool(pool()).await.unwrap()
        }
    }

    hardtack::store_conformance!(async || Tables(new_schema()));
}

/// A pool of sqlx for every node.
mod sqlx_pool {
    use super::*;

    struct Tables(PostgresSettings);

    impl Place for Tables {
        type Store = PostgresStore;

        async fn node(&self) -> PostgresStore {
            let pool = sqlx::PgPool::connect(&url()).await.unwrap();
            self.0.clone().from_sqlx(pool).await.unwrap()
        }
    }

    hardtack::store_conformance!(async || Tables(new_schema()));
}
