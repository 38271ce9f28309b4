//! `RequireLogin` and `RequireFresh`: who is let through, and where the others are sent.

use std::time::Duration;

use axum::{
    Router,
    body::Body,
    extract::Request,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
    routing::get,
};
use hardtack::{
    Clock, Keyring, Session, Sessions,
    login::{LoginError, LoginRequired, RequireFresh, RequireLogin},
};
use http::StatusCode;
use tower::ServiceExt;

use crate::{
    app::{PASSWORD, Site},
    common::{START, wait},
};

fn app(sessions: &Sessions) -> Router {
    let fresh = Router::new()
        .route("/danger", get(async || "danger").post(async || "done"))
        .layer(RequireFresh::within(Duration::from_secs(300)).at("/confirm").login_at("/sign-in"));
    Router::new()
        .route("/account", get(async || "account").post(async || "posted"))
        .layer(RequireLogin::at("/sign-in"))
        .merge(fresh)
        .route("/", get(async || "everybody's"))
        .layer(sessions.layer())
}

fn world() -> (Sessions, Clock) {
    let clock = Clock::manual(START);
    (Sessions::stateless(Keyring::ephemeral().unwrap()).clock(clock.clone()).build().unwrap(), clock)
}

/// Status and `Location` of `METHOD TARGET` with these headers.
fn ask(app: &Router, method: &str, target: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = Request::builder().method(method).uri(target);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let response = wait(app.clone().oneshot(request.body(Body::empty()).unwrap())).unwrap();
    let location = response.headers().get("location").map(|value| value.to_str().unwrap().to_owned());
    (response.status().as_u16(), location.unwrap_or_default())
}

/// J03: strangers are sent to the login, with the way back when it is one that can be asked for again.
#[test]
fn a_stranger_is_sent_to_the_login_with_a_safe_way_back() {
    let (sessions, _) = world();
    let app = app(&sessions);
    for (target, location) in [
        ("/account", "/sign-in?next=/account"),
        ("/account?a=1&b=2", "/sign-in?next=/account%3Fa%3D1%26b%3D2"),
        ("/account?next=//evil.example", "/sign-in?next=/account%3Fnext%3D//evil.example"),
        ("/account?x=%0d%0a", "/sign-in?next=/account%3Fx%3D%250d%250a"),
    ] {
        assert_eq!(ask(&app, "GET", target, &[]), (303, location.into()), "{target}");
        assert_eq!(ask(&app, "HEAD", target, &[]), (303, location.into()), "{target}");
    }
    assert_eq!(ask(&app, "POST", "/account", &[]), (303, "/sign-in".into()), "a post cannot be asked for again");
    assert_eq!(ask(&app, "GET", "/danger", &[]), (303, "/sign-in?next=/danger".into()));
    assert_eq!(ask(&app, "GET", "/", &[]), (200, String::new()));
    let long = format!("/account?{}", "a".repeat(2048));
    assert_eq!(ask(&app, "GET", &long, &[]), (303, "/sign-in".into()));
}

/// Scripts and programs are told 401: a page is no use to them.
#[test]
fn a_script_and_a_program_are_told_401() {
    let (sessions, _) = world();
    let app = app(&sessions);
    for header in [
        ("accept", "application/json"),
        ("accept", "application/problem+json, application/json;q=0.5"),
        ("sec-fetch-mode", "cors"),
        ("sec-fetch-mode", "same-origin"),
        ("sec-fetch-mode", "no-cors"),
        ("sec-fetch-mode", "websocket"),
    ] {
        assert_eq!(ask(&app, "GET", "/account", &[header]), (401, String::new()), "{header:?}");
    }
    for header in [
        ("accept", "text/html"),
        ("accept", "*/*"),
        ("accept", "application/json, */*"),
        ("sec-fetch-mode", "navigate"),
    ] {
        assert_eq!(ask(&app, "GET", "/account", &[header]).0, 303, "{header:?}");
    }
}

