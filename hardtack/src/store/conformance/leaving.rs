//! Through the public door: requests that are dropped at any await, and stores that fail. What was answered
//! has happened, what was not may have, and nothing is left half done or locked.

use std::time::Duration;

use super::{
    Place,
    door::{COUNT, Site, count, devices, increment, is_live, kept, owner, signed_in, then, try_visit, visit},
    node::{crowd, dropped_after},
    rows::NOW,
    troubled::{Faults, Stepwise, Troubled},
};
use crate::{Clock, Sessions, SessionsBuilder};

/// A request that was not done after so many polls is dropped no later.
const POLLS: usize = 60;

/// A server that can be left at every call of the store, and one that is not disturbed.
async fn stepwise(place: &impl Place) -> (Sessions, Sessions) {
    let (site, clock) = (Site::new(), Clock::manual(NOW));
    let stepwise = Troubled { store: place.node().await, trouble: Stepwise };
    (site.server(stepwise, &clock, |builder| builder), site.server(place.node().await, &clock, |builder| builder))
}

/// Fault 35: a client that leaves while its session is being loaded has changed nothing.
pub(super) async fn a_visitor_may_leave_while_the_session_is_loaded(place: impl Place) {
    let (leaving, other) = stepwise(&place).await;
    let cookie = then(&other, "", |session| {
        session.sign_in("ada");
        session.set(COUNT, 7);
    })
    .await;
    for polls in 0..POLLS {
        let request = leaving.begin([cookie.as_bytes()]);
        let done = dropped_after(polls, request.session()).await.is_some();
        let session = request.session().await;
        let read = session.map(|session| (session.owner(), session.get(COUNT)));
        let expected = (Some("ada".to_owned()), Some(7));
        assert_eq!(read.ok(), Some(expected), "the same request, asked again after its load was dropped");
        assert_eq!(count(&other, &cookie).await, 7, "the session, after a load that was dropped after {polls} polls");
        if done {
            return;
        }
    }
    panic!("a load took {POLLS} polls");
}

/// Fault 35: a client that leaves while its request is committed: the write has happened or not, and the next
/// one does.
pub(super) async fn a_visitor_may_leave_while_a_write_is_committed(place: impl Place) {
    let (leaving, other) = stepwise(&place).await;
    let cookie = signed_in(&other, "ada").await;
    let mut counted = 0;
    for polls in 0..POLLS {
        let slow = visit(&leaving, &cookie).await;
        increment(&slow.session);
        if polls % 2 == 1 {
            // So that it has to load again and to do its change once more.
            then(&other, &cookie, increment).await;
            counted += 1;
        }
        let done = dropped_after(polls, slow.done()).await.is_some();
        then(&leaving, &cookie, increment).await;
        let now = count(&other, &cookie).await;
        let least = counted + 1 + u64::from(done);
        assert!(now == least || now == counted + 2, "{now} counted after a write was dropped; {least} were answered");
        counted = now;
        if done && polls % 2 == 1 {
            return;
        }
    }
    panic!("a commit took {POLLS} polls");
}

/// Fault 35, E07: a logout that is dropped has happened or not; the next one is the end.
pub(super) async fn a_visitor_may_leave_while_signing_out(place: impl Place) {
    let (leaving, other) = stepwise(&place).await;
    for polls in 0..POLLS {
        let cookie = signed_in(&other, "ada").await;
        let slow = visit(&leaving, &cookie).await;
        slow.session.sign_out();
        let done = dropped_after(polls, slow.done()).await.is_some();
        let alive = is_live(&other, &cookie).await;
        assert!(!(done && alive), "a session is alive after its logout was answered");
        then(&leaving, &cookie, |session| session.sign_out()).await;
        assert!(!is_live(&other, &cookie).await, "a session after two logouts, the first of which was dropped");
        assert!(devices(&other, "ada").await.is_empty());
        if done {
            return;
        }
    }
    panic!("a logout took {POLLS} polls");
}

/// Fault 35, C04: a sign-in that is dropped makes nobody somebody else, and leaves no session of both.
pub(super) async fn a_visitor_may_leave_while_signing_in(place: impl Place) {
    let (leaving, other) = stepwise(&place).await;
    for polls in 0..POLLS {
        let (first, second) = (format!("ada {polls}"), format!("bob {polls}"));
        let cookie = signed_in(&other, &first).await;
        let slow = visit(&leaving, &cookie).await;
        slow.session.sign_in(&second);
        increment(&slow.session);
        let done = dropped_after(polls, slow.done()).await;
        let before = owner(&other, &cookie).await;
        assert!(
            before.is_none() || before.as_ref() == Some(&first),
            "the old cookie, after a sign-in was dropped: {before:?}"
        );
        if let Some(cookie) = &done {
            let cookie = cookie.as_deref().unwrap_or_default();
            assert_eq!(
                owner(&other, cookie).await.as_ref(),
                Some(&second),
                "the cookie of a sign-in that was answered"
            );
            assert_eq!(before, None, "the old cookie, after a sign-in was answered");
        }
        let again = then(&leaving, &cookie, |session| session.sign_in(&second)).await;
        assert_eq!(owner(&other, &again).await.as_ref(), Some(&second), "a sign-in after one that was dropped");
        assert_eq!(owner(&other, &cookie).await, None, "the old cookie, after a sign-in from it");
        if done.is_some() {
            return;
        }
    }
    panic!("a sign-in took {POLLS} polls");
}

