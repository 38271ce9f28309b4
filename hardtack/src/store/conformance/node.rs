//! [`Node`]: a store under test, each call of which must answer; and crowds of callers.

use std::{future::poll_fn, pin::pin, sync::Arc, task::Poll, time::Duration};

use tokio::{sync::Barrier, task::JoinError, time::timeout};

use super::{
    Place,
    rows::{ANY, Draft, LAST, NOW},
};
use crate::{
    error::StoreError,
    store::{
        Admission, Created, Replaced, Row, Store, StoreKey,
        feed::{Batch, Cursor, Feed, News},
    },
};

/// How long a call may take before it counts as one that never answers.
const PATIENCE: Duration = Duration::from_secs(20);

/// One node of a store. A fault fails the case: nothing was wrong that a store could blame.
pub(super) struct Node<S>(Arc<S>);

impl<S> Clone for Node<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: Store> Node<S> {
    pub(super) async fn of(place: &impl Place<Store = S>) -> Self {
        Self(Arc::new(place.node().await))
    }

    /// Two nodes of one store.
    pub(super) async fn two(place: &impl Place<Store = S>) -> [Self; 2] {
        [Self::of(place).await, Self::of(place).await]
    }

    /// The store itself, for a call that is to be dropped.
    pub(super) fn store(&self) -> &S {
        &self.0
    }

    pub(super) async fn create(&self, key: StoreKey, row: &Row, admission: Admission, now: u64) -> Created {
        let is_theirs = row.owner().is_none_or(|owner| key.shard() == StoreKey::shard_of(owner));
        assert!(is_theirs, "this case, not the store, is wrong: its key is not in the shard of the row's owner");
        answer("create", self.0.create(key, row.clone(), admission, now)).await
    }

    pub(super) async fn load(&self, key: StoreKey, now: u64) -> Option<Row> {
        answer("load", self.0.load(key, now)).await
    }

    pub(super) async fn replace(&self, key: StoreKey, version: u64, row: &Row, now: u64) -> Replaced {
        answer("replace", self.0.replace(key, version, row.clone(), now)).await
    }

    pub(super) async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) {
        answer("touch", self.0.touch(key, last_seen, idle_deadline)).await;
    }

    pub(super) async fn delete(&self, key: StoreKey, tombstone_until: u64) -> bool {
        answer("delete", self.0.delete(key, tombstone_until)).await
    }

    pub(super) async fn owned_by(&self, owner: &str, now: u64) -> Vec<(StoreKey, Row)> {
        answer("owned_by", self.0.owned_by(owner, now)).await
    }

    pub(super) async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> u64 {
        answer("end_owner", self.0.end_owner(owner, except, tombstone_until)).await
    }

    pub(super) async fn epoch(&self) -> u64 {
        answer("epoch", self.0.epoch()).await
    }

    pub(super) async fn purge(&self, now: u64, limit: usize) -> usize {
        answer("purge", self.0.purge(now, limit)).await
    }

    pub(super) async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)> {
        answer("scan", self.0.scan(after, limit)).await
    }

    /// Creates a row that nothing stands against.
    pub(super) async fn put(&self, key: StoreKey, draft: &Draft) -> Row {
        let row = draft.made();
        let created = self.create(key, &row, ANY, NOW).await;
        assert_eq!(created, Created::Created, "create under a key that was never used, with nothing against it");
        row
    }

    /// The keys of an owner's live rows, in order.
    pub(super) async fn keys_of(&self, owner: &str, now: u64) -> Vec<StoreKey> {
        let mut keys: Vec<_> = self.owned_by(owner, now).await.into_iter().map(|(key, _)| key).collect();
        keys.sort_unstable();
        keys
    }

    /// All rows there are, expired ones too.
    pub(super) async fn all(&self) -> Vec<(StoreKey, Row)> {
        let mut rows: Vec<(StoreKey, Row)> = Vec::new();
        loop {
            let page = self.scan(rows.last().map(|(key, _)| *key), 1_000).await;
            let Some(((key, _), before)) = page.first().zip(Some(rows.last())) else { return rows };
            assert!(before.is_none_or(|(last, _)| key > last), "scan answered a row that is not above `after`");
            rows.extend(page);
        }
    }

    /// Purges until nothing is over any more; answers how much was.
    pub(super) async fn purge_all(&self, now: u64) -> usize {
        let mut purged = 0;
        for _ in 0..1_000 {
            match self.purge(now, 1_000).await {
                0 => return purged,
                some => purged += some,
            }
        }
        panic!("1,000 purges in a row took something, where there never was so much");
    }

    /// Checks that no call gives the row of a key any more, at whatever time, and that its place is taken.
    pub(super) async fn assert_gone(&self, key: StoreKey, owner: &str, when: &str) {
        for now in [0, NOW] {
            assert_eq!(self.load(key, now).await, None, "load gives a row {when}");
        }
        let fresh = super::rows::row().of(owner).version(2).made();
        for version in [0, 1, 2] {
            let replaced = self.replace(key, version, &fresh, NOW).await;
            assert_eq!(replaced, Replaced::Gone, "replace {when}: it must never bring a row back (E07)");
        }
        self.touch(key, LAST, LAST).await;
        let created = self.create(key, &fresh, Admission { epoch: LAST, limit: None }, NOW).await;
        assert_eq!(created, Created::Exists, "create {when}: the tombstone stands in its place (E07)");
        assert_eq!(self.load(key, NOW).await, None, "load gives a row {when}, after replace, touch and create tried");
        assert!(!self.keys_of(owner, NOW).await.contains(&key), "owned_by lists a row {when}");
        assert!(self.all().await.iter().all(|(there, _)| *there != key), "scan lists a row {when}");
    }
}

impl<S: Store + Feed> Node<S> {
    pub(super) async fn read(&self, after: Option<Cursor>, patience: Duration) -> Batch {
        answer("read", self.0.read(after, patience)).await
    }

    pub(super) async fn publish(&self, news: Vec<News>, until: u64) {
        answer("publish", self.0.publish(news, until)).await;
    }
}

async fn answer<T>(call: &str, call_made: impl Future<Output = Result<T, StoreError>>) -> T {
    match timeout(PATIENCE, call_made).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => panic!("{call} answered a fault although nothing was wrong: {error}"),
        Err(_) => panic!("{call} did not answer within {PATIENCE:?}: something is locked for ever, or was never woken"),
    }
}

/// So many callers at once, who all begin together; their answers in order.
pub(super) async fn crowd<T, F>(callers: usize, caller: impl Fn(usize) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    crowd_of((0..callers).collect(), caller).await
}

/// As [`crowd`], with something for each of them.
pub(super) async fn crowd_of<C, T, F>(callers: Vec<C>, caller: impl Fn(C) -> F) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let start = Arc::new(Barrier::new(callers.len()));
    let begin = |of| {
        let (start, work) = (start.clone(), caller(of));
        tokio::spawn(async move {
            start.wait().await;
            work.await
        })
    };
    let tasks: Vec<_> = callers.into_iter().map(begin).collect();
    let mut answers = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await.map_err(JoinError::try_into_panic) {
            Ok(answer) => answers.push(answer),
            Err(Ok(panic)) => std::panic::resume_unwind(panic),
            Err(Err(ended)) => panic!("a caller of the crowd was ended: {ended}"),
        }
    }
    answers
}

/// Polls a call so many times at most and then drops it, as a request does whose client is gone. `None`
/// when it was dropped.
pub(super) async fn dropped_after<F: Future>(polls: usize, call: F) -> Option<F::Output> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
