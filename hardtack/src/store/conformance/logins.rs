//! Through the public door: signing in and out, limits and endings, while others are under way.

use super::{
    Place,
    door::{NOTE, Visit, devices, increment, is_live, kept, owner, servers, signed_in, then, visit},
    node::{crowd, crowd_of},
};
use crate::{
    CommitError, Session, Sessions,
    store::{
        Beyond::{self, EndOldest, Refuse},
        DeviceLimit,
    },
};

/// E07: 50 requests under way, and a logout among them: nothing of them brings the session back.
pub(super) async fn a_logout_beats_fifty_requests_under_way(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    for round in 0..10 {
        let cookie = match round % 2 {
            0 => signed_in(&servers[0], "ada").await,
            _ => kept(&servers[0]).await,
        };
        let mut visits = Vec::new();
        for at in 0..50 {
            let visit = visit(&servers[at % 2], &cookie).await;
            match at % 4 {
                _ if at == 25 => visit.session.sign_out(),
                0 => visit.session.renew(),
                1 => visit.session.set(NOTE, "hello".into()),
                _ => increment(&visit.session),
            }
            visits.push(visit);
        }
        let mut cookies = vec![cookie];
        for answer in crowd_of(visits, Visit::try_done).await {
            match answer {
                Ok(cookie) => cookies.extend(cookie),
                Err(error) => panic!("a request failed beside a logout, which is no fault: {error}"),
            }
        }
        for (at, cookie) in cookies.iter().enumerate() {
            assert!(!is_live(&servers[at % 2], cookie).await, "a session is alive after its logout was answered (E07)");
        }
        assert!(devices(&servers[1], "ada").await.is_empty(), "a list of devices shows a session after its logout");
    }
}

/// C04: signing in makes a new session, and the one from before it is dead on every server, for who planted it too.
pub(super) async fn signing_in_ends_the_session_from_before(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let planted = kept(&servers[0]).await;
    assert!(is_live(&servers[0], &planted).await);
    let ada = then(&servers[1], &planted, |session| session.sign_in("ada")).await;
    assert!(!is_live(&servers[0], &planted).await, "a visitor's session after a sign-in from it");
    let bob = then(&servers[0], &ada, |session| session.sign_in("bob")).await;
    assert!(!is_live(&servers[1], &ada).await, "a session after another owner signed in from it");
    assert_eq!(owner(&servers[1], &bob).await.as_deref(), Some("bob"));
    assert!(devices(&servers[0], "ada").await.is_empty() && devices(&servers[0], "bob").await.len() == 1);
}

/// E05: devices are listed on every server, and each can be ended from the other.
pub(super) async fn devices_are_listed_and_ended(place: impl Place) {
    let (servers, clock) = servers(&place, |builder| builder).await;
    let mut cookies = Vec::new();
    for at in 0..6 {
        cookies.push(
            then(&servers[at % 2], "", |session| {
                session.sign_in(if at < 5 { "ada" } else { "bob" });
                session.set_label(&format!("device {at}"));
            })
            .await,
        );
        clock.advance(std::time::Duration::from_secs(1));
    }
    for left in (0..5).rev() {
        let listed = devices(&servers[left % 2], "ada").await;
        let labels: Vec<_> = listed.iter().filter_map(|device| device.label.as_deref()).collect();
        let expected: Vec<_> = (0..=left).rev().map(|at| format!("device {at}")).collect();
        assert_eq!(labels, expected, "an owner's devices, the latest first");
        let ended = servers[(left + 1) % 2].end(&listed[0].handle).await;
        assert!(ended.is_ok(), "ending a device failed: {ended:?}");
        assert!(!is_live(&servers[left % 2], &cookies[left]).await, "a device that was ended from another server");
    }
    assert_eq!(owner(&servers[0], &cookies[5]).await.as_deref(), Some("bob"), "somebody else's device");
}

/// E02, E03, E04: all of an owner's sessions end, or all but one, on all servers.
pub(super) async fn an_owner_is_ended_everywhere(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let mut cookies = Vec::new();
    for at in 0..10 {
        cookies.push(signed_in(&servers[at % 2], "ada").await);
    }
    let other = signed_in(&servers[0], "ada lovelace").await;
    let mine = visit(&servers[0], &cookies[3]).await;
    increment(&mine.session);
    let ended = servers[0].end_others(&mine.session).await;
    assert!(ended.is_ok(), "ending the other devices failed: {ended:?}");
    mine.done().await;
    for (at, cookie) in cookies.iter().enumerate() {
        assert_eq!(is_live(&servers[1], cookie).await, at == 3, "session {at}, after all others than 3 were ended");
    }
    assert_eq!(super::door::count(&servers[1], &cookies[3]).await, 1, "a write beside the ending of the others");
    let ended = servers[1].end_owner("ada").await;
    assert!(ended.is_ok(), "ending an owner failed: {ended:?}");
    assert!(!is_live(&servers[0], &cookies[3]).await, "a session after its owner was ended");
    assert!(is_live(&servers[0], &other).await, "the session of an owner whose name only begins alike");
    assert!(
        is_live(&servers[0], &signed_in(&servers[1], "ada").await).await,
        "who signs in after the ending is let in"
    );
}

