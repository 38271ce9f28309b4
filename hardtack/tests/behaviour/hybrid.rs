//! The hybrid placement: a copy in the cookie that is read without the store, for as long as nothing speaks against it.
//! What others got wrong (better-auth #9177 and those it lists) is here as claims.

use std::time::Duration;

use hardtack::{BuildError, Clock, Key, Keyring, Kind, Lifetime, Sessions, store::MemoryStore};

use crate::{
    client::{Browser, Pending, ask, get, is_dead, said, say, without_cookie},
    common::START,
    store::{Call, Fault, Watch},
    world::{HOUR, MINUTE, Node, Setup, World, at_once, until, wait},
};

const SECOND: Duration = Duration::from_secs(1);

/// The node has not heard from the feed for longer than its bound.
fn until_deaf(node: &Node) {
    until(|| node.sessions.feed_age().is_some_and(|age| age > 2 * SECOND));
}

fn calls_of(watch: &Watch, work: impl FnOnce()) -> Vec<Call> {
    watch.calls();
    work();
    watch.kinds()
}

/// D06, E08: within the window a session is read, on every node, without a call of the store and without a cookie.
pub fn a_copy_is_read_without_the_store(setup: Setup) {
    let world = setup.world();
    for steps in ["sign-in.ada/set.note.mine", "keep/set.note.mine"] {
        let browser = world.browser(steps);
        assert_eq!(world.inspect(&browser.cookie).kind(), Kind::Hybrid);
        let calls = calls_of(world.watch(), || {
            for at in 0..100 {
                let reply = ask(&world.nodes[at % 2], &browser.cookie, "get.note/live/csrf");
                assert!(without_cookie(&reply).starts_with("mine,true,"));
            }
        });
        assert_eq!(calls, []);
    }
}

/// A copy is used for the window and not a millisecond longer; then one call confirms it, and the new copy is good for
/// another window. Using it in between does not make it any younger (better-auth #8770, #2020).
pub fn a_copy_is_confirmed_once_in_a_window(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    for _ in 0..3 {
        world.clock.advance(MINUTE - Duration::from_millis(1));
        let calls = calls_of(world.watch(), || {
            assert_eq!(without_cookie(&ask(world.there(), &browser.cookie, "get.note")), "mine");
        });
        assert_eq!(calls, []);
        world.clock.advance(Duration::from_millis(1));
        let calls = calls_of(world.watch(), || {
            assert_eq!(browser.go(world.there(), "get.note"), "mine");
        });
        assert_eq!(calls, [Call::Load, Call::Load], "one to know it, one that it did not end during the request");
        assert_eq!(calls_of(world.watch(), || assert_eq!(browser.go(world.here(), "who"), "ada")), []);
    }
}

/// Of two cookies of a session the older one shows what it knows until the window ends, and then what is so: it can
/// neither write over what is newer nor bring it back.
pub fn an_older_copy_is_read_for_a_window_and_writes_nothing_back(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.old/set.colour.red");
    let old = browser.clone();
    browser.go(world.here(), "set.note.new");
    assert_eq!(say(world.there(), &old.cookie, "get.note"), "old", "so long as the window at most");
    let mut writes = old.clone();
    writes.go(world.there(), "set.colour.blue/add.1");
    assert_eq!(writes.go(world.here(), "get.note/get.colour/count"), "new,blue,1");
    world.clock.advance(MINUTE);
    assert_eq!(say(world.here(), &old.cookie, "get.note/get.colour/count"), "new,blue,1");
}

