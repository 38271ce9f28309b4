//! The simplest store that keeps the contract – one lock around three maps – and, inserted into it, every [`Flaw`].
//! It is the yardstick of `store::conformance`: the suite passes [`SimpleStore::new`] and finds each flaw.
//!
//! A `self.turn_of_others(state)` gives the lock away for a moment; a caller may be dropped there. One stands
//! at the beginning and at the end of every write, where nothing is half done, and one inside of those flaws
//! that are races.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

mod flaws;

use std::{collections::BTreeMap, sync::Arc};

use hardtack::{
    StoreError,
    store::{Admission, Beyond, Created, Replaced, Row, Store, StoreKey},
};
use tokio::{
    sync::{Mutex, MutexGuard, Semaphore},
    task::yield_now,
};

use self::flaws::Flaw::*;
pub use self::flaws::{FLAWS, Flaw};

/// When the cases begin, for flaws that need a clock.
const NOW: u64 = 1_800_000_000_000;

/// A store in three maps.
pub struct SimpleStore {
    flaw: Option<Flaw>,
    state: Arc<Mutex<State>>,
    turn: Arc<Semaphore>,
    cache: std::sync::Mutex<BTreeMap<StoreKey, Row>>,
}

#[derive(Default)]
struct State {
    rows: BTreeMap<StoreKey, Row>,
    tombstones: BTreeMap<StoreKey, u64>,
    /// The epoch of an owner, and until when it is to be remembered.
    epochs: BTreeMap<String, (u64, u64)>,
    epoch: u64,
    // What only flaws need: the first row of every key, all creates of an owner, the latest time, all purged rows.
    first: BTreeMap<StoreKey, Row>,
    creates: BTreeMap<String, usize>,
    latest: u64,
    purged: usize,
}

/// Another node.
impl Clone for SimpleStore {
    fn clone(&self) -> Self {
        let state = if self.has(NodesAreApart) { Arc::default() } else { self.state.clone() };
        Self { flaw: self.flaw, state, turn: self.turn.clone(), cache: std::sync::Mutex::default() }
    }
}

impl SimpleStore {
    pub fn new() -> Self {
        let turn = Arc::new(Semaphore::new(1));
        Self { flaw: None, state: Arc::default(), turn, cache: std::sync::Mutex::default() }
    }

    pub fn with(flaw: Flaw) -> Self {
        Self { flaw: Some(flaw), ..Self::new() }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    async fn enter(&self) -> MutexGuard<'_, State> {
        yield_now().await;
        if self.has(LocksWhenDropped) {
            self.turn.acquire().await.unwrap().forget();
            yield_now().await;
            self.turn.add_permits(1);
        }
        self.state.lock().await
    }

