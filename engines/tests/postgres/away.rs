//! A server that restarts, says nothing, or loses answers: what is an error, what goes on, what stays.

use std::time::Duration;

use hardtack::{
    StoreError,
    store::{PostgresStore, Replaced, Row, Store, StoreKey},
};
use hardtack_engines::{Postgres, Proxy};
use tokio::time::timeout;

use super::{
    place::Driver,
    rows::{DAY, NOW, key, put, row},
};

/// What the core gives a call, and then drops it.
const DEADLINE: Duration = Duration::from_secs(3);

pub async fn load(store: &PostgresStore, key: StoreKey) -> Result<Option<Row>, StoreError> {
    timeout(DEADLINE, store.load(key, NOW)).await.unwrap_or_else(|_| Err(StoreError::new("no answer")))
}

/// Asks until there is an answer.
pub async fn answered(store: &PostgresStore, key: StoreKey) -> Option<Row> {
    for _ in 0..600 {
        if let Ok(row) = load(store, key).await {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the store does not come back");
}

/// Fault 33: calls during a restart are errors, and after it sessions are as they were, without help.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_survived() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    for (schema, driver) in ["one", "two", "three", "four"].into_iter().zip(Driver::ALL) {
        let store = driver.open(&url, schema).await;
        for (at, end) in [Postgres::stop, Postgres::kill].into_iter().enumerate() {
            let at = 10 * at as u128;
            put(&store, at + 1, Some("ada")).await;
            put(&store, at + 2, Some("ada")).await;
            assert!(store.delete(key(at + 2), NOW + DAY).await.unwrap());
            end(&postgres);
            for _ in 0..3 {
                assert!(load(&store, key(at + 1)).await.is_err(), "{driver:?}: a load without a server");
                let deleted = timeout(DEADLINE, store.delete(key(at + 1), NOW + DAY)).await;
                assert!(!matches!(deleted, Ok(Ok(_))), "{driver:?}: a delete without a server was answered");
            }
            postgres.start_again();
            assert_eq!(answered(&store, key(at + 1)).await, Some(row(Some("ada"), 1)), "{driver:?}");
            assert_eq!(answered(&store, key(at + 2)).await, None, "{driver:?}: a delete that was answered");
            put(&store, at + 3, Some("ada")).await;
        }
    }
}

/// Fault 33: whatever is under way when a server goes is answered or an error, and whatever was answered is so.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_of_writes_loses_nothing_acknowledged() {
    let postgres = Postgres::start();
    let store = PostgresStore::connect(&postgres.new_database()).await.unwrap();
    for at in 0..8 {
        put(&store, at, Some("ada")).await;
    }
    let writers: Vec<_> = (0..8)
        .map(|at| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut last = 1;
                for version in 2.. {
                    match store.replace(key(at), version - 1, row(Some("ada"), version), NOW).await {
                        Ok(Replaced::Replaced) => last = version,
                        Ok(other) => panic!("{other:?}, and nobody else writes"),
                        Err(_) => break,
                    }
                }
                last
            })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(200)).await;
    postgres.kill();
    postgres.start_again();
    for (at, writer) in writers.into_iter().enumerate() {
        let acknowledged = timeout(4 * DEADLINE, writer).await.expect("a write hangs").unwrap();
        let found = answered(&store, key(at as u128)).await.unwrap().facts().version;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "{found} is there, {acknowledged} was acknowledged"
        );
    }
}

