//! What has ended and would still open: the memory that makes a logout real without a store (E01).
//!
//! An ending is remembered by handle until the session would have expired anyway. Owners have an
//! epoch, raised to end all their sessions from before; epochs are times, so that they survive a
//! restart that forgets the table. With [`Revocations::in_file`] a restart forgets nothing.
//!
//! Memory is bounded: [`table`] has the budgets and what happens when they are full.

mod journal;
mod line;
mod superseded;
mod table;

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use journal::Journal;
pub(crate) use superseded::Superseded;
use table::Table;
pub(crate) use table::{Ending, OwnerHash};

use crate::{
    clock::Clock,
    error::{BuildError, StoreError},
    record::Header,
};

/// The default budget of endings of each class.
pub(crate) const DEFAULT_LIMIT: usize = 100_000;

/// The endings that this process knows. Clones share them.
///
/// A process's memory ends with it: after a restart, cookies from before a logout open again until they
/// expire. [`in_file`](Self::in_file) closes that gap on one machine.
#[derive(Clone)]
pub struct Revocations {
    table: Arc<RwLock<Table>>,
    journal: Option<Arc<Mutex<Journal>>>,
}

impl Revocations {
    /// In memory alone, with a budget of 100,000 endings of signed-in sessions and as many of
    /// anonymous ones: at most about 22 MB. This is the default.
    pub fn in_memory() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// In memory alone, with another budget, at least 1.
    pub fn with_limit(limit: usize) -> Self {
        Self { table: Arc::new(RwLock::new(Table::new(limit.max(1)))), journal: None }
    }

    /// In memory and in a file, which is synced before a logout is answered, so that it holds across
    /// restarts and power cuts. One process at a time: the file is locked.
    ///
    /// # Errors
    ///
    /// [`BuildError::RevocationFile`] when it cannot be read, written or locked, or is damaged.
    pub fn in_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        let mut table = Table::new(DEFAULT_LIMIT);
        let journal = Journal::open(path.as_ref(), &mut table, Clock::system().now_ms())?;
        Ok(Self { table: Arc::new(RwLock::new(table)), journal: Some(Arc::new(Mutex::new(journal))) })
    }

    /// Whether this session has ended.
    pub(crate) fn has_ended(&self, header: &Header) -> bool {
        self.table.read().unwrap_or_else(PoisonError::into_inner).has_ended(header)
    }

    /// The epoch to seal into a session that is made now: above everything that ends older ones.
    pub(crate) fn epoch(&self, now: u64) -> u64 {
        self.table.read().unwrap_or_else(PoisonError::into_inner).epoch(now)
    }

    /// Remembers endings: all of them, or none and an error.
    pub(crate) fn end(&self, endings: &[Ending], now: u64) -> Result<(), StoreError> {
        self.end_with(now, |_| (endings.to_vec(), ()))
    }

    /// Ends all sessions of an owner and answers the epoch of those that are made from now on.
    pub(crate) fn end_owner(&self, owner: &str, now: u64) -> Result<u64, StoreError> {
        let owner = OwnerHash::of(owner);
        self.end_with(now, |table| {
            let epoch = table.epoch(now).saturating_add(1);
            (vec![Ending::Owner { owner, epoch }], epoch)
        })
    }

    /// As [`end_owner`](Self::end_owner) for the owner of `spared`, and answers the epoch that spares this
    /// one session; `None` when it had ended itself.
    pub(crate) fn end_others(&self, owner: &str, spared: &Header, now: u64) -> Result<Option<u64>, StoreError> {
        let owner = OwnerHash::of(owner);
        self.end_with(now, |table| {
            let epoch = table.epoch(now).saturating_add(1);
            (vec![Ending::Owner { owner, epoch }], Some(epoch).filter(|_| !table.has_ended(spared)))
        })
    }

    /// Decides on endings and remembers them, while nobody else does. What a journal cannot write does
    /// not end; readers do not wait for it.
    fn end_with<T>(&self, now: u64, decide: impl FnOnce(&Table) -> (Vec<Ending>, T)) -> Result<T, StoreError> {
        let apply = |table: &mut Table, endings: &[Ending]| endings.iter().for_each(|ending| table.end(ending, now));
        let Some(journal) = &self.journal else {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            let (endings, answer) = decide(&table);
            apply(&mut table, &endings);
            return Ok(answer);
        };
        let read = || self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
        let (endings, answer) = decide(&read());
        journal.append(&endings)?;
        apply(&mut self.table.write().unwrap_or_else(PoisonError::into_inner), &endings);
        if journal.is_long() {
            journal.rewrite(&read(), now)?;
        }
        Ok(answer)
    }
}

impl Default for Revocations {
    fn default() -> Self {
        Self::in_memory()
    }
}
