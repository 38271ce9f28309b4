//! What caches are told, and what no data of a user can say to them: J01, J02, J04.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{pin::Pin, time::Duration};

use axum::{
    Router,
    extract::Query,
    http::{HeaderMap, header},
    routing::{get, post},
};
use common::{NOTE, Reply, cookie, fetch, fetch_bare, request, serve, sessions, wait};
use hardtack::{Session, SessionRejection};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
struct Data {
    note: Option<String>,
}

type Access = fn(Session) -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// Everything that can be done with a session, by name.
fn accesses() -> Vec<(&'static str, Access)> {
    macro_rules! access {
        ($($name:literal => |$session:ident| $work:expr),+ $(,)?) => {
            vec![$(($name, |$session: Session| Box::pin(async move {
                let _ = $work;
            }))),+]
        };
    }
    access! {
        "extract" => |_session| (),
        "get" => |session| session.get(NOTE),
        "try_get" => |session| session.try_get(NOTE),
        "set" => |session| session.set(NOTE, "x".into()),
        "try_set" => |session| session.try_set(NOTE, "x".into()),
        "remove" => |session| session.remove(NOTE),
        "update" => |session| session.update(NOTE, |_| "x".into()),
        "try_update" => |session| session.try_update(NOTE, |_| "x".into()),
        "take" => |session| session.take(NOTE),
        "clear" => |session| session.clear(),
        "read" => |session| session.read::<Data>(),
        "try_read" => |session| session.try_read::<Data>(),
        "write" => |session| session.write(&Data { note: Some("x".into()) }),
        "try_write" => |session| session.try_write(&Data { note: None }),
        "sign_in" => |session| session.sign_in("bob"),
        "sign_out" => |session| session.sign_out(),
        "owner" => |session| session.owner(),
        "is_fresh" => |session| session.is_fresh(Duration::from_secs(1)),
        "is_live" => |session| session.is_live(),
        "remember_me" => |session| session.remember_me(true),
        "keep" => |session| session.keep(),
        "handle" => |session| session.handle(),
        "expires_in" => |session| session.expires_in(),
        "confirm" => |session| session.confirm().await,
        "commit" => |session| session.commit().await,
        "discard" => |session| session.discard(),
        "csrf_token" => |session| session.csrf_token(),
        "verify_csrf" => |session| session.verify_csrf("x"),
        "debug" => |session| format!("{session:?}"),
    }
}

/// J01: every access to the session, whether there is one or not and whether anything changes or not, makes
/// the response depend on the cookie, and no shared cache may keep it.
#[test]
fn every_access_to_the_session_says_vary_cookie() {
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let mut app = Router::new();
    for (name, access) in accesses() {
        app = app.route(&format!("/{name}"), get(move |session: Session| access(session)));
    }
    let server = serve(app.layer(sessions.layer()));
    for (name, _) in accesses() {
        for cookies in ["", &live, "__Host-session=forged"] {
            let reply = fetch(server, &format!("/{name}"), [cookies]);
            assert_eq!(reply.status, 200, "{name}");
            assert_eq!(reply.all("vary"), ["Cookie"], "{name} {cookies}");
            let kept = if reply.set_cookies().is_empty() { "private" } else { "no-store" };
            assert_eq!(reply.all("cache-control"), [kept], "{name} {cookies}");
        }
    }
}

/// J01: so do the other ways to a session: an optional one, a fallible one, one that a middleware asked for.
#[test]
fn every_way_to_the_session_says_vary_cookie() {
    async fn middleware(request: axum::extract::Request, next: axum::middleware::Next) -> axum::response::Response {
        let _ = Session::from_extensions(request.extensions()).await;
        next.run(request).await
    }
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let app = Router::new()
        .route("/middleware", get(async || ()))
        .layer(axum::middleware::from_fn(middleware))
        .route("/optional", get(async |_: Option<Session>| ()))
        .route("/fallible", get(async |_: Result<Session, SessionRejection>| ()))
        .layer(sessions.layer());
    let server = serve(app);
    for path in ["/optional", "/fallible", "/middleware"] {
        for cookies in ["", &live] {
            let reply = fetch(server, path, [cookies]);
            assert_eq!((reply.status, reply.all("vary")), (200, vec!["Cookie"]), "{path} {cookies}");
        }
    }
}

