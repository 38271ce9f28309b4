//! [`Sharing`]: a session is a row in the store of Express, which reads and writes it as well.
//!
//! The signed id in the cookie is Express', and so are the row and its clock. A row has no version, so whoever writes it
//! says what he had read, byte for byte; when that is no longer there, the request's changes are made again on what is.
//! Express itself asks nobody: of two writes at once, one of Express' wins over ours.
//!
//! Of ours one member is added to what Rust writes, the [mark](super::mark). A session's id is the one in the cookie, or
//! a hash of it, so another id of Express' is another session here too: tokens against forgery do not outlive a
//! `regenerate()`.

mod cookie;
mod row;
mod shelf;

use std::{sync::Arc, time::Duration};

use http::HeaderValue;

use self::cookie::RowCookie;
pub(crate) use self::{row::Row, shelf::ExpressShelf};
use super::{
    Guest,
    mark::{Mark, fields_of, owner_of},
    must_be,
};
use crate::{
    clock::millis,
    cookie::{CookiePolicy, header::Presented},
    error::{BuildError, CommitError, StoreError},
    events::Reason,
    interop::{ExpressSession, ExpressStore},
    record::{Header, Kind, Record},
    request::{self, Jar, Parts},
    store::timed::{Timed, calls},
    system::System,
};

