//! One request's session: what came, and what the handler made of it.

use std::sync::Arc;

use crate::{
    cookie::SessionHeaders,
    error::{CommitError, FieldError},
    events::{self, Reason},
    fields::Fields,
    foreign::Guest,
    record::{Handle, Header, Kind, MAX_OWNER, Record, SessionId},
    request::{
        Jar,
        changes::{Change, Changes},
        loading::{Arrival, Live, Source},
        shelf::Parts,
    },
    store::sealing::Writes,
    system::System,
};

/// The state behind a [`Session`](crate::Session), under its lock.
#[derive(Default)]
pub(crate) struct State {
    /// Somebody wanted the session, so the response depends on the cookie.
    pub(crate) asked: bool,
    /// When it was asked for.
    pub(crate) asked_at: u64,
    /// A copy in the cookie is not enough.
    pub(crate) asks_the_store: bool,
    /// Another site started the request.
    pub(crate) cross_site: bool,
    /// It has been opened, and loaded where it is in a store.
    pub(crate) loaded: bool,
    /// Under which policy, and what came beside it.
    pub(crate) jar: Jar,
    /// A cookie of ours came with the request.
    pub(crate) presented: bool,
    /// The session came under the cookie's previous name.
    pub(crate) by_previous_name: bool,
    /// The request only looks.
    pub(crate) peeks: bool,
    /// The cookie that came is from before a password was proved again, and a thief may have it.
    pub(crate) outdated: bool,
    /// Why the cookie did not become a session.
    pub(crate) refused: Option<Reason>,
    /// The session that came.
    pub(crate) origin: Option<Origin>,
    /// The session as the handler sees it. `None` is a visitor about whom nothing is known.
    pub(crate) record: Option<Record>,
    pub(crate) changes: Changes,
    /// The epoch from before the verification of a credential.
    pub(crate) prepared: Option<u64>,
    /// Counts writes, so that an `update` sees whether it was overtaken.
    pub(crate) writes: u64,
    pub(crate) discarded: bool,
    pub(crate) poison: Option<CommitError>,
    pub(crate) closed: bool,
    /// An early commit is under way.
    pub(crate) committing: bool,
    /// What an early commit left for the response.
    pub(crate) committed: Option<Box<SessionHeaders>>,
}

/// The session that came, kept when the handler replaces it.
#[derive(Clone)]
pub(crate) struct Origin {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    /// The latest writes of its row, when it has one.
    pub(crate) stored: Option<Writes>,
    /// The browser needs another cookie for it, changed or not.
    pub(crate) stale: bool,
    /// It was sealed under a key that no longer seals.
    pub(crate) retired: bool,
    /// The store was not asked: it is the copy in its cookie.
    pub(crate) copied: bool,
    /// It is in a foreign cookie, which said this.
    pub(crate) guest: Option<Arc<Guest>>,
}

impl State {
    /// Somebody wants the session. Answers the time of the first who did.
    pub(crate) fn ask(&mut self, system: &System) -> u64 {
        if !std::mem::replace(&mut self.asked, true) {
            self.asked_at = system.now();
        }
        self.asked_at
    }

    /// Where the request comes from.
    pub(crate) fn source(&self) -> Source {
        Source { jar: self.jar, cross_site: self.cross_site }
    }

    /// What came is known.
    pub(crate) fn arrive(&mut self, arrival: Arrival) {
        self.loaded = true;
        self.presented = arrival.presented;
        self.by_previous_name = arrival.by_previous_name;
        match arrival.session {
            Ok(Some(Live { record, stored, stale, retired, copied, guest, outdated })) => {
                self.outdated = outdated;
                let Header { id, handle, .. } = &record.header;
                self.origin = Some(Origin { id: id.clone(), handle: *handle, stored, stale, retired, copied, guest });
                self.record = Some(record);
            }
            Ok(None) => {}
            Err(reason) => {
                events::refused(reason);
                self.refused = Some(reason);
            }
        }
    }

    /// What the store knows of the session that the handler sees: `None` when that is a new one.
    pub(crate) fn stored(&self) -> Option<&Writes> {
        self.origin.as_ref()?.stored.as_ref().filter(|_| self.is_of_origin())
    }

    /// Whether the session that the handler sees is the one that came.
    pub(crate) fn is_of_origin(&self) -> bool {
        let handle = self.origin.as_ref().map(|origin| origin.handle);
        handle.is_some() && self.record.as_ref().map(|record| record.header.handle) == handle
    }

    /// What a [`Shelf`](super::shelf::Shelf) for this request stands on.
    pub(crate) fn shelf_parts(&self, now: u64) -> Parts {
        let guest = self.origin.as_ref().and_then(|origin| origin.guest.clone());
        Parts { guest, jar: self.jar, now }
    }

    /// Whether the session that came has a row.
    pub(crate) fn came_from_the_store(&self) -> bool {
        self.origin.as_ref().is_some_and(|origin| origin.stored.is_some())
    }

    /// Whether the session that the handler sees is a copy that the store was not asked about.
    pub(crate) fn is_a_copy(&self) -> bool {
        self.is_of_origin() && self.origin.as_ref().is_some_and(|origin| origin.copied)
    }

