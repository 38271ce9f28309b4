//! The framework-free door: [`SessionRequest`]. Adapters stand on it and on nothing else.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use crate::{
    cookie::{
        SessionHeaders,
        header::{self, Presented},
    },
    error::{CommitError, SessionRejection},
    outcome::{self, Outcome},
    session::Session,
    sessions::{Sessions, System},
    state::State,
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
        let presented = header::find(cookie_fields, name.as_bytes(), previous);
        let state = State { loopback, ..State::default() };
        let shared = Shared { sessions: sessions.clone(), presented, state: Mutex::new(state) };
        Self { shared: Arc::new(shared) }
    }

    /// The session of this request: the same for every call.
    ///
    /// # Errors
    ///
    /// [`SessionRejection::Store`] when what keeps the session does not answer. Never in the stateless
    /// placement.
    pub async fn session(&self) -> Result<Session, SessionRejection> {
        self.shared.with(|state, system| state.load(system, &self.shared.presented));
        Ok(Session { shared: self.shared.clone() })
    }

    /// Commits, once and for all, and answers the headers to add to the response. Call it before the
    /// response's head leaves.
    ///
    /// # Errors
    ///
    /// [`CommitError`]: the response must then be replaced by one with its
    /// [`status`](CommitError::status), because what the handler said did not happen.
    pub fn finish(&self) -> Finish {
        Finish { request: self.clone() }
    }

    /// Whether `sessions` began this request: an adapter that finds its own request begun leaves it alone.
    pub fn belongs_to(&self, sessions: &Sessions) -> bool {
        Arc::ptr_eq(&self.shared.sessions.system, &sessions.system)
    }
}

/// The future of [`SessionRequest::finish`].
#[must_use = "futures do nothing unless polled"]
pub struct Finish {
    request: SessionRequest,
}

impl Future for Finish {
    type Output = Result<SessionHeaders, CommitError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        Poll::Ready(self.request.shared.finish())
    }
}

impl Shared {
    /// Runs `work` under the lock. Never a user's closure.
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State, &System) -> T) -> T {
        // A panic of another thread leaves the state whole: every change is a single assignment.
        work(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner), &self.sessions.system)
    }

    /// Commits early. The headers wait for [`Shared::finish`].
    pub(crate) fn commit(&self) -> Result<Outcome, CommitError> {
        self.with(|state, system| {
            if state.closed {
                return Err(CommitError::Closed);
            }
            let (outcome, headers) = outcome::decide(system, state)?;
            state.closed = true;
            state.committed = Some(Box::new(headers));
            Ok(outcome)
        })
    }

    fn finish(&self) -> Result<SessionHeaders, CommitError> {
        self.with(|state, system| {
            if !state.asked {
                state.closed = true;
                return Ok(SessionHeaders::default());
            }
            let headers = match state.committed.take() {
                // Written after its early commit: that must not pass in silence.
                Some(headers) => state.poison.take().map_or(Ok(*headers), Err),
                None if state.closed => Ok(SessionHeaders { accessed: true, ..SessionHeaders::default() }),
                None => outcome::decide(system, state).map(|(_, headers)| headers),
            };
            state.closed = true;
            headers
        })
    }
}
