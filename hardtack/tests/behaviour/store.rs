//! [`Watched`]: the real store, with somebody in front of it who writes every call down and breaks what the test
//! wants broken.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use hardtack::{
    StoreError,
    store::{
        Admission, Created, MemoryStore, Replaced, Row, Store, StoreKey,
        feed::{Batch, Cursor, Feed, News},
    },
};

use crate::{
    gate::{Counter, Gate},
    world::wait,
};

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    Create,
    Load,
    Replace,
    Touch,
    Delete,
    OwnedBy,
    EndOwner,
    Epoch,
    Purge,
    Scan,
    Publish,
}

impl Call {
    pub fn writes(self) -> bool {
        matches!(self, Self::Create | Self::Replace | Self::Touch | Self::Delete | Self::EndOwner)
    }
}

/// What goes wrong with a call.
#[derive(Clone)]
pub enum Fault {
    /// An error, and nothing has happened.
    Refuse,
    /// It happens, and the answer is an error.
    LoseAnswer,
    /// No answer ever.
    Hang,
    /// It waits at a gate before it happens.
    WaitAt(Arc<Gate>),
    /// `create` finds the key taken.
    Taken,
}

/// What all nodes of a world share.
#[derive(Default)]
pub struct Watch {
    calls: Mutex<Vec<(Call, Option<StoreKey>)>>,
    planned: Mutex<HashMap<Call, VecDeque<Fault>>>,
    down: Mutex<Option<Fault>>,
    spoiled: Mutex<HashMap<StoreKey, Row>>,
    /// Calls that are being answered.
    inside: Counter,
    deaf: AtomicBool,
    /// What the feed has no more, and how often it lost something.
    forgotten: Mutex<Vec<News>>,
    gaps: AtomicU64,
}

impl Watch {
    /// The next call of a kind goes wrong; planned faults come one after the other.
    pub fn plan(&self, call: Call, fault: Fault) {
        self.planned.lock().unwrap().entry(call).or_default().push_back(fault);
    }

    /// From now on every call goes wrong.
    pub fn down(&self, fault: Fault) {
        *self.down.lock().unwrap() = Some(fault);
    }

    /// Nothing goes wrong any more.
    pub fn up(&self) {
        *self.down.lock().unwrap() = None;
        self.planned.lock().unwrap().clear();
    }

    /// From now on this is what is in the store under a key: somebody wrote it there past hardtack.
    pub fn spoil(&self, key: StoreKey, row: Row) {
        self.spoiled.lock().unwrap().insert(key, row);
    }

    /// Nobody hears from the feed, or everybody again.
    pub fn deafen(&self, deaf: bool) {
        self.deaf.store(deaf, Relaxed);
    }

    /// From now on the feed has nothing of what it told before.
    pub fn forget_news(&self, engine: &Engine) {
        let Batch { news, .. } = wait(engine.news()).unwrap();
        *self.forgotten.lock().unwrap() = news;
        self.gaps.fetch_add(1, Relaxed);
    }

    /// The calls since the last time, and their keys.
    pub fn calls(&self) -> Vec<(Call, Option<StoreKey>)> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }

    /// The kinds of the calls since the last time.
    pub fn kinds(&self) -> Vec<Call> {
        self.calls().into_iter().map(|(call, _)| call).collect()
    }

    /// The kinds of the writes since the last time.
    pub fn writes(&self) -> Vec<Call> {
        self.kinds().into_iter().filter(|call| call.writes()).collect()
    }

    /// Blocks the test until no call is being answered.
    #[track_caller]
    pub fn idle(&self) {
        self.inside.until(|inside| inside == 0);
    }

    fn meet(&self, call: Call, key: Option<StoreKey>) -> Option<Fault> {
        self.calls.lock().unwrap().push((call, key));
        let planned = self.planned.lock().unwrap().get_mut(&call).and_then(VecDeque::pop_front);
        planned.or_else(|| self.down.lock().unwrap().clone())
    }
}

/// The real store.
#[derive(Clone)]
pub enum Engine {
    Memory(MemoryStore),
    #[cfg(feature = "sqlite")]
    Sqlite(hardtack::store::SqliteStore),
    #[cfg(feature = "engines")]
    Redis(hardtack::store::RedisStore),
    #[cfg(feature = "engines")]
    Postgres(hardtack::store::PostgresStore),
}

macro_rules! with_engine {
    ($engine:expr, $store:ident => $call:expr) => {
        match $engine {
            Engine::Memory($store) => $call,
            #[cfg(feature = "sqlite")]
            Engine::Sqlite($store) => $call,
            #[cfg(feature = "engines")]
            Engine::Redis($store) => $call,
            #[cfg(feature = "engines")]
            Engine::Postgres($store) => $call,
        }
    };
}

impl Engine {
    /// All rows, expired ones too.
    pub async fn rows(&self) -> Vec<(StoreKey, Row)> {
        with_engine!(self, store => store.scan(None, 10_000).await).unwrap()
    }

