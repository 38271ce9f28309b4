//! The migration of docs/migrating.md, rehearsed: two Node and two Rust processes behind one proxy, and forty visitors who come
//! without pause from the first phase to the last. Nobody is signed out, and nothing that was counted is lost.

use std::{
    sync::{Arc, atomic::Ordering::SeqCst},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hardtack_engines::Redis;

use crate::{
    crowd::{Tally, come_all},
    site::{EXPRESS, Front, IRON, Server, keys},
    visitor::Visitor,
};

/// One cookie that holds the session: a copy of it can be ended only when Node is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_iron_session_moves_to_rust_under_load_and_loses_no_session() {
    let fleet = Fleet { example: "iron-session-and-rust", rust: IRON, cookie: "iron-example" };
    fleet.moves(&Arc::new(Tally::new())).await;
}

/// One row that both fleets write: a sign-out holds everywhere at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_of_express_moves_to_rust_under_load_and_loses_no_session() {
    let fleet = Fleet { example: "express-and-rust", rust: EXPRESS, cookie: "connect.sid" };
    let tally = Arc::new(Tally::new());
    tally.copies_end.store(true, SeqCst);
    fleet.moves(&tally).await;
}

struct Fleet {
    example: &'static str,
    rust: &'static str,
    /// The one that both fleets have.
    cookie: &'static str,
}

impl Fleet {
    /// B12: the whole way, with the way back in its first step.
    async fn moves(&self, tally: &Arc<Tally>) {
        let (redis, keys) = (Redis::start(), keys());
        let url = redis.url();
        let settings = [("REDIS_URL", &*url)];
        let phase = |name: &str| tally.phase(&format!("{}: {name}", self.example));

        let node = [(); 2].map(|()| Server::node(self.example, &settings));
        let mut front = Front::new(&[&node[0], &node[1]], &[]);
        let crowd = come_all(&front.url, self.cookie, tally);
        phase("two Node");

        let rust = [(); 2].map(|()| Server::rust(self.rust, &keys, &settings));
        front.switch(&[&node[0], &node[1]], &[&rust[0], &rust[1]]);
        phase("two Node and two Rust");

        front.switch(&[&node[0], &node[1]], &[]);
        phase("back to two Node");

        front.switch(&[&node[0], &node[1]], &[&rust[0], &rust[1]]);
        phase("two Node and two Rust again");

        front.switch(&[], &[&rust[0], &rust[1]]);
        node.into_iter().for_each(Server::end);
        phase("two Rust");

        // Two who do not come for a while.
        let (mut early, mut late) = (Visitor::new(&front.url), Visitor::new(&front.url));
        for (visitor, name) in [(&mut early, "early"), (&mut late, "late")] {
            visitor.sign_in("", name).await.unwrap();
            visitor.count("").await.unwrap();
            assert!(visitor.jar.contains_key(self.cookie));
        }

        let tomorrow = (SystemTime::now() + Duration::from_secs(86_400)).duration_since(UNIX_EPOCH).unwrap();
        let tomorrow = tomorrow.as_secs().to_string();
        let accepting = |until: &str| {
            let accept = [("REDIS_URL", &*url), ("ACCEPT_UNTIL", until)];
            [(); 2].map(|()| Server::rust(self.rust, &keys, &accept))
        };
        let green = accepting(&tomorrow);
        front.switch(&[], &[&green[0], &green[1]]);
        assert_eq!(early.seen("").await.unwrap(), (Some("early".into()), 1));
        assert_eq!(early.jar.keys().collect::<Vec<_>>(), ["__Host-session"]);
        rust.into_iter().for_each(Server::end);
        tally.copies_end.store(true, SeqCst);
        phase("two Rust that accept");

        // The date is over: one that has passed instead of a day's wait.
        let later = accepting("1");
        front.switch(&[], &[&later[0], &later[1]]);
        green.into_iter().for_each(Server::end);
        assert_eq!(late.seen("").await.unwrap(), (None, 0), "after the date a foreign cookie is nobody's");
        assert_eq!(early.seen("").await.unwrap(), (Some("early".into()), 1), "ours live on");
        phase("after the date");
        tally.end(self.example, crowd).await;
    }
}
