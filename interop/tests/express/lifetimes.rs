//! How long sessions live in the stores, and what a touch does (D06, D08).

use std::time::Duration;

use hardtack::interop::ExpressStore;
use hardtack_engines::Postgres;
use hardtack_interop::Jar;
use serde_json::{Value, json};

use crate::common::{
    AnyStore, COOKIE, Package, Place, all_redis_with, all_with, new_sid, now, places, second, session_of, visitor, with,
};

const HOUR: u64 = 3_600_000;

impl Place {
    /// Asserts that a session ends when a write at `written` with this many milliseconds left makes it end, by the package's
    /// reckoning. A TTL is counted from the moment the server hears of it, which is not before and not after these two.
    fn assert_ends(&self, sid: &str, written: u64, left: u64) {
        let (end, after) = (self.end_ms(sid), now());
        match self.package {
            Package::ConnectRedis(_) => {
                let ttl = second(left) * 1000;
                let range = written.cast_signed() + ttl..=after.cast_signed() + ttl;
                assert!(range.contains(&end), "{}: {end} in {range:?}", self.package);
            }
            Package::ConnectPgSimple => assert_eq!(end, second(written + left) * 1000),
        }
    }
}

#[tokio::test]
async fn a_write_sets_the_end_that_the_cookie_says() {
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        let written = now();
        assert!(store.replace(&sid, None, &session_of("ada"), Some(written + 90_500), written).await.unwrap());
        place.assert_ends(&sid, written, 90_500);

        // Also when it says less than before.
        let written = now();
        let (text, expires) = (session_of("ada"), Some(written + 30_001));
        assert!(store.replace(&sid, Some(&text), &session_of("eve"), expires, written).await.unwrap());
        place.assert_ends(&sid, written, 30_001);
    }
}

