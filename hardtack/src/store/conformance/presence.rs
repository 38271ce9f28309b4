//! Absent, expired and gone are three things: what each call makes of them.

use super::{
    Place,
    node::Node,
    rows::{ANY, DAY, HOUR, LATER, NOW, key, keys_of, neighbour_of, row},
};
use crate::store::{Created, Replaced};

/// D08, E07: under a key that was never used there is nothing, and no call but `create` changes that.
pub(super) async fn an_absent_key_is_absent(place: impl Place) {
    let node = Node::of(&place).await;
    let absent = key(1);
    assert_eq!(node.load(absent, NOW).await, None, "load of a key that was never used");
    for version in [0, 1] {
        let replaced = node.replace(absent, version, &row().made(), NOW).await;
        assert_eq!(replaced, Replaced::Gone, "replace where there is no row");
    }
    node.touch(absent, NOW, NOW + HOUR).await;
    assert_eq!(node.load(absent, NOW).await, None, "load after replace and touch of a key that was never used");
    assert_eq!(node.all().await, [], "scan of an empty store");
    assert_eq!(node.owned_by("ada", NOW).await, [], "owned_by of an owner whom nobody knows");
    assert_eq!(node.purge(NOW, 100).await, 0, "purge of an empty store");
    assert_eq!(node.epoch().await, 0, "the epoch of a new store");
    node.put(absent, &row()).await;
}

/// J05: what one node was told has happened for all.
pub(super) async fn a_created_row_is_there_on_every_node(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let made = here.put(key(1), &row().of("ada").label("a phone")).await;
    for node in [&here, &there, &Node::of(&place).await] {
        assert_eq!(node.load(key(1), NOW).await.as_ref(), Some(&made), "load of a row that create put there");
        assert_eq!(node.owned_by("ada", NOW).await, [(key(1), made.clone())], "owned_by after create");
        assert_eq!(node.all().await, [(key(1), made.clone())], "scan after create");
    }
    assert_eq!(here.load(key(2), NOW).await, None, "load of another key");
}

/// C08: two sessions under one key would be one session of two people.
pub(super) async fn create_overwrites_nothing(place: impl Place) {
    let (key, other) = (keys_of("ada"), neighbour_of("ada"));
    let [here, there] = Node::two(&place).await;
    let first = here.put(key(1), &row().of("ada").sealed("first")).await;
    let second = row().of(&other).sealed("second").version(2);
    for node in [&here, &there] {
        let created = node.create(key(1), &second.made(), ANY, NOW).await;
        assert_eq!(created, Created::Exists, "create under a key where a row is");
        assert_eq!(node.load(key(1), NOW).await.as_ref(), Some(&first), "the row, after a create that found it");
        assert_eq!(node.keys_of(&other, NOW).await, [], "the rows of an owner whose create found the key taken");
    }
}

/// D08, E07, C08: whether or not a purge has run, nobody sees a row whose time is over; but its key is not free.
pub(super) async fn an_expired_row_is_absent_but_keeps_its_key(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let idle = (key(1), row().of("ada").idle_until(NOW + HOUR), NOW + HOUR);
    let absolute = (key(2), row().of("ada").idle_until(NOW + HOUR).until(NOW + HOUR), NOW + HOUR);
    for (key, draft, over) in [idle, absolute] {
        let made = here.put(key, &draft).await;
        let fresh = draft.clone().version(2).idle_until(over + HOUR).until(over + DAY).made();
        for (node, now) in [(&here, over), (&there, over), (&here, over + DAY)] {
            assert_eq!(node.load(key, now).await, None, "load of a row whose time is over and that no purge took");
            let replaced = node.replace(key, 1, &fresh, now).await;
            assert_eq!(replaced, Replaced::Gone, "replace of an expired row: it must not come back");
            let created = node.create(key, &fresh, ANY, now).await;
            assert_eq!(created, Created::Exists, "create under the key of an expired row that is still there");
            assert_eq!(node.load(key, now).await, None, "an expired row after replace and create tried");
            assert_eq!(node.keys_of("ada", now).await, [], "owned_by lists an expired row");
        }
        let still = node_row(&here, key).await;
        assert_eq!(still, Some(made), "the expired row in a scan: nothing that failed may have changed it");
        assert!(here.delete(key, LATER).await, "delete answers whether there was a row, an expired one too");
        here.assert_gone(key, "ada", "after the delete of an expired row").await;
    }
}

