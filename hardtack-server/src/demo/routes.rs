//! Which address does what, and what surrounds every answer.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderValue, StatusCode, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hardtack::{
    CommitError,
    login::{LoginRequired, RequireFresh, RequireLogin},
};

use super::{Site, account, api, copies, devices, lab, pages, refused, views};

/// The largest body of a request: far more than a cookie can hold.
const MAX_BODY: usize = 64 * 1024;

pub(super) fn router(site: Arc<Site>) -> Router {
    let sessions = site.sessions.layer();
    let fresh = Router::new()
        .route("/danger", get(account::danger).post(account::overboard))
        .layer(RequireFresh::within(account::FRESH).at("/confirm"));
    let members = Router::new()
        .route("/protected", get(pages::protected))
        .route("/confirm", get(account::confirm).post(account::step_up))
        .route("/password", get(account::password).post(account::change_password))
        .layer(RequireLogin::at("/login"))
        .merge(fresh);
    Router::new()
        .route("/", get(pages::home))
        .route("/count", post(pages::count))
        .route("/login", get(pages::login).post(pages::log_in))
        .route("/logout", post(pages::log_out))
        .merge(members)
        .route("/devices", get(devices::page))
        .route("/devices/{handle}/end", post(devices::end_on_page))
        .route("/devices/end-others", post(devices::end_others_on_page))
        .route("/lab", get(lab::show).post(lab::experiment))
        .route("/lab/rotate", post(lab::rotate))
        .route("/text", post(copies::keep_text))
        .route("/api/session", get(api::show))
        .route("/api/session/store", post(api::store))
        .route("/api/session/destroy", post(api::destroy))
        .route("/api/devices", get(devices::list))
        .route("/api/devices/{handle}/end", post(devices::end_one))
        .route("/api/devices/end-others", post(devices::end_others))
        .fallback(pages::not_found)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(refused::layer(&site))
        .layer(sessions)
        .layer(from_fn_with_state(site.clone(), explain))
        .route("/healthz", get(async || "ok\n"))
        .route("/style.css", get(async || asset("text/css; charset=utf-8", include_str!("../../templates/style.css"))))
        .route(
            "/session.js",
            get(async || asset("text/javascript; charset=utf-8", include_str!("../../templates/session.js"))),
        )
        .route("/favicon.svg", get(async || asset("image/svg+xml", include_str!("../../templates/favicon.svg"))))
        .layer(from_fn(add_security_headers))
        .with_state(site)
}

fn asset(content_type: &'static str, text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "public, max-age=3600")], text).into_response()
}

/// A commit that failed and a layer that lets nobody through leave an empty answer with the reason beside it; a person gets a
/// page, a program a text.
async fn explain(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let json = request.uri().path().starts_with("/api/") || api::accepts_only_json(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<CommitError>() {
        Some(error) => explain_failed_commit(&site, json, error),
        None if response.status() == StatusCode::UNAUTHORIZED => match response.extensions().get::<LoginRequired>() {
            Some(LoginRequired::Anonymous) => api::problem(StatusCode::UNAUTHORIZED, "Sign in first."),
            Some(LoginRequired::NotFresh) => api::problem(StatusCode::UNAUTHORIZED, "Confirm your password first."),
            None => response,
        },
        None => response,
    }
}

pub(super) fn explain_failed_commit(site: &Site, json: bool, error: &CommitError) -> Response {
    let (status, message) = match error {
        CommitError::TooLarge { size, limit } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!(
                "That is too much for a cookie: it would have {size} bytes, and browsers keep {limit}. Nothing was saved."
            ),
        ),
        CommitError::RecordTooLarge { size, limit } => (
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("That is too much for a session: it would have {size} bytes of {limit}. Nothing was saved."),
        ),
        CommitError::OwnerEnded => (
            error.status(),
            "All devices were signed out while the password was being checked. Nobody is signed in; try again.".into(),
        ),
        other => {
            eprintln!("hardtack: {other}");
            (other.status(), "The session could not be saved. Nothing was changed; try again.".into())
        }
    };
    if json { api::problem(status, &message) } else { views::problem(site, status, &message) }
}

async fn add_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (
            header::CONTENT_SECURITY_POLICY,
            "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
        ),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
