//! Through the public door: deadlines, servers whose clocks differ, clocks that jump, and purges.

use std::time::Duration;

use super::{
    Place,
    door::{Site, count, devices, increment, is_live, kept, owner, servers, signed_in, then},
    node::{Node, crowd},
    rows::NOW,
};
use crate::Clock;

const MINUTE: Duration = Duration::from_secs(60);
const YEAR: Duration = Duration::from_secs(365 * 86_400);
/// How far apart the servers are.
const APART: Duration = Duration::from_secs(90);

/// D01, D02, D06: a session lives as long as it is used, on whatever server, and no longer than a day.
pub(super) async fn a_session_lives_while_it_is_used(place: impl Place) {
    let (servers, clock) = servers(&place, |builder| builder).await;
    let (used, idle) = (signed_in(&servers[0], "ada").await, signed_in(&servers[0], "ada").await);
    let mut last = used.clone();
    for quarter in 1..96 {
        clock.advance(15 * MINUTE);
        last = then(&servers[quarter % 2], &last, |_| ()).await;
        assert_eq!(is_live(&servers[0], &idle).await, quarter < 4, "an idle session, in quarter {quarter} of its day");
        assert!(is_live(&servers[1], &last).await, "a session that is used, in quarter {quarter} of its day");
    }
    clock.advance(15 * MINUTE);
    for cookie in [&used, &last, &idle] {
        assert!(!is_live(&servers[1], cookie).await, "a session after its day, however much it was used (D02)");
    }
    assert!(devices(&servers[0], "ada").await.is_empty());
}

/// Fault 10: two servers that are a minute and a half apart work on one session; no one is signed out by that.
pub(super) async fn servers_may_be_ninety_seconds_apart(place: impl Place) {
    let site = Site::new();
    let (ahead, behind) = (Clock::manual(NOW), Clock::manual(NOW));
    ahead.advance(APART);
    let servers = [
        site.server(place.node().await, &ahead, |builder| builder),
        site.server(place.node().await, &behind, |builder| builder),
    ];
    for (at, other) in [(0, 1), (1, 0)] {
        let mut cookie = signed_in(&servers[at], "ada").await;
        for visit in 1..=40 {
            cookie = then(&servers[(at + visit) % 2], &cookie, increment).await;
            ahead.advance(10 * MINUTE);
            behind.advance(10 * MINUTE);
            let device = devices(&servers[other], "ada").await;
            assert_eq!(device.len(), 1, "devices, as the other server lists them after visit {visit}");
        }
        assert_eq!(count(&servers[other], &cookie).await, 40, "what was counted on servers that are 90 s apart");
        then(&servers[other], &cookie, |session| session.sign_out()).await;
        assert!(!is_live(&servers[at], &cookie).await, "a session that was signed out on the other server");
        let mine = signed_in(&servers[at], "ada").await;
        let ended = servers[other].end_owner("ada").await;
        assert!(ended.is_ok(), "ending an owner failed: {ended:?}");
        assert!(!is_live(&servers[at], &mine).await, "a session whose owner was ended on the other server");
        let again = signed_in(&servers[at], "ada").await;
        assert!(is_live(&servers[other], &again).await, "a session from after an ending on the other server");
        then(&servers[at], &again, |session| session.sign_out()).await;
    }
}

/// D07: a clock that jumps signs people out at worst; what it ended, and what was ended, stays so.
pub(super) async fn a_jumping_clock_revives_nothing(place: impl Place) {
    let (servers, clock) = servers(&place, |builder| builder).await;
    let (live, out) = (signed_in(&servers[0], "ada").await, signed_in(&servers[0], "bob").await);
    then(&servers[1], &out, |session| session.sign_out()).await;
    for jump in [MINUTE, 30 * MINUTE, YEAR, 200 * YEAR] {
        clock.advance(jump);
        let answers = [owner(&servers[0], &live).await, owner(&servers[0], &out).await];
        assert!(answers[0].is_none() || answers[0].as_deref() == Some("ada"), "after a jump: {answers:?}");
        assert_eq!(answers[1], None, "a session that was signed out, after a jump of {jump:?}");
        clock.rewind(jump);
        assert_eq!(
            owner(&servers[0], &out).await,
            None,
            "a session that was signed out, after a jump of {jump:?} and back"
        );
    }
    clock.rewind(YEAR);
    assert_eq!(owner(&servers[1], &live).await, None, "a session from the future");
    clock.advance(YEAR + 2 * Duration::from_secs(86_400));
    assert_eq!(owner(&servers[1], &live).await, None, "a session after its day");
    for sessions in &servers {
        let purged = sessions.purge().await;
        assert!(purged.is_ok(), "a purge failed: {purged:?}");
    }
    clock.rewind(2 * Duration::from_secs(86_400));
    assert_eq!(owner(&servers[0], &live).await, None, "a session that was purged by a clock that was ahead");
    assert_eq!(owner(&servers[0], &out).await, None, "a session that was signed out");
}

/// D08, fault 38: a purge through the door removes all that is over and nothing else, however much it is.
pub(super) async fn a_purge_removes_what_is_over(place: impl Place) {
    let (servers, clock) = servers(&place, |builder| builder).await;
    crowd(1_200, |caller| {
        let sessions = servers[caller % 2].clone();
        async move {
            match caller % 2 {
                0 => kept(&sessions).await,
                _ => signed_in(&sessions, &format!("owner {}", caller % 50)).await,
            }
        }
    })
    .await;
    clock.advance(50 * MINUTE);
    let live = signed_in(&servers[0], "ada").await;
    clock.advance(15 * MINUTE);
    let node = Node::of(&place).await;
    assert_eq!(node.all().await.len(), 1_201, "rows before a purge");
    match servers[1].purge().await {
        Ok(purged) => assert_eq!(purged, 1_200, "rows that a purge says it took"),
        Err(error) => panic!("a purge failed: {error}"),
    }
    assert_eq!(node.all().await.len(), 1, "rows after a purge: one session is alive");
    assert!(is_live(&servers[0], &live).await, "a live session after a purge");
    assert!(devices(&servers[0], "owner 1").await.is_empty());
}
