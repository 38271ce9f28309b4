//! Futures that are dropped half-way: a client goes, a deadline passes, a task is ended. What the call was
//! doing happens whole or not at all, at once or a little later, and nothing stays locked.
//!
//! Every call is dropped after 0, 1, 2, … polls, until it answers before that.

use super::{
    Place,
    node::{Node, crowd, dropped_after},
    rows::{ANY, HOUR, LATER, MINUTE, NOW, admission, keys_of, row},
};
use crate::store::{Beyond::Refuse, Created, Replaced, Row, Store, StoreKey};

/// A call that was not done after so many polls is dropped no later.
const POLLS: usize = 24;

/// Fault 35: the row is there or not; it counts or not; and a delete is the end of it.
pub(super) async fn a_dropped_create_is_whole(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let terms = admission(0, 30, Refuse);
    let mut keys = Vec::new();
    for polls in 0..POLLS {
        let (at, made) = (key(polls as u64), row().of("ada").label("a phone").sealed("data").made());
        let done = dropped_after(polls, here.store().create(at, made.clone(), terms, NOW)).await;
        keys.push(at);
        for node in [&here, &there] {
            let found = node.load(at, NOW).await;
            assert!(
                found.is_none() || found.as_ref() == Some(&made),
                "create, dropped after {polls} polls, left {found:?}"
            );
        }
        there.put(keys_of("bob")(1_000 + polls as u64), &row().of("bob")).await;
        if done.is_some() {
            break;
        }
    }
    for at in keys {
        here.delete(at, LATER).await;
        there.assert_gone(at, "ada", "after a create that was dropped, and then a delete").await;
    }
    for at in 0..30 {
        let created = there.create(key(2_000 + at), &row().of("ada").made(), terms, NOW).await;
        assert_eq!(created, Created::Created, "create {at} of 30 allowed: a create that was dropped is still counted");
    }
}

/// Fault 35, J07: the row is the old one or the new one, and the next replace finds out which.
pub(super) async fn a_dropped_replace_is_whole(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let old = row().of("ada").label("old").sealed("old data").made();
    let new = row().of("ada").version(2).label("new").sealed("new").idle_until(NOW + 2 * HOUR).made();
    for polls in 0..POLLS {
        let at = key(polls as u64);
        assert_eq!(here.create(at, &old, ANY, NOW).await, Created::Created);
        let done = dropped_after(polls, here.store().replace(at, 1, new.clone(), NOW)).await;
        let found = there.load(at, NOW).await;
        let whole = found.as_ref() == Some(&old) || found.as_ref() == Some(&new);
        assert!(whole, "replace, dropped after {polls} polls, left {found:?}");
        let mut tries = 0..10;
        loop {
            assert!(tries.next().is_some(), "replace, after one that was dropped: 10 times a Conflict, beside nobody");
            let Some(found) = there.load(at, NOW).await else {
                panic!("a row is gone after a replace that was dropped")
            };
            let version = found.facts().version;
            let last = row().of("ada").version(version + 1).sealed("last").made();
            if there.replace(at, version, &last, NOW).await == Replaced::Replaced {
                break;
            }
        }
        there.delete(at, LATER).await;
        here.assert_gone(at, "ada", "after a replace that was dropped, and then a delete").await;
        if done.is_some() {
            break;
        }
    }
}

/// Fault 35, D06: both times or neither.
pub(super) async fn a_dropped_touch_is_whole(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    for polls in 0..POLLS {
        let at = key(polls as u64);
        here.put(at, &row().of("ada")).await;
        let done = dropped_after(polls, here.store().touch(at, NOW + 5, NOW + 2 * HOUR)).await;
        let found = there.load(at, NOW).await;
        let (old, new) = (row().of("ada").made(), row().of("ada").seen(NOW + 5).idle_until(NOW + 2 * HOUR).made());
        let whole = found.as_ref() == Some(&old) || found.as_ref() == Some(&new);
        assert!(whole, "touch, dropped after {polls} polls, left {found:?}");
        there.touch(at, NOW + 6, NOW + 3 * HOUR).await;
        let latest = row().of("ada").seen(NOW + 6).idle_until(NOW + 3 * HOUR).made();
        assert_eq!(here.load(at, NOW).await, Some(latest), "a touch after one that was dropped");
        there.delete(at, LATER).await;
        here.assert_gone(at, "ada", "after a touch that was dropped, and then a delete").await;
        if done.is_some() {
            break;
        }
    }
}

/// Fault 35, E07: the row is there, or the tombstone is; and a second delete is answered.
pub(super) async fn a_dropped_delete_is_whole(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    for polls in 0..POLLS {
        let at = key(polls as u64);
        let made = here.put(at, &row().of("ada")).await;
        let done = dropped_after(polls, here.store().delete(at, LATER)).await;
        match there.load(at, NOW).await {
            None => there.assert_gone(at, "ada", "after a delete that was dropped and had its effect").await,
            found => assert_eq!(found, Some(made), "the row, after a delete that was dropped and had no effect"),
        }
        there.delete(at, LATER).await;
        here.assert_gone(at, "ada", "after a delete that was dropped, and another").await;
        if done.is_some() {
            break;
        }
    }
}

