//! Which servers, tables and settings do not start, and what the operator is told.

use std::fmt::Debug;

use hardtack::store::{PostgresSettings, PostgresStore, Store};
use hardtack_engines::Postgres;

use super::{
    place::{Driver, deadpool},
    rows::{ANY, NOW, key, put, row},
};

pub fn refusal<T: Debug, E: ToString>(made: Result<T, E>) -> String {
    made.map(|_| ()).map_err(|error| error.to_string()).expect_err("it started")
}

fn settings() -> PostgresSettings {
    PostgresStore::settings()
}

/// Several nodes that start at the same time make the tables once.
#[tokio::test(flavor = "multi_thread")]
async fn many_nodes_may_start_at_once() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    let starts: Vec<_> = (0..24)
        .map(|at| {
            let url = url.clone();
            tokio::spawn(async move { Driver::ALL[at % 4].open(&url, "hardtack").await })
        })
        .collect();
    let mut stores = Vec::new();
    for start in starts {
        stores.push(start.await.unwrap());
    }
    assert_eq!(postgres.psql("test_0", "SELECT version FROM hardtack.migrations"), "1");
    put(&stores[0], 1, Some("ada")).await;
    for store in &stores {
        assert!(store.load(key(1), NOW).await.unwrap().is_some());
    }
}

/// Two applications share a database and nothing else.
#[tokio::test]
async fn schemas_are_apart() {
    let url = Postgres::shared().new_database();
    let [one, two] = [settings().schema("one").connect(&url).await, settings().schema("two").connect(&url).await];
    let (one, two) = (one.unwrap(), two.unwrap());
    put(&one, 1, Some("ada")).await;
    assert_eq!(two.load(key(1), NOW).await.unwrap(), None);
    assert_eq!(one.end_owner("ada", None, NOW).await.unwrap(), 1);
    assert_eq!(two.epoch().await.unwrap(), 0);
    for name in ["", "a\"b", "Shop", "1shop", "a.b", "pg_shop", "shop;drop", &"s".repeat(59)] {
        let why = refusal(settings().schema(name).connect(&url).await);
        assert!(why.contains("lower-case letters"), "{name}: {why}");
    }
    for count in [0, 1, 101] {
        let why = refusal(settings().connections(count).connect(&url).await);
        assert!(why.contains("from 2 to 100"), "{why}");
    }
}

#[tokio::test]
async fn newer_tables_are_refused() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    drop(PostgresStore::connect(&url).await.unwrap());
    postgres.psql("test_0", "INSERT INTO hardtack.migrations VALUES (99)");
    let whys = [
        refusal(PostgresStore::connect(&url).await),
        refusal(PostgresStore::from_deadpool(deadpool(&url)).await),
        refusal(PostgresStore::from_sqlx(sqlx::PgPool::connect(&url).await.unwrap()).await),
    ];
    for why in whys {
        assert!(why.contains("version 99") && why.contains("run the newer program"), "{why}");
    }
}

#[tokio::test]
async fn somebody_elses_tables_are_left_alone() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    postgres.psql("test_0", "CREATE SCHEMA hardtack; CREATE TABLE hardtack.sessions (mine int)");
    let why = refusal(PostgresStore::connect(&url).await);
    assert!(why.contains("already exists") && why.contains("hardtack's own"), "{why}");
    let tables = "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'hardtack'::regnamespace";
    assert_eq!(postgres.psql("test_0", tables), "sessions", "a migration that failed left something");
}

/// A role that may not make tables is told what to do, and works when that is done.
#[tokio::test]
async fn a_role_without_rights_works_where_the_tables_are() {
    let postgres = Postgres::start();
    let owners_url = postgres.new_database();
    postgres.psql("test_0", "CREATE ROLE app LOGIN");
    let url = owners_url.replace("hardtack@", "app@");
    let why = refusal(PostgresStore::connect(&url).await);
    assert!(why.contains("PostgresStore::MIGRATIONS") && why.contains("GRANT USAGE ON SCHEMA hardtack"), "{why}");
    postgres.psql("test_0", "CREATE SCHEMA hardtack");
    for migration in PostgresStore::MIGRATIONS {
        postgres.psql("test_0", migration);
    }
    let why = refusal(PostgresStore::connect(&url).await);
    assert!(why.contains("GRANT USAGE ON SCHEMA hardtack"), "{why}");
    postgres.psql(
        "test_0",
        "GRANT USAGE ON SCHEMA hardtack TO app; \
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA hardtack TO app",
    );
    for driver in Driver::ALL {
        let store = driver.open(&url, "hardtack").await;
        put(&store, 1, Some("ada")).await;
        store.touch(key(1), NOW + 1, NOW + 2).await.unwrap();
        store.replace(key(1), 1, row(Some("ada"), 2), NOW).await.unwrap();
        assert!(store.delete(key(1), NOW).await.unwrap());
        store.end_owner("ada", None, NOW).await.unwrap();
        assert_eq!(
            store.create(key(2), row(Some("ada"), 1), ANY, NOW).await.unwrap(),
            hardtack::store::Created::Created
        );
        assert!(store.delete(key(2), NOW).await.unwrap());
        assert_eq!(store.purge(NOW, 100).await.unwrap(), 3);
    }
    // What the owner's program makes is the same.
    drop(PostgresStore::connect(&owners_url).await.unwrap());
}

/// Under another isolation a statement that waited would decide on what is past.
#[tokio::test]
async fn another_isolation_is_refused() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    for level in ["repeatable read", "serializable"] {
        postgres.psql("postgres", &format!("ALTER DATABASE test_0 SET default_transaction_isolation = '{level}'"));
        let why = refusal(PostgresStore::connect(&url).await);
        assert!(why.contains(level) && why.contains("read committed"), "{why}");
    }
    postgres.psql("postgres", "ALTER DATABASE test_0 RESET default_transaction_isolation");
    postgres.psql("postgres", "ALTER DATABASE test_0 SET default_transaction_read_only = on");
    let why = refusal(PostgresStore::connect(&url).await);
    assert!(why.contains("read-only"), "{why}");
}
