//! [`Feed`]: what ended in a store, told to every node, so that a node need not ask about each session.
//!
//! A store that is also a feed writes down what its calls end, in the same step as the call: a
//! [`delete`](super::Store::delete) and every row that [`create`](super::Store::create) ends to make room as
//! [`News::ended`], a [`replace`](super::Store::replace) that raises the generation as [`News::renewed`], an
//! [`end_owner`](super::Store::end_owner) as [`News::owner_ended`]. Other writes are no news. A node reads it from
//! end to end, again and again. The rules:
//!
//! - **Nothing is left out**: [`read`](Feed::read) gives all that was written down by calls that had answered before
//!   it began. What was given before may come again and in any order; nodes do not mind.
//! - **A gap is told**: what was kept is kept for [`RETENTION`] by the feed's own clock. A reader that comes later than
//!   that, or meets a feed that lost what it once gave, is told by [`Batch::complete`].
//! - News carry no data, no id and no owner's name.

use std::{fmt, time::Duration};

use super::StoreKey;
use crate::{
    error::StoreError,
    revocation::{Ending, OwnerHash},
};

/// How long news are kept at least, by the feed's own clock: half an hour.
pub const RETENTION: Duration = Duration::from_secs(30 * 60);

/// The news of a store, for [`Sessions::hybrid`](crate::Sessions::hybrid). The [module](self) has the rules.
pub trait Feed: Send + Sync + 'static {
    /// All news after `after`, or all that are kept. When there are none it waits up to `patience` for one.
    fn read(&self, after: Option<Cursor>, patience: Duration)
    -> impl Future<Output = Result<Batch, StoreError>> + Send;

    /// Writes down news that no call of the store makes, to be kept until a time of the caller's clock, or for
    /// [`RETENTION`] if that is longer. When this answers, no later [`read`](Self::read) from the beginning is without them.
    fn publish(&self, news: Vec<News>, until: u64) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// What one reading gave.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The news.
    pub news: Vec<News>,
    /// Where the next reading begins.
    pub cursor: Cursor,
    /// Whether nothing between the cursors was lost. From the beginning: whether the feed is at least
    /// [`RETENTION`] old, so that nothing that counts can be from before it.
    pub complete: bool,
}

/// A place in a feed. What is in it is the feed's own affair.
#[derive(Clone, PartialEq, Eq)]
pub struct Cursor(Box<[u8]>);

impl Cursor {
    /// A cursor of these bytes.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// The bytes that it was made of.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cursor")
    }
}

/// One thing that ended or moved on. For a feed it is a few bytes, at most [`MAX_BYTES`](Self::MAX_BYTES).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct News(pub(crate) Told);

/// What the bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// `E` ‖ `o` (an owner's) or `a` (anonymous) ‖ key(16): the row is gone.
    Ended { key: StoreKey, owned: bool },
    /// `R` ‖ key(16) ‖ generation(4): cookies of older generations are not the newest.
    Renewed { key: StoreKey, generation: u32 },
    /// `O` ‖ hash of the owner(8) ‖ epoch(8): rows of a lower epoch are gone.
    OwnerEnded { owner: OwnerHash, epoch: u64 },
    /// `S` ‖ a line of a revocation file: something ended that has no row.
    Revoked(Ending),
    /// `T` ‖ who(8) ‖ time(8): nothing ended. It was this time at that node.
    Mark { node: u64, at: u64 },
}

impl News {
    /// The longest, in bytes.
    pub const MAX_BYTES: usize = 128;

    /// The row under a key is gone; whether it was an owner's.
    pub fn ended(key: StoreKey, owned: bool) -> Self {
        Self(Told::Ended { key, owned })
    }

    /// The row under a key has a higher generation.
    pub fn renewed(key: StoreKey, generation: u32) -> Self {
        Self(Told::Renewed { key, generation })
    }

    /// All rows of an owner with a lower epoch are gone.
    pub fn owner_ended(owner: &str, epoch: u64) -> Self {
        Self(Told::OwnerEnded { owner: OwnerHash::of(owner), epoch })
    }

    /// Nothing ended: a moment of one node's clock, from which others see how long news are under way
    /// ([`Sessions::feed_delay`](crate::Sessions::feed_delay)). `node` tells nodes apart, a random number for example.
    pub fn mark(node: u64, at: u64) -> Self {
        Self(Told::Mark { node, at })
    }

    /// The eight bytes that stand for an owner: the beginning of its SHA-256.
    pub fn owner_bytes(owner: &str) -> [u8; 8] {
        OwnerHash::of(owner).0.to_be_bytes()
    }

    /// The bytes to keep. They are made so that a script or SQL can make them too: `E`, then `o` or `a` for an
    /// owner's or an anonymous row, then the key; `R`, the key, the generation in 4 bytes; `O`,
    /// [8 bytes](Self::owner_bytes) for the owner, the epoch in 8. Numbers are big-endian.
    pub fn to_bytes(self) -> Vec<u8> {
        match self.0 {
            Told::Ended { key, owned } => [if owned { b"Eo" } else { b"Ea" }, &key.as_bytes()[..]].concat(),
            Told::Renewed { key, generation } => [&b"R"[..], key.as_bytes(), &generation.to_be_bytes()].concat(),
            Told::OwnerEnded { owner, epoch } => [&b"O"[..], &owner.0.to_be_bytes(), &epoch.to_be_bytes()].concat(),
            Told::Mark { node, at } => [&b"T"[..], &node.to_be_bytes(), &at.to_be_bytes()].concat(),
            Told::Revoked(ending) => [b"S", ending.to_line().as_bytes()].concat(),
        }
    }

    /// Reads the bytes back. `None` for what this version does not know; a feed then answers that its batch is not
    /// [complete](Batch::complete).
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (kind, rest) = bytes.split_first()?;
        Some(Self(match kind {
            b'E' => {
                let (whose, key) = rest.split_first()?;
                let owned = match whose {
                    b'o' => true,
                    b'a' => false,
                    _ => return None,
                };
                Told::Ended { key: StoreKey::from_bytes(key.try_into().ok()?), owned }
            }
            b'R' => {
                let (key, generation) = rest.split_first_chunk()?;
                Told::Renewed {
                    key: StoreKey::from_bytes(*key),
                    generation: u32::from_be_bytes(generation.try_into().ok()?),
                }
            }
            b'O' => {
                let (owner, epoch) = rest.split_first_chunk()?;
                Told::OwnerEnded {
                    owner: OwnerHash(u64::from_be_bytes(*owner)),
                    epoch: u64::from_be_bytes(epoch.try_into().ok()?),
                }
            }
            b'T' => {
                let (node, at) = rest.split_first_chunk()?;
                Told::Mark { node: u64::from_be_bytes(*node), at: u64::from_be_bytes(at.try_into().ok()?) }
            }
            b'S' => Told::Revoked(Ending::from_line(std::str::from_utf8(rest).ok()?)?),
            _ => return None,
        }))
    }
}
