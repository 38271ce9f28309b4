//! cookie-rs: `PrivateJar` (encrypted) and `SignedJar` (only authenticated).
//!
//! The header goes into a jar and values are percent-encoded, as Rocket, tower-cookies and axum-extra do.

use cookie::time::Duration;
use cookie::{Cookie, CookieJar, Key, SameSite};

use super::SECRET;
use crate::contestants::Contestant;
use crate::measure::Bench;
use crate::payload::{Case, Payload};
use crate::{cookies, floor};

/// See the module.
pub const CONTESTANT: Contestant = Contestant { micro, services: Vec::new };

#[derive(Clone, Copy)]
enum Jar {
    Private,
    Signed,
}

fn micro(case: &Case) -> Vec<Bench> {
    let mut benches = Vec::new();
    for (row, jar) in [("cookie-rs PrivateJar", Jar::Private), ("cookie-rs SignedJar", Jar::Signed)] {
        let (key, payload) = (Key::from(&SECRET), case.payload.clone());
        let set_cookie = seal(jar, &key, &payload);
        benches.push(Bench::new("seal", row, case.column, floor::ROW, move || seal(jar, &key, &payload)));
        for (table, others) in [("open1", false), ("open12", true)] {
            let key = Key::from(&SECRET);
            let header = cookies::header(cookies::pair(&set_cookie), others);
            assert_eq!(open(jar, &key, &header).as_ref(), Some(&case.payload), "{row}");
            benches.push(Bench::new(table, row, case.column, floor::ROW, move || open(jar, &key, &header)));
        }
    }
    benches
}

/// The session cookie of cookie-rs and axum-extra.
pub fn session_cookie(payload: &Payload) -> Cookie<'static> {
    let value = serde_json::to_string(payload).expect("the payload is JSON");
    Cookie::build((cookies::NAME, value))
        .path("/")
        .max_age(Duration::seconds(cookies::MAX_AGE_SECONDS))
        .http_only(true)
        .secure(true)
        .same_site(SameSite::Lax)
        .build()
}

fn seal(jar: Jar, key: &Key, payload: &Payload) -> String {
    let mut cookie_jar = CookieJar::new();
    match jar {
        Jar::Private => cookie_jar.private_mut(key).add(session_cookie(payload)),
        Jar::Signed => cookie_jar.signed_mut(key).add(session_cookie(payload)),
    }
    cookie_jar.delta().next().expect("one was added").encoded().to_string()
}

fn open(jar: Jar, key: &Key, header: &str) -> Option<Payload> {
    let mut cookie_jar = CookieJar::new();
    for cookie in Cookie::split_parse_encoded(header).flatten() {
        cookie_jar.add_original(cookie.into_owned());
    }
    let session = match jar {
        Jar::Private => cookie_jar.private(key).get(cookies::NAME),
        Jar::Signed => cookie_jar.signed(key).get(cookies::NAME),
    };
    serde_json::from_str(session?.value()).ok()
}
