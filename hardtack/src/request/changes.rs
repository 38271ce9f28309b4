//! What a request did to its session.

use crate::{error::FieldError, record::Record, system::System};

/// One change, which may run again on a newer record. It answers whether it changed anything.
pub(crate) type Change = Box<dyn FnMut(&System, &mut Record) -> Result<bool, FieldError> + Send>;

/// The changes of one request, from which its outcome follows.
#[derive(Default)]
pub(crate) struct Changes {
    /// Fields or facts of the record differ from what was presented.
    pub(crate) record: bool,
    /// The session has a new generation.
    pub(crate) renewed: bool,
    /// Whether the cookie outlives the browser differs from what was presented.
    pub(crate) lasting: bool,
    /// Somebody signed in or out.
    pub(crate) identity: bool,
    /// The presented session, when this request ends it.
    pub(crate) ended: Option<Box<Record>>,
    /// What was done to the record, in order. Kept only where there is a store, because nobody else
    /// replays it.
    pub(crate) log: Vec<Change>,
}

impl Changes {
    pub(crate) fn any(&self) -> bool {
        self.record || self.renewed || self.identity
    }
}