    async fn turn_of_others<'a>(&'a self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        drop(state);
        yield_now().await;
        self.state.lock().await
    }

    fn is_expired(&self, row: &Row, now: u64) -> bool {
        match self.flaw {
            Some(DeadlinesAreIncluded) => now > row.expires_at(),
            Some(IdleAloneCounts) => now >= row.idle_deadline(),
            Some(TimesAreSeconds) => now / 1_000 >= row.expires_at() / 1_000,
            Some(TimesAreSigned32) => now as i32 >= row.expires_at() as i32,
            _ => row.is_expired(now),
        }
    }

    fn is_of(&self, state: &State, (key, row): (&StoreKey, &Row), owner: &str) -> bool {
        let row = if self.has(OwnedByTheFirstOwner) { state.first.get(key).unwrap_or(row) } else { row };
        let Some(name) = row.owner() else { return self.has(NobodyIsNull) && owner == "null" };
        match self.flaw {
            Some(OwnedByIsAPrefix) => name.starts_with(owner),
            Some(OwnedByIgnoresCase) => name.to_lowercase() == owner.to_lowercase(),
            Some(OwnedByTrims) => name.trim_end() == owner.trim_end(),
            Some(OwnedByIsAPattern) => name == owner || owner == "%" || owner == "*",
            Some(OwnedByEndsAtNul) => name.split('\0').next() == owner.split('\0').next(),
            Some(OwnedByCutsNames) => name.get(..255).unwrap_or(name) == owner.get(..255).unwrap_or(owner),
            _ => name == owner,
        }
    }

    fn kept(&self, row: Row) -> Row {
        let lossy = String::from_utf8_lossy(row.sealed()).into_owned();
        match self.flaw {
            Some(SealedIsText) => with(&row, |parts| parts.sealed = lossy.into_bytes()),
            Some(SealedIsShort) => with(&row, |parts| parts.sealed.truncate(65_535)),
            Some(LabelIsDropped) => with(&row, |parts| parts.label = None),
            Some(EpochIsDropped) => with(&row, |parts| parts.facts.epoch = 0),
            _ => row,
        }
    }

    fn exists(&self, state: &State, key: StoreKey, now: u64) -> bool {
        let taken = |row: &Row| match self.flaw {
            Some(CreateOverwrites) => false,
            Some(CreateOverwritesExpired) => !row.is_expired(now),
            _ => true,
        };
        state.rows.get(&key).is_some_and(taken)
            || state.tombstones.contains_key(&key) && !self.has(CreateIgnoresTombstones)
    }

    fn has_ended(&self, state: &State, row: &Row, admission: Admission) -> bool {
        let epoch = match self.flaw {
            Some(EpochIsNotChecked) => return false,
            Some(EpochIsCheckedForNobody) if row.owner().is_none() => return state.epoch > admission.epoch,
            Some(EpochOfTheRowIsChecked) => row.facts().epoch,
            Some(EpochForbidsTheSame) => admission.epoch.saturating_sub(1),
            _ => admission.epoch,
        };
        row.owner().and_then(|owner| state.epochs.get(owner)).is_some_and(|(highest, _)| *highest > epoch)
    }

    /// How many rows are too many with one more, and which those would be.
    fn excess(&self, state: &State, row: &Row, admission: Admission, now: u64) -> (usize, Vec<StoreKey>) {
        let (Some(limit), true) = (admission.limit, row.owner().is_some() || self.has(LimitCountsNobody)) else {
            return (0, Vec::new());
        };
        let counts = |there: &Row| {
            let same = there.owner() == row.owner() || self.has(LimitIsForAll);
            same && (self.has(LimitCountsExpired) || !self.is_expired(there, now))
        };
        let rows = state.rows.iter().filter(|(_, there)| counts(there));
        let mut rows: Vec<_> = rows.map(|(key, row)| (row.facts().created, *key)).collect();
        rows.sort_unstable();
        if self.has(LimitEndsTheYoungest) {
            rows.reverse();
        }
        let creates = state.creates.get(row.owner().unwrap_or_default()).copied().unwrap_or_default();
        let count = if self.has(LimitCountsForEver) { creates } else { rows.len() };
        let most = limit.most as usize + usize::from(self.has(LimitIsOneMore));
        let excess = (count + 1).saturating_sub(most);
        rows.truncate(if self.has(LimitEndsOne) { excess.min(1) } else { excess });
        (excess, rows.into_iter().map(|(_, key)| key).collect())
    }
}

impl State {
    /// Removes a row and leaves a tombstone.
    fn end(&mut self, key: StoreKey, until: u64) -> Option<Row> {
        let stands = self.tombstones.entry(key).or_default();
        *stands = until.max(*stands);
        self.rows.remove(&key)
    }
}

/// A row in its parts.
struct Parts {
    facts: hardtack::store::Facts,
    owner: Option<String>,
    label: Option<String>,
    sealed: Vec<u8>,
    last_seen: u64,
    idle_deadline: u64,
}

fn with(row: &Row, change: impl FnOnce(&mut Parts)) -> Row {
    let (owner, label) = (row.owner().map(str::to_owned), row.label().map(str::to_owned));
    let (last_seen, idle_deadline) = (row.last_seen(), row.idle_deadline());
    let mut parts =
        Parts { facts: *row.facts(), owner, label, sealed: row.sealed().to_vec(), last_seen, idle_deadline };
    change(&mut parts);
    let Parts { facts, owner, label, sealed, last_seen, idle_deadline } = parts;
    Row::new(facts, owner.as_deref(), label.as_deref(), &sealed, last_seen, idle_deadline)
}

