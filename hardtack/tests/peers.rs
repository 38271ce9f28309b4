//! What other Rust session libraries got wrong, as claims about this one. The ids are those of a review of their
//! sources: TS tower-sessions, AL axum-login, AS axum_session, AX actix-session, PX pavex_session, AY async-session,
//! PO poem, SA salvo, CK cookie. Through HTTP, and with the requests overlapping as they do in life, most of this is
//! tested again in `behaviour/`; cookies' names, sizes and removals (AS-4, AX-4, AX-6, TS-11, PX-5, CK-1, CK-2) in
//! `cookie_reading.rs` and `cookie_writing.rs`, a stateless cookie's age (AX-2) in `lifetime.rs`, SQL (TS-9) in
//! `sqlite_store.rs`, tokens (PO-1) in `csrf.rs`, safe redirects (AL-3) in the demo's tests.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use common::{NOTE, START, wait};
use hardtack::{
    Clock, CommitError, Field, Keyring, Outcome, Reason, Session, SessionRejection, Sessions, SessionsBuilder,
    StoreError,
    store::{Admission, Created, MemoryStore, Replaced, Row, Store, StoreKey},
};

const COUNT: Field<u64> = Field::new("count");

/// A store that counts its calls, and fails when it is told to.
#[derive(Clone, Default)]
struct Watched {
    store: MemoryStore,
    reads: Arc<AtomicUsize>,
    writes: Arc<AtomicUsize>,
    purges: Arc<AtomicUsize>,
    /// How many calls fail from now on.
    faults: Arc<AtomicUsize>,
}

impl Watched {
    fn call(&self, counter: &AtomicUsize) -> Result<&MemoryStore, StoreError> {
        counter.fetch_add(1, SeqCst);
        let fails = self.faults.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)).is_ok();
        if fails { Err(StoreError::new("told to fail")) } else { Ok(&self.store) }
    }

    fn calls(&self) -> (usize, usize) {
        (self.reads.load(SeqCst), self.writes.load(SeqCst))
    }
}

impl Store for Watched {
    async fn create(&self, key: StoreKey, row: Row, admission: Admission, now: u64) -> Result<Created, StoreError> {
        self.call(&self.writes)?.create(key, row, admission, now).await
    }
    async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        self.call(&self.reads)?.load(key, now).await
    }
    async fn replace(&self, key: StoreKey, version: u64, row: Row, now: u64) -> Result<Replaced, StoreError> {
        self.call(&self.writes)?.replace(key, version, row, now).await
    }
    async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        self.call(&self.writes)?.touch(key, last_seen, idle_deadline).await
    }
    async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        self.call(&self.writes)?.delete(key, tombstone_until).await
    }
    async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        self.call(&self.reads)?.owned_by(owner, now).await
    }
    async fn end_owner(&self, owner: &str, except: Option<StoreKey>, until: u64) -> Result<u64, StoreError> {
        self.call(&self.writes)?.end_owner(owner, except, until).await
    }
    async fn epoch(&self) -> Result<u64, StoreError> {
        self.call(&self.reads)?.epoch().await
    }
    async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        self.call(&self.purges)?.purge(now, limit).await
    }
    async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        self.call(&self.reads)?.scan(after, limit).await
    }
}

struct World {
    store: Watched,
    keys: Keyring,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        Self { store: Watched::default(), keys: Keyring::ephemeral().unwrap(), clock: Clock::manual(START) }
    }

    fn builder(&self) -> SessionsBuilder {
        Sessions::stored(self.keys.clone(), self.store.clone()).clock(self.clock.clone())
    }

    /// One server; two of them share the store and the keys.
    fn node(&self) -> Sessions {
        self.builder().build().unwrap()
    }
}

fn signed_in(sessions: &Sessions) -> String {
    wait(sessions.cookie(|session| session.sign_in("ada"))).unwrap()
}

/// One request; its outcome, and the `Set-Cookie` lines.
fn visit(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> (Outcome, Vec<String>) {
    let request = sessions.begin([cookie.as_bytes()]);
    let session = wait(request.session()).unwrap();
    work(&session);
    let outcome = wait(session.commit()).unwrap();
    let headers = wait(request.finish()).unwrap();
    (outcome, headers.set_cookies().map(|line| line.to_str().unwrap().to_owned()).collect())
}

fn look<T>(sessions: &Sessions, cookie: &str, see: impl FnOnce(&Session) -> T) -> T {
    see(&wait(sessions.begin([cookie.as_bytes()]).session()).unwrap())
}

/// TS-2, AX-3, PX-4, PO-2: a request that loaded the session before its logout writes nothing back afterwards, makes
/// no session in its place, and is no error.
#[test]
fn ts_2_a_logout_is_not_undone_by_a_request_that_began_before_it() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let slow = sessions.begin([cookie.as_bytes()]);
    let session = wait(slow.session()).unwrap();
    visit(&sessions, &cookie, Session::sign_out);
    session.set(NOTE, "late".into());
    assert_eq!(wait(slow.finish()).unwrap().set_cookies().count(), 0);
    assert_eq!(look(&sessions, &cookie, Session::refusal), Some(Reason::Absent));
    assert!(wait(world.store.store.scan(None, 10)).unwrap().is_empty());
}

