//! How a case is run: on a thread and a runtime of its own, at a new place, and not for ever.

use std::{fmt, panic::AssertUnwindSafe, pin::Pin, sync::mpsc, thread, time::Duration};

use tokio::runtime::Builder;

use super::*;
use crate::store::feed::Feed;

/// The longest that a case may take. It stands for "for ever": a case that blocks its thread is found out
/// by this alone.
const FOR_EVER: Duration = Duration::from_secs(600);

/// One case of the suite.
pub struct Case<P> {
    name: &'static str,
    work: fn(P) -> Pin<Box<dyn Future<Output = ()>>>,
}

impl<P: Place> Case<P> {
    /// All of them.
    pub fn all() -> Vec<Self> {
        crate::store_conformance!(@all list [])
    }

    /// Those of [`feed_conformance!`](crate::feed_conformance).
    pub fn of_feeds() -> Vec<Self>
    where
        P::Store: Feed,
    {
        crate::store_conformance!(@feed list [])
    }

    /// Its theme and what it claims: `presence::create_overwrites_nothing`.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it is about the contract alone, and not about [`Sessions`](crate::Sessions) on top of it.
    pub fn is_of_the_contract(&self) -> bool {
        const ON_TOP: [&str; 5] = ["writers", "logins", "tampering", "clocks", "leaving"];
        !ON_TOP.iter().any(|theme| self.name.starts_with(theme))
    }

    /// Runs it at a new place.
    ///
    /// # Errors
    ///
    /// What the store did wrong.
    pub fn run(&self, open: impl AsyncFnOnce() -> P + Send + 'static) -> Result<(), Failure> {
        let (work, name) = (self.work, self.name);
        let (done, wait) = mpsc::channel();
        thread::spawn(move || {
            let result = match Builder::new_multi_thread().worker_threads(4).enable_all().build() {
                Ok(runtime) => {
                    let run = AssertUnwindSafe(|| runtime.block_on(async { work(open().await).await }));
                    let result = std::panic::catch_unwind(run).map_err(|panic| text(&*panic));
                    // Dropping it would wait for a thread that a store blocks.
                    runtime.shutdown_background();
                    result
                }
                Err(error) => Err(format!("there is no runtime to run in: {error}")),
            };
            done.send(result)
        });
        let result = wait.recv_timeout(FOR_EVER).unwrap_or_else(|_| Err("it hangs, and blocks its thread".into()));
        result.map_err(|why| Failure { case: name, why })
    }
}

impl<P> fmt::Debug for Case<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Case").field(&self.name).finish()
    }
}

/// What a case found.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The name of the case.
    pub case: &'static str,
    /// What the store did, and what the contract says.
    pub why: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.case, self.why)
    }
}

impl std::error::Error for Failure {}

/// Runs one case, and panics when it fails.
pub fn run<P: Place>(name: &str, open: impl AsyncFnOnce() -> P + Send + 'static) {
    run_one(&Case::all(), name, open);
}

/// Runs one case of those about feeds, and panics when it fails.
pub fn run_of_feeds<P: Place<Store: Feed>>(name: &str, open: impl AsyncFnOnce() -> P + Send + 'static) {
    run_one(&Case::of_feeds(), name, open);
}

fn run_one<P: Place>(cases: &[Case<P>], name: &str, open: impl AsyncFnOnce() -> P + Send + 'static) {
    match cases.iter().find(|case| case.name == name) {
        Some(case) => case.run(open).unwrap_or_else(|failure| panic!("{failure}")),
        None => panic!("there is no case {name:?}"),
    }
}

/// Runs all cases one after another and answers what failed: for a program that is no test.
pub fn failures<P: Place>(open: impl AsyncFn() -> P + Clone + Send + 'static) -> Vec<Failure> {
    let run = |case: &Case<P>| {
        let open = open.clone();
        case.run(async move || open().await).err()
    };
    Case::all().iter().filter_map(run).collect()
}

fn text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "it panicked".to_owned())
}
