//! The mark of a device: what it is, and what it is not.

use std::time::Duration;

use hardtack::login::Throttle;

use crate::app::{PASSWORD, PLACEMENTS, Site, quota};

/// A01, A04, A05: the mark is a cookie as safe as the session's.
#[test]
fn the_mark_has_every_flag_of_a_cookie_that_nobody_else_may_touch() {
    let site = Site::new();
    let verified = site.browser().log_in_marked("ada", PASSWORD).unwrap();
    let line = verified.device_cookie().to_str().unwrap().to_owned();
    assert!(line.starts_with("__Host-device="), "{line}");
    let mut attributes: Vec<_> = line.split("; ").skip(1).collect();
    attributes.sort_unstable();
    assert_eq!(attributes, ["HttpOnly", "Max-Age=34560000", "Path=/", "SameSite=Strict", "Secure"]);
    assert_eq!(verified.owner(), "no. ada");
}

/// A mark is no session, in no placement, under no name; nor is a session a mark.
#[test]
fn a_mark_is_never_taken_for_a_session_nor_a_session_for_a_mark() {
    for placement in PLACEMENTS {
        for name in ["session", "device"] {
            let site = Site::with(placement, |builder| builder.cookie(hardtack::CookiePolicy::host(name)));
            let mut ada = site.browser();
            ada.log_in("ada", PASSWORD).unwrap();
            let value = ada.mark.split_once('=').unwrap().1;
            let mut thief = site.browser();
            thief.cookie = format!("__Host-{name}={value}");
            assert_eq!(thief.owner(), None);
            assert!(site.sessions.inspect(value).is_err());
        }
    }
}

/// A mark that was changed, is too old, or is of other keys, is none: the device counts as unknown.
#[test]
fn a_mark_that_does_not_open_makes_an_unknown_device() {
    let throttle = || Throttle::in_memory().account(quota(1, 3600)).device(quota(5, 60)).source(quota(100, 5));
    let foreign = Site::new();
    let mut elsewhere = foreign.browser();
    elsewhere.log_in("ada", PASSWORD).unwrap();

    let site = Site::new().throttled(throttle());
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    // Somebody uses the account's one guess up.
    assert!(site.browser().log_in("ada", "wrong").is_err());
    let flipped = format!("{}x", &ada.mark[..ada.mark.len() - 1]);
    for bad in [flipped, elsewhere.mark.clone(), "__Host-device=".into(), "__Host-device=AAAA".into()] {
        let mut browser = site.browser();
        browser.mark = bad;
        assert_eq!(browser.log_in("ada", PASSWORD).unwrap_err().status().as_u16(), 429, "{}", browser.mark);
    }
    let mut browser = site.browser();
    browser.mark = ada.mark.clone();
    browser.log_in("ada", PASSWORD).unwrap();

    site.clock.advance(Duration::from_secs(400 * 86_400));
    assert!(site.browser().log_in("ada", "wrong").is_err());
    let mut old = site.browser();
    old.mark = ada.mark.clone();
    assert_eq!(old.log_in("ada", PASSWORD).unwrap_err().status().as_u16(), 429);
}

/// A device that signs in again is the same device: its guesses are not given anew.
#[test]
fn a_device_that_signs_in_again_keeps_its_bucket() {
    let site = Site::new().throttled(Throttle::in_memory().device(quota(2, 3600)));
    let mut ada = site.browser();
    ada.log_in("ada", PASSWORD).unwrap();
    assert!(ada.log_in("ada", "wrong").is_err());
    ada.log_in("ada", PASSWORD).unwrap();
    assert!(ada.log_in("ada", "wrong").is_err());
    assert_eq!(ada.log_in("ada", PASSWORD).unwrap_err().status().as_u16(), 429);
}
