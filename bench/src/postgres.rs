//! Sessions in PostgreSQL beside `pgbench`, PostgreSQL's own load generator in C, on the same server in the same run:
//! a load beside its `-S`, which selects one number by a key, and a replace beside an update of one number by a key.
//!
//! The server has its default settings, so every write is synced. Clients and server share two cores.

use std::error::Error;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use aws_lc_rs::digest::{SHA256, digest};
use hardtack::store::{Facts, PostgresStore, Replaced, Row, Store, StoreKey};
use hardtack_engines::Postgres;
use tokio::runtime::Runtime;

use crate::measure::Measured;

/// Calls at a time, and connections of pgbench.
const CALLERS: u64 = 64;
/// Connections of the pools.
const POOL: usize = 16;
const SESSIONS: u64 = 100_000;
const SEALED: usize = 200;
const NOW: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;
const SECONDS: u64 = 3;
const PGBENCH: &str = "pgbench, 64 connections";

/// Every contestant in turn, `rounds` times over. Both cores take part.
pub fn run(rounds: usize) -> Result<Vec<Measured>, Box<dyn Error>> {
    let server = Postgres::start();
    let url = server.new_database();
    let name = url.rsplit('/').next().unwrap_or_default();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let stores = runtime.block_on(stores(&url))?;
    server.psql(name, &fill());
    pgbench(&server, name, &["-i", "-q", "-s", "1"])?;
    let update = tempfile::NamedTempFile::new()?;
    std::fs::write(
        &update,
        "\\set aid random(1, 100000)\nUPDATE pgbench_accounts SET abalance = abalance + 1 WHERE aid = :aid;\n",
    )?;
    let update = update.path().to_str().ok_or("a strange temporary folder")?;

    let rows = [PGBENCH].into_iter().chain(stores.iter().map(|(row, _)| *row));
    let cell = |row, column| Measured { table: "postgres", row, column, reference: PGBENCH, samples: Vec::new() };
    let mut measured: Vec<_> = rows.flat_map(|row| ["reads/s", "writes/s"].map(|column| cell(row, column))).collect();
    let mut versions: Vec<_> = (0..SESSIONS).map(|_| 1).collect();
    for _ in 0..rounds {
        measured[0].samples.push(rate(&pgbench(&server, name, &["-S"])?)?);
        measured[1].samples.push(rate(&pgbench(&server, name, &["-n", "-f", update])?)?);
        for ((_, store), cells) in stores.iter().zip(measured[2..].chunks_exact_mut(2)) {
            cells[0].samples.push(runtime.block_on(reads(store)));
            cells[1].samples.push(writes(&runtime, store, &mut versions));
        }
    }
    measured.extend(sizes(&server, name)?);
    Ok(measured)
}

async fn stores(url: &str) -> Result<Vec<(&'static str, PostgresStore)>, Box<dyn Error>> {
    let config = deadpool_postgres::Config {
        url: Some(url.to_owned()),
        pool: Some(deadpool_postgres::PoolConfig::new(POOL)),
        ..deadpool_postgres::Config::new()
    };
    let deadpool = config.create_pool(Some(deadpool_postgres::Runtime::Tokio1), tokio_postgres::NoTls)?;
    let sqlx = sqlx::postgres::PgPoolOptions::new().max_connections(POOL as u32).connect(url).await?;
    Ok(vec![
        ("hardtack PostgresStore, 16 connections", PostgresStore::connect(url).await?),
        ("hardtack PostgresStore, 64 connections", PostgresStore::settings().connections(64).connect(url).await?),
        ("hardtack PostgresStore over deadpool, 16 connections", PostgresStore::from_deadpool(deadpool).await?),
        ("hardtack PostgresStore over sqlx, 16 connections", PostgresStore::from_sqlx(sqlx).await?),
    ])
}

fn fill() -> String {
    format!(
        "INSERT INTO hardtack.sessions (key, version, generation, remembered, epoch, created, authenticated, renewed, \
             last_seen, idle_deadline, absolute_deadline, owner, sealed) \
         SELECT substr(sha256(convert_to(n::text, 'UTF8')), 1, 16), 1, 0, false, 0, {NOW}, {NOW}, 0, {NOW}, {NOW} + {DAY}, \
             {NOW} + {DAY}, convert_to('user-' || n, 'UTF8'), decode(repeat('07', {SEALED}), 'hex') \
         FROM generate_series(0, {SESSIONS} - 1) AS n; ANALYZE hardtack.sessions"
    )
}

