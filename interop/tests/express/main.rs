//! Express' stores from both sides, and whole sessions of two fleets ([`fleets`]): real Express applications with
//! connect-redis 7, 8 and 9 and with connect-pg-simple 10, on a real Redis and a real PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod application;
mod common;
mod connections;
mod crowds;
mod fleets;
mod lifetimes;
mod names;
mod owners;
mod rust_app;
mod sharing;
mod zones;
