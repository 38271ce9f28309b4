//! What Chromium does with the cookies that the library writes, for every kind of policy.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use axum::{
    Router,
    extract::Path,
    http::header::SET_COOKIE,
    routing::{get, post},
};
use hardtack::{CookiePolicy, Field, Keyring, SameSite, Session, Sessions};
use hardtack_browser::Browser;
use serde_json::{Value, json};

const NOTE: Field<String> = Field::new("note");
/// A form to leave with, since an address that is typed counts as no navigation of the site.
const PAGE: &str = "<!doctype html><form method=post action=/end><button id=end>End</button></form>";

/// Serves on a free port of the loopback interface, for as long as the test runs.
async fn serve(app: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    format!("http://{address}")
}

fn sessions(policy: CookiePolicy) -> Sessions {
    Sessions::stateless(Keyring::ephemeral().unwrap()).cookie(policy).build().unwrap()
}

async fn begin(Path(length): Path<usize>, session: Session) -> axum::response::Html<&'static str> {
    session.set(NOTE, "x".repeat(length));
    axum::response::Html(PAGE)
}

async fn end(session: Session) -> &'static str {
    session.sign_out();
    "ended"
}

async fn length(session: Session) -> String {
    session.get(NOTE).map_or_else(|| "none".into(), |note| note.len().to_string())
}

fn app(sessions: &Sessions) -> Router {
    let routes =
        Router::new().route("/begin/{length}", get(begin)).route("/end", post(end)).route("/length", get(length));
    routes.layer(sessions.layer())
}

/// A03, A11, A12: each is kept with its attributes, comes back, and is gone after the removal.
#[tokio::test]
async fn the_cookie_of_every_policy_is_kept_comes_back_and_can_be_removed() {
    let browser = Browser::open().await;
    let policies = [
        (CookiePolicy::host("a"), "__Host-a", "Lax"),
        (CookiePolicy::host_http("b"), "__Host-Http-b", "Lax"),
        (CookiePolicy::secure("c"), "__Secure-c", "Lax"),
        (CookiePolicy::host("d").same_site(SameSite::Strict), "__Host-d", "Strict"),
        (CookiePolicy::host("e").same_site(SameSite::None), "__Host-e", "None"),
        (CookiePolicy::host("f").partitioned(), "__Host-f", "Lax"),
        (CookiePolicy::host("g").persistent(), "__Host-g", "Lax"),
        (CookiePolicy::plain("h"), "h", "Lax"),
    ];
    for (policy, name, same_site) in policies {
        let site = serve(app(&sessions(policy))).await;
        browser.go(&format!("{site}/begin/7")).await;
        let cookie = browser.cookie(name).await.unwrap_or_else(|| panic!("{name} is not kept"));
        let flags = ["httpOnly", "secure", "sameSite", "path"].map(|flag| cookie[flag].clone());
        assert_eq!(flags, [json!(true), json!(true), json!(same_site), json!("/")], "{name}");
        assert_eq!(cookie["expiry"].is_u64(), name == "__Host-g", "{name}: {cookie}");
        assert_eq!(browser.script("return document.cookie").await, "", "{name}");

        browser.go(&format!("{site}/length")).await;
        assert_eq!(browser.text("body").await, "7", "{name}");
        browser.go(&format!("{site}/begin/7")).await;
        browser.follow("#end").await;
        assert_eq!(browser.cookies().await, Vec::<Value>::new(), "{name} is gone");
    }
}

/// A03: the prefix holds against the page's own scripts, and not against the server.
#[tokio::test]
async fn a_host_http_cookie_of_the_server_cannot_be_overwritten_by_a_script() {
    let browser = Browser::open().await;
    let site = serve(app(&sessions(CookiePolicy::host_http("id")))).await;
    browser.go(&format!("{site}/begin/3")).await;
    let before = browser.cookie("__Host-Http-id").await.expect("from the server it is taken");
    browser.script("document.cookie = '__Host-Http-id=planted; Secure; Path=/'").await;
    browser.script("document.cookie = '__Host-Http-id=; Secure; Path=/; Max-Age=0'").await;
    assert_eq!(browser.cookies().await, [before]);
}

/// A06: Chromium's limit is the library's, to the byte.
#[tokio::test]
async fn a_name_and_value_of_4096_bytes_are_kept_and_one_more_is_not() {
    let browser = Browser::open().await;
    let raw = async |Path(length): Path<usize>| {
        let value = "x".repeat(length - "__Host-raw".len());
        ([(SET_COOKIE, format!("__Host-raw={value}; Path=/; Secure"))], "")
    };
    let site = serve(Router::new().route("/{length}", get(raw))).await;
    for (length, kept) in [(4095, true), (4096, true), (4097, false)] {
        browser.go(&format!("{site}/{length}")).await;
        assert_eq!(browser.cookie("__Host-raw").await.is_some(), kept, "{length}");
        browser.client.delete_all_cookies().await.unwrap();
    }
}

/// A06: the largest session that commits is one that the browser keeps.
#[tokio::test]
async fn the_largest_session_that_the_library_writes_comes_back() {
    let browser = Browser::open().await;
    let sessions = sessions(CookiePolicy::host("session"));
    let mut largest = 0;
    for length in 2000..4096 {
        if sessions.cookie(|session| session.set(NOTE, "x".repeat(length))).await.is_ok() {
            largest = length;
        }
    }
    let site = serve(app(&sessions)).await;
    browser.go(&format!("{site}/begin/{largest}")).await;
    let cookie = browser.cookie("__Host-session").await.expect("the browser keeps it");
    let size = "__Host-session".len() + cookie["value"].as_str().unwrap().len();
    // One more block of 32 bytes, 43 characters, would have been too much.
    assert!((4054..=4096).contains(&size), "{size}");
    browser.go(&format!("{site}/length")).await;
    assert_eq!(browser.text("body").await, largest.to_string());
}
