//! Real servers for tests and measurements: each a process of its own on a free port of the loopback
//! interface, with a folder of its own. Server and folder are gone when the value goes out of scope, and also
//! when the process that started them dies, however that happens.
//!
//! Whatever is missing fails a test with a message that says what to install or build; nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod cluster;
mod keeper;
mod pooler;
mod port;
mod postgres;
mod program;
mod proxy;
mod redis;

pub use cluster::RedisCluster;
pub use pooler::PgBouncer;
pub use postgres::Postgres;
pub use program::{Program, free_ports};
pub use proxy::Proxy;
pub use redis::Redis;

/// How often a server is asked whether it is ready, and the pause between.
const TRIES: usize = 2400;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(25);

/// Asks until the answer is yes.
///
/// # Panics
///
/// After a minute.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..TRIES {
        if is_so() {
            return;
        }
        std::thread::sleep(PAUSE);
    }
    panic!("in a minute it did not come about that {what}");
}
