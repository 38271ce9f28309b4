//! Who signs in to the demo: the one password, and the users of `hardtack users`.

use std::{sync::Arc, time::Duration};

use hardtack::{
    Sessions, StoreError,
    login::{
        Login, MemoryAttempts, MemoryUsers, Passwords, Quota, StoreAttempts, Throttle, TrustedProxies, User, Users,
    },
};
use tokio::task::spawn_blocking;

use super::password::Password;
use crate::{
    Failure,
    cli::Demo,
    store::Engine,
    users::{KEEPER, UserTable},
};

/// How often a demo whose sessions are in no store looks whether a user's are to end.
const LOOK: Duration = Duration::from_secs(1);
/// How often counters that are over are removed, and how many at a time.
const TIDY: Duration = Duration::from_secs(3600);
const BATCH: usize = 1000;

/// The users of the demo. Who gives no name means the one password.
#[derive(Clone)]
pub(super) struct Accounts {
    keeper: MemoryUsers,
    table: UserTable,
}

impl Accounts {
    pub(super) fn new(password: &Password, table: UserTable) -> Self {
        let keeper = MemoryUsers::new();
        keeper.set(User { owner: KEEPER.into(), name: KEEPER.into(), hash: password.hash.clone(), disabled: false });
        Self { keeper, table }
    }

    /// Whether anybody signs in by name.
    pub(super) async fn has_names(&self) -> Result<bool, StoreError> {
        self.ask(UserTable::has_any).await
    }

    /// Asks the file of users beside the server's threads.
    async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&UserTable) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, StoreError> {
        let table = self.table.clone();
        spawn_blocking(move || question(&table)).await.map_err(StoreError::new)?.map_err(StoreError::new)
    }

    /// Ends the sessions of users whose password was changed or whose account ended, as the command line noted it: for
    /// sessions that are in no store that it could reach.
    pub(super) fn end_what_is_noted(&self, sessions: Sessions) {
        let accounts = self.clone();
        tokio::spawn(async move {
            loop {
                match accounts.ask(UserTable::take_endings).await {
                    Ok(names) => {
                        for name in names {
                            if let Err(error) = sessions.end_owner(&name).await {
                                eprintln!("hardtack: the sessions of a user were not ended: {error}");
                            }
                        }
                    }
                    Err(error) => eprintln!("hardtack: {error}"),
                }
                tokio::time::sleep(LOOK).await;
            }
        });
    }
}

impl Users for Accounts {
    async fn by_name(&self, name: &str) -> Result<Option<User>, StoreError> {
        if name.is_empty() {
            return self.keeper.by_name(KEEPER).await;
        }
        let name = name.to_owned();
        self.ask(move |table| table.find(&name)).await
    }

    async fn by_owner(&self, owner: &str) -> Result<Option<User>, StoreError> {
        self.by_name(if owner == KEEPER { "" } else { owner }).await
    }

    async fn replace_hash(&self, owner: &str, before: &str, hash: &str) -> Result<bool, StoreError> {
        if owner == KEEPER {
            // It comes from the environment or from its own file, and is set there.
            return Ok(false);
        }
        let (owner, before, hash) = (owner.to_owned(), before.to_owned(), hash.to_owned());
        self.ask(move |table| table.replace_hash(&owner, &before, &hash)).await
    }
}

/// The way in, with attempts that all demos of the same store count together.
pub(super) fn login(
    args: &Demo,
    passwords: Passwords,
    accounts: Accounts,
    counters: Option<Engine>,
) -> Result<Login, Failure> {
    let throttle = match counters {
        Some(store) => {
            let counters = Arc::new(StoreAttempts::new(store));
            tidy(counters.clone());
            Throttle::shared(counters)
        }
        None => Throttle::shared(MemoryAttempts::new()),
    };
    let minute = Duration::from_secs(60);
    // One account is everybody's who tries the demo, and one address may be all of them.
    let throttle = throttle
        .account(Quota::new(args.attempts, minute)?)
        .device(Quota::new(args.attempts, minute)?)
        .source(Quota::new(args.attempts * 4, Duration::from_secs(5))?);
    let proxies = TrustedProxies::new(args.trust_proxy.iter().map(|range| &**range))
        .map_err(|error| format!("--trust-proxy: {error}"))?;
    Ok(Login::new(passwords, accounts).throttle(throttle).trusted_proxies(proxies))
}

/// Removes counters of days that are over.
fn tidy(counters: Arc<StoreAttempts<Engine>>) {
    tokio::spawn(async move {
        loop {
            let now = hardtack::Clock::system().now_ms();
            if let Err(error) = counters.purge(now, BATCH).await {
                eprintln!("hardtack: counters of attempts were not tidied up: {error}");
            }
            tokio::time::sleep(TIDY).await;
        }
    });
}
