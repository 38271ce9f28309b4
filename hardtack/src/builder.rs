//! [`SessionsBuilder`]: the settings of [`Sessions`], checked before anything runs.

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::Mutex;

use crate::{
    clock::{Clock, millis},
    cookie::CookiePolicy,
    error::BuildError,
    follower::{self, AnyFeed, Follower},
    foreign::{Acceptance, Emission, Sharing},
    hybrid::Hybrid,
    keyring::Keyring,
    lifetime::Lifetime,
    purging::Purging,
    record::{Kind, Random, system_random},
    revocation::{Revocations, Superseded},
    sessions::Sessions,
    store::{
        DeviceLimit,
        timed::{AnyStore, TimedStore},
    },
    system::{Site, System},
};

/// Configures [`Sessions`]. Every setting has a default that is right for most.
#[must_use = "call build()"]
pub struct SessionsBuilder {
    keys: Keyring,
    recorded: Kind,
    store: Option<Arc<dyn AnyStore>>,
    store_deadline: Duration,
    device_limit: Option<DeviceLimit>,
    max_record: usize,
    migrated: Option<(Kind, SystemTime)>,
    purge_interval: Duration,
    random: Random,
    cookie: Option<CookiePolicy>,
    lifetime: Lifetime,
    clock: Clock,
    revocations: Revocations,
    realm: String,
    carry_over: Vec<String>,
    previous: Option<(CookiePolicy, SystemTime)>,
    copies: Option<Arc<dyn AnyFeed>>,
    freshness: Duration,
    feed_bound: Duration,
    cookie_budget: usize,
    pub(crate) emission: Option<Emission>,
    pub(crate) acceptance: Option<Acceptance>,
    pub(crate) sharing: Option<Sharing>,
}

impl SessionsBuilder {
    pub(crate) fn new(keys: Keyring, recorded: Kind, store: Option<Arc<dyn AnyStore>>) -> Self {
        Self {
            keys,
            recorded,
            store,
            store_deadline: Duration::from_secs(3),
            device_limit: None,
            max_record: 256 * 1024,
            migrated: None,
            purge_interval: Duration::from_secs(60),
            random: system_random,
            cookie: None,
            lifetime: Lifetime::default(),
            clock: Clock::default(),
            revocations: Revocations::default(),
            realm: String::new(),
            carry_over: Vec::new(),
            previous: None,
            copies: None,
            freshness: Duration::from_secs(60),
            feed_bound: Duration::from_secs(2),
            cookie_budget: usize::MAX,
            emission: None,
            acceptance: None,
            sharing: None,
        }
    }

    /// Cookies hold copies of records, and this feed tells which of them are over.
    pub(crate) fn with_copies(mut self, feed: Arc<dyn AnyFeed>) -> Self {
        self.copies = Some(feed);
        self
    }

    /// How long a copy of a record in a cookie is used without asking the store, in the hybrid placement. Default
    /// 1 minute; from 1 second to half an hour less two [skews](Lifetime::skew) and a minute. So long at most a
    /// cookie may show data that another request has changed since.
    pub fn freshness(mut self, window: Duration) -> Self {
        self.freshness = window;
        self
    }

    /// How long ago this node may have heard from the store what ended elsewhere, in the hybrid placement. Default 2
    /// seconds, from 1 to 60. When it was longer ago, the store is asked for every session.
    pub fn feed_bound(mut self, bound: Duration) -> Self {
        self.feed_bound = bound;
        self
    }

    /// How many bytes all cookies of a request may have together, in the hybrid placement; beyond it the session's
    /// data goes into the store alone. Default no such limit, from 1,024. Servers and proxies refuse a request whose headers
    /// are too long, often from 8,192 bytes on.
    pub fn cookie_budget(mut self, bytes: usize) -> Self {
        self.cookie_budget = bytes;
        self
    }

    /// The cookie's name and attributes. Default `CookiePolicy::host("session")`.
    pub fn cookie(mut self, policy: CookiePolicy) -> Self {
        self.cookie = Some(policy);
        self
    }

