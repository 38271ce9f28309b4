//! What the store in memory promises beyond the contract: bounds, room for people who sign in, an index that
//! is exact when threads race, and memory that comes back. A binary of its own, because it counts
//! allocations.
#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
};

use allocation_counter::measure;
use futures_util::FutureExt;
use hardtack::{
    StoreError,
    store::{Admission, Beyond, Created, DeviceLimit, Facts, MemoryStore, Replaced, Row, Store, StoreKey},
};

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
const OPEN: Admission = Admission { epoch: 0, limit: None };

/// The store answers at once: it has nothing to wait for.
fn at_once<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    call.now_or_never().unwrap()
}

fn done<T>(call: impl Future<Output = Result<T, StoreError>>) -> T {
    at_once(call).unwrap()
}

/// Evenly distributed keys, as those of real sessions are.
fn key(number: u64) -> StoreKey {
    let mut bytes = [0; 16];
    for (salt, half) in bytes.chunks_exact_mut(8).enumerate() {
        let mut word = (number * 2 + salt as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        half.copy_from_slice(&(word ^ (word >> 31)).to_be_bytes());
    }
    StoreKey::from_bytes(bytes)
}

fn facts(version: u64, epoch: u64, created: u64) -> Facts {
    let absolute_deadline = NOW + 24 * HOUR;
    Facts { version, generation: 0, remembered: false, epoch, created, authenticated: 0, renewed: 0, absolute_deadline }
}

fn row(owner: Option<&str>, sealed: usize, idle_deadline: u64) -> Row {
    Row::new(facts(1, 0, NOW), owner, None, &vec![7; sealed], NOW, idle_deadline)
}

fn hour_of(owner: Option<&str>) -> Row {
    row(owner, 200, NOW + HOUR)
}

/// How many rows the store takes until it is full, and what it says then.
fn fill(store: &MemoryStore, keys: impl IntoIterator<Item = u64>, row: &Row) -> (usize, String) {
    for (taken, number) in keys.into_iter().enumerate() {
        match at_once(store.create(key(number), row.clone(), OPEN, NOW)) {
            Ok(created) => assert_eq!(created, Created::Created),
            Err(full) => return (taken, full.to_string()),
        }
    }
    panic!("never full");
}

/// J09: the number of sessions is bounded. The answer names the limit, and everything but growing goes on.
#[test]
fn a_full_store_says_so_and_keeps_what_it_has() {
    let store = MemoryStore::with_limits(10, 1 << 20);
    let (taken, full) = fill(&store, 0.., &hour_of(Some("ada")));
    assert_eq!(taken, 10);
    assert!(full.contains("the 10 sessions that MemoryStore::with_limits allows"), "{full}");
    for number in 0..10 {
        assert!(done(store.load(key(number), NOW)).is_some());
        done(store.touch(key(number), NOW + 1, NOW + 2 * HOUR));
    }
    let next = Row::new(facts(2, 0, NOW), Some("ada"), None, &[7; 200], NOW, NOW + HOUR);
    assert_eq!(done(store.replace(key(3), 1, next, NOW)), Replaced::Replaced);
    assert_eq!(done(store.create(key(3), hour_of(None), OPEN, NOW)), Created::Exists);
    assert!(done(store.delete(key(4), NOW + HOUR)));
    assert_eq!(fill(&store, 10.., &hour_of(Some("ada"))).0, 1);
}

/// J09: so is the number of bytes, and a write that grows a row is asked as well as a new one.
#[test]
fn the_limit_in_bytes_holds_for_new_rows_and_for_larger_ones() {
    let store = MemoryStore::with_limits(1_000, 100_000);
    let cost = hour_of(Some("ada")).size() + 112;
    let (taken, full) = fill(&store, 0.., &hour_of(Some("ada")));
    assert_eq!(taken, 100_000 / cost);
    assert!(full.contains("the 100000 bytes that"), "{full}");
    let write = |version, sealed: usize| {
        let row = Row::new(facts(version + 1, 0, NOW), Some("ada"), None, &vec![8; sealed], NOW, NOW + HOUR);
        at_once(store.replace(key(0), version, row, NOW)).map_err(|error| error.to_string())
    };
    assert!(write(1, 200 + cost).unwrap_err().contains("full"));
    assert_eq!(done(store.load(key(0), NOW)).unwrap().sealed(), [7; 200]);
    assert_eq!(write(1, 200), Ok(Replaced::Replaced));
    assert_eq!(write(2, 0), Ok(Replaced::Replaced));
    assert_eq!(write(2, 200 + cost), Ok(Replaced::Conflict));
    assert_eq!(write(3, 200), Ok(Replaced::Replaced));
}

/// J09: a flood of visitors who are nobody takes half of the store, its tombstones included; people sign in.
#[test]
fn visitors_without_an_owner_never_keep_people_from_signing_in() {
    let store = MemoryStore::with_limits(100, 1 << 20);
    let (taken, full) = fill(&store, 0.., &hour_of(None));
    assert_eq!(taken, 50);
    assert!(full.contains("the 50 sessions without an owner that"), "{full}");
    assert_eq!(fill(&store, 1_000.., &hour_of(Some("ada"))).0, 50);
    done(store.end_owner("ada", None, NOW + HOUR));
    assert_eq!(fill(&store, 2_000.., &hour_of(Some("bob"))).0, 50, "the visitors' half is still taken");

    let store = MemoryStore::with_limits(100, 1 << 20);
    assert_eq!(fill(&store, 0.., &hour_of(Some("ada"))).0, 100);
    assert!((1_000..1_100).all(|number| at_once(store.create(key(number), hour_of(None), OPEN, NOW)).is_err()));
    done(store.end_owner("ada", None, NOW + HOUR));
    assert_eq!(fill(&store, 2_000.., &hour_of(None)).0, 50, "what was refused takes nothing");

    let store = MemoryStore::with_limits(100_000, 1 << 20);
    let mut flood = 0;
    while at_once(store.create(key(flood), hour_of(None), OPEN, NOW)).is_ok() {
        assert!(done(store.delete(key(flood), NOW + HOUR)));
        flood += 1;
    }
    assert!(flood > (1 << 19) / hour_of(None).size() as u64, "tombstones are smaller than rows");
    let half = (1 << 19) / (hour_of(Some("ada")).size() + 112);
    assert!(fill(&store, 1_000_000.., &hour_of(Some("ada"))).0 >= half);
}

/// J09: what is over makes room first, without a purge.
#[test]
fn a_full_store_removes_what_is_over_before_it_refuses() {
    let store = MemoryStore::with_limits(1_000, 1 << 20);
    assert_eq!(fill(&store, 0.., &hour_of(Some("ada"))).0, 1_000);
    let late = row(Some("bob"), 200, NOW + 2 * HOUR);
    let create = |number, now| at_once(store.create(key(number), late.clone(), OPEN, now));
    assert!(create(5_000, NOW + HOUR - 1).is_err());
    for number in 5_000..6_000 {
        assert_eq!(create(number, NOW + HOUR).unwrap(), Created::Created);
    }
    assert!(create(6_000, NOW + HOUR).is_err());
    assert_eq!(done(store.owned_by("bob", NOW + HOUR)).len(), 1_000);
    assert_eq!(done(store.scan(None, 2_000)).len(), 1_000);
}

/// E07: where no room is left, a session ends nevertheless, and what marks its end is there.
#[test]
fn ending_a_session_needs_no_room() {
    let store = MemoryStore::with_limits(1_000, 100_000);
    let (taken, _) = fill(&store, 0.., &hour_of(Some("ada")));
    assert!(done(store.delete(key(0), NOW + HOUR)));
    assert_eq!(done(store.end_owner("ada", Some(key(1)), NOW + HOUR)), 1);
    assert_eq!(done(store.owned_by("ada", NOW)).len(), 1);
    for number in 0..taken as u64 {
        assert_eq!(done(store.load(key(number), NOW)).is_some(), number == 1);
        assert_eq!(done(store.create(key(number), hour_of(None), OPEN, NOW)), Created::Exists);
    }
}

/// E07: tombstones without a row have a room of their own. When it is full that is an error, never a logout
/// that does not hold; sessions still end and begin.
#[test]
fn tombstones_without_a_row_are_bounded_and_not_forgotten() {
    let store = MemoryStore::with_limits(1_000, 96_000);
    let refused = (0..).find(|number| at_once(store.delete(key(*number), NOW + HOUR)).is_err()).unwrap();
    assert_eq!(refused, 12_000 / 96);
    for number in 0..refused {
        assert!(!done(store.delete(key(number), NOW + HOUR)), "a tombstone that is there needs no room");
        assert_eq!(done(store.create(key(number), hour_of(None), OPEN, NOW)), Created::Exists);
    }
    assert_eq!(done(store.create(key(500), hour_of(None), OPEN, NOW)), Created::Created);
    assert!(done(store.delete(key(500), NOW + 2 * HOUR)));
    assert_eq!(done(store.purge(NOW + HOUR - 1, usize::MAX)), 0);
    assert_eq!(done(store.purge(NOW + HOUR, usize::MAX)), refused as usize);
    assert!(!done(store.delete(key(refused), NOW + HOUR)));
}

/// E07: an owner's epoch for which there is no room counts for everybody, so that no sign-in slips through.
#[test]
fn an_ending_without_room_ends_the_sign_ins_of_all() {
    let store = MemoryStore::with_limits(1_000, 96_000);
    let sign_in = |owner, number, epoch| {
        done(store.create(key(number), hour_of(Some(owner)), Admission { epoch, limit: None }, NOW))
    };
    assert_eq!(done(store.end_owner("ada", None, NOW + HOUR)), 1);
    assert_eq!(sign_in("ada", 1, 0), Created::OwnerEnded);
    assert_eq!(sign_in("bob", 2, 0), Created::Created);
    let _ = (1_000..).find(|number| at_once(store.delete(key(*number), NOW + HOUR)).is_err());
    assert_eq!(done(store.end_owner("eve", None, NOW + HOUR)), 2);
    assert_eq!(sign_in("eve", 3, 1), Created::OwnerEnded);
    assert_eq!(sign_in("bob", 4, 1), Created::OwnerEnded);
    assert_eq!(sign_in("eve", 3, done(store.epoch())), Created::Created);
    assert!(done(store.load(key(2), NOW)).is_some());
}

/// D08: a purge removes what is over, as many as allowed and never less, whatever moved the deadlines.
#[test]
fn a_purge_takes_exactly_what_is_over() {
    let store = MemoryStore::new();
    let mut deadlines = BTreeMap::new();
    for number in 0..3_000_u64 {
        let deadline = NOW + 1 + number * 7_919 % 3_000;
        let owner = (number % 3 != 0).then_some("ada");
        done(store.create(key(number), row(owner, 20, deadline), OPEN, NOW));
        deadlines.insert(number, deadline);
    }
    for number in (0..3_000).step_by(2) {
        let deadline = NOW + 1_000 + number;
        done(store.touch(key(number), NOW, deadline));
        deadlines.entry(number).and_modify(|before| *before = deadline.max(*before));
    }
    for number in (0..3_000).step_by(5) {
        done(store.delete(key(number), NOW + 500));
        deadlines.insert(number, NOW + 500);
    }
    for now in (NOW..NOW + 5_000).step_by(250) {
        let over = deadlines.values().filter(|deadline| **deadline <= now).count();
        deadlines.retain(|_, deadline| *deadline > now);
        assert_eq!(done(store.purge(now, over / 2)), over / 2);
        assert_eq!(done(store.purge(now, over + 1)), over - over / 2);
    }
    assert!(deadlines.is_empty());
    assert_eq!(format!("{store:?}"), "MemoryStore { sessions: 0, bytes: 0, stray_bytes: 0 }");
}

/// J09: the bytes that are counted are more than those that are allocated, so the limit is one of the process.
/// What a purge removed is given back.
#[test]
fn the_process_takes_no_more_than_the_limit_and_gives_it_back() {
    let (limit, fixed) = (8 << 20, 128 << 10);
    let heap = |run: &dyn Fn() -> MemoryStore| {
        let mut store = None;
        let bytes = measure(|| store = Some(run())).bytes_current;
        (store.unwrap(), bytes)
    };
    for sealed in [0, 200, 2_000] {
        let (store, bytes) = heap(&|| {
            let store = MemoryStore::with_limits(1 << 20, limit);
            for number in 0.. {
                let row = row(Some(&format!("user {number}")), sealed, NOW + HOUR);
                if at_once(store.create(key(number), row, OPEN, NOW)).is_err() {
                    return store;
                }
            }
            store
        });
        assert!(bytes < (limit + fixed) as i64, "{bytes} bytes for {store:?} of {sealed}");
        assert!(bytes > limit as i64 / 2, "{bytes} bytes for {store:?} of {sealed}");
        let freed = measure(|| {
            let rows = done(store.scan(None, usize::MAX));
            assert!(rows.iter().all(|(key, _)| done(store.delete(*key, NOW + HOUR))));
        });
        assert!(bytes + freed.bytes_current < (limit + fixed) as i64, "{store:?}");
        let freed =
            freed.bytes_current + measure(|| assert!(done(store.purge(u64::MAX, usize::MAX)) > 0)).bytes_current;
        assert!(bytes + freed < fixed as i64, "{} bytes are left", bytes + freed);
    }
}

/// E06: of many sign-ins at once as many succeed as are allowed, or as many stay.
#[test]
fn the_device_limit_holds_for_sign_ins_at_once() {
    for beyond in [Beyond::Refuse, Beyond::EndOldest] {
        let store = MemoryStore::new();
        let admission = Admission { epoch: 0, limit: Some(DeviceLimit { most: 3, beyond }) };
        let sign_in = |thread: u64, owner: u64, number| {
            let owner_name = format!("user {owner}");
            let row = Row::new(facts(1, 0, NOW + number), Some(&owner_name), None, &[], NOW, NOW + HOUR);
            done(store.create(key(thread << 40 | owner << 20 | number), row, admission, NOW)) == Created::Created
        };
        let created: usize = thread::scope(|scope| {
            let sign_in = &sign_in;
            let many = |thread| {
                let all = (0..500).flat_map(|owner| (0..4).map(move |number| (owner, number)));
                all.filter(|(owner, number)| sign_in(thread, *owner, *number)).count()
            };
            let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || many(thread))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        });
        assert_eq!(created, 500 * if beyond == Beyond::Refuse { 3 } else { 16 });
        assert!((0..500).all(|owner| done(store.owned_by(&format!("user {owner}"), NOW)).len() == 3));
        assert_eq!(done(store.scan(None, 10_000)).len(), 1_500);
    }
}

