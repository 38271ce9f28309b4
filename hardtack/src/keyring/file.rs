//! The keyring in a file.
//!
//! ```text
//! # a comment
//! active htk1_…
//! pending 1795283311831 htk1_…
//! retired htk1_…
//! revoked bb1f0ed6
//! ```

use std::{
    fmt::Write as _,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, SystemTime},
};

use zeroize::Zeroizing;

use super::{
    Key, KeyId, Keyring,
    ring::{Entry, Ring},
};
use crate::{clock::millis, error::BuildError};

const HEADING: &str = "# Keys of hardtack. Whoever reads this file can sign in as anybody. Keep it secret.";

/// A file of keys, to change it: what `hardtack keys` does. Every change settles what time has done
/// (a pending key whose time has come is active, the one before it retired) and is written whole, to a
/// draft that is renamed into place, so that a server that reloads meanwhile never reads half of it. Drop one
/// before opening the next: it keeps the file to itself.
///
/// Times are milliseconds since 1970.
pub struct KeyFile {
    path: PathBuf,
    ring: Ring,
    /// Two programs that change the file at once would lose a key.
    lock: File,
}

/// How often, and how long apart, an editor asks for a file that another one holds: 5 seconds in all.
const TRIES: usize = 50;
const BETWEEN_TRIES: Duration = Duration::from_millis(100);

impl KeyFile {
    /// How far ahead a key is scheduled by default: five minutes, in which every server has read the
    /// file again and clocks may differ by some.
    pub const LEAD: Duration = Duration::from_secs(300);
    /// The least that a key is scheduled ahead: [`Keyring::RELOAD_INTERVAL`], and two minutes for clocks that
    /// differ. Sooner, a server could seal with a key that another has not read.
    pub const MIN_LEAD: Duration = Duration::from_secs(Keyring::RELOAD_INTERVAL.as_secs() + 120);

