//! [`Budget`]: how much the store may hold.
//!
//! What is counted is a little more than what is allocated, so that the limit in bytes is a limit of the
//! process's memory. A row that becomes a tombstone always gets smaller, so ending a session needs no room.

use std::{
    fmt,
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
};

use crate::store::Row;

/// What a row takes beside [`Row::size`]: the rest of its slot, its places in the table, in the heap and in the
/// owners' index at their emptiest, and the allocator's share.
const PLACE: usize = 112;
/// What a tombstone takes: the same without the body and without an owner.
pub(super) const TOMBSTONE: usize = 96;
/// What an owner's epoch takes.
const EPOCH: usize = 128;

/// Whom something in the store is counted for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A row without an owner, or the tombstone of one: half of the budget.
    Anonymous,
    /// A row with an owner, or the tombstone of one: all of the budget.
    Owned,
    /// A tombstone where there was no row, or an owner's epoch: an eighth on top of the budget.
    Stray,
}

/// The meters of a store.
pub(super) struct Budget {
    all: Meter,
    anonymous: Meter,
    stray: Meter,
}

/// Two numbers with their limits.
struct Meter {
    sessions: Count,
    bytes: Count,
}

struct Count {
    used: AtomicUsize,
    most: usize,
    what: &'static str,
}

/// There is no room: what is full, for the operator.
#[derive(Debug)]
pub(super) struct Full {
    most: usize,
    what: &'static str,
}

impl Budget {
    pub(super) fn new(sessions: usize, bytes: usize) -> Self {
        Self {
            all: Meter::new(sessions, bytes, ["sessions", "bytes"]),
            anonymous: Meter::new(
                sessions / 2,
                bytes / 2,
                ["sessions without an owner", "bytes of sessions without an owner"],
            ),
            stray: Meter::new(0, bytes / 8, ["sessions", "bytes of tombstones without a session"]),
        }
    }

    /// How many sessions there are, how many bytes they and their tombstones take, and how many the strays.
    pub(super) fn used(&self) -> [usize; 3] {
        [&self.all.sessions, &self.all.bytes, &self.stray.bytes].map(|count| count.used.load(Relaxed))
    }

    /// Room for a new row.
    pub(super) fn admit(&self, row: &Row) -> Result<(), Full> {
        self.take(class(row), 1, cost(row))
    }

    /// Room for one row in place of another of the same class.
    pub(super) fn swap(&self, before: &Row, after: &Row) -> Result<(), Full> {
        let (old, new) = (cost(before), cost(after));
        if new > old {
            return self.take(class(before), 0, new - old);
        }
        self.give(class(before), 0, old - new);
        Ok(())
    }

    /// A row is a tombstone now.
    pub(super) fn buried(&self, row: &Row) {
        self.give(class(row), 1, cost(row) - TOMBSTONE);
    }

    /// A row is gone without a trace.
    pub(super) fn row_removed(&self, row: &Row) {
        self.give(class(row), 1, cost(row));
    }

    /// A tombstone's time is over.
    pub(super) fn tombstone_removed(&self, class: Class) {
        self.give(class, 0, TOMBSTONE);
    }

    /// Room for a tombstone where there is no row.
    pub(super) fn admit_tombstone(&self) -> Result<(), Full> {
        self.take(Class::Stray, 0, TOMBSTONE)
    }

    /// Room for an owner's epoch.
    pub(super) fn admit_epoch(&self) -> Result<(), Full> {
        self.take(Class::Stray, 0, EPOCH)
    }

    /// An owner's epoch is forgotten.
    pub(super) fn epoch_removed(&self) {
        self.give(Class::Stray, 0, EPOCH);
    }

    fn take(&self, class: Class, sessions: usize, bytes: usize) -> Result<(), Full> {
        match class {
            Class::Anonymous => {
                self.anonymous.take(sessions, bytes)?;
                self.all.take(sessions, bytes).inspect_err(|_| self.anonymous.give(sessions, bytes))
            }
            Class::Owned => self.all.take(sessions, bytes),
            Class::Stray => self.stray.take(sessions, bytes),
        }
    }

    fn give(&self, class: Class, sessions: usize, bytes: usize) {
        match class {
            Class::Anonymous => {
                self.anonymous.give(sessions, bytes);
                self.all.give(sessions, bytes);
            }
            Class::Owned => self.all.give(sessions, bytes),
            Class::Stray => self.stray.give(sessions, bytes),
        }
    }
}

impl Meter {
    fn new(sessions: usize, bytes: usize, what: [&'static str; 2]) -> Self {
        let count = |most, what| Count { used: AtomicUsize::new(0), most, what };
        Self { sessions: count(sessions, what[0]), bytes: count(bytes, what[1]) }
    }

    fn take(&self, sessions: usize, bytes: usize) -> Result<(), Full> {
        self.sessions.take(sessions)?;
        self.bytes.take(bytes).inspect_err(|_| self.sessions.give(sessions))
    }

    fn give(&self, sessions: usize, bytes: usize) {
        self.sessions.give(sessions);
        self.bytes.give(bytes);
    }
}

impl Count {
    fn take(&self, more: usize) -> Result<(), Full> {
        let within = |used: usize| used.checked_add(more).filter(|used| *used <= self.most);
        let taken = self.used.fetch_update(Relaxed, Relaxed, within);
        taken.map(|_| ()).map_err(|_| Full { most: self.most, what: self.what })
    }

    fn give(&self, less: usize) {
        self.used.fetch_sub(less, Relaxed);
    }
}

/// The class of a row.
pub(super) fn class(row: &Row) -> Class {
    if row.owner().is_some() { Class::Owned } else { Class::Anonymous }
}

fn cost(row: &Row) -> usize {
    row.size() + PLACE
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "full, with the {} {} that MemoryStore::with_limits allows", self.most, self.what)
    }
}
