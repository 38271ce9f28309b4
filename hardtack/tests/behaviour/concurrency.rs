//! J07, J10, concurrency rules 1, 2 and 5: many writers at once, on two nodes.

use std::thread;

use crate::{
    client::{Browser, Line, Pending, ask, is_dead, said, say},
    store::{Call, Fault},
    world::{Setup, World},
};

/// What `count` requests answer that all do these steps at once, on all nodes in turn. All of them have their session
/// before the first goes on.
fn at_once(world: &World, browser: &Browser, count: usize, steps: &str) -> Vec<String> {
    let (name, gate) = world.new_gate();
    let steps = format!("wait.{name}/{steps}");
    let begin = |at: usize| browser.begin(&world.nodes[at % world.nodes.len()], &steps);
    let requests: Vec<_> = (0..count).map(begin).collect();
    gate.arrivals(count);
    gate.open();
    let replies = requests.into_iter().map(Pending::reply);
    let text = |reply: crate::common::Reply| {
        assert_eq!(reply.status, 200, "{reply:?}");
        reply.text().to_owned()
    };
    replies.map(text).collect()
}

/// J07, rule 1: two requests that have both read the session and then write different fields lose nothing, whichever
/// ends first; with all the ways of writing.
pub fn writers_of_different_fields_both_survive(setup: Setup) {
    let world = setup.world();
    let ways = [
        ("set.colour.red", "get.colour", "red"),
        ("append.colour.red", "get.colour", "red"),
        ("write.red", "get.colour", "red"),
        ("remove.colour", "get.colour", "-"),
        ("take.colour", "get.colour", "-"),
        ("add.1", "count", "1"),
    ];
    for (slow_way, read, expected) in ways {
        for session in ["sign-in.ada", "keep"] {
            let browser = world.browser(&format!("{session}/set.cart.tea"));
            let (name, gate) = world.new_gate();
            let slow = browser.begin(world.here(), &format!("get.cart/wait.{name}/{slow_way}"));
            gate.arrived();
            say(world.there(), &browser.cookie, "set.cart.coffee/label.fast");
            gate.open();
            assert_eq!(said(&slow.reply()).split(',').next(), Some("tea"));
            assert_eq!(say(world.there(), &browser.cookie, &format!("get.cart/{read}")), format!("coffee,{expected}"));
        }
    }
}

/// Rule 1: of two that write the same field the later one wins, whole.
pub fn the_later_of_two_writers_of_one_field_wins(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada/set.note.mine");
    let slow = browser.begin(world.here(), "who/wait.gate/set.note.late");
    world.gate("gate").arrived();
    say(world.there(), &browser.cookie, "set.note.early");
    world.gate("gate").open();
    said(&slow.reply());
    assert_eq!(say(world.there(), &browser.cookie, "get.note"), "late");
}

/// J07: of a session in a cookie the answer that arrives last wins, with all that it knew: that is why two writers at
/// once need a store.
pub fn in_a_cookie_the_last_answer_wins(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.cart.tea");
    let slow = browser.begin(world.here(), "who/wait.gate/set.note.slow");
    world.gate("gate").arrived();
    browser.go(world.here(), "set.cart.coffee");
    assert_eq!(browser.go(world.here(), "get.cart/get.note"), "coffee,-");
    world.gate("gate").open();
    browser.receive(&slow.reply());
    assert_eq!(browser.go(world.here(), "get.cart/get.note"), "tea,slow");
}

/// J07, rule 2: 200 increments at once on two nodes are 200, of a session that is signed in and of one that is kept.
pub fn parallel_increments_are_all_counted(setup: Setup) {
    let world = setup.world();
    for session in ["sign-in.ada", "keep"] {
        let browser = world.browser(session);
        for round in 1..=4 {
            at_once(&world, &browser, 50, "add.1");
            assert_eq!(say(world.there(), &browser.cookie, "count"), (round * 50).to_string());
        }
    }
}

/// J07: so are those within one request and those after an early look.
pub fn increments_of_one_request_add_up(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/add.1/add.1");
    assert_eq!(browser.go(world.here(), "count/add.1/count/add.2/count/commit/count"), "2,3,5,Saved,5");
    assert_eq!(browser.go(world.there(), "count"), "5");
}

/// J07: a write whose answer was lost is found again and counts once, also when others wrote meanwhile.
pub fn an_increment_whose_answer_was_lost_counts_once(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada");
    for round in 1..=10 {
        world.watch().plan(Call::Replace, Fault::LoseAnswer);
        assert_eq!(say(world.there(), &browser.cookie, "add.1/commit"), "Saved");
        assert_eq!(say(world.here(), &browser.cookie, "count"), round.to_string());
    }
    for fault in [Fault::LoseAnswer, Fault::Refuse, Fault::LoseAnswer, Fault::Refuse] {
        world.watch().plan(Call::Replace, fault);
    }
    at_once(&world, &browser, 12, "add.1");
    assert_eq!(say(world.here(), &browser.cookie, "count"), "22");
}

/// One of a hundred requests on two nodes gets what may be used once, and what it wrote beside it is kept.
pub fn one_of_a_hundred_takes_once(setup: Setup) {
    let world = setup.world();
    for session in ["sign-in.ada", "keep"] {
        let browser = world.browser(&format!("{session}/set.note.code"));
        let taken = at_once(&world, &browser, 100, "add.1/take-once.note/add.1");
        assert_eq!(taken.iter().filter(|note| *note == "code").count(), 1);
        assert_eq!(taken.iter().filter(|note| note.is_empty()).count(), 99);
        assert_eq!(say(world.there(), &browser.cookie, "get.note/count"), "-,200");
    }
}

