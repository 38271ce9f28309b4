//! [`Follower`]: reads the [feed](crate::store::feed) from end to end, in the background.
//!
//! It begins with the first request, in that request's tokio runtime, and ends with the last clone of the
//! [`Sessions`](crate::Sessions). The start of the last reading that was answered is its proof: everything that a call
//! had answered before that moment is known here. When that is too long ago the feed is not alive, and whoever relies on
//! it asks the store instead. That is what a heartbeat would tell, without a message for each node.

use std::{
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::{
    error::StoreError,
    events,
    store::feed::{Batch, Cursor, Feed, News, Told},
    system::System,
};

/// How long one reading waits for news: a quarter of the shortest bound.
pub(crate) const PATIENCE: Duration = Duration::from_millis(250);
/// How long after a fault or a gap the next reading begins.
const RETRY: Duration = Duration::from_millis(100);

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// A [`Feed`] without its type.
pub(crate) trait AnyFeed: Send + Sync {
    fn read(&self, after: Option<Cursor>, patience: Duration) -> Boxed<'_, Batch>;
    fn publish(&self, news: Vec<News>, until: u64) -> Boxed<'_, ()>;
}

impl<F: Feed> AnyFeed for F {
    fn read(&self, after: Option<Cursor>, patience: Duration) -> Boxed<'_, Batch> {
        Box::pin(Feed::read(self, after, patience))
    }

    fn publish(&self, news: Vec<News>, until: u64) -> Boxed<'_, ()> {
        Box::pin(Feed::publish(self, news, until))
    }
}

/// Who reads the feed of a [`System`].
pub(crate) struct Follower {
    feed: Arc<dyn AnyFeed>,
    /// How long ago the last reading may have begun.
    bound: Duration,
    /// How long a reading may take beyond its patience.
    deadline: Duration,
    born: Instant,
    /// When the last reading that was answered began, in microseconds after `born`; 0 for never.
    read: AtomicU64,
    was_read: Notify,
    /// The last mark: how long it was under way, and its node.
    delay: Mutex<Option<(Duration, u64)>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Follower {
    pub(crate) fn new(feed: Arc<dyn AnyFeed>, bound: Duration, deadline: Duration) -> Self {
        Self {
            feed,
            bound,
            deadline,
            born: Instant::now(),
            read: AtomicU64::new(0),
            was_read: Notify::new(),
            delay: Mutex::default(),
            task: Mutex::default(),
        }
    }

    /// Whether everything that ended longer ago than the bound is known.
    pub(crate) fn is_alive(&self) -> bool {
        self.age().is_some_and(|age| age < self.bound)
    }

    /// How long ago the last reading that was answered began; `None` before the first.
    pub(crate) fn age(&self) -> Option<Duration> {
        let read = self.read.load(Ordering::Acquire);
        (read != 0).then(|| self.born.elapsed().saturating_sub(Duration::from_micros(read)))
    }

    /// How long the last mark of another node was under way.
    pub(crate) fn delay(&self, but_of: u64) -> Option<Duration> {
        let delay = self.delay.lock().unwrap_or_else(PoisonError::into_inner);
        delay.filter(|(_, node)| *node != but_of).map(|(delay, _)| delay)
    }

    fn has_marks(&self, batch: &Batch, now: u64) {
        for News(told) in &batch.news {
            if let Told::Mark { node, at } = told {
                let delay = Duration::from_millis(now.saturating_sub(*at));
                *self.delay.lock().unwrap_or_else(PoisonError::into_inner) = Some((delay, *node));
            }
        }
    }

    /// Waits for the first reading. Whether there was one.
    pub(crate) async fn has_begun(&self, deadline: Duration) -> bool {
        let was_read = self.was_read.notified();
        self.age().is_some() || timeout(deadline, was_read).await.is_ok()
    }

    fn has_read(&self, began: Instant) {
        let after = began.saturating_duration_since(self.born).as_micros();
        self.read.fetch_max(u64::try_from(after).unwrap_or(u64::MAX).max(1), Ordering::Release);
        self.was_read.notify_waiters();
    }
}

/// Begins to follow, in the runtime of the caller. A runtime that has ended took its task along, so the next one
/// begins again.
pub(crate) fn begin(system: &Arc<System>) {
    let Some(follower) = &system.follower else { return };
    if follower.is_alive() {
        return;
    }
    let mut task = follower.task.lock().unwrap_or_else(PoisonError::into_inner);
    if task.as_ref().is_some_and(|task| !task.is_finished()) {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    let (weak, feed, deadline) = (Arc::downgrade(system), follower.feed.clone(), follower.deadline);
    *task = Some(runtime.spawn(async move {
        let mut cursor: Option<Cursor> = None;
        let mut faults = 0_u32;
        loop {
            let began = Instant::now();
            let read = timeout(PATIENCE + deadline, feed.read(cursor.clone(), PATIENCE)).await;
            let Some(system) = weak.upgrade() else { return };
            let Some(follower) = &system.follower else { return };
            let pauses = match read.unwrap_or_else(|_| Err(StoreError::new("the feed does not answer"))) {
                Ok(batch) => {
                    faults = 0;
                    system.hear(&batch);
                    if cursor.is_some() {
                        follower.has_marks(&batch, system.now());
                    }
                    // What this node published is told from the beginning.
                    let lost = cursor.is_some() && !batch.complete;
                    if lost {
                        events::gap();
                    }
                    cursor = Some(batch.cursor).filter(|_| !lost);
                    follower.has_read(began);
                    lost
                }
                Err(error) => {
                    if faults == 0 {
                        events::not_followed(&error);
                    }
                    faults = faults.saturating_add(1);
                    true
                }
            };
            drop(system);
            if pauses {
                sleep(RETRY).await;
            }
        }
    }));
}

/// Hears at once what the follower hears in a moment.
pub(crate) async fn catch_up(system: &System) -> Result<(), StoreError> {
    let Some(follower) = &system.follower else { return Ok(()) };
    let began = Instant::now();
    let late = |_| Err(StoreError::new("the feed does not answer"));
    let read = timeout(follower.deadline, follower.feed.read(None, Duration::ZERO)).await;
    // What is missing from before the beginning, the follower has been told when it began.
    system.hear_all(&read.unwrap_or_else(late)?.news);
    if follower.age().is_some() {
        follower.has_read(began);
    }
    Ok(())
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(task) = self.task.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
