//! `touch`: a session was used. It moves forward, and nothing else.

use super::{
    Place,
    node::Node,
    rows::{DAY, HOUR, LAST, MINUTE, NOW, key, keys_of, row},
};
use crate::store::Replaced;

/// D06: two requests that used a session touch it in any order, and the later use counts.
pub(super) async fn a_touch_only_moves_forward(place: impl Place) {
    let node = Node::of(&place).await;
    node.put(key(1), &row().seen(NOW).idle_until(NOW + HOUR)).await;
    let (mut seen, mut idle) = (NOW, NOW + HOUR);
    let touches = [
        (NOW + 5, NOW + HOUR + 5),
        (NOW + 3, NOW + HOUR + 3),
        (0, 0),
        (NOW + 7, NOW),
        (NOW, NOW + HOUR + 9),
        (NOW + 7, NOW + HOUR + 9),
    ];
    for (last_seen, idle_deadline) in touches {
        node.touch(key(1), last_seen, idle_deadline).await;
        (seen, idle) = (seen.max(last_seen), idle.max(idle_deadline));
        let expected = row().seen(seen).idle_until(idle).made();
        let loaded = node.load(key(1), NOW).await;
        assert_eq!(loaded, Some(expected), "after touch({last_seen}, {idle_deadline}): each time only grows");
    }
}

/// D02: no activity moves the end that was set when the session was made.
pub(super) async fn a_touch_stops_at_the_absolute_deadline(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    let until = NOW + 2 * HOUR;
    node.put(key(1), &row().of("ada").until(until)).await;
    for idle_deadline in [until + 1, LAST] {
        node.touch(key(1), NOW + HOUR, idle_deadline).await;
        let Some(loaded) = node.load(key(1), until - 1).await else { panic!("a touched row is absent in its time") };
        assert_eq!(loaded.idle_deadline(), until, "the idle deadline stops at the absolute one");
        assert_eq!(loaded.facts().absolute_deadline, until, "a touch moved the absolute deadline");
    }
    for over in [until, until + DAY] {
        node.touch(key(1), over, LAST).await;
        assert_eq!(node.load(key(1), over).await, None, "a touch brought a row over its absolute deadline");
        assert_eq!(node.keys_of("ada", over).await, [], "a touch brought a row over its absolute deadline");
    }
    node.purge_all(until).await;
    assert_eq!(node.all().await, [], "what a purge at the absolute deadline left of a touched row");
}

/// D06, J07: a touch is no write: it conflicts with nobody.
pub(super) async fn a_touch_changes_nothing_else(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    let draft = row().of("ada").label("a phone").sealed("data").version(3).epoch(0);
    node.put(key(1), &draft).await;
    let other = node.put(key(2), &draft).await;
    node.touch(key(1), NOW + MINUTE, NOW + HOUR + MINUTE).await;
    let touched = draft.seen(NOW + MINUTE).idle_until(NOW + HOUR + MINUTE);
    assert_eq!(node.load(key(1), NOW).await, Some(touched.made()), "a touched row: all but its two times is as before");
    assert_eq!(node.load(key(2), NOW).await, Some(other), "another row of the owner of a touched one");
    let next = touched.version(4).sealed("more").made();
    let replaced = node.replace(key(1), 3, &next, NOW).await;
    assert_eq!(replaced, Replaced::Replaced, "replace of the version from before a touch: a touch keeps the version");
    assert_eq!(node.load(key(1), NOW).await, Some(next), "a row that was touched and then replaced");
}

/// D06: a session that is used on one server is alive on the other.
pub(super) async fn a_touch_on_one_node_counts_on_the_other(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada").idle_until(NOW + HOUR)).await;
    assert!(there.load(key(1), NOW).await.is_some(), "a row is absent on the other node");
    for hour in 1..20 {
        let now = NOW + hour * HOUR - 1;
        here.touch(key(1), now, now + HOUR).await;
        let over = now + HOUR;
        assert!(there.load(key(1), over - 1).await.is_some(), "the other node does not see the touch, in hour {hour}");
        assert_eq!(there.keys_of("ada", over - 1).await, [key(1)], "owned_by does not see the touch, in hour {hour}");
        assert_eq!(there.load(key(1), over).await, None, "load at the idle deadline of hour {hour}");
    }
}