/// Fault 35, E04: all of the owner's rows and his epoch, or nothing.
pub(super) async fn a_dropped_ending_is_whole(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    for polls in 0..POLLS {
        let owner = format!("owner {polls}");
        let key = keys_of(&owner);
        let keys: Vec<_> = (0..10).map(|at| key(polls as u64 * 100 + at)).collect();
        for at in &keys {
            here.put(*at, &row().of(&owner)).await;
        }
        let before = here.epoch().await;
        let done = dropped_after(polls, here.store().end_owner(&owner, Some(keys[0]), LATER)).await;
        let left = settled(&there, &owner, &keys).await;
        assert!(
            left == 1 || left == 10,
            "end_owner, dropped after {polls} polls, left {left} of 10 rows, 1 to be spared"
        );
        if left == 1 {
            let terms = crate::store::Admission { epoch: before, limit: None };
            let late = there.create(key(polls as u64 * 100 + 50), &row().of(&owner).made(), terms, NOW).await;
            assert_eq!(
                late,
                Created::OwnerEnded,
                "create on old terms, after an ending that was dropped and had its effect"
            );
            let spared = there.load(keys[0], NOW).await.map(|row| row.facts().epoch);
            assert!(
                spared > Some(before),
                "the epoch of the row that a dropped ending spared: {spared:?}, and {before} before"
            );
        }
        there.end_owner(&owner, None, LATER).await;
        for at in keys {
            here.assert_gone(at, &owner, "after an ending that was dropped, and another").await;
        }
        if done.is_some() {
            break;
        }
    }
}

/// How many of the rows are left when two looks at them agree.
async fn settled<S: Store>(node: &Node<S>, owner: &str, keys: &[StoreKey]) -> usize {
    for _ in 0..1_000 {
        let mut loaded = 0;
        for key in keys {
            loaded += usize::from(node.load(*key, NOW).await.is_some());
        }
        if loaded == node.owned_by(owner, NOW).await.len() {
            return loaded;
        }
        tokio::task::yield_now().await;
    }
    panic!("owned_by and load do not agree after a call that was dropped, however often they are asked");
}

/// Fault 35, fault 38: a purge that is interrupted has taken some of what is over, and nothing else.
pub(super) async fn a_dropped_purge_takes_nothing_alive(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    for polls in 0..POLLS {
        let (alive, over) = (keys_of("ada")(polls as u64 * 100), polls as u64 * 100 + 1..polls as u64 * 100 + 20);
        let made = here.put(alive, &row().of("ada")).await;
        for at in over.clone() {
            here.put(keys_of("bob")(at), &row().of("bob").idle_until(NOW + MINUTE)).await;
        }
        let done = dropped_after(polls, here.store().purge(NOW + MINUTE, 10)).await;
        assert_eq!(there.load(alive, NOW).await, Some(made), "a live row, after a purge that was dropped");
        // What the dropped purge still holds in its store, others leave to it.
        let mut left = 0;
        for _ in 0..1_000 {
            there.purge_all(NOW + MINUTE).await;
            left = there.all().await.len();
            if left == polls + 1 {
                break;
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(left, polls + 1, "rows after a purge that was dropped and others that were not");
        assert_eq!(there.keys_of("bob", NOW).await, [], "owned_by, after a purge that was dropped");
        if done.is_some() {
            break;
        }
    }
}

/// Fault 35: who asks and leaves before the answer holds nobody up.
pub(super) async fn dropped_questions_hold_nothing(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let made = here.put(key(1), &row().of("ada")).await;
    for polls in 0..POLLS {
        let mut done = dropped_after(polls, here.store().load(key(1), NOW)).await.is_some();
        done &= dropped_after(polls, here.store().owned_by("ada", NOW)).await.is_some();
        done &= dropped_after(polls, here.store().epoch()).await.is_some();
        done &= dropped_after(polls, here.store().scan(None, 10)).await.is_some();
        for node in [&here, &there] {
            node.touch(key(1), NOW, NOW + HOUR).await;
            assert_eq!(node.load(key(1), NOW).await.as_ref(), Some(&made), "load, after questions that were dropped");
            assert_eq!(node.keys_of("ada", NOW).await, [key(1)], "owned_by, after questions that were dropped");
            node.put(key(2), &row().of("ada")).await;
            node.delete(key(2), 0).await;
            node.purge_all(NOW).await;
        }
        if done {
            break;
        }
    }
}

/// Fault 35: 300 callers of all kinds who leave at any time; who stays is served, and every row is whole.
pub(super) async fn a_crowd_that_leaves_locks_nobody_out(place: impl Place) {
    let key = keys_of("ada");
    let nodes = Node::two(&place).await;
    let draft = |version: u64| row().of("ada").version(version).sealed(version.to_string().repeat(100));
    for at in 0..10 {
        nodes[0].put(key(at), &draft(0)).await;
    }
    crowd(300, |caller| {
        let node = nodes[caller % 2].clone();
        async move {
            let (at, polls, store) = (key(caller as u64 % 10), caller / 10 % 5, node.store());
            let version = caller as u64 / 60;
            match caller % 7 {
                0 => _ = dropped_after(polls, store.load(at, NOW)).await,
                1 | 2 => _ = dropped_after(polls, store.replace(at, version, draft(version + 1).made(), NOW)).await,
                3 => _ = dropped_after(polls, store.touch(at, NOW + version, NOW + HOUR + version)).await,
                4 => _ = dropped_after(polls, store.create(at, draft(9).made(), ANY, NOW)).await,
                5 => _ = dropped_after(polls, store.owned_by("ada", NOW)).await,
                _ => _ = dropped_after(polls, store.purge(NOW, 5)).await,
            }
        }
    })
    .await;
    for at in 0..10 {
        let Some(found) = nodes[1].load(key(at), NOW).await else { panic!("a row is gone that nobody deleted") };
        let expected: Row = draft(found.facts().version).made();
        let whole = found.sealed() == expected.sealed() && found.owner() == expected.owner();
        assert!(whole, "a crowd of callers who left made a row of two versions: {found:?}");
    }
    nodes[0].end_owner("ada", None, LATER).await;
    for at in 0..10 {
        nodes[1].assert_gone(key(at), "ada", "after a crowd that left, and an ending").await;
    }
}
