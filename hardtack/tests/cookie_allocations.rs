//! What reading a hostile `Cookie` header costs. A binary of its own, because it counts every allocation.
#![allow(clippy::unwrap_used, missing_docs)]

use allocation_counter::{AllocationInfo, measure};
use hardtack::{Keyring, Sessions};

/// What it costs to begin a request with these fields.
fn cost(sessions: &Sessions, fields: &[&[u8]]) -> AllocationInfo {
    measure(|| drop(sessions.begin(fields.iter().copied())))
}

/// B08: a foreign cookie costs no allocation: a mebibyte of them costs what one costs, whatever its shape.
#[test]
fn a_mebibyte_of_foreign_cookies_allocates_as_little_as_none() {
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).build().unwrap();
    let none = cost(&sessions, &[]);
    for pattern in ["a=;", ";", "=", " ", "\t;", "__Host-session", "__Host-sessio=x; ", "a=\"; ", "%48=1;", "\u{a0}=;"]
    {
        let flood = pattern.repeat((1 << 20) / pattern.len());
        let one = cost(&sessions, &[flood.as_bytes()]);
        assert_eq!((one.count_total, one.bytes_total), (none.count_total, none.bytes_total), "{pattern:?}");
        let crumbs: Vec<_> = flood.as_bytes().chunks(1 << 10).collect();
        let many = cost(&sessions, &crumbs);
        assert_eq!((many.count_total, many.bytes_total), (none.count_total, none.bytes_total), "{pattern:?} in crumbs");
    }
}

/// B08: cookies of our own name cost at most four values of 4,096 bytes, however many there are.
#[test]
fn a_flood_of_our_own_name_allocates_four_values_at_most() {
    let sessions = Sessions::stateless(Keyring::ephemeral().unwrap()).build().unwrap();
    let cookie = format!("__Host-session={}; ", "x".repeat(4096));
    let four = cost(&sessions, &[cookie.repeat(4).as_bytes()]);
    let flood = cost(&sessions, &[cookie.repeat(256).as_bytes()]);
    assert_eq!((flood.count_total, flood.bytes_total), (four.count_total, four.bytes_total));
    assert!(flood.bytes_max < 64 * 1024, "{}", flood.bytes_max);
    let huge = format!("__Host-session={}", "x".repeat(1 << 20));
    assert_eq!(cost(&sessions, &[huge.as_bytes()]).bytes_total, cost(&sessions, &[]).bytes_total);
}