/// TS-4, AS-3, ASA-1: a logout on one server holds on another one at its next request; nothing is cached.
#[test]
fn ts_4_a_logout_here_holds_there() {
    let world = World::new();
    let (here, there) = (world.node(), world.node());
    let cookie = signed_in(&here);
    assert_eq!(look(&there, &cookie, Session::owner).as_deref(), Some("ada"));
    visit(&here, &cookie, Session::sign_out);
    assert_eq!(look(&there, &cookie, Session::owner), None);
}

/// TS-6: two requests that write different fields at the same time both count.
#[test]
fn ts_6_two_writers_at_once_lose_nothing() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let requests = [sessions.begin([cookie.as_bytes()]), sessions.begin([cookie.as_bytes()])];
    let both: Vec<_> = requests.iter().map(|request| wait(request.session()).unwrap()).collect();
    both[0].set(NOTE, "first".into());
    both[1].update(COUNT, |count| count.unwrap_or_default() + 1);
    requests.iter().for_each(|request| assert_eq!(wait(request.finish()).unwrap().set_cookies().count(), 0));
    assert_eq!(look(&sessions, &cookie, |now| (now.get(NOTE), now.get(COUNT))), (Some("first".into()), Some(1)));
}

/// TS-7, AS-8: purging in the background goes on after an error, for each store on its own, and begins again in a
/// second runtime when the first one has ended; it ends with the last clone of the sessions.
#[test]
fn ts_7_purging_survives_errors_and_runtimes_and_ends_with_its_sessions() {
    let worlds = [World::new(), World::new()];
    let nodes =
        worlds.each_ref().map(|world| world.builder().purge_interval(Duration::from_millis(5)).build().unwrap());
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let purges = |world: &World| world.store.purges.load(SeqCst);
    for _ in 0..2 {
        let before = worlds.each_ref().map(|world| (purges(world), world.store.faults.store(1, SeqCst)).0);
        runtime().block_on(async {
            for node in &nodes {
                // The first call fails: it is this one or the first purge.
                let _ = node.begin([&b"__Host-session=x"[..]]).session().await;
            }
            until(|| worlds.iter().zip(before).all(|(world, before)| purges(world) >= before + 3)).await;
        });
    }
    let store = Arc::downgrade(&worlds[0].store.purges);
    runtime().block_on(async {
        let _ = nodes[0].begin([]).session().await;
        drop((nodes, worlds));
        until(|| store.strong_count() == 0).await;
    });
}

/// Waits for what another task does, and gives up after many times as long as it takes.
async fn until(done: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("it never happened");
}

/// TS-8, AS-9, J09: what is in memory is bounded, and an anonymous crowd does not keep people from signing in.
#[test]
fn ts_8_memory_is_bounded_and_a_crowd_locks_nobody_out() {
    let sessions =
        Sessions::stored(Keyring::ephemeral().unwrap(), MemoryStore::with_limits(20, 1 << 20)).build().unwrap();
    let kept = (0..50).filter(|_| wait(sessions.cookie(Session::keep)).is_ok()).count();
    assert_eq!(kept, 10);
    signed_in(&sessions);
}

/// TS-12, AS-2, TI-1: a row that cannot be read makes its visitor anonymous, and a store that fails is an error: no
/// fault turns into an empty session that is then written over the real one.
#[test]
fn ts_12_no_fault_of_the_store_empties_a_session() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    visit(&sessions, &cookie, |session| session.set(NOTE, "kept".into()));
    world.store.faults.store(1, SeqCst);
    let request = sessions.begin([cookie.as_bytes()]);
    assert!(matches!(wait(request.session()), Err(SessionRejection::Store(_))));
    assert_eq!(wait(request.finish()).unwrap().set_cookies().count(), 0);
    assert_eq!(look(&sessions, &cookie, |now| now.get(NOTE)).as_deref(), Some("kept"));
    let other = Sessions::stored(Keyring::ephemeral().unwrap(), world.store.clone()).build().unwrap();
    visit(&other, &cookie, |session| session.set(NOTE, "another key".into()));
    assert_eq!(look(&sessions, &cookie, |now| now.get(NOTE)).as_deref(), Some("kept"));
}

/// TS-13, AS-1: a create never lands on a row that is there, and an id that the server did not issue is not adopted,
/// however it is presented.
#[test]
fn ts_13_no_client_chooses_an_id() {
    let world = World::new();
    let sessions = world.node();
    for chosen in ["__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "__Host-session=1234", "session=1234"] {
        let (_, set) = visit(&sessions, chosen, |session| session.sign_in("ada"));
        assert!(!set[0].contains(chosen.split_once('=').unwrap().1));
    }
    let key = wait(world.store.store.scan(None, 1)).unwrap()[0].clone();
    let again = world.store.store.create(key.0, key.1, Admission { epoch: u64::MAX, limit: None }, START);
    assert_eq!(wait(again).unwrap(), Created::Exists);
}

