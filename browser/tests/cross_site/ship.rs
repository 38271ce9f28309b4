//! The site that is attacked: people sign in, and what they do is written down.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Form, Router,
    extract::{Request, State},
    http::{HeaderName, header::CONTENT_SECURITY_POLICY},
    middleware::{Next, from_fn_with_state},
    response::{Html, Redirect, Response},
    routing::{any, get, post},
};
use hardtack::{
    CookiePolicy, Keyring, Session, Sessions,
    csrf::{CsrfLayer, FETCH_SCRIPT, HEADER, hidden_field, meta_tag},
};
use hardtack_browser::Browser;
use serde::Deserialize;

use crate::tls;

/// As the demo's, and what `csrfFetch` and streams need besides.
const POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    pub(crate) path: String,
    pub(crate) method: String,
    pub(crate) status: u16,
    /// `Sec-Fetch-Site` and `Origin`, as they came. For the message of a test that fails.
    #[allow(dead_code)]
    said: [Option<String>; 2],
}

#[derive(Clone, Default)]
struct Logs {
    arrivals: Arc<Mutex<Vec<Arrival>>>,
    /// What handlers did: the path, and for whom.
    done: Arc<Mutex<Vec<(String, String)>>>,
}

pub(crate) struct Ship {
    port: u16,
    pub(crate) sessions: Sessions,
    logs: Logs,
}

#[derive(Deserialize)]
struct Name {
    name: String,
}

impl Ship {
    pub(crate) async fn start(cookie: CookiePolicy) -> Self {
        let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).cookie(cookie).build().unwrap();
        let logs = Logs::default();
        let app = Router::new()
            .route("/", get(home))
            .route("/login", post(log_in))
            .route("/login/by-fetch", post(log_in_by_fetch))
            .route("/me", get(me))
            .route("/transfer", any(act))
            .route("/stream", any(act))
            .layer(CsrfLayer::new())
            .route("/open/transfer", any(act))
            .route("/open/stream", any(act))
            .layer(sessions.layer())
            .route("/fetch.js", get(async || ([("content-type", "text/javascript")], FETCH_SCRIPT)))
            .layer(from_fn_with_state(logs.clone(), note))
            .with_state(logs.clone());
        Self { port: tls::serve(app).await, sessions, logs }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://app.ship.test:{}{path}", self.port)
    }

    pub(crate) async fn log_in(&self, browser: &Browser, name: &str) {
        browser.go(&self.url("/")).await;
        browser.type_into("#name", name).await;
        browser.follow("#log-in").await;
    }

    /// Who the browser is to the site, asked by a navigation that the person begins.
    pub(crate) async fn who(&self, browser: &Browser) -> String {
        browser.go(&self.url("/me")).await;
        browser.text("body").await
    }

    /// How many requests have arrived.
    pub(crate) fn arrived(&self) -> usize {
        self.logs.arrivals.lock().unwrap().len()
    }

    /// The first request to a path after so many.
    pub(crate) async fn arrival(&self, after: usize, path: &str) -> Arrival {
        for _ in 0..1200 {
            let found =
                self.logs.arrivals.lock().unwrap()[after..].iter().find(|arrival| arrival.path == path).cloned();
            if let Some(found) = found {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("nothing arrived at {path}");
    }

    /// What was done on this path since the last call, and for whom.
    pub(crate) fn done(&self, path: &str) -> Vec<String> {
        let mut done = self.logs.done.lock().unwrap();
        let found = done.extract_if(.., |(on, _)| on == path);
        found.map(|(_, owner)| owner).collect()
    }
}

/// What everybody sees, and what has arrived.
async fn note(State(logs): State<Logs>, request: Request, next: Next) -> Response {
    let said = ["sec-fetch-site", "origin"]
        .map(|name| request.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into()));
    let (path, method) = (request.uri().path().to_owned(), request.method().to_string());
    let mut response = next.run(request).await;
    response.headers_mut().insert(CONTENT_SECURITY_POLICY, POLICY.parse().unwrap());
    let status = response.status().as_u16();
    logs.arrivals.lock().unwrap().push(Arrival { path, method, status, said });
    response
}

fn owner(session: &Session) -> String {
    session.owner().unwrap_or_else(|| "nobody".into())
}

async fn home(session: Session) -> Html<String> {
    let (meta, field, owner) = (meta_tag(&session), hidden_field(&session), owner(&session));
    Html(format!(
        "<!doctype html><html lang=en><head><title>Ship</title>{meta}<script src=/fetch.js></script></head><body><p id=owner>{owner}</p>\
         <form method=post action=/login>{field}<input id=name name=name><button id=log-in>Log in</button></form>\
         <form method=post action=/transfer>{field}<button id=transfer>Transfer</button></form>\
         <form method=post action=/transfer enctype=multipart/form-data>{field}<input type=file name=file><button id=upload>Upload</button></form>"
    ))
}

async fn log_in(session: Session, Form(form): Form<Name>) -> Redirect {
    session.sign_in(&form.name);
    Redirect::to("/")
}

/// Without a new page the old one needs the new token.
async fn log_in_by_fetch(session: Session, name: String) -> [(&'static str, String); 1] {
    session.sign_in(&name);
    [(HEADER, session.csrf_token())]
}

async fn me(session: Session) -> String {
    owner(&session)
}

/// Does something for whoever it is.
async fn act(
    State(logs): State<Logs>,
    session: Session,
    request: Request,
) -> ([(HeaderName, &'static str); 1], &'static str) {
    logs.done.lock().unwrap().push((request.uri().path().to_owned(), owner(&session)));
    ([(axum::http::header::CONTENT_TYPE, "text/event-stream")], "retry: 3600000\ndata: secret\n\n")
}
