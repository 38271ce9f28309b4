//! Secrets with ids and states.
//!
//! A key is *pending* (opens, and seals from a time on), *active* (seals and opens; exactly one is),
//! *retired* (opens what it sealed) and at last *revoked* (opens nothing; its secret is gone). The key id
//! in an envelope chooses the key, so that opening costs one attempt however many keys there are (G03).
//!
//! Keys come from the environment ([`Keyring::from_env`]) or from a file made on first run
//! ([`Keyring::from_file`]), which is read again when it changes ([`Keyring::watch`]), when the program
//! asks ([`Keyring::reload`]) and, at most once in ten seconds, when a cookie names an unknown key. So keys
//! are replaced without a restart (G04). `docs/operating.md` has the roll-over as a recipe.

mod file;
mod key;
mod ring;

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, Weak},
    thread,
    time::{Duration, Instant, SystemTime},
};

pub use file::KeyFile;
pub(crate) use key::{KEY_ID, example};
pub use key::{Key, KeyId};
pub use ring::KeyState;
use ring::{Entry, Ring};

use crate::{
    error::BuildError,
    events::{self, Reason},
};

/// The environment variable that [`Keyring::from_env`] reads.
pub const KEYS_VARIABLE: &str = "HARDTACK_KEYS";

/// How long an unknown key id waits before it may cause the next reload.
const BETWEEN_RELOADS: Duration = Duration::from_secs(10);

/// The keys of an application. Clones share them.
#[derive(Clone)]
pub struct Keyring {
    shared: Arc<Shared>,
}

struct Shared {
    ring: RwLock<Arc<Ring>>,
    path: Option<PathBuf>,
    reloaded: Mutex<Reloaded>,
}

/// What the file looked like when it was last read, and when an unknown id last had it read.
#[derive(Default)]
struct Reloaded {
    stamp: Option<(SystemTime, u64)>,
    for_unknown_id: Option<Instant>,
}

impl Keyring {
    /// How often to look whether the file has changed: 30 seconds. [`KeyFile::MIN_LEAD`] counts on it.
    pub const RELOAD_INTERVAL: Duration = Duration::from_secs(30);

