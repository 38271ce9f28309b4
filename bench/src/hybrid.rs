//! Hybrid sessions beside stateless and stored ones, and how long it takes until another server knows that one has ended.
//!
//! The copies are fresh and the feed is heard, so a read asks nobody: that is what is measured. A copy is confirmed
//! once in a minute; that costs what the stored row costs, twice.

use std::error::Error;
use std::time::{Duration, Instant};

use axum::Router;
use axum::routing::{MethodRouter, get};
use hardtack::store::{RedisStore, Store, feed::Feed};
use hardtack::{Keyring, Lifetime, Sessions};

use crate::bare;
use crate::http::Served;
use crate::measure::Measured;
use crate::redis::url;
use crate::stored;

/// How many endings are waited for in one round.
const ENDINGS: usize = 500;

/// The servers that stand beside those of the Redis section.
pub fn served() -> Vec<Served> {
    vec![
        Served::new("hardtack stateless, read", bare::NO_OP, || Box::pin(stateless(get(stored::read)))),
        Served::new("hardtack hybrid, read", bare::NO_OP, || Box::pin(hybrid(get(stored::read)))),
    ]
}

async fn stateless(route: MethodRouter) -> (Router, Vec<String>) {
    let sessions = Sessions::stateless(keys()).build().expect("the defaults build");
    stored::serve(&sessions, route).await
}

async fn hybrid(route: MethodRouter) -> (Router, Vec<String>) {
    let sessions = node(keys(), store(&url(), "hybrid").await);
    follows(&sessions).await;
    stored::serve(&sessions, route).await
}

/// Milliseconds from the answer to a sign-out until the same cookie is nobody's on another server.
pub fn endings(table: &'static str, redis: &str, rounds: usize) -> Result<Vec<Measured>, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let (mut medians, mut highest) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut waits = runtime.block_on(round(redis))?;
        waits.sort_by(f64::total_cmp);
        medians.push(waits[waits.len() / 2]);
        highest.push(waits[waits.len() * 99 / 100]);
    }
    let measured = |column, samples| Measured {
        table,
        row: "an ending, until another server knows",
        column,
        reference: "",
        samples,
    };
    Ok(vec![measured("median ms", medians), measured("p99 ms", highest)])
}

async fn round(redis: &str) -> Result<Vec<f64>, Box<dyn Error>> {
    let keys = keys();
    let (here, there) = (node(keys.clone(), store(redis, "endings").await), node(keys, store(redis, "endings").await));
    follows(&here).await;
    follows(&there).await;
    let mut waits = Vec::with_capacity(ENDINGS);
    for _ in 0..ENDINGS {
        let cookie = here.cookie(|session| session.sign_in("ada")).await?;
        let is_somebody = async || Ok::<_, Box<dyn Error>>(there.begin([cookie.as_bytes()]).session().await?.is_live());
        assert!(is_somebody().await?, "the copy is trusted");
        let request = here.begin([cookie.as_bytes()]);
        request.session().await?.sign_out();
        // The browser is this loop, which keeps the cookie from before.
        let _ = request.finish().await?;
        let ended = Instant::now();
        while is_somebody().await? {
            tokio::time::sleep(Duration::from_micros(50)).await;
        }
        waits.push(ended.elapsed().as_secs_f64() * 1_000.0);
    }
    Ok(waits)
}

fn keys() -> Keyring {
    Keyring::ephemeral().expect("the system has random numbers")
}

async fn store(url: &str, prefix: &str) -> RedisStore {
    RedisStore::at(url).prefix(&format!("{prefix}-{}", std::process::id())).connect().await.expect("Redis runs")
}

/// One clock is for all, so no copy waits for a skew to pass after the feed's beginning.
fn node(keys: Keyring, store: impl Store + Feed) -> Sessions {
    let lifetime = Lifetime::default().skew(Duration::ZERO);
    Sessions::hybrid(keys, store).lifetime(lifetime).build().expect("the settings build")
}

async fn follows(sessions: &Sessions) {
    while sessions.feed_age().is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