/// E01: a logout is heard of on a node that is asked for nothing else, and by the node itself at once.
pub fn a_logout_is_heard_of_everywhere(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada");
    let mut bytes = vec![browser.cookie.clone()];
    for steps in ["set.note.mine", "renew", "remember"] {
        browser.go(world.there(), steps);
        bytes.push(browser.cookie.clone());
    }
    for cookie in &bytes[1..] {
        assert_eq!(at_once(world.here(), cookie).as_deref(), Some("ada"));
    }
    browser.go(world.here(), "sign-out");
    for cookie in &bytes {
        assert_eq!(at_once(world.here(), cookie), None, "it ended here");
        until(|| at_once(world.there(), cookie).is_none());
    }
    assert!(world.there().sessions.feed_age().is_some_and(|age| age < 2 * SECOND), "and not because it is deaf");
}

/// Ends a browser's session, or more, in some way.
type End = fn(&World, &mut Browser);

/// E02, E03, E05, E06, D10: whichever way a session ends, its copies are over on every node.
pub fn every_ending_is_heard_of(setup: Setup) {
    let world = setup.world();
    let ends: [(&str, End); 4] = [
        ("all of an owner", |world, _| drop(say(world.here(), "", "end-owner.ada"))),
        ("one device", |world, browser| {
            let handle = say(world.there(), &browser.cookie, "handle");
            say(world.here(), "", &format!("end.{handle}"));
        }),
        ("the others", |world, _| drop(world.browser("sign-in.ada").go(world.here(), "end-others"))),
        ("a sign-in", |world, browser| drop(browser.go(world.here(), "sign-in.bob"))),
    ];
    for (how, end) in ends {
        let mut browser = world.browser("sign-in.ada");
        let copy = browser.cookie.clone();
        assert_eq!(at_once(world.there(), &copy).as_deref(), Some("ada"), "{how}");
        end(&world, &mut browser);
        until(|| at_once(world.there(), &copy).is_none());
        is_dead(&world, &copy);
    }
}

/// E08: with the feed cut a node trusts no copy any more once the bound has passed, and asks the store: nobody is
/// signed out by that, and who signed out elsewhere is nobody.
pub fn without_the_feed_the_store_is_asked(setup: Setup) {
    let world = setup.world();
    let (ada, mut bob) = (world.browser("sign-in.ada/set.note.mine"), world.browser("sign-in.bob"));
    let copy = bob.cookie.clone();
    world.watch().deafen(true);
    until_deaf(world.there());
    bob.go(world.here(), "sign-out");
    assert_eq!(at_once(world.there(), &copy), None);
    let calls = calls_of(world.watch(), || {
        assert_eq!(without_cookie(&ask(world.there(), &ada.cookie, "who/get.note")), "ada,mine");
    });
    assert_eq!(calls, [Call::Load]);
    world.watch().deafen(false);
    until(|| world.there().sessions.feed_age().is_some_and(|age| age < SECOND));
    let calls = calls_of(world.watch(), || assert_eq!(say(world.there(), &ada.cookie, "who"), "ada"));
    assert_eq!(calls, [], "and is trusted again when it is heard");
}

/// E08, J05: with the store away copies are read until the bound has passed, writes fail at once and are no success; then
/// 503 for everybody with a session, and other pages go on. Nothing is lost when it comes back.
pub fn without_the_store_copies_are_read_for_the_bound_alone(setup: Setup) {
    let world = setup.world_with(&|builder| builder.store_deadline(SECOND));
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    world.watch().down(Fault::Refuse);
    let reads = at_once(world.here(), &browser.cookie);
    assert_eq!(reads.as_deref(), Some("ada"));
    let reply = ask(world.here(), &browser.cookie, "set.note.other");
    assert_eq!((reply.status, reply.set_cookies().len()), (503, 0));
    until_deaf(world.here());
    for steps in ["who", "set.note.other", "sign-out"] {
        let reply = ask(world.here(), &browser.cookie, steps);
        assert_eq!((reply.status, reply.set_cookies().len()), (503, 0), "{steps}");
    }
    assert_eq!(get(world.here(), "/plain", &browser.cookie).text(), "plain");
    assert_eq!(say(world.here(), "", "who"), "nobody");
    world.watch().up();
    until(|| world.here().sessions.feed_age().is_some_and(|age| age < SECOND));
    assert_eq!(browser.go(world.here(), "who/get.note"), "ada,mine");
}

