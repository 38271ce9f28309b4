//! The devices of who is signed in: the page, the JSON routes, and how many there may be.

use serde_json::{Value, json};

use crate::{
    http::Visitor,
    site::{Folder, PASSWORD, Placement::Stateless, Site},
};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0";
const SAFARI: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.1 Mobile/15E148 Safari/604.1";

claims! {
    /// E05
    nobody_has_devices
    /// E05
    ending_the_current_device_signs_out_and_removes_its_cookie
    /// E05
    a_handle_that_is_not_among_ones_own_is_not_found
    /// E03
    ending_all_others_ends_all_but_the_one_that_asks
    /// H09
    a_device_is_not_ended_without_the_token
    the_page_shows_this_device_and_can_end_it
}

fn signed_in(site: &Site, agent: Option<&'static str>) -> Visitor {
    let mut visitor = site.visitor();
    visitor.agent = agent;
    assert_eq!(visitor.log_in(PASSWORD).status, 303);
    visitor
}

fn devices(visitor: &mut Visitor) -> Vec<Value> {
    let reply = visitor.get("/api/devices");
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json().as_array().unwrap().clone()
}

/// The handle of the device that asks.
fn own_handle(visitor: &mut Visitor) -> String {
    let devices = devices(visitor);
    let current: Vec<_> = devices.iter().filter(|device| device["current"] == true).collect();
    assert_eq!(current.len(), 1, "{devices:?}");
    current[0]["handle"].as_str().unwrap().to_owned()
}

fn end(visitor: &mut Visitor, handle: &str) -> (u16, Value) {
    let reply = visitor.post_json(&format!("/api/devices/{handle}/end"), "");
    (reply.status, reply.json())
}

fn nobody_has_devices(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.post("/count", &[]);
    let reply = visitor.get("/devices");
    assert_eq!((reply.status, reply.location()), (303, "/login?next=/devices"));
    assert_eq!(visitor.send("GET", "/devices", &[("Accept", "application/json")], b"").status, 401);
    let reply = visitor.get("/api/devices");
    assert_eq!(reply.status, 401);
    assert!(reply.json()["error"].is_string());
    for path in ["/api/devices/AAAAAAAAAAAAAAAAAAAAAA/end", "/api/devices/end-others"] {
        let reply = visitor.post_json(path, "");
        assert_eq!(reply.status, 401, "{path}");
        assert!(reply.json()["error"].is_string(), "{path}");
    }
    for path in ["/devices/AAAAAAAAAAAAAAAAAAAAAA/end", "/devices/end-others"] {
        assert_eq!(visitor.post(path, &[]).location(), "/login?next=/devices", "{path}");
    }
    assert!(!visitor.get("/").body.contains("href=\"/devices\""));
}

/// E05: by handle, never by token; and each device is out at its next request.
#[test]
fn one_device_lists_all_and_ends_one_of_them() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitors = [Some(FIREFOX), Some(SAFARI), None].map(|agent| signed_in(&site, agent));
    let [ada, phone, other] = &mut visitors;

    let listed = devices(ada);
    assert_eq!(listed.len(), 3);
    let keys = ["created", "current", "handle", "label", "lastSeen"];
    for device in &listed {
        let mut found: Vec<_> = device.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        assert_eq!(found, keys);
        assert!(device["created"].as_u64().unwrap() > 1_700_000_000_000, "milliseconds since 1970");
        assert!(device["lastSeen"].as_u64() >= device["created"].as_u64());
        assert_eq!(device["handle"].as_str().unwrap().len(), 22);
    }
    let seen: Vec<_> = listed.iter().map(|device| device["lastSeen"].as_u64().unwrap()).collect();
    assert!(seen.is_sorted_by(|newer, older| newer >= older), "{seen:?}");
    let mut labels: Vec<_> = listed.iter().map(|device| device["label"].as_str().unwrap()).collect();
    labels.sort_unstable();
    assert_eq!(labels, ["Firefox on Linux", "Safari on iPhone", "Unknown device"]);
    let text = Value::from(listed).to_string();
    for visitor in [&*ada, &*phone, &*other] {
        assert!(!text.contains(visitor.cookie.as_ref().unwrap()));
    }

    let target = own_handle(phone);
    assert_eq!(end(ada, &target), (200, json!({ "ok": true, "isLogin": true })));
    assert_eq!(phone.get("/api/session").json()["isLogin"], false, "E01: its very next request");
    assert!(!phone.is_signed_in());
    assert!(other.is_signed_in() && ada.is_signed_in());
    assert_eq!(devices(ada).len(), 2);
    assert_eq!(end(ada, &target).0, 404, "it has ended already");
}

