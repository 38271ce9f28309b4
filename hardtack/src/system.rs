//! [`System`]: what a [`Sessions`](crate::Sessions) is made of, once it is built.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::sync::{Mutex, MutexGuard};

use crate::{
    clock::Clock,
    cookie::{CookiePolicy, header::ForeignNames, set_cookie::CookieWriter},
    envelope::Binding,
    error::StoreError,
    events::Reason,
    follower::Follower,
    foreign::{Acceptance, Emission, Sharing},
    hybrid::Hybrid,
    keyring::Keyring,
    lifetime::Lifetime,
    purging::Purging,
    record::{Header, Kind, Random},
    revocation::{Ending, EndingClock, Revocations, Superseded},
    store::{
        DeviceLimit,
        feed::{Batch, News},
        timed::TimedStore,
    },
};

/// What a [`Sessions`] is made of. Nothing in it changes while it runs but what its parts share.
pub(crate) struct System {
    pub(crate) keys: Keyring,
    pub(crate) lifetime: Lifetime,
    pub(crate) clock: Clock,
    /// The latest time that was read.
    pub(crate) latest: AtomicU64,
    pub(crate) revocations: Revocations,
    pub(crate) superseded: Superseded,
    pub(crate) random: Random,
    /// The kind of a recorded session in this placement.
    pub(crate) recorded: Kind,
    /// Where recorded sessions are, unless they are in their cookies.
    pub(crate) store: Option<TimedStore>,
    /// What makes copies of records in cookies trustworthy, where there are any.
    pub(crate) hybrid: Option<Hybrid>,
    /// Who reads the feed that tells what ended elsewhere.
    pub(crate) follower: Option<Follower>,
    /// The session is in a foreign cookie.
    pub(crate) emission: Option<Emission>,
    /// Foreign cookies become sessions.
    pub(crate) acceptance: Option<Acceptance>,
    /// Sessions are rows of Express.
    pub(crate) sharing: Option<Sharing>,
    /// How many bytes all cookies of a request may have together.
    pub(crate) cookie_budget: usize,
    pub(crate) store_deadline: Duration,
    pub(crate) device_limit: Option<DeviceLimit>,
    pub(crate) max_record: usize,
    /// Whose envelopes are moved into the store, and until when.
    pub(crate) migrated: Option<(Kind, u64)>,
    /// Where requests of one session line up when they get into each other's way.
    pub(crate) turns: [Mutex<()>; TURNS],
    pub(crate) purging: Purging,
    pub(crate) purge_interval: Duration,
    pub(crate) persistent: bool,
    pub(crate) carry_over: Vec<String>,
    pub(crate) site: Site,
    pub(crate) loopback: Option<Site>,
    pub(crate) previous: Option<(Site, u64)>,
    /// What the marks of devices are bound to.
    #[cfg(feature = "login")]
    pub(crate) device: Binding,
}

/// How many lines there are for writes that conflict. Two sessions that share one wait for each other.
pub(crate) const TURNS: usize = 64;

/// A cookie's name with what depends on it.
pub(crate) struct Site {
    pub(crate) writer: CookieWriter,
    pub(crate) binding: Binding,
}

impl Site {
    pub(crate) fn new(policy: &CookiePolicy, realm: &str, secure: bool) -> Self {
        Self { writer: CookieWriter::new(policy, secure), binding: Binding::new(realm, policy.name()) }
    }
}

impl System {
    /// The time. A clock that is set back by no more than clocks may differ stands still meanwhile, so that
    /// what was seen to expire does not come back (D07).
    pub(crate) fn now(&self) -> u64 {
        let now = self.clock.now_ms();
        let latest = self.latest.load(Ordering::Relaxed);
        if now < latest && latest - now <= self.lifetime.skew_ms() {
            return latest;
        }
        self.latest.store(now, Ordering::Relaxed);
        now
    }

    /// Whether this placement takes envelopes of a kind.
    pub(crate) fn accepts(&self, kind: Kind, now: u64) -> bool {
        kind == Kind::Anonymous
            || kind == self.recorded
            || kind == Kind::Hybrid && self.hybrid.is_some()
            || self.migrates(kind, now)
    }

    /// Whether a copy of a record can be used without asking the store.
    pub(crate) fn trusts(&self, copy: &Header, now: u64) -> bool {
        self.follower.as_ref().is_some_and(Follower::is_alive)
            && self.hybrid.as_ref().is_some_and(|hybrid| hybrid.trusts(copy, now))
            && self.lifetime.check(copy, now).is_ok()
    }

    /// Learns what the feed told.
    pub(crate) fn hear(&self, batch: &Batch) {
        if let Some(hybrid) = self.hybrid.as_ref().filter(|_| !batch.complete) {
            hybrid.distrust(self.now());
        }
        self.hear_all(&batch.news);
    }

    pub(crate) fn hear_all(&self, news: &[News]) {
        let now = self.now();
        if let Some(hybrid) = &self.hybrid {
            hybrid.hear(news, now);
        }
        self.revocations.hear(news, now);
    }

