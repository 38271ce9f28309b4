//! The migration of docs/migrating.md, rehearsed: two Node and two Rust processes behind one proxy, and forty visitors who come
//! without pause from the first phase to the last. Nobody is signed out, and nothing that was counted is lost.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use hardtack_engines::{Redis, wait_until};
use rand::RngExt as _;
use tokio::task::JoinHandle;

use crate::{
    site::{Front, Server, keys},
    visitor::{Seen, Visitor},
};

const VISITORS: usize = 40;
/// The cookie that both fleets share.
const IRON: &str = "iron-example";
/// How often each visitor looks in every phase, at least.
const LOOKS: u64 = 20;

/// What happened to all visitors.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) looks: AtomicU64,
    pub(crate) sessions_lost: AtomicU64,
    pub(crate) counts_lost: AtomicU64,
    pub(crate) sign_outs: AtomicU64,
    pub(crate) sign_outs_undone: AtomicU64,
    pub(crate) failed: AtomicU64,
    /// How often each of them looked.
    pub(crate) each: Vec<AtomicU64>,
    /// Whether a copy of a cookie is nobody's after the sign-out.
    copies_end: AtomicBool,
    pub(crate) is_over: AtomicBool,
}

impl Tally {
    pub(crate) fn of(visitors: usize) -> Self {
        Self { each: (0..visitors).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    /// Waits until every visitor has looked a few times more.
    pub(crate) fn phase(&self, name: &str) {
        let before: Vec<u64> = self.each.iter().map(|looks| looks.load(SeqCst)).collect();
        let looked = |(looks, before): (&AtomicU64, &u64)| looks.load(SeqCst) >= before + LOOKS;
        wait_until(name, || self.each.iter().zip(&before).all(looked));
        let (looks, lost) = (self.looks.load(SeqCst), self.sessions_lost.load(SeqCst));
        println!("{name}: {looks} looks, {lost} sessions lost");
    }

    pub(crate) fn told(&self) -> String {
        let [looks, sessions, counts, outs, undone, failed] = [
            &self.looks,
            &self.sessions_lost,
            &self.counts_lost,
            &self.sign_outs,
            &self.sign_outs_undone,
            &self.failed,
        ]
        .map(|number| number.load(SeqCst));
        format!(
            "{looks} looks, {outs} sign-outs: {sessions} sessions lost, {counts} counts lost, {undone} sign-outs undone, {failed} requests failed"
        )
    }

    /// What a visitor saw who must see `expected`.
    fn judge(&self, seen: &Seen, expected: &Seen) {
        self.looks.fetch_add(1, SeqCst);
        if seen.0 != expected.0 {
            self.sessions_lost.fetch_add(1, SeqCst);
        } else if seen.1 != expected.1 {
            self.counts_lost.fetch_add(1, SeqCst);
        }
    }
}

/// One visitor's day: signs in, counts and looks; every second one signs out now and then, and in again.
async fn come(mut visitor: Visitor, me: usize, tally: Arc<Tally>) -> Result<(), String> {
    let name = format!("visitor-{me}");
    while !tally.is_over.load(SeqCst) {
        visitor.sign_in("", &name).await?;
        let mut expected = (Some(name.clone()), 0);
        // The last of the shared cookies: where it is still good, a copy of it must end with the session.
        let mut iron = None;
        let stays = rand::rng().random_range(20..60);
        for look in 0.. {
            if tally.is_over.load(SeqCst) || (me.is_multiple_of(2) && look == stays) {
                break;
            }
            if rand::random() {
                visitor.count("").await?;
                expected.1 += 1;
            }
            tally.judge(&visitor.seen("").await?, &expected);
            tally.each[me].fetch_add(1, SeqCst);
            iron = visitor.jar.get(IRON).cloned().or(iron);
        }
        if tally.is_over.load(SeqCst) {
            break;
        }
        let copies_end = tally.copies_end.load(SeqCst);
        let mut copy = visitor.clone();
        visitor.sign_out("").await?;
        let mut is_nobody = visitor.seen("").await? == (None, 0);
        if copies_end {
            is_nobody &= copy.seen("").await?.0.is_none();
            if let Some(iron) = iron {
                copy.jar = [(IRON.to_owned(), iron)].into();
                is_nobody &= copy.seen("").await?.0.is_none();
            }
        }
        tally.sign_outs.fetch_add(1, SeqCst);
        tally.sign_outs_undone.fetch_add(u64::from(!is_nobody), SeqCst);
    }
    Ok(())
}

fn crowd(site: &str, tally: &Arc<Tally>) -> Vec<JoinHandle<()>> {
    let visit = |me| {
        let (visitor, tally) = (Visitor::new(site), tally.clone());
        tokio::spawn(async move {
            if let Err(error) = come(visitor, me, tally.clone()).await {
                println!("visitor {me}: {error}");
                tally.failed.fetch_add(1, SeqCst);
                // The others are not held up.
                tally.each[me].store(u64::MAX / 2, SeqCst);
            }
        })
    };
    (0..VISITORS).map(visit).collect()
}

/// B12: the whole way, with the way back in its first step.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fleet_moves_from_node_to_rust_under_load_and_loses_no_session() {
    let (redis, keys, tally) = (Redis::start(), keys(), Arc::new(Tally::of(VISITORS)));
    let node = [Server::node(), Server::node()];
    let mut front = Front::new(&[&node[0], &node[1]], &[]);
    let crowd = crowd(&front.url, &tally);
    tally.phase("two Node");

    let rust = [Server::rust(&keys, &[]), Server::rust(&keys, &[])];
    front.switch(&[&node[0], &node[1]], &[&rust[0], &rust[1]]);
    tally.phase("two Node and two Rust that emit");

    front.switch(&[&node[0], &node[1]], &[]);
    tally.phase("back to two Node");

    front.switch(&[&node[0], &node[1]], &[&rust[0], &rust[1]]);
    tally.phase("two Node and two Rust again");

    front.switch(&[], &[&rust[0], &rust[1]]);
    node.into_iter().for_each(Server::end);
    tally.phase("two Rust that emit");

    // Two who do not come for a while.
    let (mut early, mut late) = (Visitor::new(&front.url), Visitor::new(&front.url));
    for (visitor, name) in [(&mut early, "early"), (&mut late, "late")] {
        visitor.sign_in("", name).await.unwrap();
        visitor.count("").await.unwrap();
        assert!(visitor.jar.contains_key(IRON));
    }

    let until = SystemTime::now() + Duration::from_secs(8);
    let accept = [
        ("REDIS_URL", &*redis.url()),
        ("ACCEPT_UNTIL", &until.duration_since(UNIX_EPOCH).unwrap().as_secs().to_string()),
    ];
    let green = [Server::rust(&keys, &accept), Server::rust(&keys, &accept)];
    front.switch(&[], &[&green[0], &green[1]]);
    assert_eq!(early.seen("").await.unwrap(), (Some("early".into()), 1));
    assert_eq!(early.jar.keys().collect::<Vec<_>>(), ["__Host-session"]);
    rust.into_iter().for_each(Server::end);
    tally.copies_end.store(true, SeqCst);
    tally.phase("two Rust that accept");

    wait_until("the date is over", || SystemTime::now() > until);
    assert_eq!(late.seen("").await.unwrap(), (None, 0), "after the date a foreign cookie is nobody's");
    assert_eq!(early.seen("").await.unwrap(), (Some("early".into()), 1), "ours live on");
    tally.phase("after the date");

    tally.is_over.store(true, SeqCst);
    for visitor in crowd {
        visitor.await.unwrap();
    }
    println!("the roll-out: {}", tally.told());
    let none = [&tally.sessions_lost, &tally.counts_lost, &tally.sign_outs_undone, &tally.failed];
    assert!(none.iter().all(|number| number.load(SeqCst) == 0), "{}", tally.told());
    assert!(tally.sign_outs.load(SeqCst) > 0);
}
