//! A primary that dies, and a replica that takes its place: what holds, and what is lost.

use std::time::Duration;

use tokio::time::timeout;

use hardtack::{
    StoreError,
    store::{RedisSettings, RedisStore, Row, Store},
};
use hardtack_engines::{Proxy, Redis, RedisCluster, wait_until};

use super::rows::{ANY, DAY, NOW, key, row};

/// A primary and its replica, and what is between them.
struct Pair {
    primary: Redis,
    replica: Redis,
    between: Proxy,
}

impl Pair {
    fn start() -> Self {
        let primary = Redis::start();
        let between = Proxy::to(primary.address());
        let port = between.address().port().to_string();
        let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
        let pair = Self { primary, replica, between };
        wait_until("the replica follows", || {
            pair.replica.cli(&["info", "replication"]).contains("master_link_status:up")
        });
        pair
    }

    fn settings(&self) -> RedisSettings {
        RedisStore::at(&self.primary.url()).and(&self.replica.url())
    }

    /// The primary dies, and somebody (Sentinel, an operator) promotes the replica.
    fn fail_over(&self) {
        self.primary.kill();
        self.replica.cli(&["replicaof", "no", "one"]);
    }

    /// The replica has all that the primary has.
    fn follow(&self) {
        self.replica.catches_up_with(&self.primary);
    }
}

/// Asks until there is an answer.
async fn answered<T>(ask: impl AsyncFn() -> Result<T, StoreError>) -> T {
    for _ in 0..200 {
        // As the core does, which drops what takes longer.
        if let Ok(Ok(answer)) = timeout(Duration::from_secs(3), ask()).await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the store does not find the new primary");
}

async fn found(store: &RedisStore, owner: &str, number: u8) -> Option<Row> {
    answered(async || store.load(key(owner, number), NOW).await).await
}

/// Fault 33, E07: what the replica had received holds, and the store finds it by itself.
#[tokio::test]
async fn a_failover_keeps_what_was_replicated() {
    let pair = Pair::start();
    let store = pair.settings().connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    store.create(key("ada", 2), row("ada", 1), ANY, NOW).await.unwrap();
    store.delete(key("ada", 1), NOW + DAY).await.unwrap();
    pair.follow();
    pair.fail_over();
    assert!(found(&store, "ada", 1).await.is_none(), "an ended session, on the new primary");
    assert!(found(&store, "ada", 2).await.is_some(), "a live session, on the new primary");
    assert!(store.delete(key("ada", 2), NOW + DAY).await.unwrap());
}

/// "Barring failover": a logout that the replica had not received is undone by its promotion. This is what
/// `durable_logout` is for.
#[tokio::test]
async fn without_durable_logout_a_failover_may_undo_one() {
    let pair = Pair::start();
    let store = pair.settings().connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    pair.follow();
    pair.between.black_hole();
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap(), "it is answered");
    pair.fail_over();
    assert!(found(&store, "ada", 1).await.is_some(), "the test's own assumption: the replica did not know");
}

/// E07: with it such a logout is an error, and one that was answered survives.
#[tokio::test]
async fn a_durable_logout_survives_a_failover() {
    let pair = Pair::start();
    let store = pair.settings().durable_logout(1).connect().await.unwrap();
    for number in 1..=3 {
        store.create(key("ada", number), row("ada", 1), ANY, NOW).await.unwrap();
    }
    store.create(key("bob", 1), row("bob", 1), ANY, NOW).await.unwrap();
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap(), "a logout that the replica has");
    let epoch = store.end_owner("bob", None, NOW + DAY).await.unwrap();
    pair.between.black_hole();
    let lost = store.delete(key("ada", 2), NOW + DAY).await.unwrap_err().to_string();
    assert!(lost.contains("0 of 1 replicas"), "{lost}");
    assert!(store.end_owner("ada", Some(key("ada", 3)), NOW + DAY).await.is_err());
    pair.fail_over();
    assert!(found(&store, "ada", 1).await.is_none(), "a logout that was answered");
    assert!(found(&store, "bob", 1).await.is_none(), "an ending that was answered");
    assert!(store.epoch().await.unwrap() >= epoch);
    assert!(found(&store, "ada", 2).await.is_some(), "a logout that was answered with an error may be undone");
}

