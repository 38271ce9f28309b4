//! Renewal in the stateless placement: what it does, and what it cannot: D10.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod common;

use std::time::Duration;

use common::{NOTE, builder, cookie, wait};
use hardtack::{BuildError, Lifetime, Outcome, Session, Sessions};

const MINUTE: Duration = Duration::from_secs(60);

/// One request with a cookie: what it did to the session, and the cookie afterwards.
fn visit(sessions: &Sessions, cookie: &str, handler: impl FnOnce(&Session)) -> (Outcome, String) {
    let request = sessions.begin([cookie.as_bytes()]);
    let session = wait(request.session()).unwrap();
    handler(&session);
    let outcome = wait(session.commit()).unwrap();
    let headers = wait(request.finish()).unwrap();
    let line = headers.set_cookies().next().map(|line| line.to_str().unwrap().split(';').next().unwrap().to_owned());
    (outcome, line.unwrap_or_else(|| cookie.to_owned()))
}

fn generation(sessions: &Sessions, cookie: &str) -> u32 {
    sessions.inspect(cookie.split_once('=').unwrap().1).unwrap().generation()
}

/// D10: once in each interval the next response carries a new generation of the same session.
#[test]
fn a_session_is_renewed_once_in_each_interval() {
    let (builder, clock) = builder();
    let sessions = builder.renewal(10 * MINUTE).build().unwrap();
    let mut current = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(NOTE, "kept".into());
    });
    let handle = sessions.inspect(current.split_once('=').unwrap().1).unwrap().handle();
    for interval in 1..=12 {
        clock.advance(10 * MINUTE - Duration::from_millis(1));
        let before = visit(&sessions, &current, |_| {});
        assert_ne!(before.0, Outcome::Renewed, "not before its time");
        current = before.1;
        clock.advance(Duration::from_millis(1));
        let (outcome, renewed) = visit(&sessions, &current, |session| {
            assert_eq!((session.owner().as_deref(), session.get(NOTE).as_deref()), (Some("ada"), Some("kept")));
            assert_eq!(session.handle(), Some(handle), "it is the same session");
        });
        assert_eq!((outcome, generation(&sessions, &renewed)), (Outcome::Renewed, interval));
        assert_eq!(visit(&sessions, &renewed, |_| {}).0, Outcome::Untouched, "once is enough");
        current = renewed;
    }
}

/// D10, D02: a session that slept through several intervals is renewed once, and no renewal lengthens its life.
#[test]
fn a_sleeper_is_renewed_once_and_lives_no_longer() {
    let (builder, clock) = builder();
    let lifetime = Lifetime::default().idle(24 * 60 * MINUTE).renewal(MINUTE);
    let sessions = builder.lifetime(lifetime).build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    clock.advance(23 * 60 * MINUTE);
    let (outcome, renewed) = visit(&sessions, &made, |_| {});
    assert_eq!((outcome, generation(&sessions, &renewed)), (Outcome::Renewed, 23 * 60));
    assert_eq!(visit(&sessions, &renewed, |_| {}).0, Outcome::Untouched);
    clock.advance(60 * MINUTE);
    let request = sessions.begin([renewed.as_bytes()]);
    assert_eq!(wait(request.session()).unwrap().owner(), None);
}

/// D10: `renew()` renews now; a visitor without a session has nothing to renew.
#[test]
fn a_handler_renews_when_it_likes() {
    let sessions = common::sessions();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    let (outcome, renewed) = visit(&sessions, &made, Session::renew);
    assert_eq!((outcome, generation(&sessions, &renewed)), (Outcome::Renewed, 1));
    assert_eq!(visit(&sessions, "other=1", Session::renew), (Outcome::Untouched, "other=1".into()));
}

/// D10: the limit that the documentation states. Without a memory of generations an older cookie of a live
/// session still opens; ending the session ends all its generations.
#[test]
fn a_stateless_session_does_not_detect_reuse_and_ends_as_a_whole() {
    let sessions = common::sessions();
    let first = cookie(&sessions, |session| session.sign_in("ada"));
    let (_, second) = visit(&sessions, &first, Session::renew);
    for cookie in [&first, &second] {
        let request = sessions.begin([cookie.as_bytes()]);
        assert_eq!(wait(request.session()).unwrap().owner().as_deref(), Some("ada"));
    }
    visit(&sessions, &second, Session::sign_out);
    for cookie in [&first, &second] {
        let request = sessions.begin([cookie.as_bytes()]);
        assert_eq!(wait(request.session()).unwrap().owner(), None);
    }
}

/// D10: off unless asked for, and nothing below a minute.
#[test]
fn renewal_is_off_by_default_and_not_below_a_minute() {
    let (default, clock) = builder();
    let sessions = default.idle(24 * 60 * MINUTE).build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    clock.advance(11 * 60 * MINUTE);
    assert_eq!(visit(&sessions, &made, |_| {}).0, Outcome::Untouched);
    let too_often = builder().0.renewal(MINUTE - Duration::from_millis(1)).build();
    assert!(matches!(too_often, Err(BuildError::Lifetime { .. })));
}
