//! What a visitor sees whose request another site may have sent, or whose form was out of date.

use std::sync::Arc;

use axum::{
    Form,
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use hardtack::{
    Session,
    csrf::{CsrfLayer, CsrfRefusal},
    login::safe_next,
};

use super::{
    Site, api,
    pages::{LANDING, NextQuery, login_page},
    views,
};

pub(super) fn layer(site: &Arc<Site>) -> CsrfLayer {
    let site = site.clone();
    CsrfLayer::new().on_refusal(move |refusal, request| answer(site.clone(), refusal, request))
}

async fn answer(site: Arc<Site>, refusal: CsrfRefusal, request: Request) -> Response {
    let told = refusal.to_string();
    if request.uri().path().starts_with("/api/") || api::accepts_only_json(request.headers()) {
        return api::problem(refusal.status(), &told);
    }
    // The other forms are one click away, and going back in the browser keeps what was typed.
    if request.uri().path() != "/login" || !refusal.is_about_the_token() {
        return views::problem(&site, refusal.status(), &told);
    }
    let session = match Session::from_extensions(request.extensions()).await {
        Ok(session) => session,
        Err(fault) => return fault.into_response(),
    };
    let form = Form::<NextQuery>::from_request(request, &()).await;
    let next = form.map(|Form(form)| form.next).unwrap_or_default();
    let message = "This page was out of date. Here it is again; nothing happened yet.".to_owned();
    login_page(&site, &session, safe_next(&next).unwrap_or(LANDING), "", Some(message)).await
}
