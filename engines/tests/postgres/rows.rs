//! Rows for tests, and numbers that are hard to keep.

use hardtack::store::{Admission, Beyond, Created, DeviceLimit, Facts, PostgresStore, Replaced, Row, Store, StoreKey};
use hardtack_engines::Postgres;

use super::place::Driver;

pub const NOW: u64 = 1_800_000_000_000;
pub const HOUR: u64 = 3_600_000;
pub const DAY: u64 = 24 * HOUR;
pub const ANY: Admission = Admission { epoch: u64::MAX, limit: None };

pub fn key(number: u128) -> StoreKey {
    StoreKey::from_bytes(number.to_be_bytes())
}

pub fn row(owner: Option<&str>, version: u64) -> Row {
    let facts = Facts {
        version,
        generation: 0,
        remembered: false,
        epoch: 0,
        created: NOW,
        authenticated: NOW,
        renewed: 0,
        absolute_deadline: NOW + DAY,
    };
    Row::new(facts, owner, Some("a phone"), &[7; 100], NOW, NOW + HOUR)
}

pub async fn put(store: &PostgresStore, at: u128, owner: Option<&str>) {
    assert_eq!(store.create(key(at), row(owner, 1), ANY, NOW).await.unwrap(), Created::Created);
}

/// D03: every number of 64 bits comes back, and is as far from the others as it was.
#[tokio::test]
async fn the_extremes_of_numbers_are_numbers() {
    let postgres = Postgres::shared();
    let url = postgres.new_database();
    for (schema, driver) in ["one", "two", "three", "four"].into_iter().zip(Driver::ALL) {
        let store = driver.open(&url, schema).await;
        let edges = [0, 1, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, u64::MAX];
        for (at, number) in (1..).zip(edges) {
            let facts = Facts {
                version: number,
                generation: number as u32,
                remembered: true,
                epoch: number,
                created: number,
                authenticated: number,
                renewed: number,
                absolute_deadline: u64::MAX,
            };
            let made = Row::new(facts, Some("ada"), None, &[], number, u64::MAX);
            assert_eq!(store.create(key(at), made.clone(), ANY, NOW).await.unwrap(), Created::Created);
            assert_eq!(store.load(key(at), u64::MAX - 1).await.unwrap(), Some(made.clone()), "{driver:?}, {number}");
            assert_eq!(store.load(key(at), u64::MAX).await.unwrap(), None, "{driver:?}, {number}");
            let other = Facts { version: number.wrapping_add(1), ..facts };
            let next = Row::new(other, Some("ada"), None, &[1], 0, 0);
            assert_eq!(store.replace(key(at), number ^ 1, next.clone(), NOW).await.unwrap(), Replaced::Conflict);
            assert_eq!(store.replace(key(at), number, next, NOW).await.unwrap(), Replaced::Replaced);
            let loaded = store.load(key(at), NOW).await.unwrap().unwrap();
            assert_eq!(
                (loaded.last_seen(), loaded.idle_deadline()),
                (number, u64::MAX),
                "{driver:?}: the later of both"
            );
        }
        store.touch(key(1), 1 << 63, u64::MAX).await.unwrap();
        store.touch(key(1), (1 << 63) - 1, u64::MAX).await.unwrap();
        assert_eq!(store.load(key(1), NOW).await.unwrap().unwrap().last_seen(), 1 << 63, "{driver:?}");
        assert_eq!(store.purge(u64::MAX - 1, 100).await.unwrap(), 0, "{driver:?}");
        // The oldest is the one with the lowest number.
        let limit = Some(DeviceLimit { most: 6, beyond: Beyond::EndOldest });
        let created = store.create(key(7), row(Some("ada"), 1), Admission { epoch: u64::MAX, limit }, NOW).await;
        assert_eq!(created.unwrap(), Created::Created);
        assert_eq!(store.load(key(1), NOW).await.unwrap(), None, "{driver:?}");
        assert_eq!(store.owned_by("ada", NOW).await.unwrap().len(), 6, "{driver:?}");
        store.delete(key(2), u64::MAX).await.unwrap();
        assert_eq!(store.create(key(2), row(None, 1), ANY, NOW).await.unwrap(), Created::Exists);
        assert_eq!(store.purge(u64::MAX, 100).await.unwrap(), 7, "{driver:?}");
    }
}
