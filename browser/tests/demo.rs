//! The demo in a real Chromium, with a store over plain http on the loopback interface and with all in the cookie
//! over TLS: the same claims for both.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::time::{SystemTime, UNIX_EPOCH};

use hardtack_browser::{Browser, PASSWORD, Scheme, Site};
use serde_json::{Value, json};

const NAME: &str = "__Host-session";
const COUNT: &str = "form[action='/count'] button";
const LOG_IN: &str = "form[action='/login'] button";
const THIS_DEVICE: &str = "tbody tr[aria-current]";
const ANOTHER_DEVICE: &str = "tbody tr:not([aria-current])";
const LOG_OUT: &str = "header form[action='/logout'] button";

macro_rules! claims {
    ($($(#[$about:meta])* $claim:ident)*) => {
        mod stored_over_http {
            $($(#[$about])* #[tokio::test] async fn $claim() { super::$claim(super::Visit::stored().await).await; })*
        }
        mod stateless_over_tls {
            $($(#[$about])* #[tokio::test] async fn $claim() { super::$claim(super::Visit::stateless().await).await; })*
        }
    };
}

claims! {
    the_counter_counts_and_a_reload_does_not_count_twice
    the_wrong_password_shows_an_alert_and_is_401
    the_right_password_leads_to_the_protected_page
    the_protected_page_sends_strangers_to_the_login_and_back
    /// E01
    a_cookie_from_before_the_logout_is_nobody_when_it_is_put_back
    /// A04
    no_script_can_read_the_cookie
    /// A01, A04, A05, D09
    the_browser_keeps_the_cookie_with_all_its_flags
    /// D09
    keep_me_signed_in_makes_the_cookie_last_thirty_days
    /// A11
    destroying_a_session_removes_its_cookie_from_the_browser
    /// F05, F07
    a_cookie_that_does_not_open_makes_a_stranger_and_is_replaced
    /// A02, A03
    no_script_can_plant_a_cookie_under_a_protected_name
    /// A02
    no_neighbour_can_plant_a_host_cookie_for_the_whole_domain
    /// E03, E05
    an_open_page_notices_that_its_session_was_ended_on_another_device
    nothing_is_asked_of_another_host_and_the_console_stays_silent
    no_page_is_wider_than_a_small_phone
    every_page_can_be_read_in_light_and_in_dark
}

/// A site with one browser on it, on the home page.
struct Visit {
    browser: Browser,
    site: Site,
}

impl Visit {
    async fn stored() -> Self {
        Self::begin(Site::start(Scheme::Http)).await
    }

    async fn stateless() -> Self {
        Self::begin(Site::start_with(Scheme::Tls, &["--placement", "stateless"])).await
    }

    async fn begin(site: Site) -> Self {
        let visit = Self { browser: Browser::open().await, site };
        visit.go("/").await;
        visit
    }

    async fn go(&self, path: &str) {
        self.browser.go(&self.site.url(path)).await;
    }

    async fn log_in(&self, password: &str) {
        self.log_in_with(&self.browser, password).await;
    }

    async fn log_in_with(&self, browser: &Browser, password: &str) {
        browser.go(&self.site.url("/login")).await;
        browser.type_into("#password", password).await;
        browser.follow(LOG_IN).await;
    }

    async fn counter(&self) -> String {
        self.browser.text(".biscuit strong").await
    }

    async fn is_signed_in(&self) -> bool {
        self.go("/protected").await;
        match &*self.browser.place().await {
            "/protected" => true,
            "/login?next=/protected" => false,
            other => panic!("/protected leads to {other}"),
        }
    }

    /// The links of the navigation.
    async fn navigation(&self) -> Vec<String> {
        let mut links = Vec::new();
        for link in self.browser.all("nav a").await {
            links.push(link.text().await.unwrap());
        }
        links
    }

    async fn session(&self) -> Value {
        self.browser.cookie(NAME).await.expect("the browser keeps the cookie")
    }
}

async fn the_counter_counts_and_a_reload_does_not_count_twice(visit: Visit) {
    assert_eq!(visit.counter().await, "0");
    for count in ["1", "2", "3"] {
        visit.browser.follow(COUNT).await;
        assert_eq!(visit.counter().await, count);
        assert_eq!(visit.browser.navigation().await, (200, 1), "the post was answered with a redirect");
        visit.browser.reload().await;
        assert_eq!(visit.counter().await, count);
    }
    assert_eq!(visit.browser.place().await, "/");
}

async fn the_wrong_password_shows_an_alert_and_is_401(visit: Visit) {
    visit.log_in("not the password").await;
    assert_eq!(visit.browser.navigation().await.0, 401);
    assert_eq!(visit.browser.text("[role=alert]").await, "That is not the password.");
    let field = visit.browser.find("#password").await;
    assert_eq!(field.prop("value").await.unwrap().as_deref(), Some(""), "the password is not sent back");
    assert_eq!(field.attr("aria-describedby").await.unwrap().as_deref(), Some("error hint"));
    assert_eq!(visit.navigation().await, ["Home", "Break it"]);
    assert!(!visit.is_signed_in().await);
}

async fn the_right_password_leads_to_the_protected_page(visit: Visit) {
    visit.browser.follow(COUNT).await;
    let before = visit.session().await;
    assert_eq!(visit.navigation().await, ["Home", "Break it"]);

    visit.log_in(PASSWORD).await;
    assert_eq!((&*visit.browser.place().await, visit.browser.navigation().await), ("/protected", (200, 1)));
    assert_eq!(visit.browser.text("h1").await, "Welcome aboard, keeper");
    assert_eq!(visit.navigation().await, ["Home", "Protected", "Devices", "Break it"]);
    assert_ne!(visit.session().await["value"], before["value"], "C04");

    visit.browser.follow("nav a[href='/']").await;
    assert_eq!(visit.counter().await, "1");
    visit.browser.follow("nav a[href='/protected']").await;
    assert_eq!(visit.browser.place().await, "/protected");

    visit.browser.follow(LOG_OUT).await;
    assert_eq!(
        (&*visit.browser.place().await, visit.navigation().await),
        ("/", ["Home", "Break it"].map(String::from).to_vec())
    );
}

async fn the_protected_page_sends_strangers_to_the_login_and_back(visit: Visit) {
    visit.go("/protected").await;
    assert_eq!(visit.browser.place().await, "/login?next=/protected");

    visit.go("/login?next=/%3Fafter").await;
    visit.browser.type_into("#password", PASSWORD).await;
    visit.browser.follow(LOG_IN).await;
    assert_eq!(visit.browser.place().await, "/?after");
    visit.browser.follow(LOG_OUT).await;

    // J03, with Chromium itself as the judge of where such an address leads.
    for elsewhere in ["https:%2F%2Fevil.example", "%2F%2Fevil.example", "%2F%5Cevil.example", "%2F%09%2Fevil.example"] {
        visit.go(&format!("/login?next={elsewhere}")).await;
        visit.browser.type_into("#password", PASSWORD).await;
        visit.browser.follow(LOG_IN).await;
        let url = visit.browser.client.current_url().await.unwrap();
        assert_eq!(url.as_str(), visit.site.url("/protected"), "{elsewhere}");
        visit.browser.follow(LOG_OUT).await;
    }
}

async fn a_cookie_from_before_the_logout_is_nobody_when_it_is_put_back(visit: Visit) {
    visit.log_in(PASSWORD).await;
    let stolen = visit.session().await;

    // The control: taken out and put back, it works as long as nobody has logged out.
    visit.browser.client.delete_all_cookies().await.unwrap();
    assert!(!visit.is_signed_in().await);
    visit.browser.client.delete_all_cookies().await.unwrap();
    visit.browser.add_cookie(&stolen).await;
    assert!(visit.is_signed_in().await);

    visit.browser.follow(LOG_OUT).await;
    visit.browser.client.delete_all_cookies().await.unwrap();
    visit.browser.add_cookie(&stolen).await;
    assert_eq!(visit.session().await["value"], stolen["value"], "it really is back");
    assert!(!visit.is_signed_in().await);
}

async fn no_script_can_read_the_cookie(visit: Visit) {
    visit.log_in(PASSWORD).await;
    let value = visit.session().await["value"].as_str().unwrap().to_owned();
    assert!(value.len() > 100);
    assert_eq!(visit.browser.script("return document.cookie").await, "");
    assert!(!visit.browser.client.source().await.unwrap().contains(&value));
    visit.browser.script("document.cookie = 'seen=1'").await;
    assert_eq!(visit.browser.script("return document.cookie").await, "seen=1", "others can be read");
}

async fn the_browser_keeps_the_cookie_with_all_its_flags(visit: Visit) {
    for step in ["on the first visit", "after a count", "after the sign-in"] {
        let cookie = visit.session().await;
        let value = cookie["value"].clone();
        let expected = json!({
            "name": NAME, "value": value, "httpOnly": true, "secure": true, "sameSite": "Lax", "path": "/",
            "domain": "127.0.0.1",
        });
        assert_eq!(cookie, expected, "{step}: without an expiry it ends with the browser");
        assert_eq!(visit.browser.cookies().await.len(), 1, "{step}");
        match step {
            "on the first visit" => visit.browser.follow(COUNT).await,
            _ => visit.log_in(PASSWORD).await,
        }
    }
}

async fn keep_me_signed_in_makes_the_cookie_last_thirty_days(visit: Visit) {
    visit.go("/login").await;
    visit.browser.type_into("#password", PASSWORD).await;
    visit.browser.find("[name=remember]").await.click().await.unwrap();
    visit.browser.follow(LOG_IN).await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let expiry = visit.session().await["expiry"].as_u64().expect("an expiry");
    let days = (expiry - now) as f64 / 86_400.0;
    assert!((29.0..=30.5).contains(&days), "{days} days");
}

async fn destroying_a_session_removes_its_cookie_from_the_browser(visit: Visit) {
    visit.log_in(PASSWORD).await;
    visit.session().await;
    visit.browser.post("/api/session/destroy").await;
    assert_eq!(visit.browser.text("body").await, r#"{"isLogin":false,"ok":true}"#);
    assert_eq!(visit.browser.cookies().await, Vec::<Value>::new());
    assert!(!visit.is_signed_in().await);
}

async fn a_cookie_that_does_not_open_makes_a_stranger_and_is_replaced(visit: Visit) {
    visit.log_in(PASSWORD).await;
    let good = visit.session().await;
    let value = good["value"].as_str().unwrap();
    let changed = format!("{}{}", &value[..value.len() - 1], if value.ends_with('A') { 'Q' } else { 'A' });
    for bad in ["garbage", &changed, &value[..40]] {
        let mut cookie = good.clone();
        cookie["value"] = json!(bad);
        visit.browser.add_cookie(&cookie).await;
        visit.go("/nowhere").await;
        assert_eq!(visit.session().await["value"], bad, "a page without a session leaves it alone");
        assert!(!visit.is_signed_in().await, "{bad}");
        assert_ne!(visit.session().await["value"], bad);
    }
}

async fn no_script_can_plant_a_cookie_under_a_protected_name(visit: Visit) {
    let mine = visit.session().await["value"].clone();
    for refused in [
        "__Host-Http-x=1; Secure; Path=/",
        "__Http-x=1; Secure; Path=/",
        "__Host-x=1; Secure; Path=/login",
        "__Host-x=1; Path=/",
        "__Secure-x=1; Path=/",
        "__host-x=1; Path=/",
        "__Host-session=mine; Secure; Path=/",
        "=__Host-x=1; Secure",
    ] {
        visit.browser.script(&format!("document.cookie = {}", json!(refused))).await;
        assert_eq!(visit.browser.script("return document.cookie").await, "", "{refused}");
        assert_eq!(visit.browser.cookies().await.len(), 1, "{refused}");
    }
    assert_eq!(visit.session().await["value"], mine);
    visit.browser.script("document.cookie = '__Host-x=1; Secure; Path=/'").await;
    assert_eq!(visit.browser.script("return document.cookie").await, "__Host-x=1", "what keeps the rules is taken");
}

async fn no_neighbour_can_plant_a_host_cookie_for_the_whole_domain(visit: Visit) {
    // An address has no subdomains; a name under `localhost` has, and leads to this machine too.
    let neighbour = visit.site.url("/").replace("127.0.0.1", "www.ship.localhost");
    visit.browser.go(&neighbour).await;
    visit.browser.script("document.cookie = '__Host-x=1; Secure; Path=/; Domain=ship.localhost'").await;
    assert_eq!(visit.browser.script("return document.cookie").await, "");
    visit.browser.script("document.cookie = 'x=1; Secure; Path=/; Domain=ship.localhost'").await;
    assert_eq!(visit.browser.script("return document.cookie").await, "x=1", "without the prefix it is taken");

    visit.browser.go(&neighbour.replace("www.", "")).await;
    assert_eq!(visit.browser.script("return document.cookie").await, "x=1");
    let own = visit.session().await;
    assert_eq!(own["domain"], "ship.localhost", "and ours is of one host alone");
    visit.browser.go(&neighbour).await;
    assert_ne!(visit.session().await["value"], own["value"]);
}

/// E05
#[tokio::test]
async fn a_device_that_another_ends_is_out_at_its_next_click() {
    let visit = Visit::stored().await;
    let other = Browser::open().await;
    visit.log_in(PASSWORD).await;
    visit.log_in_with(&other, PASSWORD).await;
    other.follow("nav a[href='/']").await;

    visit.browser.follow("nav a[href='/devices']").await;
    assert_eq!(visit.browser.text("h1").await, "Your devices");
    assert_eq!(visit.browser.all("tbody tr").await.len(), 2);
    assert_eq!(visit.browser.text(&format!("{THIS_DEVICE} th")).await, "Chrome on Linux\nthis device");
    visit.browser.follow(&format!("{ANOTHER_DEVICE} button")).await;
    assert_eq!((&*visit.browser.place().await, visit.browser.navigation().await), ("/devices", (200, 1)));
    assert_eq!(visit.browser.all("tbody tr").await.len(), 1);

    other.follow("nav a[href='/protected']").await;
    assert_eq!(other.place().await, "/login?next=/protected");
    assert!(other.all(LOG_OUT).await.is_empty(), "and the page knows it");
    assert!(visit.is_signed_in().await);

    visit.go("/devices").await;
    visit.browser.follow(&format!("{THIS_DEVICE} button")).await;
    assert_eq!(visit.browser.place().await, "/");
    assert!(!visit.is_signed_in().await);
}

/// E03
#[tokio::test]
async fn one_click_ends_all_other_devices() {
    let visit = Visit::stored().await;
    let others = [Browser::open().await, Browser::open().await];
    visit.log_in(PASSWORD).await;
    for other in &others {
        visit.log_in_with(other, PASSWORD).await;
    }
    visit.go("/devices").await;
    assert_eq!(visit.browser.all("tbody tr").await.len(), 3);
    visit.browser.follow("form[action='/devices/end-others'] button").await;
    assert_eq!(visit.browser.all("tbody tr").await.len(), 1);
    for other in &others {
        other.follow("nav a[href='/devices']").await;
        assert_eq!(other.place().await, "/login?next=/devices");
    }
    assert!(visit.is_signed_in().await);
}

async fn an_open_page_notices_that_its_session_was_ended_on_another_device(visit: Visit) {
    const NOTE: &str = "const note = document.querySelector('#time-left'); return note.hidden ? '' : note.innerText";
    visit.log_in(PASSWORD).await;
    assert_eq!(visit.browser.script(NOTE).await, "", "there is time left, and nothing to say");

    let other = Browser::open().await;
    other.go(&visit.site.url("/login")).await;
    other.type_into("#password", PASSWORD).await;
    other.follow(LOG_IN).await;
    other.go(&visit.site.url("/devices")).await;
    other.follow("form[action='/devices/end-others'] button").await;

    // It looks every 5 seconds; a minute is for slow machines.
    for _ in 0..120 {
        let note = visit.browser.script(NOTE).await;
        if note.as_str().is_some_and(|note| note.contains("Your session has ended.")) {
            visit.browser.follow("#time-left a").await;
            assert_eq!(visit.browser.text("h1").await, "Log in");
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    panic!("the page noticed nothing");
}

async fn nothing_is_asked_of_another_host_and_the_console_stays_silent(visit: Visit) {
    let mut asked = visit.browser.requests().await;
    let mut resources = Vec::new();
    for step in 0..7 {
        match step {
            0 => {}
            1 => visit.browser.follow(COUNT).await,
            2 => visit.go("/login?next=/protected").await,
            3 => {
                visit.browser.type_into("#password", PASSWORD).await;
                visit.browser.follow(LOG_IN).await;
            }
            4 => visit.browser.follow("nav a[href='/devices']").await,
            5 => visit.browser.follow("nav a[href='/']").await,
            _ => visit.browser.follow(LOG_OUT).await,
        }
        let loaded = visit.browser.script("return performance.getEntriesByType('resource').map(e => e.name)").await;
        resources.extend(loaded.as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned()));
        asked.extend(visit.browser.requests().await);
    }
    assert!(
        asked.contains(&visit.site.url("/count")) && resources.contains(&visit.site.url("/style.css")),
        "{asked:?}"
    );
    for url in asked.iter().chain(&resources) {
        assert!(url.starts_with(&format!("{}/", visit.site.origin())), "{url}");
    }
    // Hints of the developer tools about forms are neither errors nor violations.
    let mut log = visit.browser.log("browser").await;
    log.retain(|entry| entry["source"] != "recommendation");
    assert_eq!(log, Vec::<Value>::new());

    // The control: what the policy forbids is seen in the console.
    visit.browser.script("new Image().src = 'https://elsewhere.example/'").await;
    visit.browser.script("eval('1')").await;
    let log = visit.browser.log("browser").await;
    assert!(log.iter().any(|entry| entry["message"].as_str().unwrap().contains("Content Security Policy")), "{log:?}");
}

/// Every page there is, each in the state that makes it widest.
async fn each_page(visit: &Visit, check: impl AsyncFn(&str)) {
    check("home of a stranger").await;
    visit.go("/nowhere").await;
    check("404").await;
    visit.log_in("not the password").await;
    check("login with an alert").await;
    visit.log_in(PASSWORD).await;
    check("protected").await;
    visit.go("/").await;
    visit.browser.follow(COUNT).await;
    check("home, signed in").await;
    visit.go("/devices").await;
    check("devices").await;
    visit.go("/lab").await;
    visit.browser.follow("button[value=flip]").await;
    assert_eq!(visit.browser.text("#reason").await, "forged");
    check("lab with a finding").await;
}

async fn no_page_is_wider_than_a_small_phone(visit: Visit) {
    visit.browser.resize(360, 740).await;
    let check = async |page: &str| {
        let root = visit
            .browser
            .script("const root = document.documentElement; return [innerWidth, root.clientWidth, root.scrollWidth]")
            .await;
        let [window, inside, content] = [0, 1, 2].map(|at| root[at].as_u64().unwrap());
        assert_eq!(window, 360, "{page}");
        assert!(content <= inside, "{page}: {content} pixels in {inside}");
    };
    each_page(&visit, check).await;
}

async fn every_page_can_be_read_in_light_and_in_dark(visit: Visit) {
    let check = async |page: &str| {
        for (scheme, is_dark) in [("light", false), ("dark", true)] {
            visit.browser.prefer(scheme).await;
            let judged = visit.browser.script(CONTRAST).await;
            assert_eq!(judged["dark"], is_dark, "{page} in {scheme}");
            assert!(judged["texts"].as_u64().unwrap() > 5, "{page}: {judged}");
            assert_eq!(judged["weak"], json!([]), "{page} in {scheme}");
        }
    };
    each_page(&visit, check).await;
}

/// Whether the page is dark, and every text whose contrast is less than the 4.5 of WCAG 2.2 AA.
const CONTRAST: &str = r"
    const numbers = color => color.match(/[\d.]+/g).map(Number);
    const luminance = color => {
        const [r, g, b] = numbers(color).map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = element => {
        for (let e = element; e; e = e.parentElement) {
            const style = getComputedStyle(e);
            if (style.backgroundImage !== 'none') return null;
            const color = numbers(style.backgroundColor);
            if (color.length === 3 || color[3] === 1) return style.backgroundColor;
        }
        return 'rgb(255, 255, 255)';
    };
    const weak = [];
    let texts = 0;
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const element = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
        const below = ground(element);
        if (below === null) continue;
        texts++;
        const [dim, bright] = [luminance(getComputedStyle(element).color), luminance(below)].sort((a, b) => a - b);
        const contrast = (bright + 0.05) / (dim + 0.05);
        if (contrast < 4.5) weak.push([walker.currentNode.data.trim(), contrast]);
    }
    return { dark: luminance(ground(document.body)) < 0.2, texts, weak };
";
