//! [`Known`]: what the feed told that speaks against copies.
//!
//! An entry is kept as long as a copy that it speaks against could be trusted, and no longer. The memory is
//! bounded: endings of signed-in sessions, of anonymous ones, renewals and owners have a budget each, so that no
//! flood of one pushes out another. When one is full, copies of its class from before this moment ask the store:
//! that costs each of them one read and forgets nothing.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{PoisonError, RwLock},
};

use crate::{
    events,
    record::{Handle, Header},
    revocation::OwnerHash,
    store::feed::{News, Told},
};

/// The most entries of each budget: at most about 5 MB each.
const MOST: usize = 100_000;

pub(crate) struct Known {
    /// How long an entry is kept, in milliseconds.
    keep: u64,
    /// By how much the clock that confirmed a copy may be ahead, in milliseconds.
    skew: u64,
    tables: RwLock<Tables>,
}

#[derive(Default)]
struct Tables {
    /// Copies that were confirmed before it ask the store.
    floor: u64,
    signed_in: Budget<Handle, ()>,
    anonymous: Budget<Handle, ()>,
    generations: Budget<Handle, u32>,
    epochs: Budget<OwnerHash, u64>,
}

impl Known {
    pub(crate) fn new(keep: u64, skew: u64) -> Self {
        Self { keep, skew, tables: RwLock::default() }
    }

    /// Whether the store must be asked about this copy.
    pub(crate) fn speaks_against(&self, header: &Header) -> bool {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let Header { confirmed, handle, .. } = header;
        let owner = header.owner.as_deref();
        let ended = if owner.is_some() { &tables.signed_in } else { &tables.anonymous };
        *confirmed < tables.floor.max(ended.floor).max(tables.generations.floor)
            || ended.get(handle).is_some()
            || tables.generations.get(handle).is_some_and(|generation| header.generation < generation)
            || owner.is_some_and(|owner| {
                *confirmed < tables.epochs.floor
                    || !tables.epochs.entries.is_empty()
                        && tables.epochs.get(&OwnerHash::of(owner)).is_some_and(|epoch| header.epoch < epoch)
            })
    }

    /// Remembers news. What is said of rows elsewhere is not about copies.
    pub(crate) fn hear(&self, news: &[News], now: u64) {
        if news.is_empty() {
            return;
        }
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        let times = Times { now, until: now.saturating_add(self.keep), floor: now.saturating_add(self.skew) };
        for News(told) in news {
            match *told {
                Told::Ended { key, owned: true } => tables.signed_in.add(key.into(), (), times),
                Told::Ended { key, owned: false } => tables.anonymous.add(key.into(), (), times),
                Told::Renewed { key, generation } => tables.generations.add(key.into(), generation, times),
                Told::OwnerEnded { owner, epoch } => tables.epochs.add(owner, epoch, times),
                Told::Revoked(_) | Told::Mark { .. } => {}
            }
        }
    }

    /// Something may have been told that was not heard: every copy from before now asks the store.
    pub(crate) fn distrust(&self, now: u64) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        tables.floor = tables.floor.max(now.saturating_add(self.skew));
    }
}

#[derive(Clone, Copy)]
struct Times {
    now: u64,
    until: u64,
    floor: u64,
}

struct Budget<K, V> {
    entries: HashMap<K, (V, u64)>,
    floor: u64,
}

impl<K, V> Default for Budget<K, V> {
    fn default() -> Self {
        Self { entries: HashMap::new(), floor: 0 }
    }
}

impl<K: Eq + Hash, V: Copy + Ord> Budget<K, V> {
    fn get(&self, key: &K) -> Option<V> {
        self.entries.get(key).map(|(value, _)| *value)
    }

