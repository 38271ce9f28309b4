//! The time-zone trap of connect-pg-simple: `expire` is a local time, and nobody wrote down of where.

use hardtack::interop::{ConnectPgSimple, ExpressStore};
use hardtack_engines::Postgres;
use hardtack_interop::{ExpressApp, Jar};
use serde_json::json;

use crate::common::{Package, express, new_sid, now, pool, session_of, visitor};

const HOUR: u64 = 3_600_000;

/// An application in New York, where it is hours earlier than in Greenwich, whose sessions last for an hour.
fn in_new_york() -> (String, ExpressApp, Jar, String) {
    let url = Postgres::shared().new_database();
    let (options, cookie) = (json!({ "createTableIfMissing": true }), json!({ "maxAge": HOUR }));
    let zone = [("PGOPTIONS", "-c TimeZone=America/New_York")];
    let (app, mut jar) = (express(Package::ConnectPgSimple, &url, &options, &cookie, &zone), Jar::default());
    let sid = app.login(&mut jar, "ada").sid();
    (url, app, jar, sid)
}

/// The column as it stands there.
fn expire(url: &str, sid: &str) -> String {
    let sql = format!("SELECT expire FROM session WHERE sid = '{sid}'");
    Postgres::shared().psql(url.rsplit('/').next().unwrap(), &sql)
}

#[tokio::test]
async fn a_pool_in_the_time_zone_of_node_or_a_store_that_is_told_it_agrees_with_express() {
    let (url, app, mut jar, sid) = in_new_york();
    let by_pool = ConnectPgSimple::new(pool(&url, "-c TimeZone=America/New_York"));
    let by_name = ConnectPgSimple::new(pool(&url, "-c TimeZone=Asia/Tokyo")).time_zone("America/New_York");
    for store in [by_pool, by_name] {
        let there = store.load(&sid, now()).await.unwrap().unwrap();
        assert!(store.load(&sid, now() + HOUR - 2_000).await.unwrap().is_some());
        assert_eq!(store.load(&sid, now() + HOUR + 2_000).await.unwrap(), None);
        assert_eq!(store.prune(now()).await.unwrap(), 0);

        // What either writes for the same moment is the same in the table.
        let theirs = expire(&url, &sid);
        let expires = now() + HOUR;
        assert!(store.replace(&sid, Some(&there), &there, Some(expires), now()).await.unwrap());
        let sql = format!("SELECT to_timestamp({}) AT TIME ZONE 'America/New_York'", expires.div_ceil(1000));
        let ours = expire(&url, &sid);
        assert_eq!(ours, Postgres::shared().psql("postgres", &sql));
        assert!(ours >= theirs, "{ours} {theirs}");
        assert_eq!(app.peek(&mut jar).session(), json!({ "username": "ada" }));

        let made = new_sid();
        assert!(store.replace(&made, None, &session_of("bob"), Some(expires), now()).await.unwrap());
        assert_eq!(expire(&url, &made), ours);
        store.touch(&made, Some(expires + 60_000), now()).await.unwrap();
        assert!(expire(&url, &made) > ours);
        assert_eq!(app.peek(&mut visitor(&made)).session(), json!({ "username": "bob" }));
        // Express touched it for a day. Once it is over, it may be made again.
        let later = now() + 25 * HOUR;
        assert!(!store.replace(&made, None, &session_of("eve"), Some(later + HOUR), now()).await.unwrap());
        assert!(store.replace(&made, None, &session_of("eve"), Some(later + HOUR), later).await.unwrap());
        store.delete(&made).await.unwrap();
    }
}

/// Why the zone must be said: nothing fails, and every session is over, or lives on for hours.
#[tokio::test]
async fn a_pool_in_another_time_zone_ends_sessions_early_or_lets_them_live_on() {
    let (url, app, mut jar, sid) = in_new_york();
    let east = ConnectPgSimple::new(pool(&url, "-c TimeZone=Etc/UTC"));
    let west = ConnectPgSimple::new(pool(&url, "-c TimeZone=America/Los_Angeles"));
    assert_eq!(east.load(&sid, now()).await.unwrap(), None, "over before its time");
    assert!(west.load(&sid, now() + 2 * HOUR).await.unwrap().is_some(), "alive after its time");
    // And what is written from there: Express takes it for hours longer than its hour, or not at all.
    let text = west.load(&sid, now()).await.unwrap().unwrap();
    assert!(west.replace(&sid, Some(&text), &text, Some(now() + HOUR), now()).await.unwrap());
    assert_eq!(app.peek(&mut jar.clone()).session(), json!({}));
    let sid = app.login(&mut jar, "ada").sid();
    assert!(east.replace(&sid, None, &session_of("eve"), Some(now() + HOUR), now()).await.unwrap(), "and overwrites");
}

#[tokio::test]
async fn a_time_zone_that_nobody_knows_is_refused_by_name() {
    let (url, _app, _jar, sid) = in_new_york();
    let store = ConnectPgSimple::new(pool(&url, "")).time_zone("America/New_Yorc");
    let error = store.load(&sid, now()).await.unwrap_err().to_string();
    assert!(error.contains("America/New_Yorc"), "{error}");
}