    /// A keyring whose `active` key seals and whose `retired` keys only open.
    ///
    /// # Errors
    ///
    /// [`BuildError::DuplicateKey`] when two keys have the same id.
    pub fn new(active: Key, retired: impl IntoIterator<Item = Key>) -> Result<Self, BuildError> {
        let retired = retired.into_iter().map(Entry::Retired);
        Ok(Self::from_ring(Ring::new(std::iter::once(Entry::Active(active)).chain(retired))?))
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
    /// active one first, then the retired ones. A word may say otherwise: `pending@UNIX_MS:htk1_…`,
    /// `retired:htk1_…`, `revoked:ID`.
    ///
    /// # Errors
    ///
    /// [`BuildError::MissingKeys`] when it is absent or empty, with a fresh key to paste;
    /// [`BuildError::WeakKey`], [`BuildError::KeyText`] and [`BuildError::DuplicateKey`] as their names say.
    pub fn from_env() -> Result<Self, BuildError> {
        let text = std::env::var(KEYS_VARIABLE).unwrap_or_default();
        let words: Vec<_> = text.split([' ', '\t', '\n', '\r', ',']).filter(|word| !word.is_empty()).collect();
        if words.is_empty() {
            return Err(BuildError::MissingKeys { example: example() });
        }
        let bare = words.iter().position(|word| !word.contains(':'));
        let entry = |(at, word): (usize, &&str)| {
            let (state, key) =
                word.split_once(':').unwrap_or((if Some(at) == bare { "active" } else { "retired" }, word));
            Entry::parse(&state.split('@').chain([key]).collect::<Vec<_>>())
        };
        Ok(Self::from_ring(Ring::new(words.iter().enumerate().map(entry).collect::<Result<Vec<_>, _>>()?)?))
    }

    /// The keys in a file, which is made with one new key when it does not exist. It is created for
    /// its owner alone (mode 0600), and a file that others may read is refused.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] with the path, the line and what to write instead.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        if !path.as_ref().exists() {
            file::create(path.as_ref())?;
        }
        Self::from_existing_file(path)
    }

    /// As [`from_file`](Self::from_file), for a file that must exist already: for tools that read what a
    /// server wrote.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`].
    pub fn from_existing_file(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        let path = path.as_ref();
        let stamp = file::stamp(path);
        let ring = file::load(path, None)?;
        let reloaded = Mutex::new(Reloaded { stamp, for_unknown_id: None });
        let shared = Shared { ring: RwLock::new(Arc::new(ring)), path: Some(path.to_owned()), reloaded };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads the file again. Does nothing for keys that do not come from one.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`]; the keys then stay as they were.
    pub fn reload(&self) -> Result<(), BuildError> {
        self.shared.reload(&mut self.shared.reloaded())
    }

    /// Reloads whenever the file has changed, looking every `interval` from a thread of its own, which
    /// ends with the last clone of this keyring. A file that cannot be used is told as an event and
    /// changes nothing. Does nothing for keys that do not come from a file.
    pub fn watch(&self, interval: Duration) {
        let Some(path) = self.shared.path.clone() else { return };
        let shared = Arc::downgrade(&self.shared);
        thread::spawn(move || {
            while let Some(shared) = wait(&shared, interval) {
                let mut reloaded = shared.reloaded();
                if file::stamp(&path) != reloaded.stamp {
                    told(shared.reload(&mut reloaded));
                }
            }
        });
    }

    /// The keys with their states at `now_ms`, the sealing one first.
    pub fn keys(&self, now_ms: u64) -> Vec<(Arc<Key>, KeyState)> {
        let ring = self.ring();
        let mut keys: Vec<_> = ring.keys().map(|key| (key.clone(), ring.state(key, now_ms))).collect();
        keys.sort_by_key(|(_, state)| *state != KeyState::Active);
        keys
    }

    /// When the pending key of this id begins to seal, in milliseconds since 1970.
    pub fn seals_from(&self, id: KeyId) -> Option<u64> {
        self.ring().pending.iter().find(|(_, key)| key.id() == id).map(|(from, _)| *from)
    }

    /// The ids of revoked keys.
    pub fn revoked(&self) -> Vec<KeyId> {
        self.ring().revoked.clone()
    }

    /// The key that seals at `now`.
    pub(crate) fn sealing(&self, now: u64) -> Arc<Key> {
        self.ring().sealing(now).clone()
    }

    /// Runs `work` with the key of this id and its state. An unknown id has the file read again, at most
    /// every ten seconds whatever cookies come.
    pub(crate) fn with_key<T>(
        &self,
        id: KeyId,
        now: u64,
        work: impl FnOnce(&Key, KeyState) -> Result<T, Reason>,
    ) -> Result<T, Reason> {
        let known = self.shared.read();
        match known.find(id, now) {
            Ok((key, state)) => return work(key, state),
            Err(Reason::UnknownKey) => {}
            Err(reason) => return Err(reason),
        }
        drop(known);
        if !self.shared.reload_for_unknown_id() {
            return Err(Reason::UnknownKey);
        }
        let reloaded = self.shared.read();
        let (key, state) = reloaded.find(id, now)?;
        work(key, state)
    }

    fn from_ring(ring: Ring) -> Self {
        let shared = Shared { ring: RwLock::new(Arc::new(ring)), path: None, reloaded: Mutex::default() };
        Self { shared: Arc::new(shared) }
    }

    fn ring(&self) -> Arc<Ring> {
        self.shared.read().clone()
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keyring").field(&self.ring()).finish()
    }
}

impl Shared {
    fn read(&self) -> RwLockReadGuard<'_, Arc<Ring>> {
        self.ring.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn reloaded(&self) -> MutexGuard<'_, Reloaded> {
        self.reloaded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the file's keys. A broken file is told once, not at every look.
    fn reload(&self, reloaded: &mut Reloaded) -> Result<(), BuildError> {
        let Some(path) = &self.path else { return Ok(()) };
        reloaded.stamp = file::stamp(path);
        let before = self.read().clone();
        let ring = file::load(path, Some(&before))?;
        *self.ring.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
        Ok(())
    }

    /// Whether the file was read again. A second request that comes meanwhile does not wait.
    fn reload_for_unknown_id(&self) -> bool {
        let Ok(mut reloaded) = self.reloaded.try_lock() else { return false };
        let recent = reloaded.for_unknown_id.is_some_and(|last| last.elapsed() < BETWEEN_RELOADS);
        if self.path.is_none() || recent {
            return false;
        }
        reloaded.for_unknown_id = Some(Instant::now());
        told(self.reload(&mut reloaded))
    }
}

/// Tells what became of a reload that nobody asked for.
fn told(reload: Result<(), BuildError>) -> bool {
    match &reload {
        Ok(()) => events::keys_reloaded(),
        Err(error) => events::keys_not_reloaded(error),
    }
    reload.is_ok()
}

fn wait(shared: &Weak<Shared>, interval: Duration) -> Option<Arc<Shared>> {
    thread::sleep(interval);
    shared.upgrade()
}
