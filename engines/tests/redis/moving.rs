//! A cluster whose slots move to another server while sessions are used.

use hardtack::store::{Created, RedisStore, Replaced, Store, StoreKey};
use hardtack_engines::{Redis, RedisCluster};

use super::rows::{ANY, DAY, NOW, key, row};

/// The server that has a slot, and another one.
struct Move<'a> {
    from: &'a Redis,
    to: &'a Redis,
    slot: String,
}

impl<'a> Move<'a> {
    fn of(cluster: &'a RedisCluster, shard: u16) -> Self {
        let slot = cluster.node(0).cli(&["cluster", "keyslot", &format!("{{{shard}}}")]).trim().to_owned();
        let has = |node: &&Redis| !node.cli(&["get", &format!("x{{{shard}}}")]).contains("MOVED");
        let from = cluster.nodes().iter().find(has).unwrap();
        let to = cluster.nodes().iter().find(|node| !has(node)).unwrap();
        Self { from, to, slot }
    }

    fn id(node: &Redis) -> String {
        node.cli(&["cluster", "myid"]).trim().to_owned()
    }

    fn begin(&self) {
        self.to.cli(&["cluster", "setslot", &self.slot, "importing", &Self::id(self.from)]);
        self.from.cli(&["cluster", "setslot", &self.slot, "migrating", &Self::id(self.to)]);
    }

    fn carry(&self) {
        let port = self.to.address().port().to_string();
        let mut from = redis::Client::open(self.from.url()).unwrap();
        loop {
            let mut ask = redis::cmd("CLUSTER");
            ask.arg("GETKEYSINSLOT").arg(&self.slot).arg(100);
            let keys: Vec<Vec<u8>> = ask.query(&mut from).unwrap();
            if keys.is_empty() {
                return;
            }
            let mut carry = redis::cmd("MIGRATE");
            carry.arg("127.0.0.1").arg(&port).arg("").arg(0).arg(5_000).arg("KEYS").arg(keys);
            carry.exec(&mut from).unwrap();
        }
    }

    fn end(&self) {
        for node in [self.to, self.from] {
            node.cli(&["cluster", "setslot", &self.slot, "node", &Self::id(self.to)]);
        }
    }
}

/// Fault 33: a slot that moved is found where it is; what is under way while it moves is an error at worst, and
/// nothing is lost or half done.
#[tokio::test]
async fn sessions_are_found_where_their_slot_moved() {
    let cluster = RedisCluster::start(3, 0);
    let store = RedisStore::at(&cluster.node(0).url()).connect().await.unwrap();
    for number in 1..=6 {
        store.create(key("ada", number), row("ada", 1), ANY, NOW).await.unwrap();
    }
    let shard = StoreKey::shard_of("ada") % 16;
    let moving = Move::of(&cluster, shard);
    moving.begin();
    assert!(store.load(key("ada", 1), NOW).await.unwrap().is_some(), "a session that has not moved yet");
    assert!(store.load(key("ada", 9), NOW).await.unwrap().is_none(), "a session that is on neither server");
    let replaced = store.replace(key("ada", 1), 1, row("ada", 2), NOW).await;
    assert_eq!(replaced.unwrap(), Replaced::Replaced, "a write where all its keys are still on one server");
    // A new key is asked for on the other server, where the indexes are not yet: in between.
    let created = store.create(key("ada", 7), row("ada", 1), ANY, NOW).await;
    assert!(created.is_err(), "a sign-in whose keys are on two servers: {created:?}");
    moving.carry();
    assert!(store.load(key("ada", 1), NOW).await.unwrap().is_some(), "a session that has moved, asked for in between");
    moving.end();
    assert_eq!(store.owned_by("ada", NOW).await.unwrap().len(), 6, "an owner's rows after his slot moved");
    let created = store.create(key("ada", 7), row("ada", 1), ANY, NOW).await.unwrap();
    assert_eq!(created, Created::Created);
    assert!(store.delete(key("ada", 1), NOW + DAY).await.unwrap());
    store.end_owner("ada", None, NOW + DAY).await.unwrap();
    assert!(store.owned_by("ada", NOW).await.unwrap().is_empty());
}
