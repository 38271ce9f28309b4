//! What a handler asks of the store at once, before its request is committed.

use std::sync::Arc;

use crate::{
    error::{CommitError, FieldError, StoreError},
    fields::Fields,
    foreign::Guest,
    record::{Kind, Record},
    request::{
        Shared,
        shelf::{Saved, Shelf, replay},
    },
    store::feed::News,
};

impl Shared {
    /// Takes a field out of the record in the store, and answers the fields from before; `None` when
    /// another request was faster.
    pub(crate) async fn take_once(
        &self,
        name: &'static str,
        fits: impl Fn(&Fields) -> Result<(), FieldError>,
    ) -> Result<Option<Fields>, CommitError> {
        let system = &*self.sessions.system;
        let in_store = self.with(|state, system| {
            let record = state.stored().and(state.record.as_ref());
            let in_store = record.map(|record| (record.header.clone(), state.shelf_parts(system.now())));
            if state.closed { Err(CommitError::Closed) } else { Ok(in_store) }
        })?;
        let failed = |error: FieldError| CommitError::Field { why: error.to_string() };
        let in_store = in_store.and_then(|(header, parts)| Some((header, Shelf::of(system, parts)?)));
        let Some((header, shelf)) = in_store else {
            return self.with(|state, system| {
                let fields = state.record.as_ref().map_or_else(Fields::empty, |record| record.fields.clone());
                fits(&fields).map_err(failed)?;
                state.change_fields(system, move |fields| Ok(fields.remove(name))).map_err(failed)?;
                Ok(Some(fields))
            });
        };
        let Some((mut record, writes)) = shelf.load(&header).await? else { return Ok(None) };
        fits(&record.fields).map_err(failed)?;
        let mut before = record.fields.clone();
        if !record.fields.remove(name) {
            return Ok(None);
        }
        let mut won = true;
        let mut take_again = |record: &mut Record| {
            before = record.fields.clone();
            won = record.fields.remove(name);
            Ok(won)
        };
        let Some(saved) = shelf.replace(record, &writes, &mut take_again).await? else { return Ok(None) };
        self.rebase(saved, shelf.shared_row())?;
        Ok(Some(before).filter(|_| won))
    }

    /// Goes on from a newer record: what the handler did so far is done again on it.
    fn rebase(&self, (record, writes): Saved, row: Option<&Arc<Guest>>) -> Result<(), CommitError> {
        let system = &self.sessions.system;
        loop {
            let (mut log, count) = self.with(|state, _| (std::mem::take(&mut state.changes.log), state.writes));
            let mut next = record.clone();
            let replayed = replay(&mut log, system, &mut next);
            let overtaken = self.with(|state, _| {
                if state.record.as_ref().is_none_or(|now| now.header.handle != record.header.handle) {
                    // Somebody signed in or out meanwhile, and what was done to this record went with it.
                    return false;
                }
                state.changes.log.splice(0..0, log);
                if state.writes == count && replayed.is_ok() {
                    state.record = Some(next);
                    if let Some(origin) = &mut state.origin {
                        origin.stored = Some(writes.clone());
                        origin.guest = row.cloned().or(origin.guest.take());
                        // Its cookie is a copy from before.
                        origin.stale |= origin.copied;
                    }
                }
                state.writes != count
            });
            if !overtaken {
                return replayed.map(|_| ());
            }
        }
    }

    /// Whether the session still lives.
    pub(crate) async fn confirm(&self) -> Result<bool, StoreError> {
        let system = &*self.sessions.system;
        let now = system.now();
        let (header, has_row, parts) = self.with(|state, _| {
            let header = state.record.as_ref().map(|record| record.header.clone());
            (header, state.closed || state.stored().is_some(), state.shelf_parts(now))
        });
        let Some(header) = header else { return Ok(false) };
        let Some(shelf) = Shelf::of(system, parts).filter(|_| has_row && header.kind == Kind::Stored) else {
            return Ok(system.check(&header, now).is_ok() && !system.revocations.has_ended(&header));
        };
        let record = shelf.load(&header).await?;
        Ok(record.is_some_and(|(record, _)| system.check(&record.header, now).is_ok()))
    }

    /// Ends the owner's other sessions and puts this one above them.
    pub(crate) async fn end_others(&self) -> Result<(), StoreError> {
        let system = &self.sessions.system;
        let (header, row) = self.with(|state, _| {
            let row = state.origin.as_ref().filter(|_| state.is_of_origin()).and_then(|origin| origin.guest.clone());
            (state.record.as_ref().map(|record| record.header.clone()), row)
        });
        let Some(header) = header else { return Ok(()) };
        let Some(owner) = header.owner.as_deref() else { return Ok(()) };
        if let Some(sharing) = &system.sharing {
            return sharing.end_owner(owner, row.as_deref()).await;
        }
        let now = system.now();
        let epoch = match &system.store {
            Some(store) => {
                let until = system.last_deadline(now);
                let epoch = store.end_owner(owner, Some(header.handle.into()), until).await?;
                system.tell(News::owner_ended(owner, epoch), now);
                system.end_envelopes_of(owner, now).await?;
                Some(epoch)
            }
            None => {
                // The cookie that came has ended too; until the new one arrives it must not be replaced.
                system.superseded.add(header.handle, now);
                system.revocations.end_owner(owner, Some(&header), &system.ending(now)).await?
            }
        };
        self.with(|state, system| {
            let record = state.record.as_mut().filter(|record| record.header.handle == header.handle);
            if let (Some(record), Some(epoch)) = (record, epoch) {
                record.header.epoch = epoch;
                state.prepared = Some(epoch);
                // Without a store the epoch is in the cookie.
                state.changes.record |= system.store.is_none();
            }
        });
        Ok(())
    }
}
