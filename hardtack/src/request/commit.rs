//! What was decided, done in the store; then the answer is made.

use std::sync::Arc;

use crate::{
    cookie::SessionHeaders,
    error::{CommitError, StoreError},
    events,
    foreign::Guest,
    record::{Header, Kind, Record},
    request::{
        Jar,
        changes::Change,
        outcome::{self, Cookie, Outcome},
        shelf::{Parts, Shelf, replay},
    },
    sessions::Sessions,
    store::{StoreKey, feed::News, sealing::Writes},
    system::System,
};

/// How long a deleted session's tombstone stands where nothing but a delayed write could bring it back, in
/// milliseconds: ten minutes, longer than any call's deadline.
const TOMBSTONE: u64 = 600_000;

/// What is to be done in the store, and the answer when it was done.
pub(crate) struct Plan {
    /// The session that this request ends, and whether it has a row.
    pub(crate) ended: Option<(Header, bool)>,
    pub(crate) write: Write,
    pub(crate) record: Option<Record>,
    /// The latest writes of the row that is replaced.
    pub(crate) writes: Writes,
    pub(crate) log: Vec<Change>,
    pub(crate) prepared: Option<u64>,
    /// What of the other fleet came.
    pub(crate) guest: Option<Arc<Guest>>,
    pub(crate) outcome: Outcome,
    pub(crate) cookie: Cookie,
    pub(crate) headers: SessionHeaders,
    pub(crate) jar: Jar,
    pub(crate) now: u64,
}

/// What happens to the row.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    Nothing,
    Touch,
    /// A row under an id that nobody has yet, or, `known`, under the one of the envelope that came.
    Create {
        known: bool,
    },
    Replace,
}

/// What a plan has come to. What failed gives its changes back, to be tried again.
pub(crate) type Done = Result<(Outcome, SessionHeaders, Option<Record>), (CommitError, Vec<Change>)>;

/// Carries a plan out. One of several steps is finished even when the request is dropped meanwhile.
pub(crate) async fn carry_out(sessions: &Sessions, mut plan: Box<Plan>) -> Done {
    let steps = usize::from(matches!(plan.ended, Some((_, true)))) + usize::from(plan.write != Write::Nothing);
    if steps < 2 {
        return plan.run(&sessions.system).await;
    }
    let sessions = sessions.clone();
    let task = tokio::spawn(async move { plan.run(&sessions.system).await });
    task.await.unwrap_or_else(|stopped| Err((StoreError::new(stopped).into(), Vec::new())))
}

impl Plan {
    async fn run(&mut self, system: &System) -> Done {
        let done = match Shelf::of(system, Parts { guest: self.guest.clone(), jar: self.jar, now: self.now }) {
            Some(shelf) => self.steps(system, &shelf).await,
            None => self.without_a_store(system).await,
        };
        match done {
            Ok((outcome, headers)) => Ok((outcome, headers, self.record.take())),
            Err(error) => Err((error, std::mem::take(&mut self.log))),
        }
    }

    /// The cookie is written and what ended is remembered, in this order, so that a commit that fails ends nothing.
    async fn without_a_store(&mut self, system: &System) -> Result<(Outcome, SessionHeaders), CommitError> {
        let (record, headers) = (self.record.as_ref(), std::mem::take(&mut self.headers));
        let headers = outcome::respond(system, self.jar, self.cookie, record, None, headers, self.now)?;
        if let Some((ended, _)) = &self.ended {
            outcome::end(system, ended, record, self.now).await?;
            events::ended(ended.handle);
        }
        if let Some(Header { handle, owner: Some(_), .. }) = record.map(|record| &record.header) {
            events::signed_in(*handle);
        }
        Ok((self.outcome, headers))
    }

