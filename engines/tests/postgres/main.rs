//! Sessions in a real PostgreSQL: the contract over every driver, and what is PostgreSQL's own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod address;
mod away;
mod news;
mod place;
mod plans;
mod pooler;
mod rows;
mod standby;
mod starting;
mod trips;

/// Connections of its own.
mod pipelined {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::pipelined());
    hardtack::feed_conformance!(async || Place::pipelined());
}

/// Through a pooler that gives every transaction another connection.
mod pooled {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::pooled());
    hardtack::feed_conformance!(async || Place::pooled());
}

/// A pool of deadpool.
mod deadpool {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::deadpool());
    hardtack::feed_conformance!(async || Place::deadpool());
}

/// A pool of sqlx.
mod sqlx_pool {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::sqlx());
    hardtack::feed_conformance!(async || Place::sqlx());
}
