//! [`StoreKey`]: under which name a store finds a session.

use std::fmt;

use crate::record::Handle;

/// A hash of the session's id, 128 bits. Its text is the session's [`Handle`]: it names the session and
/// opens nothing, because the id cannot be had from it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreKey([u8; StoreKey::BYTES]);

impl StoreKey {
    /// Bytes of a key.
    pub const BYTES: usize = 16;

    /// The key of these bytes, which came from [`as_bytes`](Self::as_bytes).
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The bytes to store. They are evenly distributed, so they are their own hash.
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
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
