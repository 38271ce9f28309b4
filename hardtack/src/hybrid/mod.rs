//! The hybrid placement: a sealed copy of the record in the cookie, trusted for a while without asking the store.
//!
//! A copy is trusted while all of this holds, and otherwise the store is asked, which is always right:
//!
//! - the store answered for it within the freshness window ([`confirmed`](crate::record::Header::confirmed); sealing
//!   the copy anew does not move that);
//! - nothing that the [feed](crate::store::feed) told speaks against it ([`Known`]);
//! - the feed was read to its end within the feed bound ([`Follower`](crate::follower::Follower)).
//!
//! What a write makes is always decided by the store, by a compare-and-swap on the version that is in the copy.

mod known;

use std::time::Duration;

pub(crate) use self::known::Known;
use crate::{
    clock::millis,
    error::BuildError,
    record::Header,
    store::feed::{News, RETENTION},
};

/// The longest that a request is thought to take: an ending is remembered for so much longer.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);

/// What is special to the hybrid placement.
pub(crate) struct Hybrid {
    freshness: u64,
    skew: u64,
    known: Known,
}

impl Hybrid {
    pub(crate) fn new(freshness: Duration, skew: Duration) -> Result<Self, BuildError> {
        let keep = freshness + 2 * skew + LONGEST_REQUEST;
        if freshness < Duration::from_secs(1) || keep > RETENTION {
            let most = RETENTION.saturating_sub(2 * skew + LONGEST_REQUEST).as_secs();
            let why = format!(
                "freshness is from 1 second to {most}: endings are remembered for half an hour, in which two skews and a long request must have room"
            );
            return Err(BuildError::Setting { why });
        }
        Ok(Self { freshness: millis(freshness), skew: millis(skew), known: Known::new(millis(keep), millis(skew)) })
    }

    /// Whether a copy can be used without asking the store, as long as the feed is alive.
    pub(crate) fn trusts(&self, header: &Header, now: u64) -> bool {
        let age = now.saturating_sub(header.confirmed);
        age < self.freshness && header.confirmed <= now.saturating_add(self.skew) && !self.known.speaks_against(header)
    }

    /// Learns what ended.
    pub(crate) fn hear(&self, news: &[News], now: u64) {
        self.known.hear(news, now);
    }

    /// The end of something before this moment may not have been told.
    pub(crate) fn distrust(&self, now: u64) {
        self.known.distrust(now);
    }
}
