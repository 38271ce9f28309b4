//! The tower layer and the axum extractors: one session per request, one commit, and a response that never
//! says what did not happen.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::Request,
    middleware::{self, Next},
    response::Response,
    routing::get,
};
use common::{NOTE, builder, cookie, exchange, fetch, fetch_bare, serve, sessions, wait};
use hardtack::{CommitError, CookiePolicy, Field, FieldError, Keyring, Outcome, Session, SessionRejection, Sessions};
use http::{StatusCode, header};
use tower::{Layer, Service, ServiceBuilder, ServiceExt, service_fn};

/// Reads the note, then adds a letter to it.
async fn add(session: Session) -> String {
    let note = session.get(NOTE).unwrap_or_default();
    session.set(NOTE, format!("{note}x"));
    note
}

/// The note of the session in a `NAME=VALUE`.
fn note(sessions: &Sessions, cookie: &str) -> Option<String> {
    let request = sessions.begin([cookie.as_bytes()]);
    wait(request.session()).unwrap().get(NOTE)
}

/// The same sessions layered twice are one: one cookie, one commit, and both layers see one session.
#[test]
fn the_same_sessions_layered_twice_are_one() {
    async fn between(session: Session, request: Request, next: Next) -> Response {
        session.set(NOTE, "between ".into());
        next.run(request).await
    }
    let sessions = sessions();
    let app = Router::new()
        .route("/", get(add))
        .layer(sessions.clone().layer())
        .layer(middleware::from_fn(between))
        .layer(sessions.layer());
    let reply = fetch_bare(serve(app), "/");
    assert_eq!((reply.status, reply.text()), (200, "between "));
    assert_eq!(reply.all("vary"), ["Cookie"]);
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("between x"));
}

/// Different sessions nested inside each other are two: the handler gets the inner one, what stands between
/// the layers gets the outer one, and each sends its own cookie.
#[test]
fn different_sessions_nested_inside_each_other_stay_apart() {
    async fn between(session: Session, request: Request, next: Next) -> Response {
        session.set(NOTE, "outer".into());
        next.run(request).await
    }
    let named = |name: &str| builder().0.cookie(CookiePolicy::host(name)).build().unwrap();
    let (outer, inner) = (named("outer"), named("inner"));
    let app = Router::new()
        .route("/", get(add))
        .layer(inner.layer())
        .layer(middleware::from_fn(between))
        .layer(outer.layer());
    let server = serve(app);
    let reply = fetch_bare(server, "/");
    assert_eq!(reply.text(), "", "the handler does not see the outer session");
    let lines = reply.set_cookies();
    let value = |name: &str| lines.iter().find(|line| line.starts_with(name)).unwrap().split(';').next().unwrap();
    assert_eq!(lines.len(), 2);
    assert_eq!(note(&inner, value("__Host-inner")).as_deref(), Some("x"));
    assert_eq!(note(&outer, value("__Host-outer")).as_deref(), Some("outer"));
    let again = fetch(server, "/", [format!("{}; {}", value("__Host-outer"), value("__Host-inner"))]);
    assert_eq!(again.text(), "x");
}

/// The same policy under other keys is another system, not the same one twice.
#[test]
fn an_equal_policy_is_not_the_same_sessions() {
    let (outer, inner) = (sessions(), sessions());
    let app = Router::new().route("/", get(common::who)).layer(inner.layer()).layer(outer.layer());
    let server = serve(app);
    assert_eq!(fetch(server, "/", [cookie(&inner, |session| session.sign_in("ada"))]).text(), "ada");
    assert_eq!(fetch(server, "/", [cookie(&outer, |session| session.sign_in("ada"))]).text(), "nobody");
}