    fn add(&mut self, key: K, value: V, times: Times) {
        let (known, kept) = self.entries.entry(key).or_insert((value, times.until));
        *known = value.max(*known);
        *kept = times.until.max(*kept);
        if self.entries.len() <= MOST {
            return;
        }
        self.entries.retain(|_, (_, until)| *until > times.now);
        // Room for a sixteenth of the budget, so that its cost is spread over as many.
        if self.entries.len() > MOST - MOST / 16 {
            events::distrusted();
            self.entries.clear();
            self.floor = self.floor.max(times.floor);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{Kind, SessionId};

    const NOW: u64 = 1_800_000_000_000;
    const KEEP: u64 = 360_000;
    const SKEW: u64 = 120_000;

    fn header(number: u64, owner: Option<&str>, confirmed: u64) -> Header {
        let mut handle = [0; 16];
        handle[..8].copy_from_slice(&number.to_be_bytes());
        Header {
            kind: Kind::Stored,
            remembered: false,
            id: SessionId([1; 32]),
            handle: Handle(handle),
            generation: 1,
            epoch: 1,
            created: NOW,
            authenticated: 0,
            confirmed,
            last_seen: NOW,
            idle_deadline: NOW,
            absolute_deadline: NOW,
            version: 1,
            owner: owner.map(Into::into),
            renewed: 0,
            label: None,
        }
    }

    fn ended(number: u64, owner: Option<&str>) -> News {
        News::ended(header(number, owner, NOW).handle.into(), owner.is_some())
    }

    /// J09: a million anonymous endings push out no logout; when their own budget is full, anonymous copies from
    /// before ask the store, and those from after it are trusted again.
    #[test]
    fn a_flood_of_anonymous_endings_pushes_out_no_logout() {
        let known = Known::new(KEEP, SKEW);
        known.hear(&[ended(7, Some("ada"))], NOW);
        for chunk in 0..100 {
            let flood: Vec<_> = (0..10_000).map(|at| ended(1_000 + chunk * 10_000 + at, None)).collect();
            known.hear(&flood, NOW);
        }
        assert!(known.speaks_against(&header(7, Some("ada"), NOW)), "the logout is remembered");
        assert!(!known.speaks_against(&header(8, Some("ada"), NOW)), "other people are trusted as before");
        assert!(known.speaks_against(&header(1_000, None, NOW)), "the first of the flood");
        assert!(known.speaks_against(&header(8, None, NOW)), "an anonymous copy from before asks the store");
        assert!(!known.speaks_against(&header(8, None, NOW + SKEW)), "one that the store confirmed since does not");
        assert!(known.tables.read().is_ok_and(|tables| tables.anonymous.entries.len() <= MOST));
    }

    /// E07: an ending is remembered for as long as a copy of it could be trusted.
    #[test]
    fn what_no_copy_can_contradict_any_more_is_forgotten() {
        let known = Known::new(KEEP, SKEW);
        let half = |first| (0..=MOST as u64 / 2).map(move |at| ended(first + at, Some("bob"))).collect::<Vec<_>>();
        known.hear(&[ended(7, Some("ada"))], NOW);
        known.hear(&half(1_000_000), NOW);
        known.hear(&half(1_000), NOW + KEEP);
        assert!(!known.speaks_against(&header(7, Some("ada"), NOW)), "its time was over, so it made room");
        assert!(!known.speaks_against(&header(8, Some("ada"), NOW)), "and nothing became coarser");
        assert!(known.speaks_against(&header(1_000, Some("bob"), NOW)));
    }

    /// E04, D10: older epochs and generations ask the store, newer ones do not, and an older piece of news changes nothing.
    #[test]
    fn only_what_is_older_is_spoken_against() {
        let known = Known::new(KEEP, SKEW);
        let ada = header(7, Some("ada"), NOW);
        let handle = ada.handle.into();
        known.hear(&[News::owner_ended("ada", 1), News::renewed(handle, 1)], NOW);
        assert!(!known.speaks_against(&ada));
        known.hear(&[News::renewed(handle, 2), News::renewed(handle, 1)], NOW);
        assert!(known.speaks_against(&ada));
        assert!(!known.speaks_against(&header(8, Some("ada"), NOW)));
        known.hear(&[News::owner_ended("ada", 2), News::owner_ended("ada", 1)], NOW);
        assert!(known.speaks_against(&header(8, Some("ada"), NOW)));
        assert!(!known.speaks_against(&header(8, Some("bob"), NOW)));
    }

    /// D07: after a gap, copies that any clock could have confirmed before it ask the store.
    #[test]
    fn after_a_gap_older_copies_ask() {
        let known = Known::new(KEEP, SKEW);
        known.distrust(NOW);
        assert!(known.speaks_against(&header(7, Some("ada"), NOW + SKEW - 1)));
        assert!(!known.speaks_against(&header(7, Some("ada"), NOW + SKEW)));
    }
}
