//! PostgreSQL, as it is.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use deadpool_postgres::{Manager, Pool};
use hardtack::store::PostgresStore;
use hardtack_engines::{Postgres, Proxy};
use tokio::{runtime::Handle, task::block_in_place};
use tokio_postgres::NoTls;

use crate::{
    claims::{Engine, SHORT, Stage},
    person::Person,
    site::Site,
};

all_claims!(Postgres);

impl Engine for Postgres {
    type Store = PostgresStore;

    fn start() -> Self {
        Self::start()
    }

    fn address(&self) -> SocketAddr {
        self.address()
    }

    async fn store(&self, address: SocketAddr) -> PostgresStore {
        PostgresStore::connect(&format!("postgres://hardtack@{address}/postgres?sslmode=disable")).await.unwrap()
    }

    fn kill(&self) {
        self.kill();
    }

    fn start_again(&self) {
        self.start_again();
    }

    fn pause(&self) {
        self.pause();
    }

    fn resume(&self) {
        self.resume();
    }
}

fn pool(engine: &Postgres, connections: usize) -> Pool {
    let config = engine.url("postgres").parse().unwrap();
    Pool::builder(Manager::new(config, NoTls)).max_size(connections).build().unwrap()
}

/// The application itself has taken all connections of the pool that it shares with the sessions.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_pool_whose_connections_are_all_taken() {
    let engine = Postgres::start();
    let pool = pool(&engine, 2);
    let site = Site::start(PostgresStore::from_deadpool(pool.clone()).await.unwrap(), SHORT).await;
    let proxy = Arc::new(Proxy::to(engine.address()));
    let taken = Mutex::new(Vec::new());
    let take = || block_in_place(|| Handle::current().block_on(pool.get())).unwrap();
    let stage = Stage { engine, proxy, site };
    stage.goes_through(|_| *taken.lock().unwrap() = vec![take(), take()], |_| taken.lock().unwrap().clear()).await;
}

/// Many more callers than connections: each gets his own answer, and nothing is lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_crowd_before_one_connection_is_served_in_turn() {
    let engine = Postgres::start();
    let store = PostgresStore::from_deadpool(pool(&engine, 1)).await.unwrap();
    let site = Site::start(store, Duration::from_secs(60)).await;
    let crowd: Vec<_> = ["ada", "bob", "eve", "zoe"]
        .map(|name| {
            let site = site.clone();
            tokio::spawn(async move {
                let mut person = Person::sign_in(&site, name).await;
                let counts: Vec<_> = (0..25).map(|_| site.begin("POST", "/count", &person.cookie)).collect();
                for count in counts {
                    assert_eq!(count.await.unwrap().status, 200, "{name}");
                }
                person.count().await;
                site.send("GET", "/who", &person.cookie).await.body
            })
        })
        .into();
    for (person, name) in crowd.into_iter().zip(["ada", "bob", "eve", "zoe"]) {
        assert_eq!(person.await.unwrap(), format!("{name} 26"));
    }
}