    async fn steps(&mut self, system: &System, shelf: &Shelf<'_>) -> Result<(Outcome, SessionHeaders), CommitError> {
        let headers = std::mem::take(&mut self.headers);
        // An owner's session makes room for the next one. A visitor's stays if nobody is signed in after all.
        let first = self.ended.as_ref().is_some_and(|(ended, _)| ended.owner.is_some());
        if first {
            self.end_row(system, shelf).await?;
        }
        if !self.write(system, shelf).await.inspect_err(|_| self.has_no_successor(system))? {
            return Ok((Outcome::Ended, headers));
        }
        if !first && let Err(error) = self.end_row(system, shelf).await {
            if let Some(record) = &self.record {
                // Nobody will have the cookie of the new one. It expires by itself if this fails too.
                let _ = shelf.delete(&record.header, system.tombstone(&record.header, self.now)).await;
            }
            return Err(error);
        }
        let guest = if self.cookie == Cookie::Remove { shelf.origin() } else { shelf.row() };
        let headers = outcome::respond(system, self.jar, self.cookie, self.record.as_ref(), guest, headers, self.now)?;
        if let Some((ended, in_store)) = &self.ended {
            // An anonymous one was in an envelope before it had a row. And Express may put back a row that was removed.
            if !in_store || ended.owner.is_none() || system.sharing.is_some() {
                outcome::end(system, ended, self.record.as_ref(), self.now).await?;
            }
            events::ended(ended.handle);
        }
        Ok((self.outcome, headers))
    }

    /// Nobody was signed in after all.
    fn has_no_successor(&self, system: &System) {
        if let Some((ended, _)) = &self.ended {
            system.superseded.remove(ended.handle);
        }
    }

    /// Deletes the row of the session that this request ends.
    async fn end_row(&mut self, system: &System, shelf: &Shelf<'_>) -> Result<(), CommitError> {
        if let Some((ended, true)) = &self.ended {
            outcome::supersede(system, ended, self.record.as_ref(), self.now);
            shelf.delete(ended, system.tombstone(ended, self.now)).await?;
            system.tell(News::ended(ended.handle.into(), ended.owner.is_some()), self.now);
        }
        Ok(())
    }

    /// Answers whether the session still lives.
    async fn write(&mut self, system: &System, shelf: &Shelf<'_>) -> Result<bool, CommitError> {
        let Some(record) = &self.record else { return Ok(true) };
        let key = StoreKey::from(record.header.handle);
        let saved = match self.write {
            Write::Nothing | Write::Touch => {
                if self.write == Write::Touch {
                    shelf.touch(&record.header).await;
                }
                if self.cookie != Cookie::Write || record.header.kind != Kind::Stored {
                    return Ok(true);
                }
                // The row was not written, so the session may have ended since it was loaded.
                let current = shelf.load(&record.header).await?.map(|(record, _)| record);
                let lives = current.is_some();
                self.record = current;
                return Ok(lives);
            }
            Write::Create { known } => shelf.create(record.clone(), known, self.prepared, &mut self.log).await?,
            Write::Replace => {
                shelf.replace(record.clone(), &self.writes, &mut |record| replay(&mut self.log, system, record)).await?
            }
        };
        let Some((record, _)) = saved else {
            events::lost_to_an_ending(key.into());
            return Ok(false);
        };
        if matches!(self.write, Write::Create { .. }) && record.header.owner.is_some() {
            events::signed_in(key.into());
        } else if self.outcome == Outcome::Renewed {
            system.tell(News::renewed(key, record.header.generation), self.now);
        }
        self.record = Some(record);
        Ok(true)
    }
}

impl System {
    /// Until when a session must not come back under its id: where an envelope could bring it back, as long
    /// as that opens.
    pub(crate) fn tombstone(&self, header: &Header, now: u64) -> u64 {
        let delayed = now.saturating_add(TOMBSTONE);
        let from_an_envelope = header.owner.is_none() || self.migrates_any();
        let least = if from_an_envelope { delayed.max(header.absolute_deadline) } else { delayed };
        least.max(self.accepted_until())
    }
}
