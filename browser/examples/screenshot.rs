//! Makes the picture in the README: `cargo run -p hardtack-browser --example screenshot`.
//!
//! The home page, signed in, with a counter of 3, 1100 pixels wide. It needs a release build of the program.
#![allow(clippy::unwrap_used)]

use hardtack_browser::{Browser, PASSWORD, Scheme, Site};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let site = Site::start(Scheme::Http);
    let browser = Browser::open().await;
    browser.go(&site.url("/login")).await;
    browser.type_into("#password", PASSWORD).await;
    browser.follow("form[action='/login'] button").await;
    browser.go(&site.url("/")).await;
    for _ in 0..3 {
        browser.follow("form[action='/count'] button").await;
    }
    browser.prefer("light").await;
    browser.resize(1100, 900).await;
    // Down to the end of the two cards.
    let end = browser.script("return document.querySelector('.pair').getBoundingClientRect().bottom + 20").await;
    browser.resize(1100, end.as_f64().unwrap() as u32).await;
    let picture = browser.client.screenshot().await.unwrap();
    std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screenshot.png"), picture).unwrap();
}
