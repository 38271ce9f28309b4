//! `purge`: space comes back in steps that are bounded, and nothing else depends on it.

use super::{
    Place,
    node::{Node, crowd},
    rows::{ANY, DAY, HOUR, MINUTE, NOW, key, keys_of, neighbour_of, row},
};
use crate::store::{Created, Replaced};

/// Fault 38: a step is as small as it was asked to be, and its answer is true.
pub(super) async fn a_purge_takes_no_more_than_its_limit(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    for at in 0..25 {
        here.put(key(at), &row().of("ada").idle_until(NOW + MINUTE + at)).await;
    }
    let over = NOW + HOUR;
    assert_eq!(here.purge(over, 0).await, 0, "purge with a limit of 0");
    let mut left = 25;
    while left > 0 {
        let purged = there.purge(over, 7).await;
        assert!(
            (1..=7).contains(&purged),
            "purge with a limit of 7 answered {purged}, and {left} expired rows are there"
        );
        assert!(purged <= left, "purge says that it took {purged}, and there were only {left}");
        left -= purged;
        assert_eq!(here.all().await.len(), left, "rows that are left after a purge answered {purged}");
    }
    assert_eq!(here.purge(over, 7).await, 0, "purge when nothing is over");
}

/// D08: to the millisecond.
pub(super) async fn a_purge_takes_what_is_over_and_nothing_else(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    let at_idle = |idle| row().of("ada").idle_until(idle);
    here.put(key(1), &at_idle(NOW + HOUR)).await;
    here.put(key(2), &at_idle(NOW + HOUR + 1)).await;
    here.put(key(3), &at_idle(NOW + HOUR).until(NOW + MINUTE)).await;
    here.put(key(4), &at_idle(NOW + 2 * HOUR).until(NOW + HOUR + 1)).await;
    here.put(key(5), &row().until(NOW + DAY).idle_until(NOW + DAY)).await;
    for (now, left) in [
        (0, vec![1, 2, 3, 4, 5]),
        (NOW + MINUTE - 1, vec![1, 2, 3, 4, 5]),
        (NOW + MINUTE, vec![1, 2, 4, 5]),
        (NOW + HOUR - 1, vec![1, 2, 4, 5]),
        (NOW + HOUR, vec![2, 4, 5]),
        (NOW + HOUR + 1, vec![5]),
        (NOW + DAY - 1, vec![5]),
        (NOW + DAY, vec![]),
    ] {
        there.purge_all(now).await;
        let mut expected: Vec<_> = left.into_iter().map(key).collect();
        expected.sort_unstable();
        let found: Vec<_> = here.all().await.into_iter().map(|(key, _)| key).collect();
        assert_eq!(
            found,
            expected,
            "rows that are left after a purge {} ms after their creation",
            now.saturating_sub(NOW)
        );
    }
}

/// D01, D08: a session that is in use is not taken from under its user.
pub(super) async fn a_touched_row_outlives_its_first_deadline(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada").idle_until(NOW + HOUR)).await;
    here.put(key(2), &row().of("ada").idle_until(NOW + HOUR)).await;
    for hours in 1..5 {
        here.touch(key(1), NOW + hours * HOUR - MINUTE, NOW + (hours + 1) * HOUR).await;
        there.purge_all(NOW + hours * HOUR).await;
        assert!(
            here.load(key(1), NOW + hours * HOUR).await.is_some(),
            "a purge took a row whose deadline a touch had moved"
        );
        assert_eq!(here.load(key(2), NOW).await, None, "a purge left the row beside it, which nobody touched");
    }
    there.purge_all(NOW + 5 * HOUR).await;
    assert_eq!(here.all().await, [], "a purge at the last deadline left a row that was touched often");
}

/// D02, D08: the deadline that counts is that of the row that is there.
pub(super) async fn a_replaced_row_has_the_deadline_of_the_new_one(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().idle_until(NOW + HOUR).until(NOW + HOUR)).await;
    here.put(key(2), &row().idle_until(NOW + DAY).until(NOW + DAY)).await;
    let longer = row().version(2).idle_until(NOW + DAY).until(NOW + DAY).made();
    let shorter = row().version(2).idle_until(NOW + HOUR).until(NOW + HOUR).made();
    assert_eq!(here.replace(key(1), 1, &longer, NOW).await, Replaced::Replaced);
    assert_eq!(here.replace(key(2), 1, &shorter, NOW).await, Replaced::Replaced);
    there.purge_all(NOW + HOUR).await;
    assert_eq!(
        here.all().await,
        [(key(1), longer)],
        "a purge at the first row's old and the second row's new deadline"
    );
}

/// Fault 38: many thousand rows that expire together are many small steps, beside which others live.
pub(super) async fn a_purge_of_ten_thousand_rows_comes_to_its_end(place: impl Place) {
    let [here, there] = Node::two(&place).await;
    crowd(200, |caller| {
        let node = if caller % 2 == 0 { here.clone() } else { there.clone() };
        async move {
            for at in 0..50 {
                let number = caller as u64 * 50 + at;
                let owner = format!("owner {}", number % 100);
                let draft = row().of(&owner).idle_until(NOW + 1 + number % 1_000);
                node.put(keys_of(&owner)(number), &draft).await;
            }
        }
    })
    .await;
    let alive: Vec<_> = (20_000..20_010).map(keys_of("owner 1")).collect();
    for key in &alive {
        here.put(*key, &row().of("owner 1")).await;
    }
    assert_eq!(there.all().await.len(), 10_010, "rows in a scan");
    let (mut purged, mut steps) = (0, 0);
    loop {
        let step = there.purge(NOW + MINUTE, 500).await;
        assert!(step <= 500, "purge with a limit of 500 answered {step}");
        if step == 0 {
            break;
        }
        (purged, steps) = (purged + step, steps + 1);
        assert!(steps <= 10_000, "10,000 purges have not removed 10,000 rows");
        assert!(here.load(alive[0], NOW).await.is_some(), "a purge took a live row");
    }
    assert_eq!(purged, 10_000, "rows that the purges say they took");
    let mut left: Vec<_> = here.all().await.into_iter().map(|(key, _)| key).collect();
    left.sort_unstable();
    let mut alive = alive;
    alive.sort_unstable();
    assert_eq!(left, alive, "rows that are left: the live ones");
    assert_eq!(here.keys_of("owner 1", NOW).await, alive, "an owner's rows after the purge of others that he had");
}

/// C08, D08: what a purge took is absent, as if it had never been.
pub(super) async fn a_purged_key_is_free(place: impl Place) {
    let key = keys_of("ada");
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row().of("ada").version(5).idle_until(NOW + MINUTE)).await;
    there.purge_all(NOW + MINUTE).await;
    assert_eq!(here.keys_of("ada", NOW).await, [], "owned_by lists a row that was purged");
    let replaced = here.replace(key(1), 5, &row().version(6).made(), NOW).await;
    assert_eq!(replaced, Replaced::Gone, "replace of a row that was purged");
    here.touch(key(1), NOW, NOW + HOUR).await;
    assert_eq!(here.load(key(1), NOW).await, None, "load of a row that was purged, after a touch");
    let fresh = row().of(&neighbour_of("ada")).made();
    let created = there.create(key(1), &fresh, ANY, NOW + MINUTE).await;
    assert_eq!(created, Created::Created, "create under a key whose expired row was purged");
    assert_eq!(here.load(key(1), NOW + MINUTE).await, Some(fresh), "the new row under that key");
}
