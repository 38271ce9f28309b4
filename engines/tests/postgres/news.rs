//! The feed where PostgreSQL could trick it: the order of commits, long transactions, what is trimmed, who listens.

use std::time::Duration;

use hardtack::store::{
    PostgresStore, Store,
    feed::{Batch, Cursor, Feed, News},
};
use hardtack_engines::Postgres;
use tokio_postgres::NoTls;

use super::{
    away::answered,
    place::Driver,
    rows::{DAY, NOW, key, put},
};

/// No longer than a test may wait for what never comes.
const LONG: Duration = Duration::from_secs(15);

async fn read(store: &PostgresStore, after: &Cursor) -> Batch {
    store.read(Some(after.clone()), Duration::ZERO).await.unwrap()
}

async fn now(store: &PostgresStore) -> Cursor {
    store.read(None, Duration::ZERO).await.unwrap().cursor
}

/// Somebody's own connection.
async fn client(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

/// E01: a transaction that began first and commits last is told, once, to a reader who has read in between.
#[tokio::test(flavor = "multi_thread")]
async fn what_commits_out_of_order_is_told() {
    let url = Postgres::shared().new_database();
    for driver in Driver::ALL {
        let store = driver.open(&url, &format!("{driver:?}").to_lowercase()).await;
        let schema = format!("{driver:?}").to_lowercase();
        for at in 1..=3 {
            put(&store, at, Some("ada")).await;
        }
        let begin = now(&store).await;
        let slow = client(&url).await;
        let end = format!("BEGIN; SELECT {schema}.end_session('\\x{:032x}', {NOW})", 1);
        slow.batch_execute(&end).await.unwrap();
        store.delete(key(2), NOW + DAY).await.unwrap();
        let batch = read(&store, &begin).await;
        assert_eq!(batch.news, [News::ended(key(2), true)], "{driver:?}");
        assert!(read(&store, &batch.cursor).await.news.is_empty(), "{driver:?}: what was told is told again");
        store.delete(key(3), NOW + DAY).await.unwrap();
        let batch = read(&store, &batch.cursor).await;
        assert_eq!(batch.news, [News::ended(key(3), true)], "{driver:?}");
        slow.batch_execute("COMMIT").await.unwrap();
        let batch = read(&store, &batch.cursor).await;
        assert!(batch.complete, "{driver:?}");
        assert_eq!(batch.news, [News::ended(key(1), true)], "{driver:?}: an ending that was committed late");
    }
}

/// A transaction of somebody else that stays open for long neither hides news nor repeats them.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_transaction_is_in_nobodys_way() {
    let url = Postgres::shared().new_database();
    let store = PostgresStore::connect(&url).await.unwrap();
    let long = client(&url).await;
    long.batch_execute("CREATE TABLE theirs (n int); BEGIN; INSERT INTO theirs VALUES (1)").await.unwrap();
    let mut cursor = now(&store).await;
    for at in 1..=5 {
        put(&store, at, None).await;
        store.delete(key(at), NOW + DAY).await.unwrap();
        let batch = read(&store, &cursor).await;
        assert_eq!((batch.news, batch.complete), (vec![News::ended(key(at), false)], true));
        cursor = batch.cursor;
    }
    long.batch_execute("ROLLBACK").await.unwrap();
    assert!(read(&store, &cursor).await.news.is_empty());
}

