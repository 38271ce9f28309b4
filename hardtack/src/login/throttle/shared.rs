//! Counters that servers share: [`StoreAttempts`], over any store.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use tokio::sync::Mutex;

use super::{Attempts, Bucket, Quota, Taken};
use crate::{
    error::StoreError,
    store::{Admission, Created, Facts, Replaced, Row, Store, StoreKey},
};

/// A bucket has a new row every day, so that no row is used when it may be over for one server and not for another.
const DAY: u64 = 86_400_000;
/// How much longer than its day a row is kept: more than clocks differ.
const LONGER: u64 = 7_200_000;
/// How often an attempt tries again when other servers are faster.
const TRIES: usize = 50;
/// How many lines there are in which the attempts of this process wait for each other.
const TURNS: usize = 64;
/// What is seen of it in a list of the store's rows.
const LABEL: &str = "sign-in attempts";

/// Counters of attempts in a [`Store`], for servers that share one: SQLite, Redis, PostgreSQL, or your own.
///
/// Give it a place of its own beside the sessions' – another file, another `RedisSettings::prefix`, another
/// `PostgresSettings::schema` – so that lists of sessions show sessions alone. Each bucket is one row, changed by
/// compare-and-swap: two writes for a sign-in that fails, four for one that succeeds. At midnight (UTC) all room is back.
///
/// ```
/// # fn example() -> Result<(), hardtack::BuildError> {
/// use hardtack::{login::{StoreAttempts, Throttle}, store::MemoryStore};
///
/// let throttle = Throttle::shared(StoreAttempts::new(MemoryStore::new()));
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct StoreAttempts<S> {
    store: S,
    /// A crowd at one bucket would get into its own way.
    turns: [Mutex<()>; TURNS],
}

impl<S: Store> StoreAttempts<S> {
    /// In this store.
    pub fn new(store: S) -> Self {
        Self { store, turns: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Removes what is over, at most `limit` rows, and answers how many they were. Nothing but space depends on it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when the store does not answer.
    pub async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        self.store.purge(now, limit).await
    }

    /// Changes the moment of a bucket. `None` when others were faster each time.
    async fn change<T>(
        &self,
        bucket: Bucket,
        now: u64,
        change: impl Fn(u64) -> Result<u64, T>,
    ) -> Result<Option<Result<(), T>>, StoreError> {
        let key = key(bucket, now);
        let _turn = self.turns[usize::from(bucket.0[0]) % TURNS].lock().await;
        for _ in 0..TRIES {
            let before = self.store.load(key, now).await?;
            let full_at = match change(before.as_ref().map_or(0, full_at)) {
                Ok(full_at) => full_at,
                Err(refused) => return Ok(Some(Err(refused))),
            };
            let version = before.as_ref().map_or(0, |row| row.facts().version);
            let row = row(full_at, version + 1, now);
            let written = match before {
                Some(_) => self.store.replace(key, version, row, now).await? == Replaced::Replaced,
                None => {
                    let admission = Admission { epoch: u64::MAX, limit: None };
                    self.store.create(key, row, admission, now).await? == Created::Created
                }
            };
            if written {
                return Ok(Some(Ok(())));
            }
        }
        Ok(None)
    }
}

impl<S: Store> Attempts for StoreAttempts<S> {
    async fn take(&self, bucket: Bucket, quota: Quota, now: u64) -> Result<Taken, StoreError> {
        Ok(match self.change(bucket, now, |full_at| quota.take(full_at, now)).await? {
            Some(Ok(())) => Taken::Yes,
            Some(Err(wait)) => Taken::Wait(wait),
            // So many at once are no person.
            None => Taken::Wait(Duration::from_secs(1)),
        })
    }

    /// When others are faster each time, the attempt stays counted.
    async fn give_back(&self, bucket: Bucket, quota: Quota, now: u64) -> Result<(), StoreError> {
        self.change(bucket, now, |full_at| Ok::<_, ()>(quota.give_back(full_at))).await.map(|_| ())
    }
}

fn key(bucket: Bucket, now: u64) -> StoreKey {
    let mut hash = Context::new(&SHA256);
    hash.update(b"hardtack 1 attempts of a day");
    hash.update(bucket.as_bytes());
    hash.update(&(now / DAY).to_be_bytes());
    let mut bytes = [0; StoreKey::BYTES];
    bytes.copy_from_slice(&hash.finish().as_ref()[..StoreKey::BYTES]);
    StoreKey::from_bytes(bytes)
}

fn full_at(row: &Row) -> u64 {
    row.sealed().try_into().map_or(0, u64::from_be_bytes)
}

fn row(full_at: u64, version: u64, now: u64) -> Row {
    let day = now / DAY * DAY;
    let ends = day + DAY + LONGER;
    let facts = Facts {
        version,
        generation: 0,
        remembered: false,
        epoch: 0,
        created: day,
        authenticated: 0,
        renewed: 0,
        absolute_deadline: ends,
    };
    Row::new(facts, None, Some(LABEL), &full_at.to_be_bytes(), day, ends)
}
