//! For 1,000 sessions that a property test made up, the real packages open our cookies and we theirs, and the JSON is the
//! same to the letter: numbers, unicode, lone surrogates, order of keys, nesting, `null`, `__proto__`, up to the size
//! that a cookie can have.
#![allow(clippy::unwrap_used, missing_docs)]

use std::cell::{Cell, RefCell};

use hardtack::interop::{
    ArcAlgorithm, Architect, ClientKeys, ClientSessions, CookieSession, Encryption, ExpressSession, Foreign,
    IronSession, KeygripAlgorithm, KeygripEncoding, SealError, SecureSession, Signature,
};
use hardtack_interop::{Cookies, Judge};
use proptest::{
    prelude::*,
    test_runner::{Config, TestCaseError, TestRunner},
};
use serde_json::{Value, json};

const PASSWORD: &str = "complex_password_at_least_32_characters_long";

fn now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(since.as_millis()).unwrap()
}

/// A JSON string in any spelling: raw and escaped, with pairs and halves of surrogates.
fn string() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => any::<char>().prop_map(escaped),
        4 => "[a-z]{1,8}",
        1 => any::<u16>().prop_map(|unit| format!("\\u{unit:04x}")),
        1 => Just("\\/".to_owned()),
        1 => prop::sample::select(vec!["\u{2028}", "🐎", "\u{7f}", "%3B", ";", "=", "&", "é", "\\ud83d\\udc0e"]).prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// A character as it stands in a JSON string.
fn escaped(character: char) -> String {
    let quoted = Value::from(character.to_string()).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i32>().prop_map(|number| number.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        prop::num::f64::NORMAL.prop_map(|number| format!("{number:e}")),
        prop::sample::select(vec!["0", "-0", "1e21", "1E-7", "5e-324", "0.1", "9007199254740993", "1.0"])
            .prop_map(str::to_owned),
    ]
}

fn key() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => string(),
        2 => (0u32..30).prop_map(|index| format!("\"{index}\"")),
        1 => Just("\"__proto__\"".to_owned()),
    ]
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        string(),
        number(),
        prop::sample::select(vec!["null", "true", "false", "{}", "[]"]).prop_map(str::to_owned)
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(|items| format!("[{}]", items.join(","))),
            prop::collection::vec((key(), inner), 0..5).prop_map(object),
        ]
    })
}

