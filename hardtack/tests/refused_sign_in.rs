//! A sign-in that fails: at the limit of devices, or because the owner's sessions were ended meanwhile.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use common::{NOTE, wait};
use hardtack::{
    CommitError, Keyring, Session, Sessions,
    store::{Beyond, DeviceLimit, MemoryStore},
};

fn sessions() -> Sessions {
    let limit = DeviceLimit { most: 1, beyond: Beyond::Refuse };
    Sessions::stored(Keyring::ephemeral().unwrap(), MemoryStore::new()).device_limit(limit).build().unwrap()
}

/// A visitor who has a record and writes a note.
fn visitor(sessions: &Sessions) -> String {
    let note = |session: &Session| {
        session.keep();
        session.set(NOTE, "a cart".into());
    };
    wait(sessions.cookie(note)).unwrap()
}

fn note(sessions: &Sessions, cookie: &str) -> Option<String> {
    wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().get(NOTE)
}

/// E06: at the limit nobody is signed in, the answer is no success, and the visitor keeps the session he came with.
#[test]
fn a_sign_in_beyond_the_limit_leaves_the_visitor_as_he_was() {
    let sessions = sessions();
    wait(sessions.cookie(|session| session.sign_in("ada"))).unwrap();
    let cookie = visitor(&sessions);
    let request = sessions.begin([cookie.as_bytes()]);
    wait(request.session()).unwrap().sign_in("ada");
    assert!(matches!(wait(request.finish()), Err(CommitError::DeviceLimit)));
    assert_eq!(note(&sessions, &cookie).as_deref(), Some("a cart"));
    assert_eq!(wait(sessions.of("ada")).unwrap().len(), 1);
}

/// E06: a handler that learns of it early and discards the sign-in answers the visitor of before: his data, and
/// forms whose token his next post passes.
#[test]
fn a_handler_that_discards_a_refused_sign_in_goes_on_with_the_visitor() {
    let sessions = sessions();
    wait(sessions.cookie(|session| session.sign_in("ada"))).unwrap();
    let cookie = visitor(&sessions);
    let request = sessions.begin([cookie.as_bytes()]);
    let session = wait(request.session()).unwrap();
    session.sign_in("ada");
    assert!(matches!(wait(session.commit()), Err(CommitError::DeviceLimit)));
    session.discard();
    assert_eq!((session.owner(), session.get(NOTE).as_deref()), (None, Some("a cart")));
    let token = session.csrf_token();
    assert_eq!(wait(request.finish()).unwrap().set_cookies().count(), 0);
    assert!(wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().verify_csrf(&token));
}

/// E03, E04: the password was changed between the beginning of its verification and the sign-in.
#[test]
fn a_sign_in_that_was_overtaken_by_an_ending_signs_nobody_in() {
    let sessions = sessions();
    let cookie = visitor(&sessions);
    let request = sessions.begin([cookie.as_bytes()]);
    let session = wait(request.session()).unwrap();
    wait(session.prepare_sign_in()).unwrap();
    wait(sessions.end_owner("ada")).unwrap();
    session.sign_in("ada");
    assert!(matches!(wait(request.finish()), Err(CommitError::OwnerEnded)));
    assert!(wait(sessions.of("ada")).unwrap().is_empty());
    assert_eq!(note(&sessions, &cookie).as_deref(), Some("a cart"));
}

/// E03, E04: the same without a store: the session is sealed and has ended.
#[test]
fn without_a_store_such_a_session_has_ended_when_it_is_made() {
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).build().unwrap();
    let request = sessions.begin([]);
    let session = wait(request.session()).unwrap();
    wait(session.prepare_sign_in()).unwrap();
    wait(sessions.end_owner("ada")).unwrap();
    session.sign_in("ada");
    let headers = wait(request.finish()).unwrap();
    let cookie = headers.set_cookies().next().unwrap().to_str().unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().owner(), None);
}
