//! [`Row`]: one session as a store keeps it.

use std::fmt;

use triomphe::ThinArc;

/// What a row says in clear beside its owner and its label. Times are milliseconds since 1970.
///
/// All of it but the epoch is bound to the sealed data: a row in which something was changed no longer
/// opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Counts the writes of the row; the new one of a [`replace`](super::Store::replace) has the next.
    pub version: u64,
    /// Counts the renewals of the session.
    pub generation: u32,
    /// "Remember me" was chosen.
    pub remembered: bool,
    /// The owner's epoch at sign-in, or when the session was spared from an ending.
    pub epoch: u64,
    /// When the session was made.
    pub created: u64,
    /// When a credential was last proved; 0 for never.
    pub authenticated: u64,
    /// When the session was last renewed; 0 for never.
    pub renewed: u64,
    /// When it ends whatever happens.
    pub absolute_deadline: u64,
}

/// One session as a store keeps it: facts in clear, data sealed. Cheap to clone.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    body: ThinArc<Head, u8>,
    last_seen: u64,
    idle_deadline: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Head {
    facts: Facts,
    owner: u16,
    label: u8,
}

impl Row {
    /// The longest owner, in bytes.
    pub const MAX_OWNER: usize = crate::record::MAX_OWNER;
    /// The longest label, in bytes.
    pub const MAX_LABEL: usize = 255;

    /// A row of these parts, for a store that read them back. An owner or a label that is too long is
    /// cut, which the sealed data then denies.
    pub fn new(
        facts: Facts,
        owner: Option<&str>,
        label: Option<&str>,
        sealed: &[u8],
        last_seen: u64,
        idle_deadline: u64,
    ) -> Self {
        let owner = cut(owner.unwrap_or_default(), Self::MAX_OWNER);
        let label = cut(label.unwrap_or_default(), Self::MAX_LABEL);
        let head = Head { facts, owner: owner.len() as u16, label: label.len() as u8 };
        let mut bytes = Vec::with_capacity(owner.len() + label.len() + sealed.len());
        bytes.extend_from_slice(owner.as_bytes());
        bytes.extend_from_slice(label.as_bytes());
        bytes.extend_from_slice(sealed);
        Self { body: ThinArc::from_header_and_slice(head, &bytes), last_seen, idle_deadline }
    }

    /// The facts.
    pub fn facts(&self) -> &Facts {
        &self.body.header.header.facts
    }

    /// Whose session it is, 1 to 512 bytes; `None` for an anonymous one.
    pub fn owner(&self) -> Option<&str> {
        self.text(0, self.head().owner.into())
    }

    /// What its owner sees it called in a list of devices, at most 255 bytes.
    pub fn label(&self) -> Option<&str> {
        let head = self.head();
        self.text(head.owner.into(), head.label.into())
    }

    /// The sealed data.
    pub fn sealed(&self) -> &[u8] {
        let head = self.head();
        &self.body.slice[usize::from(head.owner) + usize::from(head.label)..]
    }

    /// When the session was last used, to the precision of half an idle window.
    pub fn last_seen(&self) -> u64 {
        self.last_seen
    }

    /// When it ends unless it is used.
    pub fn idle_deadline(&self) -> u64 {
        self.idle_deadline
    }

    /// Whether it is over: what a store's `load` answers `None` for.
    pub fn is_expired(&self, now: u64) -> bool {
        now >= self.expires_at()
    }

    /// The earlier of both deadlines.
    pub fn expires_at(&self) -> u64 {
        self.idle_deadline.min(self.facts().absolute_deadline)
    }

    /// The row after a [`touch`](super::Store::touch): both times only grow, and the deadline not beyond the
    /// absolute one.
    pub fn touched(mut self, last_seen: u64, idle_deadline: u64) -> Self {
        self.last_seen = self.last_seen.max(last_seen);
        self.idle_deadline = self.idle_deadline.max(idle_deadline.min(self.facts().absolute_deadline));
        self
    }

    /// This row as it stands after a [`replace`](super::Store::replace) of `before`.
    pub fn in_place_of(self, before: &Self) -> Self {
        let epoch = before.facts().epoch;
        let row = if self.facts().epoch == epoch && self.owner() == before.owner() {
            self
        } else {
            let facts = Facts { epoch, ..*self.facts() };
            Self::new(facts, before.owner(), self.label(), self.sealed(), self.last_seen, self.idle_deadline)
        };
        row.touched(before.last_seen, before.idle_deadline)
    }

    /// The row under another epoch.
    pub fn with_epoch(&self, epoch: u64) -> Self {
        let facts = Facts { epoch, ..*self.facts() };
        Self::new(facts, self.owner(), self.label(), self.sealed(), self.last_seen, self.idle_deadline)
    }

    /// How many bytes it takes in memory, without the allocator's own.
    pub fn size(&self) -> usize {
        size_of::<Self>() + size_of::<Head>() + 2 * size_of::<usize>() + self.body.slice.len()
    }

    fn head(&self) -> &Head {
        &self.body.header.header
    }

    fn text(&self, start: usize, length: usize) -> Option<&str> {
        let bytes = self.body.slice.get(start..start + length).filter(|bytes| !bytes.is_empty())?;
        std::str::from_utf8(bytes).ok()
    }
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Row")
            .field("facts", self.facts())
            .field("owner", &self.owner())
            .field("label", &self.label())
            .field("sealed", &format_args!("{} bytes", self.sealed().len()))
            .field("last_seen", &self.last_seen)
            .field("idle_deadline", &self.idle_deadline)
            .finish()
    }
}

/// The longest beginning of at most `most` bytes.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}
