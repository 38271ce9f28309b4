//! C: whose a session is, and that nobody becomes somebody else.

use std::collections::HashSet;

use hardtack::{Keyring, Kind, Sessions, store::MemoryStore};

use crate::{
    client::{Browser, ask, is_dead, say},
    common::{builder, fetch},
    independent::{Seal, base64url, from_base64url},
    store::{Call, Fault},
    world::{DAY, HOUR, Setup, World, wait},
};

/// C03: what a client makes up is nobody's session, asks the store nothing (B11), and is not adopted by a sign-in.
pub fn a_chosen_id_is_never_adopted(setup: Setup) {
    let world = setup.world();
    let (foreign, _) = builder();
    let foreign = wait(foreign.build().unwrap().cookie(|session| session.sign_in("eve"))).unwrap();
    let value = |text: &str| format!("__Host-session={text}");
    for chosen in [value(""), value("ada"), value(&"A".repeat(32)), value(&"A".repeat(300)), foreign] {
        assert_eq!(say(world.here(), &chosen, "who/live"), "nobody,false");
        assert!(!setup.is_stored() || world.watch().calls().is_empty(), "{chosen}");
        let mut browser = Browser { cookie: chosen.clone() };
        assert_eq!(browser.go(world.here(), "sign-in.ada/who"), "ada");
        assert_ne!(browser.cookie, chosen);
        assert_eq!(say(world.there(), &browser.cookie, "who"), "ada");
        is_dead(&world, &chosen);
        browser.go(world.here(), "sign-out");
        assert!(!setup.is_stored() || !world.watch().calls().is_empty());
    }
}

/// C03: the server's own envelope whose row is in no store, because it was deleted or is another store's, gets no
/// row under its id: not by reading, writing, keeping or signing in.
pub fn an_id_without_a_row_never_gets_one(setup: Setup) {
    for steps in ["who", "set.note.x", "keep", "keep/set.note.x", "sign-in.ada", "renew", "remember"] {
        let world = setup.world();
        let keys = Keyring::new(hardtack::Key::parse(&world.key.to_secret_text()).unwrap(), []).unwrap();
        let elsewhere = Sessions::stored(keys, MemoryStore::new()).clock(world.clock.clone()).build().unwrap();
        let strange = wait(elsewhere.cookie(|session| session.sign_in("eve"))).unwrap();
        let handle = world.inspect(&strange).handle();
        assert_eq!(say(world.here(), &strange, &format!("who/live/{steps}")).split_once(",f").unwrap().0, "nobody");
        assert!(world.rows().iter().all(|(key, _)| *key != handle.into()), "{steps}");
        is_dead(&world, &strange);
    }
}

/// C04: whoever signs in again has a new id, the data stays, and the old bytes are dead.
pub fn signing_in_again_makes_a_new_id_and_kills_the_old_bytes(setup: Setup) {
    let world = setup.world();
    let mut ada = world.browser("sign-in.ada/set.note.mine");
    for _ in 0..3 {
        let (old, handle) = (ada.cookie.clone(), ada.go(world.here(), "handle"));
        assert_eq!(ada.go(world.there(), "sign-in.ada/who/get.note"), "ada,mine");
        is_dead(&world, &old);
        for node in &world.nodes {
            assert_eq!(say(node, &ada.cookie, "who/get.note"), "ada,mine");
        }
        assert_ne!(ada.go(world.here(), "handle"), handle);
    }
    assert!(!setup.is_stored() || world.rows().len() == 1);
}

/// C04: who takes over a browser from another user gets nothing of his, and ends his session.
pub fn a_takeover_leaves_nothing_of_the_one_before(setup: Setup) {
    let world = setup.world_with(&|builder| builder.carry_over(["cart"]));
    let mut browser = world.browser("sign-in.ada/set.note.secret/set.cart.tea/add.3/label.mine/remember");
    let (old, handle) = (browser.cookie.clone(), browser.go(world.here(), "handle"));
    assert_eq!(browser.go(world.there(), "sign-in.bob/who/get.note/get.cart/count"), "bob,-,-,0");
    is_dead(&world, &old);
    for node in &world.nodes {
        assert_eq!(say(node, &browser.cookie, "who/get.note/get.cart/count"), "bob,-,-,0");
    }
    assert_ne!(browser.go(world.here(), "handle"), handle);
    let rows = world.rows();
    assert!(rows.iter().all(|(_, row)| row.owner() == Some("bob") && row.label().is_none() && !row.facts().remembered));
}

/// C04: an anonymous cookie is dead after the sign-in, on the server that signed in. With a store, it may be in the
/// cookie alone, and no other server knows of it.
pub fn a_visitors_bytes_are_dead_after_the_sign_in(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("set.note.planted");
    let old = browser.cookie.clone();
    assert_eq!(browser.go(world.here(), "sign-in.ada/get.note"), "-");
    assert_eq!(say(world.here(), &old, "who/get.note/live"), "nobody,-,false");
}

