//! [`Listener`]: hears of other processes' news, on a connection that does nothing else.

use std::{
    future::poll_fn,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::{
    runtime::Handle,
    sync::Notify,
    task::{AbortHandle, JoinHandle},
    time::{sleep, timeout},
};
use tokio_postgres::{AsyncMessage, Client};

use super::Recipe;

/// How often it is asked whether the connection still lives, and how long until it has answered.
const LOOK: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5));
/// The pause before another connection.
const PAUSE: Duration = Duration::from_secs(1);

/// What listens, from the first time that anybody wants it.
pub(in crate::store::postgres) struct Listener {
    recipe: Arc<Recipe>,
    channel: String,
    told: Arc<Notify>,
    runtime: Handle,
    task: OnceLock<AbortHandle>,
}

impl Listener {
    /// It will run on the runtime in which this is called.
    pub(in crate::store::postgres) fn new(recipe: Arc<Recipe>, channel: String) -> Self {
        Self { recipe, channel, told: Arc::default(), runtime: Handle::current(), task: OnceLock::new() }
    }

    /// Is notified whenever there may be news.
    pub(in crate::store::postgres) fn told(&self) -> &Arc<Notify> {
        &self.told
    }

    pub(in crate::store::postgres) fn start(&self) {
        self.task.get_or_init(|| {
            let (recipe, channel, told) = (self.recipe.clone(), self.channel.clone(), self.told.clone());
            let listen = async move {
                loop {
                    if let Ok((client, driver)) = connect(&recipe, &channel, &told).await {
                        // What came before it listened is found by looking.
                        told.notify_waiters();
                        end_of(&client, driver).await;
                    }
                    sleep(PAUSE).await;
                }
            };
            self.runtime.spawn(listen).abort_handle()
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.get().into_iter().for_each(AbortHandle::abort);
    }
}

async fn connect(
    recipe: &Recipe,
    channel: &str,
    told: &Arc<Notify>,
) -> Result<(Client, JoinHandle<()>), tokio_postgres::Error> {
    let (client, mut connection) = recipe.config.connect(recipe.tls.clone()).await?;
    let told = told.clone();
    let driver = tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(_) = message {
                told.notify_waiters();
            }
        }
    });
    client.batch_execute(&format!("LISTEN \"{channel}\"")).await?;
    Ok((client, driver))
}

/// Waits until the connection is lost, or answers nothing any more.
async fn end_of(client: &Client, mut driver: JoinHandle<()>) {
    while timeout(LOOK.0, &mut driver).await.is_err() {
        if timeout(LOOK.1, client.simple_query("")).await.is_err() {
            return driver.abort();
        }
    }
}