/// E07: an answered logout is on the disk although the server's own setting says that it need not be.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_durable_where_nothing_else_is() {
    let settings = ["synchronous_commit=off", "wal_writer_delay=10s", "bgwriter_lru_maxpages=0"];
    for round in 0..3 {
        let postgres = Postgres::start_with(&settings);
        let store = PostgresStore::connect(&postgres.new_database()).await.unwrap();
        for at in 1..=3 {
            put(&store, at, Some("ada")).await;
        }
        postgres.psql("test_0", "CREATE TABLE control (n int)");
        postgres.psql("test_0", "CHECKPOINT");
        match round {
            0 => assert!(store.delete(key(1), NOW + DAY).await.unwrap()),
            1 => assert_eq!(store.end_owner("ada", Some(key(2)), NOW + DAY).await.unwrap(), 1),
            _ => assert_eq!(store.replace(key(1), 1, row(Some("ada"), 2), NOW).await.unwrap(), Replaced::Replaced,),
        }
        postgres.psql("test_0", "INSERT INTO control VALUES (1)");
        postgres.kill();
        postgres.start_again();
        assert_eq!(
            postgres.psql("test_0", "SELECT count(*) FROM control"),
            "0",
            "this server forgets nothing, so this shows nothing"
        );
        match (round, answered(&store, key(1)).await) {
            (2, row) => assert_eq!(row.unwrap().facts().version, 2),
            (_, row) => assert_eq!(row, None, "a logout that was answered is undone by a crash"),
        }
        assert!(answered(&store, key(2)).await.is_some());
    }
}

/// J06: a server that is paused answers nothing, which is the deadline's affair, and goes on later.
#[tokio::test(flavor = "multi_thread")]
async fn a_paused_server_goes_on() {
    let postgres = Postgres::start();
    let store = PostgresStore::connect(&postgres.new_database()).await.unwrap();
    put(&store, 1, None).await;
    postgres.pause();
    assert!(load(&store, key(1)).await.is_err());
    postgres.resume();
    assert!(answered(&store, key(1)).await.is_some());
}

/// J06: a connection into a black hole is given up, other ones are tried, and those work when there are any.
#[tokio::test(flavor = "multi_thread")]
async fn a_black_hole_is_left() {
    let postgres = Postgres::start();
    let proxy = Proxy::to(postgres.address());
    let url = postgres.new_database().replace(&postgres.address().to_string(), &proxy.address().to_string());
    let store = PostgresStore::connect(&url).await.unwrap();
    put(&store, 1, None).await;
    proxy.black_hole();
    let why = loop {
        let why = load(&store, key(1)).await.expect_err("an answer out of a black hole").to_string();
        if why.contains("no connection") {
            break why;
        }
    };
    assert!(why.contains("did not answer") || why.contains("within"), "{why}");
    proxy.resume();
    assert!(answered(&store, key(1)).await.is_some());
}

/// J07: a write whose answer is lost is an error, and is whole.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_no_answer() {
    let postgres = Postgres::start();
    let proxy = Proxy::to(postgres.address());
    let url = postgres.new_database().replace(&postgres.address().to_string(), &proxy.address().to_string());
    let store = PostgresStore::connect(&url).await.unwrap();
    put(&store, 1, Some("ada")).await;
    for version in 2..12 {
        // What only a row's label has in it: other connections are coming back meanwhile.
        proxy.lose_reply_to("a phone");
        let replaced = timeout(DEADLINE, store.replace(key(1), version - 1, row(Some("ada"), version), NOW)).await;
        assert!(replaced.unwrap().is_err(), "an answer that was lost was given");
        // The server may still be at it.
        while answered(&store, key(1)).await.unwrap().facts().version != version {}
    }
    // Cut in the middle of what is sent: it has not happened, or it has.
    for bytes in [1, 40, 200, 300] {
        let before = answered(&store, key(1)).await.unwrap().facts().version;
        proxy.cut_after(bytes);
        let replaced =
            timeout(DEADLINE, store.replace(key(1), before, row(Some("ada"), before + 1), NOW)).await.unwrap();
        let after = answered(&store, key(1)).await.unwrap().facts().version;
        match replaced {
            Ok(replaced) => assert_eq!((replaced, after), (Replaced::Replaced, before + 1)),
            Err(_) => assert!(after == before || after == before + 1),
        }
    }
}
