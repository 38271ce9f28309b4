//! How many sessions an owner may have (E06): counted in the step that lets one more in.

use super::{
    Place,
    node::Node,
    rows::{ANY, HOUR, LATER, NOW, admission, keys_of, neighbour_of, row},
};
use crate::store::{
    Beyond::{EndOldest, Refuse},
    Created, Replaced,
};

/// E06: the fourth of three is refused and leaves no trace.
pub(super) async fn one_more_is_refused(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let terms = admission(0, 3, Refuse);
    for at in 1..=5 {
        let created = here.create(key(at), &row().of("ada").created(NOW + at).made(), terms, NOW).await;
        let expected = if at <= 3 { Created::Created } else { Created::LimitReached };
        assert_eq!(created, expected, "create of row {at} where 3 are allowed and more are refused");
    }
    assert_eq!(there.keys_of("ada", NOW).await.len(), 3, "owned_by, with a limit of 3");
    for at in [4, 5] {
        assert_eq!(there.load(key(at), NOW).await, None, "load of a row that was refused by the limit");
    }
    here.delete(key(1), LATER).await;
    let created = there.create(key(4), &row().of("ada").made(), terms, NOW).await;
    assert_eq!(created, Created::Created, "create under a key that was refused by the limit, when there is room");
}

/// E06: the fourth of three ends the session that was made first, which is not the one that was written first.
pub(super) async fn one_more_ends_the_oldest(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let terms = admission(0, 3, EndOldest);
    for (at, created) in [(1, 20), (2, 10), (3, 30)] {
        here.create(key(at), &row().of("ada").created(NOW + created).made(), terms, NOW).await;
    }
    here.touch(key(2), NOW + 9, NOW + 2 * HOUR).await;
    let used = row().of("ada").created(NOW + 10).version(2).made();
    assert_eq!(here.replace(key(2), 1, &used, NOW).await, Replaced::Replaced);
    let mut left = vec![key(1), key(3)];
    for (at, created, ended) in [(4, 40, 2), (5, 50, 1), (6, 60, 3)] {
        let answer = there.create(key(at), &row().of("ada").created(NOW + created).made(), terms, NOW).await;
        assert_eq!(answer, Created::Created, "create of one more row, where the oldest ends");
        left.push(key(at));
        left.retain(|there| *there != key(ended));
        left.sort_unstable();
        assert_eq!(here.keys_of("ada", NOW).await, left, "of three rows the one with the earliest `created` ends");
        assert_eq!(here.load(key(ended), NOW).await, None, "load of a row that was ended to make room");
        let replaced = here.replace(key(ended), 1, &row().of("ada").version(2).made(), NOW).await;
        assert_eq!(replaced, Replaced::Gone, "replace of a row that was ended to make room (E07)");
        here.touch(key(ended), NOW, NOW + HOUR).await;
        assert_eq!(here.load(key(ended), NOW).await, None, "a row that was ended to make room, after a touch");
    }
}

/// E06: a limit that was lowered holds from the next sign-in on.
pub(super) async fn a_lowered_limit_ends_as_many_as_it_must(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    for at in 1..=6 {
        node.put(key(at), &row().of("ada").created(NOW + at)).await;
    }
    let refused = node.create(key(7), &row().of("ada").created(NOW + 7).made(), admission(0, 3, Refuse), NOW).await;
    assert_eq!(refused, Created::LimitReached, "create where 6 rows are and 3 are allowed");
    assert_eq!(node.keys_of("ada", NOW).await.len(), 6, "a refusal ends nobody");
    let terms = admission(0, 3, EndOldest);
    assert_eq!(node.create(key(7), &row().of("ada").created(NOW + 7).made(), terms, NOW).await, Created::Created);
    let mut left = vec![key(5), key(6), key(7)];
    left.sort_unstable();
    assert_eq!(node.keys_of("ada", NOW).await, left, "of 6 rows the 4 oldest end, so that 3 are left with the new one");
    let terms = admission(0, 1, EndOldest);
    assert_eq!(node.create(key(8), &row().of("ada").created(NOW + 8).made(), terms, NOW).await, Created::Created);
    assert_eq!(node.keys_of("ada", NOW).await, [key(8)], "with a limit of 1 only the new row is left");
}

