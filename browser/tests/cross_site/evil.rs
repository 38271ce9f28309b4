//! The attackers' server: empty pages, in which a test runs what it likes, and any `Set-Cookie`.

use axum::{
    Router,
    extract::Query,
    http::{HeaderValue, header::SET_COOKIE},
    response::{AppendHeaders, Html},
    routing::get,
};
use serde::Deserialize;

use crate::tls;

/// Where an attacker's page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// On a site of its own.
    AnotherSite,
    /// On a subdomain beside the ship's.
    Sibling,
}

pub(crate) struct Evil {
    port: u16,
}

#[derive(Deserialize)]
struct Toss {
    line: String,
}

impl Evil {
    pub(crate) async fn start() -> Self {
        let page = async || Html("<!doctype html><title>Win a prize</title><p>Win a prize");
        let toss = async |Query(toss): Query<Toss>| {
            let line = HeaderValue::from_bytes(toss.line.as_bytes()).unwrap();
            (AppendHeaders([(SET_COOKIE, line)]), Html("<!doctype html><title>Tossed</title><p>Tossed"))
        };
        Self { port: tls::serve(Router::new().route("/", get(page)).route("/toss", get(toss))).await }
    }

    /// The address of a page.
    pub(crate) fn url(&self, place: Place, path: &str) -> String {
        let host = match place {
            Place::AnotherSite => "www.evil.test",
            Place::Sibling => "evil.ship.test",
        };
        format!("https://{host}:{}{path}", self.port)
    }
}