/// What was told while nobody could hear it speaks against all copies from before: a gap in the feed costs every session
/// one read and forgets no logout.
pub fn after_a_gap_older_copies_ask_the_store(setup: Setup) {
    let world = setup.world();
    let (ada, mut bob) = (world.browser("sign-in.ada"), world.browser("sign-in.bob"));
    let copy = bob.cookie.clone();
    world.watch().deafen(true);
    until_deaf(world.there());
    bob.go(world.here(), "sign-out");
    world.clock.advance(Duration::from_millis(1));
    // The feed was trimmed beyond what this node has read, and has nothing of the ending any more.
    world.watch().forget_news(world.engine());
    world.watch().deafen(false);
    until(|| world.there().sessions.feed_age().is_some_and(|age| age < SECOND));
    assert_eq!(at_once(world.there(), &copy), None);
    let calls = calls_of(world.watch(), || assert_eq!(at_once(world.there(), &ada.cookie).as_deref(), Some("ada")));
    assert_eq!(calls, [Call::Load], "a copy from before the gap");
    let newer = world.browser("sign-in.ada");
    let calls = calls_of(world.watch(), || assert_eq!(at_once(world.there(), &newer.cookie).as_deref(), Some("ada")));
    assert_eq!(calls, [], "a copy from after it");
}

/// E01: a node that starts after a logout has read of it before it trusts its first copy.
pub fn a_node_that_starts_later_knows_what_ended_before(setup: Setup) {
    let world = setup.world();
    let (ada, mut bob) = (world.browser("sign-in.ada"), world.browser("sign-in.bob"));
    let copy = bob.cookie.clone();
    bob.go(world.here(), "sign-out");
    let sessions = world.sessions(&|builder| builder);
    let late = world.serve(sessions);
    assert_eq!(at_once(&late, &copy), None, "before it has read anything, it asks");
    late.follows();
    assert_eq!(at_once(&late, &copy), None);
    assert_eq!(at_once(&late, &ada.cookie).as_deref(), Some("ada"));
}

/// D07: a node whose clock is 90 seconds off, in either direction, hears of every ending, and makes copies that are taken.
pub fn a_clock_that_is_off_revives_nothing(setup: Setup) {
    for (here, there) in [(0, 90), (90, 0)] {
        let world = setup.world();
        let node = |ahead: u64| {
            let clock = Clock::manual(START + ahead * 1_000);
            let lifetime = Lifetime::default().skew(Duration::from_secs(120));
            let node = world.serve(world.sessions(&|builder| builder.clock(clock.clone()).lifetime(lifetime.clone())));
            node.follows();
            node
        };
        let (here, there) = (node(here), node(there));
        for (ends, sees) in [(&here, &there), (&there, &here)] {
            let mut browser = Browser::default();
            browser.go(ends, "sign-in.ada/set.note.mine");
            assert_eq!(say(sees, &browser.cookie, "who/get.note"), "ada,mine");
            let copy = browser.cookie.clone();
            browser.go(ends, "sign-out");
            for node in [ends, sees] {
                assert_eq!(say(node, &copy, "who"), "nobody");
            }
        }
    }
}

