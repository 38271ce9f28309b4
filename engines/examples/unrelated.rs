//! How long a page takes that has nothing to do with sessions, while their store does not answer.
//!
//! `cargo run --release -p hardtack-engines --example unrelated`. Fifty visitors with sessions come ten times a second
//! each, or as often as they get an answer; one more asks for the public page all the time, and is timed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use hardtack::store::{PostgresStore, RedisStore, Store};
use hardtack_engines::{Postgres, Proxy, Redis};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{MissedTickBehavior, interval, sleep},
};

#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../tests/faults/site.rs"]
mod site;

use site::Site;

const VISITORS: usize = 50;
/// The default of `SessionsBuilder::store_deadline`.
const STORE_DEADLINE: Duration = Duration::from_secs(3);

#[tokio::main]
async fn main() {
    println!("engine     store                    pages   p50 µs   p99 µs   max µs   /who 200   /who 503");
    let redis = Redis::start();
    let proxy = Proxy::to(redis.address());
    let store = RedisStore::connect(&format!("redis://{}", proxy.address())).await.unwrap();
    measure("Redis", store, &proxy, || redis.pause(), || redis.resume()).await;

    let postgres = Postgres::start();
    let proxy = Proxy::to(postgres.address());
    let url = format!("postgres://hardtack@{}/postgres?sslmode=disable", proxy.address());
    let store = PostgresStore::connect(&url).await.unwrap();
    measure("PostgreSQL", store, &proxy, || postgres.pause(), || postgres.resume()).await;
}

async fn measure(engine: &str, store: impl Store, proxy: &Proxy, pause: impl Fn(), resume: impl Fn()) {
    let site = Site::start(store, STORE_DEADLINE).await;
    for (state, seconds, breaks, mends) in [
        ("answers", 10, &(|| {}) as &dyn Fn(), &(|| {}) as &dyn Fn()),
        ("paused for 30 s", 30, &pause, &resume),
        ("answers again", 10, &|| {}, &|| {}),
        ("behind a black hole", 10, &|| proxy.black_hole(), &|| proxy.resume()),
        ("answers again", 10, &|| {}, &|| {}),
    ] {
        let mut visitors = tokio::task::JoinSet::new();
        let cookies = cookies(&site).await;
        breaks();
        let end = Instant::now() + Duration::from_secs(seconds);
        for cookie in cookies {
            let site = site.clone();
            visitors.spawn(async move { come_often(&site, &cookie, end).await });
        }
        let mut times = ask_for_the_public_page(site.address(), end).await;
        mends();
        let answers = visitors.join_all().await;
        let (well, failed) = answers.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        times.sort_unstable();
        let at = |part: usize| times[(times.len() - 1) * part / 1000].as_micros();
        println!(
            "{engine:10} {state:20} {:9} {:8} {:8} {:8} {well:10} {failed:10}",
            times.len(),
            at(500),
            at(990),
            at(1000)
        );
        // What was withheld has passed when the next state begins.
        sleep(STORE_DEADLINE + Duration::from_secs(1)).await;
    }
}

async fn cookies(site: &Site) -> Vec<String> {
    let mut cookies = Vec::new();
    for _ in 0..VISITORS {
        cookies.push(site.send("POST", "/sign-in/ada", "").await.cookie.expect("a cookie"));
    }
    cookies
}

/// How many answers were 200, and how many 503.
async fn come_often(site: &Site, cookie: &str, end: Instant) -> (u64, u64) {
    let mut clock = interval(Duration::from_millis(100));
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut well, mut failed) = (0, 0);
    while Instant::now() < end {
        clock.tick().await;
        let reply = site.send("GET", "/who", cookie).await;
        match (reply.status, reply.body.starts_with("ada ")) {
            (200, true) => well += 1,
            (503, false) => failed += 1,
            other => panic!("{other:?}"),
        }
    }
    (well, failed)
}

/// One request after the other on one connection, with 2 ms between.
async fn ask_for_the_public_page(address: SocketAddr, end: Instant) -> Vec<Duration> {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut times = Vec::new();
    let mut answer = [0; 4096];
    while Instant::now() < end {
        let began = Instant::now();
        stream.write_all(b"GET /public HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
        let mut length = 0;
        while !answer[..length].ends_with(b"for everybody") {
            length += stream.read(&mut answer[length..]).await.unwrap();
        }
        times.push(began.elapsed());
        sleep(Duration::from_millis(2)).await;
    }
    times
}
