//! How often a call goes to the server.

use hardtack::store::{Admission, Beyond, Created, DeviceLimit, Replaced, Store};
use hardtack_engines::Postgres;

use super::{
    place::Driver,
    rows::{ANY, DAY, HOUR, NOW, key, row},
};

/// The statements that a server was asked since it was last looked, without the word to those who listen for news.
struct Log<'a> {
    postgres: &'a Postgres,
    read: usize,
}

impl Log<'_> {
    fn since(&mut self) -> Vec<String> {
        let log = self.postgres.log();
        let new = log[self.read..]
            .lines()
            .filter(|line| line.contains("LOG:  execute ") || line.contains("LOG:  statement: "));
        let new = new.filter(|line| !line.contains("pg_notify")).map(str::to_owned).collect();
        self.read = log.len();
        new
    }
}

/// Each call that does what it was asked to do is one statement: one round trip and one transaction.
#[tokio::test]
async fn a_successful_call_is_one_statement() {
    let postgres = Postgres::start_with(&["log_statement=all"]);
    for (schema, driver) in ["one", "two", "three", "four"].into_iter().zip(Driver::ALL) {
        let store = driver.open(&postgres.url("postgres"), schema).await;
        let limit = Some(DeviceLimit { most: 2, beyond: Beyond::EndOldest });
        // The first round prepares; the pools have one connection more for what tells of news.
        for round in 0..6u128 {
            let mut log = Log { postgres: &postgres, read: postgres.log().len() };
            let mut once = |call: &str| {
                let asked = log.since();
                assert!(round < 5 || asked.len() == 1, "{driver:?}: {call} asked {asked:#?}");
            };
            let (one, two) = (key(10 * round + 1), key(10 * round + 2));
            let terms = Admission { epoch: u64::MAX, limit };
            assert_eq!(store.create(one, row(Some("ada"), 1), terms, NOW).await.unwrap(), Created::Created);
            once("create");
            assert_eq!(store.create(two, row(None, 1), ANY, NOW).await.unwrap(), Created::Created);
            once("create of nobody's");
            assert!(store.load(one, NOW).await.unwrap().is_some());
            once("load");
            assert!(store.load(key(10 * round + 9), NOW).await.unwrap().is_none());
            once("load of nothing");
            assert_eq!(store.replace(one, 1, row(Some("ada"), 2), NOW).await.unwrap(), Replaced::Replaced);
            once("replace");
            store.touch(one, NOW + 1, NOW + 2 * HOUR).await.unwrap();
            once("touch");
            assert!(store.delete(two, NOW + DAY).await.unwrap());
            once("delete");
            assert!(!store.owned_by("ada", NOW).await.unwrap().is_empty());
            once("owned_by");
            store.end_owner("ada", Some(one), NOW + DAY).await.unwrap();
            once("end_owner");
            store.epoch().await.unwrap();
            once("epoch");
            store.purge(NOW, 100).await.unwrap();
            once("purge");
            store.scan(None, 100).await.unwrap();
            once("scan");
        }
    }
}
