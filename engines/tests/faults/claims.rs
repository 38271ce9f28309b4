//! What holds whatever engine keeps the sessions, and however it fails.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use hardtack::store::Store;
use hardtack_engines::Proxy;

use crate::{person::Person, site::Site};

/// A real server, and a store on it.
pub trait Engine: Send + Sync + 'static {
    type Store: Store;

    /// One that forgets nothing of what it acknowledged, even when it is killed.
    fn start() -> Self;
    fn address(&self) -> SocketAddr;
    /// A store that reaches the server at this address, which may be a proxy's.
    fn store(&self, address: SocketAddr) -> impl Future<Output = Self::Store> + Send;
    fn kill(&self);
    fn start_again(&self);
    fn pause(&self);
    fn resume(&self);
}

/// So long the store has for an answer, where it does not get one.
pub const SHORT: Duration = Duration::from_secs(2);
/// The longest that there is, where the order of events is what counts.
const LONG: Duration = Duration::from_secs(60);

/// An engine, a proxy before it and a site behind that.
pub struct Stage<E> {
    pub engine: E,
    pub proxy: Arc<Proxy>,
    pub site: Site,
}

impl<E: Engine> Stage<E> {
    async fn new(store_deadline: Duration) -> Self {
        let engine = E::start();
        let proxy = Arc::new(Proxy::to(engine.address()));
        let site = Site::start(engine.store(proxy.address()).await, store_deadline).await;
        Self { engine, proxy, site }
    }

    /// Pages that have nothing to do with a session, with its cookie and without.
    async fn serves_the_public(&self, times: usize, cookie: &str) {
        for _ in 0..times {
            for cookie in ["", cookie] {
                let reply = self.site.send("GET", "/public", cookie).await;
                assert_eq!((reply.status, &*reply.body), (200, "for everybody"));
            }
        }
    }

    /// Breaks something, looks at what the site does meanwhile, mends it, and looks at what is left.
    pub async fn goes_through(self, breaks: impl FnOnce(&Self), mends: impl FnOnce(&Self)) {
        let names = ["ada", "bob", "eve"];
        let mut people = Vec::new();
        for (at, name) in names.into_iter().enumerate() {
            let mut person = Person::sign_in(&self.site, name).await;
            for _ in 0..=at {
                assert_eq!(person.count().await, 200);
            }
            people.push(person);
        }
        let (gone, leaving) = (Person::sign_in(&self.site, "gone").await, Person::sign_in(&self.site, "leaving").await);
        assert_eq!(gone.sign_out().await, 200);

        breaks(&self);
        // All at the same time, so that a deadline passes once.
        let cookie = people[0].cookie.clone();
        let (answers, ..) = tokio::join!(
            async {
                let (signing_in, nobody_yet) =
                    (self.site.begin("POST", "/sign-in/mallory", ""), self.site.begin("GET", "/who", ""));
                let [ada, bob, eve] = people.get_disjoint_mut([0, 1, 2]).unwrap();
                let statuses = tokio::join!(ada.count(), bob.count(), eve.count(), leaving.sign_out());
                assert_eq!(statuses, (503, 503, 503, 503), "nothing is acknowledged that is not done");
                let (signing_in, nobody_yet) = (signing_in.await.unwrap(), nobody_yet.await.unwrap());
                assert_eq!((signing_in.status, signing_in.cookie), (503, None), "nobody signs in");
                assert_eq!(nobody_yet.body, "nobody 0", "who brings no cookie needs no store");
            },
            async {
                let present = tokio::join!(people_is_in(&self.site, &cookie), people_is_in(&self.site, &gone.cookie));
                assert_eq!(present, (503, 503), "who has a cookie is neither let in nor taken for a stranger");
            },
            self.serves_the_public(50, &cookie),
        );
        let () = answers;

        mends(&self);
        while people[0].is_in().await.inspect(|is_in| assert!(is_in, "ada is signed out")).is_none() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for person in &mut people {
            person.finds_all_that_was_acknowledged().await;
            assert_eq!(person.count().await, 200, "all is well again");
            person.finds_all_that_was_acknowledged().await;
        }
        assert_eq!(gone.is_in().await, Some(false), "an acknowledged sign-out holds");
        assert!(leaving.is_in().await.is_some());
        assert_eq!(leaving.sign_out().await, 200);
        assert_eq!(leaving.is_in().await, Some(false));
    }
}

async fn people_is_in(site: &Site, cookie: &str) -> u16 {
    site.send("GET", "/who", cookie).await.status
}

pub async fn a_server_that_is_killed_and_comes_back<E: Engine>() {
    Stage::<E>::new(SHORT).await.goes_through(|stage| stage.engine.kill(), |stage| stage.engine.start_again()).await;
}

