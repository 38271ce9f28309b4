//! [`Acceptance`]: a foreign cookie becomes a session of ours, once, until a date.
//!
//! The session's id is a hash of the cookie, or the one that [`Emission`](super::Emission) put into it. So all first
//! requests with it, on all nodes, make the same session; and where there is a store, a row under a second key remembers
//! until the date that it was made. Without that, a copy of the cookie would bring back a session that has timed out.

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use super::{Cookies, fields, mark::Mark, names_of, presented, sharing::Rows};
use crate::{
    cookie::{CookiePolicy, header::Presented, set_cookie::CookieWriter},
    derive,
    error::{BuildError, CommitError, StoreError},
    events::{self, Reason},
    fields::Fields,
    interop::{Foreign, Opened},
    record::{Header, Kind, MAX_OWNER, NoRandom, Record, SessionId},
    request,
    store::{
        Admission, Created,
        sealing::{self, Writes},
        timed::TimedStore,
    },
    system::System,
};

/// How long after the first of them requests may still make the session, in milliseconds: a minute, for those that
/// came together.
const TOGETHER: u64 = 60_000;

type OwnerFrom = Arc<dyn Fn(&Opened) -> Option<String> + Send + Sync>;

/// Foreign cookies that become sessions of ours.
pub(crate) struct Acceptance {
    cookies: Cookies,
    /// Where the sessions are, when their cookies only name them.
    rows: Option<Rows>,
    writer: CookieWriter,
    until: u64,
    owner_from: OwnerFrom,
}

impl Acceptance {
    pub(super) fn new(foreign: Foreign, until: u64, owner_from: OwnerFrom) -> Self {
        let cookies = Cookies::new(foreign);
        let writer = CookieWriter::new(&cookies.policy(), true);
        Self { cookies, rows: None, writer, until, owner_from }
    }

    /// Of sessions in the store of Express.
    pub(super) fn of_rows(rows: Rows, until: u64, owner_from: OwnerFrom) -> Self {
        Self { rows: Some(rows.clone()), ..Self::new(rows.express.into(), until, owner_from) }
    }

    /// With the deadline of the site's stores.
    pub(crate) fn within(mut self, deadline: Duration) -> Self {
        if let Some(rows) = &mut self.rows {
            rows.set_deadline(deadline);
        }
        self
    }

    /// What cannot be accepted.
    pub(crate) fn check(&self, policy: &CookiePolicy, has_a_store: bool) -> Result<(), BuildError> {
        match self.rows {
            None => self.cookies.check("accept takes whole sessions; write accept_shared(express, store, …)")?,
            Some(_) if has_a_store => {}
            Some(_) => {
                let why =
                    "accept_shared moves rows of Express into a store of ours; write Sessions::stored(keys, store)";
                return Err(BuildError::Setting { why: why.into() });
            }
        }
        let ours = names_of(policy);
        match self.cookies.names.iter().find(|name| ours.contains(name)) {
            Some(name) => Err(BuildError::Setting {
                why: format!("{name:?} is accepted and cannot be our own cookie too; give ours another name"),
            }),
            None => Ok(()),
        }
    }

    /// The names to look for.
    pub(crate) fn names(&self) -> &[String] {
        &self.cookies.names
    }

    /// Whether the last of several is to be taken.
    pub(crate) fn takes_the_last(&self) -> bool {
        self.cookies.foreign.takes_the_last()
    }

    /// Until when a session that ended must not come back.
    pub(crate) fn until(&self) -> u64 {
        self.until
    }

    /// The lines that remove the cookies that were presented.
    pub(crate) fn remove(&self, came: u8) -> Result<Vec<HeaderValue>, CommitError> {
        presented(self.names(), came).map(|name| request::header(self.writer.named(name).remove())).collect()
    }

    /// The session that the presented cookies become, as if nobody had accepted them before. What is no session is
    /// told and no more: the visitor is anonymous.
    pub(crate) fn open(&self, system: &System, came: &Presented, now: u64) -> Option<Record> {
        if now >= self.until || came.foreign().is_empty() || self.rows.is_some() {
            return None;
        }
        let opened = self.record(system, came, now);
        opened.inspect_err(|reason| events::refused(*reason)).ok()
    }