fn ending_the_current_device_signs_out_and_removes_its_cookie(folder: &Folder) {
    let site = folder.start();
    let mut visitor = signed_in(&site, None);
    let stolen = visitor.cookie.clone().unwrap();
    let handle = own_handle(&mut visitor);
    assert_eq!(end(&mut visitor, &handle), (200, json!({ "ok": true, "isLogin": false })));
    assert_eq!(visitor.cookie, None);
    assert!(!Visitor::with_cookie(site.address, &stolen).is_signed_in(), "E01");
}

fn a_handle_that_is_not_among_ones_own_is_not_found(folder: &Folder) {
    let site = folder.start();
    let (mut ada, mut stranger) = (signed_in(&site, None), site.visitor());
    stranger.post("/count", &[]);
    let of_stranger = {
        let page = stranger.get("/").body;
        let (_, rest) = page.split_once("<dt>Handle</dt>").unwrap();
        rest.split_once("<dd>").unwrap().1.split(' ').next().unwrap().to_owned()
    };
    assert_eq!(of_stranger.len(), 22, "the live handle of somebody else");
    let own = own_handle(&mut ada);
    let long = "A".repeat(2000);
    for wrong in [&of_stranger, "AAAAAAAAAAAAAAAAAAAAAA", "x", &own[..21], &format!("{own}A"), "%00", "..%2F..", &long]
    {
        let (status, answer) = end(&mut ada, wrong);
        assert_eq!(status, 404, "{wrong}");
        assert!(answer["error"].is_string(), "{wrong}");
        let page = ada.post(&format!("/devices/{wrong}/end"), &[]);
        assert_eq!((page.status, page.body.contains("<h1")), (404, true), "{wrong}");
    }
    let token = ada.token();
    let headers = [("Accept", "application/json"), ("X-CSRF-Token", &*token)];
    let reply = ada.send("POST", &format!("/devices/{of_stranger}/end"), &headers, b"");
    assert!(reply.status == 404 && reply.json()["error"].is_string(), "a program is told so in JSON");
    assert_eq!(stranger.get("/").counter(), 1, "the stranger's session lives");
    assert!(ada.is_signed_in());
}

fn ending_all_others_ends_all_but_the_one_that_asks(folder: &Folder) {
    let site = folder.start();
    let mut visitors: [_; 4] = std::array::from_fn(|_| signed_in(&site, None));
    let [ada, others @ ..] = &mut visitors;
    let reply = ada.post_json("/api/devices/end-others", "");
    assert_eq!((reply.status, reply.json()), (200, json!({ "ok": true, "isLogin": true })));
    assert!(others.iter_mut().all(|other| !other.is_signed_in()));
    assert!(ada.is_signed_in());
    assert_eq!(devices(ada).len(), 1);

    let mut again = signed_in(&site, None);
    assert_eq!(ada.post("/devices/end-others", &[]).location(), "/devices");
    assert!(!again.is_signed_in());
    assert!(ada.is_signed_in());
    assert!(signed_in(&site, None).is_signed_in(), "who signs in afterwards is not affected");
}

fn a_device_is_not_ended_without_the_token(folder: &Folder) {
    let site = folder.start();
    let mut visitors = [signed_in(&site, None), signed_in(&site, None)];
    let [ada, other] = &mut visitors;
    let handle = own_handle(ada);
    let token = other.token();
    for path in [
        format!("/devices/{handle}/end"),
        "/devices/end-others".into(),
        format!("/api/devices/{handle}/end"),
        "/api/devices/end-others".into(),
    ] {
        assert_eq!(ada.post_without_token(&path, &[]).status, 403, "{path}");
        assert_eq!(ada.post_without_token(&path, &[("csrf_token", &token)]).status, 403, "{path}");
        assert_eq!(ada.get(&path).status, 405, "E11: {path}");
    }
    assert!(ada.is_signed_in() && other.is_signed_in());
}

