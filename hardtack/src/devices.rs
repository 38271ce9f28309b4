//! [`Device`]: one of an owner's sessions, as a list shows it (E05).

use crate::{
    lifetime::Lifetime,
    record::{Handle, Header},
    store::{Row, StoreKey},
};

/// One session of an owner, without anything that could be used to take it over. Times are milliseconds
/// since 1970; 0 stands for never.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Device {
    /// The public name of the session: what [`Sessions::end`](crate::Sessions::end) takes.
    pub handle: Handle,
    /// When the session was made.
    pub created_at: u64,
    /// When its owner last proved who he is.
    pub authenticated_at: u64,
    /// When it was last used, to the precision of half an idle window.
    pub last_seen_at: u64,
    /// When it ends unless it is used.
    pub idle_deadline: u64,
    /// When it ends whatever happens.
    pub absolute_deadline: u64,
    /// How often it was renewed.
    pub generation: u32,
    /// Whether it was to be remembered beyond the browser's end.
    pub remembered: bool,
    /// What [`Session::set_label`](crate::Session::set_label) called it.
    pub label: Option<String>,
}

impl Device {
    pub(crate) fn new(header: &Header, lifetime: &Lifetime) -> Self {
        Self {
            handle: header.handle,
            created_at: header.created,
            authenticated_at: header.authenticated,
            last_seen_at: header.last_seen,
            idle_deadline: lifetime.idle_deadline(header),
            absolute_deadline: lifetime.absolute_deadline(header),
            generation: header.generation,
            remembered: header.remembered,
            label: header.label.as_deref().map(Into::into),
        }
    }

    /// A row as its store tells it. Its data stays sealed, so nothing vouches for what it says.
    pub(crate) fn of_row(key: StoreKey, row: &Row) -> Self {
        let facts = row.facts();
        Self {
            handle: key.into(),
            created_at: facts.created,
            authenticated_at: facts.authenticated,
            last_seen_at: row.last_seen(),
            idle_deadline: row.idle_deadline(),
            absolute_deadline: facts.absolute_deadline,
            generation: facts.generation,
            remembered: facts.remembered,
            label: row.label().map(Into::into),
        }
    }
}
