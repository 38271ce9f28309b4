//! A server that restarts, forgets its scripts, says nothing or is full: what goes on, what waits, what is an error.

use std::time::Duration;

use hardtack::{
    StoreError,
    store::{Created, RedisStore, Replaced, Row, Store, StoreKey},
};
use hardtack_engines::{Proxy, Redis};
use tokio::time::timeout;

use super::rows::{ANY, DAY, HOUR, NOW, key, row};

/// What the core gives a call, and then drops it.
const DEADLINE: Duration = Duration::from_secs(3);

async fn load(store: &RedisStore, key: StoreKey) -> Result<Option<Row>, StoreError> {
    timeout(DEADLINE, store.load(key, NOW)).await.unwrap_or_else(|_| Err(StoreError::new("no answer")))
}

/// Asks until there is an answer.
async fn answered(store: &RedisStore, key: StoreKey) -> Option<Row> {
    for _ in 0..100 {
        if let Ok(row) = load(store, key).await {
            return row;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the store does not come back");
}

/// J06: an operator's `SCRIPT FLUSH` fails nobody.
#[tokio::test]
async fn scripts_are_sent_again() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    for number in 1..20 {
        redis.cli(&["script", "flush"]);
        assert_eq!(store.create(key("ada", number), row("ada", 1), ANY, NOW).await.unwrap(), Created::Created);
        redis.cli(&["script", "flush"]);
        assert_eq!(store.replace(key("ada", number), 1, row("ada", 2), NOW).await.unwrap(), Replaced::Replaced);
    }
    redis.cli(&["script", "flush"]);
    assert_eq!(store.owned_by("ada", NOW).await.unwrap().len(), 19);
    redis.cli(&["script", "flush"]);
    store.end_owner("ada", None, NOW + DAY).await.unwrap();
    assert!(store.owned_by("ada", NOW).await.unwrap().is_empty());
}

/// Fault 33: after a restart of the server sessions are as they were, and the first call finds it, a write too.
#[tokio::test]
async fn a_restart_is_survived() {
    let redis = Redis::start_with(&["--appendonly", "yes", "--appendfsync", "always"]);
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    store.create(key("ada", 2), row("ada", 1), ANY, NOW).await.unwrap();
    store.delete(key("ada", 2), NOW + DAY).await.unwrap();
    for round in 1..=3 {
        redis.kill();
        assert!(load(&store, key("ada", 1)).await.is_err(), "a load without a server");
        assert!(store.delete(key("ada", 1), NOW + DAY).await.is_err(), "a logout without a server is no success");
        redis.restart();
        let replaced = store.replace(key("ada", 1), round, row("ada", round + 1), NOW).await;
        assert_eq!(replaced.unwrap(), Replaced::Replaced, "the first write after a restart");
        assert!(load(&store, key("ada", 2)).await.unwrap().is_none(), "an ended session after a restart");
    }
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap());
}

/// J06: what the core drops after its deadline does not keep the next one waiting for ever.
#[tokio::test]
async fn a_paused_server_keeps_nobody_after_it_goes_on() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    redis.pause();
    for _ in 0..2 {
        assert!(load(&store, key("ada", 1)).await.is_err(), "an answer from a server that is stopped");
    }
    redis.resume();
    assert!(answered(&store, key("ada", 1)).await.is_some());
}

/// J06: a connection that swallows everything is given up, and another one is used.
#[tokio::test]
async fn a_black_hole_is_left() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.address());
    let store = RedisStore::connect(&format!("redis://{}", proxy.address())).await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    proxy.black_hole();
    assert!(load(&store, key("ada", 1)).await.is_err());
    assert!(store.delete(key("ada", 1), NOW + DAY).await.is_err(), "a logout into a black hole is no success");
    proxy.resume();
    assert!(answered(&store, key("ada", 1)).await.is_some());
}

/// Without a core around it, too, a call has an end.
#[tokio::test]
async fn no_call_waits_for_ever() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    redis.pause();
    let calls = async {
        assert!(store.load(key("ada", 1), NOW).await.is_err());
        assert!(store.epoch().await.is_err());
        assert!(store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.is_err());
        assert!(RedisStore::connect(&redis.url()).await.is_err());
    };
    timeout(Duration::from_secs(60), calls).await.unwrap();
    redis.resume();
}

/// J07: a write whose answer is lost has happened once, and is an error that the caller looks into.
#[tokio::test]
async fn a_lost_answer_is_not_sent_twice() {
    let redis = Redis::start();
    let proxy = Proxy::to(redis.address());
    let store = RedisStore::connect(&format!("redis://{}", proxy.address())).await.unwrap();
    store.create(key("ada", 1), row("ada", 0), ANY, NOW).await.unwrap();
    // So that the server knows the script.
    store.replace(key("ada", 1), 0, row("ada", 1), NOW).await.unwrap();
    store.delete(key("bob", 1), NOW + DAY).await.unwrap();
    for version in 1..10 {
        proxy.lose_reply_to("EVALSHA");
        let lost = store.replace(key("ada", 1), version, row("ada", version + 1), NOW).await;
        assert!(lost.is_err(), "{lost:?}");
        assert_eq!(load(&store, key("ada", 1)).await.unwrap().unwrap().facts().version, version + 1);
    }
    proxy.lose_reply_to("GET");
    assert!(load(&store, key("ada", 1)).await.unwrap().is_some(), "a question is asked again");
    proxy.lose_reply_to("EVALSHA");
    assert!(store.delete(key("ada", 1), NOW + DAY).await.is_err());
    assert!(!store.delete(key("ada", 1), NOW + DAY).await.unwrap(), "the logout whose answer was lost has happened");
}

/// J05: on a full server nobody signs in, and everybody can sign out.
#[tokio::test]
async fn a_full_server_still_ends_sessions() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    for number in 1..=5 {
        store.create(key("ada", number), row("ada", 1), ANY, NOW).await.unwrap();
    }
    redis.cli(&["config", "set", "maxmemory", "1"]);
    assert!(store.create(key("ada", 9), row("ada", 1), ANY, NOW).await.is_err(), "a sign-in on a full server");
    assert!(store.replace(key("ada", 1), 1, row("ada", 2), NOW).await.is_err(), "a write on a full server");
    assert!(load(&store, key("ada", 1)).await.unwrap().is_some());
    store.touch(key("ada", 1), NOW, NOW + 2 * HOUR).await.unwrap();
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap(), "a logout on a full server");
    store.end_owner("ada", Some(key("ada", 2)), NOW + DAY).await.unwrap();
    assert_eq!(store.owned_by("ada", NOW).await.unwrap().len(), 1);
    assert!(store.purge(NOW + 3 * DAY, 100).await.unwrap() > 0);
    redis.cli(&["config", "set", "maxmemory", "0"]);
    assert_eq!(store.create(key("bob", 9), row("bob", 1), ANY, NOW).await.unwrap(), Created::Created);
}

/// Threads with runtimes of their own, as those of actix-web, share a store; one that ends takes nothing along.
#[test]
fn a_runtime_that_ends_harms_no_other() {
    let redis = Redis::start();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = runtime().block_on(RedisStore::connect(&redis.url())).unwrap();
    for number in 1..10 {
        let created = runtime().block_on(store.create(key("ada", number), row("ada", 1), ANY, NOW)).unwrap();
        assert_eq!(created, Created::Created);
    }
    // Alive, but nobody runs it.
    let stuck = runtime();
    stuck.block_on(store.epoch()).unwrap();
    assert!(runtime().block_on(answered(&store, key("ada", 1))).is_some());
}
