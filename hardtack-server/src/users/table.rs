//! [`UserTable`]: the file of users.
//!
//! It is opened for each question, so that the command line and any number of demos use it side by side; a question
//! comes once in a login, which takes far longer to hash.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use hardtack::login::User;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::KEEPER;
use crate::Failure;

/// The file in the data folder.
const FILE: &str = "users.db";
/// How long to wait for another process.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest name.
const MAX_NAME: usize = 64;

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS users (
        name TEXT PRIMARY KEY,
        hash TEXT NOT NULL,
        disabled INTEGER NOT NULL DEFAULT 0,
        created INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- Whose sessions are to end, for demos that keep them in memory or in cookies.
    CREATE TABLE IF NOT EXISTS endings (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        name TEXT NOT NULL
    ) STRICT;
";

/// One user, as a list shows him.
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) disabled: bool,
    /// Milliseconds since 1970.
    pub(crate) created: u64,
}

/// The users of a data folder. There may be no file, and then there are no users.
#[derive(Clone)]
pub(crate) struct UserTable {
    path: PathBuf,
}

impl UserTable {
    pub(crate) fn in_folder(data: &Path) -> Self {
        Self { path: data.join(FILE) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is anybody.
    pub(crate) fn has_any(&self) -> Result<bool, Failure> {
        let Some(file) = self.open()? else { return Ok(false) };
        Ok(file.query_row("SELECT EXISTS (SELECT 1 FROM users)", [], |row| row.get(0))?)
    }

    /// The user of this name, in any letters.
    pub(crate) fn find(&self, name: &str) -> Result<Option<User>, Failure> {
        let (Some(name), Some(file)) = (normalized(name), self.open()?) else { return Ok(None) };
        let found = file.query_row("SELECT hash, disabled FROM users WHERE name = ?1", [&name], |row| {
            Ok(User { owner: name.clone(), name: name.clone(), hash: row.get(0)?, disabled: row.get(1)? })
        });
        Ok(found.optional()?)
    }

    /// Puts a hash in place of another one; answers whether that was still there.
    pub(crate) fn replace_hash(&self, name: &str, before: &str, hash: &str) -> Result<bool, Failure> {
        let Some(file) = self.open()? else { return Ok(false) };
        let changed = file.execute("UPDATE users SET hash = ?3 WHERE name = ?1 AND hash = ?2", [name, before, hash])?;
        Ok(changed == 1)
    }

    pub(crate) fn list(&self) -> Result<Vec<Entry>, Failure> {
        let Some(file) = self.open()? else { return Ok(Vec::new()) };
        let mut select = file.prepare("SELECT name, disabled, created FROM users ORDER BY name")?;
        let entries = select.query_map([], |row| {
            let created: i64 = row.get(2)?;
            Ok(Entry { name: row.get(0)?, disabled: row.get(1)?, created: created.unsigned_abs() })
        })?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    /// Adds a user; answers whether the name was free.
    pub(crate) fn add(&self, name: &str, hash: &str, now: u64) -> Result<bool, Failure> {
        let now = i64::try_from(now).unwrap_or(i64::MAX);
        let sql = "INSERT INTO users (name, hash, created) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        Ok(self.make()?.execute(sql, params![name, hash, now])? == 1)
    }

    /// Sets a user's password; answers whether there is such a user. His sessions are to end.
    pub(crate) fn set_hash(&self, name: &str, hash: &str) -> Result<bool, Failure> {
        self.end("UPDATE users SET hash = ?2 WHERE name = ?1", name, Some(hash))
    }

    pub(crate) fn disable(&self, name: &str) -> Result<bool, Failure> {
        self.end("UPDATE users SET disabled = 1 WHERE name = ?1", name, None)
    }

    pub(crate) fn enable(&self, name: &str) -> Result<bool, Failure> {
        let Some(file) = self.open()? else { return Ok(false) };
        Ok(file.execute("UPDATE users SET disabled = 0 WHERE name = ?1", [name])? == 1)
    }

    pub(crate) fn remove(&self, name: &str) -> Result<bool, Failure> {
        self.end("DELETE FROM users WHERE name = ?1", name, None)
    }

    /// Whose sessions are to end, since this was asked last.
    pub(crate) fn take_endings(&self) -> Result<Vec<String>, Failure> {
        let Some(file) = self.open()? else { return Ok(Vec::new()) };
        let waiting: bool = file.query_row("SELECT EXISTS (SELECT 1 FROM endings)", [], |row| row.get(0))?;
        if !waiting {
            return Ok(Vec::new());
        }
        let mut take = file.prepare("DELETE FROM endings RETURNING name")?;
        let names = take.query_map([], |row| row.get(0))?;
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// A change after which the user's sessions end, and the note of it, in one step.
    fn end(&self, change: &str, name: &str, hash: Option<&str>) -> Result<bool, Failure> {
        let Some(mut file) = self.open()? else { return Ok(false) };
        let change_both = file.transaction()?;
        let changed = match hash {
            Some(hash) => change_both.execute(change, [name, hash])?,
            None => change_both.execute(change, [name])?,
        };
        if changed == 1 {
            // A note of the same user that nobody took says no more than the new one.
            change_both.execute("DELETE FROM endings WHERE name = ?1", [name])?;
            change_both.execute("INSERT INTO endings (name) VALUES (?1)", [name])?;
        }
        change_both.commit()?;
        Ok(changed == 1)
    }

    /// The file, if there is one.
    fn open(&self) -> Result<Option<Connection>, Failure> {
        if !self.path.is_file() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(&self.path, flags).map_err(|error| self.failure(&error))?;
        file.busy_timeout(PATIENCE)?;
        file.execute_batch(TABLES).map_err(|error| self.failure(&error))?;
        Ok(Some(file))
    }

    /// The file, made when there is none, for its owner alone.
    fn make(&self) -> Result<Connection, Failure> {
        if !self.path.is_file() {
            let mut options = std::fs::OpenOptions::new();
            options.write(true).create(true).truncate(false);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(&self.path).map_err(|error| format!("{}: {error}", self.path.display()))?;
        }
        self.open()?.ok_or_else(|| format!("{} is no file", self.path.display()).into())
    }

    fn failure(&self, error: &rusqlite::Error) -> Failure {
        format!("the users in {}: {error}", self.path.display()).into()
    }
}

/// A name as it is kept: in small letters. `None` for what is no name.
pub(crate) fn normalized(name: &str) -> Option<String> {
    let name = name.trim().to_ascii_lowercase();
    let is_name = (1..=MAX_NAME).contains(&name.len())
        && name != KEEPER
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._@+-".contains(&byte))
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    is_name.then_some(name)
}
