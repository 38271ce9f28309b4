//! [`Inspection`]: what an envelope says, for tools.

use crate::{
    envelope::Opened,
    events::Reason,
    json::object_text,
    keyring::{KeyId, KeyState},
    lifetime::Lifetime,
    record::{Handle, Kind, Record},
};

/// The contents of an envelope that opened. Times are milliseconds since 1970; 0 stands for never.
pub struct Inspection {
    record: Record,
    key_id: KeyId,
    key_state: KeyState,
    verdict: Result<(), Reason>,
    idle_deadline: u64,
    absolute_deadline: u64,
}

impl Inspection {
    pub(crate) fn new(opened: Opened, lifetime: &Lifetime, now: u64) -> Self {
        let header = &opened.record.header;
        Self {
            // Only its store knows when a stored session was last used.
            verdict: match header.kind {
                Kind::Stored | Kind::Hybrid => lifetime.check_absolute(header, now),
                _ => lifetime.check(header, now),
            },
            idle_deadline: match header.kind {
                Kind::Stored => lifetime.absolute_deadline(header),
                _ => lifetime.idle_deadline(header),
            },
            absolute_deadline: lifetime.absolute_deadline(header),
            key_id: opened.key,
            key_state: opened.key_state,
            record: opened.record,
        }
    }

    /// Whether its clocks allow it, and if not, why.
    pub fn verdict(&self) -> Result<(), Reason> {
        self.verdict
    }

    /// The key that sealed it.
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The state of that key. A session under a retired one moves to the active key when it is next
    /// written or touched.
    pub fn key_state(&self) -> KeyState {
        self.key_state
    }

    /// What it is.
    pub fn kind(&self) -> Kind {
        self.record.header.kind
    }

    /// The public name of the session.
    pub fn handle(&self) -> Handle {
        self.record.header.handle
    }

    /// How often the session was renewed.
    pub fn generation(&self) -> u32 {
        self.record.header.generation
    }

    /// Who is signed in.
    pub fn owner(&self) -> Option<&str> {
        self.record.header.owner.as_deref()
    }

    /// Whether the session was to be remembered beyond the browser's end.
    pub fn is_remembered(&self) -> bool {
        self.record.header.remembered
    }

    /// When the session was made.
    pub fn created_at(&self) -> u64 {
        self.record.header.created
    }

    /// When its owner last proved who he is.
    pub fn authenticated_at(&self) -> u64 {
        self.record.header.authenticated
    }

    /// When it was last used, to the precision of half an idle window.
    pub fn last_seen_at(&self) -> u64 {
        self.record.header.last_seen
    }

    /// When it ends unless it is used. Of a stored session only its store knows; here that is when it ends whatever
    /// happens.
    pub fn idle_deadline(&self) -> u64 {
        self.idle_deadline
    }

    /// When it ends whatever happens.
    pub fn absolute_deadline(&self) -> u64 {
        self.absolute_deadline
    }

    /// The earlier of both deadlines.
    pub fn expires_at(&self) -> u64 {
        self.idle_deadline.min(self.absolute_deadline)
    }

    /// When the store last answered for it; only a copy of a stored record has been confirmed.
    pub fn confirmed_at(&self) -> u64 {
        self.record.header.confirmed
    }

    /// Which version of the stored record it is a copy of; 0 for what is no copy.
    pub fn version(&self) -> u64 {
        self.record.header.version
    }

    /// When the session was last renewed, as far as a copy of its stored record tells.
    pub fn renewed_at(&self) -> u64 {
        self.record.header.renewed
    }

    /// What its owner sees the session called, as far as a copy of its stored record tells.
    pub fn label(&self) -> Option<&str> {
        self.record.header.label.as_deref()
    }

    /// All fields as one JSON object, numbers and order as they were written.
    pub fn data_json(&self) -> String {
        object_text(&self.record.fields)
    }
}
