//! Router calls without a socket: a request is built, the router called, the response dropped.

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use axum::Router;
use axum::body::Body;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{HeaderValue, Request, StatusCode};
use axum::response::Response;
use axum::routing::RouterIntoService;
use tower::Service as _;

use crate::cookies;
use crate::measure::Bench;

/// A router with one GET route at `/`.
pub struct Service {
    /// Its row.
    pub row: &'static str,
    /// The row its cost is counted from.
    pub over: &'static str,
    /// Whether the handler changes the session, which must then show in the response.
    pub writes: Writes,
    /// The router, and `name=value` of a cookie it accepts.
    pub build: fn() -> (Router, String),
}

/// What a handler does to the session.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// No `Set-Cookie` may appear.
    Nothing,
    /// A `Set-Cookie` must appear.
    Session,
}

/// The benches of one router. Handlers that write get no bench without a cookie: a store would grow with every call.
pub fn benches(service: &Service) -> Vec<Bench> {
    let (router, cookie) = (service.build)();
    let headers = [
        ("no cookie", None),
        ("1 cookie", Some(cookies::header(&cookie, false))),
        ("12 cookies", Some(cookies::header(&cookie, true))),
    ];
    headers
        .into_iter()
        .filter(|(_, header)| header.is_some() || service.writes == Writes::Nothing)
        .map(|(column, header)| {
            let header = header.map(|header| HeaderValue::from_str(&header).expect("a cookie is ASCII"));
            let mut router = router.clone().with_state(()).into_service();
            check(service, &call(&mut router, header.as_ref()));
            Bench::new("router", service.row, column, service.over, move || call(&mut router, header.as_ref()))
        })
        .collect()
}

/// One request through the router, as a kept-alive connection would send it.
pub fn call(router: &mut RouterIntoService<Body>, cookie: Option<&HeaderValue>) -> Response {
    let mut request = Request::new(Body::empty());
    if let Some(cookie) = cookie {
        request.headers_mut().insert(COOKIE, cookie.clone());
    }
    match block_on(router.call(request)) {
        Ok(response) => response,
        Err(infallible) => match infallible {},
    }
}

/// Stops the run when a contestant does not do its work.
fn check(service: &Service, response: &Response) {
    assert_eq!(response.status(), StatusCode::OK, "{}", service.row);
    let wrote = response.headers().contains_key(SET_COOKIE);
    assert_eq!(wrote, service.writes == Writes::Session, "{}", service.row);
}

/// Polls until the future is ready. Nothing here waits for the outside, so a waker has nothing to do.
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
