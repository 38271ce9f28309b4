//! What is in the server: names, slots, lifetimes, and how little is said over the wire.

use std::{
    collections::BTreeSet,
    io::{BufRead, BufReader, Write},
    net::TcpStream,
};

use hardtack::store::{Admission, Beyond, Created, DeviceLimit, RedisStore, Replaced, Row, Store};
use hardtack_engines::{Redis, wait_until};
use redis::Commands;

use super::rows::{ANY, DAY, HOUR, NOW, key, row};

/// A few of everything: rows with and without an owner, tombstones, epochs.
pub async fn fill(store: &RedisStore) {
    for owner in ["ada", "bob", "carol"] {
        for number in 1..=4 {
            assert_eq!(store.create(key(owner, number), row(owner, 1), ANY, NOW).await.unwrap(), Created::Created);
        }
        store.replace(key(owner, 1), 1, row(owner, 2), NOW).await.unwrap();
        store.touch(key(owner, 2), NOW + 1, NOW + 2 * HOUR).await.unwrap();
        store.delete(key(owner, 3), NOW + DAY).await.unwrap();
        store.delete(key(owner, 9), NOW + DAY).await.unwrap();
    }
    store.end_owner("carol", Some(key("carol", 4)), NOW + DAY).await.unwrap();
    store.end_owner("nobody", None, NOW + DAY).await.unwrap();
}

/// Fault 38: nothing stays for ever but the indexes, the counter and the note about the shards; and nothing goes before
/// its time.
#[tokio::test]
async fn keys_live_a_day_longer_than_their_deadlines() {
    let redis = Redis::start();
    let store = RedisStore::at(&redis.url()).prefix("shop").connect().await.unwrap();
    fill(&store).await;
    let mut server = redis::Client::open(redis.url()).unwrap();
    let names: Vec<Vec<u8>> = server.keys("*").unwrap();
    let mut lives = BTreeSet::new();
    for name in names {
        assert!(name.starts_with(b"shop:{"), "{}", String::from_utf8_lossy(&name));
        let left: i64 = server.pttl(&name).unwrap();
        let after = name.iter().position(|byte| *byte == b'}').unwrap() + 1;
        let kind = match &name[after..] {
            [] => "counter or note",
            [b':', kind, ..] => std::str::from_utf8(std::slice::from_ref(kind)).unwrap(),
            other => panic!("{other:?}"),
        };
        match kind {
            "s" | "o" => {
                let (least, most) = ((2 * DAY - HOUR) as i64, (2 * DAY) as i64);
                assert!((least..=most).contains(&left), "{kind} lives for {left} ms of {most}");
            }
            _ => assert_eq!(left, -1, "{kind}"),
        }
        lives.insert(kind.to_owned());
    }
    assert_eq!(lives.iter().collect::<Vec<_>>(), ["counter or note", "f", "k", "n", "o", "s", "x"]);
}

/// Fault 38: what a purge took away leaves nothing behind but the counter, the note and the news.
#[tokio::test]
async fn a_purge_leaves_nothing() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    fill(&store).await;
    while store.purge(NOW + 3 * DAY, 100).await.unwrap() > 0 {}
    let left = redis.cli(&["keys", "*"]);
    // News are kept for half an hour of the server's time.
    let left: BTreeSet<_> = left.lines().filter(|name| !name.ends_with(":n") && !name.ends_with(":f")).collect();
    assert_eq!(left.into_iter().collect::<Vec<_>>(), ["hardtack:{about}", "hardtack:{epoch}"]);
}

