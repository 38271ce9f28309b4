//! [`Sessions`], the configured system, and the builder that makes one.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use tokio::sync::MutexGuard;

use crate::{
    clock::{Clock, millis},
    cookie::{CookiePolicy, policy::is_loopback, set_cookie::CookieWriter},
    devices::Device,
    envelope::{self, Binding},
    error::{BuildError, CommitError, StoreError},
    events::Reason,
    inspection::Inspection,
    keyring::Keyring,
    lifetime::Lifetime,
    purging::{self, Purging},
    record::{Handle, Header, Kind, Random, system_random},
    request::SessionRequest,
    revocation::{Ending, Revocations, Superseded},
    session::Session,
    store::{
        DeviceLimit, Store,
        timed::{AnyStore, TimedStore},
    },
};

/// The sessions of one application: its policy, its keys and its placement. Cheap to clone.
///
/// ```
/// use hardtack::{Keyring, Sessions};
///
/// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
/// # Ok::<_, hardtack::BuildError>(())
/// ```
#[derive(Clone)]
pub struct Sessions {
    pub(crate) system: Arc<System>,
}

/// What a [`Sessions`] is made of. Nothing in it changes while it runs but what its parts share.
pub(crate) struct System {
    pub(crate) keys: Keyring,
    pub(crate) lifetime: Lifetime,
    clock: Clock,
    /// The latest time that was read.
    latest: AtomicU64,
    pub(crate) revocations: Revocations,
    pub(crate) superseded: Superseded,
    pub(crate) random: Random,
    /// The kind of a recorded session in this placement.
    pub(crate) recorded: Kind,
    /// Where recorded sessions are, unless they are in their cookies.
    pub(crate) store: Option<TimedStore>,
    pub(crate) device_limit: Option<DeviceLimit>,
    pub(crate) max_record: usize,
    /// Whose envelopes are moved into the store, and until when.
    migrated: Option<(Kind, u64)>,
    /// Where requests of one session line up when they get into each other's way.
    turns: [tokio::sync::Mutex<()>; TURNS],
    pub(crate) purging: Purging,
    pub(crate) purge_interval: Duration,
    pub(crate) persistent: bool,
    pub(crate) carry_over: Vec<String>,
    pub(crate) site: Site,
    loopback: Option<Site>,
    previous: Option<(Site, u64)>,
}

/// How many lines there are for writes that conflict. Two sessions that share one wait for each other.
const TURNS: usize = 64;

/// A cookie's name with what depends on it.
pub(crate) struct Site {
    pub(crate) writer: CookieWriter,
    pub(crate) binding: Binding,
}

impl Site {
    fn new(policy: &CookiePolicy, realm: &str, secure: bool) -> Self {
        Self { writer: CookieWriter::new(policy, secure), binding: Binding::new(realm, policy.name()) }
    }
}

impl Sessions {
    /// Sessions that live in the cookie alone, sealed with `keys`. Nothing to run beside the program;
    /// a logout is remembered by this process (see [`Revocations`]).
    pub fn stateless(keys: Keyring) -> SessionsBuilder {
        SessionsBuilder::new(keys, Kind::Stateless, None)
    }

    /// Sessions whose data is in a store; the cookie, sealed with `keys`, holds their id alone. A logout
    /// holds at once and everywhere, two writers at once lose nothing, and data may be larger than a cookie.
    ///
    /// That is promised for sessions that are recorded, by [`sign_in`](Session::sign_in) or
    /// [`keep`](Session::keep). Other visitors' data stays in their cookies and makes no record. Requests run
    /// inside a tokio runtime with its timer enabled.
    ///
    /// ```
    /// use hardtack::{Keyring, Sessions, store::MemoryStore};
    ///
    /// let sessions = Sessions::stored(Keyring::ephemeral()?, MemoryStore::new()).build()?;
    /// # Ok::<_, hardtack::BuildError>(())
    /// ```
    pub fn stored(keys: Keyring, store: impl Store) -> SessionsBuilder {
        SessionsBuilder::new(keys, Kind::Stored, Some(Arc::new(store)))
    }

