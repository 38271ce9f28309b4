//! axum-extra: `PrivateCookieJar`, alone and as an extractor.

use axum::Router;
use axum::extract::FromRef;
use axum::http::HeaderMap;
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum_extra::extract::PrivateCookieJar;
use axum_extra::extract::cookie::Key;

use super::SECRET;
use super::cookie_rs::session_cookie;
use crate::contestants::Contestant;
use crate::inproc::{Service, Writes};
use crate::measure::Bench;
use crate::payload::{Case, Payload};
use crate::{bare, cookies, floor};

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro, services };

const ROW: &str = "axum-extra PrivateCookieJar";

fn micro(case: &Case) -> Vec<Bench> {
    let (key, payload) = (Key::from(&SECRET), case.payload.clone());
    let cookie = sealed(&payload);
    let mut benches = vec![Bench::new("seal", ROW, case.column, floor::ROW, move || seal(&key, &payload))];
    for (table, others) in [("open1", false), ("open12", true)] {
        let key = Key::from(&SECRET);
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, cookies::header(&cookie, others).parse().expect("a cookie is ASCII"));
        assert_eq!(open(&key, &headers).as_ref(), Some(&case.payload));
        benches.push(Bench::new(table, ROW, case.column, floor::ROW, move || open(&key, &headers)));
    }
    benches
}

fn seal(key: &Key, payload: &Payload) -> Response {
    PrivateCookieJar::new(key.clone()).add(session_cookie(payload)).into_response()
}

fn open(key: &Key, headers: &HeaderMap) -> Option<Payload> {
    session(&PrivateCookieJar::from_headers(headers, key.clone()))
}

fn session<K>(jar: &PrivateCookieJar<K>) -> Option<Payload> {
    serde_json::from_str(jar.get(cookies::NAME)?.value()).ok()
}

/// `name=value` as a browser would send it back.
fn sealed(payload: &Payload) -> String {
    let response = seal(&Key::from(&SECRET), payload);
    let set_cookie = response.headers()[SET_COOKIE].to_str().expect("a cookie is ASCII");
    cookies::pair(set_cookie).to_owned()
}

#[derive(Clone)]
struct State(Key);

impl FromRef<State> for Key {
    fn from_ref(state: &State) -> Self {
        state.0.clone()
    }
}

fn services() -> Vec<Service> {
    let service = |row, writes, build| Service { row, over: bare::NO_OP, writes, build };
    vec![
        service("axum-extra PrivateCookieJar, read", Writes::Nothing, || router(get(read))),
        service("axum-extra PrivateCookieJar, write", Writes::Session, || router(get(write))),
    ]
}

fn router(route: axum::routing::MethodRouter<State>) -> (Router, String) {
    let router = Router::new().route("/", route).with_state(State(Key::from(&SECRET)));
    (router, sealed(&Payload::medium()))
}

async fn read(jar: PrivateCookieJar) -> &'static str {
    super::greeting(session(&jar).map(|payload| payload.user))
}

async fn write(jar: PrivateCookieJar) -> (PrivateCookieJar, &'static str) {
    let mut payload = session(&jar).unwrap_or_else(Payload::medium);
    payload.user += 1;
    (jar.add(session_cookie(&payload)), super::greeting(Some(payload.user)))
}
