//! What a session is made of: a [`Header`] that hardtack keeps and the [`Fields`] of the application.

use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use rand::{TryRng, rngs::SysRng};
use zeroize::Zeroize;

use crate::{derive, fields::Fields};

/// One session, as its envelope or its row holds it.
#[derive(Clone)]
pub(crate) struct Record {
    pub(crate) header: Header,
    pub(crate) fields: Fields,
}

/// The facts about a session that hardtack itself keeps. `docs/cookie-format.md` has their bytes.
#[derive(Clone)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    /// "Remember me" was chosen: the longer lifetime, and a cookie that outlives the browser.
    pub(crate) remembered: bool,
    pub(crate) id: SessionId,
    pub(crate) handle: Handle,
    /// Counts the renewals of this session.
    pub(crate) generation: u32,
    /// The owner's epoch at sign-in: a later [`end_owner`](crate::Sessions::end_owner) is above it.
    pub(crate) epoch: u64,
    pub(crate) created: u64,
    /// When a credential was last proved; 0 for never.
    pub(crate) authenticated: u64,
    /// When the store was last asked about this record and gave or took it; 0 without a store.
    pub(crate) confirmed: u64,
    pub(crate) last_seen: u64,
    pub(crate) idle_deadline: u64,
    pub(crate) absolute_deadline: u64,
    /// Counts the writes of the record in the store; 0 without a store.
    pub(crate) version: u64,
    pub(crate) owner: Option<Box<str>>,
    /// When the session was last renewed; 0 for never. Only a store and copies of its records know.
    pub(crate) renewed: u64,
    /// What its owner sees the session called. Only a store and copies of its records know.
    pub(crate) label: Option<Box<str>>,
}

impl Header {
    /// A session that begins now, without a credential and before any [`Lifetime`](crate::Lifetime) has set its deadlines.
    pub(crate) fn new(kind: Kind, id: SessionId, handle: Handle, owner: Option<&str>, epoch: u64, now: u64) -> Self {
        Self {
            kind,
            remembered: false,
            id,
            handle,
            generation: 0,
            epoch,
            created: now,
            authenticated: 0,
            confirmed: 0,
            last_seen: now,
            idle_deadline: 0,
            absolute_deadline: 0,
            version: 0,
            owner: owner.map(Into::into),
            renewed: 0,
            label: None,
        }
    }

    /// When the absolute lifetime began: at authentication, or at creation before one.
    pub(crate) fn anchor(&self) -> u64 {
        if self.authenticated == 0 { self.created } else { self.authenticated }
    }
}

/// How many shards there are; a store may use fewer.
const SHARDS: u16 = 1024;

/// The longest owner, in bytes.
pub(crate) const MAX_OWNER: usize = 512;

/// What an envelope is, and so which placement may open it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// A visitor whose session is in the cookie alone and belongs to nobody.
    Anonymous,
    /// A recorded session of the stateless placement: all of it is in the cookie.
    Stateless,
    /// A recorded session of the stored placement: the cookie holds its id, the store its data.
    Stored,
    /// A recorded session of the hybrid placement: the store holds the record, the cookie a copy of it.
    Hybrid,
}

/// The secret that is the session: 256 bits from the operating system. Never shown, never logged.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct SessionId(pub(crate) [u8; 32]);

impl SessionId {
    /// A new id with its handle (C01). Without random numbers there is none (C02).
    pub(crate) fn new(random: Random, owner: Option<&str>) -> Result<(Self, Handle), NoRandom> {
        let mut id = Self([0; 32]);
        random(&mut id.0)?;
        let handle = id.handle(owner)?;
        Ok((id, handle))
    }

    /// The id that a SHA-256 hash is, for a session that somebody else named.
    #[cfg(feature = "interop")]
    pub(crate) fn hashed(hash: aws_lc_rs::digest::Context) -> Self {
        let mut id = Self([0; 32]);
        id.0.copy_from_slice(hash.finish().as_ref());
        id
    }

    /// The handle of a session under this id.
    pub(crate) fn handle(&self, owner: Option<&str>) -> Result<Handle, NoRandom> {
        let mut handle = Handle([0; 16]);
        derive::from_random(&self.0, b"hardtack 1 handle", &mut handle.0).map_err(|_| NoRandom)?;
        Ok(owner.map_or(handle, |owner| handle.in_shard_of(owner)))
    }
}

/// A source of random numbers that nobody can foretell.
pub(crate) type Random = fn(&mut [u8]) -> Result<(), NoRandom>;

/// There are no random numbers to be had.
#[derive(Debug)]
pub(crate) struct NoRandom;

/// The operating system's source.
pub(crate) fn system_random(bytes: &mut [u8]) -> Result<(), NoRandom> {
    SysRng.try_fill_bytes(bytes).map_err(|_| NoRandom)
}

impl Drop for SessionId {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// A public name of a session: safe to show, to log and to put into a URL, because it opens nothing. It is
/// written as 22 characters of base64url.
///
/// It is 112 bits of a hash of the session's id and, of its owner, 10 bits of a hash: the shard in which a store
/// that is spread over machines keeps what belongs to the owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle(pub(crate) [u8; 16]);

impl Handle {
    /// A handle of this owner's.
    pub(crate) fn in_shard_of(mut self, owner: &str) -> Self {
        self.0[14..].copy_from_slice(&Self::shard_of(owner).to_be_bytes());
        self
    }

    /// The last two bytes of all of an owner's handles.
    pub(crate) fn shard_of(owner: &str) -> u16 {
        let hash = digest(&SHA256, owner.as_bytes());
        hash.as_ref().iter().take(2).fold(0, |number, byte| number << 8 | u16::from(*byte)) % SHARDS
    }

    /// Reads a handle back from its text.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = crate::envelope::base64url_decode(text.as_bytes())?;
        Some(Self(bytes.try_into().ok()?))
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::envelope::base64url_encode(&self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({self})")
    }
}
