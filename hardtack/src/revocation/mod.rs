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
    time::Duration,
};

use journal::Journal;
pub(crate) use superseded::Superseded;
use table::Table;
pub(crate) use table::{Ending, OwnerHash};

use crate::{
    clock::Clock,
    error::{BuildError, StoreError},
    follower::AnyFeed,
    record::Header,
    store::feed::{Feed, News, Told},
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
    feed: Option<Arc<dyn AnyFeed>>,
}

impl Revocations {
    /// In memory alone, with a budget of 100,000 endings of signed-in sessions and as many of
    /// anonymous ones: at most about 22 MB. This is the default.
    pub fn in_memory() -> Self {
        Self::with_limit(DEFAULT_LIMIT)
    }

    /// In memory alone, with another budget, at least 1.
    pub fn with_limit(limit: usize) -> Self {
        Self { table: Arc::new(RwLock::new(Table::new(limit.max(1)))), journal: None, feed: None }
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
        Ok(Self { table: Arc::new(RwLock::new(table)), journal: Some(Arc::new(Mutex::new(journal))), feed: None })
    }

    /// Shared with all nodes that use the same feed, the [feed](crate::store::feed) of a store of ours: a logout is
    /// answered when the feed has it, holds on every node as soon as it hears of it, and across restarts.
    ///
    /// A node that starts waits until it has read what ended before; where it cannot, its sessions answer 503. When
    /// the feed is away later, signing out fails with 503 and everything else goes on with what is known.
    pub fn in_feed(feed: impl Feed) -> Self {
        Self { feed: Some(Arc::new(feed)), ..Self::in_memory() }
    }

    /// The feed that it is shared through.
    pub(crate) fn feed(&self) -> Option<Arc<dyn AnyFeed>> {
        self.feed.clone()
    }

    /// Learns what others published.
    pub(crate) fn hear(&self, news: &[News], now: u64) {
        let revoked =
            news.iter().filter_map(|News(told)| if let Told::Revoked(ending) = told { Some(ending) } else { None });
        let mut revoked = revoked.peekable();
        if revoked.peek().is_some() {
            let mut table = self.table.write().unwrap_or_else(PoisonError::into_inner);
            revoked.for_each(|ending| table.end(ending, now));
        }
    }

    /// Whether this session has ended.
    pub(crate) fn has_ended(&self, header: &Header) -> bool {
        self.table.read().unwrap_or_else(PoisonError::into_inner).has_ended(header)
    }

    /// The epoch to seal into a session that is made now: above everything that ends older ones.
    pub(crate) fn epoch(&self, now: u64) -> u64 {
        self.table.read().unwrap_or_else(PoisonError::into_inner).epoch(now)
    }

    /// Remembers endings, here and everywhere: all of them, or none and an error.
    pub(crate) async fn end(&self, endings: &[Ending], clock: &EndingClock) -> Result<(), StoreError> {
        self.publish(endings, clock).await?;
        self.end_with(clock.now, |_| (endings.to_vec(), ()))
    }

    /// Ends all sessions of an owner. With `spared`, all but this one: then it answers the epoch that spares it;
    /// `None` when it had ended itself.
    pub(crate) async fn end_owner(
        &self,
        owner: &str,
        spared: Option<&Header>,
        clock: &EndingClock,
    ) -> Result<Option<u64>, StoreError> {
        let owner = OwnerHash::of(owner);
        let decide = |table: &Table| {
            // Where others make sessions too, their clocks may be ahead of this one.
            let now = if self.feed.is_some() { clock.now.saturating_add(clock.skew) } else { clock.now };
            let epoch = table.epoch(now).saturating_add(1);
            (Ending::Owner { owner, epoch }, spared.filter(|spared| !table.has_ended(spared)).map(|_| epoch))
        };
        if self.feed.is_none() {
            return self.end_with(clock.now, |table| {
                let (ending, spares) = decide(table);
                (vec![ending], spares)
            });
        }
        let (ending, spares) = decide(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        self.end(&[ending], clock).await?;
        Ok(spares)
    }

    async fn publish(&self, endings: &[Ending], clock: &EndingClock) -> Result<(), StoreError> {
        let Some(feed) = &self.feed else { return Ok(()) };
        let until = clock.now.saturating_add(clock.longest);
        let news = endings.iter().map(|ending| News(Told::Revoked(*ending))).collect();
        let publishing = tokio::time::timeout(clock.deadline, feed.publish(news, until));
        publishing.await.unwrap_or_else(|_| Err(StoreError::new(format_args!("no answer within {:?}", clock.deadline))))
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

/// When something ends, and what is to be known about clocks and lifetimes.
pub(crate) struct EndingClock {
    pub(crate) now: u64,
    /// How far clocks may be apart.
    pub(crate) skew: u64,
    /// The longest that any session lives.
    pub(crate) longest: u64,
    /// How long a feed may take.
    pub(crate) deadline: Duration,
}

impl Default for Revocations {
    fn default() -> Self {
        Self::in_memory()
    }
}
