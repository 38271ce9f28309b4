//! The handle of a request: what is written is there on the next request, byte for byte, and nothing else is.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use common::{NOTE, START, builder, cookie, sessions, wait};
use hardtack::{Clock, CommitError, Field, FieldError, Key, Keyring, Kind, Outcome, Session, SessionHeaders, Sessions};
use independent::{Plain, Seal};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

const COUNT: Field<u64> = Field::new("count");
const RAW: Field<Box<RawValue>> = Field::new("raw");

/// A value that JSON cannot say.
const IMPOSSIBLE: Field<HashMap<Vec<u8>, u8>> = Field::new("impossible");

fn impossible() -> HashMap<Vec<u8>, u8> {
    HashMap::from([(vec![1], 1)])
}

fn raw(json: &str) -> Box<RawValue> {
    RawValue::from_string(json.into()).unwrap()
}

fn line(headers: &SessionHeaders) -> Option<String> {
    headers.set_cookies().next().map(|line| line.to_str().unwrap().to_owned())
}

/// One request with this cookie; the `Set-Cookie` line that it got.
fn visit(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> Option<String> {
    let request = sessions.begin([cookie.as_bytes()]);
    work(&wait(request.session()).unwrap());
    line(&wait(request.finish()).unwrap())
}

/// As `visit`, and goes on with the cookie that a browser then has.
fn then(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> String {
    visit(sessions, cookie, work).map_or(cookie.to_owned(), |line| line.split(';').next().unwrap().to_owned())
}

fn data(sessions: &Sessions, cookie: &str) -> String {
    sessions.inspect(cookie.split_once('=').unwrap().1).unwrap().data_json()
}

/// Every way of writing a field is there on the next request, and every way of removing one removes it.
#[test]
fn what_is_written_is_there_on_the_next_request() {
    let sessions = sessions();
    let made = then(&sessions, "", |session| {
        session.set(NOTE, "one".into());
        session.try_set(COUNT, 1).unwrap();
    });
    assert_eq!(data(&sessions, &made), r#"{"note":"one","count":1}"#);
    let made = then(&sessions, &made, |session| {
        assert_eq!((session.get(NOTE).as_deref(), session.try_get(COUNT).unwrap()), (Some("one"), Some(1)));
        session.update(COUNT, |count| count.unwrap_or_default() + 1);
        session.try_update(NOTE, |note| note.unwrap_or_default() + " two").unwrap();
    });
    assert_eq!(data(&sessions, &made), r#"{"note":"one two","count":2}"#);
    let made = then(&sessions, &made, |session| {
        assert_eq!(session.take(NOTE).as_deref(), Some("one two"));
        assert_eq!(session.get(NOTE), None);
    });
    assert_eq!(data(&sessions, &made), r#"{"count":2}"#);
    let made = then(&sessions, &made, |session| {
        session.remove(COUNT);
        session.update(NOTE, |note| note.unwrap_or("fresh".into()));
    });
    assert_eq!(data(&sessions, &made), r#"{"note":"fresh"}"#);
    let made = then(&sessions, &made, Session::clear);
    assert_eq!(data(&sessions, &made), "{}");
}

/// Two extractions and all clones in one request are one session.
#[test]
fn all_handles_of_a_request_are_one_session() {
    let sessions = sessions();
    let request = sessions.begin([]);
    let (one, two) = (wait(request.session()).unwrap(), wait(request.clone().session()).unwrap());
    one.set(COUNT, 1);
    two.clone().update(COUNT, |count| count.unwrap() + 1);
    assert_eq!(one.get(COUNT), Some(2));
    let made = line(&wait(request.finish()).unwrap()).unwrap();
    visit(&sessions, made.split(';').next().unwrap(), |session| assert_eq!(session.get(COUNT), Some(2)));
}

/// A14, D06: what changes nothing writes nothing: the same value, the removal of what is absent, an empty struct.
#[test]
fn an_unchanged_session_sends_no_cookie() {
    #[derive(Serialize, Deserialize)]
    struct View {
        note: String,
    }
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(NOTE, "same".into()));
    let unchanged: [&dyn Fn(&Session); 9] = [
        &|_| {},
        &|session| session.set(NOTE, "same".into()),
        &|session| session.update(NOTE, |note| note.unwrap()),
        &|session| session.remove(COUNT),
        &|session| assert_eq!(session.take(COUNT), None),
        &|session| session.write(&View { note: "same".into() }),
        &|session| assert!(session.read::<View>().is_some()),
        &|session| session.remember_me(false),
        &|session| {
            let _ = (session.owner(), session.handle(), session.expires_in(), session.is_fresh(Duration::MAX));
            let _ = (session.csrf_token(), wait(session.confirm()).unwrap());
        },
    ];
    for (at, work) in unchanged.iter().enumerate() {
        assert_eq!(visit(&sessions, &made, work), None, "{at}");
    }
    let absent: [&dyn Fn(&Session); 7] = [
        &|_| {},
        &|session| session.remove(COUNT),
        &|session| session.clear(),
        &|session| assert_eq!(session.take(NOTE), None),
        &|session| session.write(&serde_json::Map::new()),
        &|session| session.remember_me(false),
        &|session| assert!(!wait(session.confirm()).unwrap() && session.handle().is_none()),
    ];
    for (at, work) in absent.iter().enumerate() {
        assert_eq!(visit(&sessions, "", work), None, "without a session, {at}");
    }
}

/// A request that never asks for its session opens nothing and adds no header.
#[test]
fn an_unasked_session_costs_nothing() {
    let sessions = sessions();
    for cookie in ["", "__Host-session=garbage", &cookie(&sessions, |session| session.keep())] {
        let mut headers = http::HeaderMap::new();
        wait(sessions.begin([cookie.as_bytes()]).finish()).unwrap().apply(&mut headers);
        assert!(headers.is_empty());
    }
}

/// A value that no longer fits its type is `None` for `get`, an error for `try_get`, and is not lost.
#[test]
fn a_value_of_another_type_is_none_and_stays() {
    const WRONG: Field<u64> = Field::new("note");
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(NOTE, "text".into()));
    let after = visit(&sessions, &made, |session| {
        assert_eq!(session.get(WRONG), None);
        assert!(matches!(session.try_get(WRONG), Err(FieldError::Decode { field, .. }) if field == "note"));
        assert!(matches!(session.try_update(WRONG, |n| n.unwrap_or(1)), Err(FieldError::Decode { .. })));
        assert_eq!(session.get(NOTE).as_deref(), Some("text"));
        assert_eq!(session.get(COUNT), None);
        assert_eq!(session.try_get(COUNT).unwrap(), None);
    });
    assert_eq!(after, None);
    let made = then(&sessions, &made, |session| session.update(WRONG, |n| n.map_or(7, |n| n + 1)));
    assert_eq!(data(&sessions, &made), r#"{"note":7}"#);
}

/// A value that cannot be written poisons the session: the commit fails, no cookie is sent, and nothing of the
/// request is kept. `try_set` says it at once and spoils nothing.
#[test]
fn a_value_that_cannot_be_written_fails_the_commit() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(COUNT, 1));
    let poisons: [&dyn Fn(&Session); 3] = [
        &|session| session.set(IMPOSSIBLE, impossible()),
        &|session| session.update(IMPOSSIBLE, |_| impossible()),
        &|session| session.write(&vec![1, 2, 3]),
    ];
    for (at, poison) in poisons.iter().enumerate() {
        let request = sessions.begin([made.as_bytes()]);
        let session = wait(request.session()).unwrap();
        session.set(COUNT, 2);
        poison(&session);
        session.set(COUNT, 3);
        let error = wait(request.finish()).unwrap_err();
        assert!(matches!(error, CommitError::Field { .. }) && error.status() == 500, "{at}: {error}");
    }
    let line = visit(&sessions, &made, |session| {
        assert!(matches!(session.try_set(IMPOSSIBLE, impossible()), Err(FieldError::Encode { .. })));
        assert!(matches!(session.try_update(IMPOSSIBLE, |_| impossible()), Err(FieldError::Encode { .. })));
        assert!(matches!(session.try_write(&[1, 2]), Err(FieldError::NotAnObject)));
        assert!(matches!(session.try_write(&"text".to_owned()), Err(FieldError::NotAnObject)));
        assert_eq!(session.get(COUNT), Some(1));
    });
    assert_eq!(line, None);
}

/// The first error of a request is the one that is told.
#[test]
fn the_first_error_is_told() {
    let sessions = sessions();
    let request = sessions.begin([]);
    let session = wait(request.session()).unwrap();
    session.sign_in("");
    session.set(IMPOSSIBLE, impossible());
    assert!(matches!(wait(request.finish()), Err(CommitError::Owner)));
}

/// An owner has 1 to 512 bytes; any other fails the commit and signs nobody in.
#[test]
fn an_impossible_owner_signs_nobody_in() {
    let sessions = sessions();
    for (length, works) in [(0, false), (1, true), (512, true), (513, false), (100_000, false)] {
        let request = sessions.begin([]);
        let session = wait(request.session()).unwrap();
        let owner = "o".repeat(length);
        session.sign_in(&owner);
        assert_eq!(session.owner().as_deref(), works.then_some(&owner[..]));
        match wait(request.finish()) {
            Ok(headers) => {
                assert!(works);
                let made = line(&headers).unwrap();
                visit(&sessions, made.split(';').next().unwrap(), |next| assert_eq!(next.owner(), Some(owner)));
            }
            Err(error) => assert!(!works && matches!(error, CommitError::Owner), "{error}"),
        }
    }
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Cart {
    #[serde(default)]
    items: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    voucher: Option<String>,
    #[serde(default)]
    total: f64,
}

/// `write` keeps fields that the struct does not know, writes those that differ and removes those it skips.
#[test]
fn write_changes_only_what_differs() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| {
        session.set(NOTE, "not of the cart".into());
        session.write(&Cart { items: vec!["tea".into()], voucher: Some("V1".into()), total: 2.5 });
    });
    let first = r#"{"note":"not of the cart","items":["tea"],"total":2.5,"voucher":"V1"}"#;
    let same = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
    assert_eq!(same(&data(&sessions, &made)), same(first));
    let made = then(&sessions, &made, |session| {
        let mut cart: Cart = session.read().unwrap();
        assert_eq!(cart.voucher.as_deref(), Some("V1"));
        cart.items.push("milk".into());
        cart.voucher = None;
        session.write(&cart);
        assert_eq!(session.read::<Cart>().unwrap(), cart);
    });
    let text = data(&sessions, &made);
    assert_eq!(same(&text), same(r#"{"note":"not of the cart","items":["tea","milk"],"total":2.5}"#));
    assert!(!text.contains("voucher"), "a skipped field stays behind: {text}");
}

/// `write` respects what another part of the request wrote to a field that the struct does not change.
#[test]
fn write_does_not_undo_the_writes_of_others() {
    #[derive(Serialize, Deserialize)]
    struct View {
        count: u64,
        other: u64,
    }
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.write(&View { count: 1, other: 1 }));
    let made = then(&sessions, &made, |session| {
        let mut view: View = session.read().unwrap();
        view.other = 2;
        session.set(NOTE, "between".into());
        session.write(&view);
    });
    assert_eq!(data(&sessions, &made), r#"{"count":1,"other":2,"note":"between"}"#);
}

/// A struct over data that does not fit it is `None`, and writing it replaces the fields it has.
#[test]
fn a_struct_that_does_not_fit_is_none_and_can_be_written() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(Field::new("items"), "not a list"));
    let made = then(&sessions, &made, |session| {
        assert_eq!(session.read::<Cart>(), None);
        assert!(matches!(session.try_read::<Cart>(), Err(FieldError::Decode { .. })));
        session.write(&Cart::default());
    });
    visit(&sessions, &made, |session| assert_eq!(session.read::<Cart>(), Some(Cart::default())));
    visit(&sessions, "", |session| assert_eq!(session.read::<Cart>(), Some(Cart::default())));
}

/// Numbers, spelling, white space and the order of keys survive reading, writing of other fields and a copy.
#[test]
fn values_survive_byte_for_byte() {
    const COPY: Field<Box<RawValue>> = Field::new("copy");
    let sessions = sessions();
    for json in [
        "1e400",
        "-0",
        "-0.0",
        "9007199254740993",
        "18446744073709551616",
        "3.14159265358979323846264338327950288",
        "1E+2",
        r#"{"z":1,"a":2,"m":{"y":1,"b":2}}"#,
        r#"{ "spaced" : [ 1 , 2 ] }"#,
        r#""\u00e9\u0000\ud83c\udf6a""#,
        r#""é🍪""#,
        r#"{"twice":1,"twice":2}"#,
        "null",
        "[]",
    ] {
        let made = cookie(&sessions, |session| session.set(RAW, raw(json)));
        let made = then(&sessions, &made, |session| {
            let value = session.get(RAW).unwrap();
            assert_eq!(value.get(), json);
            session.set(COPY, value);
            session.set(COUNT, 1);
        });
        let made = then(&sessions, &made, |session| session.remove(COUNT));
        assert_eq!(data(&sessions, &made), format!(r#"{{"raw":{json},"copy":{json}}}"#));
        visit(&sessions, &made, |session| {
            let whole = session.try_read::<Box<RawValue>>().unwrap();
            assert_eq!(whole.get(), data(&sessions, &made));
        });
    }
}

/// Names of fields may be any text of up to 255 bytes; a longer one is an error and nothing is written.
#[test]
fn any_name_of_255_bytes_works_and_256_is_an_error() {
    let sessions = sessions();
    let names = [
        "a",
        "ü",
        "with space",
        "quo\"te",
        "back\\slash",
        "new\nline",
        "cookie",
        "owner",
        "__proto__",
        &"n".repeat(255),
    ];
    let map: HashMap<String, usize> = names.iter().map(|name| (*name).to_owned()).zip(0..).collect();
    let made = cookie(&sessions, |session| session.write(&map));
    visit(&sessions, &made, |session| assert_eq!(session.read::<HashMap<String, usize>>(), Some(map.clone())));
    let line = visit(&sessions, &made, |session| {
        let mut longer = map.clone();
        longer.insert("n".repeat(256), 0);
        assert!(matches!(session.try_write(&longer), Err(FieldError::Name { .. })));
    });
    assert_eq!(line, None);
    let longest: &'static str = Box::leak("m".repeat(255).into_boxed_str());
    let made = cookie(&sessions, |session| session.set(Field::<u8>::new(longest), 1));
    visit(&sessions, &made, |session| assert_eq!(session.get(Field::<u8>::new(longest)), Some(1)));
}

/// A field's name has 1 to 255 bytes; a constant with another does not compile, a variable panics.
#[test]
fn an_impossible_field_cannot_be_made() {
    for name in [String::new(), "x".repeat(256)] {
        let name: &'static str = Box::leak(name.into_boxed_str());
        assert!(std::panic::catch_unwind(|| Field::<u8>::new(name)).is_err());
    }
    assert_eq!((NOTE.name(), format!("{NOTE:?}")), ("note", "Field(\"note\")".into()));
}

/// Fields keep the order in which they were first set.
#[test]
fn fields_keep_their_order() {
    let sessions = sessions();
    let fields: Vec<Field<u8>> = ["z", "a", "m", "b"].map(Field::new).into();
    let mut made = String::new();
    for field in &fields {
        made = then(&sessions, &made, |session| session.set(*field, 1));
    }
    let made = then(&sessions, &made, |session| session.set(fields[1], 2));
    assert_eq!(data(&sessions, &made), r#"{"z":1,"a":2,"m":1,"b":1}"#);
    let made = then(&sessions, &made, |session| {
        session.remove(fields[0]);
        session.set(fields[0], 3);
    });
    assert_eq!(data(&sessions, &made), r#"{"a":2,"m":1,"b":1,"z":3}"#);
}

/// The closure of `update` runs outside every lock: it may use the session, and what it writes there counts.
#[test]
fn an_update_may_call_the_session() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(COUNT, 1));
    let made = then(&sessions, &made, |session| {
        let inner = session.clone();
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = runs.clone();
        session.update(COUNT, move |count| {
            if counted.fetch_add(1, Ordering::SeqCst) == 0 {
                inner.set(NOTE, "from inside".into());
                inner.set(COUNT, 10);
            }
            count.unwrap_or_default() + inner.get(NOTE).map_or(0, |note| note.len() as u64)
        });
        assert_eq!(runs.load(Ordering::SeqCst), 2, "it was overtaken once, by itself");
        assert_eq!(session.get(COUNT), Some(21));
    });
    assert_eq!(data(&sessions, &made), r#"{"count":21,"note":"from inside"}"#);
}

/// A panic in an application's closure or encoder leaves the session whole and usable.
#[test]
fn a_panicking_closure_spoils_nothing() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(COUNT, 1));
    let made = then(&sessions, &made, |session| {
        let inner = session.clone();
        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            inner.update(COUNT, |_| panic!("the application's fault"));
        }));
        assert!(panicked.is_err());
        assert_eq!(session.get(COUNT), Some(1));
        session.set(NOTE, "on we go".into());
    });
    assert_eq!(data(&sessions, &made), r#"{"count":1,"note":"on we go"}"#);
}

/// Rule 2: increments by many threads of one request are all counted.
#[test]
fn increments_of_many_threads_are_all_counted() {
    let sessions = sessions();
    let made = then(&sessions, "", |session| {
        std::thread::scope(|scope| {
            for thread in 0..8_u64 {
                scope.spawn(move || {
                    for _ in 0..250 {
                        session.update(COUNT, |count| count.unwrap_or_default() + 1);
                    }
                    let own: &'static str = Box::leak(format!("t{thread}").into_boxed_str());
                    session.set(Field::new(own), thread);
                });
            }
        });
    });
    visit(&sessions, &made, |session| {
        assert_eq!(session.get(COUNT), Some(2_000));
        let all: HashMap<String, u64> = session.read().unwrap();
        assert_eq!(all.len(), 9, "{all:?}");
    });
}

/// `discard` forgets everything that the request did, a sign-in and a sign-out too.
#[test]
fn a_discarded_request_leaves_no_trace() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(COUNT, 1);
    });
    let works: [&dyn Fn(&Session); 4] = [
        &|session| session.set(COUNT, 2),
        &|session| session.sign_in("eve"),
        &|session| session.sign_out(),
        &|session| session.set(IMPOSSIBLE, impossible()),
    ];
    for work in works {
        let line = visit(&sessions, &made, |session| {
            work(session);
            session.discard();
        });
        assert_eq!(line, None);
        visit(&sessions, &made, |session| {
            assert_eq!((session.owner().as_deref(), session.get(COUNT)), (Some("ada"), Some(1)));
        });
    }
}

