//! `end_owner` and the epochs: who signed in before an ending is out, also when that sign-in is not done yet.

use super::{
    Place,
    node::Node,
    rows::{ANY, DAY, HOUR, LATER, MINUTE, NOW, key, keys_of, row},
};
use crate::store::{Admission, Created, Replaced};

fn from(epoch: u64) -> Admission {
    Admission { epoch, limit: None }
}

/// E02, E04: all devices at once, on every node.
pub(super) async fn an_ending_removes_all_rows_of_the_owner(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    for at in 0..20 {
        let owner = if at % 2 == 0 { "ada" } else { "bob" };
        here.put(keys_of(owner)(at), &row().of(owner)).await;
    }
    let before = here.epoch().await;
    let epoch = there.end_owner("ada", None, LATER).await;
    assert_eq!(epoch, before + 1, "end_owner answers an epoch one above the highest that the store had given");
    for node in [&here, &there] {
        assert_eq!(node.epoch().await, epoch, "the store's epoch after an ending");
        assert_eq!(node.keys_of("ada", NOW).await, [], "owned_by after an ending");
        assert_eq!(node.keys_of("bob", NOW).await.len(), 10, "the rows of another owner after an ending");
        for at in (0..20).step_by(2) {
            assert_eq!(node.load(keys_of("ada")(at), NOW).await, None, "load of an ended row");
        }
    }
}

/// E04, E07: an ended row is a deleted one: nothing brings it back.
pub(super) async fn an_ending_leaves_tombstones(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada")).await;
    here.put(key(2), &row().of("ada")).await;
    here.end_owner("ada", Some(key(2)), LATER).await;
    for node in [&here, &there] {
        node.assert_gone(key(1), "ada", "after the end of its owner's rows").await;
        assert!(!node.delete(key(1), LATER).await, "delete of an ended row answers that there was none");
    }
    there.purge_all(LATER - 1).await;
    let created = here.create(key(1), &row().made(), ANY, LATER - 1).await;
    assert_eq!(created, Created::Exists, "create one millisecond before the tombstones of an ending are over");
}

/// E04: expired rows are among "all rows": no clock that is behind, and no touch, finds one.
pub(super) async fn an_ending_removes_expired_rows_too(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada").idle_until(NOW - HOUR)).await;
    here.end_owner("ada", None, LATER).await;
    there.touch(key(1), NOW, NOW + HOUR).await;
    for now in [NOW - 2 * HOUR, NOW] {
        assert_eq!(there.load(key(1), now).await, None, "a row that was expired for some when its owner was ended");
    }
    assert_eq!(there.all().await, [], "scan after an ending of an owner with an expired row");
}

/// E03: who changes the password stays signed in, and the request in flight of his session still commits.
pub(super) async fn the_spared_row_gets_the_epoch_and_keeps_its_version(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let draft = row().of("ada").label("a phone").sealed("data").version(4);
    for at in 1..=5 {
        here.put(key(at), &draft).await;
    }
    let epoch = here.end_owner("ada", Some(key(3)), LATER).await;
    let spared = draft.clone().epoch(epoch);
    assert_eq!(there.load(key(3), NOW).await, Some(spared.made()), "the spared row: the new epoch, all else as before");
    assert_eq!(there.owned_by("ada", NOW).await, [(key(3), spared.made())], "owned_by after an ending that spared one");
    let next = draft.version(5).sealed("more").made();
    assert_eq!(there.replace(key(3), 4, &next, NOW).await, Replaced::Replaced, "replace of the spared row's version");
    assert_eq!(here.load(key(3), NOW).await, Some(next.with_epoch(epoch)), "the spared row, after a replace");
    let again = there.end_owner("ada", Some(key(3)), LATER).await;
    assert_eq!(here.load(key(3), NOW).await, Some(next.with_epoch(again)), "a row that was spared twice");
    let last = here.end_owner("ada", None, LATER).await;
    assert_eq!(there.load(key(3), NOW).await, None, "a row that was spared twice and then ended");
    assert_eq!([again, last], [epoch + 1, epoch + 2], "each ending has the next epoch");
}

/// E03: sparing a row that does not exist, or that is another owner's, spares nobody and harms nobody.
pub(super) async fn a_row_of_somebody_else_is_not_spared_or_ended(place: impl Place) {
    let node = Node::of(&place).await;
    node.put(keys_of("ada")(1), &row().of("ada")).await;
    let bobs_key = keys_of("bob")(2);
    let bobs = node.put(bobs_key, &row().of("bob")).await;
    let nobodys = node.put(key(3), &row()).await;
    for (at, except) in [bobs_key, key(3), key(99)].into_iter().enumerate() {
        node.end_owner("ada", Some(except), LATER).await;
        assert_eq!(node.keys_of("ada", NOW).await, [], "owned_by after an ending that spared a row of somebody else");
        assert_eq!(
            node.load(bobs_key, NOW).await,
            Some(bobs.clone()),
            "another owner's row, named as spared in call {at}"
        );
        assert_eq!(node.load(key(3), NOW).await, Some(nobodys.clone()), "nobody's row, named as spared in call {at}");
        assert_eq!(node.load(key(99), NOW).await, None, "a row that never was, named as spared");
    }
    node.put(key(99), &row()).await;
}