/// Data over the limit moves into the store, the cookie shrinks to an id, and the application notices nothing; when
/// there is room again the copy comes back (supabase/ssr#169, oauth2-proxy#29).
pub fn what_does_not_fit_spills_and_comes_back(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.small");
    let (small, large) = (browser.cookie.len(), "x".repeat(6_000));
    for round in 0..3 {
        browser.go(world.here(), &format!("set.colour.{large}/add.1"));
        assert_eq!(world.inspect(&browser.cookie).kind(), Kind::Stored);
        assert!(browser.cookie.len() <= small, "the cookie shrinks");
        let calls = calls_of(world.watch(), || {
            let reply = ask(world.there(), &browser.cookie, "get.colour/get.note/count");
            assert_eq!(without_cookie(&reply), format!("{large},small,{}", round + 1));
        });
        assert_eq!(calls, [Call::Load]);
        browser.go(world.there(), "remove.colour");
        assert_eq!(world.inspect(&browser.cookie).kind(), Kind::Hybrid, "it has room again");
        assert_eq!(calls_of(world.watch(), || assert_eq!(browser.go(world.here(), "get.note"), "small")), []);
    }
}

/// J07: two nodes that grow one session past the limit at the same time lose nothing, and both cookies are good.
pub fn two_nodes_may_spill_at_once(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada/set.note.small");
    let (name, gate) = world.new_gate();
    let grow = |at: usize, field: &str| {
        browser.begin(&world.nodes[at], &format!("get.note/wait.{name}/set.{field}.{}", "x".repeat(2_500)))
    };
    let requests = [grow(0, "colour"), grow(1, "cart")];
    gate.arrivals(2);
    gate.open();
    for reply in requests.map(Pending::reply) {
        let mut browser = browser.clone();
        said(&reply);
        browser.receive(&reply);
        world.clock.advance(MINUTE);
        let seen = browser.go(world.here(), "get.note/get.colour/get.cart");
        assert_eq!(seen.len(), "small".len() + 2 * 2_501, "both are there");
        assert_eq!(world.inspect(&browser.cookie).kind(), Kind::Stored);
    }
}

/// Where the site's other cookies leave no room within the budget, the session takes an id's room alone.
pub fn a_budget_counts_the_other_cookies_too(setup: Setup) {
    let world = setup.world_with(&|builder| builder.cookie_budget(2_048));
    let browser = world.browser(&format!("sign-in.ada/set.note.{}", "n".repeat(600)));
    assert_eq!(world.inspect(&browser.cookie).kind(), Kind::Hybrid);
    let mut crowded = browser.clone();
    crowded.cookie = format!("other={}; {}", "o".repeat(1_200), browser.cookie);
    crowded.go(world.here(), "add.1");
    assert_eq!(world.inspect(&crowded.cookie).kind(), Kind::Stored);
    assert_eq!(crowded.go(world.there(), "count"), "1");
    assert_eq!(world.inspect(&crowded.cookie).kind(), Kind::Hybrid, "without the other cookie there is room again");
}

/// C09, F03: a copy shows nothing and says who it is only to whoever has the key; a signed-out visitor keeps no copy
/// (better-auth #8273), and a refused cookie is one that the store refuses too (#7607, #9233).
pub fn a_sign_out_leaves_no_copy_behind(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let copy = browser.cookie.clone();
    let reply = browser.ask(world.here(), "sign-out");
    assert!(reply.one("set-cookie").starts_with("__Host-session=; "));
    assert_eq!(browser.cookie, "");
    is_dead(&world, &copy);
    world.clock.advance(HOUR);
    is_dead(&world, &copy);
}

/// E08: an error page neither drops the pending copy of a sign-in nor keeps that of a sign-out (better-auth #9177).
pub fn an_error_page_carries_the_cookie_too(setup: Setup) {
    let world = setup.world();
    let mut browser = Browser::default();
    let reply = browser.ask(world.here(), "sign-in.ada/set.note.mine/status.500");
    assert_eq!((reply.status, browser.go(world.there(), "who/get.note").as_str()), (500, "ada,mine"));
    let copy = browser.cookie.clone();
    let reply = browser.ask(world.there(), "sign-out/status.404");
    assert_eq!((reply.status, browser.cookie.as_str()), (404, ""));
    is_dead(&world, &copy);
}

