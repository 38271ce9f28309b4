//! E08, J05, J06, TS-12: the store is down, silent, or not what it was. Nobody is told of a success that is none, and
//! nobody is taken for somebody else or for nobody.

use std::time::Duration;

use hardtack::store::{Facts, Row};

use crate::{
    client::{Browser, ask, get, is_dead, say, without_cookie},
    common::{Reply, log::logged},
    store::{Call, Fault},
    world::{HOUR, Setup, World, wait},
};

#[track_caller]
fn is_unavailable(reply: &Reply) {
    assert_eq!((reply.status, reply.set_cookies().len()), (503, 0), "{reply:?}");
    assert!(reply.text().is_empty(), "internals: {reply:?}");
}

/// J05: a session that cannot be loaded is 503, never an anonymous session, and its cookie stays.
pub fn a_load_that_fails_is_no_anonymous_session(setup: Setup) {
    let world = setup.world();
    for session in ["sign-in.ada/set.note.mine", "keep/set.note.mine"] {
        let mut browser = world.browser(session);
        world.watch().down(Fault::Refuse);
        for steps in ["get.note", "set.note.x", "sign-in.bob", "sign-out", "csrf"] {
            is_unavailable(&browser.ask(world.here(), steps));
        }
        is_unavailable(&browser.begin_at(world.here(), "/do/who").reply());
        assert_eq!(get(world.here(), "/plain", &browser.cookie).text(), "plain");
        assert_eq!(without_cookie(&get(world.here(), "/do/live", "")), "false");
        world.watch().up();
        assert_eq!(browser.go(world.there(), "get.note"), "mine");
    }
}

/// J05: a handler that takes the fault as a value may go on without a session; the cookie stays.
pub fn a_handler_may_go_on_without_the_store(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada");
    assert_eq!(without_cookie(&get(world.here(), "/degrade", &browser.cookie)), "ada");
    world.watch().down(Fault::Refuse);
    assert_eq!(without_cookie(&get(world.here(), "/degrade", &browser.cookie)), "cannot tell");
    assert_eq!(without_cookie(&get(world.here(), "/degrade", "")), "nobody");
    world.watch().up();
    assert_eq!(say(world.there(), &browser.cookie, "who"), "ada");
}

/// J05: a change that cannot be saved is 503 without a cookie, whatever the handler answered, and nothing is half done.
pub fn a_save_that_fails_is_no_success(setup: Setup) {
    let world = setup.world();
    for steps in ["set.note.late", "add.1", "clear", "remember", "renew", "sign-in.ada", "sign-in.bob", "sign-out"] {
        let browser = world.browser("sign-in.ada/set.note.mine");
        let (name, gate) = world.new_gate();
        let slow = browser.begin(world.here(), &format!("who/wait.{name}/{steps}"));
        gate.arrived();
        world.watch().down(Fault::Refuse);
        gate.open();
        is_unavailable(&slow.reply());
        world.watch().up();
        assert_eq!(say(world.there(), &browser.cookie, "who/get.note/count"), "ada,mine,0", "{steps}");
    }
    let rows = world.rows().len();
    for steps in ["sign-in.ada", "keep", "keep/set.note.x"] {
        world.watch().down(Fault::Refuse);
        is_unavailable(&ask(world.here(), "", steps));
        world.watch().up();
    }
    assert_eq!(world.rows().len(), rows);
}

/// J05: a handler that commits early learns of the fault, may undo its changes and answer something else; or try again.
pub fn an_early_commit_tells_of_the_fault(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada/set.note.mine");
    let refuse_thrice = || (0..3).for_each(|_| world.watch().plan(Call::Replace, Fault::Refuse));
    refuse_thrice();
    assert_eq!(without_cookie(&ask(world.here(), &browser.cookie, "set.note.x/commit/discard")), "error 503");
    refuse_thrice();
    assert_eq!(say(world.there(), &browser.cookie, "get.note/add.1/commit/commit"), "mine,error 503,Saved");
    assert_eq!(say(world.here(), &browser.cookie, "get.note/count"), "mine,1");
    refuse_thrice();
    assert_eq!(say(world.there(), &browser.cookie, "add.1/commit"), "error 503", "and the response commits again");
    assert_eq!(say(world.here(), &browser.cookie, "count"), "2");
}