/// What was taken once is gone, though the request failed, panicked or forgot its changes afterwards.
pub fn what_was_taken_once_is_gone_whatever_follows(setup: Setup) {
    let world = setup.world();
    for after in ["discard", "status.500", "panic"] {
        let browser = world.browser("sign-in.ada/set.note.code");
        let mut line = Line::new(world.here());
        if after == "panic" {
            let (name, gate) = world.new_gate();
            line.send(&format!("/do/take-once.note/wait.{name}"), &browser.cookie);
            gate.arrived();
            drop(line);
            world.idle();
        } else {
            assert_eq!(ask(world.here(), &browser.cookie, &format!("take-once.note/{after}")).text(), "code");
        }
        assert_eq!(say(world.there(), &browser.cookie, "take-once.note/who"), ",ada", "{after}");
    }
}

/// A sign-in while a value is being taken in the same request is a sign-in.
pub fn a_sign_in_beside_a_take_once_is_kept(setup: Setup) {
    for call in [Call::Load, Call::Replace] {
        let world = setup.world();
        let mut browser = world.browser("sign-in.ada/set.note.code");
        if call == Call::Load {
            // The first load is the request's own.
            world.watch().plan(call, Fault::WaitAt(world.opened_gate()));
        }
        world.watch().plan(call, Fault::WaitAt(world.gate("bob")));
        browser.go(world.here(), "take-once-beside-sign-in.bob");
        assert_eq!(browser.go(world.there(), "who/get.note"), "bob,-", "{call:?}");
    }
}

/// In a cookie, and before there is a record, that cannot be: it is a plain take.
pub fn in_a_cookie_take_once_is_a_plain_take(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.code");
    let again = browser.clone();
    assert_eq!(browser.go(world.here(), "take-once.note/get.note"), "code,-");
    assert_eq!(browser.go(world.here(), "take-once.note"), "");
    assert_eq!(say(world.here(), &again.cookie, "take-once.note"), "code", "the older cookie has it still");
}

/// Fifty first requests that all keep the same visitor make one row, and all of their writes are in it.
pub fn a_visitor_is_kept_once(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("set.note.visitor");
    let (name, gate) = world.new_gate();
    let begin = |at: usize| browser.begin(&world.nodes[at % 2], &format!("wait.{name}/keep/add.1"));
    let requests: Vec<_> = (0..50).map(begin).collect();
    gate.arrivals(50);
    gate.open();
    let replies: Vec<_> = requests.into_iter().map(Pending::reply).collect();
    for reply in replies {
        let mut browser = browser.clone();
        browser.receive(&reply);
        assert_eq!(browser.go(world.there(), "get.note/count"), "visitor,50");
    }
    assert_eq!(world.rows().len(), 1);
}

/// J10: users who share connections, threads and servers see their own data and nobody else's.
pub fn interleaved_users_see_their_own_data(setup: Setup) {
    let world = setup.world();
    thread::scope(|scope| {
        for worker in 0..6 {
            let world = &world;
            scope.spawn(move || {
                let mut lines: Vec<_> = world.nodes.iter().map(Line::new).collect();
                let mut users: Vec<_> = (0..5)
                    .map(|user| {
                        let name = format!("user{worker}x{user}");
                        (world.browser(&format!("sign-in.{name}/set.note.{name}")), name)
                    })
                    .collect();
                for round in 0..60 {
                    let at = round * 7 % users.len();
                    let (browser, name) = &mut users[at];
                    let line = round % lines.len();
                    let reply = lines[line].get("/do/who/get.note/add.1/count", &browser.cookie);
                    assert_eq!(reply.text(), format!("{name},{name},{}", round / 5 + 1));
                    browser.receive(&reply);
                    assert_eq!(lines[line].say("", "who/get.note/count"), "nobody,-,0");
                }
            });
        }
    });
}

/// Rule 5: a client that leaves while the store is being asked holds nothing, and what it wanted has happened whole or
/// not at all.
pub fn a_client_that_leaves_during_a_write_holds_nothing(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada/set.note.mine");
    for call in [Call::Load, Call::Replace] {
        let (_, stuck) = world.new_gate();
        world.watch().plan(call, Fault::WaitAt(stuck.clone()));
        let mut line = Line::new(world.here());
        line.send("/do/set.note.late", &browser.cookie);
        stuck.arrived();
        drop(line);
        world.idle();
        stuck.open();
        world.watch().idle();
        assert_eq!(say(world.here(), &browser.cookie, "get.note/add.1/get.note"), "mine,mine");
    }
    assert_eq!(say(world.there(), &browser.cookie, "who/count"), "ada,2");
}

/// Rule 5: a takeover of several steps is finished without its client: the old session is over and the new one whole,
/// never both and never neither.
pub fn a_takeover_whose_client_leaves_is_finished(setup: Setup) {
    let world = setup.world();
    let browser = world.browser("sign-in.ada/set.note.mine");
    let ((_, delete), (_, create)) = (world.new_gate(), world.new_gate());
    world.watch().plan(Call::Delete, Fault::WaitAt(delete.clone()));
    world.watch().plan(Call::Create, Fault::WaitAt(create.clone()));
    let mut line = Line::new(world.here());
    line.send("/do/sign-in.bob", &browser.cookie);
    delete.arrived();
    drop(line);
    world.idle();
    delete.open();
    create.arrived();
    create.open();
    world.watch().idle();
    is_dead(&world, &browser.cookie);
    let rows = world.rows();
    assert_eq!(rows.iter().map(|(_, row)| row.owner()).collect::<Vec<_>>(), [Some("bob")]);
}
