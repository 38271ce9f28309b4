//! Where the suite's stores are: a server, or a cluster, of all tests together, and in it a prefix for each.

use std::sync::{
    OnceLock,
    atomic::{AtomicUsize, Ordering},
};

use hardtack::store::{RedisStore, conformance};
use hardtack_engines::{Redis, RedisCluster};

/// An empty store that nobody else uses.
pub struct Place {
    urls: String,
    prefix: String,
    shards: u16,
}

impl Place {
    /// On one server.
    pub fn single(shards: u16) -> Self {
        static SERVER: OnceLock<Redis> = OnceLock::new();
        Self::at(SERVER.get_or_init(Redis::start).url(), shards)
    }

    /// On a cluster of three primaries.
    pub fn cluster() -> Self {
        static SERVERS: OnceLock<RedisCluster> = OnceLock::new();
        Self::at(SERVERS.get_or_init(|| RedisCluster::start(3, 0)).urls().join(","), 16)
    }

    fn at(urls: String, shards: u16) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        Self { urls, prefix: format!("test-{}", COUNT.fetch_add(1, Ordering::Relaxed)), shards }
    }
}

impl conformance::Place for Place {
    type Store = RedisStore;

    async fn node(&self) -> RedisStore {
        RedisStore::at(&self.urls).prefix(&self.prefix).shards(self.shards).connect().await.unwrap()
    }
}

/// A node of the cluster.
pub fn a_cluster_node() -> String {
    Place::cluster().urls.split(',').next().unwrap().to_owned()
}
