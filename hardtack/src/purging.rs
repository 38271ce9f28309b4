//! The removal of what is over from the store, in the background.
//!
//! It begins with the first request that asks the store, runs in that request's tokio runtime, and ends with
//! the last clone of the [`Sessions`](crate::Sessions). One batch at a time, with a pause after each and
//! at a moment of its own in every interval, so that many servers do not purge in step. An error is told
//! and the next interval tries again. Nothing depends on it: what is over is never given out, purged or
//! not.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime::Handle, task::JoinHandle, time::sleep};

use crate::{error::StoreError, events, system::System};

/// Rows in one batch.
const BATCH: usize = 500;
/// Between two batches.
const PAUSE: Duration = Duration::from_millis(20);

/// The task that purges, when it was begun.
#[derive(Default)]
pub(crate) struct Purging(Mutex<Option<JoinHandle<()>>>);

/// Purges every so often, in the runtime of the caller. A runtime that has ended took its task along, so
/// the next one begins again.
pub(crate) fn begin(system: &Arc<System>) {
    let mut task = system.purging.0.lock().unwrap_or_else(PoisonError::into_inner);
    let runs = task.as_ref().is_some_and(|task| !task.is_finished());
    if runs || system.purge_interval.is_zero() {
        return;
    }
    let Ok(runtime) = Handle::try_current() else { return };
    let (weak, interval) = (Arc::downgrade(system), system.purge_interval);
    *task = Some(runtime.spawn(async move {
        loop {
            sleep(interval.mul_f64(rand::random_range(0.5..1.5))).await;
            let Some(system) = weak.upgrade() else { return };
            match purge(&system).await {
                Ok(0) => {}
                Ok(rows) => events::purged(rows),
                Err(error) => events::not_purged(&error),
            }
        }
    }));
}

/// Removes everything that is over, for every server: clocks may be apart by the skew.
pub(crate) async fn purge(system: &System) -> Result<usize, StoreError> {
    let Some(store) = &system.store else { return Ok(0) };
    let now = system.now().saturating_sub(system.lifetime.skew_ms());
    let mut rows = 0;
    loop {
        let batch = store.purge(now, BATCH).await?;
        rows += batch;
        if batch < BATCH {
            return Ok(rows);
        }
        sleep(PAUSE).await;
    }
}

impl Drop for Purging {
    fn drop(&mut self) {
        if let Some(task) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