calls! {
    /// An [`ExpressStore`] without its type.
    trait AnyExpressStore of ExpressStore;
    load(sid: &'a str, now: u64) -> Option<String>;
    replace(sid: &'a str, previous: Option<&'a str>, text: &'a str, expires: Option<u64>, now: u64) -> bool;
    touch(sid: &'a str, expires: Option<u64>, now: u64) -> ();
    delete(sid: &'a str) -> ();
    end_owner(field: &'a str, owner: &'a str, except: Option<&'a str>) -> ();
}

/// The store of Express, and the cookies that name its rows.
#[derive(Clone)]
pub(crate) struct Rows {
    pub(super) express: ExpressSession,
    store: Timed<dyn AnyExpressStore>,
}

impl Rows {
    pub(super) fn new(express: ExpressSession, store: impl ExpressStore) -> Self {
        Self { express, store: Timed { store: Arc::new(store), deadline: Duration::from_secs(3) } }
    }

    pub(super) fn set_deadline(&mut self, deadline: Duration) {
        self.store.deadline = deadline;
    }

    /// The row that a cookie names, and whether its id was signed with a secret that no longer signs.
    pub(super) async fn find(&self, value: &[u8], now: u64) -> Result<Result<(Row, bool), Reason>, StoreError> {
        let (sid, key) = match self.express.verified(value) {
            Ok(found) => found,
            Err(refusal) => return Ok(Err(refusal.into())),
        };
        Ok(self.read(sid, now).await?.map(|row| (row, key > 0)))
    }

    async fn read(&self, sid: String, now: u64) -> Result<Result<Row, Reason>, StoreError> {
        let text = self.store.load(&sid, now).await?;
        Ok(text.ok_or(Reason::Absent).and_then(|text| Row::parse(sid, text).ok_or(Reason::Unreadable)))
    }
}

/// Sessions in the store of Express.
pub(crate) struct Sharing {
    rows: Rows,
    ttl: u64,
    owner_field: String,
    /// The cookie of a new session, and that on a loopback host.
    cookies: [RowCookie; 2],
}

/// What came, and the row that it names.
pub(crate) struct Found {
    pub(crate) record: Record,
    pub(crate) row: Guest,
    /// Its id was signed with a secret that no longer signs.
    pub(crate) retired: bool,
}

/// Which session a row is, with the row itself.
type Read = (Record, Row);

impl Sharing {
    pub(super) fn new(express: ExpressSession, store: impl ExpressStore) -> Self {
        let ttl = millis(store.ttl());
        let cookie = RowCookie::new(&policy_of(&express), true, express.max_age_of_new());
        let (rows, owner_field) = (Rows::new(express, store), super::mark::OWNER.into());
        Self { rows, ttl, owner_field, cookies: [cookie.clone(), cookie] }
    }

    pub(super) fn with_owner_in(mut self, field: String) -> Self {
        self.owner_field = field;
        self
    }

    /// The cookie for a site that says nothing else.
    pub(crate) fn policy(&self) -> CookiePolicy {
        policy_of(&self.rows.express)
    }

    /// What cannot be with Express.
    pub(crate) fn check(&self, policy: &CookiePolicy) -> Result<(), BuildError> {
        must_be(self.rows.express.name(), policy)
    }

    /// With the site's own cookie and deadline.
    pub(crate) fn on(mut self, policy: &CookiePolicy, deadline: Duration) -> Self {
        let max_age = self.rows.express.max_age_of_new();
        let loopback = policy.for_loopback();
        let on_loopback = loopback
            .as_ref()
            .map_or_else(|| RowCookie::new(policy, true, max_age), |loopback| RowCookie::new(loopback, false, max_age));
        self.cookies = [RowCookie::new(policy, true, max_age), on_loopback];
        self.rows.set_deadline(deadline);
        self
    }

    /// How long a session lives at most that nobody asks for, in milliseconds.
    pub(crate) fn longest(&self) -> u64 {
        self.rows.express.max_age_of_new().map_or(self.ttl, millis)
    }

    /// The session whose id was presented. The first cookie counts, as in Express.
    pub(crate) async fn open(
        &self,
        presented: &Presented,
        now: u64,
    ) -> Result<Result<Option<Found>, Reason>, StoreError> {
        let Some(value) = presented.present.iter().next().filter(|value| !value.is_empty()) else {
            return Ok(Ok(None));
        };
        Ok(self.rows.find(value, now).await?.and_then(|(row, retired)| {
            let record = self.record(&row, now).ok_or(Reason::Unreadable)?;
            Ok(Some(Found { record, row: Guest::Row(row), retired }))
        }))
    }

    /// Does it in the store, for one request.
    pub(crate) fn shelf<'a>(&'a self, system: &'a System, parts: Parts) -> ExpressShelf<'a> {
        ExpressShelf::new(self, system, parts)
    }

    /// Whether the browser gets its cookie again, with a later deadline: whenever the session was written and has one, or as
    /// Express does with `rolling`.
    pub(crate) fn resends(&self, guest: Option<&Guest>, written: bool) -> bool {
        let slides = || matches!(guest, Some(Guest::Row(row)) if row.cookie.max_age().is_some());
        self.rows.express.rolls() || written && slides()
    }

    /// The line that sets the cookie of a session whose row this is.
    pub(crate) fn set(&self, row: Option<&Guest>) -> Result<Vec<HeaderValue>, CommitError> {
        let Some(Guest::Row(row)) = row else { return Ok(Vec::new()) };
        let line = row.cookie.set(self.rows.express.name(), &self.rows.express.sign(&row.sid))?;
        Ok(vec![request::header(line)?])
    }

    /// The line that removes the cookie: with the attributes of the row that it named, or the site's.
    pub(crate) fn remove(&self, row: Option<&Guest>, jar: Jar) -> Result<Vec<HeaderValue>, CommitError> {
        let cookie = match row {
            Some(Guest::Row(row)) => &row.cookie,
            _ => &self.cookies[usize::from(jar.loopback)],
        };
        Ok(vec![request::header(cookie.remove(self.rows.express.name())?)?])
    }

    /// Removes the sessions of an owner, but for one.
    pub(crate) async fn end_owner(&self, owner: &str, except: Option<&Guest>) -> Result<(), StoreError> {
        let except = except.and_then(|guest| match guest {
            Guest::Row(row) => Some(row.sid.as_str()),
            Guest::Cookie(_) => None,
        });
        self.rows.store.end_owner(&self.owner_field, owner, except).await
    }

    /// What is under an id now.
    async fn read(&self, sid: String, now: u64) -> Result<Result<Read, Reason>, StoreError> {
        let row = self.rows.read(sid, now).await?;
        Ok(row.and_then(|row| Ok((self.record(&row, now).ok_or(Reason::Unreadable)?, row))))
    }

    fn record(&self, row: &Row, now: u64) -> Option<Record> {
        let (id, mut fields) = (row.id(), row.fields());
        // An application may have copied it from one session into another.
        let mark = Mark::take(&mut fields).filter(|mark| mark.id == id);
        let owner = owner_of(&fields, &self.owner_field);
        let handle = id.handle(owner.as_deref()).ok()?;
        let mut header = Header::new(Kind::Stored, id, handle, owner.as_deref(), now, now);
        if let Some(Mark { created, authenticated, epoch, .. }) = mark {
            (header.created, header.authenticated, header.epoch) = (created, authenticated, epoch);
        }
        let deadline = now.saturating_add(row.cookie.max_age().unwrap_or(self.ttl));
        (header.idle_deadline, header.absolute_deadline) = (deadline, deadline);
        Some(Record { header, fields })
    }

    /// The row of a record, on top of what was there.
    fn row(&self, record: &Record, base: &Row, now: u64) -> Result<Row, CommitError> {
        let fields = fields_of(record, &self.owner_field);
        let fields = fields.map_err(|error| CommitError::Field { why: error.to_string() })?;
        base.with(&fields, &Mark::of(&record.header), now)
    }
}

fn policy_of(express: &ExpressSession) -> CookiePolicy {
    CookiePolicy::from_name(express.name())
}
