//! D: the clocks. Time is the test's own, and every node's.

use std::{collections::HashSet, time::Duration};

use crate::{
    client::{Browser, Line, Pending, ask, is_dead, say, without_cookie},
    store::Call,
    world::{DAY, HOUR, MINUTE, Setup, World, wait},
};

/// D06, A14: a thousand reads set no cookie and write nothing.
pub fn a_thousand_reads_write_nothing(setup: Setup) {
    let world = setup.world();
    for steps in ["set.note.mine", "keep/set.note.mine", "sign-in.ada/set.note.mine"] {
        let cookie = world.browser(steps).cookie;
        assert!(!setup.is_stored() || !world.watch().calls().is_empty() || steps.starts_with("set"));
        let mut line = Line::new(world.there());
        for _ in 0..1_000 {
            let reply = line.get("/do/get.note/who/handle/fresh.60/read/seconds/live", &cookie);
            assert!(without_cookie(&reply).starts_with("mine,"));
        }
        assert!(!setup.is_stored() || world.watch().writes().is_empty(), "{steps}");
    }
}

/// D06: a session that is read for ten hours is touched at most once in half a window, without a cookie, and lives.
pub fn reads_for_hours_touch_seldom(setup: Setup) {
    let world = setup.world();
    let cookie = world.browser("sign-in.ada").cookie;
    world.watch().calls();
    for at in 0..1_000 {
        world.clock.advance(Duration::from_secs(36));
        assert_eq!(without_cookie(&ask(&world.nodes[at % 2], &cookie, "who")), "ada");
    }
    let writes = world.watch().writes();
    assert!(writes.iter().all(|call| *call == Call::Touch), "{writes:?}");
    assert!((15..=20).contains(&writes.len()), "{}", writes.len());
}

/// D06: so is one in a cookie, which is sent anew as seldom.
pub fn reads_for_hours_send_a_cookie_seldom(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada");
    let cookies = (0..1_000).filter(|_| {
        world.clock.advance(Duration::from_secs(36));
        let reply = browser.ask(world.here(), "who");
        assert_eq!(reply.text(), "ada");
        !reply.set_cookies().is_empty()
    });
    assert!((15..=20).contains(&cookies.count()));
}

/// D05: fresh means that a credential was proved a moment ago; neither use nor renewal nor writing makes it so.
pub fn only_a_sign_in_is_fresh(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("set.note.x");
    assert_eq!(browser.go(world.here(), "fresh.600"), "false", "nobody proved anything");
    browser.go(world.here(), "sign-in.ada");
    for _ in 0..9 {
        world.clock.advance(MINUTE);
        assert_eq!(browser.go(world.there(), "renew/add.1/fresh.600"), "true");
    }
    world.clock.advance(MINUTE);
    assert_eq!(browser.go(world.there(), "renew/add.1/fresh.600/fresh.601"), "false,true");
    assert_eq!(browser.go(world.here(), "sign-in.ada/fresh.600"), "true");
    assert_eq!(browser.go(world.there(), "fresh.600"), "true");
}

/// D01, D02, D08: what is over is nobody's at that very moment, for being idle and for its age, though nothing was
/// purged; and use does not move the second.
pub fn what_is_over_is_nobodys(setup: Setup) {
    let world = setup.world();
    let millisecond = Duration::from_millis(1);
    for steps in ["sign-in.ada/set.note.mine", "keep/set.note.mine", "set.note.mine"] {
        let idle = world.browser(steps).cookie;
        let mut used = world.browser(steps);
        world.clock.advance(HOUR - millisecond);
        assert_eq!(say(world.there(), &used.cookie, "get.note"), "mine");
        used.go(world.here(), "get.note");
        let spared = world.browser(steps).cookie;
        world.clock.advance(millisecond);
        is_dead(&world, &idle);
        assert_eq!(used.go(world.there(), "get.note"), "mine");
        for _ in 0..45 {
            world.clock.advance(HOUR / 2);
            used.go(world.there(), "get.note/add.1");
        }
        assert_eq!(used.go(world.here(), "count/seconds"), "45,1800");
        world.clock.advance(HOUR / 2 - millisecond);
        assert_eq!(say(world.here(), &used.cookie, "count"), "45");
        world.clock.advance(millisecond);
        is_dead(&world, &used.cookie);
        is_dead(&world, &spared);
    }
}