#[tokio::test]
async fn the_end_is_the_one_that_express_sets() {
    for place in all_with(&json!({}), &json!({ "maxAge": HOUR })) {
        let (store, mut jar) = (place.store().await, Jar::default());
        let sid = place.app.count(&mut jar).sid();
        let theirs = place.end(&sid);
        let text = store.load(&sid, now()).await.unwrap().unwrap();
        let cookie: Value = serde_json::from_str::<Value>(&text).unwrap()["cookie"].clone();
        let expires = moment(cookie["expires"].as_str().unwrap());
        assert!(store.replace(&sid, Some(&text), &with(&text, r#""ours":1"#), Some(expires), now()).await.unwrap());
        let ours = place.end(&sid);
        // In Redis the seconds are counted from now on and rounded up, which can make one more.
        assert!((theirs..=theirs + 1).contains(&ours), "{}: {theirs}, {ours}", place.package);
        if place.package == Package::ConnectPgSimple {
            assert_eq!(ours, theirs);
        }
    }
}

#[tokio::test]
async fn without_an_end_in_the_cookie_a_session_lives_for_a_day_or_for_the_stores_ttl() {
    let a_day = places().iter().map(|place| (place, None, 86_400));
    let own = all_with(&json!({ "ttl": 1234 }), &json!({}));
    let own = own.iter().map(|place| (place, Some(Duration::from_millis(1_233_001)), 1234));
    for (place, ttl, seconds) in a_day.chain(own) {
        let store = match (place.store().await, ttl) {
            (store, None) => store,
            (AnyStore::Redis(store), Some(ttl)) => AnyStore::Redis(store.ttl(ttl)),
            (AnyStore::Postgres(store), Some(ttl)) => AnyStore::Postgres(store.ttl(ttl)),
        };
        assert_eq!(store.ttl(), Duration::from_secs(seconds));
        let (sid, written) = (new_sid(), now());
        assert!(store.replace(&sid, None, &session_of("ada"), None, written).await.unwrap());
        place.assert_ends(&sid, written, seconds * 1000);
        // As Express does.
        let mut jar = Jar::default();
        let written = now();
        let sid = place.app.count(&mut jar).sid();
        let (end, after) = (place.end(&sid), now());
        let range = second(written) - 1 + seconds.cast_signed()..=second(after) + seconds.cast_signed();
        assert!(range.contains(&end), "{}: {end} in {range:?}", place.package);
    }
}

#[tokio::test]
async fn a_touch_moves_the_end_and_leaves_the_text() {
    for place in places() {
        let (store, sid, text) = (place.store().await, new_sid(), session_of("ada"));
        assert!(store.replace(&sid, None, &text, Some(now() + 10_000), now()).await.unwrap());
        let touched = now();
        store.touch(&sid, Some(touched + 2 * HOUR), touched).await.unwrap();
        place.assert_ends(&sid, touched, 2 * HOUR);
        let touched = now();
        store.touch(&sid, None, touched).await.unwrap();
        place.assert_ends(&sid, touched, 24 * HOUR);
        assert_eq!(place.raw(&sid), text);
        // So a write that was under way is not disturbed.
        assert!(store.replace(&sid, Some(&text), &session_of("eve"), None, now()).await.unwrap(), "{}", place.package);
    }
}

#[tokio::test]
async fn with_disable_touch_only_writes_move_the_end() {
    for place in places() {
        let store = match place.store().await {
            AnyStore::Redis(store) => AnyStore::Redis(store.disable_touch()),
            AnyStore::Postgres(store) => AnyStore::Postgres(store.disable_touch()),
        };
        let (sid, written) = (new_sid(), now());
        assert!(store.replace(&sid, None, &session_of("ada"), Some(written + HOUR), written).await.unwrap());
        let end = place.end(&sid);
        store.touch(&sid, Some(now() + 3 * HOUR), now()).await.unwrap();
        assert_eq!(place.end(&sid), end, "{}", place.package);
    }
}

#[tokio::test]
async fn with_disable_ttl_sessions_stay_until_they_are_deleted_as_with_express() {
    for place in all_redis_with(&json!({ "disableTTL": true }), &json!({ "maxAge": HOUR })) {
        let (store, sid, mut jar) = (place.connect_redis().await.disable_ttl(), new_sid(), Jar::default());
        let theirs = place.app.count(&mut jar).sid();
        assert_eq!(place.end(&theirs), -1, "{}", place.package);
        assert!(store.replace(&sid, None, &session_of("ada"), Some(now() + HOUR), now()).await.unwrap());
        assert_eq!(place.end(&sid), -1);
        store.touch(&sid, Some(now() + HOUR), now()).await.unwrap();
        assert_eq!(place.end(&sid), -1);
        // The package removes what is written after its end all the same.
        assert!(store.replace(&sid, Some(&session_of("ada")), &session_of("eve"), Some(now()), now()).await.unwrap());
        assert_eq!(place.end(&sid), -2);
    }
}

#[tokio::test]
async fn a_session_that_is_written_after_its_end_is_over() {
    for place in places() {
        let (store, sid, text) = (place.store().await, new_sid(), session_of("ada"));
        for expires in [now() - 2_000, now() - HOUR, 0] {
            assert!(store.replace(&sid, None, &text, None, now()).await.unwrap(), "{}", place.package);
            // The comparison comes first, as ever.
            let is_late = store.replace(&sid, Some("{}"), &text, Some(expires), now()).await.unwrap();
            assert!(!is_late && store.load(&sid, now()).await.unwrap().is_some());
            let at = now() + 1_000;
            assert!(store.replace(&sid, Some(&text), &session_of("eve"), Some(expires), at).await.unwrap());
            assert_eq!(store.load(&sid, at).await.unwrap(), None, "{}", place.package);
            assert_eq!(place.app.peek(&mut visitor(&sid)).session(), json!({}));
            store.delete(&sid).await.unwrap();
        }
    }
}

#[tokio::test]
async fn an_end_far_beyond_all_dates_is_kept_as_the_last_of_them() {
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        assert!(store.replace(&sid, None, &session_of("ada"), Some(u64::MAX), now()).await.unwrap());
        store.touch(&sid, Some(u64::MAX), now()).await.unwrap();
        assert!(place.end(&sid) > second(now()) + 8_000_000_000_000, "{}", place.package);
        assert!(store.load(&sid, now()).await.unwrap().is_some());
    }
}

/// The stale-`expires` trap: a touch of Express moves the end in the store and does not write the session, so the
/// `cookie.expires` in the text falls behind. Such a session is alive.
#[tokio::test]
async fn a_session_that_express_touched_past_the_end_in_its_text_is_alive() {
    let stale = format!(
        r#"{{"cookie":{},"username":"ada"}}"#,
        COOKIE.replace(
            r#""originalMaxAge":null,"expires":null"#,
            r#""originalMaxAge":3600000,"expires":"2020-01-01T00:00:00.000Z""#
        )
    );
    for place in places() {
        let (store, sid) = (place.store().await, new_sid());
        assert!(store.replace(&sid, None, &stale, Some(now() + 10_000), now()).await.unwrap());
        // Express takes it, and touches it for an hour.
        let touched = now();
        assert_eq!(place.app.peek(&mut visitor(&sid)).session(), json!({ "username": "ada" }));
        assert!(place.end(&sid) >= second(touched) + 3600 - 1, "{}", place.package);
        assert_eq!(store.load(&sid, now()).await.unwrap(), Some(stale.clone()), "{}", place.package);
        // A write of ours says the end that is to be, and the text too: nothing is lost.
        let ours = stale.replace("2020-01-01", "2120-01-01");
        assert!(store.replace(&sid, Some(&stale), &ours, Some(now() + HOUR), now()).await.unwrap());
        assert_eq!(place.app.save(&mut visitor(&sid)).session(), json!({ "username": "ada" }));
        assert!(store.load(&sid, now()).await.unwrap().is_some());

        // Why it must: an explicit save of Express writes before it moves the end, so connect-redis removes the session.
        // The row of connect-pg-simple is still there for the touch that follows.
        let there = store.load(&sid, now()).await.unwrap().unwrap();
        assert!(store.replace(&sid, Some(&there), &stale, Some(now() + HOUR), now()).await.unwrap());
        place.app.save(&mut visitor(&sid));
        let is_there = store.load(&sid, now()).await.unwrap().is_some();
        assert_eq!(is_there, place.package == Package::ConnectPgSimple, "{}", place.package);
    }
}

/// The milliseconds that JavaScript's `Date.parse` makes of a time, by somebody else who knows how.
fn moment(iso: &str) -> u64 {
    let sql = format!("SELECT (extract(epoch FROM '{iso}'::timestamptz) * 1000)::bigint");
    Postgres::shared().psql("postgres", &sql).parse().unwrap()
}

#[tokio::test]
async fn a_row_whose_time_is_over_is_no_session_and_may_be_replaced() {
    let place = &places()[3];
    let (store, sid, at) = (place.connect_pg_simple(), new_sid(), now());
    assert!(store.replace(&sid, None, &session_of("ada"), Some(at + 10_000), at).await.unwrap());
    let after = at + 12_000;
    assert!(store.load(&sid, at + 9_000).await.unwrap().is_some());
    assert_eq!(store.load(&sid, after).await.unwrap(), None);
    assert!(!store.replace(&sid, Some(&session_of("ada")), &session_of("eve"), None, after).await.unwrap());
    // It stays over, although the row is there.
    store.touch(&sid, Some(after + HOUR), after).await.unwrap();
    assert_eq!(store.load(&sid, after).await.unwrap(), None);
    assert_eq!(place.raw(&sid), session_of("ada"));

    assert!(store.replace(&sid, None, &session_of("bob"), None, after).await.unwrap());
    assert!(!store.replace(&sid, None, &session_of("eve"), None, after).await.unwrap());
    assert_eq!(place.app.peek(&mut visitor(&sid)).session(), json!({ "username": "bob" }));
}

#[tokio::test]
async fn a_prune_removes_what_is_over_and_nothing_else() {
    let place = Place::new(Package::ConnectPgSimple, &json!({}), &json!({}));
    let (store, at) = (place.connect_pg_simple(), now());
    let zoned = place.connect_pg_simple().time_zone("Etc/UTC");
    place.psql("DELETE FROM session");
    let sids: Vec<_> = (1..=10).map(|_| new_sid()).collect();
    for (n, sid) in (1..).zip(&sids) {
        assert!(store.replace(sid, None, &session_of("ada"), Some(at + n * 10_000), at).await.unwrap());
    }
    assert_eq!(store.prune(at + 35_000).await.unwrap(), 3);
    assert_eq!(store.prune(at + 35_000).await.unwrap(), 0);
    assert_eq!(zoned.prune(at + 55_000).await.unwrap(), 2);
    assert_eq!(place.psql("SELECT count(*) FROM session"), "5");
    assert!(store.load(&sids[5], at).await.unwrap().is_some());
}
