//! [`Shard`]: one part of the store's keys, behind one lock.
//!
//! The rows lie side by side in a vector, and a removal moves the last one into the gap. A table of their
//! indices finds them by key, and [`Deadlines`] by time. All three are always exact.

use hashbrown::HashTable;
use smallvec::SmallVec;

use super::{
    budget::Class,
    expiry::{Deadlines, grow, shrink},
};
use crate::store::{Row, StoreKey};

/// One part of the keys.
#[derive(Default)]
pub(super) struct Shard {
    table: HashTable<u32>,
    slots: Vec<Slot>,
    deadlines: Deadlines,
}

/// What is under one key.
pub(super) struct Slot {
    pub(super) key: StoreKey,
    pub(super) held: Held,
    pub(super) class: Class,
    /// Its place among the deadlines.
    pub(super) due: u32,
}

/// A session, or the mark that there was one.
pub(super) enum Held {
    Row(Row),
    Tombstone { until: u64 },
}

const _: () = assert!(size_of::<Slot>() == 48, "the costs in budget.rs count on it");

impl Shard {
    /// Where the key is.
    pub(super) fn find(&self, key: &StoreKey) -> Option<usize> {
        self.table
            .find(spread(short(key)), |index| self.slots[*index as usize].key == *key)
            .map(|index| *index as usize)
    }

    /// The row under a key.
    pub(super) fn row(&self, key: &StoreKey) -> Option<&Row> {
        self.slots[self.find(key)?].row()
    }

    pub(super) fn slot(&self, index: usize) -> &Slot {
        &self.slots[index]
    }

    /// The rows of an owner whose keys begin so: one, unless keys collide.
    pub(super) fn rows_of(&self, short_key: u32, owner: &str) -> SmallVec<[usize; 2]> {
        let indices = self.table.iter_hash(spread(short_key)).map(|index| *index as usize);
        let is_theirs = |index: &usize| {
            let slot = &self.slots[*index];
            short(&slot.key) == short_key && slot.row().and_then(Row::owner) == Some(owner)
        };
        indices.filter(is_theirs).collect()
    }

    /// The rows with keys above `after`, in no order.
    pub(super) fn rows_above(&self, after: Option<StoreKey>) -> impl Iterator<Item = (StoreKey, &Row)> {
        let above = self.slots.iter().filter(move |slot| after.is_none_or(|after| slot.key > after));
        above.filter_map(|slot| Some((slot.key, slot.row()?)))
    }

    /// The slot that is over first, if it is over at `now`.
    pub(super) fn first_due(&self, now: u64) -> Option<usize> {
        self.deadlines.first(now)
    }

    /// Puts something under a key that has nothing.
    pub(super) fn insert(&mut self, key: StoreKey, held: Held, class: Class) {
        let (index, at) = (self.slots.len(), held.until());
        grow(&mut self.slots);
        self.slots.push(Slot { key, held, class, due: 0 });
        let slots = &self.slots;
        let hash = |index: &u32| spread(short(&slots[*index as usize].key));
        self.table.insert_unique(spread(short(&key)), index as u32, hash);
        self.deadlines.push(&mut self.slots, index, at);
    }

    /// Puts something in place of what is there, and answers that.
    pub(super) fn set(&mut self, index: usize, held: Held) -> Held {
        let at = held.until();
        let before = std::mem::replace(&mut self.slots[index].held, held);
        self.deadlines.set(&mut self.slots, index, at);
        before
    }

    /// Removes what is there. Other indices are other ones afterwards.
    pub(super) fn remove(&mut self, index: usize) -> Slot {
        self.deadlines.remove(&mut self.slots, index);
        self.forget(index);
        let last = self.slots.len() - 1;
        if index < last {
            let hash = spread(short(&self.slots[last].key));
            if let Some(entry) = self.table.find_mut(hash, |entry| *entry as usize == last) {
                *entry = index as u32;
            }
        }
        let removed = self.slots.swap_remove(index);
        if index < last {
            self.deadlines.moved(&self.slots, index);
        }
        shrink(&mut self.slots);
        removed
    }

    fn forget(&mut self, index: usize) {
        let slots = &self.slots;
        let entry = self.table.find_entry(spread(short(&slots[index].key)), |entry| *entry as usize == index);
        if let Ok(entry) = entry {
            entry.remove();
        }
        if self.table.len() + 64 < self.table.capacity() / 4 {
            let hash = |index: &u32| spread(short(&slots[*index as usize].key));
            self.table.shrink_to(self.table.len() * 2, hash);
        }
    }
}

impl Slot {
    pub(super) fn row(&self) -> Option<&Row> {
        match &self.held {
            Held::Row(row) => Some(row),
            Held::Tombstone { .. } => None,
        }
    }
}

impl Held {
    /// When its time is over.
    fn until(&self) -> u64 {
        match self {
            Self::Row(row) => row.expires_at(),
            Self::Tombstone { until } => *until,
        }
    }
}

/// The beginning of a key. Keys are evenly distributed, so it is hash enough for every number of sessions that
/// fits into memory; the whole key is compared then.
pub(super) fn short(key: &StoreKey) -> u32 {
    let [a, b, c, d, ..] = *key.as_bytes();
    u32::from_be_bytes([a, b, c, d])
}

/// A table looks at the lowest and at the highest bits: each of them depends on bits of `short` that are not the
/// same in all the table.
pub(super) fn spread(short: u32) -> u64 {
    u64::from(short).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