/// TS-14: an expired cookie is everyday: it is no error, no attack, and no new record.
#[test]
fn ts_14_an_expired_cookie_is_everyday() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    world.clock.advance(Duration::from_secs(3600));
    let (outcome, set) = visit(&sessions, &cookie, |_| {});
    assert_eq!((outcome, set.len()), (Outcome::Untouched, 0));
    assert_eq!(wait(world.store.store.purge(START + 3_600_000, 10)).unwrap(), 1);
}

/// AL-1, AY-1: signing in as somebody else gives a new id, and nothing of whoever was there before.
#[test]
fn al_1_a_takeover_keeps_neither_the_id_nor_the_data() {
    let world = World::new();
    let sessions = world.node();
    let ada = wait(sessions.cookie(|session| {
        session.sign_in("ada");
        session.set(NOTE, "hers".into());
    }))
    .unwrap();
    let (outcome, set) = visit(&sessions, &ada, |session| session.sign_in("bob"));
    assert_eq!((outcome, set.len()), (Outcome::Renewed, 1));
    assert_eq!(look(&sessions, &ada, Session::owner), None);
    let bob = set[0].split(';').next().unwrap();
    assert_eq!(look(&sessions, bob, |now| (now.owner(), now.get(NOTE))), (Some("bob".into()), None));
}

/// AL-2, TS-10: nothing that signs anybody in is in the store: no password hash, no id, no cookie.
#[test]
fn ts_10_the_store_holds_nothing_that_signs_in() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let rows = format!("{:?}", wait(world.store.store.scan(None, 10)).unwrap());
    assert!(!rows.contains(cookie.split_once('=').unwrap().1) && rows.contains("ada"));
}

/// AS-6, PX-3, AX-5, SA-1, AS-7: a request that did not ask for its session touches nothing, and one that only reads
/// writes nothing and sends no cookie, so it cannot put an older one back.
#[test]
fn as_7_a_response_has_a_cookie_only_when_it_must() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let before = world.store.calls();
    let untouched = sessions.begin([cookie.as_bytes()]);
    assert_eq!(wait(untouched.finish()).unwrap().set_cookies().count(), 0);
    assert_eq!(world.store.calls(), before);
    for _ in 0..100 {
        let (outcome, set) = visit(&sessions, &cookie, |session| drop(session.get(NOTE)));
        assert_eq!((outcome, set.len()), (Outcome::Untouched, 0));
    }
    assert_eq!(world.store.calls(), (before.0 + 100, before.1));
    for _ in 0..100 {
        visit(&sessions, "", |session| drop(session.get(NOTE)));
        visit(&sessions, "", Session::sign_out);
    }
    assert_eq!(world.store.calls(), (before.0 + 100, before.1), "nobody asks the store for nothing");
}

/// AX-1, PX-1: every way of changing a session is kept.
#[test]
fn px_1_every_change_is_kept() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let note = |sessions: &Sessions| look(sessions, &cookie, |now| now.get(NOTE));
    visit(&sessions, &cookie, |session| session.update(NOTE, |_| "updated".into()));
    assert_eq!(note(&sessions).as_deref(), Some("updated"));
    visit(&sessions, &cookie, |session| session.remove(NOTE));
    assert_eq!(note(&sessions), None);
    visit(&sessions, &cookie, |session| session.set(NOTE, "set".into()));
    visit(&sessions, &cookie, |session| assert!(session.take(NOTE).is_some()));
    assert_eq!(note(&sessions), None);
    visit(&sessions, &cookie, |session| session.set(NOTE, "set".into()));
    visit(&sessions, &cookie, Session::clear);
    assert_eq!((note(&sessions), look(&sessions, &cookie, Session::owner).as_deref()), (None, Some("ada")));
}

/// AS-10, PO-2: a value that cannot be written is an error, not an empty text in the store.
#[test]
fn po_2_what_cannot_be_written_is_an_error() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let request = sessions.begin([cookie.as_bytes()]);
    let impossible: Field<std::collections::HashMap<Vec<u8>, u8>> = Field::new("note");
    wait(request.session()).unwrap().set(impossible, [(vec![1], 1)].into());
    assert!(matches!(wait(request.finish()), Err(CommitError::Field { .. })));
    assert_eq!(look(&sessions, &cookie, |now| now.get(NOTE)), None);
}

/// AS-5: a request that is dropped holds nothing, and the logout after it holds.
#[test]
fn as_5_a_dropped_request_does_not_keep_a_session_alive() {
    let world = World::new();
    let sessions = world.node();
    let cookie = signed_in(&sessions);
    let dropped = sessions.begin([cookie.as_bytes()]);
    wait(dropped.session()).unwrap().set(NOTE, "lost".into());
    drop(dropped);
    visit(&sessions, &cookie, Session::sign_out);
    assert_eq!(look(&sessions, &cookie, Session::refusal), Some(Reason::Absent));
}