    /// The framework-free door: begins a request with the values of its `Cookie` fields. See
    /// [`SessionRequest`].
    pub fn begin<'a>(&self, cookie_fields: impl IntoIterator<Item = &'a [u8]>) -> SessionRequest {
        SessionRequest::new(self, false, cookie_fields)
    }

    /// As [`begin`](Self::begin), for a request whose `host` is asked for only when it matters: for
    /// [`CookiePolicy::insecure_on_loopback`].
    pub fn begin_on_host<'a, 'h>(
        &self,
        host: impl FnOnce() -> Option<&'h [u8]>,
        cookie_fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> SessionRequest {
        let loopback = self.system.loopback.is_some() && host().is_some_and(is_loopback);
        SessionRequest::new(self, loopback, cookie_fields)
    }

    /// Mints a `Cookie` header for the tests of an application: `prepare` does to a new session what a
    /// handler would do.
    ///
    /// ```
    /// # use hardtack::{Keyring, Sessions};
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
    /// let header = sessions.cookie(|session| session.sign_in("ada")).await?;
    /// assert!(header.starts_with("__Host-session="));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of a commit.
    pub async fn cookie(&self, prepare: impl FnOnce(&Session)) -> Result<String, CommitError> {
        let request = self.begin([]);
        let session = request.session().await.map_err(|error| CommitError::Store(StoreError::new(error)))?;
        prepare(&session);
        let headers = request.finish().await?;
        let line = headers.set_cookies().next().and_then(|line| line.to_str().ok()).unwrap_or_default();
        Ok(line.split(';').next().unwrap_or_default().to_owned())
    }

    /// Opens the value of a cookie without using it: for tools and tests. Placement and revocation are
    /// not asked; the clocks are this system's.
    ///
    /// # Errors
    ///
    /// The reason why it does not open. One whose time is over does open:
    /// [`Inspection::verdict`] tells.
    pub fn inspect(&self, value: &str) -> Result<Inspection, Reason> {
        let now = self.system.now();
        let opened = envelope::open(&self.system.keys, &self.system.site.binding, value.as_bytes(), now)?;
        Ok(Inspection::new(opened, &self.system.lifetime, now))
    }

    /// The live sessions of an owner, the one that was used last first (E05). Empty in the stateless
    /// placement, where nobody knows them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store does not answer.
    pub async fn of(&self, owner: &str) -> Result<Vec<Device>, StoreError> {
        let system = &*self.system;
        let Some(store) = &system.store else { return Ok(Vec::new()) };
        let rows = store.owned_by(owner, system.now()).await?;
        let mut devices: Vec<_> = rows.iter().map(|(key, row)| Device::of_row(*key, row)).collect();
        devices.sort_by_key(|device| (std::cmp::Reverse(device.last_seen_at), device.handle));
        Ok(devices)
    }

    /// Removes from the store what is over, and answers how many records that were. It happens in the
    /// background too; see [`SessionsBuilder::purge_interval`].
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store does not answer; what was removed before stays removed.
    pub async fn purge(&self) -> Result<usize, StoreError> {
        purging::purge(&self.system).await
    }

    /// Ends the session that `handle` names, wherever it is used.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the ending could not be kept; the session then still lives.
    pub async fn end(&self, handle: &Handle) -> Result<(), StoreError> {
        let system = &*self.system;
        let now = system.now();
        let until = now.saturating_add(system.lifetime.longest());
        if let Some(store) = &system.store {
            store.delete((*handle).into(), until).await?;
        }
        // Sessions that are all in their cookies are known to nobody but this table.
        system.revocations.end(&[Ending::of_handle(*handle, until)], now)
    }

    /// Ends all sessions that `owner` has, on every device: after an account was disabled, for example
    /// (E02, E04). Who signs in afterwards is not affected.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the ending could not be kept.
    pub async fn end_owner(&self, owner: &str) -> Result<(), StoreError> {
        let system = &*self.system;
        let now = system.now();
        match &system.store {
            Some(store) => {
                store.end_owner(owner, None, now.saturating_add(system.lifetime.longest())).await?;
                system.end_envelopes_of(owner, now)
            }
            None => system.revocations.end_owner(owner, now).map(|_| ()),
        }
    }

    /// Ends all other sessions of the session's owner, after a change of password for example (E03).
    /// Does nothing for a session without an owner.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the ending could not be kept.
    pub async fn end_others(&self, session: &Session) -> Result<(), StoreError> {
        session.end_others().await
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

    /// Whether envelopes of another placement are moved into the store.
    pub(crate) fn migrates(&self, kind: Kind, now: u64) -> bool {
        self.migrated.is_some_and(|(migrated, until)| migrated == kind && now < until)
    }

    /// Whether envelopes were or are moved into the store.
    pub(crate) fn migrates_any(&self) -> bool {
        self.migrated.is_some()
    }

    /// Ends what an owner has in envelopes that were not moved into the store yet.
    pub(crate) fn end_envelopes_of(&self, owner: &str, now: u64) -> Result<(), StoreError> {
        if self.migrates_any() { self.revocations.end_owner(owner, now).map(|_| ()) } else { Ok(()) }
    }

    /// Waits for the turn of a session whose writes conflict; no longer than for an answer of the store,
    /// because a turn is a courtesy.
    pub(crate) async fn turn(&self, header: &Header, store: &TimedStore) -> Option<MutexGuard<'_, ()>> {
        let turn = self.turns[usize::from(header.handle.0[0]) % TURNS].lock();
        tokio::time::timeout(store.deadline(), turn).await.ok()
    }

    /// The cookie to write for a request.
    pub(crate) fn site(&self, loopback: bool) -> &Site {
        self.loopback.as_ref().filter(|_| loopback).unwrap_or(&self.site)
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
    cookie: CookiePolicy,
    lifetime: Lifetime,
    clock: Clock,
    revocations: Revocations,
    realm: String,
    carry_over: Vec<String>,
    previous: Option<(CookiePolicy, SystemTime)>,
}

impl SessionsBuilder {
    fn new(keys: Keyring, recorded: Kind, store: Option<Arc<dyn AnyStore>>) -> Self {
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
            cookie: CookiePolicy::default(),
            lifetime: Lifetime::default(),
            clock: Clock::default(),
            revocations: Revocations::default(),
            realm: String::new(),
            carry_over: Vec::new(),
            previous: None,
        }
    }

    /// The cookie's name and attributes. Default `CookiePolicy::host("session")`.
    pub fn cookie(mut self, policy: CookiePolicy) -> Self {
        self.cookie = policy;
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
    /// either the oldest ends or the sign-in fails with [`CommitError::DeviceLimit`].
    pub fn device_limit(mut self, limit: DeviceLimit) -> Self {
        self.device_limit = Some(limit);
        self
    }

    /// The most bytes that one session's data may have in a store (J09). Default 256 KiB, from 1 KiB to
    /// 16 MiB. More fails the commit with [`CommitError::RecordTooLarge`].
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
    /// Only [`Kind::Stateless`] can be moved, and only into a store. Endings of such sessions are known to
    /// the [`revocations`](Self::revocations) that the stateless placement used: pass them on.
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
        self.cookie.validate()?;
        self.lifetime.validate()?;
        if self.realm.len() > 256 {
            return Err(BuildError::Setting { why: "a realm has at most 256 bytes".into() });
        }
        self.validate_store()?;
        let previous = match &self.previous {
            Some((policy, _)) if policy.name() == self.cookie.name() => {
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
            site: Site::new(&self.cookie, &self.realm, true),
            loopback: self.cookie.for_loopback().map(|policy| Site::new(&policy, &self.realm, false)),
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
            device_limit: self.device_limit,
            max_record: self.max_record,
            migrated: self.migrated.map(|(kind, until)| (kind, until.duration_since(UNIX_EPOCH).map_or(0, millis))),
            turns: std::array::from_fn(|_| tokio::sync::Mutex::default()),
            purging: Purging::default(),
            purge_interval: self.purge_interval,
            persistent: self.cookie.is_persistent(),
            carry_over: self.carry_over,
        };
        Ok(Sessions { system: Arc::new(system) })
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
        match self.migrated {
            Some((Kind::Stateless, _)) if self.store.is_some() => Ok(()),
            Some(_) => refuse("migrate_from moves Kind::Stateless into a store; write Sessions::stored(keys, store)"),
            None => Ok(()),
        }
    }
}
