//! What somebody does with his own account: prove the password again, change it, and what needs that.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Form,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use hardtack::{
    Session,
    login::{LoginError, Others, safe_next},
};
use serde::Deserialize;

use super::{
    Site, api, copies,
    pages::{COUNT, NextQuery, refusal},
    routes, views,
};
use crate::users::KEEPER;

/// For how long a password that was typed counts in the danger zone.
pub(super) const FRESH: Duration = Duration::from_secs(300);
const DANGER: &str = "/danger";

/// The page that asks for the password again.
pub(super) async fn confirm(
    State(site): State<Arc<Site>>,
    session: Session,
    Query(query): Query<NextQuery>,
) -> Response {
    views::confirm(&site, &session, safe_next(&query.next).unwrap_or(DANGER), None)
}

#[derive(Deserialize)]
pub(super) struct ConfirmForm {
    password: String,
    #[serde(default)]
    next: String,
}

/// Step-up in place: the same session, fresh again.
pub(super) async fn step_up(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<ConfirmForm>,
) -> Response {
    let next = safe_next(&form.next).unwrap_or(DANGER).to_owned();
    let visitor = site.login.visitor(peer.ip(), &headers);
    match site.login.step_up(&session, &visitor, &form.password).await {
        Ok(()) => Redirect::to(&next).into_response(),
        Err(error) => {
            let message = told(&error, "That is not your password.");
            refusal(&error, views::confirm(&site, &session, &next, Some(message)))
        }
    }
}

/// Only reached with a fresh password.
pub(super) async fn danger(State(site): State<Arc<Site>>, session: Session) -> Response {
    views::danger(&site, &session)
}

/// Throws the number overboard.
pub(super) async fn overboard(session: Session) -> Redirect {
    session.set(COUNT, 0);
    Redirect::to(DANGER)
}

pub(super) async fn password(State(site): State<Arc<Site>>, session: Session) -> Response {
    views::password(&site, &session, None, false)
}

#[derive(Deserialize)]
pub(super) struct PasswordForm {
    current: String,
    new: String,
    again: String,
    others: Option<String>,
}

/// Changes the password, which needs the present one, and ends the other sessions unless told otherwise.
pub(super) async fn change_password(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<PasswordForm>,
) -> Response {
    let again = |status: StatusCode, message: String| {
        (status, views::password(&site, &session, Some(message), false)).into_response()
    };
    if session.owner().as_deref() == Some(KEEPER) {
        return again(StatusCode::CONFLICT, "The one password is set where the demo is started.".into());
    }
    if form.new != form.again {
        return again(StatusCode::UNPROCESSABLE_ENTITY, "Those were two different new passwords.".into());
    }
    let visitor = site.login.visitor(peer.ip(), &headers);
    let others = if form.others.is_some() { Others::End } else { Others::Stay };
    if let Err(error) = site.login.change_password(&session, &visitor, &form.current, &form.new, others).await {
        let message = told(&error, "That is not your present password.");
        return refusal(&error, views::password(&site, &session, Some(message), false));
    }
    let page = views::password(&site, &session, None, true);
    match session.commit().await {
        Ok(_) => {
            copies::mark(&site).await;
            page
        }
        Err(error) => {
            session.discard();
            routes::explain_failed_commit(&site, api::accepts_only_json(&headers), &error)
        }
    }
}

/// What the person is told.
fn told(error: &LoginError, wrong: &str) -> String {
    match error {
        LoginError::Refused => wrong.into(),
        other => other.to_string(),
    }
}
