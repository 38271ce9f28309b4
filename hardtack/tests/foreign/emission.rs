//! Both fleets live: the foreign cookie is the only one, and each reads what the other wrote.

use hardtack::{
    BuildError, Clock, CookiePolicy, Field, Keyring, Session, Sessions, SessionsBuilder,
    interop::{CookieSession, ExpressSession, Foreign, IronSession},
    store::MemoryStore,
};
use serde_json::value::RawValue;
use std::time::{Duration, SystemTime};

use crate::{COUNT, DAY, Jar, MINUTE, PASSWORD, common::START, formats, iron, member};

const VALUES: Field<Box<RawValue>> = Field::new("values");
/// What is easily lost on the way.
const EXACT: &str = r#"{"z":1e+21,"a":-0.0,"10":1.10,"n":null,"__proto__":{"x":[{},[]]},"u":"é\ud83d\u2028🐎"}"#;

fn emitting(foreign: Foreign) -> (Sessions, Clock) {
    let clock = Clock::manual(START);
    (builder(foreign).clock(clock.clone()).build().unwrap(), clock)
}

fn builder(foreign: Foreign) -> SessionsBuilder {
    Sessions::stateless(Keyring::ephemeral().unwrap()).emit_as(foreign).owner_field("user")
}

#[tokio::test]
async fn what_one_fleet_writes_the_other_reads_in_every_format() {
    for foreign in formats() {
        let (sessions, _) = emitting(foreign.clone());
        let data = format!(r#"{{"count":41,"values":{EXACT},"user":"ada"}}"#);
        let mut jar = Jar::of_node(&foreign, &data, START);
        let (seen, lines) = jar.visit(&sessions, |session| (session.owner(), session.get(COUNT))).await;
        assert_eq!((seen, lines), ((Some("ada".into()), Some(41)), 0), "{}: reading writes nothing", foreign.format());

        jar.visit(&sessions, |session| session.update(COUNT, |count| count.unwrap_or_default() + 1)).await;
        let read = jar.read_by_node(&foreign, START).unwrap();
        assert_eq!(member(&read, "count").as_deref(), Some("42"), "{}", foreign.format());
        assert_eq!(member(&read, "values").as_deref(), Some(EXACT), "{}", foreign.format());
        assert_eq!(member(&read, "user").as_deref(), Some("\"ada\""));
        let exact = jar.visit(&sessions, |session| session.get(VALUES).unwrap().get().to_owned()).await.0;
        assert_eq!(exact, EXACT);
        let known = foreign.cookie_names();
        assert!(jar.0.keys().all(|name| known.contains(name)), "there is no other cookie: {:?}", jar.0.keys());
    }
}

/// C04, E01: signing in is a new session; signing out removes the cookie, and what was copied is nobody's here.
#[tokio::test]
async fn signing_in_and_out_is_seen_by_node_and_a_copy_is_nobodys_here() {
    for foreign in formats() {
        let (sessions, clock) = emitting(foreign.clone());
        let mut jar = Jar::of_node(&foreign, r#"{"count":1}"#, START);
        let before = jar.clone();
        let (anonymous, _) = jar.visit(&sessions, Session::handle).await;
        jar.visit(&sessions, |session| session.sign_in("ada")).await;
        let read = jar.read_by_node(&foreign, START).unwrap();
        assert_eq!(member(&read, "user").as_deref(), Some("\"ada\""));
        assert_eq!(member(&read, "count"), None, "what an anonymous visitor had stays behind (C07)");
        let (fresh, _) =
            jar.visit(&sessions, |session| (session.is_fresh(Duration::from_secs(60)), session.handle())).await;
        assert!(fresh.0 && fresh.1 != anonymous);
        assert_eq!(before.owner(&sessions).await, None);

        clock.advance(Duration::from_secs(60));
        let copies = [jar.clone(), {
            jar.visit(&sessions, |session| session.set(COUNT, 7)).await;
            jar.clone()
        }];
        assert_eq!(jar.visit(&sessions, Session::sign_out).await.1, foreign.seal("{}", START).unwrap().len());
        assert!(jar.0.is_empty(), "{jar:?}");
        for copy in copies {
            assert_eq!(copy.owner(&sessions).await, None, "{}", foreign.format());
            assert!(copy.read_by_node(&foreign, START + MINUTE).is_some(), "Node's format cannot end it");
        }
    }
}

/// E04: an owner's sessions end here, those that Node began too.
#[tokio::test]
async fn the_sessions_of_an_owner_end_here_whoever_began_them() {
    for foreign in formats() {
        let (sessions, clock) = emitting(foreign.clone());
        let of_node = Jar::of_node(&foreign, r#"{"user":"ada"}"#, START);
        let mut ours = Jar::default();
        ours.visit(&sessions, |session| session.sign_in("ada")).await;
        clock.advance(Duration::from_secs(1));
        sessions.end_owner("ada").await.unwrap();
        assert_eq!((of_node.owner(&sessions).await, ours.owner(&sessions).await), (None, None), "{}", foreign.format());
        clock.advance(Duration::from_secs(1));
        ours.visit(&sessions, |session| session.sign_in("ada")).await;
        assert_eq!(ours.owner(&sessions).await.as_deref(), Some("ada"));
    }
}

/// H09: a form that was open while the session was written is still good, and so is the name of the session.
#[tokio::test]
async fn the_token_and_the_handle_outlive_the_cookie() {
    for foreign in formats() {
        let (sessions, _) = emitting(foreign.clone());
        let mut jar = Jar::of_node(&foreign, r#"{"user":"ada"}"#, START);
        let ((token, handle), _) = jar.visit(&sessions, |session| (session.csrf_token(), session.handle())).await;
        let before = jar.clone();
        for count in 0..2 {
            jar.visit(&sessions, |session| session.set(COUNT, count)).await;
        }
        assert_ne!(jar, before);
        // Node keeps what it does not know.
        let read = jar.read_by_node(&foreign, START).unwrap();
        let mut jar = Jar::of_node(&foreign, &read.replacen("\"count\":1", "\"count\":2", 1), START);
        let (seen, _) = jar.visit(&sessions, |session| (session.verify_csrf(&token), session.handle())).await;
        assert_eq!(seen, (true, handle), "{}", foreign.format());
        let (other, _) = Jar::of_node(&foreign, r#"{"user":"bob"}"#, START)
            .visit(&sessions, |session| session.verify_csrf(&token))
            .await;
        assert!(!other);
    }
}

/// The clocks are the package's.
#[tokio::test]
async fn a_session_lives_as_long_as_its_package_says() {
    for foreign in formats() {
        let (sessions, clock) = emitting(foreign.clone());
        let jar = Jar::of_node(&foreign, r#"{"user":"ada"}"#, START);
        let Some(lifetime) = foreign.lifetime() else {
            clock.advance(Duration::from_millis(3_000 * DAY));
            assert_eq!(jar.owner(&sessions).await.as_deref(), Some("ada"), "{} has no end", foreign.format());
            continue;
        };
        clock.advance(lifetime - Duration::from_secs(1));
        assert_eq!(jar.owner(&sessions).await.as_deref(), Some("ada"), "{}", foreign.format());
        // Some packages grant a minute.
        clock.advance(Duration::from_secs(62));
        assert_eq!(jar.owner(&sessions).await, None, "{}", foreign.format());
    }
}

/// client-sessions is prolonged by reading when little is left, and keeps its beginning otherwise.
#[tokio::test]
async fn a_sliding_session_slides_as_its_package_does() {
    let foreign = formats()[1].clone();
    let (sessions, clock) = emitting(foreign.clone());
    let mut jar = Jar::of_node(&foreign, r#"{"user":"ada"}"#, START);
    clock.advance(Duration::from_millis(DAY - 10 * MINUTE));
    assert_eq!(jar.visit(&sessions, Session::owner).await.1, 0);
    clock.advance(Duration::from_millis(6 * MINUTE));
    assert_eq!(jar.visit(&sessions, Session::owner).await, (Some("ada".into()), 1));
    clock.advance(Duration::from_millis(8 * MINUTE));
    assert_eq!(jar.owner(&sessions).await.as_deref(), Some("ada"));
    clock.advance(Duration::from_millis(2 * MINUTE));
    assert_eq!(jar.owner(&sessions).await, None);
}

/// F01: what does not open is a visitor, and is left alone: the other fleet may know the key.
#[tokio::test]
async fn what_does_not_open_is_a_visitor_and_is_left_to_node() {
    for foreign in formats() {
        let (sessions, _) = emitting(foreign.clone());
        let good = Jar::of_node(&foreign, r#"{"user":"ada"}"#, START);
        for name in good.0.keys() {
            for spoil in [|value: &mut String| value.truncate(value.len() / 2), |value: &mut String| value.push('x')] {
                let mut jar = good.clone();
                spoil(jar.0.get_mut(name).unwrap());
                assert_eq!(jar.visit(&sessions, Session::owner).await, (None, 0), "{}: {jar:?}", foreign.format());
            }
        }
        let mut nobody = Jar::default();
        assert_eq!(nobody.visit(&sessions, Session::is_live).await, (false, 0));
    }
}

/// A session over the limit of one cookie is in several, and comes back.
#[tokio::test]
async fn a_session_in_chunks_shrinks_again_and_leaves_none_behind() {
    const TEXT: Field<String> = Field::new("text");
    let foreign: Foreign = IronSession::new("iron", PASSWORD).unwrap().chunk(true).into();
    let (sessions, _) = emitting(foreign.clone());
    let mut jar = Jar::default();
    for length in [10, 6_000, 9_000, 4_000, 10] {
        jar.visit(&sessions, |session| session.set(TEXT, "x".repeat(length))).await;
        let read = jar.read_by_node(&foreign, START).unwrap();
        assert_eq!(member(&read, "text").unwrap().len(), length + 2, "{:?}", jar.0.keys());
        let (chunked, whole) = (jar.0.contains_key("iron.0"), jar.0.contains_key("iron"));
        assert_eq!((chunked, whole), (length > 3_000, length < 3_000), "{:?}", jar.0.keys());
    }
    assert_eq!(jar.0.len(), 1);
    jar.visit(&sessions, |session| session.set(TEXT, "x".repeat(6_000))).await;
    jar.visit(&sessions, Session::sign_out).await;
    assert!(jar.0.is_empty(), "{jar:?}");
}

/// E03: what is too large for a cookie is said, and nothing is lost.
#[tokio::test]
async fn what_is_too_large_is_an_error_and_the_session_stays() {
    const TEXT: Field<String> = Field::new("text");
    for foreign in formats() {
        let (sessions, _) = emitting(foreign.clone());
        let mut jar = Jar::of_node(&foreign, r#"{"count":3}"#, START);
        let error = jar.try_visit(&sessions, |session| session.set(TEXT, "x".repeat(5_000))).await.unwrap_err();
        assert_eq!(error.status().as_u16(), 500, "{}: {error}", foreign.format());
        assert!(error.to_string().contains("4096") || error.to_string().contains("4,096"), "{error}");
        assert_eq!(jar.visit(&sessions, |session| session.get(COUNT)).await.0, Some(3));
    }
}

#[test]
fn what_cannot_be_emitted_is_refused_with_what_to_write() {
    let keys = || Keyring::ephemeral().unwrap();
    let tomorrow = SystemTime::now() + Duration::from_secs(86_400);
    let refusals: [(Result<Sessions, BuildError>, &str); 7] = [
        (Sessions::stored(keys(), MemoryStore::new()).emit_as(iron()).build(), "Sessions::stateless"),
        (builder(ExpressSession::new("connect.sid", ["secret"]).unwrap().into()).build(), "store"),
        (builder(CookieSession::unsigned("session").unwrap().into()).build(), "CookieSession::new"),
        (builder(iron()).cookie(CookiePolicy::host("session")).build(), "CookiePolicy::from_name(\"iron-examples\")"),
        (builder(iron()).renewal(Duration::from_secs(900)).build(), "leave renewal out"),
        (builder(iron()).previous_name(CookiePolicy::plain("old"), tomorrow).build(), "previous_name"),
        (builder(iron()).accept(iron(), tomorrow, |_| None).build(), "one of them"),
    ];
    for (refused, told) in refusals {
        let Err(error) = refused else { panic!("{told} is built") };
        assert!(error.to_string().contains(told), "{error}");
    }
    assert!(builder(iron()).cookie(CookiePolicy::plain("iron-examples").domain("example.com")).build().is_ok());
}
