//! [`Row`]: one session as it lies in the store of Express, `{"cookie":{…},…data}`.
//!
//! What no field of ours can hold stays as it is, at its place.

use aws_lc_rs::digest::{Context, SHA256};
use serde_json::value::RawValue;

use super::{
    super::mark::{MARK, Mark},
    cookie::RowCookie,
};
use crate::{
    envelope::{base64url_decode, base64url_encode},
    error::{CommitError, FieldError},
    fields::Fields,
    json::{Members, text_of},
    record::SessionId,
};

/// The member that is not the application's.
const COOKIE: &str = "cookie";

/// Names that Express' own object has, so that it drops members of these names when it loads a session.
const TAKEN: [&str; 18] = [
    COOKIE,
    "id",
    "req",
    "touch",
    "resetMaxAge",
    "save",
    "reload",
    "destroy",
    "regenerate",
    "constructor",
    "hasOwnProperty",
    "isPrototypeOf",
    "propertyIsEnumerable",
    "toLocaleString",
    "toString",
    "valueOf",
    "__proto__",
    "__defineGetter__",
];

/// A session's row.
pub(crate) struct Row {
    pub(super) sid: String,
    /// What is in the store, byte for byte. `None` before the first write.
    pub(super) text: Option<String>,
    members: Vec<(String, Box<RawValue>)>,
    pub(super) cookie: RowCookie,
}

impl Row {
    /// That of a session which nobody has written yet.
    pub(super) fn new(id: &SessionId, cookie: RowCookie) -> Self {
        Self { sid: base64url_encode(&id.0), text: None, members: Vec::new(), cookie }
    }

    /// What the store has. `None` when Express would not read it.
    pub(super) fn parse(sid: String, text: String) -> Option<Self> {
        let Members(members) = serde_json::from_str(&text).ok()?;
        let cookie = members.iter().rfind(|(name, _)| name == COOKIE)?;
        let cookie = RowCookie::of_row(cookie.1.get())?;
        Some(Self { sid, text: Some(text), members, cookie })
    }

    /// The id of the session: the one that we gave it, or for another id of Express' a hash.
    pub(crate) fn id(&self) -> SessionId {
        id_of(&self.sid)
    }

    /// The application's members, and our mark.
    pub(crate) fn fields(&self) -> Fields {
        let mut fields = Fields::empty();
        for (name, value) in self.members.iter().filter(|(name, _)| name != COOKIE) {
            // What does not fit is not lost: see `with`.
            let _ = fields.set(name, value.get());
        }
        fields
    }

    fn size(&self) -> usize {
        self.text.as_ref().map_or(0, String::len)
    }

    /// The application's members as the text of an object.
    pub(crate) fn data_json(&self) -> String {
        let members = self.members.iter().filter(|(name, _)| name != COOKIE);
        text_of(members.map(|(name, value)| (name.as_str(), value.get())), self.size())
    }

    /// The row with other fields, another mark and the deadline of a session that is written now.
    pub(super) fn with(&self, fields: &Fields, mark: &Mark, now: u64) -> Result<Self, CommitError> {
        let (cookie, mark) = (self.cookie.extended(now), mark.json());
        let mut members = Vec::with_capacity(self.members.len() + 2);
        for (name, value) in &self.members {
            match fields.get(name) {
                _ if name == COOKIE => members.push((name.as_str(), cookie.json())),
                _ if name == MARK => members.push((name, &mark)),
                Some(value) => members.push((name, value)),
                None if Fields::empty().set(name, value.get()).is_err() => members.push((name, value.get())),
                None => {}
            }
        }
        let has = |name: &str| self.members.iter().any(|(known, _)| known == name);
        if !has(COOKIE) {
            members.insert(0, (COOKIE, cookie.json()));
        }
        // None of ours came out of the member of this name.
        for (name, value) in fields.iter().filter(|(name, _)| *name == COOKIE || !has(name)) {
            if TAKEN.contains(&name) {
                let why = format!("express-session keeps no member called {name:?}; give the field another name");
                return Err(CommitError::Field { why });
            }
            members.push((name, value));
        }
        if !has(MARK) {
            members.push((MARK, &mark));
        }
        let text = text_of(members.into_iter(), self.size() + fields.size());
        let failed = || CommitError::Field { why: FieldError::NotAnObject.to_string() };
        Self::parse(self.sid.clone(), text).ok_or_else(failed)
    }
}

fn id_of(sid: &str) -> SessionId {
    let bytes = base64url_decode(sid.as_bytes()).filter(|bytes| base64url_encode(bytes) == sid);
    if let Some(bytes) = bytes.and_then(|bytes| bytes.try_into().ok()) {
        return SessionId(bytes);
    }
    let mut hash = Context::new(&SHA256);
    hash.update(b"hardtack 1 express-session");
    hash.update(sid.as_bytes());
    SessionId::hashed(hash)
}
