//! Times as both packages reckon them.

use std::time::Duration;

/// How long a session lives whose cookie says nothing, in seconds.
pub(super) const DAY: u64 = 86_400;
/// The last moment that JavaScript's dates have, in milliseconds. No store has to keep more.
const END: u64 = 8_640_000_000_000_000;

/// A moment that a store can keep.
pub(super) fn capped(milliseconds: u64) -> u64 {
    milliseconds.min(END)
}

/// A store's own TTL in seconds. Zero is none said, as in the packages.
pub(super) fn seconds(ttl: Duration) -> u64 {
    match ttl.as_secs().saturating_add(u64::from(ttl.subsec_nanos() > 0)) {
        0 => DAY,
        seconds => seconds.min(END / 1000),
    }
}