    /// All timeouts at once. Default 1 hour idle, 24 hours absolute.
    pub fn lifetime(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// See [`Lifetime::idle`].
    pub fn idle(mut self, idle: Duration) -> Self {
        self.lifetime = self.lifetime.idle(idle);
        self
    }

    /// See [`Lifetime::absolute`].
    pub fn absolute(mut self, absolute: Duration) -> Self {
        self.lifetime = self.lifetime.absolute(absolute);
        self
    }

    /// See [`Lifetime::remember_me`].
    pub fn remember_me(mut self, remember: Duration) -> Self {
        self.lifetime = self.lifetime.remember_me(remember);
        self
    }

    /// See [`Lifetime::renewal`].
    pub fn renewal(mut self, every: Duration) -> Self {
        self.lifetime = self.lifetime.renewal(every);
        self
    }

    /// The clock. Default the system's; [`Clock::manual`] for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Where endings are remembered. Default [`Revocations::in_memory`].
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = revocations;
        self
    }

    /// The name of the application, at most 256 bytes. Default empty. Applications that share keys are
    /// kept apart by it: a cookie of one does not open in the other (F03).
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// The fields that an anonymous visitor keeps when signing in, a shopping cart for example. Default
    /// none: what was planted before sign-in stays behind (C07).
    pub fn carry_over(mut self, fields: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.carry_over = fields.into_iter().map(Into::into).collect();
        self
    }

    /// How many sessions one owner may have at a time, in a store (E06). Default any number. Beyond it
    /// either the oldest ends or the sign-in fails with [`CommitError::DeviceLimit`](crate::CommitError::DeviceLimit).
    pub fn device_limit(mut self, limit: DeviceLimit) -> Self {
        self.device_limit = Some(limit);
        self
    }

    /// The most bytes that one session's data may have in a store (J09). Default 256 KiB, from 1 KiB to
    /// 16 MiB. More fails the commit with [`CommitError::RecordTooLarge`](crate::CommitError::RecordTooLarge).
    pub fn max_record(mut self, bytes: usize) -> Self {
        self.max_record = bytes;
        self
    }

    /// How long one call of the store may take (J06). Default 3 seconds, from 10 milliseconds to 1 minute.
    /// What takes longer is an error; a commit calls again at most twice.
    pub fn store_deadline(mut self, deadline: Duration) -> Self {
        self.store_deadline = deadline;
        self
    }

    /// How often expired records are removed from the store, in the background. Default every minute, or
    /// rather at a random time in every interval; zero for never, when something else calls
    /// [`Sessions::purge`].
    pub fn purge_interval(mut self, interval: Duration) -> Self {
        self.purge_interval = interval;
        self
    }

    /// Moves sessions of another placement into the store, until a date: with the next request, under their
    /// own ids, once (B12). Until then their cookies are taken beside those of this placement.
    ///
    /// [`Kind::Stateless`] is moved into a store; endings of such sessions are known to the
    /// [`revocations`](Self::revocations) that the stateless placement used: pass them on. [`Kind::Hybrid`] is taken by
    /// [`Sessions::stored`], in whose store the records are already: the way back from hybrid.
    pub fn migrate_from(mut self, kind: Kind, until: SystemTime) -> Self {
        self.migrated = Some((kind, until));
        self
    }

    /// Also reads the cookie under its previous policy, until a date, when a request brings none under
    /// its present name (B12). The session then moves to the present name.
    pub fn previous_name(mut self, policy: CookiePolicy, until: SystemTime) -> Self {
        self.previous = Some((policy, until));
        self
    }