impl Store for SimpleStore {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        let mut state = self.enter().await;
        let ends_oldest = admission.limit.is_some_and(|limit| limit.beyond == Beyond::EndOldest);
        if self.has(LimitEndsBeforeItFails) && ends_oldest {
            self.excess(&state, &row, admission, now).1.iter().for_each(|oldest| _ = state.rows.remove(oldest));
        }
        let mut exists = self.exists(&state, key, now);
        let mut ended = self.has_ended(&state, &row, admission);
        let mut excess = self.excess(&state, &row, admission, now);
        if matches!(self.flaw, Some(CreateInTwoSteps | EpochIsCheckedTooEarly | LimitIsCheckedTooEarly)) {
            state = self.turn_of_others(state).await;
            match self.flaw {
                Some(CreateInTwoSteps) => {}
                _ => exists = self.exists(&state, key, now),
            }
            match self.flaw {
                Some(EpochIsCheckedTooEarly) => {}
                _ => ended = self.has_ended(&state, &row, admission),
            }
            match self.flaw {
                Some(LimitIsCheckedTooEarly) => {}
                _ => excess = self.excess(&state, &row, admission, now),
            }
        }
        if exists {
            return Ok(Created::Exists);
        }
        if ended {
            return Ok(Created::OwnerEnded);
        }
        if excess.0 > 0 && !ends_oldest {
            return Ok(Created::LimitReached);
        }
        excess.1.iter().for_each(|oldest| _ = state.rows.remove(oldest));
        *state.creates.entry(row.owner().unwrap_or_default().to_owned()).or_default() += 1;
        if self.has(CreateTearsWhenDropped) {
            state.rows.insert(key, with(&row, |parts| parts.sealed.clear()));
            state = self.turn_of_others(state).await;
        }
        if !(self.has(CreateSkipsExpired) && row.is_expired(now)) {
            state.first.entry(key).or_insert(row.clone());
            state.rows.insert(key, self.kept(row));
        }
        drop(self.turn_of_others(state).await);
        Ok(Created::Created)
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        let mut state = self.enter().await;
        state.latest = state.latest.max(now);
        let now = if self.has(LoadRemembersTheLatestTime) { state.latest } else { now };
        if self.has(LoadIsCachedPerNode) {
            let mut cache = self.cache.lock().unwrap();
            if let Some(row) = cache.get(&key) {
                return Ok(Some(row.clone()).filter(|row| !row.is_expired(now)));
            }
            cache.extend(state.rows.get(&key).map(|row| (key, row.clone())));
        }
        let visible = |row: &&Row| self.has(LoadReturnsExpired) || !self.is_expired(row, now);
        Ok(state.rows.get(&key).filter(visible).cloned())
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        let mut state = self.enter().await;
        let live = |row: &&Row| self.has(ReplaceIgnoresExpiry) || !self.is_expired(row, now);
        let Some(before) = state.rows.get(&key).filter(live).cloned() else {
            if self.has(ReplaceResurrects) {
                state.rows.insert(key, row);
                return Ok(Replaced::Replaced);
            }
            return Ok(Replaced::Gone);
        };
        let differs = match self.flaw {
            Some(ReplaceIgnoresTheVersion) => false,
            Some(ReplaceIgnoresHigherVersions) => before.facts().version > version,
            _ => before.facts().version != version,
        };
        if differs {
            return Ok(Replaced::Conflict);
        }
        let after = with(&row.clone().in_place_of(&before), |parts| {
            parts.owner = before.owner().map(str::to_owned);
            match self.flaw {
                Some(ReplaceTakesTheEpoch) => parts.facts.epoch = row.facts().epoch,
                Some(ReplaceTakesTheOwner) => parts.owner = row.owner().map(str::to_owned),
                Some(ReplaceTakesTheTimes) => {
                    (parts.last_seen, parts.idle_deadline) = (row.last_seen(), row.idle_deadline());
                }
                Some(ReplaceKeepsTheLabel) => {
                    parts.label = parts.label.take().or(before.label().map(str::to_owned));
                }
                Some(ReplaceKeepsTheTail) => {
                    parts.sealed.extend(before.sealed().get(parts.sealed.len()..).unwrap_or_default());
                }
                Some(ReplaceKeepsTheAbsoluteDeadline) => {
                    parts.facts.absolute_deadline = before.facts().absolute_deadline;
                }
                _ => {}
            }
        });
        if self.has(ReplaceTearsWhenDropped) {
            state.rows.remove(&key);
        }
        if matches!(self.flaw, Some(ReplaceTearsWhenDropped | ReplaceInTwoSteps)) {
            state = self.turn_of_others(state).await;
        }
        state.rows.insert(key, self.kept(after));
        drop(self.turn_of_others(state).await);
        Ok(Replaced::Replaced)
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        let mut state = self.enter().await;
        let Some(row) = state.rows.get(&key).cloned() else { return Ok(()) };
        let after = with(&row.clone().touched(last_seen, idle_deadline), |parts| match self.flaw {
            Some(TouchLowers) => parts.idle_deadline = idle_deadline.min(parts.facts.absolute_deadline),
            Some(TouchDropsTheLaterUse) => parts.last_seen = last_seen,
            Some(TouchRaisesTheVersion) => parts.facts.version += 1,
            Some(TouchIgnoresTheAbsoluteDeadline) => {
                parts.facts.absolute_deadline = parts.facts.absolute_deadline.max(idle_deadline);
                parts.idle_deadline = parts.idle_deadline.max(idle_deadline);
            }
            _ => {}
        });
        if self.has(TouchTearsWhenDropped) {
            state.rows.insert(key, row.touched(last_seen, 0));
        }
        if matches!(self.flaw, Some(TouchTearsWhenDropped | TouchInTwoSteps)) {
            state = self.turn_of_others(state).await;
        }
        state.rows.insert(key, after);
        drop(self.turn_of_others(state).await);
        Ok(())
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        let mut state = self.enter().await;
        let there = state.rows.get(&key).cloned();
        if self.has(DeleteTearsWhenDropped) {
            state.rows.remove(&key);
        }
        if matches!(self.flaw, Some(DeleteTearsWhenDropped | DeleteInTwoSteps)) {
            state = self.turn_of_others(state).await;
        }
        match self.flaw {
            Some(DeleteLeavesNoTombstone) => _ = state.rows.remove(&key),
            Some(DeleteOfNothingLeavesNoTombstone) if there.is_none() => {}
            Some(DeleteShortensTombstones) => {
                state.end(key, 0);
                state.tombstones.insert(key, tombstone_until);
            }
            _ => _ = state.end(key, tombstone_until),
        }
        drop(self.turn_of_others(state).await);
        Ok(match self.flaw {
            Some(DeleteAlwaysSaysYes) => true,
            Some(DeleteDeniesExpired) => there.is_some_and(|row| row.expires_at() > NOW + 3_600_000),
            _ => there.is_some(),
        })
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        let state = self.enter().await;
        let visible = |row: &Row| self.has(OwnedByHasExpired) || !self.is_expired(row, now);
        let rows = state.rows.iter().filter(|entry| self.is_of(&state, *entry, owner) && visible(entry.1));
        let shown = |(key, row): (&StoreKey, &Row)| {
            let stale = state.first.get(key).filter(|_| self.has(OwnedByIsStale));
            (*key, stale.unwrap_or(row).clone())
        };
        let most = if self.has(OwnedByHasAHundred) { 100 } else { usize::MAX };
        Ok(rows.map(shown).take(most).collect())
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        let mut state = self.enter().await;
        let rows = state.rows.iter().filter(|entry| self.is_of(&state, *entry, owner));
        let mut rows: Vec<_> = rows.map(|(key, row)| (*key, row.clone())).collect();
        let (known, remembered) = state.epochs.get(owner).copied().unwrap_or_default();
        let epoch = if self.has(EndCountsPerOwner) { known } else { state.epoch } + 1;
        let spared = except.filter(|_| !self.has(EndForgetsExcept));
        match self.flaw {
            Some(EndNeedsARow) if rows.is_empty() => return Ok(state.epoch),
            Some(EndTakesAStrangersRow) => {
                rows.extend(except.and_then(|key| Some((key, state.rows.get(&key)?.clone()))))
            }
            Some(EndLeavesOne) if except.is_none() => _ = rows.pop(),
            _ => {}
        }
        for (key, row) in rows {
            let strangers = self.has(EndTakesAStrangersRow) && row.owner() != Some(owner);
            if Some(key) == spared && !strangers {
                let spared = with(&row, |parts| match self.flaw {
                    Some(EndLeavesTheEpoch) => {}
                    Some(EndRaisesTheVersion) => {
                        (parts.facts.epoch, parts.facts.version) = (epoch, row.facts().version + 1)
                    }
                    _ => parts.facts.epoch = epoch,
                });
                state.rows.insert(key, spared);
                continue;
            }
            match self.flaw {
                Some(EndLeavesNoTombstones) => _ = state.rows.remove(&key),
                Some(EndLeavesExpired) if row.is_expired(NOW) => {}
                _ => _ = state.end(key, tombstone_until),
            }
        }
        if self.has(EndTearsWhenDropped) {
            state = self.turn_of_others(state).await;
        }
        let until = if self.has(EndShortensMemory) { tombstone_until } else { tombstone_until.max(remembered) };
        state.epochs.insert(owner.to_owned(), (epoch, until));
        state.epoch = epoch.max(state.epoch);
        drop(self.turn_of_others(state).await);
        Ok(epoch)
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        Ok(self.enter().await.epoch)
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        let mut state = self.enter().await;
        let limit = match self.flaw {
            Some(PurgeIgnoresItsLimit) => usize::MAX,
            Some(PurgeTires) => limit.min(9_000_usize.saturating_sub(state.purged)),
            _ => limit,
        };
        let over = |(key, row): (&StoreKey, &Row)| match self.flaw {
            Some(PurgeByTheFirstDeadline) => state.first.get(key).is_none_or(|first| first.is_expired(now)),
            Some(PurgeIsAMillisecondEarly) => row.is_expired(now + 1),
            _ => self.is_expired(row, now),
        };
        let keys: Vec<_> = state.rows.iter().filter(|entry| over(*entry)).map(|(key, _)| *key).take(limit).collect();
        if self.has(PurgeTearsWhenDropped) {
            let rows = std::mem::take(&mut state.rows);
            state = self.turn_of_others(state).await;
            state.rows.extend(rows);
        }
        if self.has(PurgeInTwoSteps) {
            state = self.turn_of_others(state).await;
        }
        for key in &keys {
            state.rows.remove(key);
            state.first.remove(key);
            if self.has(PurgeLeavesATombstone) {
                state.end(*key, u64::MAX);
            }
        }
        state.purged += keys.len();
        let left = limit - keys.len();
        let over =
            |until: u64| (now >= until || self.has(PurgeTakesTombstonesEarly)) && !self.has(PurgeLeavesTombstones);
        let stones: Vec<_> =
            state.tombstones.iter().filter(|(_, until)| over(**until)).map(|(key, _)| *key).take(left).collect();
        stones.iter().for_each(|key| _ = state.tombstones.remove(key));
        let over = |until: u64| now >= until || self.has(PurgeForgetsEpochsEarly);
        let left = left - stones.len();
        let names = state.epochs.iter().filter(|(_, (_, until))| over(*until)).map(|(name, _)| name.clone());
        let names: Vec<_> = names.take(left).collect();
        names.iter().for_each(|name| _ = state.epochs.remove(name));
        if self.has(PurgeLowersTheCounter) {
            state.epoch = state.epochs.values().map(|(epoch, _)| *epoch).max().unwrap_or_default();
        }
        drop(self.turn_of_others(state).await);
        let purged = keys.len() + stones.len() + names.len();
        Ok(if self.has(PurgeSaysMore) { purged * 2 } else { purged })
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        let state = self.enter().await;
        let place = |key: StoreKey| {
            let sign = if self.has(ScanIsSigned) { 0x80 } else { 0 };
            key.as_bytes().map(|byte| byte ^ sign)
        };
        let begins = |key: StoreKey| {
            after.is_none_or(|after| place(key) > place(after) || self.has(ScanBeginsAtItsKey) && key == after)
        };
        let shown = |row: &Row| !self.has(ScanHidesExpired) || !row.is_expired(NOW);
        let rows = state.rows.iter().filter(|(key, row)| begins(**key) && shown(row));
        let mut rows: Vec<_> = rows.map(|(key, row)| (*key, row.clone())).collect();
        rows.sort_by_key(|(key, _)| place(*key));
        rows.drain(..usize::from(self.has(ScanSkips) && after.is_some()).min(rows.len()));
        rows.truncate(limit);
        if self.has(ScanIsUnordered) {
            rows.reverse();
        }
        Ok(rows)
    }
}
