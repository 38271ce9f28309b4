//! Signing in: passwords, throttling, step-up, the layers around pages, and who may not get past them.
#![cfg(all(feature = "login", feature = "axum"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod app;
mod changes;
mod devices;
mod layers;
mod next;
mod passwords;
mod peek;
mod quota;
mod secrets;
mod sources;
mod step_up;
mod throttle;
