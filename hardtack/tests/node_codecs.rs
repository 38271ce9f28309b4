//! What the codecs of Node's cookies promise beyond the vectors of `node_vectors.rs`: bounds, refusals, rotation, time.
#![cfg(feature = "interop")]
#![allow(clippy::unwrap_used, missing_docs)]

use std::time::Duration;

use hardtack::{
    BuildError,
    interop::{
        ArcAlgorithm, Architect, ClientKeys, ClientSessions, CookieSession, Encryption, ExpressSession, Foreign,
        IronSession, Refusal, SealError, SecureSession, Signature,
    },
};
use proptest::prelude::*;

const NOW: u64 = 1_750_000_000_000;
const PASSWORD: &str = "complex_password_at_least_32_characters_long";
const OTHER: &str = "another_password_at_least_32_characters_long";

fn iron() -> IronSession {
    IronSession::new("session", PASSWORD).unwrap()
}

fn client() -> ClientSessions {
    ClientSessions::new("session", "a secret").unwrap()
}

fn secure(keys: &[u8]) -> SecureSession {
    SecureSession::new("session", keys.iter().map(|byte| [*byte; 32])).unwrap()
}

/// All six, under the secrets of this file or under others.
fn all(secret: &str) -> Vec<Foreign> {
    let long = format!("{secret:_<40}");
    vec![
        IronSession::new("session", &long).unwrap().into(),
        ClientSessions::new("session", secret).unwrap().into(),
        ExpressSession::new("connect.sid", [secret]).unwrap().into(),
        CookieSession::new("session", [secret]).unwrap().into(),
        Architect::new(&long, ArcAlgorithm::A256Gcm).unwrap().into(),
        secure(&[secret.len() as u8]).into(),
    ]
}

fn open(foreign: &Foreign, cookies: &[(String, String)], now: u64) -> Result<String, Refusal> {
    let find = |name: &str| cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_bytes());
    foreign.open(find, now).map(|opened| opened.data_json().to_owned())
}

fn refused(result: Result<impl std::fmt::Debug, BuildError>, hint: &str) {
    let message = result.unwrap_err().to_string();
    assert!(message.contains(hint), "{message}");
}

/// F04, F05: no byte of any cookie can be changed, and none be left out at its end, without a refusal.
#[test]
fn a_flipped_bit_a_truncation_and_another_secret_open_nothing() {
    for (foreign, other) in all("a secret").into_iter().zip(all("the other secret")) {
        let data = r#"{"id":"7hXcV","user":{"name":"Žluťoučký 🐎"}}"#;
        let cookies = foreign.seal(data, NOW).unwrap();
        let format = foreign.format();
        assert!(open(&foreign, &cookies, NOW).is_ok(), "{format}");
        assert_eq!(open(&other, &cookies, NOW), Err(Refusal::Forged), "{format}");
        for (index, (_, value)) in cookies.iter().enumerate() {
            // What is behind the `~` of iron-session's seal is its version, which nothing authenticates.
            let authenticated = value.find('~').unwrap_or(value.len());
            for at in 0..authenticated {
                for bit in 0..7 {
                    let mut changed = cookies.clone();
                    let mut bytes = value.clone().into_bytes();
                    bytes[at] ^= 1 << bit;
                    changed[index].1 = String::from_utf8(bytes).unwrap();
                    // `%2F` and `%2f` are one letter.
                    let in_escape = value.as_bytes()[..at].ends_with(b"%2") || value.as_bytes()[..at].ends_with(b"%3");
                    if in_escape && changed[index].1.eq_ignore_ascii_case(value) {
                        continue;
                    }
                    let answer = open(&foreign, &changed, NOW);
                    assert!(answer.is_err(), "{format}: bit {bit} of byte {at}: {answer:?}");
                }
                let mut changed = cookies.clone();
                changed[index].1.truncate(at);
                assert!(open(&foreign, &changed, NOW).is_err(), "{format}: cut at {at}");
            }
        }
    }
}

