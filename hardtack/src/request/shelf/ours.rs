//! [`StoreShelf`]: what to do when others were faster, and when an answer was lost.

use tokio::sync::MutexGuard;

use super::{Again, Saved, replay};
use crate::{
    error::{CommitError, StoreError},
    events,
    record::{Header, Record, SessionId},
    request::changes::Change,
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

/// Our own store, with what a write needs beside it.
pub(crate) struct StoreShelf<'a> {
    system: &'a System,
    store: &'a TimedStore,
    now: u64,
}

impl<'a> StoreShelf<'a> {
    pub(super) fn new(system: &'a System, store: &'a TimedStore, now: u64) -> Self {
        Self { system, store, now }
    }

    pub(super) async fn delete(&self, header: &Header, until: u64) -> Result<(), StoreError> {
        self.store.delete(header.handle.into(), until).await.map(|_| ())
    }

    /// The record of a session whose envelope came. `None` when it is gone.
    pub(super) async fn load(&self, envelope: &Header) -> Result<Option<Saved>, StoreError> {
        let row = self.store.load(envelope.handle.into(), self.now).await?;
        Ok(row.and_then(|row| sealing::open(&row, envelope, self.now)))
    }

    /// Records that the session is used now. What fails is told and no more: nothing of the handler's is lost.
    pub(super) async fn touch(&self, header: &Header) {
        let mut header = header.clone();
        self.system.lifetime.touch(&mut header, self.now);
        let touched = self.store.touch(header.handle.into(), header.last_seen, header.idle_deadline).await;
        touched.unwrap_or_else(|error| events::not_touched(&error));
    }

    /// Replaces the row that `record` was made from. When others were faster, `again` makes its changes on
    /// what they left, and answers whether there are any. `None` when the session is gone.
    pub(super) async fn replace(
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
    pub(super) async fn create(
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
