//! Rows and keys to keep in a store.

use hardtack::store::{Admission, Facts, Row, StoreKey};

/// A moment in 2027, which is not the servers' time.
pub const NOW: u64 = 1_800_000_000_000;
pub const HOUR: u64 = 3_600_000;
pub const DAY: u64 = 24 * HOUR;
/// Lets everybody in whose sessions were never ended.
pub const ANY: Admission = Admission { epoch: 0, limit: None };

/// A key of the owner's.
pub fn key(owner: &str, number: u8) -> StoreKey {
    StoreKey::from_bytes([number; 16]).in_shard_of(owner)
}

/// A session of an hour's idle time and a day.
pub fn row(owner: &str, version: u64) -> Row {
    let facts = Facts {
        version,
        generation: 0,
        remembered: false,
        epoch: 0,
        created: NOW,
        authenticated: NOW,
        renewed: 0,
        absolute_deadline: NOW + DAY,
    };
    Row::new(facts, Some(owner), Some("a phone"), &[7; 100], NOW, NOW + HOUR)
}