    /// Opens a file that exists, and keeps other `KeyFile`s of it waiting, for five seconds at most.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`], also when another one has held it for so long.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        // What is renamed into place must replace the file, not a link to it.
        let path = &fs::canonicalize(path.as_ref()).map_err(|error| failed(path.as_ref(), error))?;
        let io = |error: std::io::Error| failed(path, error);
        let lock = secret_options().append(true).create(true).open(path.with_extension("lock")).map_err(io)?;
        let free = (0..TRIES).any(|at| {
            if at > 0 {
                thread::sleep(BETWEEN_TRIES);
            }
            lock.try_lock().is_ok()
        });
        if !free {
            return Err(failed(path, "another program is changing it; try again when that has ended"));
        }
        Ok(Self { ring: load(path, None)?, path: path.to_owned(), lock })
    }

    /// Adds a key that opens at once and seals when `lead` has passed.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] for a key that is there or was revoked, or a lead below
    /// [`MIN_LEAD`](Self::MIN_LEAD).
    pub fn add(&mut self, key: Key, lead: Duration, now: u64) -> Result<(), BuildError> {
        self.refuse_known(&key)?;
        self.ring.pending.push((self.scheduled(lead, now)?, Arc::new(key)));
        self.save(now)
    }

    /// Adds a key that seals at once; the one before it retires. Only where one server uses the file: of
    /// several, one would seal with a key that another has not read.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] for a key that is there or was revoked.
    pub fn add_active(&mut self, key: Key, now: u64) -> Result<(), BuildError> {
        self.ring.settle(now);
        self.refuse_known(&key)?;
        let before = std::mem::replace(&mut self.ring.active, Arc::new(key));
        self.ring.retired.push(before);
        self.save(now)
    }

    /// Adds a key that opens only: another application's, or one from a backup.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add).
    pub fn add_retired(&mut self, key: Key, now: u64) -> Result<(), BuildError> {
        self.refuse_known(&key)?;
        self.ring.retired.push(Arc::new(key));
        self.save(now)
    }

    /// Lets a pending or retired key seal when `lead` has passed.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] when there is no such key, it seals already, or the lead is below
    /// [`MIN_LEAD`](Self::MIN_LEAD).
    pub fn activate(&mut self, id: KeyId, lead: Duration, now: u64) -> Result<(), BuildError> {
        self.ring.settle(now);
        let from = self.scheduled(lead, now)?;
        let key = self.ring.take(id).ok_or_else(|| self.not_there(id))?;
        self.ring.pending.push((from, key));
        self.save(now)
    }

    /// Lets a pending key open only.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] when there is no such key, or it seals: then activate another one, which
    /// retires it.
    pub fn retire(&mut self, id: KeyId, now: u64) -> Result<(), BuildError> {
        self.ring.settle(now);
        let key = self.ring.take(id).ok_or_else(|| self.not_there(id))?;
        self.ring.retired.push(key);
        self.save(now)
    }

    /// Lets a key open nothing any more and wipes its secret from the file.
    ///
    /// # Errors
    ///
    /// [`BuildError::KeyFile`] when there is no such key, or it seals.
    pub fn revoke(&mut self, id: KeyId, now: u64) -> Result<(), BuildError> {
        self.ring.settle(now);
        self.ring.take(id).ok_or_else(|| self.not_there(id))?;
        self.ring.revoked.push(id);
        self.save(now)
    }

    /// Revokes the key that seals, `id`, and puts `key` into its place at once: when it has leaked.
    ///
    /// # Errors
    ///
    /// As [`add`](Self::add), and when another key than `id` seals.
    pub fn replace_active(&mut self, id: KeyId, key: Key, now: u64) -> Result<(), BuildError> {
        self.ring.settle(now);
        self.refuse_known(&key)?;
        if self.ring.active.id() != id {
            return Err(failed(&self.path, format!("the key {id} is not active; revoke it without a replacement")));
        }
        self.ring.active = Arc::new(key);
        self.ring.revoked.push(id);
        self.save(now)
    }

    fn scheduled(&self, lead: Duration, now: u64) -> Result<u64, BuildError> {
        if lead < Self::MIN_LEAD {
            let least = Self::MIN_LEAD.as_secs();
            return Err(failed(&self.path, format!("schedule a key at least {least} seconds ahead")));
        }
        Ok(now.saturating_add(millis(lead)))
    }

    fn refuse_known(&self, key: &Key) -> Result<(), BuildError> {
        match self.ring.find(key.id(), 0) {
            Ok(_) => Err(failed(&self.path, format!("it holds the key {} already", key.id()))),
            Err(_) if self.ring.revoked.contains(&key.id()) => {
                Err(failed(&self.path, format!("the key {} was revoked; make a new one", key.id())))
            }
            Err(_) => Ok(()),
        }
    }

    fn not_there(&self, id: KeyId) -> BuildError {
        let why = if self.ring.active.id() == id {
            format!("the key {id} is active; it seals already, and retires when another one is activated")
        } else if self.ring.revoked.contains(&id) {
            format!("the key {id} is revoked")
        } else {
            format!("there is no key {id}; \"hardtack keys list\" shows what there is")
        };
        failed(&self.path, why)
    }

    fn save(&mut self, now: u64) -> Result<(), BuildError> {
        self.ring.settle(now);
        let io = |error: std::io::Error| failed(&self.path, error);
        let draft = Draft::write(&self.path, &self.ring)?;
        draft.keep_owner(&self.path).and_then(|()| fs::rename(&draft.path, &self.path)).map_err(io)?;
        sync_folder(&self.path).map_err(io)
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        // Closing the file would do, were there no child process that holds a copy of it until it has
        // replaced itself. If this fails, closing still does it.
        let _ = self.lock.unlock();
    }
}

/// Reads the file; keys that `before` had too keep their counters.
pub(super) fn load(path: &Path, before: Option<&Ring>) -> Result<Ring, BuildError> {
    let io = |error: std::io::Error| failed(path, error);
    let mut file = File::open(path).map_err(io)?;
    refuse_public(&file, path)?;
    let mut text = Zeroizing::new(String::new());
    file.read_to_string(&mut text).map_err(io)?;
    let ring = parse(&text).map_err(|why| failed(path, why))?;
    Ok(match before {
        Some(before) => ring.continuing(before),
        None => ring,
    })
}

