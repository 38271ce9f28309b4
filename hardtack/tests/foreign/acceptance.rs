//! Node is gone: its cookies become sessions of ours, once, until a date (B12).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hardtack::{
    BuildError, Clock, CookiePolicy, Keyring, Revocations, Session, Sessions, SessionsBuilder,
    interop::{ExpressSession, Foreign},
    store::{MemoryStore, Store},
};

use crate::{
    COUNT, DAY, Jar, MINUTE,
    common::{START, request, serve, who_app},
    formats, iron, member,
};

const MONTH: Duration = Duration::from_millis(30 * DAY);

/// Two nodes of one placement, that take the cookies of a format.
struct Fleet {
    nodes: [Sessions; 2],
    clock: Clock,
    foreign: Foreign,
    placement: &'static str,
    store: Option<MemoryStore>,
}

impl Fleet {
    fn accepting(&self, builder: SessionsBuilder) -> Sessions {
        let until = UNIX_EPOCH + Duration::from_millis(START) + MONTH;
        builder
            .clock(self.clock.clone())
            .accept(self.foreign.clone(), until, |session| session.get("user"))
            .build()
            .unwrap()
    }

    fn new(placement: &'static str, foreign: Foreign) -> Self {
        let (keys, store, revocations) = (Keyring::ephemeral().unwrap(), MemoryStore::new(), Revocations::in_memory());
        let ours = || match placement {
            "stateless" => Sessions::stateless(keys.clone()).revocations(revocations.clone()),
            "stored" => Sessions::stored(keys.clone(), store.clone()),
            _ => Sessions::hybrid(keys.clone(), store.clone()),
        };
        let clock = Clock::manual(START);
        let plain = [ours().build().unwrap(), ours().build().unwrap()];
        let mut fleet = Self { nodes: plain, clock, foreign, placement, store: None };
        fleet.nodes = [fleet.accepting(ours()), fleet.accepting(ours())];
        fleet.store = (placement != "stateless").then_some(store);
        fleet
    }

    fn told(&self) -> String {
        format!("{}, {}", self.placement, self.foreign.format())
    }

    fn of_node(&self, data: &str) -> Jar {
        Jar::of_node(&self.foreign, data, self.clock.now_ms())
    }

    async fn rows(&self, owner: &str) -> Vec<hardtack::store::Row> {
        let Some(store) = &self.store else { return Vec::new() };
        let rows = store.owned_by(owner, self.clock.now_ms()).await.unwrap();
        rows.into_iter().map(|(_, row)| row).collect()
    }
}

fn fleets() -> Vec<Fleet> {
    let placements = ["stateless", "stored", "hybrid"];
    placements.into_iter().flat_map(|placement| formats().map(|foreign| Fleet::new(placement, foreign))).collect()
}

