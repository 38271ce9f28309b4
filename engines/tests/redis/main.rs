//! Sessions in a real Redis, or in a Valkey when `HARDTACK_REDIS_SERVER` names one: the contract, and what is Redis'
//! own.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod away;
mod failover;
mod keys;
mod moving;
mod news;
mod place;
mod rows;
mod starting;
mod tls;

/// One server, and the shards that a small deployment has.
mod single {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::single(16));
    hardtack::feed_conformance!(async || Place::single(16));
}

/// All owners in one place.
mod one_shard {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::single(1));
    hardtack::feed_conformance!(async || Place::single(1));
}

/// As many shards as there can be: to the feed, which reads all of them, that is more than a number.
mod most_shards {
    use super::place::Place;

    hardtack::feed_conformance!(async || Place::single(1024));
}

/// Three primaries that share the slots.
mod cluster {
    use super::place::Place;

    hardtack::store_conformance!(async || Place::cluster());
    hardtack::feed_conformance!(async || Place::cluster());
}
