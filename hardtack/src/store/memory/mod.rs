//! [`MemoryStore`]: sessions in the memory of this process.
//!
//! - **Parts.** Keys and owners are cut into parts, each behind a lock that is held for a few entries at a time. An
//!   owner's lock is always taken before a key's, and a row with an owner comes and goes only under both:
//!   so signing in, ending an owner's sessions and the device limit are one step for each other.
//! - **Expiry** costs what expires: every part has a heap of deadlines, and a purge takes from its top.
//! - **Full** is an answer, see [`MemoryStore::with_limits`]. Nothing is ever evicted.

mod budget;
mod expiry;
mod owners;
mod shard;
mod table;

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};

use smallvec::SmallVec;

use self::{
    budget::{Budget, Class, Full},
    owners::Owners,
    shard::{Held, Shard, Slot, short},
};
use super::{Admission, Beyond, Created, Replaced, Row, Store, StoreKey};
use crate::error::StoreError;

/// How many entries a purge removes under one lock.
const BATCH: usize = 64;
/// How many batches of what is over a full store removes before it answers that it is full.
const ROUNDS: usize = 16;

/// Sessions in memory: for one process, and until it ends. Cheap to clone; all clones are the same store.
///
/// What it holds is bounded, see [`with_limits`](Self::with_limits). A purge removes what is over; without one
/// it stays, is never given out, and goes when its room is needed.
#[derive(Clone)]
pub struct MemoryStore(Arc<Inner>);

struct Inner {
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
}

/// One lock in cache lines of its own, so that neighbours do not wait for each other.
#[derive(Default)]
#[repr(align(128))]
struct Part<T>(Mutex<T>);

impl MemoryStore {
    /// At most 1,000,000 sessions and 1 GiB (2^30 bytes).
    pub fn new() -> Self {
        Self::with_limits(1_000_000, 1 << 30)
    }

    /// At most so many sessions, and so many bytes for them and for the tombstones of ended ones.
    ///
    /// Bytes are [`Row::size`] and 96 more for each session, 80 for each tombstone: a little more than the process
    /// allocates. Rows without an owner, with their tombstones, take at most half of either, so that
    /// no crowd of anonymous visitors keeps people from signing in.
    ///
    /// A full store first removes what is over, at most 1,024 entries; then
    /// [`create`](Store::create), and a [`replace`](Store::replace) by a larger row, answer an error that
    /// says which limit it is. Nothing is ever evicted, and reading, touching and ending go on: a
    /// tombstone takes the place of its row and is smaller.
    ///
    /// An eighth of the bytes comes on top, for what has no row: tombstones under keys that had none, and
    /// owners' epochs. When that is full, a [`delete`](Store::delete) under such a key answers an error, and
    /// [`end_owner`](Store::end_owner) ends the sign-ins that are under way for all owners instead of one's:
    /// those have to be repeated. Neither is forgotten early.
    pub fn with_limits(sessions: usize, bytes: usize) -> Self {
        // A part of 16,384 rows keeps the pause of a growing table below a millisecond. A part of nothing but
        // tombstones has a quarter of what fits into one.
        let parts = (sessions >> 14).max(bytes / budget::TOMBSTONE >> 18).clamp(64, 1 << 16).next_power_of_two();
        Self(Arc::new(Inner {
            shards: (0..parts).map(|_| Part::default()).collect(),
            owners: (0..parts).map(|_| Part::default()).collect(),
            shift: u64::BITS - parts.ilog2(),
            hasher: RandomState::new(),
            epoch: AtomicU64::new(0),
            floor: AtomicU64::new(0),
            cursor: AtomicUsize::new(0),
            budget: Budget::new(sessions, bytes),
        }))
    }
}

impl Inner {
    fn create(&self, key: StoreKey, row: &Row, admission: Admission, now: u64) -> Result<Created, Full> {
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
        if shard.is_full() {
            self.budget.row_removed(row);
            return Err(Full::PART);
        }
        shard.insert(key, Held::Row(row.clone()), budget::class(row));
        Ok(Created::Created)
    }

    fn load(&self, key: &StoreKey, now: u64) -> Option<Row> {
        self.shard(key).row(key).filter(|row| !row.is_expired(now)).cloned()
    }

    fn replace(&self, key: &StoreKey, version: u64, row: &Row, now: u64) -> Result<Replaced, Full> {
        let mut shard = self.shard(key);
        let Some(index) = shard.find(key) else { return Ok(Replaced::Gone) };
        let Some(before) = shard.slot(index).row().filter(|row| !row.is_expired(now)) else {
            return Ok(Replaced::Gone);
        };
        if before.facts().version != version {
            return Ok(Replaced::Conflict);
        }
        let mut after = row.clone().in_place_of(before);
        if after.owner() != before.owner() {
            let times = (after.last_seen(), after.idle_deadline());
            after = Row::new(*after.facts(), before.owner(), after.label(), after.sealed(), times.0, times.1);
        }
        self.budget.swap(before, &after)?;
        let before = shard.set(index, Held::Row(after));
        drop((shard, before));
        Ok(Replaced::Replaced)
    }

    fn touch(&self, key: &StoreKey, last_seen: u64, idle_deadline: u64) {
        let mut shard = self.shard(key);
        let Some(index) = shard.find(key) else { return };
        if let Some(row) = shard.slot(index).row() {
            let row = row.clone().touched(last_seen, idle_deadline);
            shard.set(index, Held::Row(row));
        }
    }

    fn delete(&self, key: StoreKey, until: u64) -> Result<bool, Full> {
        let mut owners: Option<(u64, MutexGuard<'_, Owners>)> = None;
        loop {
            let mut shard = self.shard(&key);
            let Some(index) = shard.find(&key) else {
                if shard.is_full() {
                    return Err(Full::PART);
                }
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
            drop((shard, row));
            return Ok(true);
        }
    }

    fn owned_by(&self, owner: &str, now: u64) -> Vec<(StoreKey, Row)> {
        let hash = self.hasher.hash_one(owner);
        self.rows(&self.owners(hash), hash, owner, now)
    }

    fn end_owner(&self, owner: &str, except: Option<StoreKey>, until: u64) -> u64 {
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
        epoch
    }

    fn purge(&self, now: u64, limit: usize) -> usize {
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
            Held::Tombstone { .. } => self.budget.tombstone_removed(slot.class),
        }
    }

    fn scan(&self, after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)> {
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
    fn with_room<T>(&self, now: u64, mut step: impl FnMut() -> Result<T, Full>) -> Result<T, StoreError> {
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

impl Store for MemoryStore {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        self.0.with_room(now, || self.0.create(key, &row, admission, now))
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        Ok(self.0.load(&key, now))
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        self.0.with_room(now, || self.0.replace(&key, version, &row, now))
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        self.0.touch(&key, last_seen, idle_deadline);
        Ok(())
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        self.0.delete(key, tombstone_until).map_err(StoreError::new)
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        Ok(self.0.owned_by(owner, now))
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        Ok(self.0.end_owner(owner, except, tombstone_until))
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        Ok(self.0.epoch.load(Relaxed))
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        Ok(self.0.purge(now, limit))
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        Ok(self.0.scan(after, limit))
    }
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryStore {
    /// How much there is, and nothing of what.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [sessions, bytes, stray_bytes] = self.0.budget.used();
        f.debug_struct("MemoryStore")
            .field("sessions", &sessions)
            .field("bytes", &bytes)
            .field("stray_bytes", &stray_bytes)
            .finish()
    }
}
