//! [`Owners`]: which rows are whose, and since when nobody signs in with an older proof.
//!
//! An owner is its hash here, under a key that is this process's, and a row is the beginning of its key:
//! eight bytes for a row. Both may collide, so a reader looks at the row for its owner. An epoch is kept
//! under the whole hash; a collision there refuses a sign-in that was right, once in 2^64, and nothing else.
//!
//! A row with an owner comes and goes only under the lock of its owner's part, so the index is always exact.

use std::collections::{BTreeSet, HashMap};

use smallvec::SmallVec;

use super::{
    expiry,
    table::{Entry, Table},
};

/// Up to so many rows an owner's are entries of the table; equal hashes make a table slow when they are many.
const FEW: usize = 8;

/// Some owners, behind one lock.
#[derive(Default)]
pub(super) struct Owners {
    /// Tags and the beginnings of keys.
    few: Table<(u32, u32)>,
    many: HashMap<u32, Vec<u32>>,
    epochs: HashMap<u64, Epoch>,
    ends: BTreeSet<(u64, u64)>,
}

#[derive(Clone, Copy)]
struct Epoch {
    number: u64,
    until: u64,
}

/// The beginnings of the keys of an owner's rows, each once.
pub(super) type Keys = SmallVec<[u32; FEW]>;

impl Owners {
    /// The beginnings of the keys of the owner's rows.
    pub(super) fn keys(&self, owner: u64) -> Keys {
        let tag = tag(owner);
        let mut keys: Keys = match self.many.get(&tag) {
            Some(keys) => keys.as_slice().into(),
            None => self.few_of(tag).collect(),
        };
        keys.sort_unstable();
        keys.dedup();
        keys
    }

    /// One more row.
    pub(super) fn add(&mut self, owner: u64, key: u32) {
        let tag = tag(owner);
        if let Some(keys) = self.many.get_mut(&tag) {
            keys.push(key);
            return;
        }
        let mut keys: Keys = self.few_of(tag).collect();
        if keys.len() < FEW {
            self.few.insert((tag, key), |_, _| ());
            return;
        }
        keys.iter().for_each(|key| self.remove_few(tag, *key));
        keys.push(key);
        self.many.insert(tag, keys.into_vec());
    }

    /// One row less.
    pub(super) fn remove(&mut self, owner: u64, key: u32) {
        let tag = tag(owner);
        let Some(keys) = self.many.get_mut(&tag) else { return self.remove_few(tag, key) };
        if let Some(place) = keys.iter().position(|other| *other == key) {
            keys.swap_remove(place);
        }
        expiry::shrink(keys);
        if keys.is_empty() {
            self.many.remove(&tag);
            shrink(&mut self.many);
        }
    }

    /// The owner's epoch; 0 when none is remembered.
    pub(super) fn epoch(&self, owner: u64) -> u64 {
        self.epochs.get(&owner).map_or(0, |epoch| epoch.number)
    }

    /// Whether an epoch of the owner is remembered, so that a new one needs no more room.
    pub(super) fn has_epoch(&self, owner: u64) -> bool {
        self.epochs.contains_key(&owner)
    }

    /// Remembers an epoch until then, or for as long as the one before it.
    pub(super) fn set_epoch(&mut self, owner: u64, number: u64, until: u64) {
        let before = self.epochs.get(&owner).copied();
        if let Some(before) = before {
            self.ends.remove(&(before.until, owner));
        }
        let until = before.map_or(until, |before| before.until.max(until));
        self.epochs.insert(owner, Epoch { number, until });
        self.ends.insert((until, owner));
    }

    /// Forgets up to `limit` epochs whose time is over, and answers how many.
    pub(super) fn purge(&mut self, now: u64, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit {
            let Some(&(until, owner)) = self.ends.first().filter(|(until, _)| *until <= now) else { break };
            self.ends.remove(&(until, owner));
            self.epochs.remove(&owner);
            removed += 1;
        }
        if removed > 0 {
            shrink(&mut self.epochs);
        }
        removed
    }

    fn few_of(&self, tag: u32) -> impl Iterator<Item = u32> {
        let entries = self.few.places(tag).map(|place| &self.few.cells()[place]);
        entries.filter(move |entry| entry.0 == tag).map(|entry| entry.1)
    }

    fn remove_few(&mut self, tag: u32, key: u32) {
        if let Some(place) = self.few.find(tag, |entry| *entry == (tag, key)) {
            self.few.remove(place, |_, _| ());
        }
    }
}

impl Entry for (u32, u32) {
    const FREE: Self = (0, 0);

    fn is_free(&self) -> bool {
        self.0 == 0
    }

    fn hash(&self) -> u32 {
        self.0
    }
}

/// The part of an owner's hash that the index keeps, never 0; the highest bits chose the part of the owners.
fn tag(owner: u64) -> u32 {
    owner as u32 | 1
}

fn shrink<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>) {
    if map.len() + 8 < map.capacity() / 3 {
        map.shrink_to_fit();
    }
}