fn the_page_shows_this_device_and_can_end_it(folder: &Folder) {
    let site = folder.start();
    let mut visitor = signed_in(&site, Some(FIREFOX));
    let handle = own_handle(&mut visitor);
    let page = visitor.get("/devices");
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Firefox on Linux") && page.body.contains("this device"));
    assert!(page.body.contains("aria-current=\"page\">Devices"));
    let action = format!("action=\"/devices/{handle}/end\"");
    assert!(page.body.contains(&action));
    assert_eq!(page.body.matches("<form").count(), page.body.matches("name=\"csrf_token\"").count());

    let reply = visitor.post(&format!("/devices/{handle}/end"), &[]);
    assert_eq!((reply.status, reply.location(), &visitor.cookie), (303, "/", &None));
}

#[test]
fn the_page_ends_another_device() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitors = [signed_in(&site, Some(FIREFOX)), signed_in(&site, Some(SAFARI))];
    let [ada, phone] = &mut visitors;
    let page = ada.get("/devices").body;
    assert!(page.contains("Safari on iPhone") && page.contains("End all others"));
    let handle = own_handle(phone);
    let reply = ada.post(&format!("/devices/{handle}/end"), &[]);
    assert_eq!((reply.status, reply.location()), (303, "/devices"));
    assert!(!phone.is_signed_in() && ada.is_signed_in());
    assert!(!ada.get("/devices").body.contains("Safari on iPhone"));
}

/// What a browser says of itself is never shown, hostile or not.
#[test]
fn a_hostile_user_agent_is_an_unknown_device() {
    let folder = Folder::new();
    let site = folder.start();
    let mut visitor = signed_in(&site, Some("<script>alert(1)</script>\"'><img src=x>"));
    assert_eq!(devices(&mut visitor)[0]["label"], "Unknown device");
    for path in ["/devices", "/", "/protected"] {
        let page = visitor.get(path).body;
        assert!(!page.contains("<script>") && !page.contains("alert(1)") && !page.contains("<img src=x"), "{path}");
    }
}

/// E06: the limit holds for a crowd, and who is refused loses nothing.
#[test]
fn one_device_too_many_is_refused() {
    let folder = Folder::new();
    let site = folder.start_with(&["--devices", "3", "--beyond", "refuse"]);
    let replies: Vec<_> = std::thread::scope(|scope| {
        let crowd: Vec<_> = (0..12)
            .map(|_| {
                scope.spawn(|| {
                    let mut visitor = site.visitor();
                    visitor.post("/count", &[]);
                    (visitor.log_in(PASSWORD), visitor)
                })
            })
            .collect();
        crowd.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    let (mut admitted, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|(reply, _)| reply.status == 303);
    assert_eq!(admitted.len(), 3);
    for (reply, mut visitor) in refused {
        assert_eq!(reply.status, 409);
        assert!(reply.body.contains("role=\"alert\"") && reply.body.contains("as many devices as are allowed"));
        assert!(!visitor.is_signed_in());
        assert_eq!(visitor.get("/").counter(), 1);
        assert_eq!(visitor.post("/count", &[]).status, 303, "the form that came with the refusal works");
    }
    let (_, first) = &mut admitted[0];
    assert_eq!(devices(first).len(), 3);
    assert_eq!(first.log_in(PASSWORD).status, 303, "the same device again takes its own place");
    first.post("/logout", &[]);
    assert_eq!(site.visitor().log_in(PASSWORD).status, 303, "there is room again");
}

/// E06
#[test]
fn one_device_too_many_ends_the_oldest() {
    let folder = Folder::new();
    let site = folder.start_with(&["--devices", "2"]);
    let mut visitors: [_; 3] = std::array::from_fn(|_| signed_in(&site, None));
    let signed_in = visitors.each_mut().map(Visitor::is_signed_in);
    assert_eq!(signed_in, [false, true, true]);
}

#[test]
fn a_limit_needs_a_store() {
    let folder = Folder::with(Stateless);
    let said = folder.refusal(folder.command().args(["--devices", "2"]));
    assert!(said.contains("--placement stored"), "{said}");
    let said = folder.refusal(folder.command().args(["--store", "x.db"]));
    assert!(said.contains("--store") && said.contains("--placement stored"), "{said}");
    let folder = Folder::new();
    for args in [&["--devices", "0"][..], &["--beyond", "refuse"], &["--store", "mysql://x"], &["--store", ""]] {
        assert!(!folder.refusal(folder.command().args(args)).is_empty(), "{args:?}");
    }
}
