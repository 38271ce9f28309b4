//! The names of keys in Redis.
//!
//! | key | holds | lifetime |
//! |---|---|---|
//! | `prefix:{3}:s:` and 16 bytes | a row or a tombstone | a day longer than it may be asked for |
//! | `prefix:{3}:o:` and the owner | a hash: the names of the owner's rows, and under `e` his epoch | as long as they |
//! | `prefix:{3}:k` | all rows' names, in order | none |
//! | `prefix:{3}:x` | what ends when: an `s` or an `o`, then a name | none |
//! | `prefix:{3}:n` | the news, a stream | none; half an hour of it |
//! | `prefix:{3}:f` | a hash: when the shard's feed was born, and how much it was told | none |
//! | `prefix:{3}:p` | what was published until when | a day longer than that |
//! | `prefix:{epoch}` | the counter of epochs | none |
//! | `prefix:{about}` | the number of shards | none |
//!
//! `{3}` is the shard, and for a cluster the part of a key that chooses its slot: what one step is about is on one
//! machine.

use crate::store::StoreKey;

/// Makes the names.
pub(super) struct Keys {
    prefix: Box<str>,
    shards: u16,
}

/// Where a key is: what a cluster needs to find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Home {
    Shard(u16),
    Epoch,
    About,
}

impl Keys {
    pub(super) fn new(prefix: &str, shards: u16) -> Self {
        Self { prefix: prefix.into(), shards }
    }

    pub(super) fn shards(&self) -> u16 {
        self.shards
    }

    pub(super) fn shard_of(&self, key: StoreKey) -> u16 {
        key.shard() % self.shards
    }

    pub(super) fn shard_of_owner(&self, owner: &str) -> u16 {
        StoreKey::shard_of(owner) % self.shards
    }

    pub(super) fn session(&self, key: StoreKey) -> Vec<u8> {
        let mut name = self.sessions(self.shard_of(key));
        name.extend_from_slice(key.as_bytes());
        name
    }

    /// What all names of sessions of a shard begin with.
    pub(super) fn sessions(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":s:")
    }

    pub(super) fn owner(&self, owner: &str) -> Vec<u8> {
        let mut name = self.owners(self.shard_of_owner(owner));
        name.extend_from_slice(owner.as_bytes());
        name
    }

    /// What all names of owners of a shard begin with.
    pub(super) fn owners(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":o:")
    }

    pub(super) fn order(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":k")
    }

    pub(super) fn expiry(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":x")
    }

    /// What all names of a shard begin with.
    pub(super) fn shard(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, "")
    }

    /// The news of a shard.
    pub(super) fn news(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":n")
    }

    /// What is about the news of a shard.
    pub(super) fn facts(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":f")
    }

    pub(super) fn published(&self, shard: u16) -> Vec<u8> {
        self.of_shard(shard, ":p")
    }

    /// On which it is said that there are news.
    pub(super) fn channel(&self) -> String {
        format!("{}:news", self.prefix)
    }

    pub(super) fn epoch(&self) -> String {
        format!("{}:{{epoch}}", self.prefix)
    }

    pub(super) fn about(&self) -> String {
        format!("{}:{{about}}", self.prefix)
    }

    /// The tag of a home, which is all that a cluster looks at.
    pub(super) fn tag(home: Home) -> String {
        match home {
            Home::Shard(shard) => shard.to_string(),
            Home::Epoch => "epoch".into(),
            Home::About => "about".into(),
        }
    }

    fn of_shard(&self, shard: u16, rest: &str) -> Vec<u8> {
        let mut name = Vec::with_capacity(self.prefix.len() + 32);
        name.extend_from_slice(self.prefix.as_bytes());
        name.extend_from_slice(b":{");
        let mut digits = [0; 4];
        let mut at = digits.len();
        let mut left = shard;
        loop {
            at -= 1;
            digits[at] = b'0' + (left % 10) as u8;
            left /= 10;
            if left == 0 {
                break;
            }
        }
        name.extend_from_slice(&digits[at..]);
        name.push(b'}');
        name.extend_from_slice(rest.as_bytes());
        name
    }
}