/// An early commit is the commit: its cookie is the response's.
#[test]
fn an_early_commit_is_what_the_response_carries() {
    let sessions = sessions();
    let request = sessions.begin([]);
    let session = wait(request.session()).unwrap();
    session.set(COUNT, 1);
    assert_eq!(wait(session.commit()).unwrap(), Outcome::Saved);
    let made = line(&wait(request.finish()).unwrap()).unwrap();
    visit(&sessions, made.split(';').next().unwrap(), |session| assert_eq!(session.get(COUNT), Some(1)));
    assert_eq!(line(&wait(request.finish()).unwrap()), None, "a response is finished once");
}

/// A write after the commit is an error, never silence: at once for `try_`, and for the response.
#[test]
fn a_write_after_the_commit_is_an_error() {
    let writes: [&dyn Fn(&Session); 9] = [
        &|session| session.set(COUNT, 2),
        &|session| session.remove(COUNT),
        &|session| session.clear(),
        &|session| session.update(COUNT, |_| 3),
        &|session| session.sign_in("ada"),
        &|session| session.sign_out(),
        &|session| session.remember_me(true),
        &|session| session.keep(),
        &|session| session.write(&Cart::default()),
    ];
    for (at, write) in writes.iter().enumerate() {
        for fresh in [true, false] {
            let sessions = sessions();
            let made = if fresh { String::new() } else { cookie(&sessions, |session| session.set(COUNT, 1)) };
            let request = sessions.begin([made.as_bytes()]);
            let session = wait(request.session()).unwrap();
            session.set(COUNT, 5);
            wait(session.commit()).unwrap();
            assert!(matches!(session.try_set(COUNT, 2), Err(FieldError::Closed)));
            write(&session);
            assert_eq!(session.get(COUNT), Some(5), "reading goes on");
            assert!(matches!(wait(session.commit()), Err(CommitError::Closed)));
            assert!(matches!(wait(request.finish()), Err(CommitError::Closed)), "{at}");
        }
    }
}