/// D08: the row of a session that is over is there until a purge takes it, and is not given out; what lives stays.
pub fn a_purge_takes_what_is_over_and_nothing_else(setup: Setup) {
    let world = setup.world();
    let over: Vec<_> = (0..5).map(|_| world.browser("sign-in.ada").cookie).collect();
    world.clock.advance(HOUR);
    let live = world.browser("sign-in.ada").cookie;
    over.iter().for_each(|cookie| is_dead(&world, cookie));
    assert_eq!((world.rows().len(), say(world.here(), "", "of.ada").split(' ').count()), (6, 1));
    world.clock.advance(10 * MINUTE);
    assert_eq!(wait(world.there().sessions.purge()).unwrap(), 5);
    assert_eq!((world.rows().len(), say(world.here(), &live, "who").as_str()), (1, "ada"));
    assert_eq!(wait(world.here().sessions.purge()).unwrap(), 0);
}

/// TS-5: what was remembered stays remembered when the session is written, renewed and signed in to again.
pub fn remember_me_is_kept_by_later_writes(setup: Setup) {
    let world = setup.world_with(&|builder| builder.remember_me(30 * DAY));
    let mut browser = world.browser("sign-in.ada/remember/set.note.x");
    for steps in ["set.note.y", "renew", "clear", "write.red", "label.z", "add.1"] {
        let reply = browser.ask(world.there(), steps);
        for line in reply.set_cookies() {
            let age = line.split("; ").find_map(|part| part.strip_prefix("Max-Age=")).unwrap();
            assert_eq!(age.parse(), Ok(30 * DAY.as_secs()), "{steps}");
        }
        assert_eq!(browser.go(world.here(), "seconds"), (30 * DAY.as_secs()).to_string(), "{steps}");
    }
    for _ in 0..29 {
        world.clock.advance(DAY);
        assert_eq!(browser.go(world.there(), "add.1/who"), "ada");
    }
    assert_eq!(say(world.here(), &browser.cookie, "count"), "30");
    world.clock.advance(DAY);
    is_dead(&world, &browser.cookie);
    assert_eq!(world.browser("sign-in.ada").go(world.here(), "seconds"), HOUR.as_secs().to_string());
}

/// TS-5: a request that still comes with the cookie from before does not shorten a session that was remembered.
pub fn a_request_under_way_does_not_shorten_a_remembered_session(setup: Setup) {
    let world = setup.world_with(&|builder| builder.remember_me(30 * DAY));
    let mut browser = world.browser("sign-in.ada");
    let old = browser.cookie.clone();
    let slow = browser.begin(world.there(), "who/wait.gate/add.1");
    world.gate("gate").arrived();
    browser.go(world.here(), "remember");
    world.gate("gate").open();
    browser.receive(&slow.reply());
    assert_eq!(browser.go(world.here(), "seconds"), (30 * DAY.as_secs()).to_string(), "it had its session before");
    browser.receive(&ask(world.there(), &old, "add.1"));
    assert_eq!(browser.go(world.here(), "count/seconds"), format!("2,{}", 30 * DAY.as_secs()), "it came after");
}

fn renewing(setup: Setup) -> World {
    setup.world_with(&|builder| builder.renewal(10 * MINUTE))
}

/// D10: a session is renewed when its time has come and once: the same session, the same data, another cookie.
pub fn a_session_is_renewed_once_in_its_time(setup: Setup) {
    let world = renewing(setup);
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let handle = browser.go(world.here(), "handle");
    for generation in 1..5 {
        world.clock.advance(10 * MINUTE - Duration::from_millis(1));
        let reply = browser.ask(world.there(), "who");
        assert!(reply.set_cookies().is_empty() || setup.is_hybrid(), "a copy is confirmed anew, and no more");
        assert_eq!(world.inspect(&browser.cookie).generation(), generation - 1);
        world.clock.advance(Duration::from_millis(1));
        let reply = browser.ask(world.there(), "who/get.note/handle");
        assert_eq!((reply.text(), reply.set_cookies().len()), (&*format!("ada,mine,{handle}"), 1));
        assert_eq!(world.inspect(&browser.cookie).generation(), generation);
        without_cookie(&ask(world.here(), &browser.cookie, "who"));
    }
}

/// D10: requests with the cookie from before the renewal are good for a minute: they read, write, and are given the
/// new generation.
pub fn the_cookie_from_before_a_renewal_is_good_for_a_minute(setup: Setup) {
    let world = renewing(setup);
    let mut browser = world.browser("sign-in.ada");
    let old = browser.clone();
    world.clock.advance(10 * MINUTE);
    browser.go(world.here(), "add.1");
    for seconds in [0, 59] {
        world.clock.advance(Duration::from_secs(seconds));
        for node in &world.nodes {
            let mut late = old.clone();
            assert_eq!(late.go(node, "add.1/who"), "ada");
            assert_eq!(world.inspect(&late.cookie).generation(), 1);
        }
    }
    assert_eq!(browser.go(world.here(), "count"), "5");
}