/// `durable_logout` without a replica refuses every logout rather than to promise what it cannot keep.
#[tokio::test]
async fn a_durable_logout_without_a_replica_is_an_error() {
    let redis = Redis::start();
    let store = RedisStore::at(&redis.url()).durable_logout(1).connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    let why = store.delete(key("ada", 1), NOW + DAY).await.unwrap_err().to_string();
    assert!(why.contains("done, but only 0 of 1 replicas have it"), "{why}");
    assert!(store.load(key("ada", 1), NOW).await.unwrap().is_none(), "it has happened on the primary");
}

/// Others do not wait for a logout that waits for replicas.
#[tokio::test]
async fn a_durable_logout_keeps_nobody_else_waiting() {
    let pair = Pair::start();
    let store = pair.settings().durable_logout(1).connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    store.create(key("ada", 2), row("ada", 1), ANY, NOW).await.unwrap();
    pair.between.hold();
    let slow = tokio::spawn({
        let store = store.clone();
        async move { store.delete(key("ada", 1), NOW + DAY).await }
    });
    for _ in 0..100 {
        assert!(store.load(key("ada", 2), NOW).await.unwrap().is_some());
        assert!(!slow.is_finished(), "the loads came after the logout");
    }
    assert!(slow.await.unwrap().is_err());
}

/// E03, E04: a counter that fell in a failover gives epochs again. No ending is weaker for that, and nobody is locked
/// out.
#[tokio::test]
async fn a_counter_that_fell_is_raised() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    for _ in 0..5 {
        store.end_owner("ada", None, NOW + DAY).await.unwrap();
    }
    let under_way = hardtack::store::Admission { epoch: store.epoch().await.unwrap(), limit: None };
    redis.cli(&["set", "hardtack:{epoch}", "2"]);
    let fallen = hardtack::store::Admission { epoch: store.epoch().await.unwrap(), limit: None };
    let refused = store.create(key("ada", 1), row("ada", 1), fallen, NOW).await.unwrap();
    assert_eq!(refused, hardtack::store::Created::OwnerEnded);
    assert_eq!(store.epoch().await.unwrap(), 5, "the counter after a sign-in was refused for an epoch above it");
    redis.cli(&["set", "hardtack:{epoch}", "2"]);
    let epoch = store.end_owner("ada", None, NOW + DAY).await.unwrap();
    assert_eq!(epoch, 6, "the epoch of an ending after the counter fell");
    let late = store.create(key("ada", 1), row("ada", 1), under_way, NOW).await.unwrap();
    assert_eq!(late, hardtack::store::Created::OwnerEnded, "a sign-in from before that ending");
    redis.cli(&["set", "hardtack:{epoch}", "18446744073709551000"]);
    assert_eq!(store.epoch().await.unwrap(), 18_446_744_073_709_551_000);
}

/// Fault 33: a primary that says nothing any more is left as one that is dead, though all its connections stay open.
#[tokio::test]
async fn a_primary_that_hangs_is_left() {
    let pair = Pair::start();
    let store = pair.settings().connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    pair.follow();
    pair.primary.pause();
    pair.replica.cli(&["replicaof", "no", "one"]);
    assert!(found(&store, "ada", 1).await.is_some());
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap());
}

/// Fault 33: a cluster that lost a primary goes on with its replica, without a restart of the program; also when the
/// one that hangs is the first that it was told of.
#[tokio::test]
async fn a_cluster_fails_over() {
    let cluster = RedisCluster::start(3, 1);
    let store = RedisStore::at(&cluster.urls().join(",")).shards(64).connect().await.unwrap();
    let owners: Vec<_> = (0..30).map(|number| format!("owner {number}")).collect();
    for owner in &owners {
        store.create(key(owner, 1), row(owner, 1), ANY, NOW).await.unwrap();
        store.create(key(owner, 2), row(owner, 1), ANY, NOW).await.unwrap();
        store.delete(key(owner, 2), NOW + DAY).await.unwrap();
    }
    cluster.replicas_catch_up();
    cluster.node(0).pause();
    for owner in &owners {
        assert!(found(&store, owner, 1).await.is_some(), "{owner}, after a primary died");
        assert!(found(&store, owner, 2).await.is_none(), "an ended session of {owner}, after a primary died");
        // While one node after the other hears of the failover, a logout may fail; never is it answered and not done.
        answered(async || store.delete(key(owner, 1), NOW + DAY).await).await;
        assert!(found(&store, owner, 1).await.is_none(), "an ended session of {owner}, after a primary died");
    }
}