/// An early commit that the handler gave up on is not answered as if nothing had been wanted.
pub fn a_commit_that_was_given_up_is_no_success(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada/set.note.mine");
    let (_, stuck) = world.new_gate();
    world.watch().plan(Call::Replace, Fault::WaitAt(stuck.clone()));
    let (name, gate) = world.new_gate();
    let reply = browser.begin(world.here(), &format!("set.note.late/commit-until.{name}"));
    stuck.arrived();
    gate.open();
    let reply = reply.reply();
    stuck.open();
    world.watch().idle();
    let kept = say(world.there(), &browser.cookie, "get.note");
    assert!(reply.status != 200 || kept == "late", "answered 200 and kept {kept:?}");
}

/// A takeover that fails between its steps leaves nobody: the old session is over, there is no new one, and the answer
/// says that something went wrong. The browser can go on at once.
pub fn a_takeover_that_fails_half_way_leaves_nobody(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let old = browser.cookie.clone();
    (0..3).for_each(|_| world.watch().plan(Call::Create, Fault::Refuse));
    is_unavailable(&browser.ask(world.here(), "sign-in.bob"));
    is_dead(&world, &old);
    assert!(world.rows().is_empty());
    assert_eq!(browser.go(world.here(), "sign-in.bob/who"), "bob");
    assert_eq!(browser.go(world.there(), "who"), "bob");
}

/// A kept visitor whose sign-in fails, at either of its steps, is the visitor that he was, and nobody is signed in.
pub fn a_visitor_whose_sign_in_fails_stays_who_he_was(setup: Setup) {
    for call in [Call::Create, Call::Delete] {
        let world = setup.world();
        let mut browser = world.browser("keep/set.note.mine");
        let tries = if call == Call::Create { 3 } else { 1 };
        (0..tries).for_each(|_| world.watch().plan(call, Fault::Refuse));
        is_unavailable(&browser.ask(world.here(), "sign-in.ada"));
        assert_eq!(browser.go(world.there(), "who/get.note"), "nobody,mine", "{call:?}");
        assert_eq!((world.rows().len(), say(world.here(), "", "of.ada").as_str()), (1, ""), "{call:?}");
        assert_eq!(browser.go(world.here(), "sign-in.ada/who"), "ada");
    }
}

/// Nobody took the place of a session whose successor was refused: its browser gets a cookie again at once, for the
/// token of the next attempt's form for example.
pub fn after_a_refused_sign_in_a_visitor_gets_a_cookie(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada");
    let slow = browser.begin(world.here(), "prepare/wait.gate/sign-in.ada");
    world.gate("gate").arrived();
    say(world.here(), "", "end-owner.ada");
    world.gate("gate").open();
    let reply = slow.reply();
    assert_eq!(reply.status, 409);
    browser.receive(&reply);
    let token = browser.go(world.here(), "csrf");
    assert_eq!(browser.go(world.here(), &format!("verify.{token}")), "true");
}

/// E08: a logout that the store does not take is 503, without a removal cookie, and the session lives when the store
/// is back; then the logout works.
pub fn a_logout_without_the_store_is_no_logout(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let old = browser.cookie.clone();
    world.watch().plan(Call::Delete, Fault::Refuse);
    is_unavailable(&browser.ask(world.here(), "sign-out"));
    assert_eq!(browser.go(world.there(), "who/get.note"), "ada,mine");
    for steps in ["end-owner.ada", "end-others"] {
        world.watch().plan(Call::EndOwner, Fault::Refuse);
        assert_eq!(say(world.here(), &browser.cookie, steps), "error");
        assert_eq!(browser.go(world.there(), "who"), "ada");
    }
    let handle = browser.go(world.here(), "handle");
    world.watch().plan(Call::Delete, Fault::Refuse);
    assert_eq!(say(world.here(), "", &format!("end.{handle}")), "error");
    browser.go(world.there(), "sign-out");
    assert!(browser.cookie.is_empty());
    is_dead(&world, &old);
}

