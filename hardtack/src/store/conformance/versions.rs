//! `replace`: one compare-and-swap on the version, and what stays of the row before.

use super::{
    Place,
    node::Node,
    rows::{DAY, HOUR, LATER, MINUTE, NOW, key, keys_of, row},
};
use crate::store::Replaced;

/// J07: the version decides and nothing else; who lost is told, and has changed nothing.
pub(super) async fn replace_is_a_compare_and_swap(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    let mut last = here.put(key(1), &row().version(5)).await;
    for version in 5..8 {
        for wrong in [0, version - 1, version + 1, version + 100] {
            let replaced = there.replace(key(1), wrong, &row().version(wrong + 1).sealed("wrong").made(), NOW).await;
            assert_eq!(replaced, Replaced::Conflict, "replace of version {wrong} where version {version} is");
            let there_now = here.load(key(1), NOW).await;
            assert_eq!(there_now.as_ref(), Some(&last), "the row, after a replace that was answered Conflict");
        }
        let next = row().version(version + 1).sealed(format!("data {version}")).made();
        let replaced = here.replace(key(1), version, &next, NOW).await;
        assert_eq!(replaced, Replaced::Replaced, "replace of the version that is there");
        assert_eq!(there.load(key(1), NOW).await.as_ref(), Some(&next), "the row, after it was replaced");
        let again = there.replace(key(1), version, &next, NOW).await;
        assert_eq!(again, Replaced::Conflict, "the same replace again: its version is not there any more");
        last = next;
    }
}

/// J07, C05: all that the new row says holds, and nothing of the old one shows through.
pub(super) async fn a_replaced_row_is_the_new_one_whole(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let old = row().of("ada").label("a phone").sealed("a long secret of the old row");
    here.put(key(1), &old).await;
    let new = row()
        .of("ada")
        .sealed("new")
        .facts(|facts| {
            facts.version = 2;
            facts.generation = 9;
            facts.remembered = true;
            facts.created = NOW - MINUTE;
            facts.authenticated = NOW + 3;
            facts.renewed = NOW + 4;
            facts.absolute_deadline = NOW + 3 * DAY;
        })
        .seen(NOW + 5)
        .idle_until(NOW + 2 * HOUR);
    assert_eq!(here.replace(key(1), 1, &new.made(), NOW).await, Replaced::Replaced);
    assert_eq!(there.load(key(1), NOW).await, Some(new.made()), "a replaced row: each fact, no label, the new data");
    let labelled = new.version(3).label("a laptop").made();
    assert_eq!(there.replace(key(1), 2, &labelled, NOW).await, Replaced::Replaced);
    assert_eq!(here.load(key(1), NOW).await.as_ref(), Some(&labelled), "a row that got a label");
    assert_eq!(here.owned_by("ada", NOW).await, [(key(1), labelled)], "owned_by after a replace");
}

/// E03, E04: a request that loaded the row before an ending does not take the spared session's epoch back; and no
/// replace gives a session to somebody else.
pub(super) async fn replace_keeps_the_owner_and_the_epoch(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada")).await;
    let epoch = there.end_owner("ada", Some(key(1)), LATER).await;
    let stale = row().of("ada").epoch(0).version(2).sealed("written by a slow request").made();
    assert_eq!(here.replace(key(1), 1, &stale, NOW).await, Replaced::Replaced, "replace: an ending left the version");
    let expected = stale.with_epoch(epoch);
    assert_eq!(there.load(key(1), NOW).await, Some(expected), "replace by a row of an older epoch: the epoch stays");
    for (version, other) in [(2, row().of("bob")), (3, row())] {
        let other = other.epoch(epoch + 7).version(version + 1).made();
        assert_eq!(there.replace(key(1), version, &other, NOW).await, Replaced::Replaced);
        let Some(loaded) = here.load(key(1), NOW).await else { panic!("a row is gone after its replace") };
        assert_eq!(loaded.owner(), Some("ada"), "replace by a row of {:?}: the owner stays", other.owner());
        assert_eq!(loaded.facts().epoch, epoch, "replace by a row of a higher epoch: the epoch stays");
        assert_eq!(here.keys_of("ada", NOW).await, [key(1)], "owned_by, after a replace by another owner's row");
        assert_eq!(here.keys_of("bob", NOW).await, [], "owned_by of the owner whom a replace named");
    }
}

/// D06: a write that was decided before a touch does not take the touch back, and the other way round.
pub(super) async fn replace_keeps_the_later_use(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    let new = row().version(2);
    for (at, seen, idle) in [(1, 0, 0), (2, 9, 0), (3, 0, 9), (4, 9, 9)] {
        here.put(key(at), &row()).await;
        there.touch(key(at), NOW + 5, NOW + HOUR + 5).await;
        let new = new.clone().seen(NOW + seen).idle_until(NOW + HOUR + idle).made();
        assert_eq!(here.replace(key(at), 1, &new, NOW).await, Replaced::Replaced, "replace after a touch");
        let expected = row().version(2).seen(NOW + seen.max(5)).idle_until(NOW + HOUR + idle.max(5)).made();
        let loaded = there.load(key(at), NOW).await;
        assert_eq!(loaded, Some(expected), "after a touch and a replace: the later use and the later idle deadline");
    }
}

/// D08, E07: an expired session does not come back by a write, however long the new row would live.
pub(super) async fn replace_asks_the_row_that_is_there_for_its_expiry(place: impl Place) {
    let node = Node::of(&place).await;
    node.put(key(1), &row().idle_until(NOW + MINUTE)).await;
    let fresh = row().version(2).idle_until(NOW + DAY).made();
    assert_eq!(node.replace(key(1), 1, &fresh, NOW + MINUTE).await, Replaced::Gone, "replace of an expired row");
    for version in [0, 2] {
        let replaced = node.replace(key(1), version, &fresh, NOW + MINUTE).await;
        assert_eq!(replaced, Replaced::Gone, "replace of an expired row by a wrong version: it is Gone, no Conflict");
    }
    let replaced = node.replace(key(1), 1, &fresh, NOW + MINUTE - 1).await;
    assert_eq!(replaced, Replaced::Replaced, "replace one millisecond before the deadline");
    assert_eq!(node.load(key(1), NOW + HOUR).await, Some(fresh), "a row whose deadline moved by a replace");
}

/// D02: a shorter absolute deadline, when "remember me" is taken back for example, holds at once.
pub(super) async fn a_row_may_be_replaced_by_a_shorter_lived_one(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada").until(NOW + DAY).idle_until(NOW + DAY)).await;
    let shorter = row().of("ada").version(2).until(NOW + HOUR).idle_until(NOW + HOUR).made();
    assert_eq!(here.replace(key(1), 1, &shorter, NOW).await, Replaced::Replaced);
    assert!(there.load(key(1), NOW + HOUR - 1).await.is_some(), "load before the new absolute deadline");
    assert_eq!(there.load(key(1), NOW + HOUR).await, None, "load at the new absolute deadline");
    assert_eq!(there.keys_of("ada", NOW + HOUR).await, [], "owned_by at the new absolute deadline");
    there.touch(key(1), NOW + HOUR, NOW + DAY).await;
    assert_eq!(here.load(key(1), NOW + HOUR).await, None, "a touch moved the new absolute deadline");
    here.purge_all(NOW + HOUR).await;
    assert_eq!(here.all().await, [], "what a purge at the new absolute deadline left");
}
