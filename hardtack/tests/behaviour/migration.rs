//! B12: sessions that were all in their cookies move into the store, once, under their own ids, until a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hardtack::{Key, Keyring, Kind, Revocations, Sessions, SessionsBuilder};

use crate::{
    client::{Browser, Pending, ask, is_dead, say, without_cookie},
    common::START,
    world::{DAY, HOUR, Node, Setup, World},
};

/// How long sessions are moved.
const WEEK: Duration = Duration::from_secs(7 * 86_400);

/// A stored world that moves sessions for a week.
struct Move {
    world: World,
    /// The stateless server from before it, which had the endings that are passed on.
    before: Node,
    /// One more node of the world, to which nobody passed anything on.
    ignorant: Node,
}

impl Move {
    fn new(setup: Setup) -> Self {
        let revocations = Revocations::in_memory();
        let until: SystemTime = UNIX_EPOCH + Duration::from_millis(START) + WEEK;
        let moving = |builder: SessionsBuilder| {
            builder.migrate_from(Kind::Stateless, until).remember_me(30 * DAY).carry_over(["cart"])
        };
        let world = setup.world_with(&|builder| moving(builder).revocations(revocations.clone()));
        let keys = Keyring::new(Key::parse(&world.key.to_secret_text()).unwrap(), []).unwrap();
        let ignorant = Sessions::stored(keys.clone(), world.store()).clock(world.clock.clone());
        let ignorant = world.serve(moving(ignorant).purge_interval(Duration::ZERO).build().unwrap());
        let before = Sessions::stateless(keys).clock(world.clock.clone()).revocations(revocations.clone());
        let before = world.serve(before.remember_me(30 * DAY).build().unwrap());
        Self { world, before, ignorant }
    }

    /// These bytes are nobody's, on all nodes.
    #[track_caller]
    fn is_dead(&self, cookie: &str) {
        is_dead(&self.world, cookie);
        assert_eq!(say(&self.ignorant, cookie, "who/get.note/live"), "nobody,-,false");
    }

    /// A browser that was served before the move.
    fn browser(&self, steps: &str) -> Browser {
        let mut browser = Browser::default();
        browser.go(&self.before, steps);
        browser
    }
}

/// Twenty first requests at once, on two nodes, move a session once: one row, all of their writes, the same handle and
/// deadline; the cookie afterwards holds no data.
pub fn a_session_is_moved_once_under_load(setup: Setup) {
    let moved = Move::new(setup);
    let world = &moved.world;
    let mut browser = moved.browser("sign-in.ada/set.note.mine/add.100");
    let handle = browser.go(&moved.before, "handle");
    world.clock.advance(HOUR / 4);
    let (name, gate) = world.new_gate();
    let begin = |at: usize| browser.begin(&world.nodes[at % 2], &format!("wait.{name}/add.1/who/get.note"));
    let requests: Vec<_> = (0..20).map(begin).collect();
    gate.arrivals(20);
    gate.open();
    for reply in requests.into_iter().map(Pending::reply).collect::<Vec<_>>() {
        assert_eq!(reply.text(), "ada,mine");
        let mut browser = browser.clone();
        browser.receive(&reply);
        assert_ne!(world.inspect(&browser.cookie).kind(), Kind::Stateless);
        assert_eq!(browser.go(world.there(), "who/get.note/count/handle"), format!("ada,mine,120,{handle}"));
    }
    let rows = world.rows();
    assert_eq!((rows.len(), rows[0].1.owner()), (1, Some("ada")));
    assert_eq!(rows[0].1.facts().absolute_deadline, world.inspect(&browser.cookie).absolute_deadline());
}

/// The stateless cookie of a session that was moved opens the moved session, not the data of then, until its browser
/// has the new cookie.
pub fn the_old_cookie_of_a_moved_session_shows_the_new_data(setup: Setup) {
    let moved = Move::new(setup);
    let world = &moved.world;
    let mut browser = moved.browser("sign-in.ada/set.note.old/remember");
    let old = browser.cookie.clone();
    browser.go(world.here(), "set.note.new");
    assert_eq!(say(world.there(), &old, "who/get.note"), "ada,new");
    assert_eq!((browser.go(world.there(), "who"), world.rows().len()), ("ada".into(), 1));
    assert_eq!(world.rows()[0].1.facts().absolute_deadline, START + 30 * 86_400_000);
}

/// A replay of the stateless cookie after the sign-out is refused on every node, as long as it would have opened, with
/// all that a purge takes away meanwhile.
pub fn the_old_cookie_is_refused_after_the_sign_out(setup: Setup) {
    for steps in ["sign-out", "sign-in.bob", "sign-in.ada"] {
        let moved = Move::new(setup);
        let world = &moved.world;
        let mut browser = moved.browser("sign-in.ada/set.note.old/remember");
        let old = browser.cookie.clone();
        browser.go(world.there(), "who");
        browser.go(world.here(), steps);
        for _ in 0..6 {
            moved.is_dead(&old);
            assert!(world.rows().iter().all(|(key, _)| *key != world.inspect(&old).handle().into()));
            world.clock.advance(DAY);
            world.purge();
        }
    }
}