/// `Option<Session>` is `None` for a visitor about whom nothing is known, and makes no session of them.
#[test]
fn an_optional_session_is_none_for_a_visitor_without_one() {
    async fn optional(session: Option<Session>) -> String {
        session.map_or_else(|| "none".into(), |session| session.owner().unwrap_or_else(|| "anonymous".into()))
    }
    let sessions = sessions();
    let server = serve(Router::new().route("/", get(optional)).layer(sessions.layer()));
    let ask = |cookies: &str| {
        let reply = fetch(server, "/", [cookies]);
        (reply.text().to_owned(), reply.set_cookies().len())
    };
    assert_eq!(ask(""), ("none".into(), 0));
    assert_eq!(ask("__Host-session=forged"), ("none".into(), 1));
    assert_eq!(ask(&cookie(&sessions, |session| session.set(NOTE, "x".into()))), ("anonymous".into(), 0));
    assert_eq!(ask(&cookie(&sessions, |session| session.sign_in("ada"))), ("ada".into(), 0));
}

/// Without a layer the extractor answers 500 and tells the visitor nothing; a handler may ask why.
#[test]
fn a_missing_layer_is_a_500_without_internals() {
    async fn fallible(session: Result<Session, SessionRejection>) -> String {
        match session {
            Err(SessionRejection::NoLayer) => "no layer".into(),
            other => format!("{other:?}"),
        }
    }
    let app = Router::new()
        .route("/", get(common::who))
        .route("/optional", get(async |_: Option<Session>| "reached"))
        .route("/fallible", get(fallible));
    let server = serve(app);
    for path in ["/", "/optional"] {
        let reply = fetch_bare(server, path);
        assert_eq!((reply.status, reply.text()), (500, ""));
        assert!(reply.set_cookies().is_empty() && reply.all("vary").is_empty());
    }
    assert_eq!(fetch_bare(server, "/fallible").text(), "no layer");
}

/// With a layer, `Result<Session, SessionRejection>` is the session.
#[test]
fn a_fallible_session_is_the_session() {
    let sessions = sessions();
    let owner = async |session: Result<Session, SessionRejection>| session.unwrap().owner().unwrap();
    let server = serve(Router::new().route("/", get(owner)).layer(sessions.layer()));
    assert_eq!(fetch(server, "/", [cookie(&sessions, |session| session.sign_in("ada"))]).text(), "ada");
}

/// All extractions of a request are one session: what a middleware or one argument wrote, the next one reads,
/// and it is committed once.
#[test]
fn all_extractions_of_a_request_are_one_session() {
    async fn before(request: Request, next: Next) -> Response {
        let session = Session::from_extensions(request.extensions()).await.unwrap();
        session.set(NOTE, "middleware".into());
        next.run(request).await
    }
    async fn twice(first: Session, second: Option<Session>, third: Session) -> String {
        first.set(NOTE, first.get(NOTE).unwrap() + " first");
        let note = second.unwrap().get(NOTE).unwrap();
        third.set(NOTE, format!("{note} third"));
        note
    }
    let sessions = sessions();
    let app = Router::new().route("/", get(twice)).layer(middleware::from_fn(before)).layer(sessions.layer());
    let reply = fetch_bare(serve(app), "/");
    assert_eq!(reply.text(), "middleware first");
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("middleware first third"));
}

/// J10: two requests are two sessions, however they follow each other.
#[test]
fn two_requests_are_two_sessions() {
    let sessions = sessions();
    let server = serve(Router::new().route("/", get(add)).layer(sessions.layer()));
    let first = fetch_bare(server, "/");
    let second = fetch_bare(server, "/");
    assert_eq!((first.text(), second.text()), ("", ""));
    assert_ne!(first.cookie(), second.cookie());
    assert_eq!(fetch(server, "/", [first.cookie()]).text(), "x");
}

/// A handler that panics commits nothing: no answer, no cookie, and the session that it ended lives.
#[test]
fn a_panic_in_the_handler_commits_nothing() {
    async fn panics(session: Session) {
        session.sign_out();
        session.set(NOTE, "x".into());
        panic!("on purpose");
    }
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let app = Router::new().route("/", get(common::who)).route("/panics", get(panics)).layer(sessions.layer());
    let server = serve(app);
    let head = format!("GET /panics HTTP/1.1\r\nHost: app.example\r\nCookie: {live}\r\n\r\n");
    assert!(exchange(server, head.as_bytes()).is_none());
    assert_eq!(fetch(server, "/", [&live]).text(), "ada");
}

