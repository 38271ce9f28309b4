//! The framework-free door: [`SessionRequest`]. Adapters stand on it and on nothing else.
//!
//! The rooms are the stations of a request's way: what came is opened ([`loading`]), the handler changes it
//! ([`state`], [`changes`]), once it is decided what that means ([`outcome`]), and where there is a store
//! it is done there ([`commit`], [`shelf`]). What a handler cannot wait for goes to the store [`at_once`].

mod at_once;
pub(crate) mod changes;
mod commit;
mod loading;
mod outcome;
mod shelf;
mod state;

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

pub use self::outcome::Outcome;
#[cfg(feature = "interop")]
pub(crate) use self::outcome::header;
pub(crate) use self::shelf::{Again, Parts};
use self::{commit::Plan, outcome::Decision, state::State};
use crate::{
    cookie::{
        SessionHeaders,
        header::{Presented, find},
    },
    error::{CommitError, SessionRejection, StoreError},
    follower, purging,
    session::Session,
    sessions::Sessions,
    system::System,
};

/// One request and its session. Cheap to clone; clones are the same request.
///
/// ```
/// # use hardtack::{Field, Keyring, Sessions};
/// # const COUNT: Field<u64> = Field::new("count");
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let sessions = Sessions::stateless(Keyring::ephemeral()?).build()?;
/// let cookie_fields = [&b"theme=dark"[..], b"__Host-session=dGVzdA"];
/// let mut response = http::Response::new("hello");
///
/// let request = sessions.begin(cookie_fields);
/// let session = request.session().await?;
/// session.set(COUNT, 1);
/// request.finish().await?.apply(response.headers_mut());
/// # Ok(())
/// # }
/// ```
///
/// Beginning costs one look over the header. Until [`session`](Self::session) is called nothing is
/// opened, and [`finish`](Self::finish) then answers no headers at all.
#[derive(Clone)]
pub struct SessionRequest {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) sessions: Sessions,
    presented: Presented,
    state: Mutex<State>,
    /// Held while the store is asked, so that it is asked once.
    loading: tokio::sync::Mutex<()>,
}

