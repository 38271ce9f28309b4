//! Redis, with every write on its disk before it is answered.

use std::{net::SocketAddr, time::Duration};

use hardtack::store::RedisStore;
use hardtack_engines::Redis;

use crate::{claims::Engine, person::Person, site::Site};

all_claims!(Redis);

impl Engine for Redis {
    type Store = RedisStore;

    fn start() -> Self {
        Self::start_with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn address(&self) -> SocketAddr {
        self.address()
    }

    async fn store(&self, address: SocketAddr) -> RedisStore {
        RedisStore::connect(&format!("redis://{address}")).await.unwrap()
    }

    fn kill(&self) {
        self.kill();
    }

    fn start_again(&self) {
        self.restart();
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }
}

/// What the document says of a Redis that writes nothing to its disk: everybody is signed out, and in their places is
/// nobody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_redis_without_persistence_that_restarts_signs_everybody_out() {
    let redis = Redis::start();
    let site = Site::start(redis.store(redis.address()).await, Duration::from_secs(2)).await;
    let (ada, bob) = (Person::sign_in(&site, "ada").await, Person::sign_in(&site, "bob").await);
    assert_eq!(bob.sign_out().await, 200);
    redis.restart();
    let mut found = ada.is_in().await;
    while found.is_none() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        found = ada.is_in().await;
    }
    assert_eq!((found, bob.is_in().await), (Some(false), Some(false)));
    let mut ada = Person::sign_in(&site, "ada").await;
    ada.count().await;
    ada.has_counted_exactly(1).await;
}
