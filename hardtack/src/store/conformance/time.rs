//! Time comes from the caller: deadlines to the millisecond, the ends of time, clocks that differ.

use super::{
    Place,
    node::Node,
    rows::{ANY, DAY, HOUR, LAST, LATER, MINUTE, NOW, keys_of, row},
};
use crate::store::{Created, Replaced};

/// D01, D07, D08: `now == deadline` is expired, for every call that takes a time.
pub(super) async fn a_deadline_that_is_now_has_passed(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    let over = NOW + HOUR + 500;
    let made = node.put(key(1), &row().of("ada").idle_until(over)).await;
    for (now, alive) in [(over - 1, true), (over, false), (over + 1, false), (over - 1, true)] {
        let when = format!("{} ms after the deadline", now.cast_signed() - over.cast_signed());
        assert_eq!(node.load(key(1), now).await.as_ref(), alive.then_some(&made), "load {when}");
        assert_eq!(node.owned_by("ada", now).await.len(), usize::from(alive), "rows of the owner {when}");
        let replaced = node.replace(key(1), 77, &row().version(78).made(), now).await;
        let expected = if alive { Replaced::Conflict } else { Replaced::Gone };
        assert_eq!(replaced, expected, "replace of another version {when}");
    }
}

/// D01, D02: a session ends when it is idle or when it is old, whichever comes first.
pub(super) async fn the_earlier_deadline_counts(place: impl Place) {
    let node = Node::of(&place).await;
    let deadlines = [(HOUR, 2 * HOUR), (2 * HOUR, HOUR), (HOUR, HOUR), (HOUR, DAY)];
    for (at, (idle, absolute)) in (0..).zip(deadlines) {
        let owner = format!("owner {at}");
        let key = keys_of(&owner);
        node.put(key(at), &row().of(&owner).idle_until(NOW + idle).until(NOW + absolute)).await;
        let over = NOW + idle.min(absolute);
        assert!(node.load(key(at), over - 1).await.is_some(), "load before both deadlines, {idle} and {absolute} ms");
        assert_eq!(node.keys_of(&owner, over - 1).await, [key(at)], "owned_by before both deadlines");
        assert_eq!(
            node.load(key(at), over).await,
            None,
            "load at the earlier of the deadlines, {idle} and {absolute} ms"
        );
        assert_eq!(node.keys_of(&owner, over).await, [], "owned_by at the earlier of both deadlines");
    }
}

/// D07: no time overflows, is rounded, or stands for something else: 0 is an instant, and so is 2^48 − 1.
pub(super) async fn the_first_and_the_last_instant_are_times(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let early = row().of("ada").created(0).seen(0).idle_until(10).until(20).made();
    assert_eq!(here.create(key(1), &early, ANY, 0).await, Created::Created, "create at time 0");
    assert_eq!(there.load(key(1), 0).await.as_ref(), Some(&early), "load at time 0");
    assert_eq!(there.load(key(1), 9).await.as_ref(), Some(&early), "load at time 9, before the deadline");
    assert_eq!(there.load(key(1), 10).await, None, "load at time 10, the deadline");
    here.touch(key(1), 9, 15).await;
    assert!(there.load(key(1), 14).await.is_some(), "load before the deadline of a touch, in the first milliseconds");

    let late = row().of("ada").facts(|facts| {
        (facts.created, facts.authenticated, facts.renewed) = (LAST, LAST, LAST);
        facts.absolute_deadline = LAST;
    });
    let late = late.seen(LAST).idle_until(LAST).made();
    assert_eq!(here.create(key(2), &late, ANY, LAST - 1).await, Created::Created, "create near the end of time");
    assert_eq!(there.load(key(2), LAST - 1).await, Some(late), "load one millisecond before the end of time");
    assert_eq!(there.load(key(2), LAST).await, None, "load at the end of time");
    here.touch(key(2), LAST, LAST).await;
    assert_eq!(here.keys_of("ada", LAST - 1).await, [key(2)], "owned_by near the end of time");

    assert!(here.delete(key(2), LAST).await, "delete with a tombstone until the end of time");
    there.purge_all(LAST - 1).await;
    here.assert_gone(key(2), "ada", "after its delete, with a tombstone until the end of time").await;
    assert!(there.all().await.is_empty(), "what a purge near the end of time left");
    here.put(keys_of("bob")(3), &row().of("bob")).await;
    let epoch = here.end_owner("bob", None, LAST).await;
    there.purge_all(LAST - 1).await;
    let refused = there.create(keys_of("bob")(4), &row().of("bob").until(LAST).made(), ANY, LAST - 1).await;
    assert_eq!(refused, Created::OwnerEnded, "create with an epoch below {epoch}, remembered until the end of time");
    there.purge_all(LAST).await;
}

/// D02, D08: a row whose deadlines lie in the past is a row like every other that is expired.
pub(super) async fn a_row_that_is_born_expired_is_never_seen(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    let drafts = [row().until(NOW - 1), row().until(0), row().idle_until(NOW), row().idle_until(0)];
    for (at, draft) in (0..).zip(drafts) {
        node.put(key(at), &draft.of("ada")).await;
        assert_eq!(node.load(key(at), NOW).await, None, "load of a row that was created after its own deadline");
        assert_eq!(node.keys_of("ada", NOW).await, [], "owned_by of a row that was created after its own deadline");
        let again = node.create(key(at), &row().made(), ANY, NOW).await;
        assert_eq!(again, Created::Exists, "create under the key of an expired row");
        let replaced = node.replace(key(at), 1, &row().version(2).made(), NOW).await;
        assert_eq!(replaced, Replaced::Gone, "replace of an expired row");
    }
    node.purge_all(NOW).await;
    assert_eq!(node.all().await, [], "what a purge left of rows that were created after their deadline");
}

/// D07: the nodes' clocks differ by a minute and a half; what one found expired is alive for the other until it is
/// purged or deleted, and a store remembers none of their clocks.
pub(super) async fn a_caller_whose_clock_is_behind_still_sees_the_row(place: impl Place) {
    let key = keys_of("ada");
    let [ahead, behind] = Node::two(&place).await;
    let over = NOW + HOUR;
    let made = ahead.put(key(1), &row().of("ada").idle_until(over)).await;
    assert_eq!(ahead.load(key(1), over).await, None, "load at the deadline");
    assert_eq!(ahead.replace(key(1), 1, &row().version(2).made(), over).await, Replaced::Gone);
    assert_eq!(ahead.keys_of("ada", LAST).await, []);
    let slow = over - 90_000;
    assert_eq!(behind.load(key(1), slow).await, Some(made), "load by a clock that is 90 s behind, after others read");
    behind.touch(key(1), slow, slow + HOUR).await;
    assert!(ahead.load(key(1), over).await.is_some(), "the node that is ahead, after the other touched the row");
    behind.delete(key(1), LATER).await;
    ahead.assert_gone(key(1), "ada", "after a delete by the node that is behind").await;
    assert!(ahead.load(key(1), NOW - MINUTE).await.is_none(), "a deleted row, by a clock that was set back");
}
