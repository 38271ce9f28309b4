//! [`SqliteStore`]: sessions in a file, for the processes of one machine.

mod calls;
mod news;
mod readers;
mod schema;
mod writer;

use std::{fmt, path::Path, sync::Arc, thread, time::Duration};

use tokio::sync::Notify;

use self::{readers::Readers, writer::Writer};
use super::{
    Admission, Created, Replaced, Row, Store, StoreKey,
    feed::{Batch, Cursor, Feed, News},
};
use crate::error::{BuildError, StoreError};

/// Sessions in a file. Cheap to clone; clones share everything.
///
/// Every write is on the disk before it is answered, a logout first of all. Writes that come at the same
/// time share one commit. Reads never wait for writes.
///
/// Several processes may open the same file, and each sees the others' writes at once. The file must be on a
/// local disk: over a network its locks and its log do not hold. Beside it SQLite keeps two files, `-wal` and
/// `-shm`, which belong to it: a backup takes SQLite's own `.backup` or `VACUUM INTO`, not a copy of one of them.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// use hardtack::store::{SqliteStore, Store};
///
/// let store = SqliteStore::open("data/sessions.db")?;
/// store.purge(1_800_000_000_000, 1_000).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SqliteStore {
    shared: Arc<Shared>,
}

/// In the order in which they are closed: the last connection to close tidies the log up, which only the
/// writer's can.
struct Shared {
    readers: Readers,
    writer: Writer,
    /// Somebody in this process may have news.
    told: Notify,
    path: Box<Path>,
}

/// How often a reader of the feed looks whether another process has news.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);

impl SqliteStore {
    /// Opens a file of sessions and brings its tables up to date; makes it and its folder when there is none.
    /// A new file is its user's alone (mode 0600); one that exists keeps its mode.
    ///
    /// It may wait up to 5 seconds for another process that has the file locked. Call it at start-up.
    ///
    /// # Errors
    ///
    /// [`BuildError::StoreFile`] when the file cannot be made, read or written, is something else, or was
    /// written by a newer version of hardtack.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, BuildError> {
        let path = path.as_ref();
        Self::open_at(path).map_err(|why| BuildError::StoreFile { path: path.to_owned(), why })
    }

    fn open_at(path: &Path) -> Result<Self, String> {
        if path == Path::new(":memory:") {
            return Err("sessions in memory are another store's; name a file".into());
        }
        // SQLite gives some relative names a meaning of their own.
        let path = std::path::absolute(path).map_err(|error| format!("{error}; name a file"))?;
        let writer = schema::open_writer(&path)?;
        let count = thread::available_parallelism().map_or(2, usize::from).clamp(2, 8);
        let readers: Vec<_> = (0..count).map(|_| schema::open_reader(&path)).collect::<Result<_, _>>()?;
        let writer = Writer::start(writer).map_err(|error| format!("no thread for its writes: {error}"))?;
        Ok(Self {
            shared: Arc::new(Shared { readers: Readers::new(readers), writer, told: Notify::new(), path: path.into() }),
        })
    }
}

impl Store for SqliteStore {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        self.tell(move |file| calls::create(file, key, &row, admission, now)).await
    }

    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        self.shared.readers.read(move |file| calls::load(file, key, now)).await
    }

    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        self.tell(move |file| calls::replace(file, key, version, &row, now)).await
    }

    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        self.shared.writer.write(move |file| calls::touch(file, key, last_seen, idle_deadline)).await
    }

    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        self.tell(move |file| calls::delete(file, key, tombstone_until)).await
    }

    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        let owner = owner.to_owned();
        self.shared.readers.read_many(move |file| calls::owned_by(file, &owner, now)).await
    }

    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64, StoreError> {
        let owner = owner.to_owned();
        self.tell(move |file| calls::end_owner(file, &owner, except, tombstone_until)).await
    }

    async fn epoch(&self) -> Result<u64, StoreError> {
        self.shared.readers.read(calls::epoch).await
    }

    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        self.shared.writer.write(move |file| calls::purge(file, now, limit)).await
    }

    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        self.shared.readers.read_many(move |file| calls::scan(file, after, limit)).await
    }
}

impl SqliteStore {
    /// A write that may have news.
    async fn tell<T: Send + 'static>(
        &self,
        work: impl Fn(&rusqlite::Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.shared.writer.write(work).await;
        self.shared.told.notify_waiters();
        done
    }
}

impl Feed for SqliteStore {
    async fn read(&self, after: Option<Cursor>, patience: Duration) -> Result<Batch, StoreError> {
        let after = after.and_then(|cursor| cursor.as_bytes().try_into().ok()).map(u64::from_be_bytes);
        let give_up = tokio::time::Instant::now() + patience;
        loop {
            let told = self.shared.told.notified();
            let batch = self.shared.readers.read(move |file| news::read(file, after)).await?;
            let waits = batch.news.is_empty() && batch.complete && after.is_some();
            if !waits || tokio::time::Instant::now() >= give_up {
                return Ok(batch);
            }
            // Whoever of this process is first, or the next look.
            let _ = tokio::time::timeout(BETWEEN_LOOKS, told).await;
        }
    }

    async fn publish(&self, news: Vec<News>, until: u64) -> Result<(), StoreError> {
        self.tell(move |file| news::publish(file, &news, until)).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.shared.path).finish()
    }
}
