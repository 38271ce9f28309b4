//! Two machines, one site.

use std::thread;

use serde_json::Value;

use crate::{
    http::Visitor,
    site::{PASSWORD, Site, Town},
};

claims! {
    /// E01, E05
    who_signs_in_on_one_is_seen_and_ended_on_the_other
    /// E03
    ending_all_others_on_one_ends_them_on_both
    /// Design, section 9: parallel increments lose nothing, also across machines.
    two_hundred_parallel_counts_on_both_make_two_hundred
    /// E06: the limit is that of the store, whoever asks.
    the_limit_of_devices_holds_across_both
    one_goes_on_when_the_other_was_killed
}

fn pair(town: &Town) -> [Site; 2] {
    [town.machine(&[]), town.machine_with_variable(&[])]
}

fn devices(visitor: &mut Visitor) -> Vec<Value> {
    let reply = visitor.get("/api/devices");
    assert_eq!(reply.status, 200, "{}", reply.body);
    reply.json().as_array().unwrap().clone()
}

fn who_signs_in_on_one_is_seen_and_ended_on_the_other(town: &Town) {
    let [a, b] = pair(town);
    let (mut ada, phone) = (a.signed_in(), b.signed_in());
    assert!(b.again(&ada).is_signed_in() && a.again(&phone).is_signed_in());
    ada.post("/count", &[]);
    assert_eq!(b.again(&ada).get("/").counter(), 1);

    let listed = devices(&mut b.again(&phone));
    assert_eq!(listed.len(), 2, "both are seen on B");
    let other = listed.iter().find(|device| device["current"] == false).unwrap();
    let handle = other["handle"].as_str().unwrap();
    let reply = b.again(&phone).post_json(&format!("/api/devices/{handle}/end"), "");
    assert_eq!(reply.status, 200, "{}", reply.body);
    assert!(!ada.is_signed_in(), "E01: dead on A at its next request");
    assert!(a.again(&phone).is_signed_in());

    let copied = phone.cookie.clone().unwrap();
    b.again(&phone).post("/logout", &[]);
    assert!(!Visitor::with_cookie(a.address, &copied).is_signed_in(), "and so is a sign-out");
}

fn ending_all_others_on_one_ends_them_on_both(town: &Town) {
    let [a, b] = pair(town);
    let mut visitors = [a.signed_in(), a.signed_in(), b.signed_in(), b.signed_in()];
    let [ada, others @ ..] = &mut visitors;
    assert_eq!(b.again(ada).post_json("/api/devices/end-others", "").status, 200);
    assert!(others.iter_mut().all(|other| !other.is_signed_in()));
    assert!(ada.is_signed_in());
    assert_eq!(devices(ada).len(), 1);
    assert!(a.signed_in().is_signed_in(), "who signs in afterwards is not affected");
}

fn two_hundred_parallel_counts_on_both_make_two_hundred(town: &Town) {
    let sites = pair(town);
    let mut visitor = sites[0].signed_in();
    let (cookie, token) = (visitor.cookie.clone().unwrap(), visitor.token());
    thread::scope(|scope| {
        for worker in 0..20 {
            let (cookie, token, site) = (&cookie, &token, &sites[worker % 2]);
            scope.spawn(move || {
                for _ in 0..10 {
                    let mut visitor = Visitor::with_cookie(site.address, cookie);
                    let reply = visitor.post_without_token("/count", &[("csrf_token", token)]);
                    assert_eq!(reply.status, 303, "{}", reply.body);
                }
            });
        }
    });
    for site in &sites {
        assert_eq!(Visitor::with_cookie(site.address, &cookie).get("/").counter(), 200);
    }
}

fn the_limit_of_devices_holds_across_both(town: &Town) {
    let limit = ["--devices", "3", "--beyond", "refuse"];
    let sites = [town.machine(&limit), town.machine(&limit)];
    let statuses: Vec<_> = thread::scope(|scope| {
        let crowd: Vec<_> = (0..10)
            .map(|at| {
                let site = &sites[at % 2];
                scope.spawn(move || site.visitor().log_in(PASSWORD).status)
            })
            .collect();
        crowd.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
}

fn one_goes_on_when_the_other_was_killed(town: &Town) {
    let [a, b] = pair(town);
    let mut visitor = a.signed_in();
    visitor.post("/count", &[]);
    drop(a);
    let mut visitor = b.again(&visitor);
    assert_eq!(visitor.post("/count", &[]).status, 303);
    assert_eq!(visitor.get("/").counter(), 2);
}
