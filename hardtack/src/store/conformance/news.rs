//! The feed: what ends on one node is told to all, and what may be missing is said.

use std::{collections::HashSet, time::Duration};

use super::{
    Place,
    node::{Node, crowd},
    rows::{ANY, LATER, NOW, admission, key, row},
};
use crate::{
    record::Handle,
    revocation::Ending,
    store::{
        Beyond, Created, Replaced, Store, StoreKey,
        feed::{Batch, Cursor, Feed, News, Told},
    },
};

/// No longer than a test may wait for what never comes.
const LONG: Duration = Duration::from_secs(15);

fn of_ada(number: u64) -> StoreKey {
    key(number).in_shard_of("ada")
}

fn revoked(number: u64) -> News {
    News(Told::Revoked(Ending::of_handle(Handle::from(key(number)), LATER)))
}

/// Where the feed stands now.
async fn now<S: Store + Feed>(node: &Node<S>) -> Cursor {
    node.read(None, Duration::ZERO).await.cursor
}

/// All that comes until `enough`.
async fn until<S: Store + Feed>(node: &Node<S>, mut cursor: Cursor, enough: impl Fn(&[News]) -> bool) -> Vec<News> {
    let mut news = Vec::new();
    while !enough(&news) {
        let batch = node.read(Some(cursor), LONG).await;
        assert!(batch.complete, "a reader that follows was told of a gap where nothing was lost");
        assert!(!batch.news.is_empty(), "news that a call told before it answered did not come within {LONG:?}");
        news.extend(batch.news);
        cursor = batch.cursor;
    }
    news
}

/// E01, E07: whoever ends a session, every node that reads afterwards knows it.
pub(super) async fn a_deleted_row_is_news(place: impl Place<Store: Feed>) {
    let [here, there] = Node::two(&place).await;
    here.put(of_ada(1), &row().of("ada")).await;
    here.put(key(2), &row()).await;
    let cursor = now(&there).await;
    here.delete(of_ada(1), LATER).await;
    here.delete(key(2), LATER).await;
    for node in [&here, &there] {
        let Batch { news, complete, .. } = node.read(Some(cursor.clone()), Duration::ZERO).await;
        assert!(complete, "nothing was lost between");
        for told in [News::ended(of_ada(1), true), News::ended(key(2), false)] {
            assert!(news.contains(&told), "a reader that began after a delete had answered is not told of it");
        }
    }
    let from_the_beginning = here.read(None, Duration::ZERO).await.news;
    assert!(from_the_beginning.contains(&News::ended(key(2), false)), "the beginning of a feed has what is kept");
}

/// E06: a session that made room for another one has ended.
pub(super) async fn a_row_that_made_room_is_news(place: impl Place<Store: Feed>) {
    let [here, there] = Node::two(&place).await;
    for at in 1..=2 {
        here.put(of_ada(at), &row().of("ada").created(NOW + at)).await;
    }
    let cursor = now(&there).await;
    let terms = admission(0, 1, Beyond::EndOldest);
    assert_eq!(here.create(of_ada(3), &row().of("ada").created(NOW + 9).made(), terms, NOW).await, Created::Created);
    let news = there.read(Some(cursor), Duration::ZERO).await.news;
    for at in 1..=2 {
        assert!(news.contains(&News::ended(of_ada(at), true)), "a row that was ended to make room is not told of");
    }
    assert!(!news.contains(&News::ended(of_ada(3), true)), "the row that came in is told to have ended");
}

/// D10: a new generation is news, another version is not.
pub(super) async fn a_renewal_is_news(place: impl Place<Store: Feed>) {
    let [here, there] = Node::two(&place).await;
    here.put(of_ada(1), &row().of("ada")).await;
    let cursor = now(&there).await;
    let next = row().of("ada").version(2);
    assert_eq!(here.replace(of_ada(1), 1, &next.made(), NOW).await, Replaced::Replaced);
    here.touch(of_ada(1), NOW + 1, NOW + 2).await;
    here.delete(key(9), LATER).await;
    let batch = there.read(Some(cursor), Duration::ZERO).await;
    assert_eq!(batch.news, [], "creating, writing and touching a row, and deleting none, are no news");
    let renewed = row().of("ada").version(3).facts(|facts| facts.generation = 7).made();
    assert_eq!(here.replace(of_ada(1), 2, &renewed, NOW).await, Replaced::Replaced);
    let news = there.read(Some(batch.cursor), Duration::ZERO).await.news;
    assert!(news.contains(&News::renewed(of_ada(1), 7)), "a renewal is not told of");
}

