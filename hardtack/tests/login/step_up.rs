//! D05, C05: the password is asked again in the same session.

use std::time::Duration;

use hardtack::{
    Field, Lifetime, Session,
    login::{LoginError, Throttle},
};

use crate::app::{PASSWORD, PLACEMENTS, Site, quota};

const NOTE: Field<String> = Field::new("note");

/// D05, C05, C06: a session that steps up goes on with its data and its forms under a new cookie, and is fresh again.
#[test]
fn a_step_up_renews_the_cookie_and_keeps_the_session() {
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        let (token, handle) = ada
            .request(async |session: &Session| {
                session.set(NOTE, "kept".into());
                (session.csrf_token(), session.handle())
            })
            .0;
        assert!(ada.is_fresh(300));
        site.clock.advance(Duration::from_secs(300));
        assert!(!ada.is_fresh(300), "exactly so long ago is too long ago");

        assert!(matches!(ada.step_up("wrong"), Err(LoginError::Refused)));
        assert!(!ada.is_fresh(300));
        let before = ada.cookie.clone();
        ada.step_up(PASSWORD).unwrap();
        assert!(ada.is_fresh(300));
        assert_ne!(ada.cookie, before);
        let (note, same, form) = ada
            .request(async |session: &Session| {
                (session.get(NOTE), session.handle() == handle, session.verify_csrf(&token))
            })
            .0;
        assert_eq!((note.as_deref(), same, form), (Some("kept"), true, true));
    }
}

/// D05, C05: whoever copied the cookie before does not become fresh by it, gets no newer one, and is out a minute later.
#[test]
fn the_cookie_from_before_a_step_up_is_not_fresh_and_soon_nothing() {
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        site.clock.advance(Duration::from_secs(600));
        let mut thief = ada.clone();
        ada.step_up(PASSWORD).unwrap();
        let stolen = thief.cookie.clone();
        assert!(!thief.is_fresh(300));
        thief.does(async |session: &Session| session.set(NOTE, "under way".into()));
        assert!(!thief.is_fresh(300));
        if site.count("ada") == 0 {
            // All of it is in the cookie: an older one stays as good as it was, and is never fresh.
            continue;
        }
        assert_eq!(thief.cookie, stolen, "no newer cookie for an older one");
        assert!(ada.is_fresh(300));
        site.clock.advance(Duration::from_secs(60));
        assert_eq!(thief.owner(), None);
        assert_eq!(ada.owner(), None, "a copy was used: the session has ended for both");
    }
}

/// D02: a step-up does not lengthen the session; only a full sign-in does.
#[test]
fn a_step_up_does_not_move_the_absolute_deadline() {
    for placement in PLACEMENTS {
        let lifetime = Lifetime::default().idle(Duration::from_secs(7200)).absolute(Duration::from_secs(7200));
        let site = Site::with(placement, |builder| builder.lifetime(lifetime));
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        site.clock.advance(Duration::from_secs(7000));
        ada.step_up(PASSWORD).unwrap();
        let left = ada.request(async |session: &Session| session.expires_in()).0;
        assert_eq!(left, Some(Duration::from_secs(200)));
        site.clock.advance(Duration::from_secs(200));
        assert_eq!(ada.owner(), None);
    }
}

/// E02: an account that was disabled does not step up in a session that somebody forgot to end.
#[test]
fn a_disabled_user_does_not_step_up() {
    let site = Site::new();
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    let hash = site.hash_of("ada");
    site.users.set(hardtack::login::User { owner: "no. ada".into(), name: "ada".into(), hash, disabled: true });
    assert!(matches!(ada.step_up(PASSWORD), Err(LoginError::Refused)));
}

/// I06: guesses in a stolen session are throttled, and guesses elsewhere do not keep the owner from stepping up.
#[test]
fn step_ups_have_a_bucket_of_their_session() {
    let strict = Throttle::in_memory().account(quota(2, 600)).device(quota(2, 600));
    let site = Site::new().throttled(strict);
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    for _ in 0..3 {
        let _ = site.browser().log_in("ada", "wrong");
    }
    ada.step_up(PASSWORD).unwrap();
    for _ in 0..2 {
        assert!(matches!(ada.step_up("wrong"), Err(LoginError::Refused)));
    }
    assert!(matches!(ada.step_up(PASSWORD), Err(LoginError::Throttled { .. })));
}

/// A visitor who is nobody does not become anybody by it.
#[test]
fn a_step_up_without_an_owner_does_nothing() {
    let site = Site::new();
    let mut nobody = site.browser();
    nobody.does(async |session: &Session| {
        session.set(NOTE, "a cart".into());
        session.step_up();
    });
    assert!(!nobody.is_fresh(300) && nobody.owner().is_none());
}

/// I10, D09, D10: a remembered login lives longer and is ended like every other: by sign-out, by a change of password, by
/// the end of all of the owner's sessions, and by the use of a cookie that was renewed since.
#[test]
fn a_remembered_login_ends_like_every_other() {
    let month = Duration::from_secs(30 * 86_400);
    let lifetime = Lifetime::default().remember_me(month).renewal(Duration::from_secs(3600));
    let endings: [fn(&mut crate::app::Browser<'_>); 4] = [
        |ada| drop(ada.request(async |session: &Session| session.sign_out())),
        |ada| crate::common::wait(ada.site.sessions.end_owner("no. ada")).unwrap(),
        |ada| {
            let mut other = ada.site.browser();
            other.log_in("ada", PASSWORD).unwrap();
            let (login, visitor) = (ada.site.login.clone(), other.visitor());
            let others = hardtack::login::Others::End;
            let changed = other.request(async |session| {
                login.change_password(session, &visitor, PASSWORD, "another biscuit", others).await
            });
            changed.0.unwrap();
        },
        |ada| {
            // A thief keeps the cookie while its owner's is renewed, and comes a minute too late.
            let mut thief = ada.clone();
            ada.site.clock.advance(Duration::from_secs(3600));
            assert!(ada.owner().is_some());
            assert_ne!(ada.cookie, thief.cookie);
            ada.site.clock.advance(Duration::from_secs(61));
            assert_eq!(thief.owner(), None);
        },
    ];
    for ends in endings {
        let site = Site::with(crate::app::stored, |builder| builder.lifetime(lifetime.clone()));
        let mut ada = site.browser();
        let (login, visitor) = (site.login.clone(), ada.visitor());
        ada.request(async |session| {
            let _ = login.sign_in(session, &visitor, "ada", PASSWORD).await.unwrap();
            session.remember_me(true);
        })
        .1
        .unwrap();
        site.clock.advance(Duration::from_secs(7 * 86_400));
        assert_eq!(ada.owner().as_deref(), Some("no. ada"), "a week later");
        let copy = ada.clone();
        ends(&mut ada);
        assert_eq!(ada.clone().owner(), None);
        assert_eq!(copy.clone().owner(), None);
    }
}
