//! What the targets share: the published key, sessions under it on a clock that stands still, and wire
//! format 1 a second time, which the tests of the library hold against the published vectors.

#[path = "../../hardtack/tests/independent/mod.rs"]
pub mod independent;
pub mod node;

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::LazyLock,
    task::{Context, Poll, Waker},
};

use hardtack::{Clock, Key, Keyring, SessionHeaders, Sessions};
use serde_json::Value;

pub const NAME: &str = "__Host-session";
/// The removal of the session cookie: all that a refused visitor gets.
pub const REMOVAL: &str = "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0";

static VECTORS: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../hardtack/tests/data/envelopes.json")).expect("the vectors are JSON")
});

/// The published key.
pub fn key() -> &'static str {
    VECTORS["key"].as_str().expect("a key")
}

/// The time of the published vectors.
pub fn now() -> u64 {
    VECTORS["now"].as_u64().expect("a time")
}

/// Sessions as whoever wrote the vectors configured them.
pub fn sessions() -> Sessions {
    let keys = Keyring::new(Key::parse(key()).expect("a key"), []).expect("a keyring");
    let month = std::time::Duration::from_secs(30 * 86_400);
    Sessions::stateless(keys).remember_me(month).clock(Clock::manual(now())).build().expect("sessions")
}

/// The published values for the default name and realm that are authentic: with `None` those that open, with
/// a reason those that break a rule.
pub fn published() -> BTreeMap<String, Option<String>> {
    let of = |list: &str| VECTORS[list].as_array().expect("a list").clone();
    let ours = |vector: &Value| vector["cookie"] == NAME && vector["realm"] == "";
    of("open")
        .into_iter()
        .chain(of("refuse"))
        .filter(ours)
        .filter_map(|vector| {
            let value = vector["value"].as_str().expect("a value");
            match vector["reason"].as_str() {
                // Refused for its spelling alone.
                Some("malformed") if value.ends_with('=') => Some((value.trim_end_matches('=').to_owned(), None)),
                None => Some((value.to_owned(), None)),
                Some("invalid") => Some((value.to_owned(), Some("invalid".to_owned()))),
                Some(_) => None,
            }
        })
        .collect()
}

/// The result of a future that waits for nothing.
pub fn ready<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the stateless placement waits for nothing"),
    }
}

pub fn lines(headers: &SessionHeaders) -> Vec<&str> {
    headers.set_cookies().map(|line| line.to_str().expect("ASCII")).collect()
}
