//! Forty visitors who come without pause, and what became of their sessions.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering::SeqCst},
};

use hardtack_engines::wait_until;
use rand::RngExt as _;
use tokio::task::JoinHandle;

use crate::visitor::{Seen, Visitor};

/// Visitors of a crowd.
const VISITORS: usize = 40;
/// How often each visitor looks in every phase, at least.
const LOOKS: u64 = 20;

/// What happened to all visitors.
#[derive(Default)]
pub(crate) struct Tally {
    looks: AtomicU64,
    sessions_lost: AtomicU64,
    counts_lost: AtomicU64,
    sign_outs: AtomicU64,
    sign_outs_undone: AtomicU64,
    failed: AtomicU64,
    /// How often each of them looked.
    each: Vec<AtomicU64>,
    /// Whether a copy of a cookie is nobody's after the sign-out.
    pub(crate) copies_end: AtomicBool,
    is_over: AtomicBool,
}

impl Tally {
    pub(crate) fn new() -> Self {
        Self { each: (0..VISITORS).map(|_| AtomicU64::new(0)).collect(), ..Self::default() }
    }

    /// Waits until every visitor has looked a few times more.
    pub(crate) fn phase(&self, name: &str) {
        let before: Vec<u64> = self.each.iter().map(|looks| looks.load(SeqCst)).collect();
        let looked = |(looks, before): (&AtomicU64, &u64)| looks.load(SeqCst) >= before.saturating_add(LOOKS);
        wait_until(name, || self.each.iter().zip(&before).all(looked));
        let (looks, lost) = (self.looks.load(SeqCst), self.sessions_lost.load(SeqCst));
        println!("{name}: {looks} looks, {lost} sessions lost");
    }

    /// Sends the crowd home and says what was lost.
    ///
    /// # Panics
    ///
    /// When anything was.
    pub(crate) async fn end(&self, fleet: &str, crowd: Vec<JoinHandle<()>>) {
        self.is_over.store(true, SeqCst);
        for visitor in crowd {
            visitor.await.unwrap();
        }
        println!("{fleet}: {}", self.told());
        let none = [&self.sessions_lost, &self.counts_lost, &self.sign_outs_undone, &self.failed];
        assert!(none.iter().all(|number| number.load(SeqCst) == 0), "{}", self.told());
        assert!(self.sign_outs.load(SeqCst) > 0, "{}", self.told());
    }

    fn told(&self) -> String {
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
async fn come(mut visitor: Visitor, me: usize, cookie: &str, tally: &Tally) -> Result<(), String> {
    let name = format!("visitor-{me}");
    while !tally.is_over.load(SeqCst) {
        visitor.sign_in("", &name).await?;
        let mut expected = (Some(name.clone()), 0);
        // The last of the cookies of both fleets: where it is still good, a copy of it must end with the session.
        let mut shared = None;
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
            shared = visitor.jar.get(cookie).cloned().or(shared);
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
            if let Some(shared) = shared {
                copy.jar = [(cookie.to_owned(), shared)].into();
                is_nobody &= copy.seen("").await?.0.is_none();
            }
        }
        tally.sign_outs.fetch_add(1, SeqCst);
        tally.sign_outs_undone.fetch_add(u64::from(!is_nobody), SeqCst);
    }
    Ok(())
}

/// Forty visitors, who come until it is over.
pub(crate) fn come_all(site: &str, cookie: &'static str, tally: &Arc<Tally>) -> Vec<JoinHandle<()>> {
    let visit = |me| {
        let (visitor, tally) = (Visitor::new(site), tally.clone());
        tokio::spawn(async move {
            if let Err(error) = come(visitor, me, cookie, &tally).await {
                println!("visitor {me}: {error}");
                tally.failed.fetch_add(1, SeqCst);
                // The others are not held up.
                tally.each[me].store(u64::MAX, SeqCst);
            }
        })
    };
    (0..VISITORS).map(visit).collect()
}
