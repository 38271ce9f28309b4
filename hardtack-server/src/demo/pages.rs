//! The pages and what their forms do.

use std::sync::Arc;

use axum::{
    Form,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, Uri},
    response::{IntoResponse, Redirect, Response},
};
use hardtack::{CommitError, Field, Session, login::safe_next};
use serde::Deserialize;

use super::{Site, api, copies, label, password::MAX_PASSWORD, routes, views};

pub(super) const COUNT: Field<u64> = Field::new("count");

/// Who the one password belongs to.
const OWNER: &str = "keeper";
pub(super) const LANDING: &str = "/protected";

pub(super) async fn home(State(site): State<Arc<Site>>, session: Session, headers: HeaderMap) -> Response {
    views::home(&site, &session, &headers)
}

pub(super) async fn count(session: Session) -> Redirect {
    session.keep();
    session.update(COUNT, |count| count.unwrap_or_default().saturating_add(1));
    Redirect::to("/")
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NextQuery {
    pub(super) next: String,
}

pub(super) async fn login(State(site): State<Arc<Site>>, session: Session, Query(query): Query<NextQuery>) -> Response {
    views::login(&site, &session, safe_next(&query.next).unwrap_or(LANDING), None)
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    password: String,
    #[serde(default)]
    next: String,
    remember: Option<String>,
}

pub(super) async fn log_in(
    State(site): State<Arc<Site>>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let next = safe_next(&form.next).unwrap_or(LANDING).to_owned();
    if form.password.len() > MAX_PASSWORD {
        let message = format!("A password has at most {MAX_PASSWORD} bytes.");
        return (StatusCode::BAD_REQUEST, views::login(&site, &session, &next, Some(message))).into_response();
    }
    if let Err(error) = session.prepare_sign_in().await {
        return views::failure(&site, &error.into(), "The sessions could not be reached. Try again.");
    }
    match site.password.verify(form.password).await {
        Ok(true) => {
            session.sign_in(OWNER);
            session.remember_me(form.remember.is_some());
            session.set_label(&label::of(&headers));
            match session.commit().await {
                Ok(_) => Redirect::to(&next).into_response(),
                Err(CommitError::DeviceLimit) => {
                    session.discard();
                    let message = "You are signed in on as many devices as are allowed. Log out on one of them first.";
                    (StatusCode::CONFLICT, views::login(&site, &session, &next, Some(message.into()))).into_response()
                }
                Err(error) => {
                    session.discard();
                    routes::explain(&site, api::accepts_only_json(&headers), &error)
                }
            }
        }
        Ok(false) => {
            let message = "That is not the password.".into();
            (StatusCode::UNAUTHORIZED, views::login(&site, &session, &next, Some(message))).into_response()
        }
        Err(error) => views::failure(&site, &error, "The password could not be checked. Try again."),
    }
}

pub(super) async fn log_out(State(site): State<Arc<Site>>, session: Session) -> Redirect {
    session.sign_out();
    // What fails here fails again with the response, and is told there.
    if session.commit().await.is_ok() {
        copies::mark(&site).await;
    }
    Redirect::to("/")
}

pub(super) async fn protected(
    State(site): State<Arc<Site>>,
    session: Session,
    headers: HeaderMap,
    uri: Uri,
) -> Response {
    match session.owner() {
        Some(owner) => views::protected(&site, &session, &owner, &headers),
        None => sign_in_first(&headers, uri.path()),
    }
}

/// Sends people to the login and from there to `next`, and tells programs.
pub(super) fn sign_in_first(headers: &HeaderMap, next: &str) -> Response {
    if api::accepts_only_json(headers) {
        return api::problem(StatusCode::UNAUTHORIZED, "Sign in first.");
    }
    Redirect::to(&format!("/login?next={next}")).into_response()
}

pub(super) async fn not_found(State(site): State<Arc<Site>>) -> Response {
    views::problem(&site, StatusCode::NOT_FOUND, "There is no such page.")
}
