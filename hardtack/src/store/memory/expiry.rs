//! [`Deadlines`]: which slot of a shard is over first.
//!
//! It is a heap of slots by deadline, and each slot knows its place in it. So a touch moves its slot,
//! a delete takes it out, and nothing stale is ever left behind: the first entry is exactly the next one
//! to end, and to see that nothing has ended costs one look.

use super::shard::Slot;

/// Children of a node. Four of them fill a cache line.
const CHILDREN: usize = 4;

/// Packed, because there is one for every session.
#[derive(Clone, Copy)]
#[repr(C, packed(4))]
struct Due {
    at: u64,
    slot: u32,
}

/// The deadlines of a shard's slots, the first one on top. `Slot::due` is a slot's place in it.
#[derive(Default)]
pub(super) struct Deadlines(Vec<Due>);

impl Deadlines {
    /// The slot that is over first, if it is over at `now`.
    pub(super) fn first(&self, now: u64) -> Option<usize> {
        self.0.first().filter(|due| due.at <= now).map(|due| due.slot as usize)
    }

    /// Takes in the slot at `index`.
    pub(super) fn push(&mut self, slots: &mut [Slot], index: usize, at: u64) {
        let due = Due { at, slot: index as u32 };
        grow(&mut self.0);
        self.0.push(due);
        self.rise(slots, self.0.len() - 1, due);
    }

    /// Gives the slot at `index` another deadline.
    pub(super) fn set(&mut self, slots: &mut [Slot], index: usize, at: u64) {
        let place = slots[index].due as usize;
        let due = Due { at, slot: index as u32 };
        let before = self.0[place].at;
        if at < before {
            self.rise(slots, place, due);
        } else if at > before {
            self.sink(slots, place, due);
        }
    }

    /// Takes out the slot at `index`.
    pub(super) fn remove(&mut self, slots: &mut [Slot], index: usize) {
        let place = slots[index].due as usize;
        let Some(last) = self.0.pop() else { return };
        if place < self.0.len() {
            let before = self.0[place].at;
            if last.at < before {
                self.rise(slots, place, last);
            } else {
                self.sink(slots, place, last);
            }
        }
        shrink(&mut self.0);
    }

    /// The slot that was elsewhere is at `index` now.
    pub(super) fn moved(&mut self, slot: &Slot, index: usize) {
        self.0[slot.due as usize].slot = index as u32;
    }

    fn rise(&mut self, slots: &mut [Slot], mut place: usize, due: Due) {
        while place > 0 {
            let parent = (place - 1) / CHILDREN;
            let above = self.0[parent];
            if above.at <= due.at {
                break;
            }
            self.put(slots, place, above);
            place = parent;
        }
        self.put(slots, place, due);
    }

    fn sink(&mut self, slots: &mut [Slot], mut place: usize, due: Due) {
        loop {
            let first = place * CHILDREN + 1;
            let children = first..(first + CHILDREN).min(self.0.len());
            let Some(least) = children.min_by_key(|child| self.0[*child].at) else { break };
            let below = self.0[least];
            if below.at >= due.at {
                break;
            }
            self.put(slots, place, below);
            place = least;
        }
        self.put(slots, place, due);
    }

    fn put(&mut self, slots: &mut [Slot], place: usize, due: Due) {
        self.0[place] = due;
        slots[due.slot as usize].due = place as u32;
    }
}

/// Makes room for one more. An eighth at a time wastes less than doubling, and copies little more.
pub(super) fn grow<T>(entries: &mut Vec<T>) {
    if entries.len() == entries.capacity() {
        entries.reserve_exact(entries.len() / 8 + 8);
    }
}

/// Gives back what a flood left behind.
pub(super) fn shrink<T>(entries: &mut Vec<T>) {
    if entries.len() + 8 < entries.capacity() / 4 * 3 {
        entries.shrink_to(entries.len() + entries.len() / 8 + 8);
    }
}
