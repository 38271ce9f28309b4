//! [`Slot`]: the place of one connection, which is made again whenever it is lost.

use std::{
    sync::{Arc, PoisonError, RwLock, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{
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
    state: Arc<State>,
    keeper: AbortHandle,
}

/// The connection, or why there is none.
type State = RwLock<Result<Arc<Link>, String>>;

impl Slot {
    pub(super) async fn open(recipe: Arc<Recipe>) -> Result<Self, String> {
        let (link, driver) = recipe.link().await?;
        let state = Arc::new(RwLock::new(Ok(Arc::new(link))));
        let keeper = tokio::spawn(keep(state.clone(), recipe, driver)).abort_handle();
        Ok(Self { state, keeper })
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.as_ref().ok().filter(|link| !link.client().is_closed()).cloned()
    }

    /// Why there is no connection.
    pub(super) fn why_not(&self) -> String {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let why = state.as_ref().err().map_or("it was lost just now", String::as_str);
        format!("no connection to PostgreSQL: {why}")
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.keeper.abort();
    }
}

async fn keep(state: Arc<State>, recipe: Arc<Recipe>, mut driver: JoinHandle<String>) {
    loop {
        let why = end_of(&state, &recipe, &mut driver).await;
        tracing::warn!(target: "hardtack", why, "a connection of the session store is lost");
        set(&state, Err(why));
        let mut pause = PAUSES.0;
        driver = loop {
            match recipe.link().await {
                Ok((link, driver)) => {
                    set(&state, Ok(Arc::new(link)));
                    break driver;
                }
                Err(why) => set(&state, Err(why)),
            }
            // Many servers that lost the same one do not all come back in the same moment.
            let part = rand::random_range(0.5..1.0);
            sleep(pause.mul_f64(part)).await;
            pause = (2 * pause).min(PAUSES.1);
        };
        tracing::info!(target: "hardtack", "a connection of the session store is back");
    }
}

/// Waits until the connection is lost, or answers nothing any more; answers why.
async fn end_of(state: &State, recipe: &Recipe, driver: &mut JoinHandle<String>) -> String {
    let mut missed = recipe.missed.load(Relaxed);
    loop {
        if let Ok(ended) = timeout(LOOK, &mut *driver).await {
            return ended.unwrap_or_else(|error| error.to_string());
        }
        let link = state.read().unwrap_or_else(PoisonError::into_inner).as_ref().ok().cloned();
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

fn set(state: &State, to: Result<Arc<Link>, String>) {
    *state.write().unwrap_or_else(PoisonError::into_inner) = to;
}
