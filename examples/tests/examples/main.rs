//! The examples as a stranger starts them, with the real packages of Node: over HTTP, in a real browser, and the whole
//! migration from Node to Rust under load.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod crowd;
mod rolling;
mod rollout;
mod sharing;
mod site;
mod visitor;
