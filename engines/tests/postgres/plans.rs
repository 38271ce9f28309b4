//! How the server finds what it is asked for, among many.

use std::time::Duration;

use hardtack::store::{
    Admission, Beyond, Created, DeviceLimit, Replaced, Store,
    feed::{Feed, News},
};
use hardtack_engines::Postgres;

use super::{
    place::Driver,
    rows::{ANY, DAY, HOUR, NOW, key, row},
};

/// TS-9: no call goes through a whole table, however many sessions there are. The server writes the plan of every
/// statement into its log, those inside of functions too.
#[tokio::test]
async fn every_statement_uses_an_index() {
    let postgres = Postgres::start_with(&[
        "session_preload_libraries=auto_explain",
        "auto_explain.log_min_duration=0",
        "auto_explain.log_nested_statements=on",
        "autovacuum=off",
    ]);
    let url = postgres.url("postgres");
    drop(Driver::Pipelined.open(&url, "hardtack").await);
    postgres.psql("postgres", &format!(
        "INSERT INTO hardtack.sessions (key, version, generation, remembered, epoch, created, authenticated, renewed, \
             last_seen, idle_deadline, absolute_deadline, owner, sealed) \
         SELECT decode(md5(n::text), 'hex'), 1, 0, false, 0, {NOW}, {NOW}, 0, {NOW}, {NOW} + n, {NOW} + {DAY}, \
             CASE n % 3 WHEN 0 THEN NULL ELSE convert_to('owner ' || n / 4, 'UTF8') END, '\\x00' \
         FROM generate_series(1, 30000) AS n; \
         INSERT INTO hardtack.owners SELECT convert_to('owner ' || n, 'UTF8'), 1, {NOW} + n FROM generate_series(1, 30000) AS n; \
         INSERT INTO hardtack.revoked SELECT convert_to('told ' || n, 'UTF8'), {NOW} + n FROM generate_series(1, 30000) AS n; \
         INSERT INTO hardtack.news (told) SELECT convert_to('told ' || n, 'UTF8') FROM generate_series(1, 30000) AS n; \
         UPDATE hardtack.feed SET newer_at = newer_at - interval '1 day'; \
         ANALYZE"
    ));
    for (at, driver) in (1..).zip(Driver::ALL) {
        let store = driver.open(&url, "hardtack").await;
        let begin = postgres.log().len();
        // Often enough for a plan that is kept.
        for round in 1..=8u128 {
            let (one, two) = (key(1_000 * at + 2 * round), key(1_000 * at + 2 * round + 1));
            let cursor = store.read(None, Duration::ZERO).await.unwrap().cursor;
            let limit = Some(DeviceLimit { most: 1, beyond: Beyond::EndOldest });
            assert_eq!(store.create(one, row(Some("ada"), 1), ANY, NOW).await.unwrap(), Created::Created);
            let terms = Admission { epoch: u64::MAX, limit };
            assert_eq!(store.create(two, row(Some("ada"), 1), terms, NOW).await.unwrap(), Created::Created);
            assert!(store.load(two, NOW).await.unwrap().is_some());
            assert_eq!(store.replace(two, 1, row(Some("ada"), 2), NOW).await.unwrap(), Replaced::Replaced);
            assert_eq!(store.replace(two, 1, row(Some("ada"), 2), NOW).await.unwrap(), Replaced::Conflict);
            store.touch(two, NOW + 1, NOW + 2 * HOUR).await.unwrap();
            store.end_owner("ada", Some(two), NOW + DAY).await.unwrap();
            assert!(store.delete(two, NOW).await.unwrap());
            assert!(store.owned_by("owner 7000", NOW).await.unwrap().len() > 1);
            store.epoch().await.unwrap();
            store.scan(Some(two), 100).await.unwrap();
            store.publish(vec![News::ended(one, true)], NOW).await.unwrap();
            assert_eq!(store.read(Some(cursor), Duration::ZERO).await.unwrap().news.len(), 4);
            assert!(store.purge(NOW + 200 * at as u64 + 5 * round as u64, 7).await.unwrap() > 0);
            assert!(store.delete(one, NOW).await.is_ok());
        }
        let log = postgres.log();
        let plans = &log[begin..];
        let slow: Vec<_> = plans
            .lines()
            .filter(|line| line.contains("Seq Scan on"))
            // One row each, and a reader who wants all of them.
            .filter(|line| !["on feed", "on counter", "on news", "on revoked"].iter().any(|table| line.contains(table)))
            .collect();
        assert!(slow.is_empty(), "{driver:?}: {slow:#?}");
        for index in [
            "sessions_pkey",
            "sessions_by_owner",
            "sessions_by_expiry",
            "owners_pkey",
            "owners_by_end",
            "revoked_by_end",
            "news_by_transaction",
        ] {
            assert!(plans.contains(index), "{driver:?}: nothing was found by {index}, so this log has not all plans");
        }
        // All of the news are read once, from the beginning; all else goes through indexes.
        let whole =
            plans.lines().filter(|line| line.contains("Seq Scan on news") || line.contains("Seq Scan on revoked"));
        assert!(whole.count() <= 16, "{driver:?}: more than the readings from the beginning went through all news");
    }
}
