//! [`ExpressShelf`]: one record against its row in the store of Express, as
//! [`Shelf`](crate::request::shelf::Shelf) is one against ours.

use std::sync::{Arc, OnceLock};

use tokio::sync::MutexGuard;

use super::{Read, Row, Sharing};
use crate::{
    error::{CommitError, StoreError},
    events,
    foreign::Guest,
    record::{Header, Record},
    request::{Again, Jar, Parts},
    system::System,
};

/// How often a write is begun again because others were faster.
const ATTEMPTS: usize = 64;

/// The store, with what a request's write needs beside it.
pub(crate) struct ExpressShelf<'a> {
    sharing: &'a Sharing,
    system: &'a System,
    origin: Option<Arc<Guest>>,
    written: OnceLock<Arc<Guest>>,
    jar: Jar,
    now: u64,
}

impl<'a> ExpressShelf<'a> {
    pub(super) fn new(sharing: &'a Sharing, system: &'a System, parts: Parts) -> Self {
        let Parts { guest: origin, jar, now } = parts;
        Self { sharing, system, origin, written: OnceLock::new(), jar, now }
    }

    /// The row as it is now, as far as this request knows.
    pub(crate) fn row(&self) -> Option<&Arc<Guest>> {
        self.written.get().or(self.origin.as_ref())
    }

    /// The row that came with the request.
    pub(crate) fn origin(&self) -> Option<&Guest> {
        self.origin.as_deref()
    }

    /// The record as it is in the store now. `None` when it is gone.
    pub(crate) async fn load(&self, header: &Header) -> Result<Option<Record>, StoreError> {
        Ok(self.read(header).await?.map(|(record, _)| record))
    }

    /// Records that the session is used now.
    pub(crate) async fn touch(&self, header: &Header) {
        let Some(row) = self.row_of(header) else { return };
        let touched = self.sharing.rows.store.touch(&row.sid, self.expires(row), self.now).await;
        touched.unwrap_or_else(|error| events::not_touched(&error));
    }

    /// Replaces the row that `record` was made from; `again` makes the request's changes on what others left, and
    /// answers whether there are any. `None` when the session is gone.
    pub(crate) async fn replace(&self, mut record: Record, again: Again<'_>) -> Result<Option<Record>, CommitError> {
        let mut read = None;
        let mut turn: Option<MutexGuard<'_, ()>> = None;
        for _ in 0..ATTEMPTS {
            let Some(base) = read.as_ref().or_else(|| self.row_of(&record.header)) else { return Ok(None) };
            if self.write(&record, base).await? {
                return Ok(Some(record));
            }
            if turn.is_none() {
                turn = self.system.turn(&record.header, self.sharing.rows.store.deadline()).await;
            }
            let Some((current, latest)) = self.read(&record.header).await? else { return Ok(None) };
            if current.header.owner != record.header.owner {
                return Err(CommitError::Conflict);
            }
            record = current;
            if !again(&mut record)? {
                self.has_written(latest);
                return Ok(Some(record));
            }
            read = Some(latest);
        }
        Err(CommitError::Conflict)
    }

    /// Makes the row of a new record.
    pub(crate) async fn create(&self, record: Record) -> Result<Record, CommitError> {
        let cookie = self.sharing.cookies[usize::from(self.jar.loopback)].clone();
        let base = Row::new(&record.header.id, cookie);
        match self.write(&record, &base).await? {
            true => Ok(record),
            // Nobody draws the id of another; somebody wrote a row under it.
            false => Err(CommitError::Conflict),
        }
    }

    /// Removes a session's row.
    pub(crate) async fn delete(&self, header: &Header) -> Result<(), StoreError> {
        match self.row_of(header) {
            Some(row) => self.sharing.rows.store.delete(&row.sid).await,
            None => Ok(()),
        }
    }

    async fn write(&self, record: &Record, base: &Row) -> Result<bool, CommitError> {
        let (size, limit) = (record.fields.size(), self.system.max_record);
        if size > limit {
            return Err(CommitError::RecordTooLarge { size, limit });
        }
        let row = self.sharing.row(record, base, self.now)?;
        let text = row.text.as_deref().unwrap_or_default();
        let written =
            self.sharing.rows.store.replace(&row.sid, base.text.as_deref(), text, self.expires(&row), self.now);
        let written = written.await?;
        if written {
            self.has_written(row);
        }
        Ok(written)
    }

    async fn read(&self, header: &Header) -> Result<Option<Read>, StoreError> {
        let Some(row) = self.row_of(header) else { return Ok(None) };
        let read = self.sharing.read(row.sid.clone(), self.now).await?;
        Ok(read.inspect_err(|reason| events::refused(*reason)).ok())
    }

    fn has_written(&self, row: Row) {
        // A shelf writes one record once.
        let _ = self.written.set(Arc::new(Guest::Row(row)));
    }

    /// The row of a session that came or that was written.
    fn row_of(&self, header: &Header) -> Option<&Row> {
        let known = [self.written.get(), self.origin.as_ref()];
        known.into_iter().flatten().find_map(|guest| match &**guest {
            Guest::Row(row) if row.id() == header.id => Some(row),
            _ => None,
        })
    }

    fn expires(&self, row: &Row) -> Option<u64> {
        row.cookie.max_age().map(|max_age| self.now.saturating_add(max_age))
    }
}
