//! `--placement hybrid`: what the page says of the copy, the text that spills, and endings that other processes hear of.

use std::{thread, time::Duration};

use crate::{
    http::Visitor,
    site::{Folder, PASSWORD, Placement, Site},
};

/// Blocks the test until it is so.
fn until(mut so: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if so() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    panic!("waited for ever");
}

fn length(visitor: &Visitor) -> usize {
    visitor.cookie.as_ref().unwrap().len()
}

/// Type until it spills: the cookie shrinks, nothing is lost, and with less text the copy comes back.
#[test]
fn a_text_that_grows_moves_into_the_store_and_back() {
    let folder = Folder::with(Placement::Hybrid);
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let page = visitor.get("/").body;
    assert!(page.contains("a copy in the cookie, the record in SQLite, in sessions.db"), "{page}");
    assert!(page.contains("Version") && page.contains("Age of the copy"), "{page}");
    let text = "hardtack ".repeat(700);
    visitor.post("/text", &[("text", &text)]);
    let spilled = length(&visitor);
    let page = visitor.get("/").body;
    assert!(page.contains("in SQLite, in sessions.db alone") && page.contains(&text), "{page}");
    visitor.post("/text", &[("text", "a few words")]);
    assert!(length(&visitor) > spilled, "the copy is back");
    let page = visitor.get("/").body;
    assert!(page.contains("a copy in the cookie") && page.contains("a few words"), "{page}");
    visitor.post("/count", &[]);
    assert_eq!(visitor.get("/").counter(), 1);
}

/// E01, E05: what ends at one process is over at the other, which has heard of it; and its page says how long that took.
#[test]
fn an_ending_is_heard_of_at_the_other_process() {
    let folder = Folder::with(Placement::Hybrid);
    let [a, b] = [folder.start(), folder.start()];
    let at = |site: &Site, visitor: &Visitor| Visitor::with_cookie(site.address, visitor.cookie.as_ref().unwrap());
    let (mut ada, mut phone) = (a.visitor(), b.visitor());
    ada.log_in(PASSWORD);
    phone.log_in(PASSWORD);
    assert!(at(&b, &ada).is_signed_in() && at(&a, &phone).is_signed_in());
    assert!(phone.get("/").body.contains("none came yet"));
    let gone = at(&a, &ada);
    ada.post("/logout", &[]);
    assert!(!at(&a, &gone).is_signed_in(), "it ended here");
    until(|| !at(&b, &gone).is_signed_in());
    until(|| !phone.get("/").body.contains("none came yet"));
    assert!(phone.get("/").body.contains("from another server to this one"));
}