/// J01, A14: a request that never asks for its session gets no header from us, whatever cookie it brought.
#[test]
fn an_untouched_session_says_nothing() {
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let server = serve(Router::new().route("/", get(async || "public")).layer(sessions.layer()));
    for cookies in ["", &live, "__Host-session=forged"] {
        let reply = fetch(server, "/", [cookies]);
        for header in ["vary", "cache-control", "set-cookie"] {
            assert!(reply.all(header).is_empty(), "{header}: {reply:?}");
        }
    }
}

/// What a handler says about caches, and whether it writes.
#[derive(Deserialize)]
struct Says {
    #[serde(default)]
    control: String,
    #[serde(default)]
    vary: String,
    #[serde(default)]
    writes: bool,
}

async fn say(Query(says): Query<Says>, session: Session) -> (HeaderMap, &'static str) {
    if says.writes {
        session.set(NOTE, "x".into());
    }
    let mut headers = HeaderMap::new();
    for line in says.control.split('|').filter(|line| !line.is_empty()) {
        headers.append(header::CACHE_CONTROL, line.parse().unwrap());
    }
    for line in says.vary.split('|').filter(|line| !line.is_empty()) {
        headers.append(header::VARY, line.parse().unwrap());
    }
    (headers, "said")
}

fn ask(server: std::net::SocketAddr, query: &str) -> Reply {
    fetch_bare(server, &format!("/?{}", query.replace(' ', "%20").replace('|', "%7C")))
}

fn say_server() -> std::net::SocketAddr {
    serve(Router::new().route("/", get(say)).layer(sessions().layer()))
}

/// J02: a response that sets the cookie is kept by nobody, whatever the application said about sharing it.
#[test]
fn a_response_that_sets_the_cookie_is_kept_by_nobody() {
    let server = say_server();
    for control in [
        "",
        "public",
        "public, max-age=86400",
        "max-age=60",
        "s-maxage=60",
        "private",
        "private, max-age=60",
        "no-cache",
        "immutable",
        "PUBLIC",
        "no-store-me",
        "public|max-age=60",
    ] {
        let reply = ask(server, &format!("control={control}&writes=true"));
        assert_eq!(reply.set_cookies().len(), 1);
        assert_eq!(reply.all("cache-control"), ["no-store"], "{control}");
        assert_eq!(reply.all("vary"), ["Cookie"]);
    }
    for control in ["no-store", "No-Store", "private, no-store", "no-store, max-age=0"] {
        let reply = ask(server, &format!("control={control}&writes=true"));
        assert_eq!(reply.all("cache-control"), [control], "it said so itself");
    }
}

/// J02: the removal of a cookie is kept by nobody as well.
#[test]
fn a_response_that_removes_the_cookie_is_kept_by_nobody() {
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let app = Router::new().route(
        "/",
        get(async |session: Session| {
            session.sign_out();
            ([(header::CACHE_CONTROL, "public, max-age=60")], "bye")
        }),
    );
    let reply = fetch(serve(app.layer(sessions.layer())), "/", [&live]);
    assert!(reply.one("set-cookie").contains("; Max-Age=0"));
    assert_eq!(reply.all("cache-control"), ["no-store"]);
}

/// J02: a response that used the session is private, unless the application decided about sharing itself.
#[test]
fn a_response_that_used_the_session_is_private_unless_the_application_decided() {
    let server = say_server();
    for (control, wanted) in [
        ("", "private"),
        ("max-age=60", "private, max-age=60"),
        ("no-cache", "private, no-cache"),
        ("must-revalidate|max-age=60", "private, must-revalidate, max-age=60"),
        ("x-private, max-age=60", "private, x-private, max-age=60"),
        ("max-age=60, ext=private", "private, max-age=60, ext=private"),
    ] {
        assert_eq!(ask(server, &format!("control={control}")).all("cache-control"), [wanted], "{control}");
    }
    for control in
        ["private", "Private, max-age=60", "no-store", "max-age=0,no-store", "public", "s-maxage=60", "S-MaxAge=1"]
    {
        assert_eq!(ask(server, &format!("control={control}")).all("cache-control"), [control]);
    }
}

