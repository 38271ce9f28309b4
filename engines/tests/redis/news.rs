//! The feed in Redis: what a gap is made of, and what does not make one.

use std::time::Duration;

use hardtack::store::{
    RedisStore, Store,
    feed::{Batch, Cursor, Feed, News, RETENTION},
};
use hardtack_engines::Redis;

use super::rows::{ANY, DAY, NOW, key, row};

/// A store in one shard, in which one session after the other ends.
struct Told {
    redis: Redis,
    store: RedisStore,
    ended: u8,
}

const NEWS: &str = "hardtack:{0}:n";
const FACTS: &str = "hardtack:{0}:f";

impl Told {
    async fn start() -> Self {
        let redis = Redis::start_with(&["--appendonly", "yes"]);
        let store = RedisStore::at(&redis.url()).shards(1).connect().await.unwrap();
        Self { redis, store, ended: 0 }
    }

    async fn end_one(&mut self) -> News {
        self.ended += 1;
        let key = key("ada", self.ended);
        self.store.create(key, row("ada", 1), ANY, NOW).await.unwrap();
        self.store.delete(key, NOW + DAY).await.unwrap();
        News::ended(key, true)
    }

    async fn read(&self, after: Option<&Cursor>) -> Batch {
        self.store.read(after.cloned(), Duration::ZERO).await.unwrap()
    }

    /// Where a reader is who has read two, with two more behind it.
    async fn in_the_middle(&mut self) -> Cursor {
        self.end_one().await;
        self.end_one().await;
        let cursor = self.read(None).await.cursor;
        self.end_one().await;
        self.end_one().await;
        assert!(self.read(Some(&cursor)).await.complete);
        cursor
    }

    /// What a gap is answered with is a beginning, after which all is well again.
    async fn assert_gap(&mut self, cursor: &Cursor, what: &str) {
        let batch = self.read(Some(cursor)).await;
        assert!(!batch.complete, "a reader is not told of {what}");
        let batch = self.read(Some(&batch.cursor)).await;
        let told = self.end_one().await;
        let after = self.read(Some(&batch.cursor)).await;
        assert_eq!((after.news, after.complete), (vec![told], true), "after {what}");
    }
}

#[tokio::test]
async fn a_stream_trimmed_too_far_is_a_gap() {
    let mut told = Told::start().await;
    let cursor = told.in_the_middle().await;
    told.redis.cli(&["xtrim", NEWS, "maxlen", "2"]);
    assert!(told.read(Some(&cursor)).await.complete, "what the reader has read may go");
    told.redis.cli(&["xtrim", NEWS, "maxlen", "1"]);
    told.assert_gap(&cursor, "a trim beyond its cursor").await;
}

#[tokio::test]
async fn a_lost_stream_is_a_gap() {
    let mut told = Told::start().await;
    let cursor = told.in_the_middle().await;
    told.redis.cli(&["del", NEWS]);
    told.assert_gap(&cursor, "a stream that is gone").await;
}

/// Fault 33: a server that came back empty, and one that has news again meanwhile.
#[tokio::test]
async fn a_server_that_lost_everything_is_a_gap() {
    let mut told = Told::start().await;
    let cursor = told.in_the_middle().await;
    told.redis.cli(&["flushall"]);
    told.assert_gap(&cursor, "a server that is empty").await;
    let cursor = told.in_the_middle().await;
    told.redis.cli(&["flushall"]);
    for _ in 0..4 {
        told.end_one().await;
    }
    told.assert_gap(&cursor, "a server that was empty").await;
}

/// A backup that was restored: the same feed, in an older state.
#[tokio::test]
async fn a_restored_backup_is_a_gap() {
    let mut told = Told::start().await;
    told.end_one().await;
    let backup = told.redis.cli(&["copy", NEWS, "{0}backup"]);
    assert_eq!(backup.trim(), "1");
    told.redis.cli(&["copy", FACTS, "{0}facts"]);
    let cursor = told.in_the_middle().await;
    for (from, to) in [("{0}backup", NEWS), ("{0}facts", FACTS)] {
        told.redis.cli(&["copy", from, to, "replace"]);
    }
    told.assert_gap(&cursor, "an older state").await;
    let cursor = told.in_the_middle().await;
    for (from, to) in [("{0}backup", NEWS), ("{0}facts", FACTS)] {
        told.redis.cli(&["copy", from, to, "replace"]);
    }
    for _ in 0..9 {
        told.end_one().await;
    }
    told.assert_gap(&cursor, "an older state that went on").await;
}

/// Fault 33: a restart is no gap where everything was kept.
#[tokio::test]
async fn a_restart_is_no_gap() {
    let mut told = Told::start().await;
    let cursor = told.in_the_middle().await;
    told.redis.restart();
    let batch = told.read(Some(&cursor)).await;
    assert_eq!((batch.news.len(), batch.complete), (2, true));
}

