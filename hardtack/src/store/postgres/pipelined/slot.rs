//! [`Slot`]: the place of one connection, which is made again whenever it is lost.

use std::{
    sync::{Arc, OnceLock, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::watch,
    task::{AbortHandle, JoinHandle},
    time::{sleep, timeout},
};

use super::link::{Link, Recipe};

/// The pause after a first failure, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));
/// How often it is asked whether calls went without an answer.
const LOOK: Duration = Duration::from_secs(1);
/// A connection that is silent for so long, after a call on whichever one went without an answer, is dead, whatever TCP
/// says.
const SILENCE: Duration = Duration::from_secs(5);

/// A place for a connection. When it is dropped, the connection is closed as soon as its calls are answered.
pub(super) struct Slot {
    recipe: Arc<Recipe>,
    state: watch::Sender<State>,
    keeper: OnceLock<AbortHandle>,
}

/// The connection, or why there is none.
enum State {
    /// Nobody has needed one here.
    Free,
    Open(Arc<Link>),
    /// It was lost, and the first attempt to make it again is under way.
    Lost(String),
    /// The last attempt failed.
    Away(String),
}

impl State {
    /// The connection, unless it was lost.
    fn link(&self) -> Option<&Arc<Link>> {
        match self {
            Self::Open(link) if !link.is_closed() => Some(link),
            _ => None,
        }
    }

    fn is_settled(&self) -> bool {
        matches!(self, Self::Free | Self::Away(_)) || self.link().is_some()
    }
}

impl Slot {
    pub(super) fn new(recipe: Arc<Recipe>) -> Self {
        Self { recipe, state: watch::Sender::new(State::Free), keeper: OnceLock::new() }
    }

    /// Makes the first connection here, and sees to those after it.
    pub(super) async fn open(&self) -> Result<(), String> {
        let (link, driver) = self.recipe.link().await?;
        self.state.send_replace(State::Open(Arc::new(link)));
        self.keep(&Handle::current(), Some(driver));
        Ok(())
    }

    /// Begins to make the first connection here.
    pub(super) fn start(&self, runtime: &Handle) {
        self.keep(runtime, None);
    }

    fn keep(&self, runtime: &Handle, driver: Option<JoinHandle<String>>) {
        let keep = || keep(self.state.clone(), self.recipe.clone(), driver);
        self.keeper.get_or_init(|| runtime.spawn(keep()).abort_handle());
    }

    /// Whether nobody has needed a connection here.
    pub(super) fn is_free(&self) -> bool {
        self.keeper.get().is_none()
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.state.borrow().link().cloned()
    }

    /// Waits for the outcome of a first attempt, if one is under way.
    pub(super) async fn settle(&self) {
        // The sender lives as long as this.
        let _ = self.state.subscribe().wait_for(State::is_settled).await;
    }

    /// Why there is no connection.
    pub(super) fn why_not(&self) -> String {
        match &*self.state.borrow() {
            State::Lost(why) | State::Away(why) => format!("no connection to PostgreSQL: {why}"),
            State::Free | State::Open(_) => "no connection to PostgreSQL: it was lost just now".into(),
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.keeper.get().into_iter().for_each(AbortHandle::abort);
    }
}

async fn keep(state: watch::Sender<State>, recipe: Arc<Recipe>, first: Option<JoinHandle<String>>) {
    let mut driver = match first {
        Some(driver) => driver,
        None => connect(&state, &recipe).await,
    };
    loop {
        let why = end_of(&state, &recipe, &mut driver).await;
        tracing::warn!(target: "hardtack", why, "a connection of the session store is lost");
        state.send_replace(State::Lost(why));
        driver = connect(&state, &recipe).await;
        tracing::info!(target: "hardtack", "a connection of the session store is back");
    }
}

/// Tries until there is a connection.
async fn connect(state: &watch::Sender<State>, recipe: &Arc<Recipe>) -> JoinHandle<String> {
    let mut pause = PAUSES.0;
    loop {
        match recipe.link().await {
            Ok((link, driver)) => {
                state.send_replace(State::Open(Arc::new(link)));
                return driver;
            }
            Err(why) => drop(state.send_replace(State::Away(why))),
        }
        // Many servers that lost the same one do not all come back in the same moment.
        let part = rand::random_range(0.5..1.0);
        sleep(pause.mul_f64(part)).await;
        pause = (2 * pause).min(PAUSES.1);
    }
}

/// Waits until the connection is lost, or answers nothing any more; answers why.
async fn end_of(state: &watch::Sender<State>, recipe: &Recipe, driver: &mut JoinHandle<String>) -> String {
    let mut missed = recipe.missed.load(Relaxed);
    loop {
        if let Ok(ended) = timeout(LOOK, &mut *driver).await {
            return ended.unwrap_or_else(|error| error.to_string());
        }
        let link = state.borrow().link().cloned();
        let before = std::mem::replace(&mut missed, recipe.missed.load(Relaxed));
        if let Some(link) = link
            && before != missed
            && !link.answers_within(SILENCE).await
        {
            link.cut();
            return format!("it did not answer for {SILENCE:?}");
        }
    }
}
