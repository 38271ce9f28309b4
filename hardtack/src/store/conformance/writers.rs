//! Through the public door: requests of one session at once lose nothing.

use super::{
    Place,
    door::{COUNT, NOTE, Site, Visit, count, increment, is_live, kept, servers, signed_in, then, visit},
    node::{Node, crowd, crowd_of},
    rows::{NOW, keys_of, row},
};
use crate::{Clock, Field, Sessions};

/// J07: two requests that set different fields, on two servers, each after both have read: both fields are set.
pub(super) async fn two_writers_of_different_fields_both_survive(place: impl Place) {
    const FIELDS: [Field<usize>; 10] = [
        Field::new("a"),
        Field::new("b"),
        Field::new("c"),
        Field::new("d"),
        Field::new("e"),
        Field::new("f"),
        Field::new("g"),
        Field::new("h"),
        Field::new("i"),
        Field::new("j"),
    ];
    let (servers, _) = servers(&place, |builder| builder).await;
    let cookie = kept(&servers[0]).await;
    for round in 0..10 {
        let mut visits = Vec::new();
        for at in 0..FIELDS.len() {
            visits.push(visit(&servers[at % 2], &cookie).await);
        }
        for (at, visit) in visits.iter().enumerate() {
            visit.session.set(FIELDS[at], round * 100 + at);
        }
        all_done(visits).await;
        let visit = visit(&servers[round % 2], &cookie).await;
        for (at, field) in FIELDS.into_iter().enumerate() {
            let found = visit.session.get(field);
            assert_eq!(found, Some(round * 100 + at), "field {at}, after 10 requests at once set one field each");
        }
    }
}

/// Ends all requests at once; the cookies that they set.
async fn all_done(visits: Vec<Visit>) -> Vec<Option<String>> {
    crowd_of(visits, Visit::done).await
}

/// J07: 1,000 requests that count, on two servers.
pub(super) async fn a_thousand_increments_make_a_thousand(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let cookie = kept(&servers[0]).await;
    crowd(1_000, |caller| {
        let (sessions, cookie) = (servers[caller % 2].clone(), cookie.clone());
        async move { then(&sessions, &cookie, increment).await }
    })
    .await;
    assert_eq!(count(&servers[1], &cookie).await, 1_000, "1,000 increments at once");
}

/// J07: a value that is taken once is taken by one of 100 requests.
pub(super) async fn a_hundred_takers_have_one_winner(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let cookie = kept(&servers[0]).await;
    for round in 0..5 {
        then(&servers[0], &cookie, |session| session.set(NOTE, round.to_string())).await;
        let mut visits = Vec::new();
        for at in 0..100 {
            visits.push(visit(&servers[at % 2], &cookie).await);
        }
        let taken = crowd_of(visits, |visit| async move {
            let taken = visit.session.take_once(NOTE).await;
            visit.done().await;
            taken.unwrap_or_else(|error| panic!("take_once failed although nothing was wrong: {error}"))
        })
        .await;
        let winners: Vec<_> = taken.into_iter().flatten().collect();
        assert_eq!(winners, [round.to_string()], "what 100 requests at once took, where one may");
    }
}

/// D10: 50 requests that renew at once make one new generation, and none of them is signed out by it.
pub(super) async fn fifty_renewals_make_one_generation(place: impl Place) {
    let (servers, clock) = servers(&place, |builder| builder).await;
    let mut cookie = signed_in(&servers[0], "ada").await;
    for generation in 1..=5 {
        let mut visits = Vec::new();
        for at in 0..50 {
            let visit = visit(&servers[at % 2], &cookie).await;
            visit.session.renew();
            visit.session.set(COUNT, generation);
            visits.push(visit);
        }
        let cookies: Vec<_> = all_done(visits).await.into_iter().flatten().collect();
        assert!(!cookies.is_empty(), "a renewal set no cookie");
        for at in 0..4 {
            assert!(
                is_live(&servers[at % 2], &cookie).await,
                "the cookie from before a renewal is not taken in its grace"
            );
            let new = &cookies[at % cookies.len()];
            let device = visit(&servers[at % 2], new).await.session.device();
            let made = device.map(|device| u64::from(device.generation));
            assert_eq!(made, Some(generation), "the generation, after 50 renewals at once, of the {generation}. time");
        }
        cookie = cookies[cookies.len() - 1].clone();
        clock.advance(std::time::Duration::from_secs(120));
    }
    assert_eq!(super::door::devices(&servers[0], "ada").await.len(), 1, "sessions of a visitor who renewed often");
}

/// J09: a session of 200 KiB is read as it was written, beside others who write.
pub(super) async fn a_huge_session_comes_back(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let text: String = (0..200 * 1024).map(|at| char::from(b'a' + (at % 23) as u8)).collect();
    let cookie = then(&servers[0], "", |session| {
        session.sign_in("ada");
        session.set(NOTE, text.clone());
    })
    .await;
    for at in 1..=5 {
        then(&servers[at % 2], &cookie, increment).await;
        let found = visit(&servers[(at + 1) % 2], &cookie).await.session.get(NOTE);
        assert!(found.as_ref() == Some(&text), "200 KiB of a session, after write {at} of another field");
    }
    assert_eq!(count(&servers[0], &cookie).await, 5);
    let visit = visit(&servers[0], &cookie).await;
    visit.session.set(NOTE, text.repeat(2));
    let refused = visit.try_done().await;
    assert!(matches!(refused, Err(crate::CommitError::RecordTooLarge { .. })), "more than max_record: {refused:?}");
    let found = super::door::visit(&servers[1], &cookie).await.session.get(NOTE);
    assert!(found.as_ref() == Some(&text), "200 KiB of a session, after a larger one was refused");
}

/// J08: visitors about whom nothing is worth a record make none, whatever they write and however they leave.
pub(super) async fn anonymous_visitors_make_no_rows(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let node = Node::of(&place).await;
    for at in 0..100 {
        let sessions: &Sessions = &servers[at % 2];
        let cookie = then(sessions, "", increment).await;
        let cookie = then(sessions, &cookie, |session| session.set(NOTE, "hello".into())).await;
        then(sessions, &cookie, |session| session.sign_out()).await;
    }
    assert_eq!(node.all().await, [], "rows, after 100 visitors who neither signed in nor were kept");
}

/// J05, C10: two sites with keys of their own, by mistake in one store, do not read each other's sessions; and a row
/// of nobody is nobody.
pub(super) async fn a_foreign_row_is_nobodys(place: impl Place) {
    let clock = Clock::manual(NOW);
    let (ours, theirs) = (Site::new(), Site::new());
    let ours = ours.server(place.node().await, &clock, |builder| builder);
    let theirs = theirs.server(place.node().await, &clock, |builder| builder);
    let cookie = signed_in(&ours, "ada").await;
    assert!(!is_live(&theirs, &cookie).await, "a cookie that was sealed by another site's key");
    let node = Node::of(&place).await;
    node.put(keys_of("ada")(1), &row().of("ada").sealed([7; 100])).await;
    assert_eq!(super::door::devices(&ours, "ada").await.len(), 2, "what a store lists is what is in it");
    assert!(is_live(&ours, &cookie).await);
}
