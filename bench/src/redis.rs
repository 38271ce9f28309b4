//! Sessions in Redis: ours and tower-sessions', over HTTP, and what Redis does for a client without a server.
//!
//! The Redis is this run's own, on the generator's core, without persistence. Servers find it by a variable.

use std::env;
use std::error::Error;
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use axum::Router;
use axum::routing::{MethodRouter, get};
use hardtack::store::RedisStore;

use crate::http::{self, LOAD_CORE, SERVER_CORE, Served};
use crate::measure::Measured;
use crate::{bare, contestants, hybrid, peers, stored};

const TABLE: &str = "redis";
const URL: &str = "HARDTACK_BENCH_REDIS";

/// The servers, the zeros first.
pub fn served() -> Vec<Served> {
    let zeros =
        contestants::services().into_iter().filter(|service| [bare::NO_OP, bare::NO_OP_ID].contains(&service.row));
    let mut served: Vec<_> = zeros.map(Served::from).collect();
    served.push(Served::new("hardtack RedisStore, read", bare::NO_OP, || Box::pin(ours(get(stored::read)))));
    served.push(Served::new("hardtack RedisStore, write", bare::NO_OP, || Box::pin(ours(get(stored::write)))));
    served.extend(hybrid::served());
    served.extend(peers::tower_sessions_redis::served());
    served
}

/// Loads the servers, and Redis by itself.
pub fn run(rounds: usize) -> Result<Vec<Measured>, Box<dyn Error>> {
    let redis = Redis::start()?;
    let mut measured = http::run(TABLE, &served(), rounds, &[(URL, redis.url())])?;
    for (row, command) in [("redis-benchmark GET", "get"), ("redis-benchmark SET", "set")] {
        let samples = (0..rounds).map(|_| redis.benchmark(command)).collect::<Result<_, _>>()?;
        measured.push(Measured { table: TABLE, row, column: "requests/s", reference: "", samples });
    }
    measured.extend(hybrid::endings("endings", &redis.url(), rounds)?);
    Ok(measured)
}

/// Where a server's Redis is.
pub fn url() -> String {
    env::var(URL).expect("a server of this section is started by its run")
}

async fn ours(route: MethodRouter) -> (Router, Vec<String>) {
    let name = format!("bench-{}", std::process::id());
    let store = RedisStore::at(&url()).prefix(&name).connect().await.expect("Redis runs");
    stored::router(store, route).await
}

struct Redis {
    process: Child,
    port: u16,
}

impl Redis {
    fn start() -> Result<Self, Box<dyn Error>> {
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let process = Command::new("taskset")
            .args(["-c", LOAD_CORE, "redis-server", "--bind", "127.0.0.1", "--save", "", "--port", &port.to_string()])
            .stdout(Stdio::null())
            .spawn()?;
        let redis = Self { process, port };
        for _ in 0..200 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(redis);
            }
            sleep(Duration::from_millis(25));
        }
        Err("redis-server does not start".into())
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Requests per second of `redis-benchmark`.
    fn benchmark(&self, command: &str) -> Result<f64, Box<dyn Error>> {
        let output = Command::new("taskset")
            .args(["-c", SERVER_CORE, "redis-benchmark", "-p", &self.port.to_string(), "-n", "200000", "-c", "50"])
            .args(["-d", "400", "-r", "1000", "-t", command, "--csv"])
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let rate = text.lines().last().and_then(|line| line.split(',').nth(1)).ok_or_else(|| text.clone())?;
        Ok(rate.trim_matches('"').parse()?)
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