/// E07: and lose to a sign-out as all others do, though they only read.
pub fn logout_beats_a_slow_request_from_before_a_renewal(setup: Setup) {
    for work in ["who", "add.1", "renew"] {
        let world = renewing(setup);
        let mut browser = world.browser("sign-in.ada");
        let old = browser.clone();
        world.clock.advance(10 * MINUTE);
        browser.go(world.here(), "who");
        let slow = old.begin(world.here(), &format!("who/wait.gate/{work}"));
        world.gate("gate").arrived();
        browser.go(world.there(), "sign-out");
        world.gate("gate").open();
        assert!(without_cookie(&slow.reply()).starts_with("ada"), "{work}");
        is_dead(&world, &old.cookie);
    }
}

/// D10: later it is a copy in the wrong hands, and the session is over for both.
pub fn a_cookie_from_before_a_renewal_that_comes_late_ends_the_session(setup: Setup) {
    let world = renewing(setup);
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let stolen = browser.cookie.clone();
    world.clock.advance(10 * MINUTE);
    browser.go(world.here(), "who");
    world.clock.advance(MINUTE);
    assert_eq!(browser.go(world.here(), "who"), "ada");
    assert_eq!(say(world.there(), &stolen, "who/refusal/set.note.mine"), "nobody,reused");
    is_dead(&world, &browser.cookie);
    is_dead(&world, &stolen);
    assert!(world.rows().is_empty());
}

/// D10: where the answer that brought the new cookie was lost, the browser comes with the old one, however late: that
/// is no theft.
pub fn a_renewal_whose_answer_was_lost_signs_nobody_out(setup: Setup) {
    let world = renewing(setup);
    let browser = world.browser("sign-in.ada/set.note.mine");
    world.clock.advance(10 * MINUTE);
    ask(world.here(), &browser.cookie, "who");
    world.clock.advance(5 * MINUTE);
    assert_eq!(say(world.there(), &browser.cookie, "who/get.note"), "ada,mine");
}

/// D10: in a cookie nobody counts generations, so an older one opens too, until the session is over.
pub fn without_a_store_an_older_generation_still_opens(setup: Setup) {
    let world = renewing(setup);
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let old = browser.cookie.clone();
    world.clock.advance(10 * MINUTE);
    browser.go(world.here(), "who");
    world.clock.advance(10 * MINUTE);
    for cookie in [&old, &browser.cookie] {
        assert_eq!(say(world.here(), cookie, "who/get.note"), "ada,mine");
    }
    browser.go(world.here(), "sign-out");
    is_dead(&world, &old);
}

/// D10: fifty requests on two nodes that all come when the time has come, or all ask for it, make one successor, and
/// all of them are answered.
pub fn fifty_parallel_renewals_make_one_successor(setup: Setup) {
    for steps in ["who", "add.1/who", "renew/who"] {
        let world = renewing(setup);
        let browser = world.browser("sign-in.ada");
        world.clock.advance(10 * MINUTE);
        let gate = world.gate("gate");
        let requests: Vec<_> =
            (0..50).map(|at| browser.begin(&world.nodes[at % 2], &format!("wait.gate/{steps}"))).collect();
        gate.arrivals(50);
        gate.open();
        let mut generations = HashSet::new();
        for reply in requests.into_iter().map(Pending::reply).collect::<Vec<_>>() {
            let mut browser = Browser::default();
            browser.receive(&reply);
            assert_eq!((reply.status, reply.text()), (200, "ada"));
            generations.insert(world.inspect(&browser.cookie).generation());
            let count = if steps.starts_with("add") { "50" } else { "0" };
            assert_eq!(say(world.there(), &browser.cookie, "who/count"), format!("ada,{count}"));
        }
        assert_eq!((generations, world.rows()[0].1.facts().generation), (HashSet::from([1]), 1), "{steps}");
    }
}

/// D10: two requests around a renewal: whichever answer arrives last, the browser is signed in, and to the same
/// session.
pub fn overlapping_a_renewal_signs_nobody_out(setup: Setup) {
    for work in ["who", "set.note.late", "renew", "csrf", "remember"] {
        let world = renewing(setup);
        let mut browser = world.browser("sign-in.ada/set.note.mine");
        let handle = browser.go(world.here(), "handle");
        world.clock.advance(10 * MINUTE);
        let slow = browser.begin(world.there(), &format!("who/wait.gate/{work}"));
        let late = browser.clone();
        world.gate("gate").arrived();
        browser.go(world.here(), "add.1");
        world.gate("gate").open();
        for reply in [slow.reply(), ask(world.there(), &late.cookie, work)] {
            assert_eq!(reply.status, 200, "{work}");
            browser.receive(&reply);
            assert_eq!(browser.go(world.here(), "who/handle"), format!("ada,{handle}"), "{work}");
        }
        world.clock.advance(9 * MINUTE);
        assert_eq!(browser.go(world.there(), "who/handle"), format!("ada,{handle}"), "{work}");
    }
}