/// E03: the password is changed while logins with the old one are being verified: nobody is signed in by them.
pub(super) async fn a_slow_login_does_not_survive_a_change_of_password(place: impl Place) {
    let (servers, _) = servers(&place, |builder| builder).await;
    let mine = signed_in(&servers[0], "ada").await;
    for round in 0..10 {
        let (late, last) = (round < 3, round == 9);
        let mut callers = Vec::new();
        for at in 0..20 {
            callers.push(Caller::Login(prepared(&servers[at % 2]).await));
        }
        let change = visit(&servers[0], &mine).await;
        let ending = Caller::Ending(servers[round % 2].clone(), Some(change.session).filter(|_| !last), round);
        if late {
            let ended = ending.call().await;
            assert!(ended.is_ok(), "an ending failed: {ended:?}");
        } else {
            callers.insert(10, ending);
        }
        for answer in crowd_of(callers, Caller::call).await {
            let refused = matches!(answer, Err(CommitError::OwnerEnded));
            assert!(
                refused || !late && answer.is_ok(),
                "a login that was prepared before an ending: {answer:?}, late: {late}"
            );
        }
        let left = devices(&servers[0], "ada").await.len();
        assert_eq!(left, usize::from(!last), "sessions after a change of password among 20 logins with the old one");
        assert_eq!(is_live(&servers[1], &mine).await, !last, "the session from which the password was changed");
    }
}

enum Caller {
    /// Signs in, after the password was verified.
    Login(Visit),
    /// Ends all sessions, or all but one, after so many turns of others.
    Ending(Sessions, Option<Session>, usize),
}

impl Caller {
    async fn call(self) -> Result<Option<String>, CommitError> {
        match self {
            Self::Login(visit) => {
                visit.session.sign_in("ada");
                visit.try_done().await
            }
            Self::Ending(sessions, spared, turns) => {
                for _ in 3..turns {
                    tokio::task::yield_now().await;
                }
                match spared {
                    Some(session) => sessions.end_others(&session).await?,
                    None => sessions.end_owner("ada").await?,
                }
                Ok(None)
            }
        }
    }
}

/// A login whose password is being verified.
async fn prepared(sessions: &Sessions) -> Visit {
    let visit = visit(sessions, "").await;
    let prepared = visit.session.prepare_sign_in().await;
    assert!(prepared.is_ok(), "a login could not be prepared: {prepared:?}");
    visit
}

/// E06: 50 sign-ins at once, of which 3 may be.
pub(super) async fn fifty_sign_ins_hold_the_limit_that_refuses(place: impl Place) {
    fifty_sign_ins(&place, Refuse).await;
}

/// E06: 50 sign-ins at once, of which 3 are left.
pub(super) async fn fifty_sign_ins_hold_the_limit_that_ends_the_oldest(place: impl Place) {
    fifty_sign_ins(&place, EndOldest).await;
}

async fn fifty_sign_ins(place: &impl Place, beyond: Beyond) {
    let (servers, _) = servers(place, |builder| builder.device_limit(DeviceLimit { most: 3, beyond })).await;
    for owner in ["ada", "bob", "carol"] {
        let answers = crowd(50, |caller| {
            let sessions = servers[caller % 2].clone();
            async move {
                let visit = visit(&sessions, "").await;
                visit.session.sign_in(owner);
                visit.try_done().await
            }
        })
        .await;
        let mut alive = 0;
        for answer in &answers {
            match answer {
                Ok(Some(cookie)) => alive += usize::from(is_live(&servers[0], cookie).await),
                Err(CommitError::DeviceLimit) if beyond == Refuse => {}
                other => panic!("a sign-in with a limit of 3 ({beyond:?}) was answered {other:?}"),
            }
        }
        assert_eq!(alive, 3, "live sessions after 50 sign-ins at once with a limit of 3 ({beyond:?})");
        let listed = devices(&servers[1], owner).await;
        assert_eq!(listed.len(), 3, "devices in the list after 50 sign-ins at once with a limit of 3 ({beyond:?})");
        let ended = servers[0].end(&listed[0].handle).await;
        assert!(ended.is_ok(), "ending a device failed: {ended:?}");
        then(&servers[1], "", |session: &Session| session.sign_in(owner)).await;
        assert_eq!(devices(&servers[0], owner).await.len(), 3, "devices after one was ended and one more came");
    }
}
