//! The store in memory against a model that is slow and plainly right: any calls in any order get the same
//! answers from both.
#![allow(clippy::unwrap_used, missing_docs)]

use std::collections::BTreeMap;

use futures_util::FutureExt;
use hardtack::{
    StoreError,
    store::{Admission, Beyond, Created, DeviceLimit, Facts, MemoryStore, Replaced, Row, Store, StoreKey},
};
use proptest::{collection::vec, prelude::*};

const OWNERS: [&str; 3] = ["ada", "bob", "eve"];

#[derive(Clone, Debug)]
enum Call {
    Create { key: StoreKey, row: Row, epoch: u64, limit: Option<DeviceLimit> },
    Load { key: StoreKey },
    Replace { key: StoreKey, version: u64, row: Row },
    Touch { key: StoreKey, seen: u64, deadline: u64 },
    Delete { key: StoreKey, until: u64 },
    OwnedBy { owner: usize },
    EndOwner { owner: usize, except: Option<StoreKey>, until: u64 },
    Purge { limit: usize },
    Scan { after: Option<StoreKey>, limit: usize },
    Wait { time: u64 },
}

#[derive(Default)]
struct Model {
    rows: BTreeMap<StoreKey, Row>,
    tombstones: BTreeMap<StoreKey, u64>,
    epochs: BTreeMap<&'static str, (u64, u64)>,
    epoch: u64,
}

impl Model {
    fn create(&mut self, key: StoreKey, row: Row, epoch: u64, limit: Option<DeviceLimit>, now: u64) -> Created {
        if self.rows.contains_key(&key) || self.tombstones.contains_key(&key) {
            return Created::Exists;
        }
        if let Some(owner) = row.owner() {
            if self.epochs.get(owner).is_some_and(|(raised, _)| *raised > epoch) {
                return Created::OwnerEnded;
            }
            if let Some(limit) = limit {
                let mut live: Vec<_> = self.owned_by(owner, now);
                live.sort_by_key(|(key, row)| (row.facts().created, *key));
                let excess = (live.len() + 1).saturating_sub(limit.most as usize);
                if excess > 0 && limit.beyond == Beyond::Refuse {
                    return Created::LimitReached;
                }
                live.truncate(excess);
                live.iter().for_each(|(key, row)| _ = self.delete(*key, row.facts().absolute_deadline));
            }
        }
        self.rows.insert(key, row);
        Created::Created
    }

    fn load(&self, key: StoreKey, now: u64) -> Option<Row> {
        self.rows.get(&key).filter(|row| !row.is_expired(now)).cloned()
    }

    fn replace(&mut self, key: StoreKey, version: u64, row: Row, now: u64) -> Replaced {
        let Some(before) = self.load(key, now) else { return Replaced::Gone };
        if before.facts().version != version {
            return Replaced::Conflict;
        }
        let facts = Facts { epoch: before.facts().epoch, ..*row.facts() };
        let (seen, deadline) = (row.last_seen(), row.idle_deadline());
        let row = Row::new(facts, before.owner(), row.label(), row.sealed(), seen, deadline);
        self.rows.insert(key, row.touched(before.last_seen(), before.idle_deadline()));
        Replaced::Replaced
    }

    fn touch(&mut self, key: StoreKey, seen: u64, deadline: u64) {
        if let Some(row) = self.rows.get_mut(&key) {
            *row = row.clone().touched(seen, deadline);
        }
    }

    fn delete(&mut self, key: StoreKey, until: u64) -> bool {
        let stands = self.tombstones.entry(key).or_default();
        *stands = until.max(*stands);
        self.rows.remove(&key).is_some()
    }

    fn of(&self, owner: &str) -> Vec<(StoreKey, Row)> {
        let theirs = self.rows.iter().filter(|(_, row)| row.owner() == Some(owner));
        theirs.map(|(key, row)| (*key, row.clone())).collect()
    }

    fn owned_by(&self, owner: &str, now: u64) -> Vec<(StoreKey, Row)> {
        self.of(owner).into_iter().filter(|(_, row)| !row.is_expired(now)).collect()
    }

    fn end_owner(&mut self, owner: &'static str, except: Option<StoreKey>, until: u64) -> u64 {
        self.epoch += 1;
        let entry = self.epochs.entry(owner).or_default();
        *entry = (self.epoch, until.max(entry.1));
        for (key, row) in self.of(owner) {
            if except == Some(key) {
                self.rows.insert(key, row.with_epoch(self.epoch));
            } else {
                self.delete(key, until);
            }
        }
        self.epoch
    }

    fn over(&self, now: u64) -> usize {
        self.rows.values().filter(|row| row.is_expired(now)).count()
            + self.tombstones.values().filter(|until| **until <= now).count()
            + self.epochs.values().filter(|(_, until)| *until <= now).count()
    }

    fn purge(&mut self, now: u64) {
        self.rows.retain(|_, row| !row.is_expired(now));
        self.tombstones.retain(|_, until| *until > now);
        self.epochs.retain(|_, (_, until)| *until > now);
    }

    fn scan(&self, after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)> {
        let above = self.rows.iter().filter(|(key, _)| after.is_none_or(|after| **key > after));
        above.take(limit).map(|(key, row)| (*key, row.clone())).collect()
    }
}

