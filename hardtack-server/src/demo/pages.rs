//! The pages and what their forms do.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Form,
    extract::{ConnectInfo, Query, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use hardtack::{
    CommitError, Field, Session,
    login::{LoginError, clear_site_data, safe_next},
};
use serde::Deserialize;

use super::{Site, api, copies, label, routes, views};

pub(super) const COUNT: Field<u64> = Field::new("count");

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
    login_page(&site, &session, safe_next(&query.next).unwrap_or(LANDING), "", None).await
}

#[derive(Deserialize)]
pub(super) struct LoginForm {
    /// Nobody's: the one password.
    #[serde(default)]
    name: String,
    password: String,
    #[serde(default)]
    next: String,
    remember: Option<String>,
}

pub(super) async fn log_in(
    State(site): State<Arc<Site>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    session: Session,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let next = safe_next(&form.next).unwrap_or(LANDING).to_owned();
    let (visitor, name) = (site.login.visitor(peer.ip(), &headers), form.name.trim());
    let verified = match site.login.sign_in(&session, &visitor, name, &form.password).await {
        Ok(verified) => verified,
        Err(LoginError::Store(error)) => {
            return views::failure(&site, &error.into(), "Nobody can be signed in at the moment. Try again.");
        }
        Err(error) => {
            let message = match error {
                LoginError::Refused if name.is_empty() => "That is not the password.".into(),
                _ => error.to_string(),
            };
            return refusal(&error, login_page(&site, &session, &next, name, Some(message)).await);
        }
    };
    session.remember_me(form.remember.is_some());
    session.set_label(&label::of(&headers));
    match session.commit().await {
        // The one password is many people's, so a device of its owner's is nothing to tell apart.
        Ok(_) if name.is_empty() => Redirect::to(&next).into_response(),
        Ok(_) => (verified, Redirect::to(&next)).into_response(),
        Err(CommitError::DeviceLimit) => {
            session.discard();
            let message = "You are signed in on as many devices as are allowed. Log out on one of them first.";
            let page = login_page(&site, &session, &next, name, Some(message.into())).await;
            (StatusCode::CONFLICT, page).into_response()
        }
        Err(error) => {
            session.discard();
            routes::explain_failed_commit(&site, api::accepts_only_json(&headers), &error)
        }
    }
}

pub(super) async fn login_page(
    site: &Site,
    session: &Session,
    next: &str,
    name: &str,
    error: Option<String>,
) -> Response {
    match site.accounts.has_names().await {
        Ok(has_names) => views::login(site, session, next, has_names.then_some(name), error),
        Err(error) => views::failure(site, &error.into(), "Nobody can be signed in at the moment. Try again."),
    }
}

/// The page again, with the status that says why and, where waiting helps, for how long.
pub(super) fn refusal(error: &LoginError, page: Response) -> Response {
    let mut response = (error.status(), page).into_response();
    if let Some(seconds) = error.retry_after() {
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct LogOutQuery {
    /// Ask the browser to forget the site's pages and storage too.
    clear: bool,
}

pub(super) async fn log_out(
    State(site): State<Arc<Site>>,
    session: Session,
    Query(query): Query<LogOutQuery>,
) -> Response {
    session.sign_out();
    // What fails here fails again with the response, and is told there.
    if session.commit().await.is_ok() {
        copies::mark(&site).await;
    }
    let home = ([(header::CACHE_CONTROL, "no-store")], Redirect::to("/"));
    if query.clear { ([clear_site_data()], home).into_response() } else { home.into_response() }
}

/// Only reached by who is signed in.
pub(super) async fn protected(State(site): State<Arc<Site>>, session: Session, headers: HeaderMap) -> Response {
    views::protected(&site, &session, &session.owner().unwrap_or_default(), &headers)
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
