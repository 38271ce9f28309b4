//! [`Log`]: the store's [feed](crate::store::feed), in memory. It begins with its first reader: where nobody reads it,
//! nothing is kept.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;

use crate::store::feed::{Batch, Cursor, News, RETENTION};

/// The most news that are kept, about 20 MB. Beyond it the oldest go early, and readers are told of a gap.
const MOST: usize = 1 << 18;

#[derive(Default)]
pub(super) struct Log {
    state: Mutex<Option<State>>,
    told: Notify,
}

struct State {
    /// From when on nothing is missing.
    whole_since: Instant,
    /// The number of the oldest piece of news that is kept.
    first: u64,
    news: VecDeque<(Instant, News)>,
    /// What must be remembered for longer, by a time of the callers' clock.
    published: Vec<(u64, News)>,
}

impl Log {
    pub(super) fn tell(&self, news: News) {
        let now = Instant::now();
        let mut log = self.state();
        let Some(state) = &mut *log else { return };
        while let Some((told, _)) = state.news.front() {
            let is_old = now.saturating_duration_since(*told) >= RETENTION;
            if !is_old && state.news.len() < MOST {
                break;
            }
            if !is_old {
                state.whole_since = now;
            }
            state.news.pop_front();
            state.first += 1;
        }
        state.news.push_back((now, news));
        drop(log);
        self.told.notify_waiters();
    }

    pub(super) fn publish(&self, news: impl IntoIterator<Item = News>, until: u64) {
        for news in news {
            self.state().get_or_insert_default().published.push((until, news));
            self.tell(news);
        }
    }

    /// Forgets what was published and is over.
    pub(super) fn purge(&self, now: u64) {
        if let Some(state) = &mut *self.state() {
            state.published.retain(|(until, _)| now < *until);
        }
    }

    pub(super) async fn read(&self, after: Option<Cursor>, patience: Duration) -> Batch {
        let after = after.and_then(|cursor| cursor.as_bytes().try_into().ok()).map(u64::from_be_bytes);
        let told = self.told.notified();
        let batch = self.read_now(after);
        if !batch.news.is_empty() || after.is_none() || !batch.complete {
            return batch;
        }
        // What nobody told within the time was not told.
        let _ = tokio::time::timeout(patience, told).await;
        self.read_now(after)
    }

    fn read_now(&self, after: Option<u64>) -> Batch {
        let mut log = self.state();
        let state = log.get_or_insert_default();
        let skipped = after.unwrap_or(0).saturating_sub(state.first);
        let published = state.published.iter().filter(|_| after.is_none()).map(|(_, news)| *news);
        let kept = state.news.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)).map(|(_, news)| *news);
        let next = state.first + state.news.len() as u64;
        Batch {
            news: published.chain(kept).collect(),
            cursor: Cursor::from_bytes(&next.to_be_bytes()),
            complete: match after {
                Some(after) => (state.first..=next).contains(&after),
                None => state.whole_since.elapsed() >= RETENTION,
            },
        }
    }

    fn state(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for State {
    fn default() -> Self {
        Self { whole_since: Instant::now(), first: 0, news: VecDeque::new(), published: Vec::new() }
    }
}
