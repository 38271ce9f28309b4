//! A real Chromium and a real `hardtack demo`, for the tests beside this.
//!
//! Whatever is missing fails a test with a message that says what to install or build; nothing is skipped.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod chromium;
mod site;

pub use chromium::Browser;
pub use site::{PASSWORD, Scheme, Site};