    /// Checks everything and makes the [`Sessions`].
    ///
    /// # Errors
    ///
    /// [`BuildError`], whose message says what to write instead.
    pub fn build(self) -> Result<Sessions, BuildError> {
        let emitted = || self.emission.as_ref().map(Emission::policy);
        let shared = || self.sharing.as_ref().map(Sharing::policy);
        let cookie = self.cookie.clone().or_else(emitted).or_else(shared).unwrap_or_default();
        cookie.validate()?;
        self.lifetime.validate()?;
        self.validate_foreign(&cookie)?;
        if self.realm.len() > 256 {
            return Err(BuildError::Setting { why: "a realm has at most 256 bytes".into() });
        }
        self.validate_store()?;
        let skew = Duration::from_millis(self.lifetime.skew_ms());
        let hybrid = self.copies.as_ref().map(|_| Hybrid::new(self.freshness, skew)).transpose()?;
        let feed = self.copies.or_else(|| self.revocations.feed());
        let follower = feed.map(|feed| Follower::new(feed, self.feed_bound, self.store_deadline));
        let previous = match &self.previous {
            Some((policy, _)) if policy.name() == cookie.name() => {
                let why = "the previous name is the present one; leave previous_name out".into();
                return Err(BuildError::Cookie { why });
            }
            Some((policy, until)) => {
                policy.validate()?;
                let until = until.duration_since(UNIX_EPOCH).map_or(0, millis);
                Some((Site::new(policy, &self.realm, true), until))
            }
            None => None,
        };
        let system = System {
            site: Site::new(&cookie, &self.realm, true),
            loopback: cookie.for_loopback().map(|policy| Site::new(&policy, &self.realm, false)),
            previous,
            keys: self.keys,
            lifetime: self.lifetime,
            clock: self.clock,
            latest: AtomicU64::default(),
            revocations: self.revocations,
            superseded: Superseded::default(),
            random: self.random,
            recorded: self.recorded,
            store: self.store.map(|store| TimedStore::new(store, self.store_deadline)),
            hybrid,
            follower,
            emission: self.emission,
            acceptance: self.acceptance.map(|acceptance| acceptance.within(self.store_deadline)),
            sharing: self.sharing.map(|sharing| sharing.on(&cookie, self.store_deadline)),
            cookie_budget: self.cookie_budget,
            store_deadline: self.store_deadline,
            device_limit: self.device_limit,
            max_record: self.max_record,
            migrated: self.migrated.map(|(kind, until)| (kind, until.duration_since(UNIX_EPOCH).map_or(0, millis))),
            turns: std::array::from_fn(|_| Mutex::default()),
            purging: Purging::default(),
            purge_interval: self.purge_interval,
            persistent: cookie.is_persistent(),
            carry_over: self.carry_over,
            #[cfg(feature = "login")]
            device: crate::login::device_binding(&self.realm),
        };
        let system = Arc::new(system);
        follower::begin(&system);
        Ok(Sessions { system })
    }

    fn validate_foreign(&self, cookie: &CookiePolicy) -> Result<(), BuildError> {
        let refuse = |why: &str| Err(BuildError::Setting { why: why.into() });
        if let Some(sharing) = &self.sharing {
            return match () {
                () if self.emission.is_some() || self.acceptance.is_some() => {
                    refuse("Sessions::shared has Express' own cookie and rows; leave emit_as and accept out")
                }
                () if self.lifetime.renews() => {
                    refuse("the generations of a renewal have no place in a row of Express; leave renewal out")
                }
                () if self.previous.is_some() => {
                    refuse("with Sessions::shared there is no previous_name; leave it out")
                }
                () => sharing.check(cookie),
            };
        }
        match (&self.emission, &self.acceptance) {
            (Some(_), Some(_)) => refuse(
                "emit_as is for the time in which both fleets live and accept for afterwards; leave one of them out",
            ),
            (Some(_), _) if self.store.is_some() => {
                refuse("with emit_as the session is in the foreign cookie alone; write Sessions::stateless(keys)")
            }
            (Some(_), _) if self.lifetime.renews() => {
                refuse("the generations of a renewal have no place in a foreign cookie; leave renewal out")
            }
            (Some(_), _) if self.previous.is_some() => refuse("with emit_as there is no previous_name; leave it out"),
            (Some(emission), _) => emission.check(cookie),
            (_, Some(acceptance)) => acceptance.check(cookie, self.store.is_some()),
            _ => Ok(()),
        }
    }