    /// The same, where the session may be a row of Express.
    pub(crate) async fn fetch(
        &self,
        system: &System,
        came: &Presented,
        now: u64,
    ) -> Result<Option<Record>, StoreError> {
        let Some(rows) = self.rows.as_ref().filter(|_| now < self.until) else {
            return Ok(self.open(system, came, now));
        };
        let Some(value) = Cookies::value(came, self.names(), &self.names()[0]) else { return Ok(None) };
        let row = rows.find(value, now).await?.and_then(|(row, _)| {
            let owner = self.owner(&Opened::new(row.data_json()));
            let mut fields = row.fields();
            Mark::take(&mut fields);
            self.accepted(system, row.id(), owner, fields, now)
        });
        Ok(row.inspect_err(|reason| events::refused(*reason)).ok())
    }

    fn record(&self, system: &System, came: &Presented, now: u64) -> Result<Record, Reason> {
        let foreign = &self.cookies.foreign;
        let find = |name: &str| Cookies::value(came, self.names(), name);
        let guest = foreign.open(find, now).map_err(Reason::from)?;
        let mut fields = fields(&guest).ok_or(Reason::Invalid)?;
        let owner = self.owner(&guest);
        let id = match Mark::take(&mut fields) {
            Some(mark) => mark.id,
            // Two visitors with the same data have the same cookie.
            None if owner.is_none() && !foreign.is_unique() => {
                let (id, _) = SessionId::new(system.random, None).map_err(|_| Reason::Invalid)?;
                let header = header(system, Kind::Anonymous, id, None, now)?;
                return Ok(Record { header, fields });
            }
            None => self.cookies.fingerprint(find),
        };
        self.accepted(system, id, owner, fields, now)
    }

    fn owner(&self, guest: &Opened) -> Option<String> {
        (self.owner_from)(guest).filter(|owner| (1..=MAX_OWNER).contains(&owner.len()))
    }

    /// Nobody has proved a credential to us: it is never fresh. An owner whose sessions were ever ended here has signed in
    /// again since, so his epoch is the first.
    fn accepted(
        &self,
        system: &System,
        id: SessionId,
        owner: Option<String>,
        fields: Fields,
        now: u64,
    ) -> Result<Record, Reason> {
        let header = header(system, system.recorded, id, owner.as_deref(), now)?;
        Ok(Record { header, fields })
    }

    /// Remembers in the store that a session was made of a foreign cookie. Answers whether it may be made now.
    pub(crate) async fn remember(&self, store: &TimedStore, session: &Header, now: u64) -> Result<bool, StoreError> {
        let memory = self.memory(session).map_err(|_| StoreError::new("no random numbers"))?;
        let row = sealing::seal(&memory, &Writes::default().and(rand::random()));
        let (key, row) = (memory.header.handle.into(), row.map_err(|_| StoreError::new("no random numbers"))?);
        match store.create(key, row, Admission { epoch: 0, limit: None }, now).await? {
            Created::Created => Ok(true),
            Created::Exists => {
                let row = store.load(key, now).await?;
                Ok(row.is_some_and(|row| now.saturating_sub(row.facts().created) < TOGETHER))
            }
            Created::OwnerEnded | Created::LimitReached => Ok(false),
        }
    }

    /// The row that remembers: nobody's, empty, until the date.
    fn memory(&self, session: &Header) -> Result<Record, NoRandom> {
        let mut header = session.clone();
        derive::from_random(&session.id.0, b"hardtack 1 accepted", &mut header.id.0).map_err(|_| NoRandom)?;
        header.handle = header.id.handle(None)?;
        (header.kind, header.owner, header.label) = (Kind::Stored, None, Some("accepted".into()));
        (header.idle_deadline, header.absolute_deadline, header.version) = (self.until, self.until, 1);
        Ok(Record { header, fields: Fields::empty() })
    }
}

fn header(system: &System, kind: Kind, id: SessionId, owner: Option<&str>, now: u64) -> Result<Header, Reason> {
    let handle = id.handle(owner).map_err(|_| Reason::Invalid)?;
    let epoch = if owner.is_some() { 0 } else { system.revocations.epoch(now) };
    let mut header = Header::new(kind, id, handle, owner, epoch, now);
    system.lifetime.begin(&mut header, now);
    Ok(header)
}