/// E06: the sessions that were created first end, and are not made again.
#[test]
fn the_oldest_sessions_make_room() {
    let store = MemoryStore::new();
    let limit = DeviceLimit { most: 2, beyond: Beyond::EndOldest };
    let sign_in = |number, created, limit| {
        let row = Row::new(facts(1, 0, created), Some("ada"), None, &[], NOW, NOW + HOUR);
        done(store.create(key(number), row, Admission { epoch: 0, limit }, NOW))
    };
    for (number, created) in [(1, NOW + 5), (2, NOW + 1), (3, NOW + 9), (4, NOW + 3)] {
        assert_eq!(sign_in(number, created, None), Created::Created);
    }
    assert_eq!(sign_in(5, NOW + 10, Some(limit)), Created::Created);
    let left = |number| done(store.load(key(number), NOW)).is_some();
    assert_eq!([1, 2, 3, 4, 5].map(left), [false, false, true, false, true]);
    assert_eq!(sign_in(2, NOW + 11, None), Created::Exists);
}

/// E07: a sign-in that read its epoch before an ending does not survive it, however they race.
#[test]
fn no_sign_in_survives_an_ending_that_it_raced() {
    let (store, over) = (MemoryStore::new(), AtomicBool::new(false));
    thread::scope(|scope| {
        scope.spawn(|| {
            for number in (0..).take_while(|_| !over.load(Relaxed)) {
                let epoch = done(store.epoch());
                let row = Row::new(facts(1, epoch, NOW), Some("ada"), None, &[], NOW, NOW + HOUR);
                done(store.create(key(number), row, Admission { epoch, limit: None }, NOW));
            }
        });
        for _ in 0..4_000 {
            let epoch = done(store.end_owner("ada", None, NOW));
            let survivors = done(store.owned_by("ada", NOW));
            if survivors.iter().any(|(_, row)| row.facts().epoch < epoch) {
                over.store(true, Relaxed);
                panic!("survived {epoch}: {survivors:?}");
            }
            done(store.purge(NOW, 100));
        }
        over.store(true, Relaxed);
    });
    done(store.end_owner("ada", None, NOW + HOUR));
    assert!(done(store.scan(None, usize::MAX)).is_empty());
}

