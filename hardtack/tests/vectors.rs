//! The published vectors of wire format 1 (`docs/cookie-format.md`), held against the library and against a
//! second implementation. The file is frozen: a change to it is a new wire format.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::time::Duration;

use common::wait;
use hardtack::{Clock, CookiePolicy, Inspection, Key, Keyring, Kind, Sessions};
use independent::{Plain, Seal, base64url};
use serde_json::Value;

const MONTH: Duration = Duration::from_secs(30 * 86_400);

fn file() -> Value {
    serde_json::from_str(include_str!("data/envelopes.json")).unwrap()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn number(value: &Value, name: &str) -> u64 {
    value[name].as_u64().unwrap_or_else(|| panic!("{name} in {value}"))
}

fn list(name: &str) -> Vec<Value> {
    let list = file()[name].as_array().unwrap().clone();
    assert!(list.len() >= 6, "{name} has only {}", list.len());
    list
}

/// The library, as whoever wrote the vector configured it.
fn sessions(vector: &Value) -> Sessions {
    let file = file();
    Sessions::stateless(Keyring::new(Key::parse(text(&file, "key")).unwrap(), []).unwrap())
        .cookie(CookiePolicy::from_name(text(vector, "cookie")))
        .realm(text(vector, "realm"))
        .remember_me(MONTH)
        .clock(Clock::manual(number(&file, "now")))
        .build()
        .unwrap()
}

fn seal(vector: &Value) -> Seal {
    Seal {
        realm: text(vector, "realm").into(),
        cookie: text(vector, "cookie").into(),
        ..Seal::new(text(&file(), "key"))
    }
}

fn data(vector: &Value) -> String {
    let members: Vec<_> = vector["fields"]
        .as_array()
        .unwrap()
        .iter()
        .map(|field| format!("{}:{}", field[0], field[1].as_str().unwrap()))
        .collect();
    format!("{{{}}}", members.join(","))
}

fn header(inspection: &Inspection) -> Value {
    let mut header = serde_json::json!({
        "kind": match inspection.kind() {
            Kind::Anonymous => 1,
            Kind::Stateless => 2,
            Kind::Stored => 3,
            Kind::Hybrid => 4,
            other => panic!("{other:?}"),
        },
        "remembered": inspection.is_remembered(),
        "handle": inspection.handle().to_string(),
        "generation": inspection.generation(),
        "created": inspection.created_at(),
        "authenticated": inspection.authenticated_at(),
        "last_seen": inspection.last_seen_at(),
        "idle_deadline": inspection.idle_deadline(),
        "absolute_deadline": inspection.absolute_deadline(),
        "owner": inspection.owner().unwrap_or_default(),
    });
    if inspection.kind() == Kind::Hybrid {
        header["confirmed"] = inspection.confirmed_at().into();
        header["version"] = inspection.version().into();
        header["renewed"] = inspection.renewed_at().into();
        header["label"] = inspection.label().unwrap_or_default().into();
    }
    header
}

/// F01, F10, F12: everything that the library shows of a published envelope is what was published; numbers,
/// order and spelling of the data are those of the writer.
#[test]
fn every_published_envelope_opens_as_published() {
    for vector in list("open") {
        let sessions = sessions(&vector);
        let inspection = sessions.inspect(text(&vector, "value")).unwrap();
        let mut published = vector["header"].clone();
        for unseen in ["id", "epoch"] {
            published.as_object_mut().unwrap().remove(unseen);
        }
        let name = text(&vector, "name");
        assert_eq!(header(&inspection), published, "{name}");
        assert_eq!(inspection.data_json(), data(&vector), "{name}");
        assert_eq!(inspection.key_id().to_string(), text(&file(), "key_id"));
        let verdict = inspection.verdict().err().map_or("live", |reason| reason.as_str());
        assert_eq!(verdict, text(&vector, "verdict"), "{name}");
    }
}

/// D01, D02, D07: through the door, a live one is its owner and one whose time is over is nobody; so is one whose
/// data is in a store, to sessions that have none.
#[test]
fn a_published_envelope_is_a_session_exactly_while_its_clocks_allow_it() {
    for vector in list("open") {
        let cookie = format!("{}={}", text(&vector, "cookie"), text(&vector, "value"));
        let session = wait(sessions(&vector).begin([cookie.as_bytes()]).session()).unwrap();
        let live = text(&vector, "verdict") == "live" && number(&vector["header"], "kind") < 3;
        assert_eq!(session.is_live(), live, "{}", text(&vector, "name"));
        let owner = text(&vector["header"], "owner");
        assert_eq!(session.owner().unwrap_or_default(), if live { owner } else { "" });
    }
}

/// F01, F02, F03, F10: from the published key, nonce and contents a second implementation makes the same
/// bytes, and the intermediate values that are published with them.
#[test]
fn another_implementation_writes_the_same_bytes() {
    let file = file();
    let key = Seal::new(text(&file, "key"));
    assert_eq!(hex::encode(key.key_id), text(&file, "key_id"));
    assert_eq!(hex::encode(key.key), text(&file, "envelope_key"));
    for vector in list("open") {
        let of = |name: &str| number(&vector["header"], name);
        let of_a_copy = |name: &str| if of("kind") == 4 { of(name) } else { 0 };
        let bytes = |name: &str| independent::from_base64url(text(&vector["header"], name));
        let fields = vector["fields"].as_array().unwrap().iter();
        let plain = Plain {
            kind: of("kind") as u8,
            flags: u8::from(vector["header"]["remembered"] == true),
            id: bytes("id").try_into().unwrap(),
            handle: bytes("handle").try_into().unwrap(),
            generation: of("generation") as u32,
            epoch: of("epoch"),
            created: of("created"),
            authenticated: of("authenticated"),
            last_seen: of("last_seen"),
            idle_deadline: of("idle_deadline"),
            absolute_deadline: of("absolute_deadline"),
            confirmed: of_a_copy("confirmed"),
            version: of_a_copy("version"),
            renewed: of_a_copy("renewed"),
            owner: text(&vector["header"], "owner").into(),
            label: vector["header"]["label"].as_str().unwrap_or_default().into(),
            fields: fields
                .map(|field| [&field[0], &field[1]].map(|part| part.as_str().unwrap().into()).into())
                .collect(),
            ..Plain::of("", 0)
        };
        let name = text(&vector, "name");
        assert_eq!(hex::encode(plain.padded()), text(&vector, "plaintext"), "{name}");
        assert_eq!(hex::encode(seal(&vector).aad()), text(&vector, "aad"), "{name}");
        let nonce = hex::decode(text(&vector, "nonce")).unwrap().try_into().unwrap();
        assert_eq!(seal(&vector).value(nonce, &plain.padded()), text(&vector, "value"), "{name}");
    }
}

/// F03, F04, F05, F12, C11: every published forgery is refused, for the published reason.
#[test]
fn every_published_forgery_is_refused_for_its_reason() {
    let mut reasons = std::collections::BTreeSet::new();
    for vector in list("refuse") {
        let refused = sessions(&vector).inspect(text(&vector, "value")).err().map(|reason| reason.as_str());
        assert_eq!(refused, Some(text(&vector, "reason")), "{}", text(&vector, "name"));
        reasons.insert(text(&vector, "reason").to_owned());
    }
    assert_eq!(Vec::from_iter(reasons), ["forged", "invalid", "malformed", "unknown_key", "unknown_version"]);
}

/// F05, F07: presented as a cookie, every one of them is nobody, and is removed by the same line.
#[test]
fn every_published_forgery_is_nobody_and_is_removed() {
    for vector in list("refuse") {
        let cookie = format!("{}={}", text(&vector, "cookie"), text(&vector, "value"));
        let request = sessions(&vector).begin([cookie.as_bytes()]);
        let session = wait(request.session()).unwrap();
        assert!(!session.is_live() && session.owner().is_none(), "{}", text(&vector, "name"));
        let headers = wait(request.finish()).unwrap();
        let lines: Vec<_> = headers.set_cookies().map(|line| line.to_str().unwrap()).collect();
        let attributes = "; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0";
        assert_eq!(lines, [format!("{}={attributes}", text(&vector, "cookie"))]);
    }
}

/// F11, F12: the published sizes are those of the format: 106 bytes of header, 7 and the label in a copy, steps of
/// 32, 45 bytes around.
#[test]
fn the_published_sizes_are_those_of_the_format() {
    for vector in list("open") {
        let plaintext = text(&vector, "plaintext").len() / 2;
        let owner = text(&vector["header"], "owner").len();
        let fields = vector["fields"].as_array().unwrap().iter();
        let fields: usize =
            fields.map(|field| 5 + [0, 1].map(|at| field[at].as_str().unwrap().len()).iter().sum::<usize>()).sum();
        let of_a_copy = vector["header"]["label"].as_str().map_or(0, |label| 7 + label.len());
        assert_eq!(plaintext, (106 + owner + of_a_copy + 2 + fields).next_multiple_of(32));
        assert_eq!(text(&vector, "value").len(), base64url(&vec![0; 45 + plaintext]).len());
    }
}