/// After the response's head has left, reads and `confirm` work and writes are errors.
#[test]
fn after_the_head_a_session_can_be_read_and_not_written() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(COUNT, 1);
    });
    let request = sessions.begin([made.as_bytes()]);
    let session = wait(request.session()).unwrap();
    assert_eq!(line(&wait(request.finish()).unwrap()), None);
    assert_eq!((session.get(COUNT), session.owner().as_deref()), (Some(1), Some("ada")));
    assert!(wait(session.confirm()).unwrap());
    assert!(matches!(session.try_set(COUNT, 2), Err(FieldError::Closed)));
    session.set(COUNT, 2);
    session.sign_out();
    assert_eq!(session.get(COUNT), Some(1));
    visit(&sessions, &made, |session| assert_eq!(session.owner().as_deref(), Some("ada")));
}

/// A06: too much data is a typed error before the response leaves, and the handler may write less and try again.
#[test]
fn too_much_data_is_an_error_that_can_be_mended() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(COUNT, 1));
    let request = sessions.begin([made.as_bytes()]);
    let session = wait(request.session()).unwrap();
    session.set(NOTE, "x".repeat(4_000));
    let error = wait(session.commit()).unwrap_err();
    assert!(matches!(error, CommitError::TooLarge { size, limit: 4_096 } if size > 4_096), "{error}");
    session.set(NOTE, "less".into());
    assert_eq!(wait(session.commit()).unwrap(), Outcome::Saved);
    let after = line(&wait(request.finish()).unwrap()).unwrap();
    assert_eq!(data(&sessions, after.split(';').next().unwrap()), r#"{"count":1,"note":"less"}"#);
}