/// J01: what the application varies by stays, and the cookie is named once.
#[test]
fn the_cookie_is_named_once_among_what_the_response_varies_by() {
    let server = say_server();
    for (vary, wanted) in [
        ("Accept", vec!["Accept", "Cookie"]),
        ("Accept|Origin", vec!["Accept", "Origin", "Cookie"]),
        ("Cookie2, X-Cookie", vec!["Cookie2, X-Cookie", "Cookie"]),
        ("Cookie", vec!["Cookie"]),
        ("cookie", vec!["cookie"]),
        ("Accept , COOKIE ,Origin", vec!["Accept , COOKIE ,Origin"]),
        ("Accept|Cookie", vec!["Accept", "Cookie"]),
        ("*", vec!["*"]),
    ] {
        for writes in ["", "&writes=true"] {
            assert_eq!(ask(server, &format!("vary={vary}{writes}")).all("vary"), wanted, "{vary}");
        }
    }
}

/// Signs the owner in that the body names, and keeps its note: a name and a text that a user chose.
async fn keep(session: Session, body: String) {
    let (owner, note) = body.split_once('\u{1}').unwrap();
    session.sign_in(owner);
    session.set(NOTE, note.into());
    session.csrf_token();
}

fn hostile_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("\r\n".to_owned()),
        Just("\nSet-Cookie: planted=1".to_owned()),
        Just("\r\n\r\n<html>".to_owned()),
        Just("\0".to_owned()),
        Just("; Domain=evil.example".to_owned()),
        any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 1..12).prop_map(|pieces| pieces.concat().replace('\u{1}', ""))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// J04: whatever users call themselves and write, the head of the response has the fields that it always
    /// has, and the cookie's value is letters, digits, '-' and '_'.
    #[test]
    fn no_data_of_a_user_reaches_the_head_of_a_response(owner in hostile_text(), note in hostile_text()) {
        prop_assume!(!owner.is_empty());
        let server = serve(Router::new().route("/", post(keep)).layer(sessions().layer()));
        let body = format!("{owner}\u{1}{note}");
        let reply = request(server, "POST", "/", b"Host: app.example\r\n", body.as_bytes());
        prop_assert_eq!(reply.status, 200);
        let mut names: Vec<_> = reply.headers.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        prop_assert_eq!(names, ["cache-control", "connection", "content-length", "date", "set-cookie", "vary"]);
        let line = reply.one("set-cookie");
        let value = line.strip_prefix("__Host-session=").unwrap();
        let value = value.strip_suffix("; Path=/; HttpOnly; SameSite=Lax; Secure").unwrap();
        prop_assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
        prop_assert!(reply.body.is_empty());
    }

    /// J04: nor does it reach the log: every event is one line, and the only names in it are public handles.
    #[test]
    fn no_data_of_a_user_reaches_the_log(owner in hostile_text(), note in hostile_text(), value in hostile_text()) {
        prop_assume!(!owner.is_empty());
        const NUMBER: hardtack::Field<u64> = hardtack::Field::new("note");
        let sessions = sessions();
        let text = common::log::logged(|| {
            let live = cookie(&sessions, |session| {
                session.sign_in(&owner);
                session.set(NOTE, note.clone());
                assert_eq!(session.get(NUMBER), None);
            });
            for cookies in [live, format!("__Host-session={value}")] {
                let request = sessions.begin([cookies.as_bytes()]);
                wait(request.session()).unwrap().sign_out();
                let _ = wait(request.finish()).unwrap();
            }
        });
        // Signed in, does not fit, ended, refused.
        prop_assert_eq!(text.lines().count(), 4, "{}", text);
        let clean = text.chars().all(|char| char == '\n' || (' '..='~').contains(&char));
        prop_assert!(clean && !text.contains("planted") && !text.contains("evil"), "{}", text);
    }
}
