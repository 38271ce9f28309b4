//! One record against its row: loaded, replaced, created. The row is in [our own store](StoreShelf), or in that of
//! [Express](ExpressShelf).

mod ours;

use std::sync::Arc;

use self::ours::StoreShelf;
use crate::{
    error::{CommitError, StoreError},
    foreign::{ExpressShelf, Guest},
    record::{Header, Record},
    request::{Jar, changes::Change},
    store::sealing::Writes,
    system::System,
};

/// Does the changes again on a newer record. Answers whether they changed anything.
pub(crate) fn replay(log: &mut [Change], system: &System, record: &mut Record) -> Result<bool, CommitError> {
    log.iter_mut().try_fold(false, |changed, change| {
        let changes = change(system, record);
        changes.map(|changes| changed | changes).map_err(|error| CommitError::Field { why: error.to_string() })
    })
}

/// Makes a request's changes on what others left, and answers whether there are any.
pub(crate) type Again<'a> = &'a mut (dyn FnMut(&mut Record) -> Result<bool, CommitError> + Send);

/// A record as it is in the store now, with the latest writes of its row.
pub(crate) type Saved = (Record, Writes);

/// What of a request its shelf needs.
// Without foreign cookies only the time.
#[cfg_attr(not(feature = "interop"), allow(dead_code))]
pub(crate) struct Parts {
    /// What of the other fleet came.
    pub(crate) guest: Option<Arc<Guest>>,
    pub(crate) jar: Jar,
    pub(crate) now: u64,
}

/// Where the rows are.
pub(crate) enum Shelf<'a> {
    Ours(StoreShelf<'a>),
    Express(ExpressShelf<'a>),
}

impl<'a> Shelf<'a> {
    /// Where there is a store.
    pub(crate) fn of(system: &'a System, parts: Parts) -> Option<Self> {
        match (&system.store, &system.sharing) {
            (Some(store), _) => Some(Self::Ours(StoreShelf::new(system, store, parts.now))),
            (None, Some(sharing)) => Some(Self::Express(sharing.shelf(system, parts))),
            (None, None) => None,
        }
    }

    /// The row in the other fleet's store, as it is now.
    pub(crate) fn row(&self) -> Option<&Guest> {
        self.shared_row().map(|row| &**row)
    }

    /// The same, to be kept.
    pub(crate) fn shared_row(&self) -> Option<&Arc<Guest>> {
        match self {
            Self::Ours(_) => None,
            Self::Express(shelf) => shelf.row(),
        }
    }

    /// The row in the other fleet's store that came with the request.
    pub(crate) fn origin(&self) -> Option<&Guest> {
        match self {
            Self::Ours(_) => None,
            Self::Express(shelf) => shelf.origin(),
        }
    }

    /// The record of a session whose envelope came. `None` when it is gone.
    pub(crate) async fn load(&self, envelope: &Header) -> Result<Option<Saved>, StoreError> {
        match self {
            Self::Ours(shelf) => shelf.load(envelope).await,
            Self::Express(shelf) => Ok(shelf.load(envelope).await?.map(shared)),
        }
    }

    /// Records that the session is used now. What fails is told and no more: nothing of the handler's is lost.
    pub(crate) async fn touch(&self, header: &Header) {
        match self {
            Self::Ours(shelf) => shelf.touch(header).await,
            Self::Express(shelf) => shelf.touch(header).await,
        }
    }

    /// Replaces the row that `record` was made from. `None` when the session is gone.
    pub(crate) async fn replace(
        &self,
        record: Record,
        writes: &Writes,
        again: Again<'_>,
    ) -> Result<Option<Saved>, CommitError> {
        match self {
            Self::Ours(shelf) => shelf.replace(record, writes, again).await,
            Self::Express(shelf) => Ok(shelf.replace(record, again).await?.map(shared)),
        }
    }

    /// Makes the row of a new record. `None` when the session had ended.
    pub(crate) async fn create(
        &self,
        record: Record,
        known: bool,
        prepared: Option<u64>,
        log: &mut [Change],
    ) -> Result<Option<Saved>, CommitError> {
        match self {
            Self::Ours(shelf) => shelf.create(record, known, prepared, log).await,
            Self::Express(shelf) => Ok(Some(shared(shelf.create(record).await?))),
        }
    }

    /// Removes a session's row, which must not come back until then.
    pub(crate) async fn delete(&self, header: &Header, until: u64) -> Result<(), StoreError> {
        match self {
            Self::Ours(shelf) => shelf.delete(header, until).await,
            Self::Express(shelf) => shelf.delete(header).await,
        }
    }
}

/// A record from the other fleet's store, whose rows remember no writes.
fn shared(record: Record) -> Saved {
    (record, Writes::default())
}