    /// The session that came is over, and so is what was done to it.
    pub(crate) fn has_ended(&mut self) {
        (self.origin, self.record, self.changes) = (None, None, Changes::default());
        self.refused = Some(Reason::Ended);
    }

    /// The record, for a change. A visitor without one gets an anonymous session.
    pub(crate) fn record_mut(&mut self, system: &System) -> Result<&mut Record, FieldError> {
        if self.closed {
            return Err(FieldError::Closed);
        }
        if self.record.is_none() {
            let record = new_record(system, system.first_kind(), None).map_err(|_| FieldError::Random)?;
            self.record = Some(record);
        }
        self.record.as_mut().ok_or(FieldError::Random)
    }

    /// Changes the record; `change` answers whether it changed anything, and may run again on a newer one.
    pub(crate) fn change(
        &mut self,
        system: &System,
        mut change: impl FnMut(&System, &mut Record) -> Result<bool, FieldError> + Send + 'static,
    ) -> Result<(), FieldError> {
        if change(system, self.record_mut(system)?)? {
            self.changes.record = true;
            self.writes += 1;
            self.log(system, change);
        }
        Ok(())
    }

    /// Keeps a change that was made, to make it again on a newer record.
    pub(crate) fn log(
        &mut self,
        system: &System,
        change: impl FnMut(&System, &mut Record) -> Result<bool, FieldError> + Send + 'static,
    ) {
        if system.replays() {
            let change: Change = Box::new(change);
            self.changes.log.push(change);
        }
    }

    /// Changes fields, without giving a visitor a session in which nothing is.
    pub(crate) fn change_fields(
        &mut self,
        system: &System,
        mut change: impl FnMut(&mut Fields) -> Result<bool, FieldError> + Send + 'static,
    ) -> Result<(), FieldError> {
        if self.record.is_none() && !self.closed && !change(&mut Fields::empty())? {
            return Ok(());
        }
        self.change(system, move |_, record| change(&mut record.fields))
    }

    /// The next generation of the session, or the one that another request was faster to make.
    pub(crate) fn renew(&mut self, system: &System, generation: u32, now: u64) {
        let renew = move |_: &System, record: &mut Record| {
            let header = &mut record.header;
            let behind = header.generation < generation;
            if behind {
                header.generation = generation;
                header.renewed = now;
            }
            Ok(behind)
        };
        if let Some(record) = &mut self.record
            && matches!(renew(system, record), Ok(true))
        {
            self.changes.renewed = true;
            self.log(system, renew);
        }
    }

    /// A new session for `owner`; the presented one ends.
    pub(crate) fn sign_in(&mut self, system: &System, owner: &str) -> Result<(), CommitError> {
        if self.closed {
            return Err(CommitError::Closed);
        }
        if owner.is_empty() || owner.len() > MAX_OWNER {
            return Err(CommitError::Owner);
        }
        let mut record = new_record(system, system.recorded, Some(owner))?;
        if system.store.is_none() {
            record.header.epoch = self.prepared.unwrap_or(record.header.epoch);
        }
        if let Some(before) = &self.record {
            match before.header.owner.as_deref() {
                Some(same) if same == owner => record.fields = before.fields.clone(),
                Some(_) => {}
                None => carry_over(&before.fields, &system.carry_over, &mut record.fields),
            }
        }
        self.replace(Some(record));
        Ok(())
    }

    /// Ends the session. What is written afterwards belongs to a new anonymous one.
    pub(crate) fn sign_out(&mut self) -> Result<(), CommitError> {
        if self.closed {
            return Err(CommitError::Closed);
        }
        self.replace(None);
        Ok(())
    }

    fn replace(&mut self, record: Option<Record>) {
        let before = std::mem::replace(&mut self.record, record);
        if let (Some(before), Some(origin)) = (before, &self.origin)
            && before.header.handle == origin.handle
        {
            self.changes.ended = Some(Box::new(before));
        }
        self.changes.identity = true;
        self.changes.log.clear();
        self.writes += 1;
    }

    /// Forgets what was done. Whoever was signed in or out is again who came.
    pub(crate) fn discard(&mut self) {
        self.discarded = true;
        if let Some(before) = self.changes.ended.take() {
            self.record = Some(*before);
        }
    }

    /// Makes the commit fail, unless something failed it before.
    pub(crate) fn fail(&mut self, error: CommitError) {
        if self.closed || matches!(error, CommitError::Closed) {
            events::written_late();
        }
        self.poison.get_or_insert(error);
    }
}

/// A session under a new id.
fn new_record(system: &System, kind: Kind, owner: Option<&str>) -> Result<Record, CommitError> {
    let (id, handle) = SessionId::new(system.random, owner)?;
    let now = system.now();
    let mut header = Header::new(kind, id, handle, owner, system.revocations.epoch(now), now);
    header.authenticated = if owner.is_some() { now } else { 0 };
    system.lifetime.begin(&mut header, now);
    Ok(Record { header, fields: Fields::empty() })
}

fn carry_over(from: &Fields, allowed: &[String], to: &mut Fields) {
    for name in allowed {
        if let Some(json) = from.get(name) {
            // It came from fields, so it fits into fields.
            let _ = to.set(name, json);
        }
    }
}