    /// Whether envelopes of another placement are moved into the store.
    pub(crate) fn migrates(&self, kind: Kind, now: u64) -> bool {
        self.migrated.is_some_and(|(migrated, until)| migrated == kind && now < until)
    }

    /// Whether envelopes were or are moved into the store.
    pub(crate) fn migrates_any(&self) -> bool {
        self.migrated.is_some()
    }

    /// Ends what an owner has in envelopes that were not moved into the store yet.
    pub(crate) async fn end_envelopes_of(&self, owner: &str, now: u64) -> Result<(), StoreError> {
        if self.migrates_any() {
            self.revocations.end_owner(owner, None, &self.ending(now)).await?;
        }
        Ok(())
    }

    /// What an ending must know.
    pub(crate) fn ending(&self, now: u64) -> EndingClock {
        EndingClock {
            now,
            skew: self.lifetime.skew_ms(),
            longest: self.last_deadline(now).saturating_sub(now),
            deadline: self.store_deadline,
        }
    }

    /// What a call of this node's ended counts here at once, before the feed tells it.
    pub(crate) fn tell(&self, news: News, now: u64) {
        if let Some(hybrid) = &self.hybrid {
            hybrid.hear(&[news], now);
        }
    }

    /// Waits for the turn of a session whose writes conflict; no longer than for an answer of the store,
    /// because a turn is a courtesy.
    pub(crate) async fn turn(&self, header: &Header, patience: Duration) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turns[usize::from(header.handle.0[0]) % TURNS].lock();
        tokio::time::timeout(patience, turn).await.ok()
    }

    /// The cookie to write for a request.
    pub(crate) fn site(&self, loopback: bool) -> &Site {
        self.loopback.as_ref().filter(|_| loopback).unwrap_or(&self.site)
    }

    /// The kind of a session that nobody has recorded: one in the cookie, where we have the say.
    pub(crate) fn first_kind(&self) -> Kind {
        if self.sharing.is_some() { self.recorded } else { Kind::Anonymous }
    }

    /// Whether a row is written against its previous content, so that changes may be made again.
    pub(crate) fn replays(&self) -> bool {
        self.store.is_some() || self.sharing.is_some()
    }

    /// Whether a request that changes nothing moves the session's deadline. Express does it with every one.
    pub(crate) fn touch_is_due(&self, header: &Header, now: u64) -> bool {
        self.sharing.is_some() || self.lifetime.touch_is_due(header, now)
    }

    /// Whether the session's time is over. Where the other fleet's store has it, that one tells.
    pub(crate) fn check(&self, header: &Header, now: u64) -> Result<(), Reason> {
        if self.sharing.is_some() { Ok(()) } else { self.lifetime.check(header, now) }
    }

    /// Whether the other fleet's clock counts.
    fn keeps_foreign_time(&self) -> bool {
        self.emission.is_some() || self.sharing.is_some()
    }

    /// When the session ends unless it is used.
    pub(crate) fn deadline(&self, header: &Header) -> u64 {
        match self.keeps_foreign_time() {
            true => header.idle_deadline,
            false => self.lifetime.idle_deadline(header).min(self.lifetime.absolute_deadline(header)),
        }
    }

    /// The foreign cookies to look for.
    pub(crate) fn foreign_names(&self) -> ForeignNames<'_> {
        match (&self.emission, &self.acceptance) {
            (Some(emission), _) => ForeignNames { names: emission.names(), last: false },
            (_, Some(acceptance)) => ForeignNames { names: acceptance.names(), last: acceptance.takes_the_last() },
            _ => ForeignNames::default(),
        }
    }

    /// The ending of a session: remembered for as long as anything could bring it back.
    pub(crate) fn ending_of(&self, header: &Header) -> Ending {
        Ending::of(header, self.accepted_until())
    }

    /// Until when foreign cookies become sessions; 0 for never.
    pub(crate) fn accepted_until(&self) -> u64 {
        self.acceptance.as_ref().map_or(0, Acceptance::until)
    }

    /// When whatever was ended now cannot come back by itself any more.
    pub(crate) fn last_deadline(&self, now: u64) -> u64 {
        let emitted = self.emission.as_ref().map_or(0, Emission::longest);
        let shared = self.sharing.as_ref().map_or(0, Sharing::longest);
        let longest = self.lifetime.longest().max(emitted).max(shared);
        now.saturating_add(longest).max(self.accepted_until())
    }

    /// The previous name to look for.
    pub(crate) fn previous_name(&self) -> Option<&str> {
        self.previous.as_ref().map(|(site, _)| site.writer.name())
    }

    /// The cookie that is still read under its previous name, until its date.
    pub(crate) fn previous(&self, now: u64) -> Option<&Site> {
        self.previous.as_ref().filter(|(_, until)| now < *until).map(|(site, _)| site)
    }
}
