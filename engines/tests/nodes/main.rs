//! Two machines with the demo, and a store that both reach: they behave as one. And the operator's commands on
//! that store.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

/// Tests that hold on either engine: each of these functions gets a site whose store is one of them.
macro_rules! claims {
    ($($(#[$about:meta])* $claim:ident)*) => {
        mod redis {
            $($(#[$about])* #[test] fn $claim() {
                let redis = hardtack_engines::Redis::start();
                super::$claim(&crate::site::Town::new(redis.url()));
            })*
        }
        mod postgres {
            $($(#[$about])* #[test] fn $claim() {
                let database = hardtack_engines::Postgres::shared().new_database();
                super::$claim(&crate::site::Town::new(database));
            })*
        }
    };
}

// Of the demo's own tests.
#[allow(dead_code)]
#[path = "../../../hardtack-server/tests/demo/http.rs"]
mod http;
mod operator;
mod pair;
mod secrecy;
mod site;
