//! [`Shard`]: one part of the store's keys, behind one lock.
//!
//! A [`Table`] has its rows and tombstones by key, and [`Deadlines`] by time. Both are always exact.

use smallvec::SmallVec;

use super::{
    budget::Class,
    expiry::Deadlines,
    table::{Entry, Table},
};
use crate::store::{Row, StoreKey};

/// One part of the keys.
#[derive(Default)]
pub(super) struct Shard {
    slots: Table<Slot>,
    deadlines: Deadlines,
}

/// What is under one key.
pub(super) struct Slot {
    pub(super) key: StoreKey,
    pub(super) held: Held,
    /// None in a place that is free.
    pub(super) class: Option<Class>,
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
        self.slots.find(short(key), |slot| slot.key == *key)
    }

    /// The row under a key.
    pub(super) fn row(&self, key: &StoreKey) -> Option<&Row> {
        self.slot(self.find(key)?).row()
    }

    pub(super) fn slot(&self, index: usize) -> &Slot {
        &self.slots.cells()[index]
    }

    /// The rows of an owner whose keys begin so: one, unless keys collide.
    pub(super) fn rows_of(&self, short_key: u32, owner: &str) -> SmallVec<[usize; 2]> {
        let is_theirs = |index: &usize| {
            let slot = self.slot(*index);
            short(&slot.key) == short_key && slot.row().and_then(Row::owner) == Some(owner)
        };
        self.slots.places(short_key).filter(is_theirs).collect()
    }

    /// The rows with keys above `after`, in no order.
    pub(super) fn rows_above(&self, after: Option<StoreKey>) -> impl Iterator<Item = (StoreKey, &Row)> {
        let above = self.slots.cells().iter().filter(move |slot| after.is_none_or(|after| slot.key > after));
        above.filter_map(|slot| Some((slot.key, slot.row()?)))
    }

    /// The slot that is over first, if it is over at `now`.
    pub(super) fn first_due(&self, now: u64) -> Option<usize> {
        self.deadlines.first(now)
    }

    /// Puts something under a key that has nothing.
    pub(super) fn insert(&mut self, key: StoreKey, held: Held, class: Class) {
        let at = held.until();
        let slot = Slot { key, held, class: Some(class), due: 0 };
        let index = self.slots.insert(slot, |slot, index| self.deadlines.moved(slot, index));
        self.deadlines.push(self.slots.cells_mut(), index, at);
    }

    /// Puts something in place of what is there, and answers that.
    pub(super) fn set(&mut self, index: usize, held: Held) -> Held {
        let at = held.until();
        let before = std::mem::replace(&mut self.slots.cells_mut()[index].held, held);
        self.deadlines.set(self.slots.cells_mut(), index, at);
        before
    }

    /// Removes what is there. Others may be elsewhere afterwards.
    pub(super) fn remove(&mut self, index: usize) -> Slot {
        self.deadlines.remove(self.slots.cells_mut(), index);
        self.slots.remove(index, |slot, index| self.deadlines.moved(slot, index))
    }
}

impl Entry for Slot {
    const FREE: Self =
        Self { key: StoreKey::from_bytes([0; 16]), held: Held::Tombstone { until: 0 }, class: None, due: 0 };

    fn is_free(&self) -> bool {
        self.class.is_none()
    }

    fn hash(&self) -> u32 {
        short(&self.key)
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
