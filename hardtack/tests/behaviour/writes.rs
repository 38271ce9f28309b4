//! PX-1, AX-1: every way of writing is kept, seen by the next request, on another node.

use crate::{
    client::{Browser, ask, say},
    world::Setup,
};

const SESSIONS: [&str; 3] = ["set.cart.tea", "keep/set.cart.tea", "sign-in.ada/set.cart.tea"];

/// Each way of writing is there when the session is loaded again, and leaves the other fields alone.
pub fn every_way_of_writing_is_kept(setup: Setup) {
    let world = setup.world();
    let ways = [
        ("set.note.new", "new,blue,3"),
        ("remove.note", "-,blue,3"),
        ("append.note.er", "older,blue,3"),
        ("append.note.er/append.note.er", "olderer,blue,3"),
        ("add.4", "old,blue,7"),
        ("take.note", "-,blue,3"),
        ("take-once.note", "-,blue,3"),
        ("write.red", "-,red,3"),
        ("set.note.x/remove.note", "-,blue,3"),
        ("remove.note/set.note.x", "x,blue,3"),
        ("set.note.x/discard", "old,blue,3"),
    ];
    for session in SESSIONS {
        for (way, expected) in ways {
            let mut browser = world.browser(&format!("{session}/set.note.old/set.colour.blue/add.3"));
            browser.go(world.here(), way);
            let read = format!("{expected},tea");
            assert_eq!(browser.go(world.there(), "get.note/get.colour/count/get.cart"), read, "{session}, {way}");
            assert_eq!(browser.go(world.here(), "get.note/get.colour/count/get.cart"), read, "{session}, {way}");
        }
        let mut browser = world.browser(&format!("{session}/set.note.old/add.3"));
        browser.go(world.here(), "clear");
        assert_eq!(browser.go(world.there(), "live/get.note/count/get.cart"), "true,-,0,-", "{session}");
        browser.go(world.there(), "set.note.again");
        assert_eq!(browser.go(world.here(), "read"), "again+", "{session}");
    }
}

/// A request sees what it wrote itself, and all its handlers see one session.
pub fn a_request_sees_its_own_writes(setup: Setup) {
    let world = setup.world();
    for session in SESSIONS {
        let mut browser = world.browser(session);
        let steps = "set.note.a/get.note/append.note.b/get.note/take.note/get.note/write.red/read/clear/read/live";
        assert_eq!(browser.go(world.there(), steps), "a,ab,ab,-,+red,+,true");
    }
}

/// Writing what is there already is no write: no cookie, and nothing in a store.
pub fn writing_the_same_again_is_no_write(setup: Setup) {
    let world = setup.world();
    for session in SESSIONS {
        let browser = world.browser(&format!("{session}/write.red"));
        if setup.is_stored() {
            world.watch().calls();
        }
        for steps in ["write.red", "set.colour.red", "remove.note", "set.cart.tea", "take.note"] {
            assert!(ask(world.there(), &browser.cookie, steps).set_cookies().is_empty(), "{session}, {steps}");
        }
        assert!(!setup.is_stored() || world.watch().writes().is_empty(), "{session}");
    }
}

/// A session in a store whose data changes keeps its cookie: nothing has to reach the browser.
pub fn a_stored_write_sends_no_cookie(setup: Setup) {
    let world = setup.world();
    for session in &SESSIONS[1..] {
        let browser = world.browser(session);
        for steps in ["set.note.x", "remove.note", "clear", "add.1", "write.red", "label.x", "take-once.colour"] {
            assert!(ask(world.there(), &browser.cookie, steps).set_cookies().is_empty(), "{steps}");
        }
        assert_eq!(say(world.here(), &browser.cookie, "count"), "1");
    }
}

/// A handler that commits early is told what became of it; what it writes afterwards fails the request aloud.
pub fn a_write_after_the_commit_is_an_error(setup: Setup) {
    let world = setup.world();
    let mut browser = Browser::default();
    assert_eq!(browser.go(world.here(), "sign-in.ada/set.note.mine/commit"), "Renewed");
    assert_eq!(browser.go(world.there(), "set.note.other/commit/get.note"), "Saved,other");
    assert_eq!(browser.go(world.here(), "commit/get.note"), "Untouched,other");
    let late = ask(world.there(), &browser.cookie, "set.colour.red/commit/set.note.late");
    assert_eq!((late.status, late.set_cookies().len()), (500, 0));
    browser.receive(&late);
    assert_eq!(browser.go(world.there(), "get.note"), "other");
    assert_eq!(browser.go(world.here(), "sign-out/commit"), "Ended");
}

/// J09: data may be larger than a cookie, up to a limit; beyond it nothing is saved, and the answer says so.
pub fn data_may_be_larger_than_a_cookie(setup: Setup) {
    let world = setup.world_with(&|builder| builder.max_record(6_000));
    for session in ["sign-in.ada", "keep"] {
        let browser = world.browser(session);
        let (fits, too_large) = ("x".repeat(5_000), "y".repeat(6_000));
        assert_eq!(say(world.here(), &browser.cookie, &format!("set.note.{fits}/commit")), "Saved");
        let refused = ask(world.here(), &browser.cookie, &format!("set.note.{too_large}"));
        assert_eq!((refused.status, refused.set_cookies().len()), (500, 0));
        assert_eq!(say(world.there(), &browser.cookie, "get.note"), fits);
    }
}

/// A06: what does not fit a cookie is an error before the head leaves, and the session is as it was.
pub fn what_does_not_fit_a_cookie_is_an_error(setup: Setup) {
    let world = setup.world();
    let sessions: &[&str] =
        if setup.is_stored() { &["set.note.mine"] } else { &["set.note.mine", "sign-in.ada/set.note.mine"] };
    for session in sessions {
        let mut browser = world.browser(session);
        let refused = browser.ask(world.here(), &format!("set.note.{}", "x".repeat(5_000)));
        assert_eq!((refused.status, refused.set_cookies().len()), (500, 0));
        assert_eq!(browser.go(world.there(), "get.note"), "mine");
    }
}