/// A request that a client breaks off before the response commits nothing either.
#[test]
fn a_request_that_is_dropped_commits_nothing() {
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let mut service = sessions.layer().layer(service_fn(async |request: http::Request<()>| {
        Session::from_extensions(request.extensions()).await.unwrap().sign_out();
        std::future::pending::<Result<http::Response<String>, Infallible>>().await
    }));
    let request = http::Request::get("/").header(header::COOKIE, &live).body(()).unwrap();
    let mut response = Box::pin(service.call(request));
    let waker = std::task::Waker::noop();
    assert!(response.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    drop(response);
    let request = sessions.begin([live.as_bytes()]);
    assert_eq!(wait(request.session()).unwrap().owner().as_deref(), Some("ada"));
}

/// Shows what the layer left in the extensions of a response.
async fn show_error(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Some(error) = response.extensions().get::<CommitError>() {
        let text = format!("{error:?}");
        let name = text.split([' ', '(', '{']).next().unwrap().parse().unwrap();
        response.headers_mut().insert("x-error", name);
    }
    response
}

/// A value that is no JSON.
#[derive(Debug, PartialEq)]
struct NoJson;

impl serde::Serialize for NoJson {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("on purpose"))
    }
}

const NO_JSON: Field<NoJson> = Field::new("no_json");

/// J05: a commit that fails takes the handler's response with it – its status, its body, its headers – and
/// answers 500, uncached, without a cookie of ours, with the reason in the extensions.
#[test]
fn a_failed_commit_replaces_the_response() {
    async fn oversize(session: Session) -> ([(header::HeaderName, &'static str); 2], &'static str) {
        session.set(NOTE, "x".repeat(5000));
        ([(header::SET_COOKIE, "theme=dark"), (header::CACHE_CONTROL, "public")], "saved")
    }
    async fn no_json(session: Session) -> &'static str {
        session.sign_in("ada");
        session.set(NO_JSON, NoJson);
        "saved"
    }
    async fn no_owner(session: Session) -> &'static str {
        session.sign_in("");
        "signed in"
    }
    async fn long_owner(session: Session) -> &'static str {
        session.sign_in("x".repeat(513));
        "signed in"
    }
    async fn late(session: Session) -> &'static str {
        session.set(NOTE, "early".into());
        assert_eq!(session.commit().await.unwrap(), Outcome::Saved);
        session.set(NOTE, "late".into());
        "saved"
    }
    async fn late_sign_out(session: Session) -> &'static str {
        session.commit().await.unwrap();
        session.sign_out();
        "signed out"
    }
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.set(NOTE, "before".into()));
    let app = Router::new()
        .route("/oversize", get(oversize))
        .route("/no-json", get(no_json))
        .route("/no-owner", get(no_owner))
        .route("/long-owner", get(long_owner))
        .route("/late", get(late))
        .route("/late-sign-out", get(late_sign_out))
        .layer(sessions.layer())
        .layer(middleware::from_fn(show_error));
    let server = serve(app);
    for (path, error) in [
        ("/oversize", "TooLarge"),
        ("/no-json", "Field"),
        ("/no-owner", "Owner"),
        ("/long-owner", "Owner"),
        ("/late", "Closed"),
        ("/late-sign-out", "Closed"),
    ] {
        for cookies in ["", &live] {
            let reply = fetch(server, path, [cookies]);
            assert_eq!((reply.status, reply.text(), reply.one("x-error")), (500, "", error), "{path}");
            assert!(reply.set_cookies().is_empty(), "{path}");
            assert_eq!(reply.all("cache-control"), ["no-store"], "{path}");
        }
    }
    assert_eq!(note(&sessions, &live).as_deref(), Some("before"), "the session that was there still is");
}

/// What can be known at once is said at once: the `try_` writes answer the error and fail nothing.
#[test]
fn a_write_that_is_tried_fails_alone() {
    async fn tries(session: Session) -> String {
        let error = session.try_set(NO_JSON, NoJson).unwrap_err();
        session.set(NOTE, "kept".into());
        format!("{error:?}").split(' ').next().unwrap().to_owned()
    }
    let sessions = sessions();
    let reply = fetch_bare(serve(Router::new().route("/", get(tries)).layer(sessions.layer())), "/");
    assert_eq!((reply.status, reply.text()), (200, "Encode"));
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("kept"));
}

