//! A request that only looks keeps nothing alive.

use std::time::Duration;

use hardtack::{Lifetime, Session};

use crate::app::{PASSWORD, PLACEMENTS, Site};

const MINUTE: Duration = Duration::from_secs(60);

/// A peek tells how much time is left and changes nothing of it, however often and in every placement.
#[test]
fn a_peek_never_extends_a_session() {
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        let cookie = ada.cookie.clone();
        for minute in 1..60 {
            site.clock.advance(MINUTE);
            let left = ada.request(async |session: &Session| {
                session.peek();
                session.expires_in()
            });
            assert_eq!(left.0, Some((60 - minute) * MINUTE));
            assert_eq!(ada.cookie, cookie);
        }
        site.clock.advance(MINUTE);
        assert_eq!(ada.owner(), None);
    }
}

/// And a look that is no peek does.
#[test]
fn any_other_request_extends_it() {
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        site.clock.advance(59 * MINUTE);
        assert!(ada.owner().is_some());
        site.clock.advance(59 * MINUTE);
        assert!(ada.owner().is_some());
    }
}

/// A peek does not renew, and makes no session for a stranger.
#[test]
fn a_peek_does_not_renew_and_makes_nothing() {
    let lifetime = Lifetime::default().renewal(Duration::from_secs(600));
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder.lifetime(lifetime.clone()));
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        site.clock.advance(Duration::from_secs(700));
        let cookie = ada.cookie.clone();
        ada.does(async |session: &Session| session.peek());
        assert_eq!(ada.cookie, cookie);
        ada.owner();
        assert_ne!(ada.cookie, cookie);
        let mut stranger = site.browser();
        stranger.does(async |session: &Session| session.peek());
        assert!(stranger.cookie.is_empty());
    }
}

/// A handler that peeks and then writes has written.
#[test]
fn a_peek_that_changes_something_is_a_request_like_any_other() {
    const NOTE: hardtack::Field<u8> = hardtack::Field::new("note");
    for placement in PLACEMENTS {
        let site = Site::with(placement, |builder| builder);
        let mut ada = site.browser();
        ada.log_in("ada", PASSWORD).unwrap();
        ada.does(async |session: &Session| {
            session.peek();
            session.set(NOTE, 7);
        });
        assert_eq!(ada.request(async |session: &Session| session.get(NOTE)).0, Some(7));
    }
}
