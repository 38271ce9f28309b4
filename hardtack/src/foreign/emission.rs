//! [`Emission`]: the foreign cookie is the session's only cookie, and Node reads and writes it as well.
//!
//! What is ours rides along in one member of the data, [`MARK`], which the other fleet keeps as it keeps all that it does
//! not know: the session's id, so that tokens against forgery and endings outlive the cookie's next value, and when it
//! was created and authenticated. A session that Node began has none until it is written here; until then its id is a
//! hash of its cookie.

use http::HeaderValue;

use super::{
    Cookies, Guest, fields,
    mark::{MARK, Mark, OWNER, fields_of, owner_of},
    must_be,
};
use crate::{
    clock::{MAX_MS, millis},
    cookie::{
        CookiePolicy,
        header::Presented,
        set_cookie::{CookieWriter, MAX_AGE_SECONDS},
    },
    error::{BuildError, CommitError, FieldError},
    events::Reason,
    interop::{Foreign, Opened},
    json::object_text,
    record::{Header, Kind, Record},
    request,
};

/// Sessions in a foreign cookie alone.
pub(crate) struct Emission {
    cookies: Cookies,
    owner_field: String,
}

impl Emission {
    pub(super) fn new(foreign: Foreign) -> Self {
        Self { cookies: Cookies::new(foreign), owner_field: OWNER.into() }
    }

    pub(super) fn with_owner_in(mut self, field: String) -> Self {
        self.owner_field = field;
        self
    }

    /// The cookie as its package would have it, for a site that says nothing else.
    pub(crate) fn policy(&self) -> CookiePolicy {
        self.cookies.policy()
    }

    /// What cannot be with a foreign cookie.
    pub(crate) fn check(&self, policy: &CookiePolicy) -> Result<(), BuildError> {
        self.cookies.check("emit_as writes whole sessions")?;
        must_be(self.name(), policy)
    }

    /// The names to look for beside the principal one, which is the site's.
    pub(crate) fn names(&self) -> &[String] {
        &self.cookies.names[1..]
    }

    /// How long a session lives at most that nothing is written into, in milliseconds: as long as browsers keep its
    /// cookie, where the format has no end.
    pub(crate) fn longest(&self) -> u64 {
        self.cookies.foreign.lifetime().map_or(MAX_AGE_SECONDS * 1000, millis)
    }

    fn name(&self) -> &str {
        &self.cookies.names[0]
    }

    /// The session in what was presented.
    pub(crate) fn open(&self, presented: &Presented, now: u64) -> Result<Option<(Record, Opened)>, Reason> {
        let foreign = &self.cookies.foreign;
        let principal = match foreign.takes_the_last() {
            true => presented.present.iter().last(),
            false => presented.present.iter().next(),
        };
        let find = |name: &str| match name == self.name() {
            true => principal,
            false => Cookies::value(presented, self.names(), name),
        };
        let guest = match foreign.open(find, now).map_err(Reason::from) {
            Err(Reason::Absent) => return Ok(None),
            guest => guest?,
        };
        let mut fields = fields(&guest).ok_or(Reason::Invalid)?;
        let mark = Mark::take(&mut fields);
        let begun = || {
            let lifetime = foreign.lifetime().map(millis)?;
            guest.expires_at()?.checked_sub(lifetime)
        };
        let mark = mark.unwrap_or_else(|| {
            let created = guest.created_at().or_else(begun).unwrap_or(0).min(now);
            let id = self.cookies.fingerprint(find);
            Mark { id, created, authenticated: 0, epoch: created }
        });
        let Mark { id, created, authenticated, epoch } = mark;
        let owner = owner_of(&fields, &self.owner_field);
        let deadline = guest.expires_at().unwrap_or(MAX_MS).min(MAX_MS);
        let handle = id.handle(owner.as_deref()).map_err(|_| Reason::Invalid)?;
        let mut header = Header::new(Kind::Stateless, id, handle, owner.as_deref(), epoch, now);
        (header.created, header.authenticated) = (created, authenticated);
        (header.idle_deadline, header.absolute_deadline) = (deadline, deadline);
        Ok(Some((Record { header, fields }, guest)))
    }

    /// The lines that set a session's cookies, and remove those of its former value that it has no use for.
    pub(crate) fn set(
        &self,
        writer: &CookieWriter,
        presented: u8,
        record: &Record,
        guest: Option<&Guest>,
        now: u64,
    ) -> Result<Vec<HeaderValue>, CommitError> {
        let (foreign, data) = (&self.cookies.foreign, self.data(record)?);
        let cookies = match guest {
            Some(Guest::Cookie(opened)) => foreign.reseal(opened, &data, now),
            _ => foreign.seal(&data, now),
        }?;
        let max_age = foreign.attributes().max_age;
        let set = cookies.iter().map(|(name, value)| writer.named(name).set(value, max_age));
        let is_set = |name: &str| cookies.iter().any(|(set, _)| set == name);
        let left = self.may_be_there(presented).filter(|name| !is_set(name));
        let removed = left.map(|name| Ok(writer.named(name).remove()));
        set.chain(removed).map(|line| request::header(line?)).collect()
    }

    /// The lines that remove a session's cookies.
    pub(crate) fn remove(&self, writer: &CookieWriter, presented: u8) -> Result<Vec<HeaderValue>, CommitError> {
        self.may_be_there(presented).map(|name| request::header(writer.named(name).remove())).collect()
    }

    /// The cookies that a browser may have which presented those.
    fn may_be_there(&self, presented: u8) -> impl Iterator<Item = &str> {
        std::iter::once(self.name()).chain(super::presented(self.names(), presented))
    }

    /// The data as Node reads it.
    fn data(&self, record: &Record) -> Result<String, CommitError> {
        let failed = |error: FieldError| CommitError::Field { why: error.to_string() };
        let mut fields = fields_of(record, &self.owner_field).map_err(failed)?;
        fields.set(MARK, &Mark::of(&record.header).json()).map_err(failed)?;
        Ok(object_text(&fields))
    }
}
