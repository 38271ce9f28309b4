//! C04, E07, TS-1 to TS-3: several requests of one browser at the same time, around a sign-in and around a logout,
//! and answers that arrive in the wrong order. The browser must end up with the session that counts.

use crate::{
    client::{Browser, Line, ask, is_dead, say, without_cookie},
    world::{MINUTE, Setup, World},
};

/// What a browser may have before somebody signs in.
const BEFORE: [&str; 4] = ["set.note.visitor", "keep/set.note.visitor", "sign-in.ada/set.note.mine", "sign-in.bob"];
/// What a request may do that nobody asked to sign in or out.
const WORKS: [&str; 12] = [
    "who",
    "csrf",
    "set.note.late",
    "remove.note",
    "append.note.late",
    "add.1",
    "write.red",
    "take.note",
    "clear",
    "remember",
    "renew",
    "label.late",
];

/// A request that began before a sign-in on `fast`, on `slow`: its answer arrives last and leaves the new cookie
/// alone.
fn under_way_during_a_sign_in(world: &World, slow: usize, before: &[&str]) {
    for before in before {
        for work in WORKS {
            let mut browser = world.browser(before);
            let old = browser.cookie.clone();
            // So late that reading would move the idle deadline.
            world.clock.advance(40 * MINUTE);
            let (name, gate) = world.new_gate();
            let slow = browser.begin(&world.nodes[slow], &format!("get.note/wait.{name}/{work}"));
            gate.arrived();
            browser.go(world.here(), "sign-in.ada/set.note.new");
            gate.open();
            let reply = slow.reply();
            without_cookie(&reply);
            browser.receive(&reply);
            for node in &world.nodes {
                assert_eq!(say(node, &browser.cookie, "who/get.note"), "ada,new", "{before}, {work}");
            }
            assert_eq!(say(world.here(), &old, "live"), "false");
        }
    }
}

pub fn a_request_under_way_during_a_sign_in_leaves_the_new_cookie_alone(setup: Setup) {
    under_way_during_a_sign_in(&setup.world(), 0, &BEFORE);
}

/// The same where the sign-in is another server's, for all that has a row.
pub fn a_request_under_way_elsewhere_during_a_sign_in_leaves_the_new_cookie_alone(setup: Setup) {
    under_way_during_a_sign_in(&setup.world(), 1, &BEFORE[1..]);
}

/// The same for a visitor whose session is in the cookie alone.
pub fn a_visitors_request_elsewhere_during_a_sign_in_leaves_the_new_cookie_alone(setup: Setup) {
    under_way_during_a_sign_in(&setup.world(), 1, &BEFORE[..1]);
}

/// A request with the old cookie that arrives, or asks for its session, after the sign-in.
fn after_a_sign_in(world: &World, late: usize, before: &[&str], works: &[&str]) {
    for before in before {
        for work in works {
            let mut browser = world.browser(before);
            let old = browser.cookie.clone();
            world.clock.advance(40 * MINUTE);
            let (name, gate) = world.new_gate();
            let late_node = &world.nodes[late];
            let asks_late = browser.begin_at(late_node, &format!("/late/{name}/who/{work}"));
            gate.arrived();
            browser.go(world.here(), "sign-in.ada/set.note.new");
            gate.open();
            for reply in [asks_late.reply(), ask(late_node, &old, &format!("who/{work}"))] {
                assert!(without_cookie(&reply).starts_with("nobody"), "{before}, {work}");
                browser.receive(&reply);
            }
            assert_eq!(browser.go(world.there(), "who/get.note"), "ada,new", "{before}, {work}");
        }
    }
}

pub fn a_late_request_with_the_old_cookie_leaves_the_new_one_alone(setup: Setup) {
    after_a_sign_in(&setup.world(), 0, &BEFORE, &WORKS);
}

/// The same where the sign-in is another server's: a request that only reads, for all that had a row.
pub fn a_late_request_elsewhere_that_reads_leaves_the_new_cookie_alone(setup: Setup) {
    after_a_sign_in(&setup.world(), 1, &BEFORE[1..], &["who", "get.note"]);
}