/// The first request moves the session: its data, its owner, and a cookie of ours in the place of theirs.
#[tokio::test]
async fn the_first_request_moves_the_session_and_removes_the_foreign_cookie() {
    for fleet in fleets() {
        let mut jar = fleet.of_node(r#"{"user":"ada","count":41,"big":1e+21}"#);
        let (seen, _) = jar
            .visit(&fleet.nodes[0], |session| {
                let fresh = session.is_fresh(Duration::from_secs(3600));
                (session.owner(), session.get(COUNT), fresh, session.expires_in())
            })
            .await;
        let hour = Some(Duration::from_secs(3600));
        assert_eq!((seen.0.as_deref(), seen.1, seen.2), (Some("ada"), Some(41), false), "{}", fleet.told());
        assert_eq!(seen.3, hour, "our idle timeout runs");
        assert_eq!(jar.0.keys().collect::<Vec<_>>(), ["__Host-session"], "{}", fleet.told());
        assert_eq!(jar.owner(&fleet.nodes[1]).await.as_deref(), Some("ada"));
        let (data, _) = jar.visit(&fleet.nodes[1], |session| session.read::<Box<serde_json::value::RawValue>>()).await;
        assert_eq!(member(data.unwrap().get(), "big").as_deref(), Some("1e+21"));
    }
}

/// Ten first requests at once, on two nodes: one session, and all of their writes where there is a store.
#[tokio::test]
async fn ten_first_requests_at_once_make_one_session() {
    for fleet in fleets() {
        let jar = fleet.of_node(r#"{"user":"ada","count":100}"#);
        let requests = (0..10).map(|at| {
            let (mut jar, node) = (jar.clone(), fleet.nodes[at % 2].clone());
            tokio::spawn(async move {
                let (handle, _) = jar
                    .visit(&node, |session| {
                        session.update(COUNT, |count| count.unwrap_or_default() + 1);
                        session.handle()
                    })
                    .await;
                (handle, jar)
            })
        });
        let mut done = Vec::new();
        for request in requests.collect::<Vec<_>>() {
            done.push(request.await.unwrap());
        }
        assert!(done.iter().all(|(handle, _)| handle == &done[0].0), "{}", fleet.told());
        if fleet.store.is_some() {
            assert_eq!(fleet.rows("ada").await.len(), 1, "{}", fleet.told());
            let mut last = done.pop().unwrap().1;
            // A copy in a cookie may be a moment old.
            last.visit(&fleet.nodes[0], |session| session.update(COUNT, |count| count.unwrap_or_default() + 1)).await;
            assert_eq!(
                last.visit(&fleet.nodes[0], |session| session.get(COUNT)).await.0,
                Some(111),
                "{}",
                fleet.told()
            );
        }
    }
}

/// E01: after the sign-out the foreign cookie is nobody's, on every node, until its date is over.
#[tokio::test]
async fn a_foreign_cookie_is_nobodys_after_the_sign_out() {
    for fleet in fleets() {
        let copy = fleet.of_node(r#"{"user":"ada"}"#);
        let mut jar = copy.clone();
        jar.visit(&fleet.nodes[0], Session::owner).await;
        fleet.clock.advance(Duration::from_millis(MINUTE));
        jar.visit(&fleet.nodes[0], Session::sign_out).await;
        assert!(jar.0.is_empty(), "{jar:?}");
        for later in [0, DAY, 20 * DAY] {
            fleet.clock.advance(Duration::from_millis(later));
            for node in &fleet.nodes {
                node.purge().await.unwrap();
                assert_eq!(copy.owner(node).await, None, "{} after {later} ms", fleet.told());
            }
        }
        // Signed out at once, by its first request.
        let (copy, mut jar) = (fleet.of_node(r#"{"user":"bob"}"#), fleet.of_node(r#"{"user":"bob"}"#));
        let mut first = copy.clone();
        first.visit(&fleet.nodes[0], Session::sign_out).await;
        assert!(first.0.is_empty() && copy.owner(&fleet.nodes[1]).await.is_none(), "{}", fleet.told());
        jar.visit(&fleet.nodes[0], Session::owner).await;
    }
}

/// D02: what has timed out does not come back with a copy of the foreign cookie, where there is a store.
#[tokio::test]
async fn a_session_that_timed_out_is_not_accepted_again() {
    for fleet in fleets().into_iter().filter(|fleet| fleet.store.is_some()) {
        for data in [r#"{"user":"ada"}"#, r#"{"user":"bob","count":1}"#] {
            let copy = fleet.of_node(data);
            let mut jar = copy.clone();
            assert!(jar.visit(&fleet.nodes[0], Session::owner).await.0.is_some());
            fleet.clock.advance(Duration::from_millis(2 * MINUTE));
            assert!(copy.owner(&fleet.nodes[1]).await.is_some(), "{}: the same session", fleet.told());
            fleet.clock.advance(Duration::from_secs(2 * 3600));
            assert_eq!(copy.owner(&fleet.nodes[0]).await, None, "{}", fleet.told());
            fleet.nodes[0].purge().await.unwrap();
            assert_eq!(copy.owner(&fleet.nodes[1]).await, None, "{}", fleet.told());
        }
    }
}

#[tokio::test]
async fn after_the_date_nothing_is_accepted() {
    for fleet in fleets() {
        fleet.clock.advance(MONTH);
        assert_eq!(fleet.of_node(r#"{"user":"ada"}"#).owner(&fleet.nodes[0]).await, None, "{}", fleet.told());
    }
}

/// H01: another site's request does not decide when a session moves.
#[tokio::test]
async fn a_request_that_another_site_started_accepts_nothing() {
    for fleet in fleets() {
        let mut jar = fleet.of_node(r#"{"user":"ada"}"#);
        let request = fleet.nodes[0].begin([jar.header().as_bytes()]);
        request.cross_site();
        assert_eq!(request.session().await.unwrap().owner(), None, "{}", fleet.told());
        let headers = request.finish().await.unwrap();
        assert_eq!(jar.take(&headers), 0, "the cookie stays for the next request");
        assert_eq!(jar.owner(&fleet.nodes[0]).await.as_deref(), Some("ada"));
    }
}

/// H01: the layer tells the door which requests those are.
#[test]
fn the_layer_tells_which_requests_another_site_started() {
    let fleet = Fleet::new("stateless", iron());
    let address = serve(who_app(&fleet.nodes[0]));
    let cookie = fleet.of_node(r#"{"user":"ada"}"#).header();
    for (site, owner) in [("cross-site", "nobody"), ("same-origin", "ada"), ("none", "ada")] {
        let fields = format!("Host: app.example\r\nCookie: {cookie}\r\nSec-Fetch-Site: {site}\r\n");
        assert_eq!(request(address, "GET", "/", fields.as_bytes(), b"").text(), owner, "{site}");
    }
    let fields = format!("Host: app.example\r\nCookie: {cookie}\r\n");
    assert_eq!(request(address, "GET", "/", fields.as_bytes(), b"").text(), "ada", "a browser that says nothing");
}

/// B12: a foreign cookie never overrides one of ours, not even one that is over.
#[tokio::test]
async fn a_foreign_cookie_beside_ours_is_not_looked_at() {
    for fleet in fleets() {
        let mut jar = Jar::default();
        jar.visit(&fleet.nodes[0], |session| session.sign_in("bob")).await;
        jar.0.extend(fleet.of_node(r#"{"user":"ada"}"#).0);
        assert_eq!(jar.owner(&fleet.nodes[1]).await.as_deref(), Some("bob"), "{}", fleet.told());
        let both = jar.clone();
        jar.visit(&fleet.nodes[0], Session::sign_out).await;
        assert!(jar.0.is_empty(), "{}: signing out removes both", fleet.told());
        assert_eq!(both.owner(&fleet.nodes[0]).await, None, "{}", fleet.told());
    }
}

/// E04: an owner whose sessions were ended is not brought back by an older cookie.
#[tokio::test]
async fn an_owner_whose_sessions_were_ended_is_not_accepted() {
    for fleet in fleets() {
        let (ada, bob) = (fleet.of_node(r#"{"user":"ada"}"#), fleet.of_node(r#"{"user":"bob"}"#));
        fleet.clock.advance(Duration::from_millis(MINUTE));
        fleet.nodes[0].end_owner("ada").await.unwrap();
        fleet.clock.advance(Duration::from_millis(2 * DAY));
        for node in &fleet.nodes {
            assert_eq!(ada.owner(node).await, None, "{}", fleet.told());
        }
        assert_eq!(
            bob.owner(&fleet.nodes[1]).await.is_some(),
            fleet.foreign.lifetime().is_none_or(|l| l.as_secs() > 172_800)
        );
    }
}

/// cookie-session signs what it holds and nothing else, so two visitors may have the same cookie.
#[tokio::test]
async fn two_visitors_with_the_same_cookie_are_two() {
    for placement in ["stateless", "stored", "hybrid"] {
        // Also with what can be nobody's name.
        for data in [r#"{"count":1}"#.to_owned(), format!(r#"{{"count":1,"user":"{}"}}"#, "x".repeat(600))] {
            let fleet = Fleet::new(placement, formats()[2].clone());
            let (mut one, mut other) = (fleet.of_node(&data), fleet.of_node(&data));
            assert_eq!(one, other);
            let (first, _) = one.visit(&fleet.nodes[0], |session| (session.handle(), session.get(COUNT))).await;
            let (second, _) = other.visit(&fleet.nodes[0], |session| (session.handle(), session.get(COUNT))).await;
            assert_eq!((first.1, second.1), (Some(1), Some(1)));
            assert_ne!(first.0, second.0);
        }
    }
}

/// After a time of emission all values of a session's cookie are that session.
#[tokio::test]
async fn what_was_emitted_is_accepted_as_the_session_that_it_was() {
    for foreign in formats() {
        let fleet = Fleet::new("stored", foreign.clone());
        let emitting = Sessions::stateless(Keyring::ephemeral().unwrap()).clock(fleet.clock.clone());
        let emitting = emitting.emit_as(foreign.clone()).owner_field("user").build().unwrap();
        let mut jar = Jar::default();
        jar.visit(&emitting, |session| session.sign_in("ada")).await;
        let older = jar.clone();
        let ((handle, token), _) = jar
            .visit(&emitting, |session| {
                session.set(COUNT, 1);
                (session.handle(), session.csrf_token())
            })
            .await;
        let of = |session: &Session| (session.handle(), session.verify_csrf(&token));
        assert_eq!(jar.clone().visit(&fleet.nodes[0], of).await.0, (handle, true), "{}", fleet.told());
        assert_eq!(older.clone().visit(&fleet.nodes[1], of).await.0, (handle, true), "{}", fleet.told());
        let hidden = |session: &Session| session.read::<serde_json::Value>().unwrap().get("_hardtack").is_none();
        assert!(jar.visit(&fleet.nodes[0], hidden).await.0);
        jar.visit(&fleet.nodes[0], Session::sign_out).await;
        assert_eq!(older.owner(&fleet.nodes[0]).await, None, "{}", fleet.told());
    }
}

#[test]
fn what_cannot_be_accepted_is_refused_with_what_to_write() {
    let until = SystemTime::now() + MONTH;
    let builder = || Sessions::stateless(Keyring::ephemeral().unwrap());
    let refusals: [(Result<Sessions, BuildError>, &str); 2] = [
        (builder().accept(ExpressSession::new("connect.sid", ["s"]).unwrap(), until, |_| None).build(), "store"),
        (
            builder().cookie(CookiePolicy::plain("iron-examples")).accept(iron(), until, |_| None).build(),
            "give ours another name",
        ),
    ];
    for (refused, told) in refusals {
        let Err(error) = refused else { panic!("{told} is built") };
        assert!(error.to_string().contains(told), "{error}");
    }
}
