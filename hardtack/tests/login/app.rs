//! A site with users and browsers that visit it, without a network between.

use std::net::IpAddr;

use hardtack::{
    Clock, CommitError, Keyring, Session, Sessions, SessionsBuilder,
    login::{Login, LoginError, MemoryUsers, Passwords, Quota, Throttle, User, Verified, Visitor},
    store::MemoryStore,
};
use http::{HeaderMap, HeaderValue};

use crate::common::{START, wait};

pub(crate) const PASSWORD: &str = "ship's biscuit & 2 knots";

pub(crate) struct Site {
    pub(crate) sessions: Sessions,
    pub(crate) login: Login,
    pub(crate) users: MemoryUsers,
    pub(crate) clock: Clock,
}

/// Both placements that differ in what they can know.
pub(crate) fn stored(keys: Keyring) -> SessionsBuilder {
    Sessions::stored(keys, MemoryStore::new())
}

pub(crate) const PLACEMENTS: [fn(Keyring) -> SessionsBuilder; 3] =
    [stored, Sessions::stateless, |keys| Sessions::hybrid(keys, MemoryStore::new())];

impl Site {
    pub(crate) fn new() -> Self {
        Self::with(stored, |builder| builder)
    }

    /// Ada and Eve have accounts; so has Dan, who is disabled.
    pub(crate) fn with(
        placement: fn(Keyring) -> SessionsBuilder,
        configure: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let clock = Clock::manual(START);
        let builder = placement(Keyring::ephemeral().unwrap()).clock(clock.clone());
        let sessions = wait(async { configure(builder).build() }).unwrap();
        let (passwords, users) = (Passwords::new().unwrap(), MemoryUsers::new());
        let hash = wait(passwords.hash(PASSWORD)).unwrap();
        for name in ["ada", "eve", "dan"] {
            users.set(User {
                owner: format!("no. {name}"),
                name: name.into(),
                hash: hash.clone(),
                disabled: name == "dan",
            });
        }
        let login = Login::new(passwords, users.clone());
        Self { sessions, login, users, clock }
    }

    pub(crate) fn throttled(mut self, throttle: Throttle) -> Self {
        self.login = self.login.throttle(throttle);
        self
    }

    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { site: self, cookie: String::new(), mark: String::new(), source: [203, 0, 113, 7].into() }
    }

    pub(crate) fn hash_of(&self, name: &str) -> String {
        use hardtack::login::Users;
        wait(self.users.by_name(name)).unwrap().unwrap().hash
    }

    /// How many sessions somebody has in the store.
    pub(crate) fn count(&self, name: &str) -> usize {
        wait(self.sessions.of(&format!("no. {name}"))).unwrap().len()
    }
}

/// Few attempts, so that a test need not hash for long.
pub(crate) fn quota(burst: u32, seconds: u64) -> Quota {
    Quota::new(burst, std::time::Duration::from_secs(seconds)).unwrap()
}

#[derive(Clone)]
pub(crate) struct Browser<'a> {
    pub(crate) site: &'a Site,
    /// `NAME=VALUE` of the session, or nothing.
    pub(crate) cookie: String,
    /// `NAME=VALUE` of the device's mark, or nothing.
    pub(crate) mark: String,
    pub(crate) source: IpAddr,
}

impl Browser<'_> {
    pub(crate) fn from(mut self, source: &str) -> Self {
        self.source = source.parse().unwrap();
        self
    }

    pub(crate) fn visitor(&self) -> Visitor {
        let mut headers = HeaderMap::new();
        for cookie in [&self.cookie, &self.mark] {
            headers.append("cookie", HeaderValue::from_str(cookie).unwrap());
        }
        self.site.login.visitor(self.source, &headers)
    }

    /// One request: `work`, then the commit; the cookie is kept as a browser would.
    pub(crate) fn request<T>(&mut self, work: impl AsyncFnOnce(&Session) -> T) -> (T, Result<(), CommitError>) {
        let cookie = self.cookie.clone();
        wait(async {
            let request = self.site.sessions.begin([cookie.as_bytes()]);
            let session = request.session().await.unwrap();
            let done = work(&session).await;
            let committed = request.finish().await.map(|headers| {
                for line in headers.set_cookies() {
                    let pair = line.to_str().unwrap().split(';').next().unwrap();
                    self.cookie = if pair.ends_with('=') { String::new() } else { pair.into() };
                }
            });
            (done, committed)
        })
    }

    /// One request that is committed.
    pub(crate) fn does(&mut self, work: impl AsyncFnOnce(&Session)) {
        self.request(work).1.unwrap();
    }

    pub(crate) fn log_in(&mut self, name: &str, password: &str) -> Result<(), LoginError> {
        self.log_in_marked(name, password).map(|_| ())
    }

    /// As [`log_in`](Self::log_in); answers the proof with its mark of the device.
    pub(crate) fn log_in_marked(&mut self, name: &str, password: &str) -> Result<Verified, LoginError> {
        let (login, visitor) = (self.site.login.clone(), self.visitor());
        let (done, committed) = self.request(async |session| login.sign_in(session, &visitor, name, password).await);
        let verified = done?;
        committed.unwrap();
        self.mark = verified.device_cookie().to_str().unwrap().split(';').next().unwrap().into();
        Ok(verified)
    }

    pub(crate) fn step_up(&mut self, password: &str) -> Result<(), LoginError> {
        let (login, visitor) = (self.site.login.clone(), self.visitor());
        let (done, committed) = self.request(async |session| login.step_up(session, &visitor, password).await);
        committed.unwrap();
        done
    }

    pub(crate) fn owner(&mut self) -> Option<String> {
        self.request(async |session| session.owner()).0
    }

    pub(crate) fn is_fresh(&mut self, seconds: u64) -> bool {
        self.request(async |session| session.is_fresh(std::time::Duration::from_secs(seconds))).0
    }
}