/// C04: a visitor's session that was kept in the store is dead after the sign-in, everywhere.
pub fn a_kept_visitors_bytes_are_dead_after_the_sign_in(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("keep/set.note.planted");
    let old = browser.cookie.clone();
    assert_eq!(browser.go(world.there(), "get.note/sign-in.ada/get.note"), "planted,-");
    is_dead(&world, &old);
    assert_eq!(world.rows().len(), 1);
}

/// C04, E01: so are the bytes from before it was kept, on the server that ended it.
pub fn the_bytes_from_before_a_visitor_was_kept_are_dead_too(setup: Setup) {
    for ending in ["sign-in.ada", "sign-out"] {
        let world = setup.world();
        let mut browser = world.browser("set.note.planted");
        let before = browser.cookie.clone();
        browser.go(world.here(), "keep");
        browser.go(world.here(), ending);
        assert_eq!(say(world.here(), &before, "who/get.note/live"), "nobody,-,false", "{ending}");
    }
}

/// C03: an anonymous cookie whose session was kept in the store and has ended since is not kept there again, on no node
/// and after no purge, as long as it opens.
pub fn a_kept_visitor_that_has_ended_is_not_kept_again(setup: Setup) {
    let world = setup.world_with(&|builder| builder.idle(DAY));
    for ending in ["sign-out", "sign-in.ada"] {
        let mut browser = world.browser("set.note.planted");
        let before = browser.cookie.clone();
        let key = world.inspect(&before).handle().into();
        browser.go(world.here(), "keep");
        browser.go(world.here(), ending);
        for _ in 0..4 {
            say(world.there(), &before, "keep");
            assert!(world.rows().iter().all(|(known, _)| *known != key), "{ending}");
            world.clock.advance(5 * HOUR);
            world.purge();
        }
    }
}

/// B02: two cookies of two sessions that both live are nobody's and a reason: one of them was planted. Both live on
/// alone. A dead one beside a live one does no harm.
pub fn two_sessions_in_one_request_are_nobodys(setup: Setup) {
    let world = setup.world();
    for planted in ["sign-in.eve", "keep/set.note.x", "set.note.x"] {
        let (ada, mut eve) = (world.browser("sign-in.ada"), world.browser(planted));
        for both in [[&ada.cookie, &eve.cookie], [&eve.cookie, &ada.cookie]] {
            let fields = both.map(|cookie| cookie.as_bytes().to_vec());
            let reply = fetch(world.there().address, "/do/who/get.note/refusal", &fields);
            assert_eq!(reply.text(), "nobody,-,conflict", "{planted}");
            let crumbs = ask(world.here(), &both.map(String::as_str).join("; "), "who/refusal");
            assert_eq!(crumbs.text(), "nobody,conflict", "{planted}");
        }
        assert_eq!(say(world.here(), &ada.cookie, "who"), "ada");
        assert_eq!(eve.go(world.here(), "live"), "true");
        let dead = eve.cookie.clone();
        eve.go(world.here(), "sign-out");
        assert_eq!(say(world.here(), &format!("{dead}; {}", ada.cookie), "who"), "ada", "{planted}");
    }
}

/// C06: a token from before a sign-in or a sign-out is worth nothing afterwards; one from before a renewal is.
pub fn the_csrf_token_ends_with_the_identity(setup: Setup) {
    let world = setup.world();
    let mut browser = world.browser("set.note.x");
    let mut tokens = vec![browser.go(world.here(), "csrf")];
    for steps in ["sign-in.ada", "sign-in.ada", "sign-in.bob", "sign-out/set.note.x"] {
        let newest = tokens.last().unwrap();
        assert_eq!(browser.go(world.here(), &format!("verify.{newest}")), "true");
        browser.go(world.here(), "renew");
        assert_eq!(browser.go(world.there(), &format!("verify.{newest}")), "true", "a renewal keeps it");
        browser.go(world.here(), steps);
        for token in &tokens {
            assert_eq!(browser.go(world.here(), &format!("verify.{token}")), "false", "after {steps}");
        }
        tokens.push(browser.go(world.here(), "csrf"));
    }
}

/// C07: of what an anonymous visitor had, only what is on the list survives the sign-in; kept in the store or not.
pub fn only_listed_fields_survive_the_sign_in(setup: Setup) {
    for keep in ["", "/keep"] {
        for (listed, cart) in [(vec!["cart", "absent"], "tea"), (vec![], "-")] {
            let world = setup.world_with(&|builder| builder.carry_over(listed.clone()));
            let mut browser = world.browser(&format!("set.cart.tea/set.note.planted/add.1{keep}"));
            browser.go(world.here(), "sign-in.ada");
            assert_eq!(browser.go(world.there(), "who/get.cart/get.note/count"), format!("ada,{cart},-,0"));
        }
    }
}

