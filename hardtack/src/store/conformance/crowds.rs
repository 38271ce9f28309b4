//! Many callers at once, on two nodes: each call is one step, whoever comes between.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use tokio::task::yield_now;

use super::{
    Place,
    node::{Node, crowd},
    rows::{ANY, DAY, HOUR, LATER, NOW, admission, key, keys_of, row},
};
use crate::store::{
    Admission,
    Beyond::{self, EndOldest, Refuse},
    Created, Replaced, Store,
};

/// How often a race is run, with everything new.
const ROUNDS: u64 = 20;

async fn two<P: Place>(place: &P) -> impl Fn(usize) -> Node<P::Store> {
    let nodes = Node::two(place).await;
    move |caller| nodes[caller % 2].clone()
}

/// C08: one of many is told that it created the row, and its row it is.
pub(super) async fn one_key_is_created_once(place: impl Place) {
    let key = keys_of("ada");
    let node = two(&place).await;
    for round in 0..ROUNDS {
        let answers = crowd(20, |caller| {
            let (node, made) = (node(caller), row().of("ada").sealed(vec![caller as u8]).made());
            async move { node.create(key(round), &made, ANY, NOW).await }
        })
        .await;
        let winners: Vec<_> = (0..20).filter(|caller| answers[*caller] == Created::Created).collect();
        assert_eq!(winners.len(), 1, "of 20 creates of one key at once, so many were answered Created");
        let Some(loaded) = node(1).load(key(round), NOW).await else { panic!("nobody's row is there") };
        assert_eq!(loaded.sealed(), [winners[0] as u8], "the row that is there is the one that was answered Created");
        let others = answers.iter().filter(|answer| **answer == Created::Exists).count();
        assert_eq!(others, 19, "the others are answered Exists: {answers:?}");
    }
}

/// J07: one version is replaced once; the others are told, so that they load again.
pub(super) async fn one_version_is_replaced_once(place: impl Place) {
    let node = two(&place).await;
    node(0).put(key(1), &row()).await;
    for version in 1..=ROUNDS {
        let answers = crowd(20, |caller| {
            let (node, made) = (node(caller), row().version(version + 1).sealed(vec![caller as u8]).made());
            async move { node.replace(key(1), version, &made, NOW).await }
        })
        .await;
        let winners: Vec<_> = (0..20).filter(|caller| answers[*caller] == Replaced::Replaced).collect();
        assert_eq!(winners.len(), 1, "of 20 replaces of one version at once, so many were answered Replaced");
        let Some(loaded) = node(1).load(key(1), NOW).await else { panic!("a row is gone after its replace") };
        assert_eq!(loaded.sealed(), [winners[0] as u8], "the row that is there is the one that was answered Replaced");
        assert!(!answers.contains(&Replaced::Gone), "the others are answered Conflict: {answers:?}");
    }
}

/// J07: load, change, replace, and again on a conflict: nobody's change is lost.
pub(super) async fn no_replaced_version_is_lost(place: impl Place) {
    const CALLERS: usize = 8;
    const EACH: u64 = 25;
    let node = two(&place).await;
    node(0).put(key(1), &row().version(0).sealed(0_u64.to_be_bytes())).await;
    crowd(CALLERS, |caller| {
        let node = node(caller);
        async move {
            for _ in 0..EACH {
                for tries in 1.. {
                    // Somebody else's success is behind each failure.
                    assert!(
                        tries <= CALLERS as u64 * EACH,
                        "a replace of the version that was just loaded never succeeds"
                    );
                    let Some(found) = node.load(key(1), NOW).await else { panic!("a row is gone between replaces") };
                    let version = found.facts().version;
                    assert_eq!(found.sealed(), version.to_be_bytes(), "a row has the data of another version");
                    let next = row().version(version + 1).sealed((version + 1).to_be_bytes()).made();
                    if node.replace(key(1), version, &next, NOW).await == Replaced::Replaced {
                        break;
                    }
                }
            }
        }
    })
    .await;
    let Some(found) = node(1).load(key(1), NOW).await else { panic!("a row is gone after its replaces") };
    assert_eq!(found.facts().version, CALLERS as u64 * EACH, "the version, after so many successful replaces");
}

/// D06, J07: neither takes the other's word back.
pub(super) async fn touches_and_replaces_lose_nothing(place: impl Place) {
    let key = keys_of("ada");
    const TIMES: u64 = 50;
    let node = two(&place).await;
    for round in 0..ROUNDS / 4 {
        let at = key(round);
        node(0).put(at, &row().of("ada").version(0)).await;
        crowd(6, |caller| {
            let node = node(caller / 2);
            async move {
                for time in 1..=TIMES {
                    if caller % 2 == 0 {
                        node.touch(at, NOW + time * 10 + caller as u64, NOW + HOUR + time * 10 + caller as u64).await;
                    } else if caller == 1 {
                        let next = row().of("ada").version(time).made();
                        let replaced = node.replace(at, time - 1, &next, NOW).await;
                        assert_eq!(replaced, Replaced::Replaced, "replace by the only writer, beside touches");
                    }
                }
            }
        })
        .await;
        let last = TIMES * 10 + 4;
        let expected = row().of("ada").version(TIMES).seen(NOW + last).idle_until(NOW + HOUR + last).made();
        let found = node(1).load(at, NOW).await;
        assert_eq!(found, Some(expected), "after touches and replaces at once: the last version and the latest use");
    }
}