/// D08: a session that was touched before its purge stays, with its place in the owner's index.
#[test]
fn a_purge_does_not_take_what_a_touch_saved() {
    for round in 0..200 {
        let store = MemoryStore::new();
        for number in 0..64 {
            done(store.create(key(round << 20 | number), row(Some("ada"), 0, NOW + HOUR), OPEN, NOW));
        }
        let touched = |number| {
            let key = key(round << 20 | number);
            done(store.touch(key, NOW + HOUR, NOW + 2 * HOUR));
            done(store.load(key, NOW + HOUR)).is_some()
        };
        let saved = thread::scope(|scope| {
            let saved = scope.spawn(|| (0..64).filter(|number| touched(*number)).count());
            while !saved.is_finished() {
                done(store.purge(NOW + HOUR, 1));
            }
            saved.join().unwrap()
        });
        assert_eq!(done(store.scan(None, 100)).len(), saved);
        assert_eq!(done(store.owned_by("ada", NOW + HOUR)).len(), saved);
    }
}

/// E07: after every race of every call, the rows and the owners' index tell the same, and nothing is counted that
/// is not there.
#[test]
fn the_index_is_exact_after_a_storm() {
    let store = MemoryStore::new();
    let owners = [None, Some("ada"), Some("bob")];
    thread::scope(|scope| {
        for thread in 1..=4_u64 {
            let (store, owners) = (&store, &owners);
            scope.spawn(move || {
                let mut dice = thread;
                for _ in 0..20_000 {
                    dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let number = dice >> 33;
                    let (key, now) = (key(number / 64 % 48), NOW + number / 4_096 % 64);
                    let row = row(owners[(number / 8 % 3) as usize], 20, now + 30 + number / 512 % 50);
                    match number % 8 {
                        0 => drop(done(store.delete(key, now))),
                        1 => drop(done(store.replace(key, 1, row, now))),
                        2 => done(store.touch(key, now, now + 60)),
                        3 => drop(done(store.purge(now, 5))),
                        4 if number % 512 == 4 => drop(done(store.end_owner("ada", Some(key), now))),
                        _ => {
                            let epoch = done(store.epoch());
                            done(store.create(key, row, Admission { epoch, limit: None }, now));
                        }
                    }
                }
            });
        }
    });
    let mut rows = done(store.scan(None, usize::MAX));
    assert!(!rows.is_empty());
    rows.retain(|(_, row)| row.owner().is_some());
    let mut owned: Vec<_> = ["ada", "bob"].iter().flat_map(|owner| done(store.owned_by(owner, 0))).collect();
    owned.sort_by_key(|(key, _)| *key);
    assert_eq!(owned, rows);
    done(store.purge(u64::MAX, usize::MAX));
    assert_eq!(format!("{store:?}"), "MemoryStore { sessions: 0, bytes: 0, stray_bytes: 0 }");
}

/// Two layers of one program share it.
#[test]
fn a_clone_is_the_same_store() {
    let store = MemoryStore::default();
    done(store.create(key(1), hour_of(Some("ada")), OPEN, NOW));
    let clone = store.clone();
    assert!(done(clone.delete(key(1), NOW + HOUR)));
    assert!(done(store.load(key(1), NOW)).is_none());
}