/// E01: a reader who was away for longer than news are kept is told so; one who was not is not.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_too_old_is_a_gap() {
    let postgres = Postgres::shared();
    let url = postgres.new_database();
    let database = url.rsplit('/').next().unwrap();
    let store = PostgresStore::connect(&url).await.unwrap();
    put(&store, 1, None).await;
    store.delete(key(1), NOW + DAY).await.unwrap();
    let aged = |cursor: &Cursor, minutes: u64| {
        let text = String::from_utf8(cursor.as_bytes().to_vec()).unwrap();
        let mut words: Vec<_> = text.split(' ').map(str::to_owned).collect();
        words[2] = (words[2].parse::<u64>().unwrap() - minutes * 60_000).to_string();
        Cursor::from_bytes(words.join(" ").as_bytes())
    };
    let cursor = now(&store).await;
    assert!(read(&store, &aged(&cursor, 29)).await.complete);
    assert!(!read(&store, &aged(&cursor, 31)).await.complete, "a reader from before what is kept");
    for strange in [&b"1 2 3"[..], b"", b"\xff", b"a b c d'; DROP TABLE x", b"1 2 3 9:9:9,,"] {
        let read = store.read(Some(Cursor::from_bytes(strange)), Duration::ZERO).await;
        assert!(read.is_err() || !read.unwrap().complete, "a cursor of somebody else");
    }
    // Not yet, and in the second half hour not those that came in the first.
    let kept = async || store.read(None, Duration::ZERO).await.unwrap().news.len();
    let later = || postgres.psql(database, "UPDATE hardtack.feed SET newer_at = newer_at - interval '40 minutes'");
    store.purge(0, 100).await.unwrap();
    assert_eq!(kept().await, 1);
    later();
    put(&store, 2, None).await;
    store.delete(key(2), NOW + DAY).await.unwrap();
    store.purge(0, 100).await.unwrap();
    assert_eq!(kept().await, 2, "news that no old reader can have seen");
    later();
    store.purge(0, 100).await.unwrap();
    assert_eq!(kept().await, 0, "news that are old");
    assert!(read(&store, &cursor).await.complete, "a reader who has read since");
    // What a node starts from is whole when the feed is old enough.
    assert!(!store.read(None, Duration::ZERO).await.unwrap().complete);
    postgres.psql(database, "UPDATE hardtack.feed SET born = born - interval '31 minutes'");
    assert!(store.read(None, Duration::ZERO).await.unwrap().complete);
}

/// A dump that is restored elsewhere has the numbers of another server's transactions.
#[tokio::test(flavor = "multi_thread")]
async fn another_cluster_is_another_feed() {
    let postgres = Postgres::shared();
    let url = postgres.new_database();
    let database = url.rsplit('/').next().unwrap();
    let store = PostgresStore::connect(&url).await.unwrap();
    put(&store, 1, None).await;
    store.delete(key(1), NOW + DAY).await.unwrap();
    let cursor = now(&store).await;
    postgres.psql(
        database,
        "UPDATE hardtack.feed SET home = home - 1, born = born - interval '1 day'; \
         UPDATE hardtack.news SET xid = '99999999999'",
    );
    let store = PostgresStore::connect(&url).await.unwrap();
    let first = store.read(None, Duration::ZERO).await.unwrap();
    assert!(!first.complete, "a feed from elsewhere counts as old");
    assert_eq!(read(&store, &cursor).await.news, [News::ended(key(1), false)]);
    assert!(read(&store, &first.cursor).await.news.is_empty(), "it is told for ever");
    let elsewhere = String::from_utf8(first.cursor.as_bytes().to_vec()).unwrap().replacen(char::is_numeric, "", 1);
    assert!(!read(&store, &Cursor::from_bytes(elsewhere.as_bytes())).await.complete, "a cursor of another cluster");
}

/// Whoever listens is woken; whose listening connection is lost, or restarted away, looks by himself.
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_hears_without_his_ears_too() {
    let postgres = Postgres::start();
    let url = postgres.new_database();
    let [here, there] = [PostgresStore::connect(&url).await.unwrap(), PostgresStore::connect(&url).await.unwrap()];
    let mut cursor = now(&there).await;
    let listeners = "SELECT count(*) FROM pg_stat_activity WHERE query = 'LISTEN \"hardtack_news\"'";
    for at in 1..=3 {
        put(&here, at, None).await;
        hardtack_engines::wait_until("somebody listens", || postgres.psql("postgres", listeners) == "1");
        match at {
            2 => {
                let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
                assert_eq!(postgres.psql("postgres", cut), "t");
            }
            3 => {
                postgres.restart();
                answered(&here, key(3)).await.unwrap();
                answered(&there, key(3)).await.unwrap();
            }
            _ => {}
        }
        let waits = tokio::spawn({
            let (there, cursor) = (there.clone(), cursor.clone());
            async move { there.read(Some(cursor), LONG).await.unwrap() }
        });
        here.delete(key(at), NOW + DAY).await.unwrap();
        let batch = waits.await.unwrap();
        assert!(batch.complete, "a restart loses nothing");
        assert_eq!(batch.news, [News::ended(key(at), false)]);
        cursor = batch.cursor;
    }
}