/// E05, fault 38: rows that Redis removed by itself, because nobody purged, leave the indexes as well.
#[tokio::test]
async fn indexes_forget_what_redis_removed() {
    let redis = Redis::start();
    let store = RedisStore::at(&redis.url()).shards(1).connect().await.unwrap();
    fill(&store).await;
    let mut server = redis::Client::open(redis.url()).unwrap();
    let rows: Vec<Vec<u8>> = server.keys("hardtack:{0}:s:*").unwrap();
    let _: () = server.del(rows).unwrap();
    assert!(store.owned_by("ada", NOW).await.unwrap().is_empty());
    assert!(store.scan(None, 100).await.unwrap().is_empty());
    let limit = Some(DeviceLimit { most: 1, beyond: Beyond::Refuse });
    let created = store.create(key("ada", 20), row("ada", 1), Admission { epoch: 0, limit }, NOW).await.unwrap();
    assert_eq!(created, Created::Created, "rows that are gone count as none");
    let names: usize = server.hlen("hardtack:{0}:o:ada").unwrap();
    assert_eq!(names, 1, "names in the index of an owner with one row");
    for number in 21..60 {
        store.create(key("bob", number), row("bob", 1), ANY, NOW).await.unwrap();
        let name = [b"hardtack:{0}:s:", &key("bob", number).as_bytes()[..]].concat();
        let _: () = server.del(name).unwrap();
    }
    let names: usize = server.hlen("hardtack:{0}:o:bob").unwrap();
    assert!(names < 20, "{names} names of 40 rows that are gone, in the index of an owner who signs in");
    while store.purge(NOW + 3 * DAY, 100).await.unwrap() > 0 {}
    let left: Vec<String> = server.keys("hardtack:{0}:[kx]").unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// All that one step is about is in one slot of a cluster, and the shards are spread over the slots.
#[tokio::test]
async fn what_belongs_to_one_owner_shares_a_slot() {
    let redis = super::place::a_cluster_node();
    let slot = |name: &[u8]| {
        let mut server = redis::Client::open(redis.clone()).unwrap();
        redis::cmd("CLUSTER").arg("KEYSLOT").arg(name).query::<u16>(&mut server).unwrap()
    };
    let mut slots = BTreeSet::new();
    for owner in ["ada", "Ada", "a{b}c", "{}", "日本"] {
        let shard = hardtack::store::StoreKey::shard_of(owner) % 16;
        let session = |number| [format!("p:{{{shard}}}:s:").as_bytes(), key(owner, number).as_bytes()].concat();
        let names =
            [session(1), session(2), format!("p:{{{shard}}}:o:{owner}").into(), format!("p:{{{shard}}}:x").into()];
        let of_owner: BTreeSet<_> = names.iter().map(|name| slot(name)).collect();
        assert_eq!(of_owner.len(), 1, "slots of what belongs to {owner}");
        slots.extend(of_owner);
    }
    assert!(slots.len() > 1);
}

/// J06: each call of the contract is one request and one answer; an ending is two, because the counter is elsewhere.
#[tokio::test]
async fn every_call_is_one_round_trip() {
    let redis = Redis::start();
    let store = RedisStore::at(&redis.url()).shards(1).connect().await.unwrap();
    // So that the server knows all scripts.
    fill(&store).await;
    store.owned_by("ada", NOW).await.unwrap();
    store.purge(NOW, 1).await.unwrap();
    let mut heard = Monitor::of(&redis);
    store.create(key("ada", 30), row("ada", 1), ANY, NOW).await.unwrap();
    assert_eq!(heard.commands(), ["EVALSHA"], "create");
    store.load(key("ada", 30), NOW).await.unwrap().unwrap();
    assert_eq!(heard.commands(), ["GET"], "load");
    assert_eq!(store.replace(key("ada", 30), 1, row("ada", 2), NOW).await.unwrap(), Replaced::Replaced);
    assert_eq!(heard.commands(), ["EVALSHA"], "replace");
    store.touch(key("ada", 30), NOW, NOW + 2 * HOUR).await.unwrap();
    assert_eq!(heard.commands(), ["EVALSHA"], "touch");
    store.epoch().await.unwrap();
    assert_eq!(heard.commands(), ["GET"], "epoch");
    assert_eq!(store.owned_by("ada", NOW).await.unwrap().len(), 4);
    assert_eq!(heard.commands(), ["EVALSHA"], "owned_by");
    assert!(store.delete(key("ada", 30), NOW + DAY).await.unwrap());
    assert_eq!(heard.commands(), ["EVALSHA"], "delete");
    store.end_owner("ada", None, NOW + DAY).await.unwrap();
    assert_eq!(heard.commands(), ["EVALSHA", "EVALSHA"], "end_owner");
    store.purge(NOW + HOUR, 1_000).await.unwrap();
    assert_eq!(heard.commands(), ["EVALSHA"], "purge of one shard");
}

/// Hears what a server is asked, without what its scripts do.
struct Monitor {
    lines: BufReader<TcpStream>,
    redis: String,
}

impl Monitor {
    fn of(redis: &Redis) -> Self {
        let mut stream = TcpStream::connect(redis.address()).unwrap();
        stream.write_all(b"MONITOR\r\n").unwrap();
        let mut lines = BufReader::new(stream);
        lines.read_line(&mut String::new()).unwrap();
        Self { lines, redis: redis.url() }
    }

    /// The commands since the last time. A mark tells that all of them are here.
    fn commands(&mut self) -> Vec<String> {
        let mut server = redis::Client::open(self.redis.clone()).unwrap().get_connection().unwrap();
        redis::cmd("ECHO").arg("the mark").exec(&mut server).unwrap();
        let mut commands = Vec::new();
        loop {
            let mut line = String::new();
            self.lines.read_line(&mut line).unwrap();
            if line.contains("the mark") {
                return commands;
            }
            let command = line.split('"').nth(1).unwrap().to_ascii_uppercase();
            if !line.contains(" lua]") && !["HELLO", "CLIENT", "INFO", "SELECT"].contains(&&*command) {
                commands.push(command);
            }
        }
    }
}

/// Two applications on one server do not see each other.
#[tokio::test]
async fn prefixes_are_stores_of_their_own() {
    let redis = Redis::start();
    let ours = RedisStore::at(&redis.url()).prefix("ours").connect().await.unwrap();
    let theirs = RedisStore::at(&redis.url()).prefix("theirs").connect().await.unwrap();
    ours.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    theirs.end_owner("ada", None, NOW + DAY).await.unwrap();
    assert!(theirs.load(key("ada", 1), NOW).await.unwrap().is_none());
    assert_eq!(ours.owned_by("ada", NOW).await.unwrap().len(), 1);
    assert_eq!((ours.epoch().await.unwrap(), theirs.epoch().await.unwrap()), (0, 1));
}

/// Fault 37: a row outside its owner's shard cannot be in the owner's index.
#[tokio::test]
async fn a_key_in_another_shard_than_its_owner_is_an_error() {
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    let strange = key("bob", 1);
    assert_ne!(strange.shard(), key("ada", 1).shard());
    assert!(store.create(strange, row("ada", 1), ANY, NOW).await.is_err());
    wait_until("nothing was written", || redis.cli(&["keys", "hardtack:{*}:*"]).trim().is_empty());
}

/// Fault 38: what `docs/operating.md` says about sizes: bytes of a session of 300 bytes with an owner of its own.
#[tokio::test]
async fn a_session_takes_less_than_a_kilobyte() {
    const SESSIONS: usize = 10_000;
    let redis = Redis::start();
    let store = RedisStore::connect(&redis.url()).await.unwrap();
    store.create(key("ada", 1), row("ada", 1), ANY, NOW).await.unwrap();
    let used = || -> usize {
        let info = redis.cli(&["info", "memory"]);
        let line = info.lines().find_map(|line| line.strip_prefix("used_memory_dataset:")).unwrap();
        line.trim().parse().unwrap()
    };
    let before = used();
    for number in 0..SESSIONS {
        let owner = format!("owner-{number:08}");
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&(number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes());
        let key = hardtack::store::StoreKey::from_bytes(bytes).in_shard_of(&owner);
        let row = row(&owner, 1);
        let row = Row::new(*row.facts(), row.owner(), row.label(), &[7; 300], NOW, NOW + HOUR);
        assert_eq!(store.create(key, row, ANY, NOW).await.unwrap(), Created::Created);
    }
    let each = (used() - before) / SESSIONS;
    println!("{each} bytes for each session");
    assert!(each < 1_024, "{each} bytes for each session");
}