/// E07: whatever was under way when a session ended, it is over when the delete answers.
pub(super) async fn a_delete_wins_over_everything(place: impl Place) {
    let key = keys_of("ada");
    let node = two(&place).await;
    for round in 0..ROUNDS {
        let (at, ended) = (key(round), Arc::new(AtomicBool::new(false)));
        node(0).put(at, &row().of("ada").version(0)).await;
        crowd(12, |caller| {
            let (node, ended) = (node(caller / 4), ended.clone());
            async move {
                for time in 0..10 {
                    if caller == 11 && time == round % 5 {
                        node.delete(at, LATER).await;
                        ended.store(true, Relaxed);
                    }
                    let was_ended = ended.load(Relaxed);
                    match caller % 4 {
                        0 => _ = node.replace(at, time, &row().of("ada").version(time + 1).made(), NOW).await,
                        1 => node.touch(at, NOW + time, NOW + HOUR + time).await,
                        2 => _ = node.create(at, &row().of("ada").made(), ANY, NOW).await,
                        _ => {
                            let found = node.load(at, NOW).await;
                            assert!(found.is_none() || !was_ended, "load gives a row after its delete was answered");
                        }
                    }
                }
            }
        })
        .await;
        assert_eq!(node(1).load(at, NOW).await, None, "a row came back, by a call that ran beside its delete (E07)");
        assert_eq!(node(0).keys_of("ada", NOW).await, [], "owned_by lists a row that was deleted amid other calls");
    }
}

/// E01: one of many is told that it ended the session.
pub(super) async fn a_row_is_deleted_once(place: impl Place) {
    let node = two(&place).await;
    for round in 0..ROUNDS {
        node(0).put(key(round), &row()).await;
        let answers = crowd(10, |caller| {
            let node = node(caller);
            async move { node.delete(key(round), LATER).await }
        })
        .await;
        let there = answers.iter().filter(|there| **there).count();
        assert_eq!(there, 1, "of 10 deletes of one row at once, so many were told that there was one");
    }
}

/// E03, E04: fifty sign-ins with the old password, and its change.
pub(super) async fn nothing_from_before_an_ending_is_alive_after_it(place: impl Place) {
    let node = two(&place).await;
    for round in 0..ROUNDS {
        let owner = if round % 2 == 0 { "ada" } else { "bob" };
        let key = keys_of(owner);
        let before = node(0).epoch().await;
        let terms = Admission { epoch: before, limit: None };
        let answers = crowd(51, |caller| {
            let (node, at) = (node(caller), key(round * 100 + caller as u64));
            async move {
                if caller == 25 {
                    node.end_owner(owner, None, LATER).await;
                    return Created::Exists;
                }
                node.create(at, &row().of(owner).epoch(before).made(), terms, NOW).await
            }
        })
        .await;
        let alive = node(1).owned_by(owner, NOW).await;
        assert!(alive.is_empty(), "{} rows from before an ending are alive after it: {answers:?}", alive.len());
        for caller in (0..51).filter(|caller| *caller != 25) {
            let answer = answers[caller];
            assert!(matches!(answer, Created::Created | Created::OwnerEnded), "a create beside an ending: {answer:?}");
            let found = node(0).load(key(round * 100 + caller as u64), NOW).await;
            assert_eq!(found, None, "load of a row from before an ending");
        }
        let late = node(0).create(key(round * 100 + 60), &row().of(owner).made(), terms, NOW).await;
        assert_eq!(late, Created::OwnerEnded, "create after the ending, on terms from before it");
    }
    assert_eq!(node(0).all().await, [], "rows in a scan, after all owners were ended");
}

/// E04: no two endings share an epoch, on whatever node.
pub(super) async fn parallel_endings_give_different_epochs(place: impl Place) {
    let node = two(&place).await;
    let mut epochs = crowd(30, |caller| {
        let node = node(caller);
        async move { node.end_owner(["ada", "bob", "carol"][caller % 3], None, LATER).await }
    })
    .await;
    epochs.sort_unstable();
    assert_eq!(epochs, (1..=30).collect::<Vec<_>>(), "the epochs of 30 endings at once");
    assert_eq!(node(1).epoch().await, 30, "the store's epoch after them");
}

