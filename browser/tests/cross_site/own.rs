//! What the site's own pages do goes on working.

use hardtack::{CookiePolicy, SameSite};
use hardtack_browser::Browser;
use serde_json::json;

use crate::ship::Ship;

/// H01, H11, H14: forms of both kinds, `csrfFetch` under a strict content security policy, events and WebSockets.
#[tokio::test]
async fn the_sites_own_pages_can_act() {
    for same_site in [SameSite::Lax, SameSite::Strict, SameSite::None] {
        let browser = Browser::open().await;
        let ship = Ship::start(CookiePolicy::host("session").same_site(same_site)).await;
        ship.log_in(&browser, "ada").await;
        for button in ["#transfer", "#upload"] {
            browser.go(&ship.url("/")).await;
            browser.follow(button).await;
            assert_eq!(ship.done("/transfer"), ["ada"], "{same_site:?} {button}");
        }
        browser.go(&ship.url("/")).await;
        let fetch = "return csrfFetch('/transfer', { method: 'POST', body: '{}', headers: { 'Content-Type': 'application/json' } })
            .then(response => response.status)";
        assert_eq!(browser.script(fetch).await, json!(200), "{same_site:?}");
        assert_eq!(ship.done("/transfer"), ["ada"]);
        assert_eq!(browser.script(&fetch.replace("csrfFetch", "fetch")).await, json!(403), "{same_site:?}: no token");
        assert_eq!(browser.script("return csrfFetch('/me').then(response => response.text())").await, json!("ada"));
        assert_eq!(ship.done("/transfer"), [""; 0]);

        let before = ship.arrived();
        let events = "return new Promise(done => {
            const source = new EventSource('/stream'); source.onmessage = event => { source.close(); done(event.data); } })";
        assert_eq!(browser.script(events).await, json!("secret"), "{same_site:?}");
        assert_eq!((ship.arrival(before, "/stream").await.status, ship.done("/stream")), (200, vec!["ada".into()]));
        let before = ship.arrived();
        // The handler speaks no WebSocket, so it ends at once; it was asked, and that is what counts.
        browser.script("new WebSocket(`wss://${location.host}/stream`)").await;
        let arrival = ship.arrival(before, "/stream").await;
        assert_eq!((arrival.status, ship.done("/stream")), (200, vec!["ada".into()]), "{arrival:?}");
        let mut log = browser.log("browser").await;
        log.retain(|entry| entry["message"].as_str().unwrap().contains("Content Security Policy"));
        assert!(log.is_empty(), "{log:?}");
    }
}

/// C06: after a sign-in the form of another tab is out of date; a page that is loaded again works.
#[tokio::test]
async fn a_form_from_before_the_sign_in_is_refused() {
    let browser = Browser::open().await;
    let ship = Ship::start(CookiePolicy::host("session")).await;
    browser.go(&ship.url("/")).await;
    let before = browser.script("return document.querySelector('meta[name=csrf-token]').content").await;
    ship.log_in(&browser, "ada").await;
    browser
        .client
        .execute("document.querySelector('meta[name=csrf-token]').content = arguments[0]", vec![before])
        .await
        .unwrap();
    let fetch = "return csrfFetch('/transfer', { method: 'POST' }).then(response => response.status)";
    assert_eq!(browser.script(fetch).await, json!(403));
    browser.reload().await;
    assert_eq!(browser.script(fetch).await, json!(200));
}

/// C06: after a sign-in without a new page the script has the new token from the answer.
#[tokio::test]
async fn a_script_takes_the_new_token_after_a_sign_in() {
    let browser = Browser::open().await;
    let ship = Ship::start(CookiePolicy::host("session")).await;
    browser.go(&ship.url("/")).await;
    let status = async |fetch: &str| browser.script(&format!("return {fetch}.then(response => response.status)")).await;
    let transfer = "csrfFetch('/transfer', { method: 'POST' })";
    assert_eq!(status(transfer).await, json!(200));
    assert_eq!(status("csrfFetch('/login/by-fetch', { method: 'POST', body: 'ada' })").await, json!(200));
    assert_eq!(status(transfer).await, json!(200));
    assert_eq!(ship.done("/transfer"), ["nobody", "ada"]);
}