/// `commit` says what the response will do.
#[test]
fn every_outcome_is_told() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    let outcome = |work: &dyn Fn(&Session)| {
        let session = wait(sessions.begin([made.as_bytes()]).session()).unwrap();
        work(&session);
        wait(session.commit()).unwrap()
    };
    assert_eq!(outcome(&|_| {}), Outcome::Untouched);
    assert_eq!(outcome(&|session| session.set(COUNT, 1)), Outcome::Saved);
    clock.advance(Duration::from_secs(1_800));
    assert_eq!(outcome(&|_| {}), Outcome::Touched);
    let other = cookie(&sessions, |session| session.sign_in("bob"));
    let session = wait(sessions.begin([other.as_bytes()]).session()).unwrap();
    session.sign_in("bob");
    assert_eq!(wait(session.commit()).unwrap(), Outcome::Renewed);
    assert_eq!(outcome(&Session::sign_out), Outcome::Ended);
}

/// `keep` gives an anonymous visitor a recorded session; asking twice writes once.
#[test]
fn keep_records_a_visitor_once() {
    let sessions = sessions();
    let kind = |cookie: &str| sessions.inspect(cookie.split_once('=').unwrap().1).unwrap().kind();
    let visitor = cookie(&sessions, |session| session.set(COUNT, 1));
    assert_eq!(kind(&visitor), Kind::Anonymous);
    let kept = then(&sessions, &visitor, Session::keep);
    assert_eq!(kind(&kept), Kind::Stateless);
    assert_eq!(visit(&sessions, &kept, Session::keep), None);
    visit(&sessions, &kept, |session| assert_eq!((session.get(COUNT), session.owner()), (Some(1), None)));
    assert_eq!(kind(&then(&sessions, "", Session::keep)), Kind::Stateless);
}

