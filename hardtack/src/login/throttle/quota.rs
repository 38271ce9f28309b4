//! How many attempts: [`Quota`].

use std::time::Duration;

use crate::{clock::millis, error::BuildError};

/// How many attempts may come in a row, and how long it takes until there is room for one more.
///
/// It is the generic cell rate algorithm, which needs one number to remember: the moment at which all room is back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    burst: u32,
    refill: u64,
}

impl Quota {
    /// `burst` attempts in a row, 1 to 10,000; then one every `refill`, 1 second to 1 day.
    ///
    /// # Errors
    ///
    /// [`BuildError::Setting`] outside of these ranges.
    pub fn new(burst: u32, refill: Duration) -> Result<Self, BuildError> {
        let refill = millis(refill);
        if !(1..=10_000).contains(&burst) || !(1_000..=86_400_000).contains(&refill) {
            let why = "a quota is from 1 to 10,000 attempts in a row, and one more every 1 second to 1 day";
            return Err(BuildError::Setting { why: why.into() });
        }
        Ok(Self { burst, refill })
    }

    pub(super) const fn of(burst: u32, refill_seconds: u64) -> Self {
        Self { burst, refill: refill_seconds * 1000 }
    }

    /// Takes one attempt at `now` out of a bucket whose room is all back at `full_at`, both in milliseconds since 1970; a
    /// bucket that nobody knows is full. Answers the new moment to remember.
    ///
    /// # Errors
    ///
    /// How long to wait when there is no room. Nothing is taken then, so who keeps trying waits no longer.
    pub fn take(&self, full_at: u64, now: u64) -> Result<u64, Duration> {
        let next = full_at.max(now).saturating_add(self.refill);
        let most = now.saturating_add(self.refill.saturating_mul(self.burst.into()));
        if next > most { Err(Duration::from_millis(next - most)) } else { Ok(next) }
    }

    /// Gives one attempt back; the answer is not after `now` when the bucket is full and can be forgotten.
    pub fn give_back(&self, full_at: u64) -> u64 {
        full_at.saturating_sub(self.refill)
    }
}
