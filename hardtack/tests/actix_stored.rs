//! The actix-web adapter over a store that makes every call wait and may be away: an extraction that waits, a
//! commit that waits, and faults that never look like success or like "no session".
#![cfg(all(feature = "actix-web-4", feature = "axum"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use actix_web::{
    App, HttpServer, rt,
    web::{Data, get},
};
use common::{fetch, fetch_bare};
use hardtack::{
    Field, Keyring, Session, SessionRejection, Sessions, StoreError,
    store::{Admission, Created, MemoryStore, Replaced, Row, Store, StoreKey},
};

const COUNT: Field<u64> = Field::new("count");

#[derive(Clone, Default)]
struct Switches {
    /// Every call fails.
    away: Arc<AtomicBool>,
    /// Calls that load go on, the others fail.
    read_only: Arc<AtomicBool>,
    calls: Arc<AtomicUsize>,
}

struct Slow {
    inner: MemoryStore,
    switches: Switches,
}

impl Slow {
    async fn wait(&self, reads: bool) -> Result<(), StoreError> {
        tokio::task::yield_now().await;
        self.switches.calls.fetch_add(1, Ordering::Relaxed);
        let away = self.switches.away.load(Ordering::Relaxed);
        if away || (!reads && self.switches.read_only.load(Ordering::Relaxed)) {
            return Err(StoreError::new("10.0.0.7 refuses"));
        }
        Ok(())
    }
}

macro_rules! slowly {
    ($($reads:literal $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)+) => {
        impl Store for Slow {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.wait($reads).await?;
                self.inner.$name($($argument),*).await
            })+
        }
    };
}

slowly! {
    false create(key: StoreKey, row: Row, admission: Admission, now: u64) -> Created;
    true load(key: StoreKey, now: u64) -> Option<Row>;
    false replace(key: StoreKey, version: u64, row: Row, now: u64) -> Replaced;
    false touch(key: StoreKey, last_seen: u64, idle_deadline: u64) -> ();
    false delete(key: StoreKey, tombstone_until: u64) -> bool;
    true owned_by(owner: &str, now: u64) -> Vec<(StoreKey, Row)>;
    false end_owner(owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> u64;
    true epoch() -> u64;
    false purge(now: u64, limit: usize) -> usize;
    true scan(after: Option<StoreKey>, limit: usize) -> Vec<(StoreKey, Row)>;
}

async fn who(session: Session) -> String {
    session.owner().unwrap_or_else(|| "nobody".into())
}

/// Nobody, somebody, or a page that works without knowing.
async fn degrades(session: Result<Session, SessionRejection>) -> String {
    match session {
        Ok(session) => who(session).await,
        Err(SessionRejection::Store(_)) => "without sessions".into(),
        Err(other) => other.to_string(),
    }
}

async fn reached(_: Session, reached: Data<AtomicUsize>) -> &'static str {
    reached.fetch_add(1, Ordering::Relaxed);
    "reached"
}

async fn add(session: Session) -> &'static str {
    session.update(COUNT, |count| count.unwrap_or_default() + 1);
    "added"
}

async fn leave(session: Session) -> &'static str {
    session.sign_out();
    "you are logged out"
}

struct Site {
    server: SocketAddr,
    /// The cookie of a session of "ada".
    live: String,
    switches: Switches,
    reached: Data<AtomicUsize>,
    sessions: Sessions,
}

fn site() -> Site {
    let switches = Switches::default();
    let store = Slow { inner: MemoryStore::new(), switches: switches.clone() };
    let sessions = Sessions::stored(Keyring::ephemeral().unwrap(), store).build().unwrap();
    let reached = Data::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = listener.local_addr().unwrap();
    let (ours, count) = (sessions.clone(), reached.clone());
    let app = move || {
        App::new()
            .app_data(count.clone())
            .wrap(ours.actix())
            .route("/", get().to(who))
            .route("/degrades", get().to(degrades))
            .route("/reached", get().to(self::reached))
            .route("/add", get().to(add))
            .route("/leave", get().to(leave))
            .route("/public", get().to(async || "public"))
    };
    std::thread::spawn(move || {
        let server = HttpServer::new(app).workers(2).disable_signals().listen(listener).unwrap();
        rt::System::new().block_on(server.run()).unwrap();
    });
    let live = wait(sessions.cookie(|session| session.sign_in("ada"))).unwrap();
    Site { server, live, switches, reached, sessions }
}

/// As that of `common`, with the timer that a store's deadline needs.
fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

/// Rule 2 of the concurrency rules: of parallel increments none is lost, on two workers and over a store that
/// makes them wait for each other.
#[test]
fn parallel_increments_all_count() {
    let Site { server, live, sessions, .. } = site();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for _ in 0..10 {
                    assert_eq!(fetch(server, "/add", [&live]).text(), "added");
                }
            });
        }
    });
    let request = sessions.begin([live.as_bytes()]);
    assert_eq!(wait(request.session()).unwrap().get(COUNT), Some(80));
}

/// J05: while the store is away, who needs a session gets 503, without its address, and no handler runs that
/// would take them for nobody; a handler that asks may go on; a page without sessions does not notice.
#[test]
fn a_store_that_is_away_is_a_503_and_not_nobody() {
    let Site { server, live, switches, reached, .. } = site();
    switches.away.store(true, Ordering::Relaxed);
    for path in ["/", "/reached"] {
        let reply = fetch(server, path, [&live]);
        assert_eq!((reply.status, reply.text(), reply.set_cookies().len()), (503, "", 0));
    }
    assert_eq!(reached.load(Ordering::Relaxed), 0);
    let reply = fetch(server, "/degrades", [&live]);
    assert_eq!((reply.status, reply.text(), reply.set_cookies().len()), (200, "without sessions", 0));
    assert_eq!(fetch_bare(server, "/degrades").text(), "nobody", "who brings no session needs no store");
    switches.away.store(false, Ordering::Relaxed);
    assert_eq!(fetch(server, "/", [&live]).text(), "ada");

    let before = switches.calls.load(Ordering::Relaxed);
    assert_eq!(fetch(server, "/public", [&live]).text(), "public");
    assert_eq!(switches.calls.load(Ordering::Relaxed), before);
}

/// J05, E08: a write or a logout that the store does not take is never answered as success, and the session is
/// what it was.
#[test]
fn what_the_store_does_not_take_is_not_answered_as_success() {
    let Site { server, live, switches, .. } = site();
    switches.read_only.store(true, Ordering::Relaxed);
    for path in ["/add", "/leave"] {
        let reply = fetch(server, path, [&live]);
        assert_eq!((reply.status, reply.text(), reply.set_cookies().len()), (503, "", 0), "{path}");
        assert_eq!(reply.all("cache-control"), ["no-store"]);
    }
    switches.read_only.store(false, Ordering::Relaxed);
    assert_eq!(fetch(server, "/", [&live]).text(), "ada");
    assert!(fetch(server, "/leave", [&live]).one("set-cookie").contains("; Max-Age=0"));
    assert_eq!(fetch(server, "/", [&live]).text(), "nobody");
}
