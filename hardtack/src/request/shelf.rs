//! One record against its row: loaded, replaced, created; what to do when others were faster, and when an answer
//! was lost. The row is in our own store, or in that of [Express](ExpressShelf).

use std::sync::Arc;

use tokio::sync::MutexGuard;

use crate::{
    error::{CommitError, StoreError},
    events,
    foreign::{ExpressShelf, Guest},
    record::{Header, Record, SessionId},
    request::{Jar, changes::Change},
    store::{
        Admission, Created, Replaced, Row,
        sealing::{self, Writes},
        timed::TimedStore,
    },
    system::System,
};

/// How often a write is begun again because others were faster. From the second time on, the requests of
/// one process take turns.
const ATTEMPTS: usize = 64;
/// How many errors of the store one write survives: the first may have lost nothing but the answer.
const FAULTS: usize = 2;

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
            (Some(store), _) => Some(Self::Ours(StoreShelf { system, store, now: parts.now })),
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
            Self::Ours(shelf) => shelf.store.delete(header.handle.into(), until).await.map(|_| ()),
            Self::Express(shelf) => shelf.delete(header).await,
        }
    }
}

/// A record from the other fleet's store, whose rows remember no writes.
fn shared(record: Record) -> Saved {
    (record, Writes::default())
}

/// Our own store, with what a write needs beside it.
pub(crate) struct StoreShelf<'a> {
    system: &'a System,
    store: &'a TimedStore,
    now: u64,
}

impl StoreShelf<'_> {
    /// The record of a session whose envelope came. `None` when it is gone.
    async fn load(&self, envelope: &Header) -> Result<Option<Saved>, StoreError> {
        let row = self.store.load(envelope.handle.into(), self.now).await?;
        Ok(row.and_then(|row| sealing::open(&row, envelope, self.now)))
    }

    /// Records that the session is used now. What fails is told and no more: nothing of the handler's is lost.
    async fn touch(&self, header: &Header) {
        let mut header = header.clone();
        self.system.lifetime.touch(&mut header, self.now);
        let touched = self.store.touch(header.handle.into(), header.last_seen, header.idle_deadline).await;
        touched.unwrap_or_else(|error| events::not_touched(&error));
    }

    /// Replaces the row that `record` was made from. When others were faster, `again` makes its changes on
    /// what they left, and answers whether there are any. `None` when the session is gone.
    async fn replace(
        &self,
        mut record: Record,
        writes: &Writes,
        again: Again<'_>,
    ) -> Result<Option<Saved>, CommitError> {
        let id = rand::random();
        let mut writes = writes.clone();
        let (mut faults, mut turn): (_, Option<MutexGuard<'_, ()>>) = (0, None);
        for _ in 0..ATTEMPTS {
            let before = record.header.version;
            let mut next = record.clone();
            next.header.version = before + 1;
            let row = self.row(&mut next, &writes.and(id))?;
            let lost = match self.store.replace(next.header.handle.into(), before, row, self.now).await {
                Ok(Replaced::Replaced) => return Ok(Some((next, writes.and(id)))),
                Ok(Replaced::Gone) => return Ok(None),
                Ok(Replaced::Conflict) => None,
                Err(error) if faults == FAULTS => return Err(error.into()),
                Err(error) => Some(error),
            };
            faults += usize::from(lost.is_some());
            if turn.is_none() && lost.is_none() {
                turn = self.system.turn(&next.header, self.store.deadline()).await;
            }
            let Some((current, latest)) = self.load(&next.header).await? else { return Ok(None) };
            if current.header.version == before {
                // Not written, or not yet: the same again cannot be written twice.
                continue;
            }
            match (latest.wrote(id, next.header.version, current.header.version), lost) {
                (Some(true), _) => return Ok(Some((current, latest))),
                (None, Some(error)) => return Err(error.into()),
                (None, None) if faults > 0 => return Err(CommitError::Conflict),
                _ => {}
            }
            if current.header.owner != record.header.owner || current.header.epoch != record.header.epoch {
                return Err(CommitError::Conflict);
            }
            (record, writes) = (current, latest);
            if !again(&mut record)? {
                return Ok(Some((record, writes)));
            }
        }
        Err(CommitError::Conflict)
    }

    /// Makes the row of a new record. `None` when the session had ended.
    async fn create(
        &self,
        mut record: Record,
        known: bool,
        prepared: Option<u64>,
        log: &mut [Change],
    ) -> Result<Option<Saved>, CommitError> {
        let writes = Writes::default().and(rand::random());
        record.header.version = 1;
        record.header.epoch = match (&record.header.owner, prepared) {
            (Some(_), None) => self.store.epoch().await?,
            (_, prepared) => prepared.unwrap_or(0),
        };
        let admission = Admission { epoch: record.header.epoch, limit: self.system.device_limit };
        let mut faults = 0;
        for _ in 0..ATTEMPTS {
            let row = self.row(&mut record, &writes)?;
            match self.store.create(record.header.handle.into(), row, admission, self.now).await {
                Ok(Created::Created) => return Ok(Some((record, writes))),
                Ok(Created::OwnerEnded) => return Err(CommitError::OwnerEnded),
                Ok(Created::LimitReached) => return Err(CommitError::DeviceLimit),
                Ok(Created::Exists) => {}
                Err(error) if faults == FAULTS => return Err(error.into()),
                Err(_) => {
                    faults += 1;
                    continue;
                }
            }
            let current = self.load(&record.header).await?;
            let ours = current.as_ref().map(|(row, latest)| latest.began_with(&writes, row.header.version));
            match current {
                // It was ours, and the answer was lost.
                Some(saved) if ours == Some(Some(true)) => return Ok(Some(saved)),
                Some(_) if faults > 0 && ours == Some(None) => return Err(CommitError::Conflict),
                // Another request of the same visitor was faster.
                Some((mut current, latest)) if known => {
                    return match replay(log, self.system, &mut current)? {
                        true => self.replace(current, &latest, &mut |record| replay(log, self.system, record)).await,
                        false => Ok(Some((current, latest))),
                    };
                }
                _ if known => return Ok(None),
                // Somebody else has this id (C08).
                _ => {
                    let owner = record.header.owner.as_deref();
                    (record.header.id, record.header.handle) = SessionId::new(self.system.random, owner)?;
                }
            }
        }
        Err(CommitError::Conflict)
    }

    /// The row of a record that is used now.
    fn row(&self, record: &mut Record, writes: &Writes) -> Result<Row, CommitError> {
        let (size, limit) = (record.fields.size(), self.system.max_record);
        if size > limit {
            return Err(CommitError::RecordTooLarge { size, limit });
        }
        self.system.lifetime.touch(&mut record.header, self.now);
        record.header.confirmed = self.now;
        Ok(sealing::seal(record, writes)?)
    }
}