/// D01, D02: the window is no lifetime: idle and absolute end a copy that is still within it, and using it moves the idle
/// deadline in the store too (better-auth #2115).
pub fn a_copy_does_not_outlive_its_session(setup: Setup) {
    let world = setup.world_with(&|builder| builder.idle(40 * SECOND).absolute(5 * MINUTE));
    let mut browser = world.browser("sign-in.ada");
    let copy = browser.cookie.clone();
    world.clock.advance(40 * SECOND);
    assert_eq!(say(world.here(), &copy, "who"), "nobody", "idle, though the window is a minute");
    browser = world.browser("sign-in.ada");
    for step in 1..=14 {
        world.clock.advance(21 * SECOND);
        assert_eq!(browser.go(world.there(), "who"), "ada");
        let (_, row) = world.rows().into_iter().find(|(_, row)| !row.is_expired(world.clock.now_ms())).unwrap();
        // The last one could not move a deadline that is the absolute one by then.
        assert!(row.last_seen() == world.clock.now_ms() || step == 14, "the store knows of the use");
    }
    world.clock.advance(6 * SECOND);
    assert_eq!(say(world.there(), &browser.cookie, "who"), "nobody", "absolute");
}

/// E09: a route that asks the store always sees what ended, also when this node has heard nothing and somebody was content
/// with the copy before.
pub fn a_sensitive_route_asks_the_store(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let copy = browser.cookie.clone();
    world.watch().deafen(true);
    let sessions = &world.there().sessions;
    let before = sessions.begin([copy.as_bytes()]);
    assert_eq!(wait(before.session()).unwrap().owner().as_deref(), Some("ada"));
    browser.go(world.here(), "sign-out");
    assert!(!wait(wait(before.session()).unwrap().confirm()).unwrap());
    before.ask_the_store();
    assert_eq!(wait(before.session()).unwrap().owner(), None);
    let request = sessions.begin([copy.as_bytes()]);
    request.ask_the_store();
    assert_eq!(wait(request.session()).unwrap().owner(), None);
}

/// G02: a copy under a key that retires is sealed anew and nobody is signed out, whichever node has read the new key.
pub fn a_roll_over_of_keys_signs_nobody_out(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let key = |key: &Key| Key::parse(&key.to_secret_text()).unwrap();
    let next = Key::generate().unwrap();
    let before = Keyring::new(key(&world.key), [key(&next)]).unwrap();
    let after = Keyring::new(key(&next), [key(&world.key)]).unwrap();
    let nodes = [before, after].map(|keys| {
        let node = world.serve(world.sessions_under(keys, &|builder| builder));
        node.follows();
        node
    });
    for at in 0..6 {
        world.clock.advance(MINUTE);
        assert_eq!(browser.go(&nodes[at % 2], "who/get.note"), "ada,mine");
    }
    let value = browser.cookie.split_once('=').unwrap().1;
    assert_eq!(nodes[1].sessions.inspect(value).unwrap().key_id(), next.id());
}

/// A window for which endings are not remembered does not build, and the message says what fits.
pub fn a_window_beyond_the_memory_does_not_build(_: Setup) {
    let keys = || Keyring::ephemeral().unwrap();
    for (window, skew) in [(0, 120), (1_501, 120), (600, 1_000)] {
        let lifetime = Lifetime::default().skew(Duration::from_secs(skew));
        let builder = Sessions::hybrid(keys(), MemoryStore::new()).lifetime(lifetime);
        let Err(BuildError::Setting { why }) = builder.freshness(Duration::from_secs(window)).build() else {
            panic!("{window} seconds with a skew of {skew} are taken");
        };
        assert!(why.contains("freshness is from 1 second"), "{why}");
    }
    assert!(Sessions::hybrid(keys(), MemoryStore::new()).freshness(Duration::from_secs(1_500)).build().is_ok());
    let bound = Sessions::hybrid(keys(), MemoryStore::new()).feed_bound(Duration::from_millis(999));
    assert!(bound.build().is_err());
}
