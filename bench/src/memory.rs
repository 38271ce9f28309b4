//! Stores in memory, each with a million sessions: what a load, a session and the end of many sessions cost.
//!
//! The floor is a map in 64 parts, each behind a lock, that keeps no more than a deadline and 200 bytes under 16: no
//! owners, no tombstones, no limits, no index by time. hardtack's sealed part is 200 bytes too;
//! tower-sessions keeps the 183 bytes of JSON of the other tables as a map of values.

use std::collections::HashMap;
use std::error::Error;
use std::hash::{BuildHasherDefault, Hasher};
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};
use std::{io, thread};

use hardtack::store::{Admission, Created, Facts, MemoryStore, Row, Store as _, StoreKey};
use tower_sessions::SessionStore as _;
use tower_sessions::cookie::time;
use tower_sessions::session::{Id, Record};

use crate::measure::Measured;
use crate::payload::Payload;

const SESSIONS: u64 = 1_000_000;
/// Every tenth session ends early.
const EARLY: u64 = 10;
const SEALED: usize = 200;
const NOW: u64 = 1_800_000_000_000;
const SOON: u64 = NOW + 60_000;
const LATE: u64 = NOW + 3_600_000;
/// What one call of a purge may remove.
const BATCH: usize = 64;

const BARE: &str = "bare map in 64 parts";
const OURS: &str = "hardtack MemoryStore";
const TOWER: &str = "tower-sessions MemoryStore";

type Key = [u8; 16];
type BareMap = HashMap<Key, (u64, Arc<[u8]>), BuildHasherDefault<Itself>>;
type Load<'a> = dyn Fn(Key) -> bool + Sync + 'a;
/// Gets rid of what is over: the longest time under a lock, and all of it.
type Ending = fn() -> [Duration; 2];

/// Loads by one thread and by two, every store in turn. Both cores take part, so the process must not be pinned to one.
pub fn loads(rounds: usize) -> Vec<Measured> {
    let keys: Vec<Key> = (0..SESSIONS).map(key).collect();
    let (bare, ours, tower) = (bare(64), ours(true), tower());
    let rows: [(&str, u64, &Load); 3] = [
        (BARE, 200_000, &|key| bare_load(&bare, key)),
        (OURS, 200_000, &|key| at_once(ours.load(StoreKey::from_bytes(key), NOW)).is_ok_and(|row| row.is_some())),
        (TOWER, 10_000, &|key| at_once(tower.load(&id(key))).is_ok_and(|record| record.is_some())),
    ];
    let columns = [("1 thread", 1), ("2 threads", 2)];
    let cell = |row, column| Measured { table: "memory-load", row, column, reference: BARE, samples: Vec::new() };
    let mut measured: Vec<_> =
        rows.iter().flat_map(|(row, ..)| columns.map(|(column, _)| cell(*row, column))).collect();
    for round in 0..rounds as u64 {
        for ((_, times, load), cells) in rows.iter().zip(measured.chunks_exact_mut(columns.len())) {
            for ((_, threads), cell) in columns.iter().zip(cells) {
                let taken = load_at_once(*load, &keys, round, *threads, *times);
                cell.samples.push(taken.as_nanos() as f64 / (threads * times) as f64);
            }
        }
    }
    measured
}

/// How long the slowest of the threads takes for its loads, all having begun together.
fn load_at_once(load: &Load, keys: &[Key], round: u64, threads: u64, times: u64) -> Duration {
    let barrier = Barrier::new(threads as usize);
    let run = |thread: u64| {
        barrier.wait();
        let start = Instant::now();
        load_random(load, keys, round * threads + thread, times);
        start.elapsed()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..threads)
            .map(|thread| {
                let run = &run;
                scope.spawn(move || run(thread))
            })
            .collect();
        threads.into_iter().filter_map(|thread| thread.join().ok()).max().unwrap_or_default()
    })
}

fn load_random(load: &Load, keys: &[Key], seed: u64, times: u64) {
    let mut dice = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut found = 0;
    for _ in 0..times {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        found += u64::from(black_box(load(keys[(dice % SESSIONS) as usize])));
    }
    assert_eq!(found, times, "every session is there");
}

/// The bytes of heap of each store by a counter of the heap, in the form of [`crate::results::Allocations`].
pub fn heap(used: impl Fn() -> u64) -> Vec<(String, f64)> {
    let per_session = |row: &str, build: &dyn Fn() -> Box<dyn Send>| {
        let before = used();
        let store = build();
        let bytes = (used() - before) as f64 / SESSIONS as f64;
        drop(store);
        (format!("memory-heap\t{row}\tbytes"), bytes)
    };
    vec![
        per_session(BARE, &|| Box::new(bare(64))),
        per_session("hardtack MemoryStore, an owner each", &|| Box::new(ours(true))),
        per_session("hardtack MemoryStore, without owners", &|| Box::new(ours(false))),
        per_session(TOWER, &|| Box::new(tower())),
    ]
}

/// The counted bytes as cells of a table.
pub fn heap_measured(counted: &HashMap<String, f64>) -> Vec<Measured> {
    let rows = [BARE, "hardtack MemoryStore, an owner each", "hardtack MemoryStore, without owners", TOWER];
    let measured = rows.map(|row| Measured {
        table: "memory-heap",
        row,
        column: "bytes",
        reference: BARE,
        samples: counted.get(&format!("memory-heap\t{row}\tbytes")).copied().into_iter().collect(),
    });
    measured.into_iter().filter(|measured| !measured.samples.is_empty()).collect()
}

