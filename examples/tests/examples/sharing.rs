//! One session, two servers: what one does the other sees.

use hardtack_browser::Browser;
use hardtack_engines::Redis;

use crate::{
    site::{EXPRESS, IRON, Site},
    visitor::Visitor,
};

const BOTH: [(&str, &str); 2] = [("/node", "/rust"), ("/rust", "/node")];

fn iron() -> Site {
    Site::start("iron-session-and-rust", IRON, &[])
}

/// B12
#[tokio::test]
async fn a_session_of_iron_session_is_stored_read_and_destroyed_at_either_server() {
    at_either_server(&iron().url).await;
}

/// B12
#[tokio::test]
async fn a_browser_sees_one_session_of_iron_session_at_both_servers() {
    in_a_browser(&iron().url).await;
}

fn express() -> (Site, Redis) {
    let redis = Redis::start();
    (Site::start("express-and-rust", EXPRESS, &[("REDIS_URL", &redis.url())]), redis)
}

/// B12
#[tokio::test]
async fn a_session_of_express_is_stored_read_and_destroyed_at_either_server() {
    let (site, redis) = express();
    at_either_server(&site.url).await;
    assert_eq!(redis.cli(&["DBSIZE"]), "0", "no row is left behind");
}

/// B12
#[tokio::test]
async fn a_browser_sees_one_session_of_express_at_both_servers() {
    let (site, _redis) = express();
    in_a_browser(&site.url).await;
}

async fn at_either_server(site: &str) {
    for (one, other) in BOTH {
        let mut visitor = Visitor::new(site);
        assert_eq!(visitor.seen(one).await.unwrap(), (None, 0));
        visitor.sign_in(one, "ada").await.unwrap();
        assert_eq!(visitor.seen(other).await.unwrap(), (Some("ada".into()), 0));
        for (place, count) in [(one, 1), (other, 2), (other, 3), (one, 4)] {
            visitor.count(place).await.unwrap();
            assert_eq!(visitor.seen(one).await.unwrap(), (Some("ada".into()), count));
            assert_eq!(visitor.seen(other).await.unwrap(), (Some("ada".into()), count));
        }
        // Who signs in anew begins anew.
        visitor.sign_in(other, "bob").await.unwrap();
        assert_eq!(visitor.seen(one).await.unwrap(), (Some("bob".into()), 0));
        visitor.count("").await.unwrap();
        assert_eq!(visitor.seen("").await.unwrap(), (Some("bob".into()), 1));
        visitor.sign_out(other).await.unwrap();
        for place in [one, other] {
            assert_eq!(visitor.seen(place).await.unwrap(), (None, 0), "signed out at {other}");
        }
        assert!(visitor.jar.is_empty(), "{:?}", visitor.jar);
    }
}

async fn in_a_browser(site: &str) {
    let browser = Browser::open().await;
    for (one, other) in BOTH {
        browser.go(&format!("{site}{one}/")).await;
        assert_eq!(browser.text("h1").await, "Nobody is signed in");
        browser.follow("main a").await;
        browser.type_into("#name", "<b>Ada & Bob</b>").await;
        browser.follow("form button").await;
        assert_eq!(browser.place().await, format!("{one}/"));
        for (place, count) in [(one, "1"), (other, "2"), (one, "3")] {
            browser.go(&format!("{site}{place}/")).await;
            assert_eq!(format!("/{}", browser.text("#server").await.to_lowercase()), place);
            assert_eq!(browser.text("#username").await, "<b>Ada & Bob</b>");
            browser.follow("form[action=count] button").await;
            assert_eq!(browser.text("#count").await, count, "at {place}");
        }
        browser.go(&format!("{site}{other}/")).await;
        browser.follow("form[action=logout] button").await;
        for place in [one, other, ""] {
            browser.go(&format!("{site}{place}/")).await;
            assert_eq!(browser.text("h1").await, "Nobody is signed in", "at {place}");
        }
        assert!(browser.cookies().await.is_empty());
    }
}
