//! The devices of who is signed in: the page and its forms, and the same as JSON.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use hardtack::{Device, Handle, Session};
use serde_json::json;

use super::{Site, api, copies, label, pages, views};
use crate::{Failure, cli::Placement};

const PAGE: &str = "/devices";
const NOT_YOURS: &str = "No device of yours has that name; it may have ended already.";
const FAILED: &str = "The sessions could not be reached. Nothing was changed; try again.";

/// What became of the wish to end a device.
enum Ended {
    /// The one that asked.
    This,
    Another,
    /// There is none of that name among the owner's own.
    None,
}

pub(super) async fn page(State(site): State<Arc<Site>>, session: Session, headers: HeaderMap) -> Response {
    let Some(owner) = session.owner() else { return pages::sign_in_first(&headers, PAGE) };
    match of(&site, &session, &owner, &headers).await {
        Ok(devices) => views::devices(&site, &session, devices),
        Err(error) => unreachable(&site, &headers, &error),
    }
}

pub(super) async fn end_on_page(
    State(site): State<Arc<Site>>,
    session: Session,
    Path(handle): Path<String>,
    headers: HeaderMap,
) -> Response {
    let Some(owner) = session.owner() else { return pages::sign_in_first(&headers, PAGE) };
    match end(&site, &session, &owner, &handle).await {
        Ok(Ended::This) => Redirect::to("/").into_response(),
        Ok(Ended::Another) => Redirect::to(PAGE).into_response(),
        Ok(Ended::None) if api::accepts_only_json(&headers) => api::problem(StatusCode::NOT_FOUND, NOT_YOURS),
        Ok(Ended::None) => views::problem(&site, StatusCode::NOT_FOUND, NOT_YOURS),
        Err(error) => unreachable(&site, &headers, &error),
    }
}

pub(super) async fn end_others_on_page(
    State(site): State<Arc<Site>>,
    session: Session,
    headers: HeaderMap,
) -> Response {
    if session.owner().is_none() {
        return pages::sign_in_first(&headers, PAGE);
    }
    match site.sessions.end_others(&session).await {
        Ok(()) => Redirect::to(PAGE).into_response(),
        Err(error) => unreachable(&site, &headers, &error.into()),
    }
}

pub(super) async fn list(State(site): State<Arc<Site>>, session: Session, headers: HeaderMap) -> Response {
    let Some(owner) = session.owner() else { return nobody() };
    let devices = match of(&site, &session, &owner, &headers).await {
        Ok(devices) => devices,
        Err(error) => return failure(&error),
    };
    let devices = devices.iter().map(|device| {
        json!({
            "handle": device.handle.to_string(),
            "created": device.created_at,
            "lastSeen": device.last_seen_at,
            "label": device.label,
            "current": Some(device.handle) == session.handle(),
        })
    });
    api::answer(StatusCode::OK, &devices.collect())
}

pub(super) async fn end_one(State(site): State<Arc<Site>>, session: Session, Path(handle): Path<String>) -> Response {
    let Some(owner) = session.owner() else { return nobody() };
    match end(&site, &session, &owner, &handle).await {
        Ok(Ended::None) => api::problem(StatusCode::NOT_FOUND, NOT_YOURS),
        Ok(ended) => api::answer(StatusCode::OK, &json!({ "ok": true, "isLogin": matches!(ended, Ended::Another) })),
        Err(error) => failure(&error),
    }
}

pub(super) async fn end_others(State(site): State<Arc<Site>>, session: Session) -> Response {
    if session.owner().is_none() {
        return nobody();
    }
    match site.sessions.end_others(&session).await {
        Ok(()) => api::answer(StatusCode::OK, &json!({ "ok": true, "isLogin": true })),
        Err(error) => failure(&error.into()),
    }
}

/// The owner's devices, each with a label, the one that was used last first. Without a store nobody knows
/// more than the one that asks.
async fn of(site: &Site, session: &Session, owner: &str, headers: &HeaderMap) -> Result<Vec<Device>, Failure> {
    let (mut devices, unnamed) = match site.placement {
        Placement::Stored | Placement::Hybrid => (site.sessions.of(owner).await?, label::UNKNOWN_DEVICE.into()),
        Placement::Stateless => (Vec::from_iter(session.device()), label::of(headers)),
    };
    for device in &mut devices {
        device.label.get_or_insert_with(|| unnamed.clone());
    }
    Ok(devices)
}

/// Ends a device if it is one of the owner's own.
async fn end(site: &Site, session: &Session, owner: &str, handle: &str) -> Result<Ended, Failure> {
    let Some(handle) = Handle::parse(handle) else { return Ok(Ended::None) };
    if session.handle() == Some(handle) {
        session.sign_out();
        return Ok(Ended::This);
    }
    if !site.sessions.of(owner).await?.iter().any(|device| device.handle == handle) {
        return Ok(Ended::None);
    }
    site.sessions.end(&handle).await?;
    copies::mark(site).await;
    Ok(Ended::Another)
}

fn unreachable(site: &Site, headers: &HeaderMap, error: &Failure) -> Response {
    if api::accepts_only_json(headers) { failure(error) } else { views::failure(site, error, FAILED) }
}

fn nobody() -> Response {
    api::problem(StatusCode::UNAUTHORIZED, "Sign in first.")
}

/// The operator is told why, the client that.
fn failure(error: &Failure) -> Response {
    eprintln!("hardtack: {error}");
    api::problem(StatusCode::SERVICE_UNAVAILABLE, FAILED)
}