fn done<T>(call: impl Future<Output = Result<T, StoreError>>) -> T {
    call.now_or_never().unwrap().unwrap()
}

/// Keys in three parts of the store; those of one part begin with the same four bytes.
fn keys() -> impl Strategy<Value = StoreKey> {
    (0_u8..3, 0_u8..12).prop_map(|(part, last)| {
        let mut bytes = [part * 100; 16];
        bytes[15] = last;
        StoreKey::from_bytes(bytes)
    })
}

fn rows() -> impl Strategy<Value = Row> {
    let owner = proptest::option::of(0..OWNERS.len());
    (owner, 1_u64..3, 0_u64..50, 0_u64..400, 0_u64..400, 0_usize..40).prop_map(
        |(owner, version, created, idle_deadline, absolute_deadline, sealed)| {
            let facts = Facts {
                version,
                generation: 0,
                remembered: false,
                epoch: 0,
                created,
                authenticated: created,
                renewed: 0,
                absolute_deadline,
            };
            Row::new(facts, owner.map(|owner| OWNERS[owner]), None, &vec![1; sealed], created, idle_deadline)
        },
    )
}

fn calls() -> impl Strategy<Value = Call> {
    let beyond = prop_oneof![Just(Beyond::Refuse), Just(Beyond::EndOldest)];
    let limit = (1_u32..4, beyond).prop_map(|(most, beyond)| DeviceLimit { most, beyond });
    let limit = proptest::option::of(limit);
    prop_oneof![
        8 => (keys(), rows(), 0_u64..20, limit)
            .prop_map(|(key, row, epoch, limit)| Call::Create { key, row, epoch, limit }),
        2 => keys().prop_map(|key| Call::Load { key }),
        3 => (keys(), 1_u64..3, rows()).prop_map(|(key, version, row)| Call::Replace { key, version, row }),
        3 => (keys(), 0_u64..400, 0_u64..400).prop_map(|(key, seen, deadline)| Call::Touch { key, seen, deadline }),
        3 => (keys(), 0_u64..400).prop_map(|(key, until)| Call::Delete { key, until }),
        1 => (0..OWNERS.len()).prop_map(|owner| Call::OwnedBy { owner }),
        1 => (0..OWNERS.len(), proptest::option::of(keys()), 0_u64..400)
            .prop_map(|(owner, except, until)| Call::EndOwner { owner, except, until }),
        1 => (0_usize..20).prop_map(|limit| Call::Purge { limit }),
        1 => (proptest::option::of(keys()), 0_usize..20).prop_map(|(after, limit)| Call::Scan { after, limit }),
        3 => (0_u64..40).prop_map(|time| Call::Wait { time }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// D08, E06, E07: the contract, call by call.
    #[test]
    fn any_calls_get_the_answers_of_the_model(calls in vec(calls(), 0..300)) {
        let (store, mut model, mut now) = (MemoryStore::new(), Model::default(), 0);
        for call in calls {
            match call {
                Call::Create { key, row, epoch, limit } => {
                    let created = done(store.create(key, row.clone(), Admission { epoch, limit }, now));
                    prop_assert_eq!(created, model.create(key, row, epoch, limit, now));
                }
                Call::Load { key } => prop_assert_eq!(done(store.load(key, now)), model.load(key, now)),
                Call::Replace { key, version, row } => {
                    let replaced = done(store.replace(key, version, row.clone(), now));
                    prop_assert_eq!(replaced, model.replace(key, version, row, now));
                }
                Call::Touch { key, seen, deadline } => {
                    done(store.touch(key, seen, deadline));
                    model.touch(key, seen, deadline);
                }
                Call::Delete { key, until } => {
                    prop_assert_eq!(done(store.delete(key, until)), model.delete(key, until));
                }
                Call::OwnedBy { owner } => {
                    let mut owned = done(store.owned_by(OWNERS[owner], now));
                    owned.sort_by_key(|(key, _)| *key);
                    prop_assert_eq!(owned, model.owned_by(OWNERS[owner], now));
                }
                Call::EndOwner { owner, except, until } => {
                    let epoch = done(store.end_owner(OWNERS[owner], except, until));
                    prop_assert_eq!(epoch, model.end_owner(OWNERS[owner], except, until));
                    prop_assert_eq!(done(store.epoch()), epoch);
                }
                Call::Purge { limit } => {
                    let over = model.over(now);
                    prop_assert_eq!(done(store.purge(now, limit)), over.min(limit));
                    prop_assert_eq!(done(store.purge(now, 1_000)), over - over.min(limit));
                    model.purge(now);
                }
                Call::Scan { after, limit } => {
                    prop_assert_eq!(done(store.scan(after, limit)), model.scan(after, limit));
                }
                Call::Wait { time } => now += time,
            }
        }
        prop_assert_eq!(done(store.scan(None, 1_000)), model.scan(None, 1_000));
        done(store.purge(u64::MAX, 1_000));
        prop_assert_eq!(format!("{store:?}"), "MemoryStore { sessions: 0, bytes: 0, stray_bytes: 0 }");
    }
}