proptest! {
    /// F05: no input panics, and nothing opens that was not sealed.
    #[test]
    fn garbage_opens_nothing(bytes in prop::collection::vec(any::<u8>(), 0..300), text in "[A-Za-z0-9_.*~;%=-]{0,200}") {
        for foreign in all("a secret") {
            for value in [&bytes[..], text.as_bytes()] {
                let find = |_: &str| Some(value);
                prop_assert!(foreign.open(find, NOW).is_err());
            }
        }
    }
}

#[test]
fn json_goes_through_byte_for_byte() {
    let texts = [
        "{}",
        r#"{"__proto__":{"admin":true},"constructor":1,"toString":null}"#,
        r#"{"b":1,"a":1e21,"10":-0.0,"2":1.0,"n":123456789012345678901234567890,"s":5e-324}"#,
        "{\"text\":\"\u{2028}\u{7f}\\u0000\\\"\\\\/\\/\\ud83d\",\"\\udc00\":[[[null,true,false]],{}]}",
        r#"{"double":1,"double":2}"#,
    ];
    for foreign in all("a secret").into_iter().filter(Foreign::holds_data) {
        for text in texts {
            let cookies = foreign.seal(text, NOW).unwrap();
            assert_eq!(open(&foreign, &cookies, NOW).as_deref(), Ok(text), "{}", foreign.format());
        }
        let spaced = "\n{ \"a b\" : [ 1 ,\t\"c  d\" ] }\r\n";
        let cookies = foreign.seal(spaced, NOW).unwrap();
        assert_eq!(open(&foreign, &cookies, NOW).as_deref(), Ok(r#"{"a b":[1,"c  d"]}"#), "{}", foreign.format());
        for no_object in ["[]", "null", "\"text\"", "", "{", "{}{}", "{'a':1}"] {
            assert_eq!(foreign.seal(no_object, NOW), Err(SealError::NotAnObject), "{}", foreign.format());
        }
    }
}

/// A bound: what is longer than four cookies is not looked at, and no cookie is made that a browser drops.
#[test]
fn what_is_too_long_is_neither_read_nor_written() {
    let long = "A".repeat(16_385);
    for foreign in all("a secret") {
        assert_eq!(foreign.open(|_| Some(long.as_bytes()), NOW).unwrap_err(), Refusal::TooLong, "{}", foreign.format());
        let data = format!(r#"{{"id":"{}"}}"#, &long[..4100]);
        assert!(matches!(foreign.seal(&data, NOW), Err(SealError::TooLarge { .. })), "{}", foreign.format());
    }
}

#[test]
fn without_its_cookie_there_is_no_session() {
    for foreign in all("a secret") {
        assert_eq!(foreign.open(|_| None, NOW).unwrap_err(), Refusal::Absent);
        assert_eq!(foreign.open(|_| Some(b""), NOW).unwrap_err(), Refusal::Absent);
    }
}

/// F07: what they say about themselves is no secret.
#[test]
fn no_secret_and_no_data_is_printed() {
    for foreign in all("tell nobody") {
        let cookies = foreign.seal(r#"{"id":"tell nobody"}"#, NOW).unwrap();
        let find = |name: &str| cookies.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_bytes());
        let printed = format!("{foreign:?} {:?}", foreign.open(find, NOW).unwrap());
        assert!(!printed.contains("nobody"), "{printed}");
    }
    assert!(!format!("{:?}", ClientKeys::secret("tell nobody")).contains("nobody"));
}

/// F09.
#[test]
fn secrets_that_are_too_short_do_not_build() {
    refused(IronSession::new("session", "x".repeat(31)), "at least 32");
    refused(IronSession::with_passwords("session", [("a", PASSWORD)]), "number");
    refused(IronSession::with_passwords("session", [("1", PASSWORD), ("1", OTHER)]), "twice");
    refused(IronSession::new("no name", PASSWORD), "cookie name");
    refused(ClientSessions::new("session", ""), "secret");
    refused(ClientSessions::new("session", ClientKeys::default().encryption_key([1; 32])), "secret");
    refused(ClientSessions::new("session", ClientKeys::pair([1; 32], [1; 32])), "same");
    refused(ClientSessions::new("session", ClientKeys::secret("x").encryption(Encryption::Aes128)), "exactly 16");
    refused(ClientSessions::new("session", ClientKeys::secret("x").signature(Signature::Sha512)), "at least 64");
    refused(ExpressSession::new::<&str>("connect.sid", []), "no secret");
    refused(ExpressSession::new("connect.sid", ["good", ""]), "empty");
    refused(CookieSession::new::<&str>("session", []), "no secret");
    refused(Architect::new("short", ArcAlgorithm::A128Gcm), "takes 16");
    refused(Architect::new("ž".repeat(15), ArcAlgorithm::A128Gcm), "takes 16");
    assert!(Architect::new("ž".repeat(16), ArcAlgorithm::A128Gcm).is_ok());
    refused(Architect::new("1234567890123456 and more", ArcAlgorithm::A128Gcm), "everybody knows");
    refused(Architect::legacy("c2hvcnQ="), "fewer than 16");
    refused(SecureSession::new("session", []), "32 bytes");
    refused(SecureSession::from_secret("session", "x".repeat(31), None), "at least 32");
}

/// Anybody writes such a cookie: it may be looked at, and no session may stand on it.
#[test]
fn a_cookie_session_without_keys_cannot_be_trusted() {
    let unsigned = Foreign::from(CookieSession::unsigned("session").unwrap());
    let find = |name: &str| (name == "session").then_some(&b"eyJhZG1pbiI6dHJ1ZX0="[..]);
    assert_eq!(unsigned.open(find, NOW).unwrap().data_json(), r#"{"admin":true}"#);
    refused(unsigned.check(), "anybody");
    for foreign in all("a secret") {
        foreign.check().unwrap();
    }
}

#[test]
fn iron_session_seals_with_the_highest_number_and_opens_with_every_password() {
    let map = [("9", PASSWORD), ("10", OTHER)];
    let both = IronSession::with_passwords("session", map).unwrap();
    let value = both.seal("{}", NOW).unwrap();
    assert_eq!(both.open(value.as_bytes(), NOW).unwrap().key_id(), Some("10"));
    let one = |id: &str, password: &str| IronSession::with_passwords("session", [(id, password)]).unwrap();
    assert!(one("10", OTHER).open(value.as_bytes(), NOW).is_ok());
    assert_eq!(one("9", PASSWORD).open(value.as_bytes(), NOW).unwrap_err(), Refusal::UnknownKey);
    assert_eq!(one("10", PASSWORD).open(value.as_bytes(), NOW).unwrap_err(), Refusal::Forged);
    let old = one("9", PASSWORD).seal("{}", NOW).unwrap();
    assert_eq!(both.open(old.as_bytes(), NOW).unwrap().key_id(), Some("9"));
}

/// Only what is authentic can be expired: the end is not believed before the MAC.
#[test]
fn iron_session_lives_for_its_ttl_and_a_minute() {
    let iron = iron().ttl(Duration::from_secs(600));
    let value = iron.seal("{}", NOW).unwrap();
    let end = NOW + 600_000;
    assert_eq!(iron.open(value.as_bytes(), NOW).unwrap().expires_at(), Some(end));
    assert!(iron.open(value.as_bytes(), end + 59_999).is_ok());
    assert_eq!(iron.open(value.as_bytes(), end + 60_000).unwrap_err(), Refusal::Expired);
    let forged = value.replace(&end.to_string(), &(NOW - 600_000).to_string());
    assert_eq!(iron.open(forged.as_bytes(), NOW).unwrap_err(), Refusal::Forged);

    let for_ever = iron.ttl(Duration::ZERO);
    let value = for_ever.seal("{}", NOW).unwrap();
    assert_eq!(for_ever.open(value.as_bytes(), u64::MAX).unwrap().expires_at(), None);
}

/// As version 9: `name.0` to `name.3`, each line of `Set-Cookie` filled to 4,096 bytes, read up to the first gap.
#[test]
fn iron_session_writes_chunks_when_asked_and_always_reads_them() {
    let data = format!(r#"{{"blob":"{}"}}"#, "x".repeat(8000));
    assert!(matches!(Foreign::from(iron()).seal(&data, NOW), Err(SealError::TooLarge { .. })));
    let chunked = Foreign::from(iron().chunk(true));
    let cookies = chunked.seal(&data, NOW).unwrap();
    let names: Vec<_> = cookies.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["session.0", "session.1", "session.2"]);
    let line = |index: usize| format!("{}={}{}", cookies[index].0, cookies[index].1, chunked.attributes());
    assert_eq!((line(0).len(), line(1).len()), (4096, 4096));
    assert!(line(0).ends_with("; Max-Age=1209540; Path=/; HttpOnly; Secure; SameSite=Lax"));
    for reader in [chunked.clone(), iron().into()] {
        assert_eq!(open(&reader, &cookies, NOW).as_deref(), Ok(data.as_str()));
        assert!(open(&reader, &cookies[..2], NOW).is_err());
        assert_eq!(open(&reader, &cookies[1..], NOW), Err(Refusal::Absent));
    }
    assert_eq!(chunked.seal("{}", NOW).unwrap()[0].0, "session");
    assert_eq!(chunked.cookie_names(), ["session", "session.0", "session.1", "session.2", "session.3"]);
    let more = format!(r#"{{"blob":"{}"}}"#, "x".repeat(13_000));
    assert!(matches!(chunked.seal(&more, NOW), Err(SealError::TooLarge { .. })));
}

#[test]
fn client_sessions_slides_when_little_is_left_and_keeps_its_age_otherwise() {
    let sessions = client();
    let value = sessions.seal("{}", NOW).unwrap();
    let end = NOW + 86_400_000;
    for (now, resent) in [(NOW, false), (end - 300_000, false), (end - 299_999, true), (end, true)] {
        let opened = sessions.open(value.as_bytes(), now).unwrap();
        assert_eq!(opened.is_to_be_resent(), resent, "{now}");
        let next = sessions.reseal(&opened, r#"{"n":1}"#, now).unwrap();
        let next = sessions.open(next.as_bytes(), now).unwrap();
        assert_eq!(next.created_at(), Some(if resent { NOW + 300_000 } else { NOW }), "{now}");
        assert_eq!(next.data_json(), r#"{"n":1}"#);
    }
    assert_eq!(sessions.open(value.as_bytes(), end + 1).unwrap_err(), Refusal::Expired);
    let never = client().active_duration(Duration::ZERO);
    assert!(!never.open(value.as_bytes(), end).unwrap().is_to_be_resent());
}

/// F03.
#[test]
fn a_cookie_that_is_bound_to_its_name_does_not_open_under_another() {
    let value = client().seal("{}", NOW).unwrap();
    let other = ClientSessions::new("other", "a secret").unwrap();
    assert_eq!(other.open(value.as_bytes(), NOW).unwrap_err(), Refusal::OtherCookie);
    let (value, signature) = CookieSession::new("session", ["key"]).unwrap().seal("{}").unwrap();
    let other = CookieSession::new("other", ["key"]).unwrap();
    assert_eq!(other.open(value.as_bytes(), signature.as_deref().map(str::as_bytes)).unwrap_err(), Refusal::Forged);
}

#[test]
fn rotated_keys_open_what_is_old_and_say_so() {
    let (old, new) = (CookieSession::new("s", ["old"]).unwrap(), CookieSession::new("s", ["new", "old"]).unwrap());
    let (value, signature) = old.seal("{}").unwrap();
    let opened = new.open(value.as_bytes(), signature.as_deref().map(str::as_bytes)).unwrap();
    assert_eq!((opened.key_id(), opened.is_to_be_resent()), (Some("1"), true));

    let value = secure(&[1]).seal("{}", NOW).unwrap();
    let opened = secure(&[2, 1]).open(value.as_bytes(), NOW).unwrap();
    assert_eq!((opened.key_id(), opened.is_to_be_resent()), (Some("1"), true));
    let opened = secure(&[1, 2]).open(value.as_bytes(), NOW).unwrap();
    assert_eq!((opened.key_id(), opened.is_to_be_resent()), (Some("0"), false));

    let express = ExpressSession::new("connect.sid", ["new", "old"]).unwrap();
    let value = ExpressSession::new("connect.sid", ["old"]).unwrap().sign("id");
    assert_eq!(express.verify(value.as_bytes()).unwrap(), "id");
}

/// F04: the algorithm is configured; what a token says of itself chooses nothing.
#[test]
fn a_token_does_not_choose_its_algorithm() {
    let secret = "this-is-a-32-character-app-secre";
    let sealed = Architect::new(secret, ArcAlgorithm::A128Gcm).unwrap().seal("{}", NOW).unwrap();
    let reader = Architect::new(secret, ArcAlgorithm::A256Gcm).unwrap();
    assert_eq!(reader.open(sealed.as_bytes(), NOW).unwrap_err(), Refusal::WrongAlgorithm);
}

#[test]
fn architect_s_week_begins_with_every_write_and_its_own_claims_come_first() {
    let architect = Architect::new("this-is-a-32-character-app-secre", ArcAlgorithm::A256Gcm).unwrap();
    let value = architect.seal(r#"{"iat":5,"a":1}"#, NOW + 999).unwrap();
    let opened = architect.open(value.as_bytes(), NOW).unwrap();
    assert_eq!((opened.data_json(), opened.created_at()), (r#"{"a":1}"#, Some(NOW)));
    let week = NOW + 604_800_000;
    assert!(architect.open(value.as_bytes(), week).is_ok());
    assert_eq!(architect.open(value.as_bytes(), week + 1).unwrap_err(), Refusal::Expired);
    let value = architect.seal(&format!(r#"{{"exp":{}}}"#, NOW / 1000 + 60), NOW).unwrap();
    assert_eq!(architect.open(value.as_bytes(), NOW).unwrap().expires_at(), Some(NOW + 60_000));
    assert_eq!(architect.open(value.as_bytes(), NOW + 60_001).unwrap_err(), Refusal::Expired);
}

#[test]
fn secure_session_ends_by_the_expiry_of_its_reader() {
    let value = secure(&[1]).seal(r#"{"__ts":1,"a":1}"#, NOW).unwrap();
    let reader = secure(&[1]).expiry(Duration::from_secs(60));
    let opened = reader.open(value.as_bytes(), NOW + 59_999).unwrap();
    assert_eq!((opened.data_json(), opened.created_at()), (r#"{"a":1}"#, Some(NOW)));
    assert_eq!(reader.open(value.as_bytes(), NOW + 60_000).unwrap_err(), Refusal::Expired);
    assert!(secure(&[1]).open(value.as_bytes(), NOW + 86_400_999).is_ok());
}

#[test]
fn of_express_session_the_data_is_the_id() {
    let express = Foreign::from(ExpressSession::new("connect.sid", ["keyboard cat"]).unwrap());
    let cookies = express.seal(r#"{"id":"k\u016f\u0148/🐎"}"#, NOW).unwrap();
    assert!(cookies[0].1.starts_with("s%3Ak%C5%AF%C5%88%2F%F0%9F%90%8E."), "{cookies:?}");
    assert_eq!(open(&express, &cookies, NOW).as_deref(), Ok(r#"{"id":"kůň/🐎"}"#));
    assert!(!express.holds_data());
    for bad in [r#"{}"#, r#"{"id":""}"#, r#"{"id":5}"#] {
        assert_eq!(express.seal(bad, NOW), Err(SealError::NoId));
    }
}