/// `discard` forgets everything: writes, a sign-in, a sign-out, and what would have failed the commit.
#[test]
fn a_discarded_request_changes_nothing() {
    async fn discards(session: Session) -> &'static str {
        session.set(NO_JSON, NoJson);
        session.sign_out();
        session.sign_in("bob");
        session.discard();
        "discarded"
    }
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let app = Router::new().route("/", get(common::who)).route("/discards", get(discards)).layer(sessions.layer());
    let server = serve(app);
    for cookies in ["", &live, "__Host-session=forged"] {
        let reply = fetch(server, "/discards", [cookies]);
        assert_eq!((reply.status, reply.text(), reply.set_cookies()), (200, "discarded", vec![]));
    }
    assert_eq!(fetch(server, "/", [&live]).text(), "ada");
}

/// `commit` says before the response is made whether it will hold; what failed may be written smaller, and
/// the cookie goes out once.
#[test]
fn an_early_commit_may_fail_and_be_tried_again() {
    async fn early(session: Session) -> String {
        session.set(NOTE, "x".repeat(5000));
        let first = session.commit().await;
        session.set(NOTE, "small".into());
        let second = session.commit().await;
        let third = session.commit().await;
        format!("{} {:?} {}", first.is_err(), second.unwrap(), matches!(third, Err(CommitError::Closed)))
    }
    let sessions = sessions();
    let reply = fetch_bare(serve(Router::new().route("/", get(early)).layer(sessions.layer())), "/");
    assert_eq!((reply.status, reply.text()), (200, "true Saved true"));
    assert_eq!(note(&sessions, &reply.cookie()).as_deref(), Some("small"));
    assert_eq!(reply.all("cache-control"), ["no-store"]);
}

/// `commit` answers what the request did to its session.
#[test]
fn an_early_commit_says_what_happened() {
    async fn outcome(kind: axum::extract::Path<String>, session: Session) -> String {
        match kind.as_str() {
            "read" => drop(session.owner()),
            "set" => session.set(NOTE, "x".into()),
            "in" => session.sign_in("bob"),
            _ => session.sign_out(),
        }
        format!("{:?}", session.commit().await.unwrap())
    }
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let server = serve(Router::new().route("/{kind}", get(outcome)).layer(sessions.layer()));
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let ask = |kind: &str| {
        let reply = fetch(server, kind, [&live]);
        (reply.text().to_owned(), reply.set_cookies().len())
    };
    assert_eq!(ask("/read"), ("Untouched".into(), 0));
    assert_eq!(ask("/set"), ("Saved".into(), 1));
    clock.advance(Duration::from_secs(1800));
    assert_eq!(ask("/read"), ("Touched".into(), 1));
    assert_eq!(ask("/in"), ("Renewed".into(), 1));
    assert_eq!(ask("/read"), ("Untouched".into(), 0), "it has ended");
}

/// After the head has left, a session that was kept still reads and confirms, and says that it no longer
/// writes.
#[test]
fn after_the_head_a_session_reads_and_no_longer_writes() {
    let kept = Arc::new(Mutex::new(None));
    let keeper = kept.clone();
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let app = Router::new().route(
        "/",
        get(async move |session: Session| {
            *keeper.lock().unwrap() = Some(session);
        }),
    );
    let server = serve(app.layer(sessions.layer()));
    assert_eq!(fetch(server, "/", [&live]).status, 200);
    let session: Session = kept.lock().unwrap().take().unwrap();
    assert_eq!(session.owner().as_deref(), Some("ada"));
    assert!(wait(session.confirm()).unwrap());
    assert!(matches!(session.try_set(NOTE, "late".into()), Err(FieldError::Closed)));
    assert!(matches!(wait(session.commit()), Err(CommitError::Closed)));
    wait(sessions.end(&session.handle().unwrap())).unwrap();
    assert!(!wait(session.confirm()).unwrap());
}

