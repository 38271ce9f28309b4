//! Requests that an attacker's page makes the browser send.

use hardtack::{CookiePolicy, SameSite};
use hardtack_browser::{Browser, PASSWORD, Scheme, Site};
use serde_json::json;

use crate::{
    evil::{Evil, Place},
    ship::Ship,
};

/// Scripts of an attacker's page; `url` is where to and `token` a good token of the attacker's own session.
const ATTACKS: [(&str, &str); 10] = [
    (
        "a form",
        "const form = document.createElement('form'); form.method = 'post'; form.action = url;
         form.innerHTML = '<input name=csrf_token>'; form.firstChild.value = token; document.body.append(form); form.submit();",
    ),
    (
        "a form with files",
        "const form = document.createElement('form'); form.method = 'post'; form.action = url; form.enctype = 'multipart/form-data';
         form.innerHTML = '<input name=csrf_token>'; form.firstChild.value = token; document.body.append(form); form.submit();",
    ),
    (
        "a form as plain text",
        "const form = document.createElement('form'); form.method = 'post'; form.action = url; form.enctype = 'text/plain';
         form.innerHTML = '<input name=csrf_token>'; form.firstChild.value = token; document.body.append(form); form.submit();",
    ),
    (
        "a form that hides its page",
        "document.head.insertAdjacentHTML('beforeend', '<meta name=referrer content=no-referrer>');
         const form = document.createElement('form'); form.method = 'post'; form.action = url; document.body.append(form); form.submit();",
    ),
    (
        "a form in a frame without an origin",
        "const frame = document.createElement('iframe'); frame.sandbox = 'allow-forms allow-scripts';
         frame.srcdoc = `<form method=post action=${url}></form><script>document.forms[0].submit()</script>`; document.body.append(frame);",
    ),
    (
        "a fetch",
        "fetch(url, { method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams({ csrf_token: token }) }).catch(() => {});",
    ),
    (
        "a fetch from a worker",
        "new Worker(URL.createObjectURL(new Blob([`fetch('${url}', { method: 'POST', mode: 'no-cors', credentials: 'include' })`])));",
    ),
    ("a beacon", "navigator.sendBeacon(url, new URLSearchParams({ csrf_token: token }));"),
    ("events", "new EventSource(url, { withCredentials: true });"),
    ("a WebSocket", "new WebSocket(url.replace('https', 'wss'));"),
];

/// Which of them leave the attacker's page.
fn navigates(attack: &str) -> bool {
    attack.starts_with("a form") && attack != "a form in a frame without an origin"
}

fn opens_a_stream(attack: &str) -> bool {
    ["events", "a WebSocket"].contains(&attack)
}

/// Runs an attack from an attacker's page, and waits until it has arrived at the ship.
async fn attack(
    browser: &Browser,
    ship: &Ship,
    evil: &str,
    attack: (&str, &str),
    path: &str,
    token: &str,
) -> (u16, String) {
    let (name, script) = attack;
    browser.go(evil).await;
    let before = ship.arrived();
    let script = format!("const [url, token] = arguments; {script}");
    let run = async || drop(browser.client.execute(&script, vec![json!(ship.url(path)), json!(token)]).await.unwrap());
    if navigates(name) {
        browser.leave(run).await
    } else {
        run().await
    }
    let arrival = ship.arrival(before, path).await;
    (arrival.status, format!("{name} from {evil}: {arrival:?}"))
}

/// H01, H02, H07, H09, H14: nothing that another site or a sibling subdomain makes the browser send gets to a handler,
/// whatever `SameSite` is; without our layer it does, and as the visitor wherever the browser sends the cookie along.
async fn no_other_page_can_act(same_site: SameSite) {
    let (browser, evil) = (Browser::open().await, Evil::start().await);
    let ship = Ship::start(CookiePolicy::host("session").same_site(same_site)).await;
    ship.log_in(&browser, "ada").await;
    assert_eq!(ship.who(&browser).await, "ada");
    let mut token = String::new();
    ship.sessions.cookie(|session| token = session.csrf_token()).await.unwrap();
    for place in [Place::AnotherSite, Place::Sibling] {
        let page = evil.url(place, "/");
        for one in ATTACKS {
            let (guarded, open) =
                if opens_a_stream(one.0) { ("/stream", "/open/stream") } else { ("/transfer", "/open/transfer") };
            let (status, told) = attack(&browser, &ship, &page, one, guarded, &token).await;
            assert_eq!((status, ship.done(guarded)), (403, Vec::new()), "{same_site:?} {told}");

            let (status, told) = attack(&browser, &ship, &page, one, open, &token).await;
            let done = ship.done(open);
            assert_eq!((status, done.len()), (200, 1), "{same_site:?} {told}");
            let cookie_is_sent = same_site == SameSite::None || place == Place::Sibling;
            if navigates(one.0) {
                assert_eq!(done[0], if cookie_is_sent { "ada" } else { "nobody" }, "{same_site:?} {told}");
            } else if !cookie_is_sent {
                assert_eq!(done[0], "nobody", "{same_site:?} {told}");
            }
        }
    }
    assert_eq!(ship.who(&browser).await, "ada", "and nothing of it signed her out");
}

