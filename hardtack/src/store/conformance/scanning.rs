//! `scan`: all rows, page by page, for operators.

use super::{
    Place,
    node::{Node, crowd},
    rows::{HOUR, LATER, NOW, key, keys_of, row},
};
use crate::store::StoreKey;

/// E05: page by page, each row once, in the order of the keys' bytes.
pub(super) async fn pages_are_complete_and_in_order(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    let owner = |at: usize| if at % 3 == 0 { "ada" } else { "bob" };
    let mut keys: Vec<_> = (0..250).map(|at| keys_of(owner(at))(at as u64)).collect();
    keys.extend((250..300).map(key));
    let edges =
        [[0; 16], [0xff; 16], [0x7f; 16], [0x80; 16], edge(0, 1), edge(0x7f, 0xff), edge(0x80, 0), edge(0xff, 0)];
    keys.extend(edges.map(StoreKey::from_bytes));
    crowd(keys.len(), |at| {
        let (node, key) = (here.clone(), keys[at]);
        let draft = if at < 250 { row().of(owner(at)) } else { row() }.label(&at.to_string());
        async move { node.put(key, &draft).await }
    })
    .await;
    keys.sort_unstable();
    keys.dedup();
    for limit in [1, 7, 100, keys.len(), keys.len() + 1, 10_000] {
        let mut found = Vec::new();
        loop {
            let page = there.scan(found.last().copied(), limit).await;
            assert!(page.len() <= limit, "scan with a limit of {limit} answered {} rows", page.len());
            if page.is_empty() {
                break;
            }
            found.extend(page.into_iter().map(|(key, _)| key));
            assert!(found.len() <= keys.len(), "scan with a limit of {limit} answers rows twice");
        }
        assert_eq!(found, keys, "all keys in pages of {limit}, in the order of their bytes");
    }
    assert_eq!(there.scan(None, 0).await, [], "scan with a limit of 0");
}

/// D08, E07: an operator sees what is there, which is not what is alive; a tombstone is no row.
pub(super) async fn a_scan_shows_expired_rows_and_no_tombstones(place: impl Place) {
    let [adas, bobs, carols] = ["ada", "bob", "carol"].map(|owner| keys_of(owner)(1));
    let node = Node::of(&place).await;
    let expired = node.put(adas, &row().of("ada").idle_until(NOW - HOUR).label("old")).await;
    let alive = node.put(bobs, &row().of("bob").sealed("data")).await;
    node.put(carols, &row().of("carol")).await;
    node.put(key(4), &row()).await;
    node.delete(carols, LATER).await;
    node.end_owner("carol", None, LATER).await;
    node.delete(key(4), LATER).await;
    node.delete(key(5), LATER).await;
    assert_eq!(node.load(adas, NOW).await, None);
    let mut expected = vec![(adas, expired), (bobs, alive)];
    expected.sort_by_key(|(key, _)| *key);
    assert_eq!(node.scan(None, 100).await, expected, "scan: rows whole, expired ones too, no tombstones");
}

/// E05: a page begins above the last key of the one before, also when that row is gone meanwhile.
pub(super) async fn a_scan_begins_above_its_key(place: impl Place) {
    let node = Node::of(&place).await;
    let keys: Vec<_> = (0..10).map(|at| StoreKey::from_bytes(edge(0x7c + at, 0))).collect();
    for key in &keys {
        node.put(*key, &row()).await;
    }
    node.delete(keys[4], LATER).await;
    let listed = |rows: Vec<(StoreKey, _)>| rows.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
    assert_eq!(listed(node.scan(Some(keys[4]), 2).await), keys[5..7], "scan above a key that is gone");
    assert_eq!(listed(node.scan(Some(keys[5]), 2).await), keys[6..8], "scan above a key that is there");
    let between = StoreKey::from_bytes(edge(0x7c, 1));
    assert_eq!(listed(node.scan(Some(between), 2).await), keys[1..3], "scan above a key that never was");
    assert_eq!(listed(node.scan(Some(keys[9]), 2).await), [], "scan above the last key");
    assert_eq!(
        listed(node.scan(Some(StoreKey::from_bytes([0xff; 16])), 2).await),
        [],
        "scan above the last of all keys"
    );
    assert_eq!(
        listed(node.scan(Some(StoreKey::from_bytes([0; 16])), 1).await),
        keys[..1],
        "scan above the first of all keys"
    );
}

/// A key with this first and this last byte.
fn edge(first: u8, last: u8) -> [u8; StoreKey::BYTES] {
    let mut bytes = [0; StoreKey::BYTES];
    (bytes[0], bytes[StoreKey::BYTES - 1]) = (first, last);
    bytes
}
