//! [`StoreKey`]: under which name a store finds a session.

use std::fmt;

use crate::record::Handle;

/// A hash of the session's id, and the [shard](Self::shard) of its owner. Its text is the session's [`Handle`]:
/// it names the session and opens nothing, because the id cannot be had from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey([u8; StoreKey::BYTES]);

impl StoreKey {
    /// Bytes of a key.
    pub const BYTES: usize = 16;

    /// The key of these bytes, which came from [`as_bytes`](Self::as_bytes).
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store. All but the last two are evenly distributed, so they are their own hash.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }

    /// In which shard the row is, from 0 to 1,023: the last two bytes. All rows of one owner are in the
    /// [same](Self::shard_of), so that a store which is spread over machines can keep on one of them what one step
    /// of the contract is about; it may use fewer shards, by the remainder. Rows of nobody are spread by chance.
    pub const fn shard(&self) -> u16 {
        u16::from_be_bytes([self.0[14], self.0[15]]) % 1024
    }

    /// The shard of an owner's rows, from 0 to 1,023.
    pub fn shard_of(owner: &str) -> u16 {
        Handle::shard_of(owner)
    }

    /// This key as it is when its row is `owner`'s.
    pub fn in_shard_of(self, owner: &str) -> Self {
        Self(Handle(self.0).in_shard_of(owner).0)
    }
}

impl From<Handle> for StoreKey {
    fn from(handle: Handle) -> Self {
        Self(handle.0)
    }
}

impl From<StoreKey> for Handle {
    fn from(key: StoreKey) -> Self {
        Self(key.0)
    }
}

impl fmt::Debug for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreKey({})", Handle::from(*self))
    }
}
