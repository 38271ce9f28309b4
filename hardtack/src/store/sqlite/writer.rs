//! The one thread that writes, and its grouped commits.
//!
//! Writes come over a channel. The thread takes all that wait, does them in one transaction, and answers
//! after its commit is on the disk: who was answered was synced, and a crowd shares one sync. While it
//! syncs, the next group gathers by itself.
//!
//! When one write of a group fails, nothing of the group happens; then each is done again in a
//! transaction of its own, so that a fault is answered to whoever has it and to nobody else.
//!
//! Whoever asked may go away before the answer. The write is then done all the same: the visitor who
//! signs out and closes the browser is signed out. The channel is bounded, and who finds it full waits as part of
//! the call's deadline.

use std::{io, thread};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;

/// The most writes of one commit: what is lost when they must be done one by one is bounded.
const GROUP: usize = 256;
/// The most writes that wait.
const WAITING: usize = 4096;

/// The way to the thread, which ends when this is dropped.
pub(super) struct Writer {
    writes: mpsc::Sender<Box<dyn Write>>,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(file: Connection) -> io::Result<Self> {
        let (writes, mut waiting) = mpsc::channel(WAITING);
        thread::Builder::new().name("hardtack-sqlite".into()).spawn(move || {
            let mut group = Vec::with_capacity(GROUP);
            while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
                commit_group(&file, &mut group);
                group.clear();
            }
        })?;
        Ok(Self { writes })
    }

    /// Does `work` in a transaction and answers what it answered, after the commit. It may run twice, and the
    /// first run is then undone.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl Fn(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let write = Box::new(Pending { work, done: None, reply: Some(reply) });
        let gone = || StoreError::new("the thread that writes has ended");
        self.writes.send(write).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// One write of a group.
trait Write: Send {
    fn run(&mut self, file: &Connection) -> rusqlite::Result<()>;
    fn answer(&mut self, committed: Result<(), StoreError>);
}

struct Pending<F, T> {
    work: F,
    done: Option<T>,
    reply: Option<oneshot::Sender<Result<T, StoreError>>>,
}

impl<T: Send, F: Fn(&Connection) -> rusqlite::Result<T> + Send> Write for Pending<F, T> {
    fn run(&mut self, file: &Connection) -> rusqlite::Result<()> {
        self.done = Some((self.work)(file)?);
        Ok(())
    }

    fn answer(&mut self, committed: Result<(), StoreError>) {
        let nothing = || StoreError::new("the write was not done");
        let answer = committed.and_then(|()| self.done.take().ok_or_else(nothing));
        if let Some(reply) = self.reply.take() {
            // Whoever asked may be gone.
            let _ = reply.send(answer);
        }
    }
}

fn commit_group(file: &Connection, group: &mut [Box<dyn Write>]) {
    match commit(file, group) {
        Err(Fault::InTheGroup(_)) if group.len() > 1 => group.chunks_mut(1).for_each(|one| commit_group(file, one)),
        Err(Fault::BeforeIt(error) | Fault::InTheGroup(error)) => {
            let error = StoreError::new(error);
            group.iter_mut().for_each(|write| write.answer(Err(error.clone())));
        }
        Ok(()) => group.iter_mut().for_each(|write| write.answer(Ok(()))),
    }
}

enum Fault {
    /// No transaction could begin, which each write alone would wait for in vain as well.
    BeforeIt(rusqlite::Error),
    InTheGroup(rusqlite::Error),
}

fn commit(file: &Connection, group: &mut [Box<dyn Write>]) -> Result<(), Fault> {
    let run = |sql| file.prepare_cached(sql).and_then(|mut statement| statement.execute(()));
    // At once as a writer: a transaction that reads first could not become one beside another process.
    run("BEGIN IMMEDIATE").map_err(Fault::BeforeIt)?;
    let outcome = group.iter_mut().try_for_each(|write| write.run(file)).and_then(|()| run("COMMIT").map(drop));
    if outcome.is_err() && !file.is_autocommit() {
        // Some faults, as a full disk, have rolled back already. SQLite ends the transaction even where this
        // reports an error.
        let _ = run("ROLLBACK");
    }
    outcome.map_err(Fault::InTheGroup)
}