/// D05: who is signed in gets in; where a fresh password is needed, for so long.
#[test]
fn who_is_signed_in_gets_in_and_who_is_fresh_gets_further() {
    let (sessions, clock) = world();
    let app = app(&sessions);
    let cookie = wait(sessions.cookie(|session| session.sign_in("ada"))).unwrap();
    let ask = |method: &str, target: &str| ask(&app, method, target, &[("cookie", &cookie)]);
    assert_eq!(ask("GET", "/account"), (200, String::new()));
    assert_eq!(ask("POST", "/account"), (200, String::new()));
    clock.advance(Duration::from_secs(299));
    assert_eq!(ask("GET", "/danger"), (200, String::new()));
    assert_eq!(ask("POST", "/danger"), (200, String::new()));
    clock.advance(Duration::from_secs(1));
    assert_eq!(ask("GET", "/danger"), (303, "/confirm?next=/danger".into()));
    assert_eq!(ask("POST", "/danger"), (303, "/confirm".into()));
    assert_eq!(ask("GET", "/account"), (200, String::new()));
}

/// I11: a session of a visitor, whatever is in it, is not somebody who is signed in.
#[test]
fn a_session_of_nobody_is_not_let_in() {
    let (sessions, _) = world();
    let app = app(&sessions);
    let cookie = wait(sessions.cookie(|session| {
        session.keep();
        session.set(hardtack::Field::<bool>::new("mfa_pending"), true);
        session.set(hardtack::Field::<String>::new("owner"), "ada".into());
    }));
    let cookie = cookie.unwrap();
    for target in ["/account", "/danger"] {
        assert_eq!(ask(&app, "GET", target, &[("cookie", &cookie)]).0, 303, "{target}");
    }
}

/// An application makes its own answer of either, by the extension.
#[test]
fn a_refusal_says_why_in_its_extensions() {
    async fn explain(request: Request, next: Next) -> Response {
        let response = next.run(request).await;
        match response.extensions().get::<LoginRequired>() {
            Some(why) => (StatusCode::IM_A_TEAPOT, format!("{why:?}")).into_response(),
            None => response,
        }
    }
    let (sessions, clock) = world();
    let app = app(&sessions).layer(from_fn(explain));
    assert_eq!(ask(&app, "GET", "/account", &[]).0, 418);
    let cookie = wait(sessions.cookie(|session| session.sign_in("ada"))).unwrap();
    clock.advance(Duration::from_secs(300));
    let request = Request::builder().uri("/danger").header("cookie", &cookie).body(Body::empty()).unwrap();
    let response = wait(app.clone().oneshot(request)).unwrap();
    let body = wait(axum::body::to_bytes(response.into_body(), 100)).unwrap();
    assert_eq!(&body[..], b"NotFresh");
}

/// Without the sessions' layer around it nobody is let in, and the fault is the program's.
#[test]
fn without_sessions_nobody_is_let_in() {
    let app = Router::new().route("/", get(async || "secret")).layer(RequireLogin::at("/sign-in"));
    assert_eq!(ask(&app, "GET", "/", &[]).0, 500);
}

/// The error is an answer, with its status and, when waiting helps, for how long; the proof is a part of one.
#[test]
fn errors_and_proofs_are_answers() {
    let throttled = LoginError::Throttled { retry_after: Duration::from_millis(1500) }.into_response();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"2".parse().unwrap()));
    let refused = LoginError::Refused.into_response();
    assert_eq!(refused.status().as_u16(), 401);
    assert!(refused.headers().get("retry-after").is_none());
    assert_eq!(LoginError::Busy.into_response().headers()["retry-after"], "1");

    let site = Site::new();
    let (login, visitor) = (site.login.clone(), site.browser().visitor());
    let (verified, _) = site
        .browser()
        .request(async |session: &Session| login.sign_in(session, &visitor, "ada", PASSWORD).await.unwrap());
    let response = (verified, "welcome").into_response();
    assert!(response.headers()["set-cookie"].to_str().unwrap().starts_with("__Host-device="));
}
