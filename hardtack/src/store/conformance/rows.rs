//! What the cases keep in a store: keys that are spread out, rows that differ in what a case is about.

use crate::{
    clock::MAX_MS,
    store::{Admission, Beyond, DeviceLimit, Facts, Row, StoreKey},
};

/// When every case begins: a moment in 2027.
pub(super) const NOW: u64 = 1_800_000_000_000;
pub(super) const MINUTE: u64 = 60_000;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;
/// Until when tombstones stand, unless a case is about that.
pub(super) const LATER: u64 = NOW + 2 * DAY;
/// The last instant that a session's times can hold.
pub(super) const LAST: u64 = MAX_MS;

/// Lets every row in whose owner was never ended.
pub(super) const ANY: Admission = Admission { epoch: 0, limit: None };

/// A key of its own for every number, spread over all keys.
pub(super) fn key(number: u64) -> StoreKey {
    // The constant is odd, so that the product gives every number once; it is that of Fibonacci hashing.
    let number = number + 1;
    let spread = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut bytes = [0; StoreKey::BYTES];
    bytes[..8].copy_from_slice(&spread.to_be_bytes());
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    StoreKey::from_bytes(bytes)
}

/// The same for the rows of an owner, which are in his shard.
pub(super) fn keys_of(owner: &str) -> impl Fn(u64) -> StoreKey + Copy + use<> {
    let shard = StoreKey::shard_of(owner).to_be_bytes();
    move |number| {
        let mut bytes = *key(number).as_bytes();
        bytes[StoreKey::BYTES - 2..].copy_from_slice(&shard);
        StoreKey::from_bytes(bytes)
    }
}

/// Somebody else whose rows are in the same shard, so that a key may be his as well.
pub(super) fn neighbour_of(owner: &str) -> String {
    let names = (0..u64::MAX).map(|number| format!("neighbour {number}"));
    let mut neighbours = names.filter(|name| StoreKey::shard_of(name) == StoreKey::shard_of(owner));
    neighbours.next().unwrap_or_else(|| panic!("{owner:?} is alone in his shard"))
}

/// The terms of an owner's row: from before which ending, and how many there may be.
pub(super) fn admission(epoch: u64, most: u32, beyond: Beyond) -> Admission {
    Admission { epoch, limit: Some(DeviceLimit { most, beyond }) }
}

/// A row to be: every method changes one thing.
#[derive(Clone)]
pub(super) struct Draft {
    facts: Facts,
    owner: Option<String>,
    label: Option<String>,
    sealed: Vec<u8>,
    last_seen: u64,
    idle_deadline: u64,
}

/// A row without an owner: made now, an hour idle, a day in all.
pub(super) fn row() -> Draft {
    let facts = Facts {
        version: 1,
        generation: 0,
        remembered: false,
        epoch: 0,
        created: NOW,
        authenticated: 0,
        renewed: 0,
        absolute_deadline: NOW + DAY,
    };
    let sealed = b"sealed".to_vec();
    Draft { facts, owner: None, label: None, sealed, last_seen: NOW, idle_deadline: NOW + HOUR }
}

impl Draft {
    pub(super) fn of(self, owner: &str) -> Self {
        Self { owner: Some(owner.to_owned()), ..self }
    }

    pub(super) fn label(self, label: &str) -> Self {
        Self { label: Some(label.to_owned()), ..self }
    }

    pub(super) fn sealed(self, sealed: impl Into<Vec<u8>>) -> Self {
        Self { sealed: sealed.into(), ..self }
    }

    pub(super) fn facts(self, change: impl FnOnce(&mut Facts)) -> Self {
        let mut facts = self.facts;
        change(&mut facts);
        Self { facts, ..self }
    }

    pub(super) fn version(self, version: u64) -> Self {
        self.facts(|facts| facts.version = version)
    }

    pub(super) fn created(self, created: u64) -> Self {
        self.facts(|facts| facts.created = created)
    }

    pub(super) fn epoch(self, epoch: u64) -> Self {
        self.facts(|facts| facts.epoch = epoch)
    }

    pub(super) fn until(self, absolute_deadline: u64) -> Self {
        self.facts(|facts| facts.absolute_deadline = absolute_deadline)
    }

    pub(super) fn idle_until(self, idle_deadline: u64) -> Self {
        Self { idle_deadline, ..self }
    }

    pub(super) fn seen(self, last_seen: u64) -> Self {
        Self { last_seen, ..self }
    }

    pub(super) fn made(&self) -> Row {
        let (owner, label) = (self.owner.as_deref(), self.label.as_deref());
        Row::new(self.facts, owner, label, &self.sealed, self.last_seen, self.idle_deadline)
    }
}