/// Runs pgbench and answers what it said.
fn pgbench(server: &Postgres, database: &str, arguments: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut command = Command::new("pgbench");
    let (port, callers) = (server.address().port().to_string(), CALLERS.to_string());
    command.args(["-h", "127.0.0.1", "-p", &port, "-U", "hardtack"]).args(arguments);
    if !arguments.contains(&"-i") {
        command.args(["-M", "prepared", "-j", "2", "-c", &callers, "-T", &SECONDS.to_string()]);
    }
    let output = command.arg(database).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// `tps = 12345.678 (without initial connection time)`
fn rate(said: &str) -> Result<f64, Box<dyn Error>> {
    let line = said.lines().find_map(|line| line.strip_prefix("tps = ")).ok_or("pgbench says no rate")?;
    Ok(line.split(' ').next().unwrap_or_default().parse()?)
}

async fn reads(store: &PostgresStore) -> f64 {
    each_second(|caller, done, is_over| {
        let store = store.clone();
        async move {
            let mut dice = Dice::new(caller);
            while !is_over.load(Relaxed) {
                let found = store.load(key(dice.next() % SESSIONS), NOW).await;
                assert!(matches!(found, Ok(Some(_))), "{found:?}");
                done.fetch_add(1, Relaxed);
            }
        }
    })
    .await
}

/// Each caller writes sessions of its own, as visitors mostly do.
fn writes(runtime: &Runtime, store: &PostgresStore, versions: &mut [u64]) -> f64 {
    let mine: Vec<Vec<u64>> = (0..CALLERS)
        .map(|caller| versions.iter().copied().skip(caller as usize).step_by(CALLERS as usize).collect())
        .collect();
    let after = Arc::new(std::sync::Mutex::new(vec![Vec::new(); CALLERS as usize]));
    let rate = runtime.block_on(each_second(|caller, done, is_over| {
        let (store, mut mine, after) = (store.clone(), mine[caller as usize].clone(), after.clone());
        async move {
            let mut dice = Dice::new(caller);
            while !is_over.load(Relaxed) {
                let at = dice.next() as usize % mine.len();
                let key = key(caller + at as u64 * CALLERS);
                let replaced = store.replace(key, mine[at], row(mine[at] + 1), NOW).await;
                assert!(matches!(replaced, Ok(Replaced::Replaced)), "{replaced:?}");
                mine[at] += 1;
                done.fetch_add(1, Relaxed);
            }
            after.lock().expect("no caller panicked")[caller as usize] = mine;
        }
    }));
    for (caller, mine) in after.lock().expect("no caller panicked").iter().enumerate() {
        for (at, version) in mine.iter().enumerate() {
            versions[caller + at * CALLERS as usize] = *version;
        }
    }
    rate
}

/// How many calls all callers together made in a second, on average, after some time to warm up.
async fn each_second<F>(caller: impl Fn(u64, Arc<AtomicU64>, Arc<AtomicBool>) -> F) -> f64
where
    F: Future<Output = ()> + Send + 'static,
{
    let (done, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let tasks: Vec<_> =
        (0..CALLERS).map(|number| tokio::spawn(caller(number, done.clone(), is_over.clone()))).collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (start, before) = (Instant::now(), done.load(Relaxed));
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let (taken, after) = (start.elapsed(), done.load(Relaxed));
    is_over.store(true, Relaxed);
    for task in tasks {
        task.await.expect("no caller panics");
    }
    (after - before) as f64 / taken.as_secs_f64()
}

/// Bytes on the server's disk for one session of 200 bytes, after the writes of the run and a vacuum.
fn sizes(server: &Postgres, database: &str) -> Result<Vec<Measured>, Box<dyn Error>> {
    server.psql(database, "VACUUM FULL hardtack.sessions");
    let sizes = ["pg_table_size", "pg_indexes_size"].map(|size| {
        let bytes = server.psql(database, &format!("SELECT {size}('hardtack.sessions')")).parse::<f64>();
        bytes.map(|bytes| bytes / SESSIONS as f64)
    });
    let [table, indexes] = sizes;
    let cell = |column, bytes| Measured {
        table: "postgres-size",
        row: "a session of 200 bytes with an owner",
        column,
        reference: "",
        samples: vec![bytes],
    };
    Ok(vec![cell("table", table?), cell("indexes", indexes?)])
}

fn row(version: u64) -> Row {
    let facts = Facts {
        version,
        generation: 0,
        remembered: false,
        epoch: 0,
        created: NOW,
        authenticated: NOW,
        renewed: 0,
        absolute_deadline: NOW + DAY,
    };
    Row::new(facts, Some("somebody"), None, &[7; SEALED], NOW, NOW + DAY)
}

fn key(number: u64) -> StoreKey {
    let hash = digest(&SHA256, number.to_string().as_bytes());
    StoreKey::from_bytes(hash.as_ref()[..16].try_into().expect("16 bytes"))
}

/// Numbers by chance, the same in every run.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self((seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 8
    }
}

#[cfg(test)]
mod tests {
    use super::rate;

    #[test]
    fn a_rate_is_found_or_it_is_an_error() {
        let said = "latency average = 0.1 ms\ntps = 12345.678901 (without initial connection time)\n";
        assert_eq!(rate(said).unwrap(), 12345.678901);
        assert!(rate("pgbench: fatal\n").is_err());
    }
}
