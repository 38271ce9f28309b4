//! E: what has ended stays ended, everywhere.

use hardtack::{
    BuildError, Sessions,
    store::{Beyond, DeviceLimit},
};

use crate::{
    client::{Browser, Pending, ask, is_dead, say},
    common::exchange,
    world::{DAY, HOUR, MINUTE, Setup, World},
};

const REMOVAL: &str = "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0";

/// E01: after the logout all bytes that ever opened the session are nobody's, for as long as they would have lived.
pub fn the_same_bytes_fail_after_the_logout(setup: Setup) {
    let world = setup.world_with(&|builder| builder.idle(DAY));
    let mut ada = world.browser("sign-in.ada/set.note.mine");
    let mut bytes = vec![ada.cookie.clone()];
    for steps in ["set.note.other", "renew", "remember"] {
        ada.go(world.there(), steps);
        bytes.push(ada.cookie.clone());
    }
    let reply = ada.ask(world.there(), "sign-out/who/live");
    assert_eq!(
        (reply.text(), reply.one("set-cookie"), reply.one("cache-control")),
        ("nobody,false", REMOVAL, "no-store")
    );
    for _ in 0..5 {
        bytes.iter().for_each(|cookie| is_dead(&world, cookie));
        world.clock.advance(5 * HOUR);
    }
    assert!(world.rows().is_empty());
}

/// E01: a sign-out ends the one session and no other of the same owner.
pub fn a_logout_ends_one_session(setup: Setup) {
    let world = setup.world();
    let (mut phone, laptop) = (world.browser("sign-in.ada"), world.browser("sign-in.ada"));
    phone.go(world.there(), "sign-out");
    assert_eq!((phone.cookie.as_str(), say(world.there(), &laptop.cookie, "who").as_str()), ("", "ada"));
}

/// E02, E04: an account that is disabled is out on every device and on every node; nobody else is, and a new sign-in
/// is in.
pub fn ending_an_owner_ends_all_his_sessions_and_no_other(setup: Setup) {
    let world = setup.world();
    let devices: Vec<_> = (0..5).map(|_| world.browser("sign-in.ada/set.note.mine")).collect();
    let others = ["Ada", "adam", "bob"].map(|name| (name, world.browser(&format!("sign-in.{name}"))));
    let visitor = world.browser("set.note.visitor");
    assert_eq!(say(world.there(), "", "end-owner.ada"), "");
    devices.iter().for_each(|device| is_dead(&world, &device.cookie));
    for (name, other) in &others {
        assert_eq!(say(world.there(), &other.cookie, "who"), *name);
    }
    assert_eq!(say(world.there(), &visitor.cookie, "get.note"), "visitor");
    world.clock.advance(std::time::Duration::from_millis(1));
    let again = world.browser("sign-in.ada/set.note.again");
    assert_eq!(say(world.there(), &again.cookie, "who/get.note"), "ada,again");
    devices.iter().for_each(|device| is_dead(&world, &device.cookie));
}

/// E03: after a change of password the others die, N − 1 of N; the one that changed it goes on, with what it writes in
/// the same request.
pub fn ending_the_others_spares_this_one(setup: Setup) {
    let world = setup.world();
    let others: Vec<_> = (0..5).map(|_| world.browser("sign-in.ada")).collect();
    let bob = world.browser("sign-in.bob");
    let mut ada = world.browser("sign-in.ada/set.note.before");
    assert_eq!(ada.go(world.there(), "set.note.mine/end-others/add.1"), "");
    others.iter().for_each(|other| is_dead(&world, &other.cookie));
    for node in &world.nodes {
        assert_eq!(say(node, &ada.cookie, "who/get.note/count"), "ada,mine,1");
        assert_eq!(say(node, &bob.cookie, "who"), "bob");
    }
    ada.go(world.here(), "set.note.later");
    assert_eq!(ada.go(world.there(), "get.note/end-others/sign-in.ada/who"), "later,ada");
    assert_eq!(ada.go(world.here(), "who/get.note"), "ada,later");
}

/// E03, E07: a session that was ended meanwhile does not come back by ending "the others".
pub fn ending_the_others_revives_nothing(setup: Setup) {
    for ending in ["sign-out", "end-owner.ada"] {
        let world = setup.world();
        let ada = world.browser("sign-in.ada");
        let slow = ada.begin(world.here(), "who/wait.gate/set.note.late/end-others");
        world.gate("gate").arrived();
        say(world.there(), &ada.cookie, ending);
        world.gate("gate").open();
        assert!(slow.reply().set_cookies().is_empty(), "{ending}");
        is_dead(&world, &ada.cookie);
    }
}