/// What it costs to be rid of every tenth session: the longest time that a lock was held, and all of it. tower-sessions
/// has no such operation.
pub fn expiry(rounds: usize) -> Vec<Measured> {
    let rows: [(&str, Ending); 3] = [
        ("bare map, retain", || retain(1)),
        ("bare map in 64 parts, retain", || retain(64)),
        ("hardtack MemoryStore, purge", purge),
    ];
    let cell = |row, column| Measured {
        table: "memory-expiry",
        row,
        column,
        reference: "bare map, retain",
        samples: Vec::new(),
    };
    let mut measured: Vec<_> =
        rows.iter().flat_map(|(row, _)| [cell(*row, "longest pause"), cell(*row, "in all")]).collect();
    for _ in 0..rounds {
        for ((_, run), cells) in rows.iter().zip(measured.chunks_exact_mut(2)) {
            for (cell, time) in cells.iter_mut().zip(run()) {
                cell.samples.push(time.as_secs_f64() * 1e3);
            }
        }
    }
    measured
}

fn retain(parts: usize) -> [Duration; 2] {
    let map = bare(parts);
    let times = map.iter().map(|part| {
        let start = Instant::now();
        part.lock().unwrap_or_else(PoisonError::into_inner).retain(|_, (deadline, _)| *deadline > SOON);
        start.elapsed()
    });
    longest_and_all(times)
}

/// One call of a purge holds a lock no longer than it takes.
fn purge() -> [Duration; 2] {
    let store = ours(true);
    let mut removed = 0;
    let times = std::iter::from_fn(|| {
        let start = Instant::now();
        let batch = at_once(store.purge(SOON, BATCH)).unwrap_or_default();
        removed += batch;
        (batch > 0).then(|| start.elapsed())
    });
    let times = longest_and_all(times);
    assert_eq!(removed as u64, SESSIONS / EARLY);
    times
}

fn longest_and_all(times: impl Iterator<Item = Duration>) -> [Duration; 2] {
    times.fold([Duration::ZERO; 2], |[longest, all], time| [longest.max(time), all + time])
}

/// Lets the threads that this one starts run on both cores, or on the one that the other sections use.
pub fn use_cores(cores: &str) -> Result<(), Box<dyn Error>> {
    let status = Command::new("taskset").args(["-pc", cores]).arg(std::process::id().to_string()).output()?.status;
    if status.success() { Ok(()) } else { Err(io::Error::other("taskset failed").into()) }
}

fn bare(parts: usize) -> Box<[Mutex<BareMap>]> {
    let map: Box<[Mutex<BareMap>]> = (0..parts).map(|_| Mutex::default()).collect();
    for number in 0..SESSIONS {
        let key = key(number);
        let mut part = map[usize::from(key[15]) % parts].lock().unwrap_or_else(PoisonError::into_inner);
        part.insert(key, (deadline(number), [7; SEALED].into()));
    }
    map
}

fn bare_load(map: &[Mutex<BareMap>], key: Key) -> bool {
    let part = map[usize::from(key[15]) % map.len()].lock().unwrap_or_else(PoisonError::into_inner);
    let data = part.get(&key).filter(|(deadline, _)| *deadline > NOW).map(|(_, data)| data.clone());
    drop(part);
    black_box(data).is_some()
}

fn ours(owned: bool) -> MemoryStore {
    // Rows without an owner have half of a store.
    let store = if owned { MemoryStore::new() } else { MemoryStore::with_limits(2 * SESSIONS as usize, 2 << 30) };
    for number in 0..SESSIONS {
        let facts = Facts {
            version: 1,
            generation: 0,
            remembered: false,
            epoch: 0,
            created: NOW,
            authenticated: NOW,
            renewed: 0,
            absolute_deadline: NOW + 86_400_000,
        };
        let owner = owned.then(|| format!("user-{number}"));
        let row = Row::new(facts, owner.as_deref(), None, &[7; SEALED], NOW, deadline(number));
        let admission = Admission { epoch: 0, limit: None };
        let created = at_once(store.create(StoreKey::from_bytes(key(number)), row, admission, NOW));
        assert!(matches!(created, Ok(Created::Created)), "{created:?}");
    }
    store
}

fn tower() -> tower_sessions::MemoryStore {
    let store = tower_sessions::MemoryStore::default();
    let data = serde_json::to_value(Payload::medium()).expect("a payload is JSON");
    let data: HashMap<_, _> = data.as_object().expect("of fields").clone().into_iter().collect();
    let expiry_date = time::OffsetDateTime::now_utc() + time::Duration::days(1);
    for number in 0..SESSIONS {
        let record = Record { id: id(key(number)), data: data.clone(), expiry_date };
        at_once(store.save(&record)).expect("the memory store has no faults");
    }
    store
}

fn id(key: Key) -> Id {
    Id(i128::from_le_bytes(key))
}

fn deadline(number: u64) -> u64 {
    if number.is_multiple_of(EARLY) { SOON - number % 1_000 } else { LATE + number % 3_600_000 }
}

/// Evenly distributed, as the keys of sessions are.
fn key(number: u64) -> Key {
    let mut key = [0; 16];
    for (salt, half) in key.chunks_exact_mut(8).enumerate() {
        let mut word = (number * 2 + salt as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        half.copy_from_slice(&(word ^ (word >> 31)).to_be_bytes());
    }
    key
}

/// Polls until the future is ready, and lets the other thread have its turn meanwhile: that of tower-sessions waits for a
/// lock.
fn at_once<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::yield_now(),
        }
    }
}

/// Keys are hashes already.
#[derive(Default)]
struct Itself(u64);

impl Hasher for Itself {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes.first_chunk().copied().map_or(0, u64::from_ne_bytes);
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0
    }
}