/// E04: epochs are comparable, because one counter of the store gives them all; no clock is asked.
pub(super) async fn one_counter_gives_all_epochs(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    for (at, owner) in ["ada", "bob", "ada", "nobody", "ada"].into_iter().enumerate() {
        let node = if at % 2 == 0 { &here } else { &there };
        let epoch = node.end_owner(owner, None, NOW + MINUTE).await;
        assert_eq!(epoch, at as u64 + 1, "the epoch of ending {at}, of one owner or another");
        assert_eq!((here.epoch().await, there.epoch().await), (epoch, epoch), "the store's epoch on both nodes");
    }
    here.purge_all(NOW + DAY).await;
    here.delete(key(1), LATER).await;
    assert_eq!(there.epoch().await, 5, "the store's epoch after a purge of all owners' epochs: it never falls");
    assert_eq!(there.end_owner("ada", None, LATER).await, 6, "the epoch of an ending after that purge");
}

/// E03: a login that read the epoch, then verified the old password slowly, does not survive its change.
pub(super) async fn a_login_from_before_an_ending_is_refused(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada")).await;
    let before = there.epoch().await;
    let epoch = here.end_owner("ada", Some(key(1)), LATER).await;
    here.end_owner("bob", None, LATER).await;
    let late = there.create(key(2), &row().of("ada").epoch(before).made(), from(before), NOW).await;
    assert_eq!(late, Created::OwnerEnded, "create on terms from before the owner's ending");
    assert_eq!(there.load(key(2), NOW).await, None, "a row whose create was answered OwnerEnded");
    assert_eq!(there.keys_of("ada", NOW).await, [key(1)], "owned_by, after a create was answered OwnerEnded");
    let in_time = there.create(key(2), &row().of("ada").epoch(epoch).made(), from(epoch), NOW).await;
    assert_eq!(in_time, Created::Created, "create on terms as new as the owner's ending, under the key refused before");
    let later = there.create(key(3), &row().of("ada").made(), from(epoch + 1), NOW).await;
    assert_eq!(later, Created::Created, "create on terms from after an ending of another owner");
    let other = there.create(keys_of("carol")(4), &row().of("carol").made(), from(before), NOW).await;
    assert_eq!(other, Created::Created, "create on old terms of an owner who was never ended");
}

/// E03: the terms are in the admission. What the row says it was is not asked.
pub(super) async fn the_epoch_that_counts_is_that_of_the_admission(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    let epoch = node.end_owner("ada", None, LATER).await;
    let high = row().of("ada").epoch(epoch + 10).made();
    let refused = node.create(key(1), &high, from(epoch - 1), NOW).await;
    assert_eq!(refused, Created::OwnerEnded, "create on old terms of a row with a high epoch");
    let low = row().of("ada").epoch(0).made();
    assert_eq!(node.create(key(1), &low, from(epoch), NOW).await, Created::Created, "create of a row with a low epoch");
    assert_eq!(node.load(key(1), NOW).await, Some(low), "a row is kept with the epoch that it says");
}

/// E03, E04: an ending is remembered as long as it was asked to, though the owner has no row.
pub(super) async fn an_ending_is_remembered_until_its_time(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.end_owner("ada", None, NOW + HOUR).await;
    for now in [NOW, NOW + HOUR - 1] {
        there.purge_all(now).await;
        let draft = row().of("ada").idle_until(NOW + 2 * HOUR);
        let refused = here.create(key(1), &draft.made(), ANY, now).await;
        assert_eq!(
            refused,
            Created::OwnerEnded,
            "create on old terms {} ms before the end of memory",
            NOW + HOUR - now
        );
    }
}

/// E04: each ending is remembered for its own time at least.
pub(super) async fn a_later_ending_shortens_no_memory(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    node.put(key(1), &row().of("ada")).await;
    node.end_owner("ada", None, NOW + HOUR).await;
    node.end_owner("ada", None, NOW + 1).await;
    node.end_owner("ada", None, 0).await;
    node.purge_all(NOW + HOUR - 1).await;
    let draft = row().of("ada").idle_until(NOW + 2 * HOUR).made();
    let refused = node.create(key(2), &draft, ANY, NOW + HOUR - 1).await;
    assert_eq!(refused, Created::OwnerEnded, "create on terms from before an ending that is still to be remembered");
    let exists = node.create(key(1), &draft, from(3), NOW + HOUR - 1).await;
    assert_eq!(exists, Created::Exists, "create while the tombstone of the first of three endings stands");
}

/// E03: the first sign-in of an account that is being disabled: there is no row yet, and the login is out.
pub(super) async fn an_ending_of_nobody_stops_a_login_under_way(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let before = here.epoch().await;
    there.end_owner("ada", None, LATER).await;
    let refused = here.create(key(1), &row().of("ada").made(), from(before), NOW).await;
    assert_eq!(refused, Created::OwnerEnded, "create on terms from before the end of an owner who had no row");
}

/// E04: endings are of owners; who has none is let in on any terms.
pub(super) async fn a_row_without_an_owner_is_not_asked_for_its_epoch(place: impl Place) {
    let node = Node::of(&place).await;
    node.end_owner("ada", None, LATER).await;
    assert_eq!(
        node.create(key(1), &row().made(), ANY, NOW).await,
        Created::Created,
        "create of a row without an owner"
    );
}
