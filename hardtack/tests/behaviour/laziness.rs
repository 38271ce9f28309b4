//! J08, AX-5, D06: what nobody asks for costs nothing, and nobodies leave nothing behind.

use crate::{
    client::{Browser, Line, get, without_cookie},
    common::Reply,
    store::Call,
    world::{HOUR, MINUTE, Setup, World},
};

/// Nothing in a reply tells of sessions.
#[track_caller]
fn is_untouched(reply: &Reply) {
    assert_eq!(reply.status, 200);
    for header in ["set-cookie", "vary", "cache-control"] {
        assert!(reply.all(header).is_empty(), "{header}: {reply:?}");
    }
}

fn no_calls(setup: Setup, world: &World) {
    assert!(!setup.is_stored() || world.watch().calls().is_empty());
}

/// AX-5: a route that never asks for its session makes no call and no header, whatever cookie came and however old
/// the session is.
pub fn a_route_that_never_asks_costs_nothing(setup: Setup) {
    let world = setup.world_with(&|builder| builder.renewal(10 * MINUTE));
    let ada = world.browser("sign-in.ada");
    if setup.is_stored() {
        world.watch().calls();
    }
    for _ in 0..4 {
        for cookie in ["", "__Host-session=forged", &ada.cookie] {
            is_untouched(&get(world.here(), "/plain", cookie));
        }
        world.clock.advance(HOUR / 2);
    }
    no_calls(setup, &world);
}

/// A route that does not exist asks nothing either.
pub fn a_missing_route_costs_nothing(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada");
    if setup.is_stored() {
        world.watch().calls();
    }
    let reply = get(world.here(), "/nowhere", &ada.cookie);
    assert_eq!((reply.status, reply.set_cookies().len()), (404, 0));
    no_calls(setup, &world);
}

/// A visitor without a cookie makes no call, whatever is read, and none by writing, because his data is in his cookie.
pub fn a_visitor_without_a_record_costs_no_call(setup: Setup) {
    let world = setup.world();
    let mut browser = Browser::default();
    assert_eq!(
        without_cookie(&browser.ask(world.here(), "who/live/get.note/read/sign-out/clear/remove.note")),
        "nobody,false,-,+"
    );
    browser.go(world.here(), "set.note.x/csrf");
    assert_eq!(browser.go(world.there(), "get.note/add.1/count/who"), "x,1,nobody");
    browser.go(world.there(), "sign-out");
    assert!(browser.cookie.is_empty());
    no_calls(setup, &world);
}

/// One request loads its session once, however often it is asked for, and one that reads calls nothing else.
pub fn a_request_loads_once(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada/set.note.mine");
    world.watch().calls();
    assert_eq!(
        without_cookie(&get(world.there(), "/do/who/get.note/who/read/handle/get.note", &ada.cookie))[..8],
        *"ada,mine"
    );
    assert_eq!(world.watch().kinds(), [Call::Load]);
    get(world.there(), "/do/set.note.a/set.note.b/add.1/add.1", &ada.cookie);
    assert_eq!(world.watch().kinds(), [Call::Load, Call::Replace]);
}

/// J08: ten thousand requests of nobody – bots without cookies, with forged ones, with data, logging out – leave no
/// row and ask the store nothing.
pub fn ten_thousand_nobodies_leave_nothing(setup: Setup) {
    let world = setup.world();
    let forged = format!("__Host-session={}", "A".repeat(215));
    let bots =
        [("who", ""), ("who", &*forged), ("set.note.x/csrf", ""), ("set.note.x", &*forged), ("sign-out", &*forged)];
    std::thread::scope(|scope| {
        for (at, (steps, cookie)) in bots.into_iter().enumerate() {
            let world = &world;
            scope.spawn(move || {
                let mut line = Line::new(&world.nodes[at % world.nodes.len()]);
                for _ in 0..2_000 {
                    assert_eq!(line.get(&format!("/do/{steps}"), cookie).status, 200);
                }
            });
        }
    });
    no_calls(setup, &world);
    assert!(world.rows().is_empty());
}

/// J08: visitors who come back with what they were given, and leave, write nothing either.
pub fn visitors_who_come_back_leave_nothing(setup: Setup) {
    let world = setup.world();
    let mut line = Line::new(world.here());
    for _ in 0..300 {
        let mut browser = Browser::default();
        for steps in ["set.note.x", "csrf/add.1", "who/get.note", "sign-out", "sign-out"] {
            let reply = line.get(&format!("/do/{steps}"), &browser.cookie);
            browser.receive(&reply);
        }
        assert!(browser.cookie.is_empty());
    }
    no_calls(setup, &world);
}
