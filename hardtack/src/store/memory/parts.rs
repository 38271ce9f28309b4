//! [`Parts`]: the steps of the store, each under the locks it needs.
//!
//! The order of locks is: one owner's part, then one shard. Who finds out under a shard's lock that it needs an
//! owner's lets go, takes both in order and looks again.

use std::{
    hash::{BuildHasher, RandomState},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use smallvec::SmallVec;

use super::{
    budget::{self, Budget, Class, Full},
    log::Log,
    owners::Owners,
    shard::{Held, Shard, Slot, short},
};
use crate::{
    error::StoreError,
    store::{Admission, Beyond, Created, Replaced, Row, StoreKey, feed::News},
};

/// How many entries a purge removes under one lock.
const BATCH: usize = 64;
/// How many batches of what is over a full store removes before it answers that it is full.
const ROUNDS: usize = 16;

/// All shards and all owners.
pub(super) struct Parts {
    shards: Box<[Part<Shard>]>,
    owners: Box<[Part<Owners>]>,
    /// How far to the right the highest bits of 64 are that choose a part.
    shift: u32,
    hasher: RandomState,
    epoch: AtomicU64,
    /// An epoch for all owners, instead of those for which there was no room.
    floor: AtomicU64,
    /// Where the next purge begins, so that small ones get everywhere.
    cursor: AtomicUsize,
    budget: Budget,
    pub(super) log: Log,
}

/// One lock in cache lines of its own, so that neighbours do not wait for each other.
#[derive(Default)]
#[repr(align(128))]
struct Part<T>(Mutex<T>);

impl Parts {
    pub(super) fn new(sessions: usize, bytes: usize) -> Self {
        // A part is laid out anew when it grows. At most 16,384 rows, or 65,536 tombstones, keep that short.
        let parts = (sessions >> 14).max((bytes / budget::TOMBSTONE) >> 16).clamp(64, 4_096).next_power_of_two();
        Self {
            shards: (0..parts).map(|_| Part::default()).collect(),
            owners: (0..parts).map(|_| Part::default()).collect(),
            shift: u64::BITS - parts.ilog2(),
            hasher: RandomState::new(),
            epoch: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            cursor: AtomicUsize::new(0),
            budget: Budget::new(sessions, bytes),
            log: Log::default(),
        }
    }

    /// How many sessions there are, how many bytes they and their tombstones take, and how many the strays.
    pub(super) fn used(&self) -> [usize; 3] {
        self.budget.used()
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch.load(Relaxed)
    }

    pub(super) fn create(&self, key: StoreKey, row: &Row, admission: Admission, now: u64) -> Result<Created, Full> {
        if self.shard(&key).find(&key).is_some() {
            return Ok(Created::Exists);
        }
        let Some(owner) = row.owner() else { return self.insert(key, row) };
        let hash = self.hasher.hash_one(owner);
        let mut owners = self.owners(hash);
        if admission.epoch < owners.epoch(hash).max(self.floor.load(Relaxed)) {
            return Ok(Created::OwnerEnded);
        }
        let mut ending = Vec::new();
        if let Some(limit) = admission.limit {
            let live = self.rows(&owners, hash, owner, now);
            let excess = (live.len() + 1).saturating_sub(limit.most.max(1) as usize);
            if excess > 0 && limit.beyond == Beyond::Refuse {
                return Ok(Created::LimitReached);
            }
            ending.extend(live.iter().map(|(key, row)| (row.facts().created, *key, row.facts().absolute_deadline)));
            ending.sort_unstable();
            ending.truncate(excess);
        }
        let created = self.insert(key, row)?;
        if created == Created::Created {
            owners.add(hash, short(&key));
            for (_, key, until) in ending {
                let mut shard = self.shard(&key);
                if let Some(index) = shard.find(&key) {
                    let row = self.bury(&mut shard, index, until);
                    owners.remove(hash, short(&key));
                    self.log.tell(News::ended(key, true));
                    drop((shard, row));
                }
            }
        }
        Ok(created)
    }

    fn insert(&self, key: StoreKey, row: &Row) -> Result<Created, Full> {
        self.budget.admit(row)?;
        let mut shard = self.shard(&key);
        if shard.find(&key).is_some() {
            self.budget.row_removed(row);
            return Ok(Created::Exists);
        }
        shard.insert(key, Held::Row(row.clone()), budget::class(row));
        Ok(Created::Created)
    }

    pub(super) fn load(&self, key: &StoreKey, now: u64) -> Option<Row> {
        self.shard(key).row(key).filter(|row| !row.is_expired(now)).cloned()
    }

    pub(super) fn replace(&self, key: &StoreKey, version: u64, row: &Row, now: u64) -> Result<Replaced, Full> {
        let mut shard = self.shard(key);
        let Some(index) = shard.find(key) else { return Ok(Replaced::Gone) };
        let Some(before) = shard.slot(index).row().filter(|row| !row.is_expired(now)) else {
            return Ok(Replaced::Gone);
        };
        if before.facts().version != version {
            return Ok(Replaced::Conflict);
        }
        let after = row.clone().in_place_of(before);
        self.budget.swap(before, &after)?;
        if before.facts().generation < after.facts().generation {
            self.log.tell(News::renewed(*key, after.facts().generation));
        }
        let before = shard.set(index, Held::Row(after));
        drop((shard, before));
        Ok(Replaced::Replaced)
    }

    pub(super) fn touch(&self, key: &StoreKey, last_seen: u64, idle_deadline: u64) {
        let mut shard = self.shard(key);
        let Some(index) = shard.find(key) else { return };
        if let Some(row) = shard.slot(index).row() {
            let row = row.clone().touched(last_seen, idle_deadline);
            shard.set(index, Held::Row(row));
        }
    }

    pub(super) fn delete(&self, key: StoreKey, until: u64) -> Result<bool, Full> {
        let mut owners: Option<(u64, MutexGuard<'_, Owners>)> = None;
        loop {
            let mut shard = self.shard(&key);
            let Some(index) = shard.find(&key) else {
                self.budget.admit_tombstone()?;
                shard.insert(key, Held::Tombstone { until }, Class::Stray);
                return Ok(false);
            };
            let slot = shard.slot(index);
            let hash = match &slot.held {
                Held::Tombstone { until: before } => {
                    let until = until.max(*before);
                    shard.set(index, Held::Tombstone { until });
                    return Ok(false);
                }
                Held::Row(row) => row.owner().map(|owner| self.hasher.hash_one(owner)),
            };
            if let Some(hash) = hash {
                match &mut owners {
                    Some((held, owners)) if *held == hash => owners.remove(hash, short(&key)),
                    // The owner's lock comes first; meanwhile the row may go, or be another one.
                    _ => {
                        drop(shard);
                        drop(owners.take());
                        owners = Some((hash, self.owners(hash)));
                        continue;
                    }
                }
            }
            let row = self.bury(&mut shard, index, until);
            self.log.tell(News::ended(key, hash.is_some()));
            drop((shard, row));
            return Ok(true);
        }
    }

    pub(super) fn owned_by(&self, owner: &str, now: u64) -> Vec<(StoreKey, Row)> {
        let hash = self.hasher.hash_one(owner);
        self.rows(&self.owners(hash), hash, owner, now)
    }

    pub(super) fn end_owner(&self, owner: &str, except: Option<StoreKey>, until: u64) -> u64 {
        let hash = self.hasher.hash_one(owner);
        let mut owners = self.owners(hash);
        let epoch = self.epoch.fetch_add(1, Relaxed) + 1;
        if owners.has_epoch(hash) || self.budget.admit_epoch().is_ok() {
            owners.set_epoch(hash, epoch, until);
        } else {
            self.floor.fetch_max(epoch, Relaxed);
        }
        for key in owners.keys(hash) {
            let mut shard = self.shard_of(key);
            for index in shard.rows_of(key, owner) {
                let slot = shard.slot(index);
                if let Some(row) = slot.row().filter(|_| except == Some(slot.key)) {
                    let row = row.with_epoch(epoch);
                    shard.set(index, Held::Row(row));
                } else {
                    self.bury(&mut shard, index, until);
                    owners.remove(hash, key);
                }
            }
        }
        self.log.tell(News::owner_ended(owner, epoch));
        epoch
    }

    pub(super) fn purge(&self, now: u64, limit: usize) -> usize {
        self.log.purge(now);
        let mut removed = 0;
        let start = self.cursor.fetch_add(1, Relaxed);
        for part in 0..self.shards.len() {
            let part = start.wrapping_add(part) % self.shards.len();
            removed += self.purge_shard(&self.shards[part], now, limit - removed);
            let epochs = self.owners[part].lock().purge(now, limit - removed);
            (0..epochs).for_each(|_| self.budget.epoch_removed());
            removed += epochs;
            if removed == limit {
                break;
            }
        }
        removed
    }

    fn purge_shard(&self, part: &Part<Shard>, now: u64, limit: usize) -> usize {
        let mut removed = 0;
        while removed < limit {
            let (slots, owned) =
                take_due(&mut part.lock(), now, BATCH.min(limit - removed), |owner| self.hasher.hash_one(owner));
            slots.iter().for_each(|slot| self.removed(slot));
            removed += slots.len();
            match owned {
                Some((hash, key)) if removed < limit => removed += usize::from(self.remove_owned(hash, &key, now)),
                Some(_) => {}
                None if slots.is_empty() => break,
                None => {}
            }
        }
        removed
    }

    /// Removes a row of the owner, if it is there and over.
    fn remove_owned(&self, hash: u64, key: &StoreKey, now: u64) -> bool {
        let mut owners = self.owners(hash);
        let mut shard = self.shard(key);
        let is_theirs = |row: &Row| row.owner().is_some_and(|owner| self.hasher.hash_one(owner) == hash);
        let row = shard.row(key).filter(|row| row.is_expired(now) && is_theirs(row));
        let Some(index) = row.and_then(|_| shard.find(key)) else { return false };
        owners.remove(hash, short(key));
        let slot = shard.remove(index);
        drop((shard, owners));
        self.removed(&slot);
        true
    }

    fn removed(&self, slot: &Slot) {
        match &slot.held {
            Held::Row(row) => self.budget.row_removed(row),
            Held::Tombstone { .. } => slot.class.into_iter().for_each(|class| self.budget.tombstone_removed(class)),
        }
    }

    /// Sorts one part after the other, each under its lock: for operators.
    pub(super) fn scan(&self, after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)> {
        let mut found = Vec::new();
        // Parts are in the order of their keys.
        let first = after.map_or(0, |after| self.part_of(short(&after)));
        for part in &self.shards[first..] {
            if found.len() == limit {
                break;
            }
            let shard = part.lock();
            let mut rows: Vec<_> = shard.rows_above(after).collect();
            rows.sort_unstable_by_key(|(key, _)| *key);
            found.extend(rows.into_iter().take(limit - found.len()).map(|(key, row)| (key, row.clone())));
        }
        found
    }

    /// The rows of an owner that are not expired.
    fn rows(&self, owners: &Owners, hash: u64, owner: &str, now: u64) -> Vec<(StoreKey, Row)> {
        let mut rows = Vec::new();
        for key in owners.keys(hash) {
            let shard = self.shard_of(key);
            let slots = shard.rows_of(key, owner).into_iter().map(|index| shard.slot(index));
            let live =
                slots.filter_map(|slot| Some((slot.key, slot.row().filter(|row| !row.is_expired(now))?.clone())));
            rows.extend(live);
        }
        rows
    }

    /// Puts a tombstone in the place of a row, and answers the row.
    fn bury(&self, shard: &mut Shard, index: usize, until: u64) -> Held {
        let held = shard.set(index, Held::Tombstone { until });
        if let Held::Row(row) = &held {
            self.budget.buried(row);
        }
        held
    }

    /// What `step` answers, after removing what is over as long as there is no room.
    pub(super) fn with_room<T>(&self, now: u64, mut step: impl FnMut() -> Result<T, Full>) -> Result<T, StoreError> {
        for _ in 0..ROUNDS {
            match step() {
                Ok(answer) => return Ok(answer),
                Err(full) if self.purge(now, BATCH) == 0 => return Err(StoreError::new(full)),
                Err(_) => {}
            }
        }
        step().map_err(StoreError::new)
    }

    fn owners(&self, hash: u64) -> MutexGuard<'_, Owners> {
        self.owners[(hash >> self.shift) as usize].lock()
    }

    fn shard(&self, key: &StoreKey) -> MutexGuard<'_, Shard> {
        self.shard_of(short(key))
    }

    fn shard_of(&self, short: u32) -> MutexGuard<'_, Shard> {
        self.shards[self.part_of(short)].lock()
    }

    fn part_of(&self, short: u32) -> usize {
        (u64::from(short) << 32 >> self.shift) as usize
    }
}

impl<T> Part<T> {
    fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes up to `most` entries that are over out of a shard, until one has an owner: its hash and the key.
fn take_due(
    shard: &mut Shard,
    now: u64,
    most: usize,
    hash: impl Fn(&str) -> u64,
) -> (SmallVec<[Slot; BATCH]>, Option<(u64, StoreKey)>) {
    let mut taken = SmallVec::new();
    while taken.len() < most
        && let Some(index) = shard.first_due(now)
    {
        let slot = shard.slot(index);
        if let Some(owner) = slot.row().and_then(Row::owner) {
            return (taken, Some((hash(owner), slot.key)));
        }
        taken.push(shard.remove(index));
    }
    (taken, None)
}
