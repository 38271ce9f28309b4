//! [`Troubled`]: a store with something between it and its caller: a step to be dropped at, or faults.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use tokio::task::yield_now;

use crate::{
    error::StoreError,
    store::{Admission, Created, Replaced, Row, Store, StoreKey},
};

/// What happens to each call.
pub(super) trait Trouble: Send + Sync + 'static {
    fn around<T: Send>(
        &self,
        call: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;
}

/// A store behind some trouble.
pub(super) struct Troubled<S, T> {
    pub(super) store: S,
    pub(super) trouble: T,
}

/// An await before every call and another after it, where a request may be dropped.
pub(super) struct Stepwise;

impl Trouble for Stepwise {
    async fn around<T: Send>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        yield_now().await;
        let answer = call.await;
        yield_now().await;
        answer
    }
}

/// Faults at random, the same for the same seed and order of calls: of 1,000 calls so many each are done and
/// answered by an error, not done and answered by an error, done and never answered, not done and never
/// answered.
pub(super) struct Faults {
    pub(super) seed: AtomicU64,
    pub(super) of_each: u64,
}

impl Faults {
    pub(super) fn new(seed: u64, of_each: u64) -> Self {
        Self { seed: AtomicU64::new(seed), of_each }
    }

    /// SplitMix64.
    fn draw(&self) -> u64 {
        const GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;
        let mut number = self.seed.fetch_add(GAMMA, Relaxed).wrapping_add(GAMMA);
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }
}

impl Trouble for Faults {
    async fn around<T: Send>(&self, call: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, StoreError> {
        let kind = self.draw() % 1_000 / self.of_each;
        match kind {
            0 => call.await.and_then(|_| Err(StoreError::new("done, and the answer was lost"))),
            1 => Err(StoreError::new("not done")),
            2 => {
                let _ = call.await;
                std::future::pending().await
            }
            3 => std::future::pending().await,
            _ => call.await,
        }
    }
}

macro_rules! calls {
    ($( $name:ident ( $($argument:ident : $type:ty),* ) -> $answer:ty; )*) => {
        impl<S: Store, T: Trouble> Store for Troubled<S, T> {
            $( async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.trouble.around(self.store.$name($($argument),*)).await
            } )*
        }
    };
}

calls! {
    create(key: StoreKey, row: Row, admission: Admission, now: u64) -> Created;
    load(key: StoreKey, now: u64) -> Option<Row>;
    replace(key: StoreKey, version: u64, row: Row, now: u64) -> Replaced;
    touch(key: StoreKey, last_seen: u64, idle_deadline: u64) -> ();
    delete(key: StoreKey, tombstone_until: u64) -> bool;
    owned_by(owner: &str, now: u64) -> Vec<(StoreKey, Row)>;
    end_owner(owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> u64;
    epoch() -> u64;
    purge(now: u64, limit: usize) -> usize;
    scan(after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)>;
}