/// And one that writes or asks for a CSRF token.
pub fn a_late_request_elsewhere_that_writes_leaves_the_new_cookie_alone(setup: Setup) {
    after_a_sign_in(&setup.world(), 1, &BEFORE[1..], &WORKS);
}

/// E07: a request that began before the logout, on any node, writes nothing back and sends no cookie, whatever it
/// does and however the session was ended.
pub fn logout_beats_a_slow_request(setup: Setup) {
    for ending in ["sign-out", "end-owner.ada", "end"] {
        let world = setup.world();
        for work in WORKS.iter().chain(&["take-once.note", "keep", "set.note.late/renew"]) {
            let mut ada = world.browser("sign-in.ada/set.note.mine/add.1");
            let handle = ada.go(world.here(), "handle");
            world.clock.advance(40 * MINUTE);
            let (name, gate) = world.new_gate();
            let slow = ada.begin(world.here(), &format!("who/wait.{name}/{work}"));
            let already = ada.begin(world.here(), &format!("who/{work}/wait.{name}"));
            gate.arrivals(2);
            let ending = if ending == "end" { format!("end.{handle}") } else { ending.to_owned() };
            say(world.there(), &ada.cookie, &ending);
            gate.open();
            for reply in [slow.reply(), already.reply()] {
                assert!(without_cookie(&reply).starts_with("ada"), "{ending}, {work}");
            }
            is_dead(&world, &ada.cookie);
            assert!(world.rows().is_empty(), "{ending}, {work}");
        }
    }
}

/// E07: nor does a request that committed before the logout and answers after it.
pub fn logout_beats_a_slow_answer(setup: Setup) {
    let world = setup.world();
    for work in ["set.note.late", "remember", "renew", "renew/set.note.late"] {
        let mut browser = world.browser("sign-in.ada/set.note.mine");
        let (name, gate) = world.new_gate();
        let slow = browser.begin(world.here(), &format!("{work}/commit/wait.{name}"));
        gate.arrived();
        browser.go(world.there(), "sign-out");
        browser.go(world.there(), "sign-in.bob");
        gate.open();
        let reply = slow.reply();
        browser.receive(&reply);
        assert_eq!(browser.go(world.there(), "who"), "bob", "{work}");
    }
}

/// E03: a request of the same session around an `end_others` signs nobody out, neither one that began before it nor one
/// that comes with the old cookie after it.
pub fn overlapping_the_end_of_the_others_signs_nobody_out(setup: Setup) {
    let world = setup.world();
    for work in WORKS {
        let mut browser = world.browser("sign-in.ada/set.note.mine");
        let old = browser.clone();
        let (name, gate) = world.new_gate();
        let slow = browser.begin(world.there(), &format!("who/wait.{name}/{work}"));
        gate.arrived();
        browser.go(world.here(), "end-others");
        gate.open();
        for reply in [slow.reply(), ask(world.here(), &old.cookie, work)] {
            browser.receive(&reply);
            assert_eq!((reply.status, browser.go(world.there(), "who")), (200, "ada".into()), "{work}");
        }
    }
}

/// E03: a session whose client leaves after it ended the others goes on.
pub fn a_client_that_leaves_after_ending_the_others_goes_on(setup: Setup) {
    let world = setup.world();
    let (ada, other) = (world.browser("sign-in.ada/set.note.mine"), world.browser("sign-in.ada"));
    leave_after_ending_the_others(&world, &ada);
    is_dead(&world, &other.cookie);
    assert_eq!(say(world.there(), &ada.cookie, "who/get.note/get.colour"), "ada,mine,-");
}

/// E03: in a cookie what spares a session is in its new cookie: whoever does not get that one is out too.
pub fn in_a_cookie_ending_the_others_spares_who_gets_the_answer(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada/set.note.mine");
    leave_after_ending_the_others(&world, &ada);
    is_dead(&world, &ada.cookie);
}

