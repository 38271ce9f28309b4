//! One session, two fleets: a real Express and a Rust server over the same rows.

use hardtack::interop::ExpressStore;
use hardtack_interop::{ExpressApp, Jar};
use serde_json::{Value, json};

use crate::{
    common::{Place, all_redis_with, all_with, now, second},
    rust_app::RustApp,
};

/// Both fleets over a place of their own, one after the other for each package.
fn each(cookie: &Value, claim: impl Fn(&Place, &ExpressApp, &RustApp)) {
    for place in all_with(&json!({}), cookie) {
        println!("with {}", place.package);
        claim(&place, &place.app, &RustApp::start(&place));
    }
}

/// A cookie that browsers take over plain HTTP, with a time of its own.
fn an_hour() -> Value {
    json!({ "maxAge": 3_600_000, "sameSite": "lax" })
}

#[test]
fn both_fleets_sign_in_count_and_sign_out_in_one_session() {
    each(&an_hour(), |_, express, rust| {
        let mut jar = Jar::default();
        express.login(&mut jar, "ada");
        assert_eq!(rust.peek(&mut jar).json()["owner"], "ada", "signed in at Express, seen at Rust");
        for views in 1..=10 {
            let seen = match views % 2 {
                0 => express.count(&mut jar).session()["views"].clone(),
                _ => {
                    rust.post(&mut jar, "/count");
                    rust.peek(&mut jar).json()["session"]["views"].clone()
                }
            };
            assert_eq!(seen, views);
        }
        let copy = jar.clone();
        rust.post(&mut jar, "/logout");
        assert_eq!(jar.cookie("connect.sid"), None);
        for mut jar in [jar.clone(), copy] {
            assert_eq!(express.peek(&mut jar).session(), json!({}), "signed out at Rust, nobody at Express");
            assert_eq!(rust.peek(&mut jar).json()["owner"], Value::Null);
        }

        rust.post(&mut jar, "/login?user=bob");
        assert_eq!(express.peek(&mut jar).session()["username"], "bob", "signed in at Rust, seen at Express");
        assert_eq!(rust.peek(&mut jar).json()["fresh"], true);
        express.count(&mut jar);
        assert_eq!(rust.peek(&mut jar).json()["fresh"], true, "Express keeps what is ours");
        let copy = jar.clone();
        express.logout(&mut jar);
        for mut jar in [jar, copy] {
            assert_eq!(rust.peek(&mut jar).json()["owner"], Value::Null, "signed out at Express, nobody at Rust");
        }
    });
}

/// Another id at either is another session at both.
#[test]
fn a_login_at_either_leaves_the_id_from_before_behind() {
    each(&an_hour(), |_, express, rust| {
        let mut jar = Jar::default();
        rust.post(&mut jar, "/count");
        let planted = jar.clone();
        express.login(&mut jar, "ada");
        assert_ne!(jar, planted);
        let of_express = jar.clone();
        rust.post(&mut jar, "/login?user=ada");
        assert_ne!(jar, of_express);
        for mut old in [planted, of_express] {
            assert_eq!(rust.peek(&mut old).json()["owner"], Value::Null);
            assert_eq!(express.peek(&mut old).session(), json!({}));
        }
    });
}

/// The lost update. Between a read of ours and its write Express may do what it likes.
#[test]
fn a_write_of_ours_undoes_nothing_that_express_wrote_in_between() {
    each(&an_hour(), |_, express, rust| {
        let mut jar = Jar::default();
        express.count(&mut jar);
        let slow = rust.slow_count(&jar, || {
            express.count(&mut jar.clone());
            express.set(&mut jar.clone(), "theirs", &json!(["kept", 1e21]));
        });
        assert_eq!(slow.status, 200);
        let session = express.peek(&mut jar).session();
        assert_eq!((&session["views"], &session["theirs"]), (&json!(3), &json!(["kept", 1e21])));

        let slow = rust.slow_count(&jar, || drop(express.logout(&mut jar.clone())));
        assert_eq!(slow.set_cookies(), [""; 0], "who was signed out meanwhile gets nothing");
        assert_eq!(express.peek(&mut jar).session(), json!({}), "and does not come back");
    });
}

/// What Express itself can still overwrite, said plainly in the documentation: it compares nothing.
#[test]
fn express_puts_back_what_it_had_loaded_and_a_session_that_was_signed_out_is_nobodys_all_the_same() {
    each(&an_hour(), |_, express, rust| {
        let mut jar = Jar::default();
        rust.post(&mut jar, "/count");
        let slow = express.slow(&jar, "theirs", &json!(1));
        rust.post(&mut jar, "/count");
        slow.go();
        assert_eq!(express.peek(&mut jar).session()["views"], 1, "the write in between is overwritten by Express");

        rust.post(&mut jar, "/login?user=ada");
        let copy = jar.clone();
        let slow = express.slow(&jar, "theirs", &json!(2));
        rust.post(&mut jar, "/logout");
        slow.go();
        assert_eq!(express.peek(&mut copy.clone()).session()["username"], "ada", "Express has put it back");
        assert_eq!(rust.peek(&mut copy.clone()).json()["owner"], Value::Null);
        assert_eq!(express.peek(&mut copy.clone()).session(), json!({}), "Rust has removed it again");
    });
}

