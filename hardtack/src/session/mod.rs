//! [`Session`]: the handle of one request. What it holds is in [`fields`], whose it is in [`identity`].

mod fields;
mod identity;

use std::sync::Arc;

use crate::{
    csrf,
    error::{CommitError, FieldError},
    events::Reason,
    request::{Outcome, Shared},
};

/// The session of one request. Cheap to clone; all clones and extractions of a request are the same.
///
/// Reading and writing wait for nothing. What was written is committed once, before the response's head
/// leaves, for errors of the handler too; [`discard`](Self::discard) opts out.
#[derive(Clone)]
pub struct Session {
    pub(crate) shared: Arc<Shared>,
}

/// The request.
impl Session {
    /// Forgets what this request did to the session. Nothing is committed, no cookie is sent.
    pub fn discard(&self) {
        self.shared.with(|state, _| state.discard());
    }

    /// Commits now, to know before the response is made. Later writes of the request are errors.
    ///
    /// # Errors
    ///
    /// [`CommitError`]; the session stays open then, so that the handler can write less and try again.
    pub async fn commit(&self) -> Result<Outcome, CommitError> {
        self.shared.commit().await
    }

    /// A token for the forms and scripts of the page that is being made; see [`csrf`]. It gives a visitor
    /// without a session an anonymous one.
    pub fn csrf_token(&self) -> String {
        let token = self.shared.with(|state, system| {
            let fresh = state.record.is_none();
            let token = csrf::issue(&state.record_mut(system)?.header.id);
            state.changes.record |= fresh;
            Ok(token)
        });
        token.unwrap_or_else(|error| {
            self.or_fail(Err(error));
            String::new()
        })
    }

    /// Whether `token` was issued for the session that this request presented. Without one, never.
    pub fn verify_csrf(&self, token: &str) -> bool {
        self.shared.with(|state, _| state.origin.as_ref().is_some_and(|origin| csrf::verify(&origin.id, token)))
    }

    /// Whether there is a session at all, as opposed to a visitor about whom nothing is known.
    pub fn is_live(&self) -> bool {
        self.shared.with(|state, _| state.record.is_some())
    }

    /// Why the cookie that came did not become a session; `None` when it did or when none came. For logs
    /// and tools: to the visitor all reasons look the same (F07).
    pub fn refusal(&self) -> Option<Reason> {
        self.shared.with(|state, _| state.refused)
    }

    /// Makes the commit fail by an error that the handler was not told.
    fn or_fail(&self, result: Result<(), FieldError>) {
        if let Err(error) = result {
            self.shared.with(|state, _| {
                state.fail(match error {
                    FieldError::Closed => CommitError::Closed,
                    FieldError::Random => CommitError::Random,
                    other => CommitError::Field { why: other.to_string() },
                });
            });
        }
    }
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("handle", &self.handle()).finish_non_exhaustive()
    }
}