/// E07: a sign-out beats the slow request that moved the session.
pub fn logout_beats_the_request_that_moved_the_session(setup: Setup) {
    for work in ["who", "set.note.late", "renew"] {
        let moved = Move::new(setup);
        let browser = moved.browser("sign-in.ada/set.note.old");
        let slow = browser.begin(moved.world.here(), &format!("who/wait.gate/{work}"));
        moved.world.gate("gate").arrived();
        say(moved.world.there(), &browser.cookie, "sign-out");
        moved.world.gate("gate").open();
        without_cookie(&slow.reply());
        moved.is_dead(&browser.cookie);
        assert!(moved.world.rows().is_empty(), "{work}");
    }
}

/// A session that was ended before the move does not come back by it.
pub fn what_ended_before_the_move_is_not_moved(setup: Setup) {
    for ending in ["sign-out", "end-owner.ada", "sign-in.bob"] {
        let moved = Move::new(setup);
        let browser = moved.browser("sign-in.ada/set.note.old");
        say(&moved.before, &browser.cookie, ending);
        is_dead(&moved.world, &browser.cookie);
        assert!(moved.world.rows().is_empty());
    }
}

/// Ending an owner, or one session by its handle, ends what was not moved yet too.
pub fn an_ending_in_between_refuses_what_was_not_moved(setup: Setup) {
    let moved = Move::new(setup);
    let world = &moved.world;
    let mut devices = [moved.browser("sign-in.ada/set.note.a"), moved.browser("sign-in.ada/set.note.b")];
    let others = moved.browser("sign-in.bob");
    devices[0].go(world.here(), "who");
    assert_eq!(say(world.there(), "", "end-owner.ada"), "");
    for device in &devices {
        moved.is_dead(&device.cookie);
    }
    assert_eq!(say(world.here(), &others.cookie, "who"), "bob");
    let mut browser = moved.browser("sign-in.carol/set.note.c");
    let handle = browser.go(&moved.before, "handle");
    assert_eq!(say(world.there(), "", &format!("end.{handle}")), "");
    moved.is_dead(&browser.cookie);
    let (mut one, another) = (moved.browser("sign-in.dora"), moved.browser("sign-in.dora"));
    one.go(world.here(), "end-others");
    moved.is_dead(&another.cookie);
    assert_eq!(one.go(world.there(), "who"), "dora");
    assert_eq!(world.rows().len(), 2, "bob's and dora's");
}

/// After the date nothing is moved any more; what was moved lives on.
pub fn after_the_date_nothing_is_moved(setup: Setup) {
    let moved = Move::new(setup);
    let world = &moved.world;
    let mut in_time = moved.browser("sign-in.ada/remember/set.note.mine");
    let late = moved.browser("sign-in.bob/remember/set.note.mine");
    in_time.go(world.here(), "who");
    world.clock.advance(WEEK - Duration::from_millis(1));
    let last = moved.browser("sign-in.carol");
    assert_eq!(say(world.here(), &last.cookie, "who"), "carol");
    world.clock.advance(Duration::from_millis(1));
    is_dead(world, &late.cookie);
    is_dead(world, &last.cookie);
    assert_eq!(in_time.go(world.there(), "who/get.note"), "ada,mine");
}

/// Visitors have the same kind of cookie before and after, and make no row.
pub fn visitors_are_not_moved(setup: Setup) {
    let moved = Move::new(setup);
    let world = &moved.world;
    let mut visitor = moved.browser("set.cart.tea/set.note.x");
    assert_eq!(visitor.go(world.there(), "get.cart/add.1"), "tea");
    assert!(world.rows().is_empty());
    assert_eq!(visitor.go(world.here(), "sign-in.ada/get.cart/get.note"), "tea,-");
    assert_eq!((visitor.go(world.there(), "who"), world.rows().len()), ("ada".into(), 1));
}

/// Without `migrate_from` a stateless cookie under the same keys is nobody's, and the other way round.
pub fn a_cookie_of_another_placement_is_nobodys(setup: Setup) {
    let moved = Move::new(setup);
    let world = setup.world();
    let keys = || Keyring::new(Key::parse(&world.key.to_secret_text()).unwrap(), []).unwrap();
    let other = world.serve(Sessions::stateless(keys()).clock(world.clock.clone()).build().unwrap());
    let (stateless, stored) = (say_cookie(&other), world.browser("sign-in.ada").cookie);
    is_dead(&world, &stateless);
    assert_eq!(say(&other, &stored, "who/refusal"), "nobody,wrong_kind");
    let stored = moved.world.browser("sign-in.ada").cookie;
    assert_eq!(say(&moved.before, &stored, "who/refusal"), "nobody,wrong_kind");
    assert_eq!(without_cookie(&ask(moved.world.here(), &stored, "who")), "ada");
}

fn say_cookie(node: &Node) -> String {
    let mut browser = Browser::default();
    browser.go(node, "sign-in.ada");
    browser.cookie
}
