//! Which servers and settings do not start, and what the operator is told.

use std::time::Duration;

use hardtack::store::{RedisSettings, RedisStore, Store, feed::Feed};
use hardtack_engines::Redis;

use super::rows::{ANY, DAY, NOW, key, row};

async fn refusal(settings: RedisSettings) -> String {
    match settings.connect().await {
        Ok(_) => panic!("it started"),
        Err(error) => error.to_string(),
    }
}

/// J06: a server that throws keys away when it is full forgets logouts.
#[tokio::test]
async fn an_evicting_server_is_refused() {
    let redis = Redis::start();
    for policy in ["allkeys-lru", "volatile-ttl", "allkeys-random", "volatile-lfu"] {
        redis.cli(&["config", "set", "maxmemory-policy", policy]);
        let why = refusal(RedisStore::at(&redis.url())).await;
        assert!(why.contains(policy) && why.contains("maxmemory-policy noeviction"), "{why}");
    }
    redis.cli(&["config", "set", "maxmemory-policy", "noeviction"]);
    RedisStore::connect(&redis.url()).await.unwrap();
}

/// J06: also when it begins to, and is then connected to again.
#[tokio::test]
async fn a_server_that_comes_back_evicting_is_used_no_more() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    store.epoch().await.unwrap();
    redis.cli(&["config", "set", "maxmemory-policy", "allkeys-lru"]);
    redis.cli(&["client", "kill", "type", "normal"]);
    let why = store.epoch().await.unwrap_err().to_string();
    assert!(why.contains("allkeys-lru"), "{why}");
    redis.cli(&["config", "set", "maxmemory-policy", "noeviction"]);
    assert_eq!(store.epoch().await.unwrap(), 0);
}

#[tokio::test]
async fn another_number_of_shards_is_refused() {
    let redis = Redis::start();
    let store = RedisStore::at(&redis.url()).shards(16).connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    let why = refusal(RedisStore::at(&redis.url()).shards(32)).await;
    assert!(why.contains("16 shards and not in 32") && why.contains("write shards(16)"), "{why}");
    let again = RedisStore::at(&redis.url()).shards(16).connect().await.unwrap();
    assert!(again.load(key("ada", 1), NOW).await.unwrap().is_some());
    RedisStore::at(&redis.url()).shards(32).prefix("other").connect().await.unwrap();
}

/// Sessions of a newer version are not read by an older one.
#[tokio::test]
async fn another_layout_is_refused() {
    let redis = Redis::start();
    redis.cli(&["set", "hardtack:{about}", "layout 2, shards 16"]);
    let why = refusal(RedisStore::at(&redis.url())).await;
    assert!(why.contains("newer hardtack") && why.contains("layout 2"), "{why}");
}

#[tokio::test]
async fn a_replica_is_refused() {
    let (primary, replica) = replicated();
    let why = refusal(RedisStore::at(&replica.url())).await;
    assert!(why.contains("it is a replica") && why.contains(&replica.address().to_string()), "{why}");
    let store = RedisStore::at(&replica.url()).and(&primary.url()).connect().await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    assert_eq!(primary.cli(&["exists", "hardtack:{epoch}"]).trim(), "0");
    assert_ne!(primary.cli(&["dbsize"]).trim(), "0", "of two servers the primary is used");
}

fn replicated() -> (Redis, Redis) {
    let primary = Redis::start();
    let port = primary.address().port().to_string();
    let replica = Redis::start_with(&["--replicaof", "127.0.0.1", &port]);
    (primary, replica)
}

/// C09: no password is in a message, whichever is wrong, the password or the URL.
#[tokio::test]
async fn a_message_repeats_no_password() {
    let redis = Redis::start_with(&["--requirepass", "secret0"]);
    RedisStore::connect(&redis.url()).await.unwrap();
    let at = redis.address();
    let wrong = format!("redis://:secret1@{at}");
    let why = refusal(RedisStore::at(&wrong)).await;
    assert!(why.contains("WRONGPASS") && why.contains(&at.to_string()), "{why}");
    for url in [
        wrong.clone(),
        format!("redis://ada:secret1@{at}"),
        format!("redis://:sec%ret1@{at}"),
        format!("redis://:secret1@{at}:x"),
        format!("rediss://:secret1@{at}"),
        format!("postgres://:secret1@{at}"),
        "redis://:secret1@127.0.0.1:1".into(),
        "redis://:secret1@".into(),
        "secret1".into(),
    ] {
        let why = refusal(RedisStore::at(&url)).await;
        assert!(!why.contains("secret1") && !why.contains("ret1"), "{url}: {why}");
    }
    let why = refusal(RedisStore::at(&format!("redis://{at}"))).await;
    assert!(why.contains("NOAUTH") || why.contains("uthentication"), "{why}");
    let debug = format!("{:?}", RedisStore::connect(&redis.url()).await.unwrap());
    assert!(debug.contains(&at.to_string()) && !debug.contains("secret0"), "{debug}");
}

/// The rights that `docs/operating.md` says a user needs are enough.
#[tokio::test]
async fn a_user_with_few_rights_suffices() {
    let redis = Redis::start();
    let rights = "~shop:* &shop:* +@read +@write +@scripting +@connection +@pubsub +info +time +wait +cluster|slots";
    let user = ["acl", "setuser", "shop", "on", ">secret"];
    redis.cli(&user.into_iter().chain(rights.split(' ')).collect::<Vec<_>>());
    let store = RedisStore::at(&format!("redis://shop:secret@{}", redis.address())).prefix("shop").connect().await;
    let store = store.unwrap();
    super::keys::fill(&store).await;
    let cursor = store.read(None, Duration::ZERO).await.unwrap().cursor;
    let waits = tokio::spawn({
        let store = store.clone();
        async move { store.read(Some(cursor), Duration::from_secs(60)).await.unwrap().news.len() }
    });
    while !waits.is_finished() {
        store.create(key("dora", 1), row("dora", 1), ANY, NOW).await.unwrap();
        store.delete(key("dora", 1), NOW + DAY).await.unwrap();
        while store.purge(NOW + 3 * DAY, 100).await.unwrap() > 0 {}
    }
    assert!(waits.await.unwrap() > 0, "whoever waits is woken");
    store.scan(None, 100).await.unwrap();
}

#[tokio::test]
async fn settings_out_of_range_are_refused() {
    let redis = Redis::start();
    for shards in [0, 3, 17, 2048] {
        let why = refusal(RedisStore::at(&redis.url()).shards(shards)).await;
        assert!(why.contains("power of two from 1 to 1,024"), "{why}");
    }
    for prefix in ["", "a{b}", "a b", "é", &"x".repeat(65)] {
        let why = refusal(RedisStore::at(&redis.url()).prefix(prefix)).await;
        assert!(why.contains("1 to 64 letters"), "{why}");
    }
    for url in ["", " , "] {
        let why = refusal(RedisStore::at(url)).await;
        assert!(why.contains("redis://"), "{why}");
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_named() {
    let redis = Redis::start();
    redis.kill();
    let why = refusal(RedisStore::at(&redis.url())).await;
    assert!(why.contains(&redis.address().to_string()) && why.contains("see whether it runs"), "{why}");
}
