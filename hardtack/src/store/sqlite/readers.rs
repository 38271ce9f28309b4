//! Reads, which never wait for the writer: in a write-ahead log each one sees the last commit.
//!
//! A row is read in the async function itself, on one of a few connections. It takes a handful of
//! microseconds, mostly from the page cache; to hand it to another thread and be woken costs more than
//! that, and the thread that waits for it would be one of a pool of the same size. Nothing is held over
//! an await, and nothing waits: when every connection is taken, or the file is locked for a moment by a
//! program that opens or closes it, the read goes to tokio's blocking pool and waits there.
//!
//! Reads of many rows go there at once.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use rusqlite::Connection;
use tokio::runtime::Handle;

use super::schema::{is_busy, wait_for_others};
use crate::error::StoreError;

/// The connections that read.
#[derive(Clone)]
pub(super) struct Readers {
    shared: Arc<Shared>,
}

struct Shared {
    /// The first is used most, so that its page cache is warm.
    connections: Box<[Mutex<Connection>]>,
    /// Whose turn it is among those that must wait.
    turn: AtomicUsize,
}

impl Readers {
    /// At least one connection.
    pub(super) fn new(connections: impl IntoIterator<Item = Connection>) -> Self {
        let connections = connections.into_iter().map(Mutex::new).collect();
        Self { shared: Arc::new(Shared { connections, turn: AtomicUsize::new(0) }) }
    }

    /// Reads few rows, here and now if possible.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let now = self.shared.free().map(|connection| query(&connection));
        match now {
            Some(Err(error)) if !is_busy(&error) => Err(StoreError::new(error)),
            Some(Ok(answer)) => Ok(answer),
            _ => self.read_many(query).await,
        }
    }

    /// Reads where waiting is allowed.
    pub(super) async fn read_many<T: Send + 'static>(
        &self,
        query: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = self.shared.clone();
        let job = move || {
            let mut connection = shared.next();
            connection.busy_handler(Some(wait_for_others as fn(i32) -> bool))?;
            let answer = query(&connection);
            connection.busy_timeout(Duration::ZERO)?;
            answer
        };
        let answer = match Handle::try_current() {
            Ok(runtime) => runtime.spawn_blocking(job).await.map_err(StoreError::new)?,
            Err(_) => job(),
        };
        answer.map_err(StoreError::new)
    }
}

impl Shared {
    fn free(&self) -> Option<MutexGuard<'_, Connection>> {
        self.connections.iter().find_map(|connection| match connection.try_lock() {
            Ok(free) => Some(free),
            Err(TryLockError::Poisoned(free)) => Some(free.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        })
    }

    fn next(&self) -> MutexGuard<'_, Connection> {
        self.free().unwrap_or_else(|| {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed) % self.connections.len();
            self.connections[turn].lock().unwrap_or_else(PoisonError::into_inner)
        })
    }
}