/// E08: a logout whose answer was lost is 503 too, and trying again says that it is over.
pub fn a_logout_whose_answer_was_lost_can_be_tried_again(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    let old = browser.cookie.clone();
    world.watch().plan(Call::Delete, Fault::LoseAnswer);
    is_unavailable(&browser.ask(world.here(), "sign-out"));
    is_dead(&world, &old);
    assert_eq!(browser.go(world.there(), "sign-out/who"), "nobody");
    assert!(browser.cookie.is_empty());
}

/// A sign-in whose answer was lost is a sign-in, once.
pub fn a_sign_in_whose_answer_was_lost_makes_one_session(setup: Setup) {
    let world = setup.world();
    for fault in [Fault::LoseAnswer, Fault::Refuse] {
        for session in ["sign-in.ada/set.note.mine", "keep/set.note.mine"] {
            let rows = world.rows().len();
            world.watch().plan(Call::Create, fault.clone());
            let mut browser = world.browser(session);
            assert_eq!((browser.go(world.there(), "get.note").as_str(), world.rows().len()), ("mine", rows + 1));
        }
    }
}

/// J06: a store that never answers is answered for within the deadline: the same 503 as for a fault, and the cookie
/// stays.
pub fn a_silent_store_is_answered_for(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    // What is to be answered in time is asked elsewhere, so that a slow machine is no fault.
    let impatient = world.serve(world.sessions(&|builder| builder.store_deadline(Duration::from_millis(50))));
    world.watch().down(Fault::Hang);
    for steps in ["who", "sign-out"] {
        is_unavailable(&browser.ask(&impatient, steps));
    }
    assert_eq!(without_cookie(&get(&impatient, "/degrade", &browser.cookie)), "cannot tell");
    is_unavailable(&ask(&impatient, "", "sign-in.bob"));
    world.watch().up();
    for (call, steps) in [(Call::Replace, "set.note.x"), (Call::Delete, "sign-out"), (Call::Delete, "sign-in.bob")] {
        (0..3).for_each(|_| world.watch().plan(call, Fault::Hang));
        is_unavailable(&browser.ask(&impatient, steps));
        world.watch().up();
    }
    assert_eq!(browser.go(world.there(), "who/get.note"), "ada,mine");
}

/// J06: on a server with one thread, a store that is slow keeps those waiting who need it and nobody else.
pub fn a_slow_store_keeps_nobody_else_waiting(setup: Setup) {
    let world = setup.world_with(&|builder| builder.store_deadline(Duration::from_secs(60)));
    let browser = world.browser("sign-in.ada");
    let (_, stuck) = world.new_gate();
    for _ in 0..100 {
        world.watch().plan(Call::Load, Fault::WaitAt(stuck.clone()));
    }
    let waiting: Vec<_> = (0..100).map(|_| browser.begin(world.here(), "who")).collect();
    stuck.arrivals(100);
    assert_eq!(get(world.here(), "/plain", &browser.cookie).text(), "plain");
    assert_eq!(say(world.here(), "", "set.note.x/get.note"), "x");
    assert_eq!(say(world.here(), &browser.cookie, "who"), "ada");
    assert_eq!(say(world.here(), "", "sign-in.bob/who"), "bob");
    stuck.open();
    for reply in waiting {
        assert_eq!(without_cookie(&reply.reply()), "ada");
    }
}

/// D06: a touch that fails is a loss of precision and nobody's 503.
pub fn a_touch_that_fails_fails_nobody(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada");
    world.clock.advance(HOUR / 2);
    world.watch().plan(Call::Touch, Fault::Refuse);
    assert_eq!(without_cookie(&ask(world.here(), &browser.cookie, "who")), "ada");
    world.clock.advance(HOUR / 4);
    assert_eq!(without_cookie(&ask(world.there(), &browser.cookie, "who")), "ada");
    world.clock.advance(HOUR / 2);
    assert_eq!(say(world.here(), &browser.cookie, "who"), "ada", "the touch was made up for");
}

