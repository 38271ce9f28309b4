//! The keys at one moment, and what each may do. A reload makes a new ring.

use std::{fmt, sync::Arc};

use super::{Key, KeyId};
use crate::{error::BuildError, events::Reason};

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// Opens, and seals from the time that it is scheduled for.
    Pending,
    /// Seals and opens. Exactly one key is active.
    Active,
    /// Opens only.
    Retired,
    /// Does nothing; only its id is known.
    Revoked,
}

impl KeyState {
    /// The word that files and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }
}

/// One key as it is written down.
pub(super) enum Entry {
    Active(Key),
    /// With the time from which it seals.
    Pending(u64, Key),
    Retired(Key),
    Revoked(KeyId),
}

impl Entry {
    /// Reads `active KEY`, `pending UNIX_MS KEY`, `retired KEY` or `revoked ID`.
    pub(super) fn parse(words: &[&str]) -> Result<Self, BuildError> {
        let first = words.first().copied().unwrap_or_default();
        // A key without a state is a secret, and an error may be logged.
        let shown = if first.len() > 12 { "a long word" } else { first };
        let unreadable = || BuildError::KeyText { text: shown.into() };
        Ok(match *words {
            ["active", key] => Self::Active(Key::parse(key)?),
            ["pending", from, key] => Self::Pending(from.parse().map_err(|_| unreadable())?, Key::parse(key)?),
            ["retired", key] => Self::Retired(Key::parse(key)?),
            ["revoked", id] => Self::Revoked(KeyId::parse(id).ok_or_else(unreadable)?),
            _ => return Err(unreadable()),
        })
    }
}

/// One active key, and the others by what they may do. No id stands in it twice.
#[derive(Clone)]
pub(super) struct Ring {
    pub(super) active: Arc<Key>,
    pub(super) pending: Vec<(u64, Arc<Key>)>,
    pub(super) retired: Vec<Arc<Key>>,
    pub(super) revoked: Vec<KeyId>,
}

impl Ring {
    pub(super) fn new(entries: impl IntoIterator<Item = Entry>) -> Result<Self, BuildError> {
        let (mut active, mut pending, mut retired, mut revoked) = (vec![], vec![], vec![], vec![]);
        for entry in entries {
            match entry {
                Entry::Active(key) => active.push(Arc::new(key)),
                Entry::Pending(from, key) => pending.push((from, Arc::new(key))),
                Entry::Retired(key) => retired.push(Arc::new(key)),
                Entry::Revoked(id) => revoked.push(id),
            }
        }
        let count = active.len();
        let active = active.pop().filter(|_| count == 1).ok_or(BuildError::ActiveKeys { active: count })?;
        let ring = Self { active, pending, retired, revoked };
        let mut ids: Vec<_> = ring.keys().map(|key| key.id()).chain(ring.revoked.iter().copied()).collect();
        ids.sort_unstable();
        match ids.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(BuildError::DuplicateKey { id: pair[0] }),
            None => Ok(ring),
        }
    }

    /// Takes over the counters of the keys that `before` had too.
    pub(super) fn continuing(mut self, before: &Self) -> Self {
        let pending = self.pending.iter_mut().map(|(_, key)| key);
        for key in std::iter::once(&mut self.active).chain(pending).chain(&mut self.retired) {
            if let Some(known) = before.keys().find(|known| known.id() == key.id()) {
                *key = known.clone();
            }
        }
        self
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &Arc<Key>> {
        std::iter::once(&self.active).chain(self.pending.iter().map(|(_, key)| key)).chain(&self.retired)
    }

    /// The key that seals at `now`: the pending one whose time came last, or the active one.
    pub(super) fn sealing(&self, now: u64) -> &Arc<Key> {
        let due = self.pending.iter().filter(|(from, _)| *from <= now);
        due.max_by_key(|(from, _)| *from).map_or(&self.active, |(_, key)| key)
    }

    /// The key of this id, and what it may do at `now`.
    pub(super) fn find(&self, id: KeyId, now: u64) -> Result<(&Arc<Key>, KeyState), Reason> {
        if let Some(key) = self.keys().find(|key| key.id() == id) {
            return Ok((key, self.state(key, now)));
        }
        Err(if self.revoked.contains(&id) { Reason::RevokedKey } else { Reason::UnknownKey })
    }

    pub(super) fn state(&self, key: &Arc<Key>, now: u64) -> KeyState {
        if Arc::ptr_eq(self.sealing(now), key) {
            KeyState::Active
        } else if self.pending.iter().any(|(from, pending)| *from > now && Arc::ptr_eq(pending, key)) {
            KeyState::Pending
        } else {
            KeyState::Retired
        }
    }

    /// Writes down what time has done: the key that seals at `now` is active, those before it retired.
    pub(super) fn settle(&mut self, now: u64) {
        let sealing = self.sealing(now).clone();
        let (due, pending) = std::mem::take(&mut self.pending).into_iter().partition(|(from, _)| *from <= now);
        self.pending = pending;
        let due: Vec<(u64, Arc<Key>)> = due;
        let before = std::mem::replace(&mut self.active, sealing);
        let retired = std::iter::once(before).chain(due.into_iter().map(|(_, key)| key));
        self.retired.extend(retired.filter(|key| !Arc::ptr_eq(key, &self.active)));
    }

    /// Takes a key out that is pending or retired.
    pub(super) fn take(&mut self, id: KeyId) -> Option<Arc<Key>> {
        if let Some(at) = self.pending.iter().position(|(_, key)| key.id() == id) {
            return Some(self.pending.remove(at).1);
        }
        let at = self.retired.iter().position(|key| key.id() == id)?;
        Some(self.retired.remove(at))
    }
}

impl fmt::Debug for Ring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).entries(&self.revoked).finish()
    }
}
