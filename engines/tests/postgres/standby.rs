//! A standby is refused, at the start and after a failover: it answers from the past.

use std::{fs, time::Duration};

use hardtack::store::{
    PostgresStore, Store,
    feed::{Feed, News},
};
use hardtack_engines::Postgres;

use super::{
    away::{answered, load},
    place::{Driver, deadpool},
    rows::{DAY, NOW, key, put},
    starting::refusal,
};

/// Starts it again as a standby, which takes nothing but questions.
fn demote(postgres: &Postgres) {
    postgres.stop();
    fs::write(postgres.socket().join("data/standby.signal"), "").unwrap();
    postgres.start_again();
    assert_eq!(postgres.psql("postgres", "SELECT pg_is_in_recovery()"), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_is_refused() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    drop(PostgresStore::connect(&url).await.unwrap());
    demote(&postgres);
    let whys = [
        refusal(PostgresStore::connect(&url).await),
        refusal(PostgresStore::from_deadpool(deadpool(&url)).await),
        refusal(PostgresStore::from_sqlx(sqlx::PgPool::connect(&url).await.unwrap()).await),
    ];
    for why in whys {
        assert!(why.contains("standby") && why.contains("name the primary"), "{why}");
    }
    // Of two servers the one that is the primary.
    let primary = Postgres::start();
    let both = format!("postgres://hardtack@{},{}/postgres", postgres.address(), primary.address());
    let store = PostgresStore::connect(&both).await.unwrap();
    put(&store, 1, None).await;
    assert_eq!(primary.psql("postgres", "SELECT count(*) FROM hardtack.sessions"), "1");
}

/// Fault 34: a store whose server has become a standby answers errors, not rows of the past and not "nobody"; and works
/// again with the one that is promoted, without help.
#[tokio::test(flavor = "multi_thread")]
async fn a_failover_is_survived() {
    for driver in Driver::ALL {
        let postgres = Postgres::start();
        let store = driver.open(&postgres.new_database(), "hardtack").await;
        put(&store, 1, Some("ada")).await;
        let cursor = store.read(None, Duration::ZERO).await.unwrap().cursor;
        demote(&postgres);
        for _ in 0..20 {
            assert!(load(&store, key(1)).await.is_err(), "{driver:?}: a standby was asked");
            assert!(store.owned_by("ada", NOW).await.is_err() && store.epoch().await.is_err(), "{driver:?}");
            assert!(store.scan(None, 10).await.is_err(), "{driver:?}");
            assert!(store.read(None, Duration::ZERO).await.is_err(), "{driver:?}");
            assert!(store.delete(key(1), NOW + DAY).await.is_err(), "{driver:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        postgres.psql("postgres", "SELECT pg_promote()");
        assert!(answered(&store, key(1)).await.is_some(), "{driver:?}");
        assert!(store.delete(key(1), NOW + DAY).await.unwrap(), "{driver:?}");
        // What the one before had told last may be lost, and its transactions' numbers are given again.
        let batch = store.read(Some(cursor), Duration::ZERO).await.unwrap();
        assert!(!batch.complete, "{driver:?}: a feed that has failed over says that nothing was lost");
        put(&store, 2, Some("ada")).await;
        assert!(store.delete(key(2), NOW + DAY).await.unwrap());
        let batch = store.read(Some(batch.cursor), Duration::ZERO).await.unwrap();
        assert!(batch.complete && batch.news.contains(&News::ended(key(2), true)), "{driver:?}: {batch:?}");
    }
}
