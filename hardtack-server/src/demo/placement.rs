//! Where the demo's sessions live: in a store, or in their cookies.

use std::time::Duration;

use hardtack::{
    BuildError, Clock, Keyring, Revocations, Sessions,
    store::{Beyond, DeviceLimit},
};

use super::pages;
use crate::{
    Failure,
    cli::{BeyondLimit, Demo, Placement},
    store::{Engine, FILE, StoreAddress},
};

/// The most that a browser is remembered: 30 days.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);

/// A placement that was chosen on the command line, with what it needs.
pub(super) struct Housing {
    /// What the console is told.
    pub(super) told: String,
    /// What a visitor is told of where the data of a recorded session is.
    pub(super) place: String,
    store: Option<Engine>,
    /// Where attempts to sign in are counted, when other servers count with this one.
    counters: Option<Engine>,
    /// The command line can end sessions by itself, because it opens the same store.
    is_reached: bool,
    /// Cookies hold copies of what is in the store.
    hybrid: bool,
    revocations: Revocations,
    limit: Option<DeviceLimit>,
}

impl Housing {
    /// Opens what keeps the sessions. The data folder is there.
    pub(super) async fn open(args: &Demo) -> Result<Self, Failure> {
        match args.placement {
            Placement::Stored | Placement::Hybrid => Self::stored(args).await,
            Placement::Stateless => Self::stateless(args),
        }
    }

    async fn stored(args: &Demo) -> Result<Self, Failure> {
        let given = StoreAddress::given(args.store.as_deref())?;
        let address = given.unwrap_or_else(|| StoreAddress::Sqlite(args.data.join(FILE)));
        let beyond = match args.beyond {
            BeyondLimit::Refuse => Beyond::Refuse,
            BeyondLimit::EndOldest => Beyond::EndOldest,
        };
        Ok(Self {
            told: match args.placement {
                Placement::Hybrid => format!("hybrid: the data is in {address}, the cookie holds a copy"),
                _ => format!("stored: the cookie holds an id, the data is in {address}"),
            },
            hybrid: args.placement == Placement::Hybrid,
            place: address.place(),
            store: Some(address.open(&args.settings).await?),
            counters: address.open_beside(&args.settings).await?,
            is_reached: address != StoreAddress::Memory,
            // The store remembers what ended; what is not in it is a visitor without an owner.
            revocations: Revocations::in_memory(),
            limit: args.devices.map(|most| DeviceLimit { most, beyond }),
        })
    }

    fn stateless(args: &Demo) -> Result<Self, Failure> {
        if args.store.is_some() {
            return Err("--store is for --placement stored or hybrid; leave one of them out".into());
        }
        if args.devices.is_some() {
            return Err("--devices needs a store that counts them; write --placement stored".into());
        }
        let file = args.data.join("revocations");
        Ok(Self {
            told: format!("stateless: the session is in its cookie, logouts in {}", file.display()),
            place: "in the cookie".into(),
            store: None,
            counters: None,
            is_reached: false,
            hybrid: false,
            revocations: Revocations::in_file(file)?,
            limit: None,
        })
    }

    /// What tells other servers of endings, where cookies hold copies.
    pub(super) fn feed(&self) -> Option<Engine> {
        self.store.clone().filter(|_| self.hybrid)
    }

    /// Where attempts are counted that other servers count too.
    pub(super) fn counters(&self) -> Option<Engine> {
        self.counters.clone()
    }

    /// Whether the command line ends sessions by itself.
    pub(super) fn is_reached(&self) -> bool {
        self.is_reached
    }

    /// The sessions on this clock.
    pub(super) fn sessions(&self, keys: &Keyring, clock: &Clock) -> Result<Sessions, BuildError> {
        self.build(keys, clock, Duration::from_secs(60))
    }

    /// The sessions on a clock that is ahead. They never purge: what is over for them is not over.
    pub(super) fn later(&self, keys: &Keyring, clock: &Clock) -> Result<Sessions, BuildError> {
        self.build(keys, clock, Duration::ZERO)
    }

    fn build(&self, keys: &Keyring, clock: &Clock, purge_interval: Duration) -> Result<Sessions, BuildError> {
        let keys = keys.clone();
        let mut builder = match &self.store {
            Some(store) if self.hybrid => Sessions::hybrid(keys, store.clone()),
            Some(store) => Sessions::stored(keys, store.clone()),
            None => Sessions::stateless(keys),
        };
        if let Some(limit) = self.limit {
            builder = builder.device_limit(limit);
        }
        builder
            .remember_me(REMEMBERED)
            .carry_over([pages::COUNT.name()])
            .revocations(self.revocations.clone())
            .clock(clock.clone())
            .purge_interval(purge_interval)
            .build()
    }
}
