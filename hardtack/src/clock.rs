//! The one clock of a [`Sessions`](crate::Sessions), injected so that tests can move it.
//!
//! Times are whole milliseconds since 1970 (UTC), held in 48 bits on the wire, which lasts until the
//! year 10889. Every addition saturates there: no clock, however wrong, can overflow or panic.
//!
//! ```
//! use hardtack::Clock;
//! use std::time::Duration;
//!
//! let clock = Clock::manual(1_000);
//! clock.advance(Duration::from_secs(2));
//! assert_eq!(clock.now_ms(), 3_000);
//! ```

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// The last instant that the wire format can hold: 2^48 − 1 ms after 1970.
pub(crate) const MAX_MS: u64 = (1 << 48) - 1;

/// Where a [`Sessions`](crate::Sessions) reads the time. Clones share one clock.
#[derive(Clone, Debug)]
pub struct Clock {
    ticks: bool,
    offset_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock. The default.
    pub fn system() -> Self {
        Self { ticks: true, offset_ms: Arc::default() }
    }

    /// A clock that stands still at `unix_ms` until it is moved.
    pub fn manual(unix_ms: u64) -> Self {
        Self { ticks: false, offset_ms: Arc::new(AtomicI64::new(signed(unix_ms))) }
    }

    /// Moves this clock and all its clones forward. A system clock then runs ahead by as much, which
    /// shows an expiry without waiting for it.
    pub fn advance(&self, by: Duration) {
        self.shift(|offset| offset.saturating_add(signed(millis(by))));
    }

    /// Moves this clock and all its clones back, as a bad time server would.
    pub fn rewind(&self, by: Duration) {
        self.shift(|offset| offset.saturating_sub(signed(millis(by))));
    }

    /// The time now, in milliseconds since 1970, between 0 and 2^48 − 1.
    pub fn now_ms(&self) -> u64 {
        let base = if self.ticks { SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis) } else { 0 };
        base.saturating_add_signed(self.offset_ms.load(Ordering::Relaxed)).min(MAX_MS)
    }

    fn shift(&self, change: impl Fn(i64) -> i64) {
        let _ = self.offset_ms.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |offset| Some(change(offset)));
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

/// A duration in whole milliseconds, at most [`MAX_MS`].
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(MAX_MS).min(MAX_MS)
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
