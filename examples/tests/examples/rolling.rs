//! What happens when the last step is not taken at once: servers of `accept` beside servers of `emit_as`.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hardtack_engines::{Redis, wait_until};

use crate::{
    site::{Front, IRON, Server, keys},
    visitor::Visitor,
};

const VISITORS: usize = 20;
const LOOKS: u64 = 20;

/// B12: a visitor is nobody where the cookie of the other step is not known, until a request reaches a new server: then
/// owner and data are there again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_switch_of_one_server_after_the_other_makes_visitors_nobody_for_a_while_and_loses_nothing() {
    let (redis, keys) = (Redis::start(), keys());
    let emit = [Server::rust(IRON, &keys, &[]), Server::rust(IRON, &keys, &[])];
    let mut front = Front::new(&[], &[&emit[0], &emit[1]]);
    let mut visitors = Vec::new();
    for me in 0..VISITORS {
        let mut visitor = Visitor::new(&front.url);
        visitor.sign_in("", &format!("visitor-{me}")).await.unwrap();
        for _ in 0..=me {
            visitor.count("").await.unwrap();
        }
        visitors.push(visitor);
    }

    let (looks, nobody, is_over) =
        (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let look = |(me, mut visitor): (usize, Visitor)| {
        let (looks, nobody, is_over) = (looks.clone(), nobody.clone(), is_over.clone());
        tokio::spawn(async move {
            let mine = (Some(format!("visitor-{me}")), me as u64 + 1);
            while !is_over.load(SeqCst) {
                let seen = visitor.seen("").await.unwrap();
                assert!(seen == mine || seen == (None, 0), "{seen:?} and not {mine:?}");
                looks.fetch_add(1, SeqCst);
                nobody.fetch_add(u64::from(seen != mine), SeqCst);
            }
            (visitor, mine)
        })
    };
    let crowd: Vec<_> = visitors.into_iter().enumerate().map(look).collect();
    let more = |name: &str| {
        let before = looks.load(SeqCst);
        wait_until(name, || looks.load(SeqCst) >= before + LOOKS * VISITORS as u64);
    };
    more("two that emit");
    assert_eq!(nobody.load(SeqCst), 0);

    let until = SystemTime::now() + Duration::from_secs(86_400);
    let until = until.duration_since(UNIX_EPOCH).unwrap().as_secs().to_string();
    let accept = [("REDIS_URL", &*redis.url()), ("ACCEPT_UNTIL", &until)];
    let accepting = [Server::rust(IRON, &keys, &accept), Server::rust(IRON, &keys, &accept)];
    let before = looks.load(SeqCst);
    front.switch(&[], &[&accepting[0], &emit[1]]);
    more("one of each");
    front.switch(&[], &[&accepting[0], &accepting[1]]);
    let between = looks.load(SeqCst) - before;
    more("two that accept");

    is_over.store(true, SeqCst);
    println!("one server after the other: {} of {between} requests saw nobody", nobody.load(SeqCst));
    for visitor in crowd {
        let (mut visitor, mine) = visitor.await.unwrap();
        assert_eq!(visitor.seen("").await.unwrap(), mine, "in the end everybody is back, with what was counted");
    }
}
