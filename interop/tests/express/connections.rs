//! Connections that break, callers that leave, and servers that say no.

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use hardtack::interop::{ConnectPgSimple, ConnectRedis, ExpressStore};
use hardtack_engines::{Postgres, Proxy, Redis, RedisCluster};
use serde_json::json;

use crate::common::{connection, new_sid, now, places, pool, session_of, visitor, with};

/// Polls once and leaves; whether there was an answer already.
fn begin<T>(future: impl Future<Output = T>) -> bool {
    matches!(pin!(future).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(_))
}

/// J07.
#[tokio::test]
async fn callers_that_leave_disturb_nobody_and_leave_nothing_half_written() {
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        let mut there = session_of("ada");
        assert!(store.replace(&sid, None, &there, None, now()).await.unwrap());
        for round in 0..40 {
            let next = with(&session_of("ada"), &format!(r#""round":{round}"#));
            // At the first await, and some way further on.
            begin(store.load(&sid, now()));
            begin(store.touch(&sid, None, now()));
            if round % 2 == 0 {
                begin(store.replace(&sid, Some(&there), &next, None, now()));
            } else {
                let replace = store.replace(&sid, Some(&there), &next, None, now());
                let _ = tokio::time::timeout(Duration::from_micros(20 * round), replace).await;
            }
            // Whole or not at all, and whatever was begun is done with when the next write succeeds.
            loop {
                let text = store.load(&sid, now()).await.unwrap().unwrap();
                assert!(text == there || text == next, "{}: {text}", place.package);
                if store.replace(&sid, Some(&text), &next, None, now()).await.unwrap() {
                    break;
                }
            }
            there = next;
        }
        assert_eq!(place.app.peek(&mut visitor(&sid)).session(), json!({ "username": "ada", "round": 39 }));
    }
}

/// J05: what is not certain is no success, and no refusal either.
#[tokio::test]
async fn a_write_whose_answer_is_lost_is_a_fault_and_was_done_whole() {
    let (redis, sid) = (Redis::start(), new_sid());
    let proxy = Proxy::to(redis.address());
    let store = ConnectRedis::new(connection(&format!("redis://{}", proxy.address())).await);
    let (before, after) = (session_of("ada"), with(&session_of("ada"), r#""n":1"#));
    assert!(store.replace(&sid, None, &before, None, now()).await.unwrap());
    proxy.lose_reply_to("EVAL");
    assert!(store.replace(&sid, Some(&before), &after, None, now()).await.is_err());
    assert_eq!(proxy.lost(), 1);
    assert_eq!(redis.cli(&["GET", &format!("sess:{sid}")]), after);

    let postgres = Postgres::shared();
    let (place, proxy) = (&places()[3], Proxy::to(postgres.address()));
    let url = place.url.replace(&postgres.address().to_string(), &proxy.address().to_string());
    let (store, sid) = (ConnectPgSimple::new(pool(&url, "")), new_sid());
    assert!(store.replace(&sid, None, &before, None, now()).await.unwrap());
    assert!(!store.replace(&sid, Some("{}"), &after, None, now()).await.unwrap()); // prepares the statement
    proxy.lose_reply_to(&after);
    assert!(store.replace(&sid, Some(&before), &after, None, now()).await.is_err());
    assert_eq!(proxy.lost(), 1);
    assert_eq!(place.raw(&sid), after);
    assert_eq!(store.load(&sid, now()).await.unwrap(), Some(after));
}

/// J05.
#[tokio::test]
async fn a_redis_that_is_away_is_a_fault_and_no_panic_and_comes_back() {
    let redis = Redis::start();
    let (store, sid) = (ConnectRedis::new(connection(&redis.url()).await), new_sid());
    assert!(store.replace(&sid, None, &session_of("ada"), None, now()).await.unwrap());
    redis.kill();
    all_fail(&store, &sid).await;
    redis.restart();
    // The manager connects again in its own time.
    let mut attempts = 0;
    while let Err(error) = store.load(&sid, now()).await {
        attempts += 1;
        assert!(attempts < 600, "{error}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    // This one keeps nothing on its disk.
    assert!(store.replace(&sid, None, &session_of("ada"), None, now()).await.unwrap());
}

/// J05.
#[tokio::test]
async fn a_postgresql_that_is_away_is_a_fault_and_no_panic_and_comes_back() {
    let postgres = Postgres::start();
    let (url, sid) = (postgres.new_database(), new_sid());
    let store = ConnectPgSimple::new(pool(&url, ""));
    let error = store.load(&sid, now()).await.unwrap_err().to_string();
    assert!(error.contains("\"session\" does not exist"), "{error}");
    postgres.psql(
        url.rsplit('/').next().unwrap(),
        "CREATE TABLE session (sid varchar PRIMARY KEY, sess json, expire timestamp(6))",
    );
    assert!(store.replace(&sid, None, &session_of("ada"), None, now()).await.unwrap());
    postgres.stop();
    all_fail(&store, &sid).await;
    assert!(store.prune(now()).await.is_err());
    postgres.start_again();
    assert_eq!(store.load(&sid, now()).await.unwrap(), Some(session_of("ada")));
}

async fn all_fail(store: &impl ExpressStore, sid: &str) {
    let (text, other) = (session_of("ada"), session_of("eve"));
    for error in [
        store.load(sid, now()).await.unwrap_err(),
        store.replace(sid, None, &text, None, now()).await.unwrap_err(),
        store.replace(sid, Some(&text), &other, None, now()).await.unwrap_err(),
        store.touch(sid, None, now()).await.unwrap_err(),
        store.delete(sid).await.unwrap_err(),
    ] {
        let said = error.to_string();
        assert!(said.starts_with("the session store: ") && !said.contains(sid) && !said.contains("ada"), "{said}");
    }
}

/// The id of a session is a password, and a server repeats what it was given with a command that it does not know.
#[tokio::test]
async fn a_fault_says_nothing_of_a_session() {
    let unknown = ["--rename-command", "GET", "", "--rename-command", "DEL", "", "--rename-command", "EXPIRE", ""];
    let redis = Redis::start_with(&[&unknown[..], &["--rename-command", "EVAL", ""]].concat());
    let (store, sid) = (ConnectRedis::new(connection(&redis.url()).await), new_sid());
    all_fail(&store, &sid).await;
    let said = store.load(&sid, now()).await.unwrap_err().to_string();
    assert!(said.to_lowercase().contains("unknown command"), "{said}");

    // What is no session's key is no session, and PostgreSQL's details of what is no JSON are left out.
    let redis = Redis::start();
    let store = ConnectRedis::new(connection(&redis.url()).await);
    redis.cli(&["LPUSH", &format!("sess:{sid}"), "ada"]);
    let said = store.load(&sid, now()).await.unwrap_err().to_string();
    assert!(said.contains("WRONGTYPE") && !said.contains(&sid), "{said}");
    let store = places()[3].connect_pg_simple();
    let said = store.replace(&sid, None, "ada's secret", None, now()).await.unwrap_err().to_string();
    assert!(said.contains("json") && !said.contains("ada") && !said.contains("secret"), "{said}");
}

/// Any policy will do: it is Express' Redis.
#[tokio::test]
async fn a_redis_that_may_evict_sessions_is_taken() {
    let redis = Redis::start_with(&["--maxmemory", "64mb", "--maxmemory-policy", "allkeys-lru"]);
    let (store, sid) = (ConnectRedis::new(connection(&redis.url()).await), new_sid());
    assert!(store.replace(&sid, None, &session_of("ada"), None, now()).await.unwrap());
    assert_eq!(store.load(&sid, now()).await.unwrap(), Some(session_of("ada")));
}

#[tokio::test]
async fn a_cluster_keeps_sessions_over_the_drivers_connection_to_it() {
    let cluster = RedisCluster::start(3, 0);
    let client = redis::cluster::ClusterClient::new(cluster.urls()).unwrap();
    let store = ConnectRedis::new(client.get_async_connection().await.unwrap());
    for _ in 0..30 {
        let (sid, text) = (new_sid(), session_of("ada"));
        assert!(store.replace(&sid, None, &text, None, now()).await.unwrap());
        assert!(store.replace(&sid, Some(&text), &session_of("eve"), None, now()).await.unwrap());
        assert!(!store.replace(&sid, Some(&text), &text, None, now()).await.unwrap());
        store.touch(&sid, None, now()).await.unwrap();
        assert_eq!(store.load(&sid, now()).await.unwrap(), Some(session_of("eve")));
        store.delete(&sid).await.unwrap();
        assert_eq!(store.load(&sid, now()).await.unwrap(), None);
    }
}