/// C08: an id that is taken gives another one, never the session that is there.
pub fn a_taken_id_gives_another_one(setup: Setup) {
    let world = setup.world();
    let victim = world.browser("sign-in.ada/set.note.mine");
    for steps in ["sign-in.bob", "keep"] {
        world.watch().calls();
        world.watch().plan(Call::Create, Fault::Taken);
        let mut browser = world.browser(steps);
        let calls = world.watch().calls();
        let keys: HashSet<_> = calls.iter().filter(|(call, _)| *call == Call::Create).map(|(_, key)| *key).collect();
        assert_eq!(keys.len(), 2, "the second attempt is under another id");
        browser.go(world.there(), "set.note.other");
        assert!(keys.contains(&Some(world.inspect(&browser.cookie).handle().into())));
        assert_eq!(say(world.here(), &victim.cookie, "who/get.note"), "ada,mine");
    }
}

/// C08: where every id is taken, nobody is signed in.
pub fn when_every_id_is_taken_nobody_is_signed_in(setup: Setup) {
    let world = setup.world();
    world.watch().down(Fault::Taken);
    let reply = ask(world.here(), "", "sign-in.ada");
    assert_eq!((reply.status, reply.set_cookies().len()), (503, 0));
    assert!(world.rows().is_empty());
}

/// C09: neither the rows nor the files of the store hold an id, a cookie or a field; nothing in a row is a cookie.
pub fn a_copy_of_the_store_signs_nobody_in(setup: Setup) {
    let world = setup.world();
    let mut cookies = Vec::new();
    for steps in ["sign-in.ada/set.note.violet/label.lab", "sign-in.bob/set.note.violet", "keep/set.note.violet"] {
        let mut browser = world.browser(steps);
        cookies.push(browser.cookie.clone());
        browser.go(world.there(), "renew/set.colour.indigo");
        cookies.push(browser.cookie);
    }
    let rows = world.rows();
    assert_eq!(rows.len(), 3);
    let mut dump: Vec<Vec<u8>> = rows.iter().map(|(key, row)| format!("{key:?}{row:?}").into_bytes()).collect();
    dump.extend(rows.iter().map(|(_, row)| row.sealed().to_vec()));
    dump.extend(world.files());
    let seal = Seal::new(&world.key.to_secret_text());
    for cookie in &cookies {
        let value = cookie.split_once('=').unwrap().1;
        let id = seal.open(cookie).id;
        let secrets = [&id[..], base64url(&id).as_bytes(), hex::encode(id).as_bytes(), &from_base64url(value)[..]]
            .map(<[u8]>::to_vec);
        for secret in secrets.iter().map(Vec::as_slice).chain([value.as_bytes(), b"violet", b"indigo"]) {
            let found = dump.iter().any(|bytes| bytes.windows(secret.len()).any(|window| window == secret));
            assert!(!found, "{}", String::from_utf8_lossy(secret));
        }
    }
    for (key, row) in &rows {
        let texts = [base64url(row.sealed()), base64url(key.as_bytes()), hex::encode(key.as_bytes())];
        for text in texts.iter().map(String::as_str).chain(row.owner()).chain(row.label()) {
            is_dead(&world, &format!("__Host-session={text}"));
        }
    }
}

/// C11: a cookie says nothing: not who, not what, not how many; two of one owner in one instant have nothing in
/// common.
pub fn a_cookie_says_nothing(setup: Setup) {
    let world = setup.world();
    let seal = Seal::new(&world.key.to_secret_text());
    let (mut ids, mut handles) = (HashSet::new(), HashSet::new());
    for _ in 0..20 {
        let browser = world.browser("sign-in.lovelace/set.note.violet");
        let raw = from_base64url(browser.cookie.split_once('=').unwrap().1);
        for word in [&b"lovelace"[..], b"violet", b"note"] {
            assert!(!raw.windows(word.len()).any(|window| window == word));
        }
        let plain = seal.open(&browser.cookie);
        assert!(ids.insert(plain.id) && handles.insert(plain.handle));
        let common = |at: usize| ids.iter().all(|id| id[at] == plain.id[at]);
        assert!(ids.len() < 8 || !(0..32).any(common), "a byte of the id is always the same");
    }
}

/// C11: of a session in the store the cookie holds the id and its deadline, no owner and no data, even for who has
/// the key.
pub fn the_cookie_of_a_stored_session_holds_no_data(setup: Setup) {
    let world = setup.world();
    let cookie = world.browser("sign-in.ada/set.note.violet/label.lab").cookie;
    let plain = Seal::new(&world.key.to_secret_text()).open(&cookie);
    assert_eq!((world.inspect(&cookie).kind(), plain.owner.len(), plain.fields.len()), (Kind::Stored, 0, 0));
    data_is_kept(&world, &cookie);
}

fn data_is_kept(world: &World, cookie: &str) {
    assert_eq!(say(world.there(), cookie, "who/get.note"), "ada,violet");
}