/// E07: a delete wins. What comes after it, from a request that began before, brings nothing back.
pub(super) async fn nothing_brings_a_deleted_row_back(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let other = here.put(key(2), &row().of("ada")).await;
    here.put(key(1), &row().of("ada")).await;
    assert!(here.delete(key(1), LATER).await, "delete answers that there was a row");
    for node in [&here, &there] {
        node.assert_gone(key(1), "ada", "after its delete").await;
        assert!(!node.delete(key(1), LATER).await, "a second delete answers that there was no row any more");
    }
    assert_eq!(there.load(key(2), NOW).await, Some(other), "the row beside the one that was deleted");
    assert_eq!(there.keys_of("ada", NOW).await, [key(2)], "the owner's rows, after one was deleted");
}

/// E07: a logout that overtakes the creation of its session still wins.
pub(super) async fn deleting_what_is_not_there_leaves_a_tombstone(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    assert!(!here.delete(key(1), LATER).await, "delete answers that there was no row");
    there.assert_gone(key(1), "ada", "after the delete of a key where there was none").await;
}

/// E07: a tombstone lasts as long as it was asked to, through every purge; after it the key is free.
pub(super) async fn a_tombstone_stands_until_its_time(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let until = NOW + HOUR;
    here.put(key(1), &row().of("ada")).await;
    here.delete(key(1), until).await;
    here.delete(key(2), until).await;
    here.put(key(3), &row().of("ada")).await;
    here.end_owner("ada", None, until).await;
    let epoch = here.epoch().await;
    let fresh = row().of("ada").epoch(epoch).idle_until(until + HOUR).made();
    let terms = crate::store::Admission { epoch, limit: None };
    for now in [NOW, until - 1] {
        here.purge_all(now).await;
        for (node, at) in [(&here, 1), (&there, 1), (&here, 2), (&there, 3)] {
            let created = node.create(key(at), &fresh, terms, now).await;
            assert_eq!(created, Created::Exists, "create {} ms before the tombstone's time is over", until - now);
        }
    }
    there.purge_all(until).await;
    for at in 1..=3 {
        let created = here.create(key(at), &fresh, terms, until).await;
        assert_eq!(created, Created::Created, "create after a purge at the tombstone's time");
        assert_eq!(there.load(key(at), until).await.as_ref(), Some(&fresh), "the row under a key that is free again");
    }
}

/// E07: who asked for a tombstone first relies on its time, whatever others ask for later.
pub(super) async fn a_second_delete_shortens_no_tombstone(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada")).await;
    here.delete(key(1), NOW + HOUR).await;
    there.delete(key(1), NOW + 1).await;
    there.delete(key(1), 0).await;
    here.purge_all(NOW + HOUR - 1).await;
    let created = here.create(key(1), &row().made(), ANY, NOW + HOUR - 1).await;
    assert_eq!(created, Created::Exists, "create while the tombstone of the first of three deletes stands");
}

/// E05, C08: what a store knew of the row before belongs to the row before.
pub(super) async fn a_key_that_is_free_again_has_no_past(place: impl Place) {
    let (key, other) = (keys_of("ada"), neighbour_of("ada"));
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada").label("old").version(7)).await;
    here.touch(key(1), NOW + HOUR, NOW + 2 * HOUR).await;
    here.delete(key(1), NOW + 1).await;
    here.purge_all(NOW + 1).await;
    let made = there.put(key(1), &row().of(&other)).await;
    assert_eq!(here.load(key(1), NOW).await, Some(made), "the new row: nothing of the old one is in it");
    assert_eq!(here.keys_of("ada", NOW).await, [], "the rows of the owner before");
    there.end_owner("ada", None, LATER).await;
    assert_eq!(here.keys_of(&other, NOW).await, [key(1)], "ending the owner before ended the row of the new one");
    assert_eq!(here.replace(key(1), 1, &row().of(&other).version(2).made(), NOW).await, Replaced::Replaced);
    here.end_owner(&other, None, LATER).await;
    assert_eq!(there.load(key(1), NOW).await, None, "ending the new owner did not end his row");
}

async fn node_row<S: crate::store::Store>(node: &Node<S>, key: crate::store::StoreKey) -> Option<crate::store::Row> {
    node.all().await.into_iter().find_map(|(there, row)| (there == key).then_some(row))
}
