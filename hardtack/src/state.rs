//! One request's session: what the cookie opened as, what the handler made of it.

use rand::{TryRng, rngs::SysRng};

use crate::{
    changes::Changes,
    cookie::{
        SessionHeaders,
        header::{Candidates, Presented},
    },
    envelope::{self, Opened},
    error::{CommitError, FieldError},
    events::{self, Reason},
    fields::Fields,
    record::{Handle, Header, Kind, MAX_OWNER, Record, SessionId},
    revocation::Ending,
    sessions::{Site, System},
};

/// The state behind a [`Session`](crate::Session), under its lock.
#[derive(Default)]
pub(crate) struct State {
    /// Somebody wanted the session, so the response depends on the cookie.
    pub(crate) asked: bool,
    /// When it was asked for.
    pub(crate) asked_at: u64,
    /// The request came to a loopback host that the development word is for.
    pub(crate) loopback: bool,
    /// A cookie of ours came with the request.
    pub(crate) presented: bool,
    /// The session came under the cookie's previous name.
    pub(crate) by_previous_name: bool,
    /// Why the cookie did not become a session.
    pub(crate) refused: Option<Reason>,
    /// The session that the cookie opened as.
    pub(crate) origin: Option<Origin>,
    /// The session as the handler sees it. `None` is a visitor about whom nothing is known.
    pub(crate) record: Option<Record>,
    pub(crate) changes: Changes,
    /// Counts writes, so that an `update` sees whether it was overtaken.
    pub(crate) writes: u64,
    pub(crate) discarded: bool,
    pub(crate) poison: Option<CommitError>,
    pub(crate) closed: bool,
    /// What an early commit left for the response.
    pub(crate) committed: Option<Box<SessionHeaders>>,
}

/// The identity of the presented session, kept when the handler replaces it.
pub(crate) struct Origin {
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
}

impl State {
    /// Opens what was presented. The first call counts.
    pub(crate) fn load(&mut self, system: &System, presented: &Presented) {
        if std::mem::replace(&mut self.asked, true) {
            return;
        }
        let now = system.now();
        self.asked_at = now;
        let Presented { present, previous } = presented;
        let site = system.site(self.loopback);
        self.presented = !present.is_empty();
        let chosen = match (previous, system.previous(now)) {
            (Some(previous), Some(site)) if present.is_empty() => {
                self.by_previous_name = true;
                choose(system, site, previous, now)
            }
            _ => choose(system, site, present, now),
        };
        match chosen {
            Ok(Some(Opened { record, .. })) => {
                let header = &record.header;
                self.origin = Some(Origin { id: header.id.clone(), handle: header.handle });
                self.record = Some(record);
            }
            Ok(None) => {}
            Err(reason) => {
                events::refused(reason);
                self.refused = Some(reason);
            }
        }
    }

    /// The record, for a change. A visitor without one gets an anonymous session.
    pub(crate) fn record_mut(&mut self, system: &System) -> Result<&mut Record, FieldError> {
        if self.closed {
            return Err(FieldError::Closed);
        }
        if self.record.is_none() {
            let record = new_record(system, Kind::Anonymous, None).map_err(|_| FieldError::Random)?;
            self.record = Some(record);
        }
        self.record.as_mut().ok_or(FieldError::Random)
    }

    /// Changes the fields; `change` answers whether it changed anything.
    pub(crate) fn write(
        &mut self,
        system: &System,
        change: impl FnOnce(&mut Fields) -> Result<bool, FieldError>,
    ) -> Result<(), FieldError> {
        let changed = change(&mut self.record_mut(system)?.fields)?;
        self.changes.record |= changed;
        self.writes += u64::from(changed);
        Ok(())
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
        if let Some(before) = &self.record {
            match before.header.owner.as_deref() {
                Some(same) if same == owner => record.fields = before.fields.clone(),
                Some(_) => {}
                None => carry_over(&before.fields, &system.carry_over, &mut record.fields),
            }
        }
        events::signed_in(record.header.handle);
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
            events::ended(origin.handle);
            self.changes.endings.push(Ending::of(&before.header));
        }
        self.changes.identity = true;
        self.writes += 1;
    }

    /// Makes the commit fail, unless something failed it before.
    pub(crate) fn fail(&mut self, error: CommitError) {
        if self.closed || matches!(error, CommitError::Closed) {
            events::written_late();
        }
        self.poison.get_or_insert(error);
    }
}

/// Of the values under our name, the one session that opens. Two different ones mean that somebody
/// planted one of them (B02).
fn choose(system: &System, site: &Site, candidates: &Candidates, now: u64) -> Result<Option<Opened>, Reason> {
    let mut chosen: Option<Opened> = None;
    let mut refused = None;
    for value in candidates.iter() {
        match open_live(system, site, value, now) {
            Ok(opened) => match &chosen {
                Some(other) if other.record.header.id != opened.record.header.id => return Err(Reason::Conflict),
                Some(other) if newness(&other.record.header) >= newness(&opened.record.header) => {}
                _ => chosen = Some(opened),
            },
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    match (chosen, refused) {
        (Some(opened), _) => Ok(Some(opened)),
        (None, Some(reason)) => Err(reason),
        (None, None) => Ok(None),
    }
}

fn newness(header: &Header) -> (u32, u64, u64) {
    (header.generation, header.version, header.last_seen)
}

fn open_live(system: &System, site: &Site, value: &[u8], now: u64) -> Result<Opened, Reason> {
    let opened = envelope::open(&system.keys, &site.binding, value, now)?;
    let header = &opened.record.header;
    if header.kind != Kind::Anonymous && header.kind != system.recorded {
        return Err(Reason::WrongKind);
    }
    system.lifetime.check(header, now)?;
    if system.revocations.has_ended(header) { Err(Reason::Ended) } else { Ok(opened) }
}

/// A session with an id from the operating system (C01). Without random numbers there is none (C02).
fn new_record(system: &System, kind: Kind, owner: Option<&str>) -> Result<Record, CommitError> {
    let mut random = [0; 48];
    SysRng.try_fill_bytes(&mut random).map_err(|_| CommitError::Random)?;
    let (mut id, mut handle) = (SessionId([0; 32]), Handle([0; 16]));
    id.0.copy_from_slice(&random[..32]);
    handle.0.copy_from_slice(&random[32..]);
    let now = system.now();
    let mut header = Header {
        kind,
        remembered: false,
        id,
        handle,
        generation: 0,
        epoch: system.revocations.epoch(owner, now),
        shard: 0,
        created: now,
        authenticated: if owner.is_some() { now } else { 0 },
        confirmed: 0,
        last_seen: now,
        idle_deadline: 0,
        absolute_deadline: 0,
        version: 0,
        owner: owner.map(Into::into),
    };
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
