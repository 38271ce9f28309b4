//! What a request did to its session.

use crate::revocation::Ending;

/// The changes of one request, from which its outcome follows.
#[derive(Default)]
pub(crate) struct Changes {
    /// Fields or facts of the record differ from what was presented.
    pub(crate) record: bool,
    /// The session has a new generation.
    pub(crate) renewed: bool,
    /// Somebody signed in or out.
    pub(crate) identity: bool,
    /// What this request ends.
    pub(crate) endings: Vec<Ending>,
}

impl Changes {
    pub(crate) fn any(&self) -> bool {
        self.record || self.renewed || self.identity
    }
}