/// E05: any session can be ended by its handle, from elsewhere: a signed-in one, a kept one, and on the server that
/// knows of it an anonymous one.
pub fn a_session_is_ended_by_its_handle(setup: Setup) {
    let world = setup.world();
    let laptop = world.browser("sign-in.ada");
    for steps in ["sign-in.ada", "keep/set.note.x", "set.note.x"] {
        let mut browser = world.browser(steps);
        let handle = browser.go(world.there(), "handle");
        say(world.here(), "", &format!("end.{handle}"));
        assert_eq!(say(world.here(), &browser.cookie, "live"), "false", "{steps}");
        assert!(steps.starts_with("set") || say(world.there(), &browser.cookie, "live") == "false", "{steps}");
    }
    assert_eq!(say(world.there(), &laptop.cookie, "who"), "ada");
}

/// E05: an owner sees his sessions by their labels and handles, the one used last first, on every node; not those
/// that have ended, not those of others, and nothing that opens one.
pub fn an_owner_sees_his_sessions(setup: Setup) {
    let world = setup.world();
    let mut known = Vec::new();
    for label in ["phone", "laptop", "library"] {
        let mut browser = world.browser(&format!("sign-in.ada/label.{label}"));
        known.push((format!("{}:{label}", browser.go(world.here(), "handle")), browser));
        world.clock.advance(25 * MINUTE);
    }
    world.browser("sign-in.bob/label.foreign");
    let list =
        |known: &[(String, Browser)]| known.iter().rev().map(|(text, _)| text.as_str()).collect::<Vec<_>>().join(" ");
    assert_eq!(say(world.there(), "", "of.ada"), list(&known[1..]), "the first is over");
    let (_, mut library) = known.pop().unwrap();
    library.go(world.there(), "label.home");
    let listed = say(world.here(), "", "of.ada");
    assert!(
        listed.ends_with(&list(&known[1..])) && listed.contains(":home") && !listed.contains(":library"),
        "{listed}"
    );
    library.go(world.here(), "sign-out");
    assert_eq!(say(world.there(), "", "of.ada"), list(&known[1..]));
    for word in say(world.there(), "", "of.ada").split([' ', ':']) {
        is_dead(&world, &format!("__Host-session={word}"));
    }
}

/// E05: sessions in cookies are known to nobody.
pub fn sessions_in_cookies_are_on_no_list(setup: Setup) {
    let world = setup.world();
    world.browser("sign-in.ada/label.phone");
    assert_eq!(say(world.here(), "", "of.ada"), "");
}

fn fifty_logins(world: &World) -> Vec<(u16, Browser)> {
    let logins = (0..50).map(|at| Browser::default().begin(&world.nodes[at % 2], "sign-in.ada"));
    let replies: Vec<_> = logins.collect::<Vec<_>>().into_iter().map(Pending::reply).collect();
    let received = replies.iter().map(|reply| {
        let mut browser = Browser::default();
        browser.receive(reply);
        (reply.status, browser)
    });
    received.collect()
}

/// E06: of fifty sign-ins at once on two nodes as many succeed as the limit allows; the others are told, get no
/// cookie, and can come in when one has left.
pub fn the_device_limit_refuses_the_fourth(setup: Setup) {
    let world = setup.world_with(&|builder| builder.device_limit(DeviceLimit { most: 3, beyond: Beyond::Refuse }));
    let (inside, outside): (Vec<_>, Vec<_>) = fifty_logins(&world).into_iter().partition(|(status, _)| *status == 200);
    assert_eq!((inside.len(), world.rows().len()), (3, 3));
    assert!(outside.iter().all(|(status, browser)| *status == 409 && browser.cookie.is_empty()));
    for (_, browser) in &inside {
        assert_eq!(say(world.there(), &browser.cookie, "who"), "ada");
    }
    assert_eq!(say(world.there(), "", "sign-in.ada/commit/discard"), "error 409");
    assert_eq!(say(world.here(), "", "sign-in.bob/who"), "bob");
    say(world.there(), &inside[0].1.cookie, "sign-out");
    assert_eq!(say(world.here(), "", "sign-in.ada/commit"), "Renewed");
    assert_eq!(say(world.here(), &inside[1].1.cookie, "sign-in.ada/commit"), "Renewed", "in the place of one of them");
}

/// E06: or the oldest make room: the limit holds, and the newest is in.
pub fn the_device_limit_ends_the_oldest(setup: Setup) {
    let world = setup.world_with(&|builder| builder.device_limit(DeviceLimit { most: 3, beyond: Beyond::EndOldest }));
    let logins = fifty_logins(&world);
    assert!(logins.iter().all(|(status, _)| *status == 200));
    let live = logins.iter().filter(|(_, browser)| say(world.there(), &browser.cookie, "who") == "ada");
    assert_eq!((live.count(), world.rows().len()), (3, 3));
    let mut newer = Vec::new();
    for _ in 0..3 {
        world.clock.advance(std::time::Duration::from_secs(1));
        newer.push(world.browser("sign-in.ada"));
    }
    logins.iter().for_each(|(_, browser)| is_dead(&world, &browser.cookie));
    for browser in &newer {
        assert_eq!(say(world.there(), &browser.cookie, "who"), "ada");
    }
}

