//! [`Throttle`]: how often a password may be guessed (I06).

mod attempts;
mod quota;
mod shared;

use std::sync::Arc;

use self::attempts::AnyAttempts;
pub use self::{
    attempts::{Attempts, Bucket, MemoryAttempts, Taken},
    quota::Quota,
    shared::StoreAttempts,
};
use super::LoginError;
use crate::events;

/// How often a password may be guessed (I06).
///
/// An attempt is taken out of two buckets *before* its password is hashed, so that a thousand at once are no way around,
/// and given back when it succeeds:
///
/// | bucket | default | |
/// |---|---|---|
/// | [`account`](Self::account) | 20 in a row, then one in 3 minutes | all devices that have not signed in to it before |
/// | [`device`](Self::device) | 20 in a row, then one a minute | a device that has, known by a cookie of its own: whoever guesses elsewhere cannot lock the owner out |
/// | [`source`](Self::source) | 100 in a row, then one in 5 seconds | an address, in IPv6 its /64 |
///
/// Nobody is locked for good, and who tries while there is no room does not wait longer for it. An unknown name has a
/// bucket like any other.
#[derive(Clone)]
pub struct Throttle {
    attempts: Arc<dyn AnyAttempts>,
    pub(super) account: Quota,
    pub(super) device: Quota,
    pub(super) source: Quota,
}

impl Throttle {
    /// Counted by this process alone.
    pub fn in_memory() -> Self {
        Self::shared(MemoryAttempts::new())
    }

    /// Counted elsewhere: by [`StoreAttempts`], or in your own way.
    pub fn shared(attempts: impl Attempts) -> Self {
        Self {
            attempts: Arc::new(attempts),
            account: Quota::of(20, 180),
            device: Quota::of(20, 60),
            source: Quota::of(100, 5),
        }
    }

    /// For one account, from devices that are not known to it. NIST allows no more than 100 in a row.
    pub fn account(mut self, quota: Quota) -> Self {
        self.account = quota;
        self
    }

    /// For one account, from one device that has signed in to it before.
    pub fn device(mut self, quota: Quota) -> Self {
        self.device = quota;
        self
    }

    /// For one address, whatever the account. Many people may be behind one.
    pub fn source(mut self, quota: Quota) -> Self {
        self.source = quota;
        self
    }

    /// Takes an attempt out of both buckets, or out of none.
    pub(super) async fn reserve(&self, buckets: [(Bucket, Quota); 2], now: u64) -> Result<Reserved<'_>, LoginError> {
        let mut reserved = Reserved { throttle: self, buckets, count: 0, now };
        for (bucket, quota) in buckets {
            match self.attempts.take(bucket, quota, now).await? {
                Taken::Yes => reserved.count += 1,
                Taken::Wait(retry_after) => {
                    events::login_throttled(bucket);
                    reserved.give_back().await;
                    return Err(LoginError::Throttled { retry_after });
                }
            }
        }
        Ok(reserved)
    }
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { account, device, source, .. } = self;
        write!(f, "Throttle {{ account: {account:?}, device: {device:?}, source: {source:?} }}")
    }
}

/// An attempt that is counted. Dropped, it stays counted: a client that leaves has guessed all the same.
pub(super) struct Reserved<'a> {
    throttle: &'a Throttle,
    buckets: [(Bucket, Quota); 2],
    count: usize,
    now: u64,
}

impl Reserved<'_> {
    /// It was no guess. What cannot be given back is forgotten with time.
    pub(super) async fn give_back(self) {
        for (bucket, quota) in self.buckets.into_iter().take(self.count) {
            if let Err(error) = self.throttle.attempts.give_back(bucket, quota, self.now).await {
                events::not_given_back(&error);
            }
        }
    }
}
