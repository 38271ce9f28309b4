//! What was decided, done in the store: create, replace, touch, delete, and what to do when others were
//! faster or an answer was lost.

use tokio::sync::MutexGuard;

use crate::{
    changes::Change,
    cookie::SessionHeaders,
    error::{CommitError, StoreError},
    events,
    outcome::{self, Cookie, Outcome},
    record::{Header, Record, SessionId},
    sessions::{Sessions, System},
    store::{
        Admission, Created, Replaced, Row, StoreKey,
        sealing::{self, Writes},
        timed::TimedStore,
    },
};

/// How often a write is begun again because others were faster. From the second time on, the requests of
/// one process take turns.
const ATTEMPTS: usize = 64;
/// How many errors of the store one write survives: the first may have lost nothing but the answer.
const FAULTS: usize = 2;
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
    pub(crate) outcome: Outcome,
    pub(crate) cookie: Cookie,
    pub(crate) headers: SessionHeaders,
    pub(crate) loopback: bool,
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
        let Some(store) = &system.store else {
            return Err((StoreError::new("there is none").into(), Vec::new()));
        };
        match self.steps(&Shelf { system, store, now: self.now }).await {
            Ok((outcome, headers)) => Ok((outcome, headers, self.record.take())),
            Err(error) => Err((error, std::mem::take(&mut self.log))),
        }
    }

    async fn steps(&mut self, shelf: &Shelf<'_>) -> Result<(Outcome, SessionHeaders), CommitError> {
        let system = shelf.system;
        let headers = std::mem::take(&mut self.headers);
        if let Some((ended, true)) = &self.ended {
            outcome::supersede(system, ended, self.record.as_ref(), self.now);
            shelf.store.delete(ended.handle.into(), system.tombstone(ended, self.now)).await?;
        }
        if !self.write(shelf).await? {
            return Ok((Outcome::Ended, headers));
        }
        let headers = outcome::respond(system, self.loopback, self.cookie, self.record.as_ref(), headers, self.now)?;
        if let Some((ended, in_store)) = &self.ended {
            // An anonymous one was in an envelope before it had a row.
            if !in_store || ended.owner.is_none() {
                outcome::end(system, ended, self.record.as_ref(), self.now)?;
            }
            events::ended(ended.handle);
        }
        Ok((self.outcome, headers))
    }

    /// Answers whether the session still lives.
    async fn write(&mut self, shelf: &Shelf<'_>) -> Result<bool, CommitError> {
        let Some(record) = &self.record else { return Ok(true) };
        let key = StoreKey::from(record.header.handle);
        let saved = match self.write {
            Write::Nothing => return Ok(true),
            Write::Touch => {
                let mut header = record.header.clone();
                shelf.system.lifetime.touch(&mut header, self.now);
                let touched = shelf.store.touch(key, header.last_seen, header.idle_deadline).await;
                touched.unwrap_or_else(|error| events::not_touched(&error));
                return Ok(true);
            }
            Write::Create { known } => shelf.create(record.clone(), known, self.prepared, &mut self.log).await?,
            Write::Replace => {
                shelf
                    .replace(record.clone(), &self.writes, &mut |record| replay(&mut self.log, shelf.system, record))
                    .await?
            }
        };
        let Some((record, _)) = saved else {
            events::lost_to_an_ending(key.into());
            return Ok(false);
        };
        if matches!(self.write, Write::Create { .. }) && record.header.owner.is_some() {
            events::signed_in(key.into());
        }
        self.record = Some(record);
        Ok(true)
    }
}

/// Does the changes again on a newer record. Answers whether they changed anything.
pub(crate) fn replay(log: &mut [Change], system: &System, record: &mut Record) -> Result<bool, CommitError> {
    log.iter_mut().try_fold(false, |changed, change| {
        let changes = change(system, record);
        changes.map(|changes| changed | changes).map_err(|error| CommitError::Field { why: error.to_string() })
    })
}

/// The store, with what a write needs beside it.
pub(crate) struct Shelf<'a> {
    pub(crate) system: &'a System,
    pub(crate) store: &'a TimedStore,
    pub(crate) now: u64,
}

/// A record as it is in the store now, with the latest writes of its row.
pub(crate) type Saved = (Record, Writes);

impl Shelf<'_> {
    /// The record of a session whose envelope came. `None` when it is gone.
    pub(crate) async fn load(&self, envelope: &Header) -> Result<Option<Saved>, CommitError> {
        let row = self.store.load(envelope.handle.into(), self.now).await?;
        Ok(row.and_then(|row| sealing::open(&row, envelope)))
    }

    /// Replaces the row that `record` was made from. When others were faster, `again` makes its changes on
    /// what they left, and answers whether there are any. `None` when the session is gone.
    pub(crate) async fn replace(
        &self,
        mut record: Record,
        writes: &Writes,
        again: &mut (dyn FnMut(&mut Record) -> Result<bool, CommitError> + Send),
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
            if turn.is_none() {
                turn = Some(self.system.turn(&next.header).await);
            }
            let Some((current, latest)) = self.load(&next.header).await? else { return Ok(None) };
            if current.header.version == before {
                // Not written, or not yet: the same again cannot be written twice.
                continue;
            }
            match (latest.wrote(id, next.header.version, current.header.version), lost) {
                (Some(true), _) => return Ok(Some((current, latest))),
                (None, Some(error)) => return Err(error.into()),
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
            match self.load(&record.header).await? {
                // It was ours, and the answer was lost.
                Some((current, latest)) if latest.began_with(&writes, current.header.version) => {
                    return Ok(Some((current, latest)));
                }
                // Another request of the same visitor was faster.
                Some((mut current, latest)) if known => {
                    return match replay(log, self.system, &mut current)? {
                        true => self.replace(current, &latest, &mut |record| replay(log, self.system, record)).await,
                        false => Ok(Some((current, latest))),
                    };
                }
                _ if known => return Ok(None),
                // Somebody else has this id (C08).
                _ => (record.header.id, record.header.handle) = SessionId::new(self.system.random)?,
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
        Ok(sealing::seal(record, writes)?)
    }
}

impl System {
    /// Until when a session must not come back under its id: where an envelope could bring it back, as long
    /// as that opens.
    pub(crate) fn tombstone(&self, header: &Header, now: u64) -> u64 {
        let delayed = now.saturating_add(TOMBSTONE);
        let from_an_envelope = header.owner.is_none() || self.migrates_any();
        if from_an_envelope { delayed.max(header.absolute_deadline) } else { delayed }
    }
}
