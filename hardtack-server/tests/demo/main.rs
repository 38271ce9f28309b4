//! `hardtack demo` over real HTTP: its routes, and its life as a process.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod api;
mod http;
mod lab;
mod life;
mod routes;
mod site;