/// Reads the text of a key file.
fn parse(text: &str) -> Result<Ring, String> {
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    let entries = lines.map(|(number, line)| {
        let words: Vec<_> = line.split_ascii_whitespace().collect();
        Entry::parse(&words).map_err(|error| format!("line {number}: {error}"))
    });
    Ring::new(entries.collect::<Result<Vec<_>, _>>()?).map_err(|error| error.to_string())
}

/// Makes the file with one new key, unless another process is faster: then its key counts.
pub(super) fn create(path: &Path) -> Result<(), BuildError> {
    let io = |error: std::io::Error| failed(path, error);
    fs::create_dir_all(folder(path)).map_err(io)?;
    let draft = Draft::write(path, &Ring::new([Entry::Active(Key::generate()?)])?)?;
    match fs::hard_link(&draft.path, path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(io(error)),
        _ => sync_folder(path).map_err(io),
    }
}

/// What tells one version of the file from another: when it was written, and its length.
pub(super) fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

/// A ring written beside the file whose place it will take. What is still there when it is dropped – all of
/// it, after a failure – is removed, because it holds secrets.
struct Draft {
    path: PathBuf,
    file: File,
}

impl Draft {
    /// Writes a ring for its owner alone, and syncs it.
    fn write(target: &Path, ring: &Ring) -> Result<Self, BuildError> {
        let io = |error: std::io::Error| failed(target, error);
        let text = to_text(ring);
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = folder(target).join(format!(".{name}.{:016x}", rand::random::<u64>()));
        let file = secret_options().write(true).create_new(true).open(&path).map_err(io)?;
        let mut draft = Self { path, file };
        draft.file.write_all(text.as_bytes()).and_then(|()| draft.file.sync_all()).map_err(io)?;
        Ok(draft)
    }

    /// Gives the draft to whom the file belongs: an administrator's edit must not shut the server out.
    #[cfg(unix)]
    fn keep_owner(&self, target: &Path) -> std::io::Result<()> {
        use std::os::unix::fs::{MetadataExt, fchown};
        let (old, new) = (fs::metadata(target)?, self.file.metadata()?);
        if (old.uid(), old.gid()) == (new.uid(), new.gid()) {
            return Ok(());
        }
        fchown(&self.file, Some(old.uid()), Some(old.gid()))
    }

    #[cfg(not(unix))]
    fn keep_owner(&self, _target: &Path) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // After a rename there is nothing under this name.
        let _ = fs::remove_file(&self.path);
    }
}

/// The text of a key file.
fn to_text(ring: &Ring) -> Zeroizing<String> {
    let mut text = Zeroizing::new(format!("{HEADING}\nactive {}\n", *ring.active.to_secret_text()));
    // Writing to a string cannot fail.
    for (from, key) in &ring.pending {
        let _ = writeln!(text, "pending {from} {}", *key.to_secret_text());
    }
    for key in &ring.retired {
        let _ = writeln!(text, "retired {}", *key.to_secret_text());
    }
    for id in &ring.revoked {
        let _ = writeln!(text, "revoked {id}");
    }
    text
}

fn secret_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(folder(path))?.sync_all()
}

#[cfg(unix)]
fn refuse_public(file: &File, path: &Path) -> Result<(), BuildError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|error| failed(path, error))?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(failed(path, format!("others may read it (mode {:o}); run: chmod 600 {}", mode & 0o777, path.display())))
}

#[cfg(not(unix))]
fn refuse_public(_file: &File, _path: &Path) -> Result<(), BuildError> {
    Ok(())
}

fn failed(path: &Path, why: impl ToString) -> BuildError {
    BuildError::KeyFile { path: path.to_owned(), why: why.to_string() }
}