fn object(members: Vec<(String, String)>) -> String {
    let members: Vec<_> = members.into_iter().map(|(key, value)| format!("{key}:{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// A session. Names that some package takes for itself do not stand at its top.
fn session() -> impl Strategy<Value = String> {
    let name = prop_oneof![
        "[a-zA-Z]{1,3}",
        "k[ \\-.äж🐎]{1,4}",
        (0u32..30).prop_map(|index| index.to_string()),
        Just("\\ud83d".to_owned()),
    ];
    let members = prop::collection::vec((name.prop_map(|name| format!("\"{name}\"")), value()), 0..6);
    (members, 0usize..3000).prop_map(|(mut members, length)| {
        // Half of them are long, up to what is too long.
        if length > 1500 {
            members.push(("\"pad\"".to_owned(), format!("\"{}\"", "aé🐎".repeat((length - 1500) / 3))));
        }
        object(members)
    })
}

/// For packages that do not write a new session in which nothing is.
fn not_empty() -> impl Strategy<Value = String> {
    session().prop_filter("nothing is in it", |session| session != "{}")
}

/// One configuration of both sides.
struct Pair {
    package: &'static str,
    options: Value,
    ours: Foreign,
}

/// Runs a property over so many sessions, with a process of Node of its own.
fn agree(pair: &Pair, cases: u32, sessions: impl Strategy<Value = String>) {
    agree_before(&RefCell::new(Judge::start()), pair, cases, sessions);
}

fn agree_before(judge: &RefCell<Judge>, pair: &Pair, cases: u32, sessions: impl Strategy<Value = String>) {
    let sealed = Cell::new(0);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let outcome = TestRunner::new(config).run(&sessions, |session| {
        let mut judge = judge.borrow_mut();
        let told = |why: String| TestCaseError::fail(why);
        match pair.ours.seal(&session, now()) {
            Ok(cookies) => {
                let (theirs, canonical) = judge.open(pair.package, &pair.options, &cookies, &session).map_err(told)?;
                prop_assert_eq!(theirs, canonical, "{} opened ours", pair.package);
                sealed.set(sealed.get() + 1);
            }
            Err(SealError::TooLarge { .. }) => {}
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
        let (cookies, canonical) = match judge.seal(pair.package, &pair.options, &session) {
            // As ours, iron-session 9 refuses what is too long.
            Err(error) if error.contains("too big") => return Ok(()),
            sealed => sealed.map_err(told)?,
        };
        prop_assert_eq!(opened(&pair.ours, &cookies), Ok(canonical), "we opened that of {}", pair.package);
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{}: {failure}", pair.package);
    }
    assert!(sealed.get() > cases / 2, "only {} were short enough", sealed.get());
}

fn opened(foreign: &Foreign, cookies: &Cookies) -> Result<String, String> {
    let find = |name: &str| cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_bytes());
    foreign.open(find, now()).map(|opened| opened.data_json().to_owned()).map_err(|refusal| refusal.to_string())
}

#[test]
fn iron_session_8_agrees() {
    let ours = IronSession::new("session", PASSWORD).unwrap().into();
    let options = json!({ "cookieName": "session", "password": PASSWORD, "ttl": 1_209_600 });
    agree(&Pair { package: "iron-session", options, ours }, 1000, session());
}

#[test]
fn iron_session_6_agrees() {
    let other = "another_password_at_least_32_characters_long";
    let ours = IronSession::with_passwords("session", [("1", PASSWORD), ("2", other)]).unwrap().into();
    let options = json!({ "cookieName": "session", "password": { "1": PASSWORD, "2": other }, "ttl": 3600 });
    agree(&Pair { package: "iron-session-6", options, ours }, 300, session());
}

#[test]
fn iron_session_9_agrees_in_chunks_as_well() {
    let ours = IronSession::new("session", PASSWORD).unwrap().chunk(true).into();
    let options = json!({ "cookieName": "session", "password": PASSWORD, "chunk": true });
    let long = (session(), 0usize..2500).prop_map(|(session, length)| {
        let pad = format!("\"long\":\"{}\"", "aé🐎".repeat(length / 3));
        if session == "{}" { format!("{{{pad}}}") } else { format!("{},{pad}}}", session.strip_suffix('}').unwrap()) }
    });
    agree(&Pair { package: "iron-session-9", options, ours }, 1000, long);
}

#[test]
fn client_sessions_agrees() {
    let ours = ClientSessions::new("session_state", "a long and random secret").unwrap().into();
    let options = json!({ "cookieName": "session_state", "secret": "a long and random secret" });
    agree(&Pair { package: "client-sessions", options, ours }, 1000, not_empty());
}

#[test]
fn client_sessions_agrees_under_all_its_algorithms() {
    let judge = RefCell::new(Judge::start());
    let key = |length: u8| (0..length).map(|index| index.wrapping_mul(7) ^ length).collect::<Vec<u8>>();
    let encryptions = [(Encryption::Aes128, 16), (Encryption::Aes192, 24), (Encryption::Aes256, 32)];
    let signatures = [
        (Signature::Sha256, 33),
        (Signature::Sha256Drop128, 40),
        (Signature::Sha384, 48),
        (Signature::Sha384Drop192, 50),
        (Signature::Sha512, 64),
        (Signature::Sha512Drop256, 65),
    ];
    for (encryption, encryption_length) in encryptions {
        for (signature, signature_length) in signatures {
            let (first, second) = (key(encryption_length), key(signature_length));
            let keys = ClientKeys::pair(&first, &second).encryption(encryption).signature(signature);
            let options = json!({
                "cookieName": "session", "encryptionKey": base64(&first), "signatureKey": base64(&second),
                "encryptionAlgorithm": encryption.as_str(), "signatureAlgorithm": signature.as_str(),
            });
            let ours = ClientSessions::new("session", keys).unwrap().into();
            agree_before(&judge, &Pair { package: "client-sessions", options, ours }, 10, not_empty());
        }
    }
}

#[test]
fn express_session_agrees() {
    let ours = ExpressSession::new("connect.sid", ["keyboard cat", "old"]).unwrap().into();
    let options = json!({ "secret": ["keyboard cat", "old"] });
    // An id with half a surrogate cannot be put into UTF-8, so neither side can sign it.
    let ids = prop_oneof!["[A-Za-z0-9_-]{32}", "[A-Za-z0-9ž🐎 ./+=%;,\"\\\\~*'()!-]{1,40}"];
    let sessions = ids.prop_map(|id| json!({ "id": id }).to_string());
    agree(&Pair { package: "express-session", options, ours }, 1000, sessions);
}

#[test]
fn cookie_session_agrees() {
    let ours = CookieSession::new("session", ["key-one", "key-two"]).unwrap().into();
    let options = json!({ "name": "session", "keys": ["key-one", "key-two"] });
    agree(&Pair { package: "cookie-session", options, ours }, 1000, not_empty());
}

#[test]
fn cookie_session_agrees_under_another_keygrip() {
    let (algorithm, encoding) = (KeygripAlgorithm::Sha256, KeygripEncoding::Hex);
    let ours = CookieSession::with_keygrip("session", ["key-one"], algorithm, encoding).unwrap().into();
    let options =
        json!({ "name": "session", "keys": ["key-one"], "keygrip": { "algorithm": "sha256", "encoding": "hex" } });
    agree(&Pair { package: "cookie-session", options, ours }, 50, not_empty());
}

#[test]
fn architect_agrees() {
    let secret = "this-is-a-32-character-app-secre";
    let ours = Architect::new(secret, ArcAlgorithm::A256Gcm).unwrap().into();
    agree(&Pair { package: "architect", options: json!({ "ARC_APP_SECRET": secret }), ours }, 1000, session());
    for algorithm in [ArcAlgorithm::A192Gcm, ArcAlgorithm::A128Gcm] {
        let options = json!({ "ARC_APP_SECRET": secret, "ARC_APP_SECRET_ALGO": algorithm.as_str() });
        let ours = Architect::new(secret, algorithm).unwrap().into();
        agree(&Pair { package: "architect", options, ours }, 50, session());
    }
    let options = json!({ "ARC_APP_SECRET": secret, "ARC_FORCE_LEGACY_JWE_SECRET": "1" });
    agree(&Pair { package: "architect", options, ours: Architect::legacy(secret).unwrap().into() }, 50, session());
}

#[test]
fn secure_session_agrees() {
    let options = json!({ "key": ["07".repeat(32), "08".repeat(32)] });
    let ours = SecureSession::new("session", [[7; 32], [8; 32]]).unwrap().into();
    agree(&Pair { package: "secure-session", options, ours }, 1000, session());
    let salt = "mq9hDxBVDbspDR6n";
    for own in [Some(salt), None] {
        let salt = own.map(|salt| salt.as_bytes().try_into().unwrap());
        let ours = SecureSession::from_secret("session", PASSWORD, salt).unwrap().into();
        let options = json!({ "secret": PASSWORD, "salt": own });
        agree(&Pair { package: "secure-session", options, ours }, 20, session());
    }
}

fn base64(bytes: &[u8]) -> String {
    let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number = chunk.iter().fold(0u32, |number, byte| number << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..=chunk.len() {
            text.push(char::from(alphabet[(number >> (18 - 6 * position) & 63) as usize]));
        }
    }
    text + &"=".repeat((3 - bytes.len() % 3) % 3)
}
