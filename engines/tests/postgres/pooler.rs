//! A pooler in transaction mode, where one statement's connection is another one's the next time.

use std::time::Duration;

use hardtack::store::{
    PostgresStore, Store,
    feed::{Feed, News},
};
use hardtack_engines::{PgBouncer, Postgres};

use super::{
    away::{answered, load},
    rows::{DAY, NOW, key, put},
};

/// Whoever forgets to say that there is a pooler gets errors as soon as it does its work.
#[tokio::test(flavor = "multi_thread")]
async fn a_pooler_that_was_not_told_of_is_an_error() {
    let postgres = Postgres::start();
    let pooler = PgBouncer::to(&postgres);
    let store = PostgresStore::connect(&pooler.url("postgres")).await.unwrap();
    assert_eq!(load(&store, key(1)).await.unwrap(), None, "as long as nobody else is there all may seem well");
    // Somebody else's transaction has the server's process on which all was prepared.
    let (other, connection) = tokio_postgres::connect(&pooler.url("postgres"), tokio_postgres::NoTls).await.unwrap();
    tokio::spawn(connection);
    other.batch_execute("BEGIN; SELECT 1").await.unwrap();
    let why = load(&store, key(1)).await.unwrap_err().to_string();
    assert!(why.contains("prepared statement") && why.contains("does not exist"), "{why}");
}

/// Fault 33: the server behind a pooler may restart; and news come though the pooler drops whoever listens.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_behind_a_pooler_is_survived() {
    let postgres = Postgres::start();
    let pooler = PgBouncer::to(&postgres);
    let url = pooler.url("postgres");
    let open = async || PostgresStore::settings().behind_a_pooler(true).connect(&url).await.unwrap();
    let [here, there] = [open().await, open().await];
    put(&here, 1, Some("ada")).await;
    let cursor = there.read(None, Duration::ZERO).await.unwrap().cursor;
    postgres.restart();
    assert!(answered(&here, key(1)).await.is_some());
    assert!(answered(&there, key(1)).await.is_some());
    let waits = tokio::spawn(async move { there.read(Some(cursor), Duration::from_secs(15)).await });
    while here.delete(key(1), NOW + DAY).await.is_err() {}
    let batch = waits.await.unwrap().unwrap();
    assert!(batch.complete && batch.news.contains(&News::ended(key(1), true)), "{batch:?}");
}