#[tokio::test]
async fn no_other_page_can_act_with_a_lax_cookie() {
    no_other_page_can_act(SameSite::Lax).await;
}

#[tokio::test]
async fn no_other_page_can_act_with_a_strict_cookie() {
    no_other_page_can_act(SameSite::Strict).await;
}

#[tokio::test]
async fn no_other_page_can_act_with_a_cookie_for_all_sites() {
    no_other_page_can_act(SameSite::None).await;
}

/// H07: a fetch with JSON or with the token's header is asked for first, and the answer allows nothing.
#[tokio::test]
async fn what_needs_a_preflight_never_arrives() {
    let (browser, evil) = (Browser::open().await, Evil::start().await);
    let ship = Ship::start(CookiePolicy::host("session").same_site(SameSite::None)).await;
    ship.log_in(&browser, "ada").await;
    for place in [Place::AnotherSite, Place::Sibling] {
        for headers in
            ["{'content-type': 'application/json'}", "{'x-csrf-token': 'x'}", "{'x-http-method-override': 'DELETE'}"]
        {
            let script = format!(
                "fetch(url, {{ method: 'POST', credentials: 'include', headers: {headers}, body: '{{}}' }}).catch(() => {{}});"
            );
            browser.go(&evil.url(place, "/")).await;
            let before = ship.arrived();
            let script = format!("const url = arguments[0]; return {script}");
            browser.client.execute(&script, vec![json!(ship.url("/transfer"))]).await.unwrap();
            let arrival = ship.arrival(before, "/transfer").await;
            assert_eq!(arrival.method, "OPTIONS", "{arrival:?}");
            assert_eq!(ship.arrived(), before + 1, "and the request itself never came");
        }
    }
    // The guard lets the question pass, as it must; the route answers it without a permission.
    assert_eq!(ship.done("/transfer"), ["nobody"; 6]);
}

/// H06: the same against the program itself, over its own TLS: nobody counts, signs in or out from elsewhere.
#[tokio::test]
async fn the_demo_is_guarded_over_tls() {
    let (browser, evil, demo) = (Browser::open().await, Evil::start().await, Site::start(Scheme::Tls));
    let home = demo.origin().replace("127.0.0.1", "app.ship.test");
    browser.go(&format!("{home}/login")).await;
    browser.type_into("#password", PASSWORD).await;
    browser.follow("form[action='/login'] button").await;
    assert!(browser.cookie("__Host-session").await.is_some(), "the cookie is that of a name with a neighbour");
    for place in [Place::AnotherSite, Place::Sibling] {
        for path in ["/count", "/login", "/logout", "/devices/end-others", "/api/session/destroy"] {
            browser.go(&evil.url(place, "/")).await;
            let script =
                "const form = document.createElement('form'); form.method = 'post'; form.action = arguments[0];
                document.body.append(form); form.submit();";
            let to = json!(format!("{home}{path}"));
            browser.leave(async || drop(browser.client.execute(script, vec![to]).await.unwrap())).await;
            assert_eq!(browser.navigation().await.0, 403, "{place:?} {path}");
            assert!(browser.text("body").await.contains("came from another site"), "{place:?} {path}");
        }
    }
    browser.go(&format!("{home}/")).await;
    assert_eq!(browser.text(".biscuit strong").await, "0");
    browser.follow("form[action='/count'] button").await;
    assert_eq!(browser.text(".biscuit strong").await, "1", "its own form works");
    browser.follow("header form[action='/logout'] button").await;
    assert_eq!(browser.navigation().await.0, 200);
}