/// E06: nobody can count sessions in cookies, so a limit for them does not build.
pub fn a_device_limit_without_a_store_does_not_build(setup: Setup) {
    let limit = DeviceLimit { most: 3, beyond: Beyond::Refuse };
    let world = setup.world();
    let keys = hardtack::Keyring::ephemeral().unwrap();
    let refused = Sessions::stateless(keys).clock(world.clock.clone()).device_limit(limit).build().err().unwrap();
    assert!(matches!(&refused, BuildError::Setting { why } if why.contains("Sessions::stored")), "{refused}");
}

/// E09: a panic answers nothing and commits nothing; the server goes on.
pub fn a_panic_commits_nothing(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada/set.note.mine");
    for steps in ["sign-out", "set.note.late", "sign-in.bob", "renew/clear"] {
        let head = format!("GET /do/{steps}/panic HTTP/1.1\r\nHost: app.example\r\nCookie: {}\r\n\r\n", ada.cookie);
        assert!(exchange(world.here().address, head.as_bytes()).is_none());
        assert_eq!(say(world.there(), &ada.cookie, "who/get.note"), "ada,mine");
    }
}

/// E09: what was committed before the panic stays: who wants a logout to be sure commits it.
pub fn what_was_committed_before_a_panic_stays(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada/set.note.mine");
    let head = format!("GET /do/sign-out/commit/panic HTTP/1.1\r\nHost: app.example\r\nCookie: {}\r\n\r\n", ada.cookie);
    assert!(exchange(world.here().address, head.as_bytes()).is_none());
    is_dead(&world, &ada.cookie);
}

/// E09: a handler that fails after signing out has signed out.
pub fn an_error_after_the_logout_stops_no_logout(setup: Setup) {
    for status in [400, 404, 500, 503] {
        let world = setup.world();
        let mut ada = world.browser("sign-in.ada/set.note.mine");
        let old = ada.cookie.clone();
        let reply = ada.ask(world.there(), &format!("sign-out/status.{status}"));
        assert_eq!((reply.status, reply.one("set-cookie")), (status, REMOVAL));
        is_dead(&world, &old);
    }
}

/// E10: no owner and no data is a state too, and it is kept.
pub fn being_nobody_is_kept(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("sign-in.ada/set.note.mine/add.1");
    let old = browser.cookie.clone();
    assert_eq!(browser.go(world.here(), "sign-out/set.colour.red/who"), "nobody");
    assert_eq!(browser.go(world.there(), "who/live/get.note/count/get.colour"), "nobody,true,-,0,red");
    is_dead(&world, &old);
    let mut browser = world.browser("sign-in.ada/set.note.mine/add.1");
    browser.go(world.here(), "clear");
    assert_eq!(browser.go(world.there(), "who/get.note/count"), "ada,-,0");
}

/// E03, E04: a sign-in whose password was verified before the owner's sessions were ended does not outlive that.
pub fn a_login_that_raced_a_password_change_is_over(setup: Setup) {
    let world = setup.world();
    let slow = Browser::default().begin(world.here(), "prepare/wait.gate/sign-in.ada");
    world.gate("gate").arrived();
    say(world.there(), "", "end-owner.ada");
    world.gate("gate").open();
    let reply = slow.reply();
    let mut browser = Browser::default();
    browser.receive(&reply);
    assert!(!setup.is_stored() || (reply.status == 409 && browser.cookie.is_empty()), "{reply:?}");
    assert_eq!(say(world.there(), &browser.cookie, "who"), "nobody");
    assert!(world.rows().is_empty());
    let reply = ask(world.here(), "", "prepare/sign-in.ada");
    assert_eq!((reply.status, say(world.there(), &reply.cookie(), "who").as_str()), (200, "ada"));
}

/// A stream learns that its session has ended, and writes nothing any more.
pub fn a_stream_learns_that_its_session_has_ended(setup: Setup) {
    let world = setup.world();
    let ada = world.browser("sign-in.ada/set.note.mine");
    let (lives, dies) = (ada.begin_at(world.here(), "/stream/lives"), ada.begin_at(world.here(), "/stream/dies"));
    world.gate("lives").arrived();
    world.gate("dies").arrived();
    world.gate("lives").open();
    let reply = lives.reply();
    assert!(reply.text().contains("true,true"), "{reply:?}");
    assert_eq!(say(world.there(), &ada.cookie, "get.note"), "mine");
    say(world.there(), &ada.cookie, "sign-out");
    world.gate("dies").open();
    assert!(dies.reply().text().contains("false,true"));
    is_dead(&world, &ada.cookie);
}