pub async fn a_server_that_is_paused_and_goes_on<E: Engine>() {
    Stage::<E>::new(SHORT).await.goes_through(|stage| stage.engine.pause(), |stage| stage.engine.resume()).await;
}

pub async fn a_network_that_swallows_everything<E: Engine>() {
    Stage::<E>::new(SHORT).await.goes_through(|stage| stage.proxy.black_hole(), |stage| stage.proxy.resume()).await;
}

/// Its connections too are cut, so that new ones end in the hole.
pub async fn a_port_that_is_a_black_hole<E: Engine>() {
    let breaks = |stage: &Stage<E>| {
        stage.proxy.black_hole();
        stage.proxy.cut();
    };
    Stage::<E>::new(SHORT).await.goes_through(breaks, |stage| stage.proxy.resume()).await;
}

/// J06: while the store's answers are withheld, other routes do not wait, and then everybody gets his own.
pub async fn an_answer_that_is_withheld_holds_up_nobody_else<E: Engine>() {
    let stage = Stage::<E>::new(LONG).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve", "zoe"] {
        people.push(Person::sign_in(&stage.site, name).await);
    }
    stage.proxy.hold();
    // Many more than there are connections to the engine.
    let waiting: Vec<_> = (0..200)
        .map(|at| {
            let person = &people[at % people.len()];
            (person.name, stage.site.begin("GET", "/who", &person.cookie))
        })
        .collect();
    stage.serves_the_public(200, &people[0].cookie).await;
    assert!(waiting.iter().all(|(_, reply)| !reply.is_finished()), "400 pages were served meanwhile");
    stage.proxy.resume();
    for (name, reply) in waiting {
        let reply = reply.await.unwrap();
        assert_eq!((reply.status, reply.body), (200, format!("{name} 0")));
    }
}

/// Design, section 9: the answer of the engine is lost, and the write is found by its id.
pub async fn a_write_whose_answer_is_lost_is_done_once<E: Engine>() {
    let stage = Stage::<E>::new(LONG).await;
    let mut ada = Person::sign_in(&stage.site, "ada").await;
    for at in 1..=20 {
        let proxy = Arc::clone(&stage.proxy);
        stage.site.interrupt(move || proxy.lose_next_reply());
        assert_eq!(ada.count().await, 200, "{at}");
        assert_eq!(stage.proxy.lost(), at);
    }
    ada.has_counted_exactly(20).await;
}

/// The request itself is cut, after its first bytes.
pub async fn a_write_that_does_not_arrive_whole_is_done_once<E: Engine>() {
    let stage = Stage::<E>::new(LONG).await;
    let mut ada = Person::sign_in(&stage.site, "ada").await;
    for at in 1..=20 {
        let proxy = Arc::clone(&stage.proxy);
        stage.site.interrupt(move || proxy.cut_after(at * 7));
        assert_eq!(ada.count().await, 200, "{at}");
    }
    ada.has_counted_exactly(20).await;
}

/// Connections that many share break again and again: what was acknowledged is there, nothing is there twice.
pub async fn a_crowd_whose_connections_are_cut_counts_what_was_acknowledged<E: Engine>() {
    let stage = Stage::<E>::new(LONG).await;
    let ada = Person::sign_in(&stage.site, "ada").await;
    let crowd: Vec<_> = (0..8)
        .map(|worker| {
            let (site, proxy, cookie) = (stage.site.clone(), Arc::clone(&stage.proxy), ada.cookie.clone());
            tokio::spawn(async move {
                let mut statuses = Vec::new();
                for step in 0..20 {
                    let proxy = Arc::clone(&proxy);
                    match (worker + step) % 8 {
                        0 => site.interrupt(move || proxy.lose_next_reply()),
                        3 => site.interrupt(move || proxy.cut()),
                        6 => site.interrupt(move || proxy.cut_after(40)),
                        _ => {}
                    }
                    statuses.push(site.send("POST", "/count", &cookie).await.status);
                }
                statuses
            })
        })
        .collect();
    let (mut done, mut unknown) = (0, 0);
    for worker in crowd {
        for status in worker.await.unwrap() {
            match status {
                200 => done += 1,
                503 => unknown += 1,
                other => panic!("a count got {other}"),
            }
        }
    }
    let reply = stage.site.send("GET", "/who", &ada.cookie).await;
    let count: u64 = reply.body.strip_prefix("ada ").expect("ada").parse().unwrap();
    assert!((done..=done + unknown).contains(&count), "{done} acknowledged, {unknown} unknown, {count} counted");
    assert!(done > 0 && stage.proxy.lost() > 0, "{done} acknowledged");
}
