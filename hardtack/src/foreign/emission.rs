//! [`Emission`]: the foreign cookie is the session's only cookie, and Node reads and writes it as well.
//!
//! What is ours rides along in one member of the data, [`MARK`], which the other fleet keeps as it keeps all that it does
//! not know: the session's id, so that tokens against forgery and endings outlive the cookie's next value, and when it
//! was created and authenticated. A session that Node began has none until it is written here; until then its id is a
//! hash of its cookie.

use http::HeaderValue;
use zeroize::Zeroizing;

use super::{Cookies, Guest, fields, handle};
use crate::{
    clock::{MAX_MS, millis},
    cookie::{
        CookiePolicy,
        header::Presented,
        set_cookie::{CookieWriter, MAX_AGE_SECONDS},
    },
    envelope::{base64url_decode, base64url_encode},
    error::{BuildError, CommitError, FieldError},
    events::Reason,
    fields::Fields,
    interop::Foreign,
    json::object_text,
    record::{Header, Kind, MAX_OWNER, Record, SessionId},
    request,
};

/// The member of the data that is hardtack's own.
pub(super) const MARK: &str = "_hardtack";
/// The member that names the owner, unless another is said.
const OWNER: &str = "owner";

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
        self.cookies.foreign.check()?;
        let refuse = |why: String| Err(BuildError::Setting { why });
        if !self.cookies.foreign.holds_data() {
            let why = "of express-session only the id is in the cookie, and emit_as writes whole sessions";
            return refuse(format!("{why}; its sessions are in its store"));
        }
        let name = self.name();
        let names = [Some(policy.name().to_owned()), policy.for_loopback().map(|policy| policy.name().to_owned())];
        match names.into_iter().flatten().find(|other| other != name) {
            Some(other) => refuse(format!(
                "the foreign cookie is {name:?} and the policy's {other:?}; write CookiePolicy::from_name({name:?})"
            )),
            None => Ok(()),
        }
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
    pub(crate) fn open(&self, presented: &Presented, now: u64) -> Result<Option<(Record, Guest)>, Reason> {
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
        let header = Header {
            kind: Kind::Stateless,
            remembered: false,
            handle: handle(&id, owner.as_deref()).map_err(|_| Reason::Invalid)?,
            id,
            generation: 0,
            epoch,
            created,
            authenticated,
            confirmed: 0,
            last_seen: now,
            idle_deadline: deadline,
            absolute_deadline: deadline,
            version: 0,
            owner,
            renewed: 0,
            label: None,
        };
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
            Some(guest) => foreign.reseal(guest, &data, now),
            None => foreign.seal(&data, now),
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
        let Header { id, created, authenticated, epoch, owner, .. } = &record.header;
        let mut fields = record.fields.clone();
        let failed = |error: FieldError| CommitError::Field { why: error.to_string() };
        if let Some(owner) = owner.as_deref().filter(|_| owner_of(&fields, &self.owner_field) != *owner) {
            fields.set(&self.owner_field, &serde_json::Value::from(owner).to_string()).map_err(failed)?;
        }
        let mark = Mark { id: id.clone(), created: *created, authenticated: *authenticated, epoch: *epoch };
        fields.set(MARK, &format!("\"{}\"", mark.text())).map_err(failed)?;
        Ok(object_text(&fields))
    }
}

/// Who is signed in, by a member of the data: a text, or a whole number as databases give them.
fn owner_of(fields: &Fields, field: &str) -> Option<Box<str>> {
    let owner = match serde_json::from_str(fields.get(field)?).ok()? {
        serde_json::Value::String(owner) => owner,
        serde_json::Value::Number(owner) if owner.is_u64() || owner.is_i64() => owner.to_string(),
        _ => return None,
    };
    (1..=MAX_OWNER).contains(&owner.len()).then(|| owner.into())
}

/// What is hardtack's own in the data.
pub(super) struct Mark {
    pub(super) id: SessionId,
    created: u64,
    authenticated: u64,
    epoch: u64,
}

impl Mark {
    /// Takes it out of the data, where it is as we wrote it.
    pub(super) fn take(fields: &mut Fields) -> Option<Self> {
        let text = serde_json::from_str::<String>(fields.get(MARK)?).ok();
        fields.remove(MARK);
        let bytes = Zeroizing::new(base64url_decode(text?.as_bytes())?);
        let (id, times) = bytes.split_first_chunk::<32>()?;
        let (created, times) = times.split_first_chunk::<8>()?;
        let (authenticated, epoch) = times.split_first_chunk::<8>()?;
        let [created, authenticated, epoch] =
            [*created, *authenticated, epoch.try_into().ok()?].map(u64::from_be_bytes);
        Some(Self { id: SessionId(*id), created, authenticated, epoch })
    }

    fn text(&self) -> String {
        let times = [self.created, self.authenticated, self.epoch].map(u64::to_be_bytes);
        base64url_encode(&Zeroizing::new([&self.id.0[..], times.as_flattened()].concat()))
    }
}
