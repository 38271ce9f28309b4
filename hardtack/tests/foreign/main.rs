//! Sessions in the cookies of Node packages: while both fleets live ([`emission`]), and when Node is gone
//! ([`acceptance`]); and in the store of Express ([`sharing`]).
#![cfg(feature = "interop")]
#![allow(clippy::unwrap_used, missing_docs, unreachable_pub)]

mod acceptance;
#[path = "../common/mod.rs"]
mod common;
mod emission;
mod sharing;

use std::collections::BTreeMap;

use hardtack::{
    CommitError, Field, Session, SessionHeaders, Sessions,
    interop::{
        ArcAlgorithm, Architect, ClientKeys, ClientSessions, CookieSession, Foreign, IronSession, SecureSession,
    },
};
use serde_json::value::RawValue;

pub const COUNT: Field<u64> = Field::new("count");
pub const PASSWORD: &str = "a password of at least 32 characters";
pub const MINUTE: u64 = 60_000;
pub const DAY: u64 = 86_400_000;

/// The formats whose cookies hold the session.
pub fn formats() -> [Foreign; 5] {
    [
        iron(),
        ClientSessions::new("session_state", ClientKeys::secret("secret")).unwrap().into(),
        CookieSession::new("session", ["key-one", "key-two"]).unwrap().into(),
        Architect::new(PASSWORD, ArcAlgorithm::A256Gcm).unwrap().into(),
        SecureSession::new("session", [[7; 32]]).unwrap().into(),
    ]
}

pub fn iron() -> Foreign {
    IronSession::new("iron-examples", PASSWORD).unwrap().into()
}

/// The cookies of a browser: names and values.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Jar(pub BTreeMap<String, String>);

impl Jar {
    /// What Node made.
    pub fn of_node(foreign: &Foreign, data: &str, now: u64) -> Self {
        Self(foreign.seal(data, now).unwrap().into_iter().collect())
    }

    /// What Node reads in it.
    pub fn read_by_node(&self, foreign: &Foreign, now: u64) -> Option<String> {
        let find = |name: &str| self.0.get(name).map(String::as_bytes);
        foreign.open(find, now).ok().map(|opened| opened.data_json().to_owned())
    }

    pub fn header(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// Takes what a response sets. Answers how many lines that were.
    pub fn take(&mut self, headers: &SessionHeaders) -> usize {
        for line in headers.set_cookies() {
            let line = line.to_str().unwrap();
            let (name, rest) = line.split_once('=').unwrap();
            let (value, attributes) = rest.split_once(';').unwrap();
            assert!(attributes.contains("HttpOnly") && attributes.contains("Secure"), "{line}");
            match attributes.contains("Max-Age=0") {
                true => self.0.remove(name),
                false => self.0.insert(name.into(), value.into()),
            };
        }
        headers.set_cookies().count()
    }

    /// One request: what `work` answers, and how many lines the response set.
    pub async fn visit<T>(&mut self, sessions: &Sessions, work: impl FnOnce(&Session) -> T) -> (T, usize) {
        self.try_visit(sessions, work).await.unwrap()
    }

    pub async fn try_visit<T>(
        &mut self,
        sessions: &Sessions,
        work: impl FnOnce(&Session) -> T,
    ) -> Result<(T, usize), CommitError> {
        let request = sessions.begin([self.header().as_bytes()]);
        let answer = work(&request.session().await.unwrap());
        let headers = request.finish().await?;
        Ok((answer, self.take(&headers)))
    }

    pub async fn owner(&self, sessions: &Sessions) -> Option<String> {
        self.clone().visit(sessions, Session::owner).await.0
    }
}

/// One member of the text of an object, as it is written.
pub fn member(object: &str, name: &str) -> Option<String> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(object).unwrap();
    members.get(name).map(|value| value.get().to_owned())
}