/// What a newer version writes is a gap for an older one, and not a panic.
#[tokio::test]
async fn news_that_nobody_knows_are_a_gap() {
    let mut told = Told::start().await;
    let cursor = told.in_the_middle().await;
    told.redis.cli(&["xadd", NEWS, "*", "t", "Zebra"]);
    told.redis.cli(&["hincrby", FACTS, "told", "1"]);
    told.assert_gap(&cursor, "news that it does not know").await;
}

#[tokio::test]
async fn a_cursor_of_another_feed_is_a_gap() {
    let mut told = Told::start().await;
    told.in_the_middle().await;
    for strange in [&[][..], &[1, 2, 3], &[9; 32], &[0; 64]] {
        let cursor = Cursor::from_bytes(strange);
        told.assert_gap(&cursor, "a cursor that is another feed's").await;
    }
}

/// A reader that begins knows all that counts when the feed is half an hour old.
#[tokio::test]
async fn an_old_feed_is_complete_from_its_beginning() {
    let mut told = Told::start().await;
    let ended = told.end_one().await;
    assert!(!told.read(None).await.complete, "a young feed says that something may be from before it");
    let back = format!("-{}", RETENTION.as_micros());
    told.redis.cli(&["hincrby", FACTS, "born", &back]);
    let batch = told.read(None).await;
    assert_eq!((batch.news, batch.complete), (vec![ended], true));
}

/// Fault 38: the stream does not grow for ever, whether sessions end or not.
#[tokio::test]
async fn old_news_are_trimmed() {
    let mut told = Told::start().await;
    let length = |redis: &Redis| redis.cli(&["xlen", NEWS]).trim().parse::<usize>().unwrap();
    let fill = |redis: &Redis| {
        for number in 1..=1_000 {
            redis.cli(&["xadd", NEWS, &format!("{number}-0"), "t", "old"]);
        }
    };
    fill(&told.redis);
    told.end_one().await;
    assert!(length(&told.redis) <= 101, "{} news, after one of now was told", length(&told.redis));
    told.redis.cli(&["del", NEWS]);
    fill(&told.redis);
    told.store.purge(NOW, 10).await.unwrap();
    assert!(length(&told.redis) <= 100, "{} news, after a purge", length(&told.redis));
}

/// Many news come in pages, and none is left out.
#[tokio::test]
async fn many_news_come_whole() {
    let mut told = Told::start().await;
    let cursor = told.in_the_middle().await;
    let before = told.read(Some(&cursor)).await.cursor;
    let mut server = redis::Client::open(told.redis.url()).unwrap();
    for _ in 0..24 {
        let mut pipeline = redis::pipe();
        for number in 0..500_u32 {
            let mut bytes = [0; 16];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            let news = News::ended(hardtack::store::StoreKey::from_bytes(bytes), false).to_bytes();
            pipeline.cmd("XADD").arg(NEWS).arg("*").arg("t").arg(news).ignore();
            pipeline.cmd("HINCRBY").arg(FACTS).arg("told").arg(1).ignore();
        }
        pipeline.exec(&mut server).unwrap();
    }
    let batch = told.read(Some(&before)).await;
    assert_eq!((batch.news.len(), batch.complete), (12_000, true));
    let batch = told.read(None).await;
    assert_eq!(batch.news.len(), 12_004);
    let ended = told.end_one().await;
    let batch = told.read(Some(&batch.cursor)).await;
    assert_eq!((batch.news, batch.complete), (vec![ended], true));
}

/// A user that may not publish ends sessions all the same; readers then look when their patience is over.
#[tokio::test]
async fn nothing_depends_on_the_channel() {
    let redis = Redis::start();
    let rights = "~shop:* +@read +@write +@scripting +@connection +@pubsub +info +time +wait +cluster|slots";
    let user = ["acl", "setuser", "shop", "on", ">secret", "resetchannels"];
    redis.cli(&user.into_iter().chain(rights.split(' ')).collect::<Vec<_>>());
    let store = RedisStore::at(&format!("redis://shop:secret@{}", redis.address())).prefix("shop").connect().await;
    let store = store.unwrap();
    let cursor = store.read(None, Duration::ZERO).await.unwrap().cursor;
    let reader = {
        let store = store.clone();
        tokio::spawn(async move { store.read(Some(cursor), Duration::from_millis(200)).await.unwrap().cursor })
    };
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap());
    let cursor = reader.await.unwrap();
    let again = store.read(None, Duration::ZERO).await.unwrap();
    assert!(again.news.contains(&News::ended(key("ada", 1), true)));
    assert!(store.read(Some(cursor), Duration::ZERO).await.unwrap().complete);
}
