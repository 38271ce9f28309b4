//! `hardtack sessions` on a store that machines share.

use serde_json::Value;

use crate::{http::Visitor, site::Town};

claims! {
    /// E05, F13
    the_operator_sees_the_sessions_of_both_and_ends_them
    /// E03
    the_operator_ends_an_owner
    /// E04: after a backup was restored, what it brought back ends.
    the_operator_ends_what_was_created_before_a_moment
    a_store_with_many_sessions_is_listed_whole
    /// F13
    what_lies_under_another_name_is_found_by_that_name_alone
}

fn listed(town: &Town) -> Vec<Value> {
    town.sessions(&["list", "--json"]).json().as_array().unwrap().clone()
}

fn handle(visitor: &mut Visitor) -> String {
    let devices = visitor.get("/api/devices").json();
    let current = devices.as_array().unwrap().iter().find(|device| device["current"] == true).unwrap().clone();
    current["handle"].as_str().unwrap().to_owned()
}

fn the_operator_sees_the_sessions_of_both_and_ends_them(town: &Town) {
    let [a, b] = [town.machine(&[]), town.machine(&[])];
    let (mut ada, mut phone) = (a.signed_in(), b.signed_in());
    b.visitor().post("/count", &[]);
    assert_eq!(listed(town).len(), 3);
    let stats = town.sessions(&["stats", "--json"]).json();
    assert_eq!((&stats["sessions"], &stats["signed_in"], &stats["owners"]), (&3.into(), &2.into(), &1.into()));

    let target = handle(&mut ada);
    let shown = town.sessions(&["show", &target, "--json"]).json();
    assert_eq!((&shown["handle"], &shown["owner"]), (&Value::from(&*target), &"keeper".into()));
    for out in [town.sessions(&["list"]).out, town.sessions(&["show", &target]).out] {
        assert!(out.contains(&target) && !out.contains(ada.cookie.as_ref().unwrap()), "{out}");
    }
    assert!(town.sessions(&["end", &target]).text(0).contains("ended"));
    assert!(!ada.is_signed_in() && !b.again(&ada).is_signed_in() && phone.is_signed_in());
    assert_eq!(town.sessions(&["end", &target]).text(1), "", "it has ended already");
    assert_eq!(town.sessions(&["show", &target]).text(1), "");
    // By the option as by the variable.
    let named =
        crate::site::answer(crate::site::command().args(["sessions", "list", "--json", "--store", &town.store]));
    assert_eq!(named.json().as_array().unwrap().len(), 2);
}

fn the_operator_ends_an_owner(town: &Town) {
    let [a, b] = [town.machine(&[]), town.machine(&[])];
    let mut visitors = [a.signed_in(), b.signed_in(), b.signed_in()];
    let mut stranger = a.visitor();
    stranger.post("/count", &[]);
    assert!(town.sessions(&["end-owner", "keeper"]).text(0).starts_with("3 sessions of keeper"));
    assert!(visitors.iter_mut().all(|visitor| !visitor.is_signed_in()));
    assert_eq!(stranger.get("/").counter(), 1, "others are not affected");
    assert!(b.signed_in().is_signed_in());
}

fn the_operator_ends_what_was_created_before_a_moment(town: &Town) {
    let [a, b] = [town.machine(&[]), town.machine(&[])];
    let (mut old, mut other) = (a.signed_in(), b.signed_in());
    let newest = listed(town).iter().map(|row| row["created_at"].as_u64().unwrap()).max().unwrap();
    let before = (newest + 1).to_string();
    let mut new = loop {
        let mut visitor = b.signed_in();
        let handle = handle(&mut visitor);
        if town.sessions(&["show", &handle, "--json"]).json()["created_at"].as_u64().unwrap() > newest {
            break visitor;
        }
    };
    assert!(town.sessions(&["end-all", "--before", &before]).text(0).ends_with("ended"));
    assert!(!old.is_signed_in() && !other.is_signed_in() && new.is_signed_in());
    town.sessions(&["end-all"]).text(0);
    assert!(!new.is_signed_in());
    assert_eq!(listed(town).len(), 0);
    // Far in the future all is over: rows, and what remembers that they ended.
    let later = (newest + 500 * 86_400_000).to_string();
    town.sessions(&["purge", "--now", &later]).text(0);
    assert_eq!(town.sessions(&["purge", "--now", &later]).text(0), "0 rows removed");
}

fn a_store_with_many_sessions_is_listed_whole(town: &Town) {
    let site = town.machine(&[]);
    // More than are read at a time.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..80).for_each(|_| assert_eq!(site.visitor().post("/count", &[]).status, 303)));
        }
    });
    let listed = listed(town);
    let handles: std::collections::BTreeSet<_> = listed.iter().map(|row| row["handle"].as_str().unwrap()).collect();
    assert_eq!((listed.len(), handles.len()), (640, 640), "each once");
    assert!(town.sessions(&["end-all"]).text(0).starts_with("640 sessions"));
}

fn what_lies_under_another_name_is_found_by_that_name_alone(town: &Town) {
    let name: &[&str] = match town.store.starts_with("redis") {
        true => &["--redis-prefix", "shop", "--redis-shards", "4"],
        false => &["--postgres-schema", "shop"],
    };
    let shop = town.machine(name);
    let mut ada = shop.signed_in();
    assert_eq!(listed(town).len(), 0);
    let named = |command: &[&'static str]| town.sessions(&[command, name].concat());
    assert_eq!(named(&["list", "--json"]).json().as_array().unwrap().len(), 1);
    assert!(named(&["end-all"]).text(0).contains("1 session"));
    assert!(!ada.is_signed_in());
}