/// A session is live from the moment something is written, and `Option` semantics follow.
#[test]
fn a_visitor_becomes_a_session_by_writing() {
    let sessions = sessions();
    visit(&sessions, "", |session| {
        assert!(!session.is_live() && session.handle().is_none() && session.expires_in().is_none());
        session.set(COUNT, 1);
        assert!(session.is_live() && session.handle().is_some());
        assert_eq!(session.expires_in(), Some(Duration::from_secs(3_600)));
    });
}

/// The handle is the same on every request and is read back from its text; another text is none.
#[test]
fn a_handle_names_a_session_for_its_life() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| session.set(COUNT, 1));
    let mut handles = Vec::new();
    let made = then(&sessions, &made, |session| {
        handles.push(session.handle().unwrap());
        session.set(COUNT, 2);
    });
    visit(&sessions, &made, |session| handles.push(session.handle().unwrap()));
    assert_eq!(handles[0], handles[1]);
    let text = handles[0].to_string();
    assert_eq!((text.len(), hardtack::Handle::parse(&text)), (22, Some(handles[0])));
    for wrong in ["", "x", &text[1..], &format!("{text}="), &format!("{text}A"), "////////////////////+A"] {
        assert_eq!(hardtack::Handle::parse(wrong), None, "{wrong}");
    }
}