impl SessionRequest {
    pub(crate) fn new<'a>(
        sessions: &Sessions,
        loopback: bool,
        cookie_fields: impl IntoIterator<Item = &'a [u8]>,
    ) -> Self {
        let system = &sessions.system;
        let name = system.site(loopback).writer.name();
        let previous = system.previous_name().map(str::as_bytes);
        let (presented, others) = find(cookie_fields, name.as_bytes(), previous, system.foreign_names());
        let jar = Jar { loopback, others, foreign: presented.foreign_places() };
        let state = State { jar, ..State::default() };
        let shared = Shared {
            sessions: sessions.clone(),
            presented,
            state: Mutex::new(state),
            loading: tokio::sync::Mutex::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// The session of this request: the same for every call.
    ///
    /// # Errors
    ///
    /// [`SessionRejection::Store`] when what keeps the session does not answer. Never in the stateless
    /// placement.
    pub async fn session(&self) -> Result<Session, SessionRejection> {
        self.shared.load().await?;
        Ok(Session { shared: self.shared.clone() })
    }

    /// From now on this request's session is what the store says, and not a copy in the cookie that it has not
    /// confirmed: for what must not happen in a session that ended a moment ago on another server. It costs a
    /// read of the store when the session is asked for, and nothing in the other placements.
    pub fn ask_the_store(&self) {
        self.shared.with(|state, _| state.asks_the_store = true);
    }

    /// This request was started by another site (`Sec-Fetch-Site: cross-site`), so foreign cookies that it brought are not
    /// [accepted](crate::SessionsBuilder::accept). The layers tell it by themselves.
    pub fn cross_site(&self) {
        self.shared.with(|state, _| state.cross_site = true);
    }

    /// Commits, once and for all, and answers the headers to add to the response. Call it before the
    /// response's head leaves.
    ///
    /// # Errors
    ///
    /// [`CommitError`]: the response must then be replaced by one with its
    /// [`status`](CommitError::status), because what the handler said did not happen.
    pub fn finish(&self) -> Finish {
        Finish { request: self.clone(), storing: None }
    }

    /// Whether `sessions` began this request: an adapter that finds its own request begun leaves it alone.
    pub fn belongs_to(&self, sessions: &Sessions) -> bool {
        Arc::ptr_eq(&self.shared.sessions.system, &sessions.system)
    }
}

/// The browser's cookies, as this request showed them.
#[derive(Clone, Copy, Default)]
pub(crate) struct Jar {
    /// The request came to a loopback host that the development word is for.
    pub(crate) loopback: bool,
    /// Bytes of all cookies but ours.
    pub(crate) others: usize,
    /// Which of the foreign cookies that are looked for came, a bit for each name.
    pub(crate) foreign: u8,
}

/// The future of [`SessionRequest::finish`]. It waits only where there is something to do in a store.
#[must_use = "futures do nothing unless polled"]
pub struct Finish {
    request: SessionRequest,
    /// What is being done in the store.
    storing: Option<Storing>,
}

type Storing = Pin<Box<dyn Future<Output = Result<SessionHeaders, CommitError>> + Send>>;

impl Future for Finish {
    type Output = Result<SessionHeaders, CommitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.storing.is_none() {
            let shared = &self.request.shared;
            match shared.finish() {
                Ok(Decision::Done(_, headers)) => return Poll::Ready(Ok(headers)),
                Ok(Decision::Store(plan)) => self.storing = Some(Box::pin(shared.clone().store(plan))),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        match &mut self.storing {
            Some(storing) => storing.as_mut().poll(context),
            None => Poll::Pending,
        }
    }
}

impl Shared {
    /// Runs `work` under the lock. Never a user's closure.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State, &System) -> T) -> T {
        // A panic of another thread leaves the state whole: every change is a single assignment.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), &self.sessions.system)
    }

    /// Opens what came, and asks the store where the data is there. Once: the first call counts.
    async fn load(&self) -> Result<(), SessionRejection> {
        let system = &self.sessions.system;
        if !system.replays() {
            if let Some(follower) = &system.follower {
                follower::begin(system);
                if !follower.has_begun(system.store_deadline).await {
                    let why = StoreError::new("the feed was not read yet, so nobody knows what has ended");
                    return Err(SessionRejection::Store(why));
                }
            }
            self.with(|state, system| {
                if !state.loaded {
                    let now = state.ask(system);
                    state.arrive(loading::arrive(system, state.source(), &self.presented, now));
                }
            });
            return Ok(());
        }
        let _turn = self.loading.lock().await;
        let (loaded, asks, source, now) =
            self.with(|state, system| (state.loaded, state.asks_the_store, state.source(), state.ask(system)));
        if loaded {
            return if asks { self.confirm_copy().await } else { Ok(()) };
        }
        let arrival = match (&system.store, &system.sharing) {
            (Some(store), _) => {
                purging::begin(system);
                follower::begin(system);
                loading::arrive_from(system, store, !asks, source, &self.presented, now).await
            }
            (None, sharing) => loading::arrive_shared(system, sharing.as_ref(), &self.presented, now).await,
        };
        let arrival = arrival.map_err(SessionRejection::Store)?;
        self.with(|state, _| state.arrive(arrival));
        Ok(())
    }

    /// Somebody was content with a copy before, and now somebody is not.
    async fn confirm_copy(&self) -> Result<(), SessionRejection> {
        let copied = self.with(|state, _| state.is_a_copy());
        if copied && !self.confirm().await.map_err(SessionRejection::Store)? {
            self.with(|state, _| state.has_ended());
        }
        Ok(())
    }

    /// Commits early. The headers wait for [`Shared::finish`].
    pub(crate) async fn commit(self: &Arc<Self>) -> Result<Outcome, CommitError> {
        let decision = self.with(|state, system| {
            if state.closed {
                return Err(CommitError::Closed);
            }
            let decision = outcome::decide(system, state)?;
            state.closed = true;
            state.committing = true;
            Ok(decision)
        })?;
        let done = match decision {
            Decision::Done(outcome, headers) => Ok((outcome, headers)),
            Decision::Store(plan) => self.carry_out(plan).await,
        };
        self.with(|state, _| {
            state.committing = false;
            match done {
                Ok((outcome, headers)) => {
                    state.committed = Some(Box::new(headers));
                    Ok(outcome)
                }
                Err(error) => {
                    state.closed = false;
                    Err(error)
                }
            }
        })
    }

    fn finish(&self) -> Result<Decision, CommitError> {
        self.with(|state, system| {
            if !state.asked {
                state.closed = true;
                return Ok(Decision::nothing(SessionHeaders::default()));
            }
            let accessed = SessionHeaders { accessed: true, ..SessionHeaders::default() };
            let decision = match state.committed.take() {
                // Written after its early commit: that must not pass in silence.
                Some(headers) => state.poison.take().map_or(Ok(Decision::nothing(*headers)), Err),
                // Nobody waited for its answer, so nobody knows what happened.
                None if state.committing => Err(StoreError::new("an early commit was given up").into()),
                None if state.closed => Ok(Decision::nothing(accessed)),
                None => outcome::decide(system, state),
            };
            state.closed = true;
            decision
        })
    }

    async fn store(self: Arc<Self>, plan: Box<Plan>) -> Result<SessionHeaders, CommitError> {
        self.carry_out(plan).await.map(|(_, headers)| headers)
    }

    /// Does in the store what was decided. What failed can be tried again.
    async fn carry_out(&self, plan: Box<Plan>) -> Result<(Outcome, SessionHeaders), CommitError> {
        let done = commit::carry_out(&self.sessions, plan).await;
        self.with(|state, _| match done {
            Ok((outcome, headers, record)) => {
                state.record = record;
                Ok((outcome, headers))
            }
            Err((error, log)) => {
                state.changes.log.splice(0..0, log);
                Err(error)
            }
        })
    }
}