/// E06: fifty sign-ins at once, three let in.
pub(super) async fn fifty_logins_hold_a_limit_that_refuses(place: impl Place) {
    let node = two(&place).await;
    for round in 0..ROUNDS / 2 {
        let answers = fifty_logins(&node, round, Refuse).await;
        let let_in = answers.iter().filter(|answer| **answer == Created::Created).count();
        assert_eq!(let_in, 3, "of 50 creates at once, with a limit of 3: {answers:?}");
        let refused = answers.iter().filter(|answer| **answer == Created::LimitReached).count();
        assert_eq!(refused, 47, "the others are answered LimitReached: {answers:?}");
    }
}

/// E06: fifty sign-ins at once, all let in, three left.
pub(super) async fn fifty_logins_hold_a_limit_that_ends_the_oldest(place: impl Place) {
    let node = two(&place).await;
    for round in 0..ROUNDS / 2 {
        let answers = fifty_logins(&node, round, EndOldest).await;
        let let_in = answers.iter().filter(|answer| **answer == Created::Created).count();
        assert_eq!(let_in, 50, "creates that were let in, where the oldest ends: {answers:?}");
    }
}

async fn fifty_logins<S: Store>(node: &impl Fn(usize) -> Node<S>, round: u64, beyond: Beyond) -> Vec<Created> {
    let owner: Arc<str> = format!("owner {round}").into();
    let key = keys_of(&owner);
    let answers = crowd(50, |caller| {
        let (node, owner) = (node(caller), owner.clone());
        let made = row().of(&owner).created(NOW + caller as u64 % 7).made();
        async move { node.create(key(round * 100 + caller as u64), &made, admission(0, 3, beyond), NOW).await }
    })
    .await;
    let alive = node(0).owned_by(&owner, NOW).await.len();
    assert_eq!(alive, 3, "live rows after 50 creates at once with a limit of 3 ({beyond:?}): {answers:?}");
    let mut loaded = 0;
    for caller in 0..50 {
        loaded += usize::from(node(1).load(key(round * 100 + caller), NOW).await.is_some());
    }
    assert_eq!(loaded, 3, "rows that load, after 50 creates at once with a limit of 3 ({beyond:?})");
    answers
}

/// J07: no reader sees half of a write.
pub(super) async fn readers_see_whole_rows(place: impl Place) {
    let key = keys_of("ada");
    const LAST: u64 = 100;
    let node = two(&place).await;
    let draft = |version: u64| {
        let text = version.to_string();
        row().of("ada").version(version).label(&text).sealed(text.repeat(1_000)).facts(|facts| {
            (facts.generation, facts.renewed) = (version as u32, version);
            facts.absolute_deadline = NOW + DAY + version;
        })
    };
    node(0).put(key(1), &draft(0)).await;
    crowd(6, |caller| {
        let node = node(caller);
        async move {
            if caller == 0 {
                for version in 0..LAST {
                    let replaced = node.replace(key(1), version, &draft(version + 1).made(), NOW).await;
                    assert_eq!(replaced, Replaced::Replaced, "replace by the only writer");
                }
                return;
            }
            let (mut newest, mut reads) = (0, 0);
            while newest < LAST && reads < 10_000 {
                let found = match caller {
                    1 => node.scan(None, 10).await.pop().map(|(_, row)| row),
                    2 => node.owned_by("ada", NOW).await.pop().map(|(_, row)| row),
                    _ => node.load(key(1), NOW).await,
                };
                let Some(found) = found else { panic!("a reader does not see a row that is being replaced") };
                let version = found.facts().version;
                assert!(found == draft(version).made(), "a reader sees parts of two versions");
                assert!(version >= newest, "a reader sees version {version} after version {newest}");
                (newest, reads) = (version, reads + 1);
                // The writer has a turn also where a store never waits.
                yield_now().await;
            }
        }
    })
    .await;
}

/// Fault 38: each node purges, and the sum of what they say is what went.
pub(super) async fn two_purges_do_not_disturb_each_other(place: impl Place) {
    let key = keys_of("ada");
    let node = two(&place).await;
    for round in 0..5 {
        crowd(20, |caller| {
            let node = node(caller);
            async move {
                for at in 0..15 {
                    let number = round * 1_000 + caller as u64 * 15 + at;
                    let idle = if number.is_multiple_of(3) { NOW + DAY } else { NOW + 1 };
                    node.put(key(number), &row().of("ada").idle_until(idle)).await;
                }
            }
        })
        .await;
        let purged = crowd(8, |caller| {
            let node = node(caller);
            async move {
                let mut purged = 0;
                while purged < 200 {
                    match node.purge(NOW + HOUR, 13).await {
                        0 => break,
                        some if some > 13 => panic!("purge with a limit of 13 answered {some}"),
                        some => purged += some,
                    }
                }
                purged
            }
        })
        .await;
        let more = node(0).purge_all(NOW + HOUR).await;
        assert_eq!(purged.iter().sum::<usize>() + more, 200, "rows that 8 purges at once say they took");
        assert_eq!(node(1).all().await.len() as u64, (round + 1) * 100, "live rows after 8 purges at once");
    }
}