/// E06, D08: who was idle too long has no session, whether or not a purge has run.
pub(super) async fn expired_rows_do_not_count(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let over = NOW + HOUR;
    let expired = row().of("ada").idle_until(over);
    let live = |at| row().of("ada").created(NOW + at).idle_until(over + HOUR).made();
    for (beyond, first) in [(Refuse, 0), (EndOldest, 100)] {
        for at in 1..=3 {
            here.put(key(first + at), &expired.clone().created(NOW - at)).await;
            here.put(key(first + at + 10), &expired.clone().created(NOW + 50 + at).until(over)).await;
        }
        let terms = admission(0, 2, beyond);
        let mut alive = vec![key(first + 21), key(first + 22)];
        for at in [21, 22] {
            let created = there.create(key(first + at), &live(at), terms, over).await;
            assert_eq!(
                created,
                Created::Created,
                "create of row {at} − 20 of 2 allowed ({beyond:?}), beside expired ones"
            );
        }
        let created = there.create(key(first + 23), &live(23), terms, over).await;
        if beyond == EndOldest {
            assert_eq!(created, Created::Created, "create of a third row, where the oldest ends");
            alive = vec![key(first + 22), key(first + 23)];
        } else {
            assert_eq!(created, Created::LimitReached, "create of a third live row beside expired ones");
        }
        alive.sort_unstable();
        let found = here.keys_of("ada", over).await;
        assert_eq!(found, alive, "with a limit of 2 ({beyond:?}), beside expired rows that are older and younger");
        for key in alive {
            here.delete(key, LATER).await;
        }
    }
}

/// E06: signing out makes room, however a row came to its end.
pub(super) async fn a_removed_row_makes_room(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let terms = admission(9, 1, Refuse);
    let mut at = 0;
    let mut enters = async |how: &str| {
        at += 1;
        let created = there.create(key(at), &row().of("ada").idle_until(NOW + 10).made(), terms, NOW).await;
        assert_eq!(created, Created::Created, "create of the only row, after the one before was {how}");
        key(at)
    };
    let first = enters("not there").await;
    here.delete(first, LATER).await;
    here.delete(first, LATER).await;
    enters("deleted").await;
    here.end_owner("ada", None, LATER).await;
    let third = enters("ended").await;
    here.purge_all(NOW + 10).await;
    let fourth = enters("purged").await;
    assert_ne!(third, fourth);
    assert_eq!(here.keys_of("ada", NOW).await, [fourth], "owned_by, with a limit of 1");
    let refused = here.create(key(99), &row().of("ada").made(), terms, NOW).await;
    assert_eq!(refused, Created::LimitReached, "create of a second row, where 1 is allowed");
}

/// E06: no owner takes another's place.
pub(super) async fn each_owner_has_a_limit_of_his_own(place: impl Place) {
    let node = Node::of(&place).await;
    for (at, owner) in (0..).zip(["ada", "Ada", "ad", "ada%", "%", "ada ", "bob"]) {
        let key = keys_of(owner);
        for (more, expected) in [(0, Created::Created), (1, Created::Created), (2, Created::LimitReached)] {
            let created = node.create(key(at * 10 + more), &row().of(owner).made(), admission(0, 2, Refuse), NOW).await;
            assert_eq!(created, expected, "create of row {more} of {owner:?}, where each owner may have 2");
        }
        node.create(key(at * 10 + 5), &row().of(owner).created(NOW + 5).made(), admission(0, 1, EndOldest), NOW).await;
    }
    assert_eq!(node.all().await.len(), 7, "scan: one row of each owner is left");
}

/// E06, C08, E03: a create that is answered anything but Created has done nothing, and made no room.
pub(super) async fn a_create_that_fails_ends_nobody(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    let epoch = node.end_owner("ada", None, LATER).await;
    let terms = admission(epoch, 1, EndOldest);
    let made = row().of("ada").epoch(epoch).made();
    assert_eq!(node.create(key(1), &made, terms, NOW).await, Created::Created);
    node.delete(key(2), LATER).await;
    node.put(key(3), &row().of(&neighbour_of("ada"))).await;
    let other = row().of("ada").created(NOW + 1).made();
    for at in 1..=3 {
        let created = node.create(key(at), &other, terms, NOW).await;
        assert_eq!(
            created,
            Created::Exists,
            "create under a key that is taken, by a row, a tombstone or another's row"
        );
    }
    for beyond in [EndOldest, Refuse] {
        let created = node.create(key(4), &other, admission(epoch - 1, 1, beyond), NOW).await;
        assert_eq!(
            created,
            Created::OwnerEnded,
            "create beyond the limit ({beyond:?}), on terms from before an ending"
        );
    }
    assert_eq!(node.owned_by("ada", NOW).await, [(key(1), made)], "the owner's row, after creates that did nothing");
}

/// E06: visitors who are nobody are not counted together.
pub(super) async fn a_row_without_an_owner_has_no_limit(place: impl Place) {
    let key = keys_of("ada");
    let node = Node::of(&place).await;
    for (at, beyond) in (0..).zip([Refuse, EndOldest, Refuse, EndOldest]) {
        let created = node.create(key(at), &row().made(), admission(0, 1, beyond), NOW).await;
        assert_eq!(created, Created::Created, "create of a row without an owner, on terms with a limit of 1");
    }
    assert_eq!(node.create(key(9), &row().of("ada").made(), ANY, NOW).await, Created::Created);
    assert_eq!(node.all().await.len(), 5, "scan after 4 rows without an owner and one with");
}
