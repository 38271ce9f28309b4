//! Peers, the floor and hardtack side by side.
//!
//! A run has six sections. `micro` opens and seals cookies, `inproc` calls an axum router without a socket, `memory`
//! fills stores in memory with a million sessions, `http` puts a load generator beside a server and reads the server's
//! CPU time, `redis` does so with sessions in Redis, `postgres` loads a PostgreSQL in turns with `pgbench`. A seventh, `login`,
//! runs alone and says whether a login shows by its time that there is such a user. [`contestants::ALL`] lists who takes part;
//! [`measure`] interleaves them in one run, so that a noisy minute hits everybody; [`report`] writes
//! `docs/performance.md` and `docs/performance.svg`.

pub mod alloc;
pub mod b64;
pub mod bare;
pub mod contestants;
pub mod cookies;
pub mod floor;
pub mod http;
pub mod hybrid;
pub mod inproc;
pub mod interop;
pub mod login;
pub mod measure;
pub mod memory;
pub mod ours;
pub mod payload;
pub mod peers;
pub mod postgres;
pub mod redis;
pub mod report;
pub mod results;
pub mod stored;
pub mod svg;
pub mod tables;
pub mod xaes;
