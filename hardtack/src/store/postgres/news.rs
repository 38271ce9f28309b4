//! The store's [feed](crate::store::feed): a table, and a word to whoever listens.
//!
//! - **What a reader has had** is a snapshot of PostgreSQL's: which transactions were visible to its last statement. The
//!   next statement gives what is visible and was not. So it does not matter in which order transactions are numbered,
//!   committed or answered, and nothing is given twice.
//! - **A gap** is a cursor that is older than news are kept, or from another cluster, or from before a failover, after
//!   which transactions have the numbers of others that were lost.
//! - **Notifications** only wake a reader. Whoever has news sends one after the commit, and does not wait for it; who
//!   hears none looks by itself.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::{
    calls::Answer,
    driver::{Columns, Driver, Fault, Value},
    statements::Call,
};
use crate::store::feed::{Batch, Cursor, News, RETENTION};

/// How often a reader looks that is told by other processes when there are news, and one that is not.
#[cfg(feature = "tokio-postgres-0_7")]
const BETWEEN_LOOKS_OF_LISTENERS: Duration = Duration::from_millis(250);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// How the readers of this process are woken.
pub(super) struct Waiting {
    /// Somebody may have news.
    told: Arc<Notify>,
    between_looks: Duration,
    #[cfg(feature = "tokio-postgres-0_7")]
    listener: Option<super::pipelined::Listener>,
}

impl Waiting {
    /// For a store that hears of other processes' news only by looking.
    pub(super) fn by_looking() -> Self {
        Self {
            told: Arc::default(),
            between_looks: BETWEEN_LOOKS,
            #[cfg(feature = "tokio-postgres-0_7")]
            listener: None,
        }
    }

    /// For a store that listens from its first reader on.
    #[cfg(feature = "tokio-postgres-0_7")]
    pub(super) fn by_listening(listener: super::pipelined::Listener) -> Self {
        let told = listener.told().clone();
        Self { told, between_looks: BETWEEN_LOOKS_OF_LISTENERS, listener: Some(listener) }
    }

    /// Wakes the readers of this process.
    pub(super) fn wake(&self) {
        self.told.notify_waiters();
    }
}

/// All news after a cursor, or from the beginning; waits for some if there are none.
pub(super) async fn read(
    driver: &impl Driver,
    waiting: &Waiting,
    after: Option<Cursor>,
    patience: Duration,
) -> Answer<Batch> {
    #[cfg(feature = "tokio-postgres-0_7")]
    waiting.listener.iter().for_each(super::pipelined::Listener::start);
    let before = after.as_ref().map(Place::of);
    let give_up = Instant::now() + patience;
    loop {
        let told = waiting.told.notified();
        let batch = look(driver, before.as_ref()).await?;
        let left = give_up.saturating_duration_since(Instant::now());
        if after.is_none() || !batch.complete || !batch.news.is_empty() || left.is_zero() {
            return Ok(batch);
        }
        let _ = timeout(left.min(waiting.between_looks), told).await;
    }
}

pub(super) async fn publish(driver: &impl Driver, news: &[News], until: u64) -> Answer<()> {
    let in_hex = |news: &News| news.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let told = news.iter().map(in_hex).collect::<Vec<_>>().join(" ");
    driver.ask(Call::Publish, &[Value::Bytes(told.as_bytes()), Value::in_order(until)]).await.map(drop)
}

/// Wakes the readers of other processes.
pub(super) async fn notify(driver: &impl Driver, channel: &str) -> Answer<()> {
    driver.ask(Call::Notify, &[Value::Bytes(channel.as_bytes())]).await.map(drop)
}

/// One look. The cursor is `None` from the beginning, and its place `None` when it is no cursor of ours.
async fn look(driver: &impl Driver, after: Option<&Option<Place>>) -> Answer<Batch> {
    let rows = match after {
        Some(Some(place)) => driver.ask(Call::NewsAfter, &[Value::Bytes(place.snapshot.as_bytes())]).await?,
        Some(None) | None => driver.ask(Call::AllNews, &[]).await?,
    };
    let (mut news, mut head, mut complete) = (Vec::new(), None, true);
    for row in &rows {
        match row.bytes(0)? {
            Some(told) => match News::from_bytes(told) {
                Some(told) => news.push(told),
                None => complete = false,
            },
            None => head = row.bytes(1)?.and_then(Head::read),
        }
    }
    let head = head.ok_or_else(|| Fault::new("its feed has no head; its tables are incomplete"))?;
    complete &= match after {
        None => head.place.at.saturating_sub(head.born) >= retention(),
        Some(None) => false,
        Some(Some(before)) => head.place.goes_on_from(before),
    };
    Ok(Batch { news, cursor: head.place.cursor(), complete })
}

/// Where a reader stands.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    /// The cluster and its timeline, which another one has after a failover.
    history: String,
    /// The server's clock.
    at: u64,
    /// Which transactions the reader has seen.
    snapshot: String,
}

impl Place {
    fn of(cursor: &Cursor) -> Option<Self> {
        let text = std::str::from_utf8(cursor.as_bytes()).ok()?;
        let mut words = text.split(' ');
        let (cluster, timeline) = (words.next()?, words.next()?);
        let at = words.next()?.parse().ok()?;
        let snapshot = words.next()?.to_owned();
        let is_one = snapshot.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b':' | b','));
        is_one.then(|| Self { history: format!("{cluster} {timeline}"), at, snapshot })
    }

    fn cursor(&self) -> Cursor {
        Cursor::from_bytes(format!("{} {} {}", self.history, self.at, self.snapshot).as_bytes())
    }

    /// Whether nothing between the two can have gone.
    fn goes_on_from(&self, before: &Self) -> bool {
        self.history == before.history && self.at.saturating_sub(before.at) < retention()
    }
}

/// What the feed says about itself.
struct Head {
    place: Place,
    born: u64,
}

impl Head {
    fn read(bytes: &[u8]) -> Option<Self> {
        let words: Vec<_> = std::str::from_utf8(bytes).ok()?.split(' ').collect();
        let [cluster, timeline, at, born, snapshot] = words[..] else { return None };
        let (at, born) = (at.parse().ok()?, born.parse().ok()?);
        let place = Place { history: format!("{cluster} {timeline}"), at, snapshot: snapshot.to_owned() };
        Some(Self { place, born })
    }
}

fn retention() -> u64 {
    u64::try_from(RETENTION.as_millis()).unwrap_or(u64::MAX)
}
