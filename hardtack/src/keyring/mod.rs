//! Secrets with ids and states.
//!
//! One key is *active* and seals; *retired* keys still open what they sealed, until it has expired or
//! was sealed anew. The key id in an envelope chooses the key, so that opening costs one attempt
//! however many keys there are (G03).
//!
//! Keys come from the environment ([`Keyring::from_env`]) or from a file made on first run
//! ([`Keyring::from_file`]). Both hold lines of text, the active key first:
//!
//! ```text
//! # made by hardtack
//! active  htk1_…
//! retired htk1_…
//! ```

mod file;
mod key;

use std::{path::Path, sync::Arc};

pub(crate) use key::{KEY_ID, example};
pub use key::{Key, KeyId};

use crate::error::BuildError;

/// The environment variable that [`Keyring::from_env`] reads.
pub const KEYS_VARIABLE: &str = "HARDTACK_KEYS";

/// What a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyState {
    /// Seals and opens. Exactly one key is active.
    Active,
    /// Opens only.
    Retired,
}

impl KeyState {
    /// The word that files and commands use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// The keys of an application. Clones share them.
#[derive(Clone, Debug)]
pub struct Keyring {
    keys: Arc<[(Arc<Key>, KeyState)]>,
}

impl Keyring {
    /// A keyring whose `active` key seals and whose `retired` keys only open.
    ///
    /// # Errors
    ///
    /// [`BuildError::DuplicateKey`] when two keys have the same id.
    pub fn new(active: Key, retired: impl IntoIterator<Item = Key>) -> Result<Self, BuildError> {
        let retired = retired.into_iter().map(|key| (key, KeyState::Retired));
        Self::from_entries(std::iter::once((active, KeyState::Active)).chain(retired).collect())
    }

    /// A keyring of one new key that is lost with the process: for tests and examples.
    ///
    /// # Errors
    ///
    /// [`BuildError::Random`] when the operating system has no random numbers to give.
    pub fn ephemeral() -> Result<Self, BuildError> {
        Self::new(Key::generate()?, [])
    }

    /// The keys in the environment variable `HARDTACK_KEYS`: separated by white space or commas, the
    /// active one first, then the retired ones.
    ///
    /// # Errors
    ///
    /// [`BuildError::MissingKeys`] when it is absent or empty, with a fresh key to paste;
    /// [`BuildError::WeakKey`] and [`BuildError::DuplicateKey`] as their names say.
    pub fn from_env() -> Result<Self, BuildError> {
        let text = std::env::var(KEYS_VARIABLE).unwrap_or_default();
        let mut words = text.split([' ', '\t', '\n', '\r', ',']).filter(|word| !word.is_empty()).map(Key::parse);
        let active = words.next().ok_or_else(|| BuildError::MissingKeys { example: example() })??;
        Self::new(active, words.collect::<Result<Vec<_>, _>>()?)
    }

    /// The keys in a file, which is made with one new key when it does not exist. It is created for
    /// its owner alone (mode 0600), and a file that others may read is refused.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] with the path, the line and what to write instead.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        file::load_or_create(path.as_ref())
    }

    /// As [`from_file`](Self::from_file), for a file that must exist already: for tools that read what a
    /// server wrote.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`].
    pub fn from_existing_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        file::load(path.as_ref())
    }

    /// The keys of this ring with their states, the active one first.
    pub fn keys(&self) -> impl Iterator<Item = (&Key, KeyState)> {
        self.keys.iter().map(|(key, state)| (&**key, *state))
    }

    pub(crate) fn active(&self) -> &Key {
        &self.keys[0].0
    }

    pub(crate) fn find(&self, id: KeyId) -> Option<(&Key, KeyState)> {
        self.keys().find(|(key, _)| key.id() == id)
    }

    fn from_entries(mut entries: Vec<(Key, KeyState)>) -> Result<Self, BuildError> {
        entries.sort_by_key(|(_, state)| *state != KeyState::Active);
        for (at, (key, _)) in entries.iter().enumerate() {
            if entries[..at].iter().any(|(other, _)| other.id() == key.id()) {
                return Err(BuildError::DuplicateKey { id: key.id() });
            }
        }
        match entries.iter().filter(|(_, state)| *state == KeyState::Active).count() {
            1 => Ok(Self { keys: entries.into_iter().map(|(key, state)| (Arc::new(key), state)).collect() }),
            active => Err(BuildError::ActiveKeys { active }),
        }
    }
}