/// What somebody with write access to the store, or its disk, may have made of a row.
fn spoil(row: &Row, how: usize) -> Row {
    let facts = *row.facts();
    let sealed = row.sealed();
    let (owner, label) = (row.owner(), row.label());
    let with = |facts: Facts, owner, sealed: &[u8]| {
        Row::new(facts, owner, label, sealed, row.last_seen(), row.idle_deadline())
    };
    match how {
        0 => with(facts, owner, &[sealed, b"x"].concat()),
        1 => with(facts, owner, &sealed[..sealed.len() - 1]),
        2 => with(facts, owner, &[]),
        3 => with(facts, owner, &sealed.iter().map(|byte| byte ^ 1).collect::<Vec<_>>()),
        4 => with(facts, Some("eve"), sealed),
        5 => with(Facts { absolute_deadline: facts.absolute_deadline + 1, ..facts }, owner, sealed),
        6 => with(Facts { authenticated: facts.authenticated + 1, ..facts }, owner, sealed),
        7 => with(Facts { version: facts.version + 1, ..facts }, owner, sealed),
        8 => with(Facts { generation: facts.generation + 1, ..facts }, owner, sealed),
        9 => with(Facts { created: facts.created - 1, ..facts }, owner, sealed),
        10 => Row::new(facts, owner, Some("forged"), sealed, row.last_seen(), row.idle_deadline()),
        _ => with(Facts { remembered: !facts.remembered, ..facts }, owner, sealed),
    }
}

fn spoil_row(world: &World, cookie: &str, make: impl Fn(&Row) -> Row) {
    let key = world.inspect(cookie).handle().into();
    let row = world.rows().into_iter().find(|(known, _)| *known == key).unwrap().1;
    world.watch().spoil(key, make(&row));
}

/// TS-12: a row that was damaged or changed in the store is nobody's session and an event. No 500, no touch of other
/// sessions, and its browser can sign in again.
pub fn a_damaged_row_is_nobodys(setup: Setup) {
    let world = setup.world();
    let other = world.browser("sign-in.bob/set.note.other");
    for how in 0..12 {
        let mut browser = world.browser("sign-in.ada/set.note.mine");
        spoil_row(&world, &browser.cookie, |row| spoil(row, how));
        let sessions = &world.here().sessions;
        let log = logged(|| {
            let request = sessions.begin([browser.cookie.as_bytes()]);
            request.ask_the_store();
            wait(request.session()).unwrap();
        });
        assert!(log.contains("WARN") && log.contains("unreadable") && !log.contains("mine"), "{how}: {log}");
        for node in &world.nodes {
            assert_eq!(
                without_cookie(&ask(node, &browser.cookie, "who/get.note/refusal")),
                "nobody,-,unreadable",
                "{how}"
            );
            assert_eq!(say(node, &other.cookie, "who/get.note"), "bob,other");
        }
        assert_eq!(browser.go(world.there(), "sign-in.ada/who"), "ada");
        assert_eq!(browser.go(world.here(), "who"), "ada");
    }
}

/// C09: a row that was moved to another's place opens for neither.
pub fn a_row_in_anothers_place_is_nobodys(setup: Setup) {
    let world = setup.world();
    let (ada, eve) = (world.browser("sign-in.ada/set.note.hers"), world.browser("sign-in.ada/set.note.other"));
    let key = world.inspect(&eve.cookie).handle().into();
    let foreign = world.rows().into_iter().find(|(known, _)| *known == key).unwrap().1;
    spoil_row(&world, &ada.cookie, |_| foreign.clone());
    assert_eq!(say(world.here(), &ada.cookie, "who/get.note/refusal"), "nobody,-,unreadable");
    assert_eq!(say(world.there(), &eve.cookie, "who/get.note"), "ada,other");
}

/// A row that is gone, because somebody emptied the store, is a visitor without a session and no error.
pub fn a_row_that_is_gone_is_nobodys(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine");
    wait(world.engine().delete(world.inspect(&browser.cookie).handle().into()));
    for steps in ["who", "set.note.x/who", "keep/who", "renew/who"] {
        assert_eq!(say(world.here(), &browser.cookie, steps), "nobody");
    }
    assert_eq!(browser.go(world.there(), "sign-in.ada/who/get.note"), "ada,-");
    let again = Browser::default();
    assert_eq!(say(world.here(), &again.cookie, "who"), "nobody");
}