/// E02, E04: the end of all of an owner's sessions is one piece of news, with its epoch.
pub(super) async fn the_end_of_an_owner_is_news(place: impl Place<Store: Feed>) {
    let [here, there] = Node::two(&place).await;
    here.put(of_ada(1), &row().of("ada")).await;
    let cursor = now(&there).await;
    let epoch = here.end_owner("ada", None, LATER).await;
    let news = there.read(Some(cursor), Duration::ZERO).await.news;
    assert!(news.contains(&News::owner_ended("ada", epoch)), "the end of an owner's sessions is not told of");
}

/// A reader that waits is woken by another node's news.
pub(super) async fn news_wake_whoever_waits(place: impl Place<Store: Feed>) {
    let [here, there] = Node::two(&place).await;
    here.put(key(1), &row()).await;
    let cursor = now(&there).await;
    let waits = tokio::spawn(async move { until(&there, cursor, |news| !news.is_empty()).await });
    tokio::task::yield_now().await;
    here.delete(key(1), LATER).await;
    assert_eq!(waits.await.ok().as_deref(), Some(&[News::ended(key(1), false)][..]));
}

/// A reader that has everything is answered all the same, which tells it that it has everything.
pub(super) async fn no_news_is_an_answer(place: impl Place<Store: Feed>) {
    let node = Node::of(&place).await;
    let first = node.read(None, Duration::ZERO).await;
    assert!(!first.complete, "a feed that has just begun cannot say what was before");
    let mut cursor = first.cursor;
    for patience in [0, 30, 30] {
        let batch = node.read(Some(cursor), Duration::from_millis(patience)).await;
        assert!(batch.complete && batch.news.is_empty(), "where nothing happened there is nothing, and no gap");
        cursor = batch.cursor;
    }
}

/// E01: writers that overtake each other lose nothing, whatever the order of their commits.
pub(super) async fn a_crowd_of_endings_is_told_whole(place: impl Place<Store: Feed>) {
    const CROWD: u64 = 200;
    let [here, there] = Node::two(&place).await;
    for at in 0..CROWD {
        here.create(key(at), &row().made(), ANY, NOW).await;
    }
    let cursor = now(&there).await;
    let reader = there.clone();
    let all =
        move |news: &[News]| news.iter().map(|news| news.to_bytes()).collect::<HashSet<_>>().len() as u64 == CROWD;
    let follows = tokio::spawn(async move { until(&reader, cursor, all).await });
    let nodes = [here, there];
    crowd(CROWD as usize, |at| {
        let node = nodes[at % 2].clone();
        async move { node.delete(key(at as u64), LATER).await }
    })
    .await;
    let news = follows.await.unwrap_or_default();
    for at in 0..CROWD {
        assert!(news.contains(&News::ended(key(at), false)), "of {CROWD} endings that were told, one never came");
    }
}

/// E01: what a node publishes itself is given to all, and from the beginning until its time is over.
pub(super) async fn what_is_published_is_kept_until_its_time(place: impl Place<Store: Feed>) {
    let [here, there] = Node::two(&place).await;
    let cursor = now(&there).await;
    here.publish(vec![revoked(1), revoked(2)], LATER).await;
    here.publish(vec![revoked(1)], NOW).await;
    let told = there.read(Some(cursor), Duration::ZERO).await.news;
    assert!(told.contains(&revoked(1)) && told.contains(&revoked(2)), "what was published is not told");
    here.purge_all(LATER - 1).await;
    let kept = there.read(None, Duration::ZERO).await.news;
    assert!(kept.contains(&revoked(1)) && kept.contains(&revoked(2)), "what was published is gone before its time");
}
