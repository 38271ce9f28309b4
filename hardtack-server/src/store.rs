//! `--store`: where recorded sessions are. [`StoreAddress`] is the text of the command line, [`Engine`]
//! the store behind it.

use std::{fmt, path::PathBuf};

use hardtack::{
    BuildError, StoreError,
    store::{Admission, Created, MemoryStore, Replaced, Row, SqliteStore, Store, StoreKey},
};

use crate::Failure;

/// The file of sessions in a data folder.
pub(crate) const FILE: &str = "sessions.db";

/// Where recorded sessions are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreAddress {
    /// `memory:`, gone when the process ends
    Memory,
    /// `sqlite:PATH`, `sqlite://PATH` or a path
    Sqlite(PathBuf),
}

impl StoreAddress {
    /// Reads what was written after `--store`. The message never repeats more than the scheme: what
    /// follows one may hold a password.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let path = match text.split_once(':') {
            // A single letter is a drive.
            Some((drive, _)) if drive.len() == 1 => text,
            Some((scheme, rest)) if is_scheme(scheme) => match scheme.to_ascii_lowercase().as_str() {
                "memory" if matches!(rest, "" | "//") => return Ok(Self::Memory),
                "sqlite" => rest.strip_prefix("//").unwrap_or(rest),
                _ => return Err(format!("--store {scheme}:… is no store; write {CHOICES}").into()),
            },
            _ => text,
        };
        match path {
            "" => Err(format!("--store names no file; write {CHOICES}").into()),
            ":memory:" | "memory" => Err("write --store memory: for sessions in memory".into()),
            path => Ok(Self::Sqlite(path.into())),
        }
    }

    /// Opens the store, which makes a file that is not there.
    pub(crate) fn open(&self) -> Result<Engine, BuildError> {
        Ok(match self {
            Self::Memory => Engine::Memory(MemoryStore::new()),
            Self::Sqlite(path) => Engine::Sqlite(SqliteStore::open(path)?),
        })
    }

    /// As a visitor is told, to whom the folders of the server are nothing.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Memory => "in the server's memory".into(),
            Self::Sqlite(path) => {
                format!("in SQLite, in {}", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
            }
        }
    }
}

/// What may be written after `--store`.
const CHOICES: &str = "sqlite:PATH, a path, or memory:";

/// Whether this could stand before the colon of an address (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// As the operator is told.
impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("this process's memory, gone when it ends"),
            Self::Sqlite(path) => path.display().fmt(f),
        }
    }
}

/// The store that was chosen. Cheap to clone; clones are one store.
#[derive(Clone)]
pub(crate) enum Engine {
    Memory(MemoryStore),
    Sqlite(SqliteStore),
}

/// Asks the store that was chosen.
macro_rules! ask {
    ($engine:expr, $call:ident($($argument:expr),*)) => {
        match $engine {
            Self::Memory(store) => store.$call($($argument),*).await,
            Self::Sqlite(store) => store.$call($($argument),*).await,
        }
    };
}

impl Store for Engine {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        ask!(self, create(key, row, admission, now))
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        ask!(self, load(key, now))
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        ask!(self, replace(key, version, row, now))
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        ask!(self, touch(key, last_seen, idle_deadline))
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        ask!(self, delete(key, tombstone_until))
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        ask!(self, owned_by(owner, now))
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        ask!(self, end_owner(owner, except, tombstone_until))
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        ask!(self, epoch())
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        ask!(self, purge(now, limit))
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        ask!(self, scan(after, limit))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(text: &str) -> StoreAddress {
        StoreAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_path_is_sqlite_with_and_without_its_scheme() {
        for (text, path) in [
            ("sessions.db", "sessions.db"),
            ("./a b.db", "./a b.db"),
            ("/var/lib/x", "/var/lib/x"),
            ("sqlite:x.db", "x.db"),
            ("sqlite://x.db", "x.db"),
            ("sqlite:/x.db", "/x.db"),
            ("sqlite:///x.db", "/x.db"),
            ("SQLite:x.db", "x.db"),
            (r"C:\x.db", r"C:\x.db"),
            (r"sqlite:C:\x.db", r"C:\x.db"),
            ("./redis:x", "./redis:x"),
        ] {
            assert!(parse(text) == StoreAddress::Sqlite(path.into()), "{text}");
        }
    }

    #[test]
    fn memory_is_a_store_of_its_own() {
        for text in ["memory:", "memory://", "Memory:"] {
            assert!(parse(text) == StoreAddress::Memory, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write_and_without_its_password() {
        for text in [
            "",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            ":memory:",
            "memory",
            "memory:x",
            "redis://a:s3cret@host",
            "postgres://a:s3cret@host/db",
            "file:s3cret.db?mode=memory",
        ] {
            let Err(error) = StoreAddress::parse(text) else { panic!("{text} is taken") };
            let said = error.to_string();
            assert!(said.contains("memory:") && !said.contains("s3cret"), "{text}: {said}");
        }
    }
}
