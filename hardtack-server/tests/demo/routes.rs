//! The pages.

use crate::{
    http::{Reply, Visitor, exchange},
    site::{Folder, PASSWORD},
};

claims! {
    the_home_page_says_what_is_in_the_cookie_and_where_the_rest_is
    the_counter_counts_and_a_reload_does_not
    /// A14: a request that only reads an existing session sets no cookie.
    reading_sets_the_cookie_once_and_then_no_more
    /// A01, A05, A09, A17: each of these answers sets or removes the cookie, and the visitor checks its flags.
    every_cookie_that_is_ever_set_has_all_its_flags
    /// H09: no token, no count. The session is as it was.
    a_form_without_the_token_of_its_session_is_refused
    /// C06: the token changes at sign-in and at sign-out.
    a_token_from_before_the_sign_in_or_the_logout_is_worth_nothing_after_it
    the_wrong_password_is_answered_with_401_an_alert_and_the_form_again
    /// I05: what is too long is refused before it is hashed.
    a_password_of_more_than_1024_bytes_is_refused_unhashed
    /// C04, C07: a new token, the old one dead, and the counter carried over.
    the_right_password_signs_in_under_a_new_cookie_and_keeps_the_counter
    /// D09: remember-me is opt-in, and lasts 30 days.
    keep_me_signed_in_gives_the_cookie_thirty_days
    /// J03: nobody is sent to another site after signing in.
    next_leads_to_a_path_of_this_site_or_to_the_protected_page
    the_protected_page_sends_people_to_the_login_and_tells_programs_401
    /// E01: the same cookie bytes fail after the logout.
    a_logout_ends_the_session_for_every_copy_of_its_cookie
    /// A04: the value is in Set-Cookie and, because showing it is what the home page is for, there. Nowhere else.
    the_value_of_the_cookie_is_on_the_home_page_alone
    /// F07: outside, all refused cookies look the same.
    a_cookie_that_does_not_open_is_a_stranger_and_is_removed_or_replaced
    /// B07: a neighbour's bytes do not hide our cookie.
    a_cookie_that_is_no_utf8_does_not_sign_anybody_out
    health_is_told_without_a_session_and_assets_are_for_everybody
    head_answers_as_get_does_without_a_body
    an_unknown_page_is_a_404_that_leads_back
    /// A form of more than 64 KiB is not read on, whether it is for a page or for a program.
    a_body_of_70_kilobytes_is_refused_with_413
}

fn the_counter_counts_and_a_reload_does_not(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    assert_eq!(visitor.get("/").counter(), 0);
    for count in 1..=3 {
        let reply = visitor.post("/count", &[]);
        assert_eq!((reply.status, reply.location()), (303, "/"));
        assert_eq!([visitor.get("/").counter(), visitor.get("/").counter()], [count, count]);
    }
    assert_eq!(site.visitor().get("/").counter(), 0, "another visitor has a number of his own");
}

fn reading_sets_the_cookie_once_and_then_no_more(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    assert!(visitor.get("/").header("set-cookie").is_some());
    for path in ["/", "/login", "/protected", "/api/session", "/nowhere"] {
        let reply = visitor.get(path);
        assert_eq!(reply.header("set-cookie"), None, "{path}");
    }
}

