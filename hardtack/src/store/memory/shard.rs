//! [`Shard`]: one part of the store's keys, behind one lock.
//!
//! The rows lie side by side in a vector, and a removal moves the last one into the gap. A table of their
//! indices finds them by key, and [`Deadlines`] by time. All three are always exact.

use smallvec::SmallVec;

use super::{
    budget::Class,
    expiry::{Deadlines, grow, shrink},
    table::{self, Table, spread},
};
use crate::store::{Row, StoreKey};

/// One part of the keys.
#[derive(Default)]
pub(super) struct Shard {
    table: Table,
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
        self.table.candidates(spread(short(key))).find(|index| self.slots[*index].key == *key)
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
        let is_theirs = |index: &usize| {
            let slot = &self.slots[*index];
            short(&slot.key) == short_key && slot.row().and_then(Row::owner) == Some(owner)
        };
        self.table.candidates(spread(short_key)).filter(is_theirs).collect()
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

    /// Whether nothing more can be inserted. Keys are evenly distributed, so the budget is full before.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len() == table::MOST
    }

    /// Puts something under a key that has nothing.
    pub(super) fn insert(&mut self, key: StoreKey, held: Held, class: Class) {
        let (index, at) = (self.slots.len(), held.until());
        grow(&mut self.slots);
        self.slots.push(Slot { key, held, class, due: 0 });
        self.table.push(spread(short(&key)), |index| self.slots[index].hash());
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
        self.table.swap_remove(index, |index| self.slots[index].hash());
        let removed = self.slots.swap_remove(index);
        if index < self.slots.len() {
            self.deadlines.moved(&self.slots, index);
        }
        self.table.fit(|index| self.slots[index].hash());
        shrink(&mut self.slots);
        removed
    }
}

impl Slot {
    pub(super) fn row(&self) -> Option<&Row> {
        match &self.held {
            Held::Row(row) => Some(row),
            Held::Tombstone { .. } => None,
        }
    }

    fn hash(&self) -> u64 {
        spread(short(&self.key))
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
