//! A sibling subdomain that tosses cookies: nobody ends up in a session that somebody else knows.

use hardtack::{CookiePolicy, Sessions};
use hardtack_browser::Browser;

use crate::{
    evil::{Evil, Place},
    ship::Ship,
};

/// `NAME=VALUE` of a session of the attacker's.
async fn session_of(sessions: &Sessions, owner: Option<&str>) -> String {
    let prepare = |session: &hardtack::Session| match owner {
        Some(owner) => session.sign_in(owner),
        None => drop(session.csrf_token()),
    };
    sessions.cookie(prepare).await.unwrap()
}

/// Who a cookie is, wherever it comes from.
async fn owner_of(sessions: &Sessions, cookie: &str) -> Option<String> {
    let request = sessions.begin([cookie.as_bytes()]);
    request.session().await.unwrap().owner()
}

/// Every way to plant this value on the ship's host from beside it.
fn lines(name: &str, value: &str) -> Vec<String> {
    let names = [
        name.to_owned(),
        name.to_uppercase(),
        name.to_lowercase(),
        name.replace("Host", "%48ost").replace("Secure", "%53ecure"),
        format!("\u{a0}{name}"),
        format!("\u{2000}{name}"),
        format!(" {name}"),
        format!("={name}"),
        format!("$Version=1; {name}"),
        name.trim_start_matches("__Host-").trim_start_matches("__Secure-").to_owned(),
    ];
    let attributes = [
        "Path=/",
        "Path=/me",
        "Path=/login",
        "Path=/; HttpOnly; SameSite=None",
        "Path=/; Max-Age=999999; Priority=High",
    ];
    let lines = names.iter().flat_map(|name| {
        attributes.iter().map(move |attributes| format!("{name}={value}; Domain=ship.test; Secure; {attributes}"))
    });
    lines.collect()
}

/// Tosses a cookie in all ways, by the attackers' server and by a script of their page.
async fn toss(browser: &Browser, evil: &Evil, cookie: &str) {
    let (name, value) = cookie.split_once('=').unwrap();
    for line in lines(name, value) {
        let query: String = line.bytes().map(|byte| format!("%{byte:02X}")).collect();
        browser.go(&evil.url(Place::Sibling, &format!("/toss?line={query}"))).await;
        browser.client.execute("document.cookie = arguments[0]", vec![line.into()]).await.unwrap();
    }
}

/// C04, A02, B04, B07: before the login, with a cookie under the prefix. What the sibling tosses is not the session, and the one that
/// the sign-in makes is nobody else's.
#[tokio::test]
async fn a_sibling_cannot_fix_a_session_before_the_login() {
    let (browser, evil, ship) =
        (Browser::open().await, Evil::start().await, Ship::start(CookiePolicy::host("session")).await);
    let (anonymous, mallory) =
        (session_of(&ship.sessions, None).await, session_of(&ship.sessions, Some("mallory")).await);
    for tossed in [&anonymous, &mallory] {
        toss(&browser, &evil, tossed).await;
        assert_eq!(ship.who(&browser).await, "nobody", "{tossed}");
    }
    let planted = browser.cookies().await;
    assert!(planted.iter().any(|cookie| cookie["domain"] == ".ship.test"), "the control: some cookies were planted");
    assert!(!planted.iter().any(|cookie| cookie["name"] == "__Host-session"), "{planted:?}");
    ship.log_in(&browser, "ada").await;
    assert_eq!(ship.who(&browser).await, "ada");
    let own = browser.cookie("__Host-session").await.unwrap();
    assert!(own["domain"] == "app.ship.test" && !anonymous.contains(own["value"].as_str().unwrap()));
    assert_eq!(owner_of(&ship.sessions, &anonymous).await, None, "what the attacker knows is not hers");
    assert_eq!(owner_of(&ship.sessions, &mallory).await.as_deref(), Some("mallory"));
}

/// The same after the login: she stays who she is, and her next post is her own.
#[tokio::test]
async fn a_sibling_cannot_replace_a_session_after_the_login() {
    let (browser, evil, ship) =
        (Browser::open().await, Evil::start().await, Ship::start(CookiePolicy::host("session")).await);
    let (anonymous, mallory) =
        (session_of(&ship.sessions, None).await, session_of(&ship.sessions, Some("mallory")).await);
    ship.log_in(&browser, "ada").await;
    let own = browser.cookie("__Host-session").await.unwrap();
    for tossed in [&anonymous, &mallory] {
        toss(&browser, &evil, tossed).await;
        assert_eq!(ship.who(&browser).await, "ada", "{tossed}");
    }
    assert_eq!(browser.cookie("__Host-session").await.unwrap(), own);
    browser.go(&ship.url("/")).await;
    browser.follow("#transfer").await;
    assert_eq!(ship.done("/transfer"), ["ada"]);
}

/// Without the prefix a sibling's cookie does arrive. Even then the sign-in makes a session that the attacker does not
/// know, and a request that carries both hers and the attacker's is nobody's. What no server can help is that the
/// attacker's alone signs her in as him: that is what the prefix is for.
#[tokio::test]
async fn without_the_prefix_a_sibling_gains_no_session_of_others() {
    for policy in [CookiePolicy::secure("session"), CookiePolicy::plain("session")] {
        for path in ["/", "/me"] {
            let name = policy.name().to_owned();
            let (browser, evil, ship) = (Browser::open().await, Evil::start().await, Ship::start(policy.clone()).await);
            let (anonymous, mallory) =
                (session_of(&ship.sessions, None).await, session_of(&ship.sessions, Some("mallory")).await);
            let plant = async |cookie: &str| {
                let line = format!("{cookie}; Domain=ship.test; Path={path}; Secure; HttpOnly");
                let query: String = line.bytes().map(|byte| format!("%{byte:02X}")).collect();
                browser.go(&evil.url(Place::Sibling, &format!("/toss?line={query}"))).await;
            };
            plant(&anonymous).await;
            browser.go(&ship.url("/me")).await;
            let value = anonymous.split_once('=').unwrap().1;
            assert_eq!(browser.cookie(&name).await.unwrap()["value"], value, "the control: it is the attacker's");
            ship.log_in(&browser, "ada").await;
            assert_eq!(owner_of(&ship.sessions, &anonymous).await, None, "{name} {path}: what he knows is not hers");
            // Under another path it was not sent to the login and lives on, so the two are nobody's.
            if path == "/" {
                assert_eq!(ship.who(&browser).await, "ada", "{name}: the planted session ended with the sign-in");
            }
            plant(&mallory).await;
            assert_eq!(ship.who(&browser).await, "nobody", "{name} {path}");
        }
    }
}