fn leave_after_ending_the_others(world: &World, browser: &Browser) {
    let mut line = Line::new(world.here());
    line.send("/do/end-others/wait.gate/set.colour.late", &browser.cookie);
    world.gate("gate").arrived();
    drop(line);
    world.idle();
}

/// E09: a logout between the arrival of a request and its first look makes that very request anonymous.
pub fn a_request_that_has_not_looked_yet_is_nobody(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada/set.note.mine");
    let late = ada.begin_at(world.here(), "/late/gate/who/get.note/live");
    world.gate("gate").arrived();
    say(world.there(), &ada.cookie, "sign-out");
    world.gate("gate").open();
    assert_eq!(without_cookie(&late.reply()), "nobody,-,false");
}

/// E07: whoever has signed in again after a logout keeps the new session, though answers to requests from before
/// the logout arrive last.
pub fn a_request_from_before_the_logout_leaves_a_newer_session_alone(setup: Setup) {
    let world = setup.world();
    for work in WORKS {
        let mut browser = world.browser("sign-in.ada/set.note.mine");
        let old = browser.cookie.clone();
        let (name, gate) = world.new_gate();
        let slow = browser.begin(world.there(), &format!("who/wait.{name}/{work}"));
        gate.arrived();
        browser.go(world.here(), "sign-out");
        browser.go(world.here(), "sign-in.bob/set.note.new");
        gate.open();
        for reply in [slow.reply(), ask(world.there(), &old, "who/get.note")] {
            without_cookie(&reply);
            browser.receive(&reply);
        }
        assert_eq!(browser.go(world.there(), "who/get.note"), "bob,new", "{work}");
    }
}

/// A form that was sent twice: both sign-ins give a whole session, and whichever answer arrives last counts.
pub fn a_login_that_is_sent_twice_signs_in(setup: Setup) {
    let world = setup.world();
    for before in BEFORE {
        let browser = world.browser(before);
        let (name, gate) = world.new_gate();
        let logins = [world.here(), world.there()]
            .map(|node| browser.begin(node, &format!("live/wait.{name}/sign-in.ada/set.note.new")));
        gate.arrivals(2);
        gate.open();
        for reply in logins.map(crate::client::Pending::reply) {
            let mut browser = browser.clone();
            browser.receive(&reply);
            assert_eq!(browser.go(world.there(), "who/get.note"), "ada,new", "{before}");
        }
        is_dead_here(&world, &browser);
    }
}

fn is_dead_here(world: &World, browser: &Browser) {
    assert_eq!(say(world.here(), &browser.cookie, "who/get.note/live"), "nobody,-,false");
}

/// TS-3: an error after the sign-in loses nobody's session: the new one is there and works, the old one is dead.
pub fn an_error_after_the_sign_in_keeps_the_new_session(setup: Setup) {
    let world = setup.world();
    for before in BEFORE {
        for status in [400, 404, 500, 503] {
            let mut browser = world.browser(before);
            let old = browser.clone();
            let reply = browser.ask(world.here(), &format!("sign-in.ada/set.note.new/status.{status}"));
            assert_eq!((reply.status, reply.set_cookies().len()), (status, 1));
            assert_eq!(browser.go(world.there(), "who/get.note"), "ada,new");
            is_dead_here(&world, &old);
        }
    }
}

/// AS-5: a client that leaves while the handler runs changes nothing and holds nothing.
pub fn a_client_that_leaves_the_handler_changes_nothing(setup: Setup) {
    let world = setup.world();
    let mut ada = world.browser("sign-in.ada/set.note.mine");
    for work in WORKS.iter().chain(&["sign-out", "sign-in.bob"]) {
        let (name, gate) = world.new_gate();
        let mut line = Line::new(world.here());
        line.send(&format!("/do/{work}/wait.{name}/set.colour.late"), &ada.cookie);
        gate.arrived();
        drop(line);
        world.idle();
        assert_eq!(ada.go(world.there(), "who/get.note/get.colour"), "ada,mine,-", "{work}");
    }
    ada.go(world.here(), "sign-out");
    assert!(ada.cookie.is_empty() && world.rows().is_empty());
}
