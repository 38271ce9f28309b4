//! [`Gate`]: where a request waits until the test lets it go. It puts events in order without sleeping.

use std::{
    sync::{Condvar, Mutex},
    time::Duration,
};

use tokio::sync::watch;

/// How long a test waits for what must come; only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// A number that a test can wait for.
#[derive(Default)]
pub struct Counter {
    count: Mutex<usize>,
    changed: Condvar,
}

impl Counter {
    pub fn add(&self, by: isize) {
        let mut count = self.count.lock().unwrap();
        *count = count.saturating_add_signed(by);
        self.changed.notify_all();
    }

    /// Blocks the test until the count is as wanted.
    #[track_caller]
    pub fn until(&self, wanted: impl Fn(usize) -> bool) {
        let count = self.count.lock().unwrap();
        let (count, waited) = self.changed.wait_timeout_while(count, PATIENCE, |count| !wanted(*count)).unwrap();
        assert!(!waited.timed_out(), "waited for ever: the count is {}", *count);
    }
}

pub struct Gate {
    arrived: Counter,
    open: watch::Sender<bool>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { arrived: Counter::default(), open: watch::Sender::new(false) }
    }
}

impl Gate {
    /// A request arrives and waits until the gate is open.
    pub async fn pass(&self) {
        let mut open = self.open.subscribe();
        self.arrived.add(1);
        open.wait_for(|open| *open).await.unwrap();
    }

    /// Blocks the test until somebody stands at the gate.
    #[track_caller]
    pub fn arrived(&self) {
        self.arrivals(1);
    }

    #[track_caller]
    pub fn arrivals(&self, wanted: usize) {
        self.arrived.until(|count| count >= wanted);
    }

    /// Lets everybody through, now and later.
    pub fn open(&self) {
        self.open.send_replace(true);
    }
}
