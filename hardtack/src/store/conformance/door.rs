//! The public door over a store: servers of one site, and visits to them.

use std::time::Duration;

use super::{Place, rows::NOW};
use crate::{
    Clock, CommitError, Device, Field, Keyring, Session, SessionRejection, SessionRequest, Sessions, SessionsBuilder,
    store::Store,
};

pub(super) const COUNT: Field<u64> = Field::new("count");
pub(super) const NOTE: Field<String> = Field::new("note");

/// What the servers of a site have in common beside the store.
pub(super) struct Site {
    keys: Keyring,
}

impl Site {
    pub(super) fn new() -> Self {
        let keys = Keyring::ephemeral().unwrap_or_else(|error| panic!("there are no keys: {error}"));
        Self { keys }
    }

    /// A server with a clock of its own, whose calls of the store may take long.
    pub(super) fn server(
        &self,
        store: impl Store,
        clock: &Clock,
        settings: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Sessions {
        let builder = Sessions::stored(self.keys.clone(), store).clock(clock.clone());
        let builder = builder.purge_interval(Duration::ZERO).store_deadline(Duration::from_secs(20));
        settings(builder).build().unwrap_or_else(|error| panic!("there are no sessions: {error}"))
    }
}

/// Two servers with a node each, on one clock.
pub(super) async fn servers(
    place: &impl Place,
    settings: impl Fn(SessionsBuilder) -> SessionsBuilder,
) -> ([Sessions; 2], Clock) {
    let (site, clock) = (Site::new(), Clock::manual(NOW));
    let servers =
        [site.server(place.node().await, &clock, &settings), site.server(place.node().await, &clock, &settings)];
    (servers, clock)
}

/// A request under way.
pub(super) struct Visit {
    request: SessionRequest,
    pub(super) session: Session,
}

/// Begins a request with a cookie, or with none when it is empty.
pub(super) async fn try_visit(sessions: &Sessions, cookie: &str) -> Result<Visit, SessionRejection> {
    let request = sessions.begin([cookie.as_bytes()]);
    let session = request.session().await?;
    Ok(Visit { request, session })
}

pub(super) async fn visit(sessions: &Sessions, cookie: &str) -> Visit {
    match try_visit(sessions, cookie).await {
        Ok(visit) => visit,
        Err(error) => panic!("a request was rejected although nothing was wrong: {error}"),
    }
}

impl Visit {
    /// Ends the request; the cookie that it sets.
    pub(super) async fn try_done(self) -> Result<Option<String>, CommitError> {
        let headers = self.request.finish().await?;
        let line = headers.set_cookies().next().and_then(|line| line.to_str().ok());
        Ok(line.and_then(|line| line.split(';').next()).map(str::to_owned))
    }

    pub(super) async fn done(self) -> Option<String> {
        match self.try_done().await {
            Ok(cookie) => cookie,
            Err(error) => panic!("a commit failed although nothing was wrong: {error}"),
        }
    }
}

/// Does something in a request of its own; the cookie that there is afterwards.
pub(super) async fn then(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> String {
    let visit = visit(sessions, cookie).await;
    work(&visit.session);
    visit.done().await.unwrap_or_else(|| cookie.to_owned())
}

/// Somebody who signs in.
pub(super) async fn signed_in(sessions: &Sessions, owner: &str) -> String {
    then(sessions, "", |session| session.sign_in(owner)).await
}

/// A visitor who is nobody and has a row.
pub(super) async fn kept(sessions: &Sessions) -> String {
    then(sessions, "", Session::keep).await
}

pub(super) async fn is_live(sessions: &Sessions, cookie: &str) -> bool {
    visit(sessions, cookie).await.session.is_live()
}

pub(super) async fn owner(sessions: &Sessions, cookie: &str) -> Option<String> {
    visit(sessions, cookie).await.session.owner()
}

pub(super) async fn count(sessions: &Sessions, cookie: &str) -> u64 {
    visit(sessions, cookie).await.session.get(COUNT).unwrap_or_default()
}

pub(super) async fn devices(sessions: &Sessions, owner: &str) -> Vec<Device> {
    sessions.of(owner).await.unwrap_or_else(|error| panic!("the list of devices is a fault: {error}"))
}

/// One more.
pub(super) fn increment(session: &Session) {
    session.update(COUNT, |count| count.unwrap_or_default() + 1);
}
