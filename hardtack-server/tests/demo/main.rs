//! `hardtack demo` over real HTTP: its routes, and its life as a process.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

/// Tests that hold wherever sessions live: each of these functions gets a folder of either placement.
macro_rules! claims {
    ($($(#[$about:meta])* $claim:ident)*) => {
        mod stored {
            $($(#[$about])* #[test] fn $claim() { super::$claim(&crate::site::Folder::new()); })*
        }
        mod stateless {
            use crate::site::{Folder, Placement::Stateless};
            $($(#[$about])* #[test] fn $claim() { super::$claim(&Folder::with(Stateless)); })*
        }
    };
}

mod api;
mod copies;
mod crowd;
mod devices;
mod http;
mod lab;
mod life;
mod operator;
mod routes;
mod site;
mod store;
mod users;
