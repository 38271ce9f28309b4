//! Attacks across sites on sessions over TLS, in a real Chromium: a page of another site, and one of a sibling subdomain,
//! for every `SameSite` there is. Each attack is tried on an unguarded route as well, which shows that it works.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod attacks;
mod evil;
mod fixation;
mod own;
mod ship;
mod tls;