#[test]
fn a_hundred_writes_of_two_rust_servers_at_once_are_a_hundred() {
    each(&an_hour(), |place, express, rust| {
        let (other, mut jar) = (RustApp::start(place), Jar::default());
        express.login(&mut jar, "ada");
        std::thread::scope(|scope| {
            for server in [rust, &other] {
                for _ in 0..5 {
                    let mut jar = jar.clone();
                    scope.spawn(move || (0..10).for_each(|_| drop(server.post(&mut jar, "/count"))));
                }
            }
        });
        assert_eq!(express.peek(&mut jar).session()["views"], 100);
    });
}

/// `cookie` of the row counts for both: who answers sets the same attributes.
#[test]
fn the_cookie_keeps_the_options_that_express_gave_it() {
    let attributes = |line: &str| {
        let mut attributes: Vec<_> = line.split("; ").skip(1).map(str::to_ascii_lowercase).collect();
        // Express says until when, and we for how long.
        attributes.retain(|attribute| !attribute.starts_with("expires=") && !attribute.starts_with("max-age="));
        attributes.sort();
        attributes
    };
    for cookie in [
        json!({ "maxAge": 3_600_000, "sameSite": "strict", "domain": "shop.example", "priority": "high" }),
        json!({ "maxAge": 3_600_000, "httpOnly": false, "partitioned": true, "sameSite": "none" }),
        json!({ "maxAge": 3_600_000, "sameSite": true }),
    ] {
        for place in all_redis_with(&json!({}), &cookie).split_off(2) {
            let (express, rust) = (&place.app, RustApp::start(&place));
            let mut jar = Jar::default();
            let theirs = express.login(&mut jar, "ada");
            let ours = rust.post(&mut jar, "/count");
            let (theirs, ours) = (theirs.set_cookies()[0].to_owned(), ours.set_cookies()[0].to_owned());
            assert_eq!(attributes(&ours), attributes(&theirs));
            assert!(ours.contains("; Max-Age=3600"), "{ours}");
            let again = express.count(&mut jar);
            assert_eq!(attributes(again.set_cookies()[0]), attributes(&theirs), "and the row says the same as before");
        }
    }
    each(&json!({}), |_, express, rust| {
        let mut jar = Jar::default();
        express.login(&mut jar, "ada");
        assert_eq!(rust.post(&mut jar, "/count").set_cookies(), [""; 0], "it goes with the browser, and is there");
        assert_eq!(express.peek(&mut jar).session()["views"], 1);
    });
}

/// The end of a session is that of the package: `maxAge` from every request, and without one the store's day.
#[test]
fn the_time_to_live_is_the_packages() {
    for (cookie, seconds) in [(an_hour(), 3600), (json!({}), 86_400)] {
        each(&cookie, |place, express, rust| {
            let mut jar = Jar::default();
            let sid = express.login(&mut jar, "ada").sid();
            for writes in [false, true] {
                let soon = Some(now() + 60_000);
                rust.block_on(async { place.store().await.touch(&sid, soon, now()).await }).unwrap();
                let before = second(now()) + seconds;
                match writes {
                    true => drop(rust.post(&mut jar, "/count")),
                    false => drop(rust.peek(&mut jar)),
                }
                let (end, after) = (place.end(&sid), second(now()) + seconds);
                // Redis rounds to the nearest second.
                assert!((before - 1..=after + 1).contains(&end), "{end} is not in {before}..={after}");
            }
        });
    }
}

/// The stale-`expires` trap: a touch of connect-redis leaves the session's text, so that its `cookie.expires` passes while the
/// session lives. Express loads it, and so must we; what we write has a deadline that has not passed.
#[test]
fn a_session_whose_expires_has_passed_lives_and_what_we_write_is_safe_from_an_early_save() {
    for place in all_redis_with(&json!({}), &an_hour()) {
        let (express, rust) = (&place.app, RustApp::start(&place));
        let mut jar = Jar::default();
        let sid = express.login(&mut jar, "ada").sid();
        let text = place.raw(&sid);
        let (before, rest) = text.split_once(r#""expires":""#).unwrap();
        let stale = format!(r#"{before}"expires":"2025-01-01T00:00:00.000Z{}"#, &rest[rest.find('"').unwrap()..]);
        let in_an_hour = Some(now() + 3_600_000);
        let write = async { place.store().await.replace(&sid, Some(&text), &stale, in_an_hour, now()).await };
        assert!(rust.block_on(write).unwrap());

        assert_eq!(express.peek(&mut jar).session()["username"], "ada");
        assert_eq!(rust.peek(&mut jar).json()["owner"], "ada");
        assert_eq!(place.raw(&sid), stale, "reading changes nothing");
        rust.post(&mut jar, "/count");
        // Express' own save() in the middle of a request removes a session with a stale deadline (see `lifetimes`).
        express.save(&mut jar);
        assert_eq!(express.peek(&mut jar).session()["views"], 1);
    }
}

#[test]
fn the_sessions_of_an_owner_end_at_express_too() {
    each(&an_hour(), |_, express, rust| {
        let mut jars = [(); 3].map(|()| Jar::default());
        express.login(&mut jars[0], "ada");
        rust.post(&mut jars[1], "/login?user=ada");
        express.login(&mut jars[2], "bob");
        rust.block_on(rust.sessions.end_owner("ada")).unwrap();
        let seen = jars.each_mut().map(|jar| express.peek(jar).session()["username"].clone());
        assert_eq!(seen, [Value::Null, Value::Null, json!("bob")]);
    });
}