    async fn news(&self) -> Result<Batch, StoreError> {
        with_engine!(self, store => store.read(None, Duration::ZERO).await)
    }

    pub async fn delete(&self, key: StoreKey) {
        with_engine!(self, store => store.delete(key, 0).await).unwrap();
    }
}

/// One call, until it is answered or dropped.
struct Inside<'a>(&'a Counter);

impl<'a> Inside<'a> {
    fn new(counter: &'a Counter) -> Self {
        counter.add(1);
        Self(counter)
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.add(-1);
    }
}

#[derive(Clone)]
pub struct Watched {
    watch: Arc<Watch>,
    engine: Engine,
    /// How many of the feed's gaps this node was told of.
    gaps: Arc<AtomicU64>,
}

impl Watched {
    pub fn new(watch: &Arc<Watch>, engine: &Engine) -> Self {
        Self { watch: watch.clone(), engine: engine.clone(), gaps: Arc::default() }
    }

    async fn around<T>(
        &self,
        call: Call,
        key: Option<StoreKey>,
        work: impl Future<Output = Result<T, StoreError>>,
        taken: Option<T>,
    ) -> Result<T, StoreError> {
        let _inside = Inside::new(&self.watch.inside);
        match (self.watch.meet(call, key), taken) {
            (Some(Fault::Refuse), _) => Err(StoreError::new("down on purpose")),
            (Some(Fault::LoseAnswer), _) => {
                work.await?;
                Err(StoreError::new("the answer was lost on purpose"))
            }
            (Some(Fault::Hang), _) => std::future::pending().await,
            (Some(Fault::WaitAt(gate)), _) => {
                gate.pass().await;
                work.await
            }
            (Some(Fault::Taken), Some(taken)) => Ok(taken),
            (Some(Fault::Taken), None) | (None, _) => work.await,
        }
    }
}

/// Says each call twice: to the one in front and to the real one.
macro_rules! watched {
    ($( $kind:ident $(($key:ident))? $name:ident ( $($arg:ident : $type:ty),* ) -> $answer:ty $(, $taken:expr)?; )*) => {
        impl Store for Watched {
            async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
                let work = async { with_engine!(&self.engine, store => store.load(key, now).await) };
                let row = self.around(Call::Load, Some(key), work, None).await?;
                Ok(row.map(|row| self.watch.spoiled.lock().unwrap().get(&key).cloned().unwrap_or(row)))
            }

            $( async fn $name(&self, $($arg: $type),*) -> Result<$answer, StoreError> {
                let key = [$(Some($key))?].into_iter().next().flatten();
                let taken = [$(Some($taken))?].into_iter().next().flatten();
                let work = async { with_engine!(&self.engine, store => store.$name($($arg),*).await) };
                self.around(Call::$kind, key, work, taken).await
            } )*
        }
    };
}

/// Nobody counts who listens; but there is no news from a store that is down.
impl Feed for Watched {
    async fn read(&self, after: Option<Cursor>, patience: Duration) -> Result<Batch, StoreError> {
        let follows = after.is_some();
        let work = async { with_engine!(&self.engine, store => store.read(after, patience).await) };
        let down = self.watch.down.lock().unwrap().clone();
        match down {
            Some(Fault::Hang) => std::future::pending().await,
            Some(_) => return Err(StoreError::new("down on purpose")),
            None if self.watch.deaf.load(Relaxed) => return Err(StoreError::new("deaf on purpose")),
            None => {}
        }
        let mut batch = work.await?;
        if self.watch.deaf.load(Relaxed) {
            return Err(StoreError::new("deaf on purpose"));
        }
        let gaps = self.watch.gaps.load(Relaxed);
        let forgotten = self.watch.forgotten.lock().unwrap().clone();
        batch.news.retain(|news| !forgotten.contains(news));
        batch.complete &= !follows || self.gaps.swap(gaps, Relaxed) == gaps;
        Ok(batch)
    }

    async fn publish(&self, news: Vec<News>, until: u64) -> Result<(), StoreError> {
        let work = async { with_engine!(&self.engine, store => store.publish(news, until).await) };
        match self.watch.meet(Call::Publish, None) {
            Some(_) => Err(StoreError::new("down on purpose")),
            None => work.await,
        }
    }
}

watched! {
    Create(key) create(key: StoreKey, row: Row, admission: Admission, now: u64) -> Created, Created::Exists;
    Replace(key) replace(key: StoreKey, version: u64, row: Row, now: u64) -> Replaced;
    Touch(key) touch(key: StoreKey, last_seen: u64, idle_deadline: u64) -> ();
    Delete(key) delete(key: StoreKey, tombstone_until: u64) -> bool;
    OwnedBy owned_by(owner: &str, now: u64) -> Vec<(StoreKey, Row)>;
    EndOwner end_owner(owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> u64;
    Epoch epoch() -> u64;
    Purge purge(now: u64, limit: usize) -> usize;
    Scan scan(after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)>;
}