/// Servers with troubled nodes, and one whose node is not troubled.
async fn troubled(place: &impl Place, seed: u64, of_each: u64) -> ([Sessions; 2], Sessions) {
    let (site, clock) = (Site::new(), Clock::manual(NOW));
    let patience = |builder: SessionsBuilder| builder.store_deadline(Duration::from_millis(50));
    let mut servers = Vec::new();
    for at in 0..2 {
        let trouble = Faults::new(seed * 2 + at, of_each);
        servers.push(site.server(Troubled { store: place.node().await, trouble }, &clock, patience));
    }
    let calm = site.server(place.node().await, &clock, |builder| builder);
    (servers.try_into().unwrap_or_else(|_| unreachable!("two were made")), calm)
}

/// Rule 2, J05, J06: answers are lost, calls fail, calls hang: what was answered counts once, what was not counts once
/// at most.
pub(super) async fn increments_survive_lost_answers(place: impl Place) {
    for seed in 0..5 {
        let (servers, calm) = troubled(&place, seed, 40).await;
        let cookie = kept(&calm).await;
        let answers = crowd(100, |caller| {
            let (sessions, cookie) = (servers[caller % 2].clone(), cookie.clone());
            async move {
                let Ok(visit) = try_visit(&sessions, &cookie).await else { return None };
                assert!(visit.session.is_live(), "a fault of the store signed somebody out");
                increment(&visit.session);
                Some(visit.try_done().await.is_ok())
            }
        })
        .await;
        let answered = answers.iter().filter(|answer| **answer == Some(true)).count() as u64;
        let failed = answers.iter().filter(|answer| **answer == Some(false)).count() as u64;
        let counted = count(&calm, &cookie).await;
        assert!(counted >= answered, "seed {seed}: {answered} increments were answered, and {counted} were counted");
        assert!(
            counted <= answered + failed,
            "seed {seed}: {answered} increments were answered and {failed} failed, and {counted} were counted"
        );
    }
}

/// E08, E07: a logout is answered only when it has happened.
pub(super) async fn a_logout_that_is_answered_has_happened(place: impl Place) {
    for seed in 0..3 {
        let (servers, calm) = troubled(&place, seed, 60).await;
        for at in 0..20 {
            let cookie = signed_in(&calm, "ada").await;
            let Ok(visit) = try_visit(&servers[at % 2], &cookie).await else { continue };
            visit.session.sign_out();
            match visit.try_done().await {
                Ok(_) => assert!(!is_live(&calm, &cookie).await, "seed {seed}: alive after its logout was answered"),
                Err(error) => assert_eq!(error.status(), 503, "a logout that failed for the store: {error}"),
            }
        }
    }
}

/// J05, J06: a sign-in that is answered is one; one that failed has no cookie; and the limit holds.
pub(super) async fn a_sign_in_that_is_answered_has_happened(place: impl Place) {
    for seed in 0..3 {
        let (servers, calm) = troubled(&place, seed, 40).await;
        for at in 0..30 {
            let name = format!("ada {seed} {at}");
            let before = kept(&calm).await;
            let Ok(visit) = try_visit(&servers[at % 2], &before).await else { continue };
            visit.session.sign_in(&name);
            increment(&visit.session);
            match visit.try_done().await {
                Ok(cookie) => {
                    let cookie = cookie.unwrap_or_default();
                    assert_eq!(owner(&calm, &cookie).await, Some(name), "seed {seed}: who signed in");
                    assert_eq!(count(&calm, &cookie).await, 1, "seed {seed}: what was written with the sign-in");
                    assert!(!is_live(&calm, &before).await, "seed {seed}: the session from before the sign-in");
                }
                Err(error) => assert_eq!(error.status(), 503, "a sign-in that failed for the store: {error}"),
            }
        }
    }
}

/// J05, E08: a store that is away is an error for who needs it, and nobody is signed out by it.
pub(super) async fn a_store_that_is_away_signs_nobody_out(place: impl Place) {
    let ([away, _], calm) = troubled(&place, 1, 500).await;
    let cookie = signed_in(&calm, "ada").await;
    for _ in 0..5 {
        assert!(try_visit(&away, &cookie).await.is_err(), "a session from a store that is away");
        assert!(away.of("ada").await.is_err() && away.end_owner("bob").await.is_err() && away.purge().await.is_err());
    }
    let signing_in = visit(&away, "").await;
    signing_in.session.sign_in("bob");
    let failed = signing_in.try_done().await;
    assert!(failed.as_ref().is_err_and(|error| error.status() == 503), "a sign-in without a store: {failed:?}");
    assert_eq!(owner(&calm, &cookie).await.as_deref(), Some("ada"), "a session after its store was away");
    then(&calm, &cookie, increment).await;
    assert_eq!(count(&calm, &cookie).await, 1);
}

/// Fault 35, J10: 300 requests of one session that are dropped at any time, and one that is not.
pub(super) async fn a_crowd_that_leaves_harms_no_session(place: impl Place) {
    let (leaving, other) = stepwise(&place).await;
    let cookie = signed_in(&other, "ada").await;
    let answered = crowd(300, |caller| {
        let (sessions, cookie) = (leaving.clone(), cookie.clone());
        async move {
            let request = async {
                let visit = visit(&sessions, &cookie).await;
                increment(&visit.session);
                visit.done().await;
            };
            dropped_after(caller % 23, request).await.is_some()
        }
    })
    .await;
    let answered = answered.into_iter().filter(|answered| *answered).count() as u64;
    then(&leaving, &cookie, increment).await;
    let counted = count(&other, &cookie).await;
    assert!(
        (answered + 1..=301).contains(&counted),
        "{counted} counted after a crowd of 300; {answered} were answered"
    );
    assert_eq!(devices(&other, "ada").await.len(), 1, "sessions of somebody whose requests were dropped");
}
