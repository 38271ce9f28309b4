//! The laboratory: hostile cookies and the typed reasons that come back, and keys that turn.

use crate::{
    http::{Reply, Visitor},
    site::{Folder, PASSWORD},
};

claims! {
    /// B03, D01, E01, F05, G03: each experiment meets the refusal that it was made for.
    every_experiment_gives_its_reason
    /// E01: a cookie of one's own from before the logout.
    a_cookie_from_before_the_logout_is_told_to_have_ended
    /// G01, G04: after a turn the old key still opens, the next write moves the cookie, three turns later it is revoked.
    the_keys_turn_under_a_live_session
    a_visitor_cannot_turn_the_keys
}

/// What an experiment found: its verdict and its reason.
fn finding(reply: &Reply) -> (String, String) {
    assert_eq!(reply.status, 200, "{}", reply.body);
    let text = |id: &str| {
        let (_, rest) = reply.body.split_once(&format!("id=\"{id}\">")).expect("a finding");
        rest.split('<').next().unwrap().to_owned()
    };
    (text("verdict"), text("reason"))
}

fn experiment(visitor: &mut Visitor, name: &str, value: &str) -> (String, String) {
    finding(&visitor.post("/lab", &[("experiment", name), ("value", value)]))
}

fn value(visitor: &Visitor) -> String {
    visitor.cookie.clone().unwrap()
}

fn every_experiment_gives_its_reason(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let own = value(&visitor);
    // A store does not tell why it has nothing.
    let (ended, over) = if folder.is_stored() { ("absent", "absent") } else { ("ended", "idle") };
    for (name, verdict, reason) in [
        ("send", "accepted", "a live session of keeper, sealed with a key that is active"),
        ("flip", "refused", "forged"),
        ("replay", "refused", ended),
        ("plant", "not seen", "no cookie of our name came"),
        ("wait", "refused", over),
        ("foreign", "refused", "unknown_key"),
    ] {
        assert_eq!(experiment(&mut visitor, name, &own), (verdict.into(), reason.into()), "{name}");
    }
    assert_eq!(experiment(&mut visitor, "send", "garbage!").1, "malformed");
    assert_eq!(experiment(&mut visitor, "send", "a; __Host-session=b\r\nX: y").0, "refused");
    assert!(visitor.is_signed_in(), "experiments touch nobody's own session");
}

fn a_cookie_from_before_the_logout_is_told_to_have_ended(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let before = value(&visitor);
    visitor.post("/logout", &[]);
    let reason = if folder.is_stored() { "absent" } else { "ended" };
    assert_eq!(experiment(&mut visitor, "send", &before), ("refused".into(), reason.into()));
}

fn the_keys_turn_under_a_live_session(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    visitor.log_in(PASSWORD);
    let first = value(&visitor);
    assert_eq!(visitor.post("/lab/rotate", &[]).status, 303);
    assert!(experiment(&mut visitor, "send", &first).1.ends_with("retired"));
    visitor.post("/count", &[]);
    let moved = value(&visitor);
    assert!(experiment(&mut visitor, "send", &moved).1.ends_with("active"));
    for _ in 0..3 {
        visitor.post("/count", &[]);
        assert_eq!(visitor.post("/lab/rotate", &[]).status, 303);
    }
    assert_eq!(experiment(&mut visitor, "send", &first), ("refused".into(), "revoked_key".into()));
    assert!(visitor.is_signed_in(), "a session that was used meanwhile has moved along");
}

fn a_visitor_cannot_turn_the_keys(folder: &Folder) {
    let site = folder.start();
    let mut visitor = site.visitor();
    assert_eq!(visitor.post("/lab/rotate", &[]).status, 403);
    assert_eq!(visitor.post("/lab", &[("experiment", "bogus")]).status, 422);
}
