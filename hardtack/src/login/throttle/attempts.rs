//! Where attempts are counted: [`Attempts`], and the counters of one process.

use std::{
    collections::HashMap,
    fmt,
    pin::Pin,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use super::Quota;
use crate::error::StoreError;

/// What is counted together: an account, a device of an account, a source. Its bytes are a keyed hash, so that who
/// reads the counters learns no name and no address.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bucket(pub(crate) [u8; 16]);

impl Bucket {
    /// The bucket of these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes to store it under.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({:032x})", u128::from_be_bytes(self.0))
    }
}

/// Whether there was room for an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// There was, and it is taken.
    Yes,
    /// There was none; there will be so much later.
    Wait(Duration),
}

/// Counters of attempts, for implementations of your own. Times come from the caller, in milliseconds since 1970.
///
/// Both calls are one step each beside all others of the same bucket: of attempts that come at the same time no more are
/// let through than there is room for. A bucket whose room is all back may be forgotten.
pub trait Attempts: Send + Sync + 'static {
    /// Takes one attempt out of a bucket, if there is room: [`Quota::take`].
    fn take(&self, bucket: Bucket, quota: Quota, now: u64) -> impl Future<Output = Result<Taken, StoreError>> + Send;

    /// Gives one back, because it succeeded: [`Quota::give_back`].
    fn give_back(&self, bucket: Bucket, quota: Quota, now: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

impl<A: Attempts> Attempts for std::sync::Arc<A> {
    async fn take(&self, bucket: Bucket, quota: Quota, now: u64) -> Result<Taken, StoreError> {
        A::take(self, bucket, quota, now).await
    }

    async fn give_back(&self, bucket: Bucket, quota: Quota, now: u64) -> Result<(), StoreError> {
        A::give_back(self, bucket, quota, now).await
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// [`Attempts`] without their type.
pub(super) trait AnyAttempts: Send + Sync {
    fn take(&self, bucket: Bucket, quota: Quota, now: u64) -> Boxed<'_, Taken>;
    fn give_back(&self, bucket: Bucket, quota: Quota, now: u64) -> Boxed<'_, ()>;
}

impl<A: Attempts> AnyAttempts for A {
    fn take(&self, bucket: Bucket, quota: Quota, now: u64) -> Boxed<'_, Taken> {
        Box::pin(Attempts::take(self, bucket, quota, now))
    }

    fn give_back(&self, bucket: Bucket, quota: Quota, now: u64) -> Boxed<'_, ()> {
        Box::pin(Attempts::give_back(self, bucket, quota, now))
    }
}

/// How many buckets are remembered. Each costs an attacker one hash of ours, so it takes days to fill them.
const MOST: usize = 100_000;
/// Milliseconds between two looks at all buckets.
const SWEEP_INTERVAL: u64 = 1000;
/// Where everybody is counted for whom there is no more room: coarser, and never forgotten.
const OVERFLOW: Bucket = Bucket([0xff; 16]);

/// Counters of this process, which a restart forgets. They take at most 100,000 buckets, about 5 MB.
#[derive(Default)]
pub struct MemoryAttempts {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    full_at: HashMap<Bucket, u64>,
    /// How many there may be before what is full again is forgotten.
    sweep_at: usize,
    /// When that may be done again: a flood must not make every attempt look at all of them.
    next_sweep: u64,
}

impl Table {
    fn bucket(&mut self, bucket: Bucket, now: u64) -> Bucket {
        if self.full_at.contains_key(&bucket) {
            return bucket;
        }
        if self.full_at.len() >= self.sweep_at.min(MOST) && now >= self.next_sweep {
            self.full_at.retain(|_, full_at| *full_at > now);
            self.sweep_at = (2 * self.full_at.len()).max(1024);
            self.next_sweep = now.saturating_add(SWEEP_INTERVAL);
        }
        if self.full_at.len() < MOST { bucket } else { OVERFLOW }
    }
}

impl MemoryAttempts {
    /// Nobody has tried yet.
    pub fn new() -> Self {
        Self::default()
    }

    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.table.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Attempts for MemoryAttempts {
    async fn take(&self, bucket: Bucket, quota: Quota, now: u64) -> Result<Taken, StoreError> {
        Ok(self.with(|table| {
            let bucket = table.bucket(bucket, now);
            let full_at = table.full_at.get(&bucket).copied().unwrap_or(0);
            match quota.take(full_at, now) {
                Ok(full_at) => {
                    table.full_at.insert(bucket, full_at);
                    Taken::Yes
                }
                Err(wait) => Taken::Wait(wait),
            }
        }))
    }

    async fn give_back(&self, bucket: Bucket, quota: Quota, now: u64) -> Result<(), StoreError> {
        self.with(|table| {
            let bucket = if table.full_at.contains_key(&bucket) { bucket } else { OVERFLOW };
            if let Some(full_at) = table.full_at.get_mut(&bucket) {
                *full_at = quota.give_back(*full_at);
                if *full_at <= now {
                    table.full_at.remove(&bucket);
                }
            }
        });
        Ok(())
    }
}

impl fmt::Debug for MemoryAttempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryAttempts").field("buckets", &self.with(|table| table.full_at.len())).finish()
    }
}