/// J10: sessions of many visitors at once never mix.
#[test]
fn sessions_of_many_visitors_never_mix() {
    let sessions = sessions();
    let cookies: Vec<_> = (0..64_u64)
        .map(|user| {
            cookie(&sessions, |session| {
                session.sign_in(format!("user{user}"));
                session.set(COUNT, user);
            })
        })
        .collect();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let (sessions, cookies) = (&sessions, &cookies);
            scope.spawn(move || {
                for round in 0..256_u64 {
                    let user = (round * 7 + thread * 13) % 64;
                    let line = visit(sessions, &cookies[user as usize], |session| {
                        assert_eq!(session.owner(), Some(format!("user{user}")));
                        session.update(COUNT, |count| count.unwrap() + 1_000);
                    });
                    let next = line.unwrap();
                    assert!(data(sessions, next.split(';').next().unwrap()).contains(&(user + 1_000).to_string()));
                }
            });
        }
    });
}

/// A session with fields that another program wrote under the published format is read and extended, not lost.
#[test]
fn fields_of_another_program_are_kept() {
    let key = Key::generate().unwrap();
    let seal = Seal::new(&key.to_secret_text());
    let keys = Keyring::new(key, []).unwrap();
    let sessions = Sessions::stateless(keys).clock(Clock::manual(START)).build().unwrap();
    let theirs = seal.cookie(&Plain::of("ada", START).field("theirs", "{\"b\":1e400, \"a\":[]}").field("count", "4"));
    let made = then(&sessions, &theirs, |session| session.update(COUNT, |count| count.unwrap() + 1));
    let fields = seal.open(&made).fields;
    assert_eq!(fields, [(b"theirs".to_vec(), b"{\"b\":1e400, \"a\":[]}".to_vec()), (b"count".to_vec(), b"5".to_vec())]);
}