/// The layer goes around any tower service over `http`, whatever its bodies are; axum is not needed.
#[test]
fn a_tower_service_without_axum_has_sessions() {
    #[derive(Default)]
    struct NoBody;
    async fn handle(request: http::Request<Vec<u8>>) -> Result<http::Response<Option<NoBody>>, Infallible> {
        let session = Session::from_extensions(request.extensions()).await.unwrap();
        session.update(NOTE, |note| note.unwrap_or_default() + "x");
        let mut response = http::Response::new(Some(NoBody));
        if request.uri().path() == "/large" {
            session.set(NOTE, "x".repeat(5000));
            *response.status_mut() = StatusCode::CREATED;
        }
        Ok(response)
    }
    let sessions = sessions();
    let service = ServiceBuilder::new().layer(sessions.layer()).service(service_fn(handle));
    let ask = |path: &str, cookie: &str| {
        let request = http::Request::get(path).header(header::COOKIE, cookie).body(Vec::new()).unwrap();
        wait(service.clone().oneshot(request)).unwrap()
    };
    let set_cookie = |response: &http::Response<_>| {
        let line = response.headers().get(header::SET_COOKIE).unwrap().to_str().unwrap();
        line.split(';').next().unwrap().to_owned()
    };
    let first = set_cookie(&ask("/", ""));
    let second = set_cookie(&ask("/", &first));
    assert_eq!(note(&sessions, &second).as_deref(), Some("xx"));

    let failed = ask("/large", &second);
    assert_eq!(failed.status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert!(failed.body().is_none() && failed.headers().get(header::SET_COOKIE).is_none());
    assert!(matches!(failed.extensions().get(), Some(CommitError::TooLarge { .. })));
}

/// An error of the inner service passes through as it is, and commits nothing.
#[test]
fn an_error_of_the_inner_service_passes_through_and_commits_nothing() {
    let sessions = sessions();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let service = sessions.layer().layer(service_fn(async |request: http::Request<()>| {
        Session::from_extensions(request.extensions()).await.unwrap().sign_out();
        Err::<http::Response<Bytes>, _>("broken")
    }));
    let request = http::Request::get("/").header(header::COOKIE, &live).body(()).unwrap();
    assert_eq!(wait(service.oneshot(request)).unwrap_err(), "broken");
    let request = sessions.begin([live.as_bytes()]);
    assert_eq!(wait(request.session()).unwrap().owner().as_deref(), Some("ada"));
}

/// The layer asks the inner service whether it is ready and calls the one that answered.
#[test]
fn the_layer_waits_until_the_inner_service_is_ready() {
    #[derive(Default)]
    struct Slow {
        asked: usize,
        called: Arc<AtomicUsize>,
    }
    impl Service<http::Request<()>> for Slow {
        type Response = http::Response<Bytes>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
            self.asked += 1;
            if self.asked < 3 {
                cx.waker().wake_by_ref();
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, _: http::Request<()>) -> Self::Future {
            assert!(self.asked >= 3, "called before it was ready");
            self.called.fetch_add(1, Ordering::Relaxed);
            std::future::ready(Ok(http::Response::default()))
        }
    }
    let slow = Slow::default();
    let called = slow.called.clone();
    wait(sessions().layer().layer(slow).oneshot(http::Request::new(()))).unwrap();
    assert_eq!(called.load(Ordering::Relaxed), 1);
}

/// The layer of a router that is merged into another one, and the one around a nested router, count where
/// they stand; a route outside of them has no session.
#[test]
fn a_layer_counts_for_the_routes_inside_it() {
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).build().unwrap();
    let inside = Router::new().route("/in", get(common::who)).layer(sessions.layer());
    let nested = Router::new().route("/in", get(common::who)).layer(sessions.layer());
    let app = Router::new().route("/out", get(common::who)).merge(inside).nest("/nested", nested);
    let server = serve(app);
    assert_eq!(fetch_bare(server, "/in").status, 200);
    assert_eq!(fetch_bare(server, "/nested/in").status, 200);
    assert_eq!(fetch_bare(server, "/out").status, 500);
}
