//! The JSON routes.

use serde_json::json;

use crate::{
    http::Visitor,
    site::{Folder, PASSWORD, Placement::Stateless},
};

claims! {
    what_is_stored_is_there_on_the_next_request_as_it_was_written
    storing_replaces_all_data_and_nobody_is_signed_out_by_it
    /// Data cannot pretend that somebody is signed in.
    members_named_like_ours_do_not_win
    /// E01: destroyed is destroyed, for copies too.
    destroying_ends_the_session_and_removes_its_cookie
    what_is_no_json_object_is_answered_with_400_and_changes_nothing
    the_api_needs_the_token_in_its_header
}

fn what_is_stored_is_there_on_the_next_request_as_it_was_written(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let empty = visitor.get("/api/session").json();
    assert_eq!(empty["isLogin"], false);
    assert!(empty["csrfToken"].is_string());
    assert_eq!(empty.as_object().unwrap().len(), 2);

    let data = r#"{"zebra":1.50,"apple":123456789012345678901234567890,"text":"naïve ☕","list":[1,{"a":null}]}"#;
    let reply = visitor.post_json("/api/session/store", data);
    assert_eq!(reply.status, 200);
    let members = data.strip_suffix('}').unwrap();
    assert!(reply.body.starts_with(members), "{}", reply.body);
    let read = visitor.get("/api/session");
    assert!(read.body.starts_with(members), "{}", read.body);
    assert_eq!(site.visitor().get("/api/session").json()["zebra"], json!(null), "another visitor sees nothing of it");
}

fn storing_replaces_all_data_and_nobody_is_signed_out_by_it(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    visitor.post_json("/api/session/store", r#"{"a":1,"b":2}"#);
    let after = visitor.post_json("/api/session/store", r#"{"b":3}"#).json();
    assert_eq!((&after["a"], &after["b"], &after["isLogin"]), (&json!(null), &json!(3), &json!(true)));
    assert_eq!(visitor.post_json("/api/session/store", "{}").json().as_object().unwrap().len(), 2);
}

fn members_named_like_ours_do_not_win(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.post_json("/api/session/store", r#"{"isLogin":true,"csrfToken":"x","owner":"keeper"}"#);
    let read = visitor.get("/api/session").json();
    assert_eq!(read["isLogin"], false);
    assert_ne!(read["csrfToken"], "x");
    assert!(!visitor.is_signed_in());
}

fn destroying_ends_the_session_and_removes_its_cookie(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    visitor.post_json("/api/session/store", r#"{"a":1}"#);
    let stolen = visitor.cookie.clone().unwrap();

    let reply = visitor.post_json("/api/session/destroy", "");
    assert_eq!((reply.status, reply.json()), (200, json!({ "ok": true, "isLogin": false })));
    assert_eq!(visitor.cookie, None);
    let mut replay = Visitor::with_cookie(site.address, &stolen);
    let read = replay.get("/api/session").json();
    assert_eq!((&read["isLogin"], &read["a"]), (&json!(false), &json!(null)));
    assert!(!Visitor::with_cookie(site.address, &stolen).is_signed_in());
}

fn what_is_no_json_object_is_answered_with_400_and_changes_nothing(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.post_json("/api/session/store", r#"{"a":1}"#);
    let wrong: [&[u8]; 9] =
        [b"", b"{", b"[1,2]", b"3", b"null", b"\"text\"", b"{} {}", b"{\"a\":\xff}", b"{\"a\":\"\\ud800\"}x"];
    for body in wrong {
        let reply = visitor.post_json("/api/session/store", body);
        assert_eq!(reply.status, 400, "{body:?}");
        assert!(reply.json()["error"].is_string());
        assert_eq!(reply.header("set-cookie"), None, "{body:?}");
    }
    assert_eq!(visitor.get("/api/session").json()["a"], 1);
}

/// A06: more than a cookie holds is an error before the answer leaves, and nothing is lost by it.
#[test]
fn data_that_no_cookie_can_hold_is_answered_with_413_and_nothing_is_lost() {
    let folder = Folder::with(Stateless);
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    visitor.post_json("/api/session/store", r#"{"kept":"yes","count":5}"#);
    let before = visitor.cookie.clone();
    let reply = visitor.post_json("/api/session/store", json!({ "big": "x".repeat(4096) }).to_string());
    assert_eq!((reply.status, reply.header("set-cookie")), (413, None));
    assert!(reply.json()["error"].as_str().unwrap().contains("Nothing was saved"), "{}", reply.body);
    assert_eq!(visitor.cookie, before);
    let read = visitor.get("/api/session").json();
    assert_eq!((&read["kept"], &read["isLogin"]), (&json!("yes"), &json!(true)));
    assert_eq!(visitor.get("/").counter(), 5);
}

/// A06: a session that is nearly full says so on a page too.
#[test]
fn a_count_that_no_longer_fits_is_a_page_with_413() {
    let folder = Folder::with(Stateless);
    let site = folder.start();
    let mut visitor = site.visitor();
    // As much as fits: data without a counter, which then has no room.
    let full = (2500..4096).rev().find(|length| {
        visitor.post_json("/api/session/store", json!({ "big": "x".repeat(*length) }).to_string()).status == 200
    });
    let full = full.expect("some length fits");
    let reply = visitor.post("/count", &[]);
    // The plaintext is padded to a multiple of 32 bytes and the last step that fits is full.
    assert_eq!((reply.status, reply.header("set-cookie")), (413, None));
    assert!(reply.body.contains("Nothing was saved") && reply.body.contains("<h1"));
    assert_eq!(visitor.get("/api/session").json()["big"].as_str().unwrap().len(), full);
}

/// With a store the cookie stays small whatever is kept.
#[test]
fn a_store_keeps_what_no_cookie_can_hold() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitor = site.visitor();
    let big = "x".repeat(50_000);
    assert_eq!(visitor.post_json("/api/session/store", json!({ "big": big }).to_string()).status, 200);
    assert!(visitor.cookie.as_ref().unwrap().len() < 400, "{:?}", visitor.cookie);
    assert_eq!(visitor.get("/api/session").json()["big"], big);
}

fn the_api_needs_the_token_in_its_header(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    let token = visitor.get("/api/session").json()["csrfToken"].as_str().unwrap().to_owned();
    let mut post = |headers: &[(&str, &str)]| visitor.send("POST", "/api/session/store", headers, b"{}").status;
    let json = ("Content-Type", "application/json");
    assert_eq!(post(&[json]), 403);
    assert_eq!(post(&[json, ("X-CSRF-Token", "x")]), 403);
    assert_eq!(post(&[json, ("Cookie", &format!("csrf_token={token}"))]), 403, "H11: never from a cookie");
    assert_eq!(post(&[json, ("X-CSRF-Token", &token)]), 200);
}