    fn validate_store(&self) -> Result<(), BuildError> {
        let refuse = |why: &str| Err(BuildError::Setting { why: why.into() });
        if self.device_limit.is_some_and(|limit| limit.most == 0) {
            return refuse("a device limit is at least 1");
        }
        if self.device_limit.is_some() && self.store.is_none() {
            return refuse("a device limit needs a store; write Sessions::stored(keys, store)");
        }
        if !(1024..=16 * 1024 * 1024).contains(&self.max_record) {
            return refuse("max_record is from 1 KiB to 16 MiB");
        }
        if !(Duration::from_millis(10)..=Duration::from_secs(60)).contains(&self.store_deadline) {
            return refuse("store_deadline is from 10 milliseconds to 1 minute");
        }
        if !(Duration::from_secs(1)..=Duration::from_secs(60)).contains(&self.feed_bound) {
            return refuse("feed_bound is from 1 second to 1 minute");
        }
        if self.cookie_budget < 1024 {
            return refuse("cookie_budget is at least 1,024 bytes");
        }
        match self.migrated {
            Some((Kind::Stateless, _)) if self.store.is_some() => Ok(()),
            Some((Kind::Hybrid, _)) if self.store.is_some() && self.copies.is_none() => Ok(()),
            Some(_) => refuse(
                "migrate_from moves Kind::Stateless into a store, or takes Kind::Hybrid back to Sessions::stored(keys, store)",
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::atomic::Ordering;

    use super::*;
    use crate::{CommitError, Field, Session, record::NoRandom, store::MemoryStore};

    const NOTE: Field<u8> = Field::new("note");

    /// C02: without random numbers there is no session: not for a visitor who writes, not for one who signs in.
    /// Nothing is guessed in place of them, and the answer is an error without a cookie.
    #[tokio::test]
    async fn without_random_numbers_there_is_no_session() {
        let builders = [Sessions::stateless, |keys| Sessions::stored(keys, MemoryStore::new())]
            as [fn(Keyring) -> SessionsBuilder; 2];
        for builder in builders {
            let mut builder = builder(Keyring::ephemeral().unwrap());
            builder.random = |_| Err(NoRandom);
            let sessions = builder.build().unwrap();
            let works: [fn(&Session); 3] =
                [|session| session.set(NOTE, 1), |session| session.sign_in("ada"), Session::keep];
            for work in works {
                let request = sessions.begin([]);
                let session = request.session().await.unwrap();
                work(&session);
                assert_eq!(session.owner(), None);
                assert!(matches!(request.finish().await, Err(CommitError::Random)));
            }
            assert!(sessions.of("ada").await.unwrap().is_empty());
        }
    }

    /// C08: an id that somebody has already is not given out again, however often the source repeats itself.
    #[tokio::test]
    async fn an_id_that_is_taken_is_not_given_out_again() {
        fn repeating(bytes: &mut [u8]) -> Result<(), NoRandom> {
            static CALLS: AtomicU64 = AtomicU64::new(0);
            let call = CALLS.fetch_add(1, Ordering::Relaxed);
            bytes.fill(if call < 5 { 7 } else { u8::try_from(call).unwrap() });
            Ok(())
        }
        let mut builder = Sessions::stored(Keyring::ephemeral().unwrap(), MemoryStore::new());
        builder.random = repeating;
        let sessions = builder.build().unwrap();
        let ada = sessions.cookie(|session| session.sign_in("ada")).await.unwrap();
        let bob = sessions.cookie(|session| session.sign_in("bob")).await.unwrap();
        for (cookie, owner) in [(ada, "ada"), (bob, "bob")] {
            let session = sessions.begin([cookie.as_bytes()]).session().await.unwrap();
            assert_eq!(session.owner().as_deref(), Some(owner));
        }
    }
}