fn every_cookie_that_is_ever_set_has_all_its_flags(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let set = |what: &str, reply: Reply| {
        assert!(reply.header("set-cookie").is_some(), "{what}: {reply:?}");
    };
    set("the first visit", visitor.get("/"));
    set("a count", visitor.post("/count", &[]));
    set("data stored", site.visitor().post_json("/api/session/store", r#"{"a":1}"#));
    set("a sign-in", visitor.log_in(PASSWORD));
    set("another sign-in, remembered", visitor.post("/login", &[("password", PASSWORD), ("remember", "on")]));
    set("a logout", visitor.post("/logout", &[]));
    set("a first HEAD", visitor.send("HEAD", "/", &[], b""));
    set("a session destroyed", visitor.post_json("/api/session/destroy", ""));
    set("a refused cookie", Visitor::with_cookie(site.address, "garbage").get("/protected"));
    set("a wrong password, first request", site.visitor().get("/login?next=/"));
}

fn a_form_without_the_token_of_its_session_is_refused(folder: &Folder) {
    let site = folder.start();
    let (mut ada, mut eve) = (site.visitor(), site.visitor());
    ada.post("/count", &[]);
    let (of_ada, of_eve) = (ada.token(), eve.token());
    let cut = &of_ada[..of_ada.len() - 1];

    let posts = [
        "/count",
        "/login",
        "/logout",
        "/lab",
        "/devices/x/end",
        "/devices/end-others",
        "/api/session/store",
        "/api/session/destroy",
        "/api/devices/x/end",
        "/api/devices/end-others",
    ];
    for path in posts {
        assert_eq!(ada.post_without_token(path, &[]).status, 403, "{path}");
        for token in ["", "x", cut, &of_eve] {
            assert_eq!(ada.post_without_token(path, &[("csrf_token", token)]).status, 403, "{path} {token}");
        }
        let in_query = format!("{path}?csrf_token={of_ada}");
        assert_eq!(ada.post_without_token(&in_query, &[]).status, 403, "H11: never from the query");
    }
    let nobody = site.visitor().post_without_token("/count", &[("csrf_token", &of_ada)]);
    assert_eq!(nobody.status, 403, "a token without its session");
    assert_eq!(ada.get("/").counter(), 1);
    assert_eq!(ada.post_without_token("/count", &[("csrf_token", &of_ada)]).status, 303, "the right one still works");
}

fn a_token_from_before_the_sign_in_or_the_logout_is_worth_nothing_after_it(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let before = visitor.token();
    visitor.log_in(PASSWORD);
    assert_eq!(visitor.post_without_token("/count", &[("csrf_token", &before)]).status, 403);
    let signed_in = visitor.token();
    visitor.post("/logout", &[]);
    visitor.get("/");
    assert_eq!(visitor.post_without_token("/count", &[("csrf_token", &signed_in)]).status, 403);
}

fn the_wrong_password_is_answered_with_401_an_alert_and_the_form_again(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    for wrong in ["", "ship's biscuit", &PASSWORD.to_uppercase(), &format!("{PASSWORD} "), &"x".repeat(1024)] {
        let reply = visitor.post("/login", &[("password", wrong), ("next", "/nowhere")]);
        assert_eq!(reply.status, 401, "{wrong}");
        assert!(reply.body.contains("role=\"alert\"") && reply.body.contains("name=\"csrf_token\""));
        assert!(reply.body.contains("name=\"next\" value=\"/nowhere\""), "the way back is not forgotten");
        assert!(!reply.body.contains("ship&"), "the password is not repeated");
    }
    assert!(!visitor.is_signed_in());
}

fn a_password_of_more_than_1024_bytes_is_refused_unhashed(folder: &Folder) {
    let site = folder.start();
    let reply = site.visitor().log_in(&"x".repeat(1025));
    assert_eq!(reply.status, 400);
    assert!(reply.body.contains("1024 bytes"));
}

fn the_right_password_signs_in_under_a_new_cookie_and_keeps_the_counter(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.post("/count", &[]);
    visitor.post_json("/api/session/store", r#"{"count":7,"planted":true}"#);
    let before = visitor.cookie.clone().unwrap();

    let reply = visitor.log_in(PASSWORD);
    assert_eq!((reply.status, reply.location()), (303, "/protected"));
    assert!(!reply.header("set-cookie").unwrap().contains("Max-Age"), "D09: not remembered unless asked to");
    let page = visitor.get("/protected");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Welcome aboard") && page.body.contains("keeper"));
    assert_ne!(visitor.cookie.as_ref(), Some(&before));

    assert_eq!(visitor.get("/").counter(), 7);
    assert_eq!(visitor.get("/api/session").json()["planted"], serde_json::Value::Null);
    let mut old = Visitor::with_cookie(site.address, &before);
    assert_eq!(old.get("/").counter(), 0, "the cookie from before the sign-in is dead");
}

fn keep_me_signed_in_gives_the_cookie_thirty_days(folder: &Folder) {
    let site = folder.start();
    let reply = site.visitor().post("/login", &[("password", PASSWORD), ("remember", "on")]);
    assert!(reply.header("set-cookie").unwrap().ends_with("; Max-Age=2592000"));
}

fn next_leads_to_a_path_of_this_site_or_to_the_protected_page(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let elsewhere = [
        "",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        "\t//evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "@evil.example",
        "/\r\nSet-Cookie: a=b",
        "/\0",
        &format!("/{}", "a".repeat(2048)),
    ];
    for next in elsewhere {
        let page = visitor.get(&format!("/login?next={}", encoded(next)));
        assert!(page.body.contains("name=\"next\" value=\"/protected\""), "{next:?}");
    }
    // A sign-in costs a hash, so the form's own field is asked with fewer of them.
    for next in
        ["https://evil.example", "//evil.example", "/\\evil.example", "/\t/evil.example", "/\r\nSet-Cookie: a=b"]
    {
        let reply = visitor.post("/login", &[("password", PASSWORD), ("next", next)]);
        assert_eq!((reply.status, reply.location()), (303, "/protected"), "{next:?}");
    }
    let reply = visitor.post("/login", &[("password", PASSWORD), ("next", "/?a=1&b=%2F")]);
    assert_eq!((reply.status, reply.location()), (303, "/?a=1&b=%2F"));
}

fn the_protected_page_sends_people_to_the_login_and_tells_programs_401(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let mut accept = |accept: &str| visitor.send("GET", "/protected", &[("Accept", accept)], b"");
    for json in ["application/json", "application/json;q=0.9", "application/problem+json, application/json"] {
        let reply = accept(json);
        assert_eq!((reply.status, reply.header("location")), (401, None), "{json}");
        assert!(reply.json()["error"].is_string());
    }
    for page in ["text/html", "*/*", "text/html,application/json", "application/json, */*", ""] {
        let reply = accept(page);
        assert_eq!((reply.status, reply.location()), (303, "/login?next=/protected"), "{page}");
    }
    assert_eq!(visitor.get("/protected").location(), "/login?next=/protected");
}

fn a_logout_ends_the_session_for_every_copy_of_its_cookie(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let stolen = visitor.cookie.clone().unwrap();
    assert!(Visitor::with_cookie(site.address, &stolen).is_signed_in());

    let reply = visitor.post("/logout", &[]);
    assert_eq!((reply.status, reply.location(), &visitor.cookie), (303, "/", &None));
    let mut replay = Visitor::with_cookie(site.address, &stolen);
    assert!(!replay.is_signed_in());
    assert_eq!(replay.get("/api/session").json()["isLogin"], false);
    assert_eq!(site.visitor().get("/logout").status, 405, "E11: never by GET");
}

fn the_value_of_the_cookie_is_on_the_home_page_alone(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let value = visitor.cookie.clone().unwrap();
    assert!(visitor.get("/").body.contains(&value));
    for path in ["/login", "/protected", "/devices", "/api/session", "/api/devices", "/nowhere", "/healthz"] {
        let reply = format!("{:?}", visitor.get(path));
        assert!(!reply.contains(&value), "{path}");
    }
    assert!(!folder.log().contains(&value), "F13");
}

fn a_cookie_that_does_not_open_is_a_stranger_and_is_removed_or_replaced(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let good = visitor.cookie.unwrap();
    let mut flipped = good.clone().into_bytes();
    flipped[60] = if flipped[60] == b'A' { b'B' } else { b'A' };
    let flipped = String::from_utf8(flipped).unwrap();
    for bad in ["garbage", "", "AAAA", &flipped, &good[..good.len() - 3], &good.to_lowercase()] {
        let mut visitor = Visitor::with_cookie(site.address, bad);
        let reply = visitor.get("/protected");
        assert_eq!((reply.status, reply.location()), (303, "/login?next=/protected"), "{bad}");
        assert_eq!(visitor.cookie, None, "{bad}");
        assert_eq!(Visitor::with_cookie(site.address, bad).get("/").status, 200, "{bad}");
    }
}

fn a_cookie_that_is_no_utf8_does_not_sign_anybody_out(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let cookie = visitor.cookie.unwrap();
    for path in ["/protected", "/"] {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nCookie: caf", site.address);
        let request = [head.as_bytes(), b"\xe9=1; __Host-session=", cookie.as_bytes(), b"\r\n\r\n"].concat();
        let reply = exchange(site.address, &request);
        assert_eq!(reply.status, 200, "{path}");
        assert!(reply.body.contains("Log out"), "{path}");
    }
}

fn health_is_told_without_a_session_and_assets_are_for_everybody(folder: &Folder) {
    let site = folder.start();
    for (path, kind) in [("/healthz", "text/plain"), ("/style.css", "text/css"), ("/favicon.svg", "image/svg+xml")] {
        for cookie in [None, Some("garbage".to_owned())] {
            let mut visitor = site.visitor();
            visitor.cookie = cookie;
            let reply = visitor.get(path);
            assert_eq!((reply.status, reply.header("set-cookie"), reply.header("vary")), (200, None, None), "{path}");
            assert!(reply.header("content-type").unwrap().starts_with(kind), "{path}");
        }
    }
    assert_eq!(site.visitor().get("/healthz").body, "ok\n");
}

fn head_answers_as_get_does_without_a_body(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    for path in ["/", "/login", "/style.css", "/healthz"] {
        let reply = visitor.send("HEAD", path, &[], b"");
        assert_eq!((reply.status, &*reply.body), (200, ""), "{path}");
        assert_eq!(reply.header("content-type"), visitor.get(path).header("content-type"));
    }
}

fn an_unknown_page_is_a_404_that_leads_back(folder: &Folder) {
    let site = folder.start();
    let reply = site.visitor().get("/nowhere?%3Cscript%3E");
    assert_eq!((reply.status, reply.header("set-cookie")), (404, None));
    assert!(reply.body.contains("There is no such page.") && reply.body.contains("href=\"/\""));
    assert!(!reply.body.contains("<script"));
}

fn a_body_of_70_kilobytes_is_refused_with_413(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let big = "x".repeat(70 * 1024);
    assert_eq!(visitor.post("/login", &[("password", &big)]).status, 413);
    assert_eq!(visitor.post_json("/api/session/store", format!(r#"{{"big":"{big}"}}"#)).status, 413);
    assert_eq!(visitor.get("/").status, 200);
}

fn the_home_page_says_what_is_in_the_cookie_and_where_the_rest_is(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.get("/");
    assert!(visitor.get("/").body.contains("<dd>in the cookie</dd>"), "a visitor makes no record");
    visitor.log_in(PASSWORD);
    visitor.post("/count", &[]);
    let page = visitor.get("/").body;
    let fact = |name: &str| {
        let (_, rest) = page.split_once(&format!("<dt>{name}</dt>")).unwrap_or_else(|| panic!("no {name}"));
        rest.split_once("<dd>").unwrap().1.split(['<', '\n']).next().unwrap().trim().to_owned()
    };
    assert_eq!((&*fact("Owner"), &*fact("Generation")), ("keeper", "0"));
    for recent in ["Made", "Password proved", "Last seen"] {
        assert!(fact(recent) == "just now" || fact(recent).ends_with(" ago"), "{recent}: {}", fact(recent));
    }
    let (kind, data, holds) = if folder.is_stored() {
        ("stored", "in SQLite, in sessions.db", "It holds an id of 32 random bytes")
    } else {
        ("stateless", "in the cookie", "It holds all of the session")
    };
    assert_eq!((&*fact("Kind"), &*fact("Data")), (kind, data));
    assert!(page.contains(holds) && page.contains(&format!("placement: <code>{kind}</code>")));
    assert!(site.told_about("placement").starts_with(kind));
}

fn encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
