//! Many at once, and two processes on one data folder, which behave as one.

use std::{sync::mpsc, thread};

use crate::{
    http::Visitor,
    site::{Folder, PASSWORD, Site},
};

fn pair(folder: &Folder) -> [Site; 2] {
    [folder.start(), folder.start()]
}

/// The same browser at another process.
fn at(site: &Site, visitor: &Visitor) -> Visitor {
    Visitor::with_cookie(site.address, visitor.cookie.as_ref().unwrap())
}

/// E01, E05: a sign-in is known and an ending holds on both, at the next request.
#[test]
fn a_session_of_one_process_is_one_of_the_other() {
    let folder = Folder::new();
    let [a, b] = pair(&folder);
    let (mut ada, mut phone) = (a.visitor(), b.visitor());
    ada.log_in(PASSWORD);
    phone.log_in(PASSWORD);
    assert!(at(&b, &ada).is_signed_in() && at(&a, &phone).is_signed_in());
    ada.post("/count", &[]);
    assert_eq!(at(&b, &ada).get("/").counter(), 1);

    let listed = at(&b, &ada).get("/api/devices").json();
    let other = listed.as_array().unwrap().iter().find(|device| device["current"] == false).unwrap();
    let handle = other["handle"].as_str().unwrap();
    assert_eq!(at(&b, &ada).post_json(&format!("/api/devices/{handle}/end"), "").status, 200);
    assert!(!at(&a, &phone).is_signed_in() && !at(&b, &phone).is_signed_in());

    let gone = Visitor::with_cookie(a.address, ada.cookie.as_ref().unwrap());
    at(&b, &ada).post("/logout", &[]);
    assert!(!at(&a, &gone).is_signed_in() && !at(&b, &gone).is_signed_in());
}

/// Design, section 9: parallel increments lose nothing, also across processes.
#[test]
fn two_hundred_parallel_counts_on_both_make_two_hundred() {
    let folder = Folder::new();
    let sites = pair(&folder);
    let mut visitor = sites[0].visitor();
    visitor.log_in(PASSWORD);
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

/// E06: the limit is that of the store, whoever asks.
#[test]
fn the_limit_of_devices_holds_across_both() {
    let folder = Folder::new();
    let limit = ["--devices", "3", "--beyond", "refuse"];
    let sites = [folder.start_with(&limit), folder.start_with(&limit)];
    let statuses: Vec<_> = thread::scope(|scope| {
        let crowd: Vec<_> = (0..10)
            .map(|at| {
                scope.spawn({
                    let site = &sites[at % 2];
                    move || site.visitor().log_in(PASSWORD).status
                })
            })
            .collect();
        crowd.into_iter().map(|visitor| visitor.join().unwrap()).collect()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 303).count(), 3, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 7, "{statuses:?}");
}

/// A process that is gone takes nothing with it.
#[test]
fn one_process_goes_on_when_the_other_was_killed() {
    let folder = Folder::new();
    let [a, b] = pair(&folder);
    let mut visitor = a.visitor();
    visitor.log_in(PASSWORD);
    visitor.post("/count", &[]);
    drop(a);
    let mut visitor = at(&b, &visitor);
    assert_eq!(visitor.post("/count", &[]).status, 303);
    assert_eq!(visitor.get("/").counter(), 2);
}

/// E03: a password that was being checked while all others were ended does not sign in.
#[test]
fn a_login_under_way_does_not_survive_the_end_of_all_others() {
    let folder = Folder::new();
    let site = folder.start();
    let mut ada = site.visitor();
    ada.log_in(PASSWORD);
    let token = ada.token();
    // More than can be hashed at the same time, so that some wait while the others end.
    let mut crowd: Vec<_> = (0..30).map(|_| site.visitor()).map(|mut visitor| (visitor.token(), visitor)).collect();
    let (answered, first) = mpsc::channel();
    let statuses: Vec<_> = thread::scope(|scope| {
        let logins: Vec<_> = crowd
            .iter_mut()
            .map(|(token, visitor)| {
                let answered = answered.clone();
                scope.spawn(move || {
                    let fields = [("csrf_token", token.as_str()), ("password", PASSWORD)];
                    let status = visitor.post_without_token("/login", &fields).status;
                    answered.send(()).unwrap();
                    status
                })
            })
            .collect();
        first.recv().unwrap();
        let reply = ada.post_without_token("/devices/end-others", &[("csrf_token", &token)]);
        assert_eq!(reply.status, 303);
        logins.into_iter().map(|login| login.join().unwrap()).collect()
    });
    assert!(statuses.iter().all(|status| matches!(status, 303 | 409)), "{statuses:?}");
    assert!(statuses.contains(&303) && statuses.contains(&409), "{statuses:?}");
    for ((_, visitor), status) in crowd.iter_mut().zip(statuses) {
        assert!(status == 303 || !visitor.is_signed_in());
    }
    assert!(ada.is_signed_in());
}
