//! Stateless sessions whose endings go through the feed of a store: a logout that holds everywhere, without a record
//! of any session.

use std::time::Duration;

use hardtack::{Clock, Key, Keyring, Lifetime, Revocations, Sessions};

use crate::{
    client::{Browser, ask, get, is_dead, say},
    common::START,
    store::{Call, Fault},
    world::{HOUR, Node, Setup, World, at_once, until},
};

/// One more server, with a memory of its own.
fn another(world: &World, clock: &Clock) -> Node {
    let keys = Keyring::new(Key::parse(&world.key.to_secret_text()).unwrap(), []).unwrap();
    let lifetime = Lifetime::default().skew(Duration::from_secs(120));
    let builder = Sessions::stateless(keys).revocations(Revocations::in_feed(world.store()));
    world.serve(builder.clock(clock.clone()).lifetime(lifetime).build().unwrap())
}

/// E01, E02: other nodes hear of a logout and of the end of an owner without being asked for anything else, and a node that
/// starts later has read of them before its first answer.
pub fn an_ending_holds_everywhere_and_across_restarts(setup: Setup) {
    let world = setup.world();
    let mut ada = world.browser("sign-in.ada");
    let (copy, bob) = (ada.cookie.clone(), world.browser("sign-in.bob"));
    for cookie in [&copy, &bob.cookie] {
        assert!(at_once(world.there(), cookie).is_some());
    }
    ada.go(world.here(), "sign-out");
    say(world.here(), "", "end-owner.bob");
    for cookie in [&copy, &bob.cookie] {
        assert_eq!(at_once(world.here(), cookie), None, "it ended here");
        until(|| at_once(world.there(), cookie).is_none());
    }
    let late = another(&world, &world.clock);
    assert_eq!((say(&late, &copy, "who"), say(&late, &bob.cookie, "who")), ("nobody".into(), "nobody".into()));
    assert!(world.rows().is_empty(), "and no session has a record");
}

/// E01, E08: a logout that nobody can be told of is a 503 and no logout, here neither; reading goes on.
pub fn a_logout_without_the_feed_is_no_logout(setup: Setup) {
    let world = setup.world();
    let mut ada = world.browser("sign-in.ada");
    let copy = ada.cookie.clone();
    for fault in [Fault::Refuse, Fault::Hang] {
        world.watch().plan(Call::Publish, fault);
        let reply = ada.ask(world.here(), "sign-out");
        assert_eq!((reply.status, reply.set_cookies().len()), (503, 0));
        for node in &world.nodes {
            assert_eq!(say(node, &copy, "who"), "ada");
        }
    }
    ada.go(world.here(), "sign-out");
    is_dead(&world, &copy);
}

/// E08: a node that could not read what has ended says so to those with a session, until it has. Others see its pages.
pub fn a_node_that_knows_nothing_trusts_nobody(setup: Setup) {
    let world = setup.world();
    let mut ada = world.browser("sign-in.ada");
    let copy = ada.cookie.clone();
    ada.go(world.here(), "sign-out");
    world.watch().deafen(true);
    let late = another(&world, &world.clock);
    assert_eq!(ask(&late, &copy, "who").status, 503);
    assert_eq!(get(&late, "/plain", &copy).text(), "plain");
    world.watch().deafen(false);
    until(|| late.sessions.feed_age().is_some());
    assert_eq!(say(&late, &copy, "who"), "nobody");
}

/// D07, E02: the clock of the node that ends an owner's sessions may be behind that of the node which made them.
pub fn a_clock_that_is_behind_ends_them_all_the_same(setup: Setup) {
    for (makes, ends) in [(90, 0), (0, 90)] {
        let world = setup.world();
        let clocks = [makes, ends].map(|ahead: u64| Clock::manual(START + ahead * 1_000));
        let [makes, ends] = clocks.each_ref().map(|clock| another(&world, clock));
        let mut ada = Browser::default();
        ada.go(&makes, "sign-in.ada");
        say(&ends, "", "end-owner.ada");
        for node in [&makes, &ends] {
            assert_eq!(say(node, &ada.cookie, "who"), "nobody");
        }
        let mut again = Browser::default();
        again.go(&makes, "sign-in.ada");
        assert_eq!(say(&ends, &again.cookie, "who"), "ada", "who signs in afterwards is in");
        clocks.iter().for_each(|clock| clock.advance(HOUR / 2));
        assert_eq!(say(&ends, &ada.cookie, "who"), "nobody");
    }
}
