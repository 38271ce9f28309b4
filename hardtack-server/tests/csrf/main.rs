//! H06: protection against cross-site request forgery over real TLS, because the two faults of others (CVE-2025-24358,
//! CVE-2025-46721) were invisible to made-up requests: the tables of Go and Rails and our own against `hardtack demo
//! --tls`, and, for the policies that the demo does not have, against a small site with the library.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

#[path = "../../../hardtack/tests/common/csrf_rows.rs"]
mod csrf_rows;
mod demo;
mod site;
mod tls;

use csrf_rows::{POLICIES, tables};
use demo::Demo;
use site::Site;

/// A path of the demo that changes something, and answers every other method as every page does.
const PATH: &str = "/count";

/// H01–H03, H06–H08, H14, H15: all rows for the default policy, against the program.
#[test]
fn the_tables_hold_against_the_demo_over_tls() {
    let demo = Demo::start();
    let (cookie, token) = demo.visitor();
    let rows: Vec<_> = tables().rows.into_iter().filter(|row| row.policy == "default" && row.path == "/").collect();
    assert!(rows.len() > 70, "{}", rows.len());
    for row in rows {
        let before = demo.counter(&cookie);
        let reply = demo.client.send(&row.request(PATH, &cookie, &token));
        let counted = demo.counter(&cookie) - before;
        if row.passes() {
            let status = match &*row.method {
                "POST" => 303,
                // The route has no such method, so the request went through to it.
                _ => 405,
            };
            assert_eq!((reply.status, counted), (status, u64::from(status == 303)), "{}", row.name());
        } else {
            assert_eq!((reply.status, counted), (403, 0), "{}", row.name());
        }
    }
}

/// H01–H08, H14–H16: all rows, each under its policy.
#[test]
fn the_tables_hold_over_tls_under_every_policy() {
    let sites: Vec<_> = POLICIES.iter().map(|name| (*name, Site::start(csrf_rows::policy(name)))).collect();
    for row in tables().rows {
        let (_, site) = sites.iter().find(|(name, _)| *name == row.policy).unwrap();
        let before = site.ran();
        let reply = site.client.send(&row.request(&row.path, &site.cookie, &site.token));
        assert_eq!(site.ran() > before, row.passes(), "{}: {}", row.name(), reply.status);
        let allowed: &[u16] = if row.passes() { &[200] } else { &[403, 404] };
        assert!(allowed.contains(&reply.status), "{}: {}", row.name(), reply.status);
    }
}

/// H06, H13: over TLS too, answers say what they depend on.
#[test]
fn answers_of_the_demo_vary_by_what_was_judged() {
    let demo = Demo::start();
    let (cookie, token) = demo.visitor();
    for lines in ["", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: cross-site\r\n"] {
        let head = format!("POST {PATH} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: 0\r\n");
        let reply =
            demo.client.send(format!("{head}Cookie: {cookie}\r\nX-CSRF-Token: {token}\r\n{lines}\r\n").as_bytes());
        let vary = reply.all("vary").join(", ");
        assert!(vary.contains("sec-fetch-site") && vary.contains("origin"), "{lines}: {vary}");
    }
    let vary = demo.client.get("/", "").all("vary").join(", ");
    assert!(vary.contains("cookie") && !vary.contains("sec-fetch-site"), "{vary}");
}

/// H02, H06: what the browser calls the demo is its own origin, whether over http or https, and what it would call
/// another port is not.
#[test]
fn the_demo_knows_its_own_origin() {
    let demo = Demo::start();
    let (cookie, token) = demo.visitor();
    let own = demo.address;
    let other = format!("https://{}:{}", own.ip(), own.port() ^ 1);
    for (origin, status) in
        [(&format!("https://{own}"), 303), (&other, 403), (&format!("https://localhost:{}", own.port()), 403)]
    {
        let head = format!(
            "POST {PATH} HTTP/1.1\r\nHost: {own}\r\nConnection: close\r\nContent-Length: 0\r\nOrigin: {origin}\r\n"
        );
        let reply = demo.client.send(format!("{head}Cookie: {cookie}\r\nX-CSRF-Token: {token}\r\n\r\n").as_bytes());
        assert_eq!(reply.status, status, "{origin}");
    }
}

/// A refused form is shown again, with a new token that works and the way back; programs are told in JSON; what
/// another site sent is refused with a page that has no form.
#[test]
fn a_login_form_that_is_out_of_date_is_shown_again() {
    let demo = Demo::start();
    let (cookie, _) = demo.visitor();
    let post = |path: &str, cookie: &str, lines: &str, body: &str| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\nContent-Length: {}\r\nCookie: {cookie}\r\nContent-Type: application/x-www-form-urlencoded\r\n{lines}\r\n{body}",
            body.len()
        );
        demo.client.send(head.as_bytes())
    };
    let reply = post("/login", &cookie, "", "csrf_token=old&password=x&next=%2Fdevices");
    assert_eq!(reply.status, 403);
    assert!(reply.body.contains("out of date") && reply.body.contains("name=\"next\" value=\"/devices\""));
    assert!(!reply.body.contains("value=\"x\""), "the password is not repeated");
    let (_, rest) = reply.body.split_once("name=\"csrf_token\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap();
    let body = format!("csrf_token={token}&password={}&next=%2Fdevices", demo::PASSWORD);
    assert_eq!(post("/login", &cookie, "", &body).status, 303);

    let nobody = post("/login", "a=b", "", "password=x");
    assert!(nobody.status == 403 && nobody.body.contains("name=\"csrf_token\""), "and gets a session for it");
    nobody.cookie();
    let program = post("/api/session/destroy", &cookie, "", "");
    assert_eq!(program.status, 403);
    assert!(program.body.starts_with("{\"error\":\"The token"), "{}", program.body);
    let foreign = post("/login", &cookie, "Sec-Fetch-Site: cross-site\r\n", &body);
    assert_eq!(foreign.status, 403);
    assert!(foreign.body.contains("came from another site") && !foreign.body.contains("csrf_token"));
}
