//! E, C: what has ended stays ended, for the same bytes, for requests under way, across restarts and floods; and
//! signing in never hands a session to whoever planted it.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::{
    fs::{self, OpenOptions},
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, RwLock, mpsc},
    time::Duration,
};

use axum::{Router, routing::get};
use common::{NOTE, builder, cookie, fetch, serve, sessions, wait};
use hardtack::{BuildError, Clock, CommitError, Field, Handle, Keyring, Outcome, Revocations, Session, Sessions};

const COUNT: Field<u64> = Field::new("count");
const REMOVAL: &str = "__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0";
const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

fn visit(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> Option<String> {
    let request = sessions.begin([cookie.as_bytes()]);
    work(&wait(request.session()).unwrap());
    let headers = wait(request.finish()).unwrap();
    let lines: Vec<_> = headers.set_cookies().map(|line| line.to_str().unwrap().to_owned()).collect();
    assert!(lines.len() < 2, "{lines:?}");
    lines.into_iter().next()
}

fn then(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> String {
    visit(sessions, cookie, work).unwrap().split(';').next().unwrap().to_owned()
}

fn owner(sessions: &Sessions, cookie: &str) -> Option<String> {
    wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().owner()
}

fn is_live(sessions: &Sessions, cookie: &str) -> bool {
    wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().is_live()
}

fn signed_in(sessions: &Sessions, owner: &str) -> String {
    cookie(sessions, |session| session.sign_in(owner))
}

fn sign_out(sessions: &Sessions, cookie: &str) {
    assert_eq!(visit(sessions, cookie, Session::sign_out).as_deref(), Some(REMOVAL));
}

/// E01, E10: after sign-out the removal cookie is sent, and the same bytes, kept by an attacker, are nobody for as
/// long as they would have lived.
#[test]
fn the_same_bytes_fail_after_logout() {
    let (builder, clock) = builder();
    let sessions = builder.idle(DAY).build().unwrap();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(NOTE, "secret".into());
    });
    let older = made.clone();
    let made = then(&sessions, &made, |session| session.set(COUNT, 1));
    sign_out(&sessions, &made);
    for _ in 0..24 {
        for bytes in [&made, &older] {
            visit(&sessions, bytes, |session| {
                assert!(!session.is_live() && session.owner().is_none() && session.get(NOTE).is_none());
            });
        }
        clock.advance(Duration::from_secs(3_600));
    }
}

/// E01: a remembered session is as dead after its sign-out, a month long.
#[test]
fn a_remembered_session_stays_ended_for_its_month() {
    let (builder, clock) = builder();
    let sessions = builder.remember_me(30 * DAY).build().unwrap();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.remember_me(true);
    });
    sign_out(&sessions, &made);
    for _ in 0..30 {
        assert!(!is_live(&sessions, &made));
        clock.advance(DAY);
    }
}

/// E01, E11, over HTTP: the logout is answered with the removal and may not be stored; the bytes fail afterwards.
#[test]
fn logout_over_http_ends_the_session_and_is_not_stored() {
    let sessions = sessions();
    async fn who(session: Session) -> String {
        session.owner().unwrap_or("nobody".into())
    }
    async fn leave(session: Session) -> &'static str {
        session.sign_out();
        "bye"
    }
    let server = serve(Router::new().route("/", get(who)).route("/leave", get(leave)).layer(sessions.layer()));
    let made = signed_in(&sessions, "ada");
    assert_eq!(fetch(server, "/", [&made]).text(), "ada");
    let reply = fetch(server, "/leave", [&made]);
    assert_eq!((reply.status, reply.one("set-cookie"), reply.one("cache-control")), (200, REMOVAL, "no-store"));
    assert_eq!(fetch(server, "/", [&made]).text(), "nobody");
}

/// C04: signing in makes a new session, and the cookie from before it is nobody: of a visitor, of the same user
/// again, and of another user who is taken over from.
#[test]
fn signing_in_kills_the_old_cookie() {
    let sessions = sessions();
    let preparations: [&dyn Fn(&Session); 4] = [
        &|session| session.set(NOTE, "visitor".into()),
        &|session| session.keep(),
        &|session| session.sign_in("ada"),
        &|session| session.sign_in("eve"),
    ];
    for prepare in preparations {
        let before = cookie(&sessions, prepare);
        let handle = sessions.inspect(before.split_once('=').unwrap().1).unwrap().handle();
        let after = then(&sessions, &before, |session| session.sign_in("ada"));
        assert!(!is_live(&sessions, &before), "the old cookie lives");
        visit(&sessions, &after, |session| {
            assert_eq!(session.owner().as_deref(), Some("ada"));
            assert_ne!(session.handle(), Some(handle));
        });
    }
}

/// C03: whoever plants his own cookie in a victim's browser shares nothing with the victim after the sign-in, and a
/// value that the server never made is not adopted.
#[test]
fn a_planted_session_is_left_behind_by_the_sign_in() {
    let sessions = sessions();
    let planted = cookie(&sessions, |session| session.set(NOTE, "planted".into()));
    let victim = then(&sessions, &planted, |session| session.sign_in("ada"));
    assert_eq!(owner(&sessions, &planted), None);
    visit(&sessions, &victim, |session| assert_eq!(session.get(NOTE), None));
    let chosen = "__Host-session=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let victim = then(&sessions, chosen, |session| session.sign_in("ada"));
    assert_ne!(victim, chosen);
    assert_eq!((owner(&sessions, chosen), owner(&sessions, &victim).as_deref()), (None, Some("ada")));
}

/// C07: of a visitor's data only what is on the list survives the sign-in; of another user's, nothing; of the
/// same user's, all of it.
#[test]
fn only_listed_fields_survive_a_sign_in() {
    const CART: Field<Vec<String>> = Field::new("cart");
    for listed in [true, false] {
        let (builder, _) = builder();
        let builder = if listed { builder.carry_over(["cart", "absent"]) } else { builder };
        let sessions = builder.build().unwrap();
        let fill = |session: &Session| {
            session.set(CART, vec!["tea".into()]);
            session.set(NOTE, "planted".into());
        };
        let visitor = cookie(&sessions, fill);
        let ada = then(&sessions, &visitor, |session| session.sign_in("ada"));
        visit(&sessions, &ada, |session| {
            assert_eq!(session.get(CART), listed.then(|| vec!["tea".into()]));
            assert_eq!(session.get(NOTE), None);
        });
        let ada = then(&sessions, &ada, fill);
        let again = then(&sessions, &ada, |session| session.sign_in("ada"));
        visit(&sessions, &again, |session| assert_eq!(session.get(NOTE).as_deref(), Some("planted")));
        let eve = then(&sessions, &again, |session| session.sign_in("eve"));
        visit(&sessions, &eve, |session| assert!(session.get(NOTE).is_none() && session.get(CART).is_none()));
    }
}

/// E10: signing out and writing in one request gives a new visitor without an owner and without the old data.
#[test]
fn what_is_written_after_a_sign_out_belongs_to_a_new_visitor() {
    let sessions = sessions();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(COUNT, 1);
    });
    let visitor = then(&sessions, &made, |session| {
        session.sign_out();
        assert!(session.get(COUNT).is_none() && session.owner().is_none());
        session.set(NOTE, "goodbye".into());
    });
    assert!(!is_live(&sessions, &made));
    visit(&sessions, &visitor, |session| {
        assert_eq!((session.get(NOTE).as_deref(), session.get(COUNT), session.owner()), (Some("goodbye"), None, None));
    });
}

/// E07: a request that began before the logout changes nothing afterwards: it writes no cookie, signs nobody in
/// again, and sends no removal that could hit a newer cookie.
#[test]
fn logout_beats_a_slow_request() {
    let works: [&dyn Fn(&Session); 6] = [
        &|_| {},
        &|session| session.set(COUNT, 2),
        &|session| session.clear(),
        &|session| session.remember_me(true),
        &|session| session.write(&serde_json::json!({"count": 3}).as_object().unwrap().clone()),
        &|session| assert!(!session.csrf_token().is_empty()),
    ];
    for work in works {
        for touch in [false, true] {
            let (builder, clock) = builder();
            let sessions = builder.build().unwrap();
            let made = signed_in(&sessions, "ada");
            if touch {
                clock.advance(45 * MINUTE);
            }
            let slow = sessions.begin([made.as_bytes()]);
            let session = wait(slow.session()).unwrap();
            work(&session);
            sign_out(&sessions, &made);
            work(&session);
            assert!(!wait(session.confirm()).unwrap());
            assert_eq!(wait(slow.finish()).unwrap().set_cookies().count(), 0);
            assert!(!is_live(&sessions, &made));
        }
    }
}

/// E07: and says so to a handler that commits early.
#[test]
fn an_early_commit_after_the_logout_is_told_that_it_is_over() {
    let sessions = sessions();
    let made = signed_in(&sessions, "ada");
    let session = wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    session.set(COUNT, 1);
    sign_out(&sessions, &made);
    assert_eq!(wait(session.commit()).unwrap(), Outcome::Ended);
}

/// E07, over HTTP: the slow handler is inside when the logout is answered.
#[test]
fn a_handler_that_outlasts_the_logout_sends_no_cookie() {
    let sessions = sessions();
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let (entered, inside) = mpsc::channel();
    let held = gate.clone();
    let slow = move |session: Session| async move {
        session.update(COUNT, |count| count.unwrap_or_default() + 1);
        entered.send(()).unwrap();
        let _permit = held.acquire().await.unwrap();
        session.update(COUNT, |count| count.unwrap_or_default() + 1);
        session.get(COUNT).unwrap().to_string()
    };
    let leave = |session: Session| async move { session.sign_out() };
    let server = serve(Router::new().route("/slow", get(slow)).route("/leave", get(leave)).layer(sessions.layer()));
    let made = signed_in(&sessions, "ada");
    let slow_reply = std::thread::scope(|scope| {
        let slow = scope.spawn(|| fetch(server, "/slow", [&made]));
        inside.recv().unwrap();
        assert_eq!(fetch(server, "/leave", [&made]).one("set-cookie"), REMOVAL);
        gate.add_permits(1);
        slow.join().unwrap()
    });
    assert_eq!((slow_reply.status, slow_reply.text(), slow_reply.set_cookies().len()), (200, "2", 0));
    assert!(!is_live(&sessions, &made));
}

/// E07, C04: requests that were under way during a sign-in carry the old cookie. Their answers arrive after the
/// new cookie did: they must neither replace nor remove it.
#[test]
fn a_request_under_way_during_a_sign_in_does_not_touch_the_new_cookie() {
    let sessions = sessions();
    let visitor = cookie(&sessions, |session| session.set(COUNT, 1));
    let under_way = sessions.begin([visitor.as_bytes()]);
    wait(under_way.session()).unwrap().set(COUNT, 2);
    let begun = sessions.begin([visitor.as_bytes()]);
    let ada = then(&sessions, &visitor, |session| session.sign_in("ada"));
    let late = sessions.begin([visitor.as_bytes()]);
    for request in [under_way, begun, late] {
        let session = wait(request.session()).unwrap();
        assert_eq!(session.owner(), None);
        assert_eq!(wait(request.finish()).unwrap().set_cookies().count(), 0);
    }
    assert_eq!(owner(&sessions, &ada).as_deref(), Some("ada"));
}

/// E09: a logout between the arrival of a request and its first look at the session makes that request anonymous.
#[test]
fn a_request_that_has_not_looked_yet_is_nobody() {
    let sessions = sessions();
    let made = signed_in(&sessions, "ada");
    let request = sessions.begin([made.as_bytes()]);
    sign_out(&sessions, &made);
    assert!(!wait(request.session()).unwrap().is_live());
}

/// E09: a handler that panics after signing out commits nothing, and one that fails otherwise does end the session.
#[test]
fn a_failing_handler_does_not_stop_the_logout() {
    let sessions = sessions();
    let fail = |session: Session| async move {
        session.sign_out();
        http::StatusCode::INTERNAL_SERVER_ERROR
    };
    let server = serve(Router::new().route("/", get(fail)).layer(sessions.layer()));
    let made = signed_in(&sessions, "ada");
    let reply = fetch(server, "/", [&made]);
    assert_eq!((reply.status, reply.one("set-cookie")), (500, REMOVAL));
    assert!(!is_live(&sessions, &made));
}

/// E05: any one session can be ended by its handle, from elsewhere; the others of its owner live on.
#[test]
fn a_session_can_be_ended_by_its_handle() {
    let sessions = sessions();
    let (phone, laptop) = (signed_in(&sessions, "ada"), signed_in(&sessions, "ada"));
    let mut text = String::new();
    visit(&sessions, &phone, |session| text = session.handle().unwrap().to_string());
    let under_way = sessions.begin([phone.as_bytes()]);
    wait(under_way.session()).unwrap().set(COUNT, 1);
    wait(sessions.end(&Handle::parse(&text).unwrap())).unwrap();
    assert_eq!(wait(under_way.finish()).unwrap().set_cookies().count(), 0);
    assert!(!is_live(&sessions, &phone));
    assert_eq!(owner(&sessions, &laptop).as_deref(), Some("ada"));
    let visitor = cookie(&sessions, |session| session.set(COUNT, 1));
    let handle = sessions.inspect(visitor.split_once('=').unwrap().1).unwrap().handle();
    wait(sessions.end(&handle)).unwrap();
    assert!(!is_live(&sessions, &visitor));
}

/// E02, E04: an account that is disabled is out on all devices, requests under way included; nobody else is.
#[test]
fn ending_an_owner_ends_all_his_sessions_and_no_other() {
    let sessions = sessions();
    let devices: Vec<_> = (0..20).map(|_| signed_in(&sessions, "ada")).collect();
    let others = ["Ada", "ada ", "adam", "bob"].map(|name| signed_in(&sessions, name));
    let visitor = cookie(&sessions, |session| session.set(COUNT, 1));
    let under_way = sessions.begin([devices[0].as_bytes()]);
    wait(under_way.session()).unwrap().set(COUNT, 1);
    wait(sessions.end_owner("ada")).unwrap();
    assert_eq!(wait(under_way.finish()).unwrap().set_cookies().count(), 0);
    assert!(devices.iter().all(|device| !is_live(&sessions, device)));
    assert!(others.iter().chain([&visitor]).all(|other| is_live(&sessions, other)));
}

/// E04: in the very millisecond of the ending, who signs in before it is out and who signs in after it is in,
/// however often.
#[test]
fn a_sign_in_after_the_ending_lives_in_the_same_millisecond() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let mut dead = Vec::new();
    for round in 0..50 {
        let made = signed_in(&sessions, "ada");
        assert!(is_live(&sessions, &made), "round {round}");
        dead.push(made);
        wait(sessions.end_owner("ada")).unwrap();
        assert!(dead.iter().all(|cookie| !is_live(&sessions, cookie)), "round {round}");
    }
    clock.advance(Duration::from_millis(100));
    let made = signed_in(&sessions, "ada");
    assert!(is_live(&sessions, &made) && dead.iter().all(|cookie| !is_live(&sessions, cookie)));
}

/// E03: after a change of password all other sessions die, N − 1 of N; the one that changed it goes on with a new
/// cookie, and its old bytes die too.
#[test]
fn ending_the_others_spares_only_the_one() {
    let sessions = sessions();
    let devices: Vec<_> = (0..10).map(|_| signed_in(&sessions, "ada")).collect();
    let bob = signed_in(&sessions, "bob");
    let request = sessions.begin([devices[3].as_bytes()]);
    let session = wait(request.session()).unwrap();
    session.set(NOTE, "kept".into());
    wait(sessions.end_others(&session)).unwrap();
    let headers = wait(request.finish()).unwrap();
    let line = headers.set_cookies().next().unwrap().to_str().unwrap();
    let next = line.split(';').next().unwrap();
    visit(&sessions, next, |session| {
        assert_eq!((session.owner().as_deref(), session.get(NOTE).as_deref()), (Some("ada"), Some("kept")));
    });
    assert!(devices.iter().all(|device| !is_live(&sessions, device)));
    assert!(is_live(&sessions, &bob));
}

/// E03: a visitor has no others.
#[test]
fn ending_the_others_of_a_visitor_does_nothing() {
    let sessions = sessions();
    let visitors = [1, 2].map(|count| cookie(&sessions, |session| session.set(COUNT, count)));
    let request = sessions.begin([visitors[0].as_bytes()]);
    let session = wait(request.session()).unwrap();
    wait(sessions.end_others(&session)).unwrap();
    assert_eq!(wait(request.finish()).unwrap().set_cookies().count(), 0);
    assert!(visitors.iter().all(|visitor| is_live(&sessions, visitor)));
}

/// E03, E07: an account was disabled while its owner's request was under way. Ending "the others" in that request
/// does not bring the request's own session back.
#[test]
fn ending_the_others_does_not_revive_a_session_that_was_ended_meanwhile() {
    type Ending<'a> = &'a dyn Fn(&Sessions, &str);
    let endings: [Ending; 3] = [
        &|sessions, _| wait(sessions.end_owner("ada")).unwrap(),
        &|sessions, cookie| sign_out(sessions, cookie),
        &|sessions, cookie| {
            let handle = sessions.inspect(cookie.split_once('=').unwrap().1).unwrap().handle();
            wait(sessions.end(&handle)).unwrap();
        },
    ];
    for (at, ending) in endings.iter().enumerate() {
        let sessions = sessions();
        let made = signed_in(&sessions, "ada");
        let request = sessions.begin([made.as_bytes()]);
        let session = wait(request.session()).unwrap();
        ending(&sessions, &made);
        wait(sessions.end_others(&session)).unwrap();
        let headers = wait(request.finish()).unwrap();
        let lines: Vec<_> = headers.set_cookies().map(|line| line.to_str().unwrap()).collect();
        assert!(lines.is_empty(), "ending {at}: the ended session got a new cookie");
    }
}

/// E01: a logout that fails to commit for another reason has not happened, and its response is an error.
#[test]
fn a_failed_commit_ends_nothing() {
    let sessions = sessions();
    let made = signed_in(&sessions, "ada");
    let request = sessions.begin([made.as_bytes()]);
    let session = wait(request.session()).unwrap();
    session.sign_in("eve");
    session.set(NOTE, "x".repeat(5_000));
    assert!(matches!(wait(request.finish()), Err(CommitError::TooLarge { .. })));
    assert_eq!(owner(&sessions, &made).as_deref(), Some("ada"));
}

/// E01: a full memory becomes coarser and forgets no logout, of however many owners.
#[test]
fn an_overflow_of_logouts_forgets_none() {
    for limit in [0, 1, 2, 7, 64] {
        for owners in [1, 3, 200] {
            let (builder, clock) = builder();
            let sessions = builder.revocations(Revocations::with_limit(limit)).build().unwrap();
            let mut ended = Vec::new();
            for at in 0..200 {
                let made = signed_in(&sessions, &format!("owner{}", at % owners));
                assert!(is_live(&sessions, &made), "limit {limit}: sign-in {at} of {owners} owners");
                sign_out(&sessions, &made);
                ended.push(made);
                if at % 5 == 0 {
                    clock.advance(Duration::from_millis(1));
                }
            }
            assert!(ended.iter().all(|cookie| !is_live(&sessions, cookie)), "limit {limit}, {owners} owners");
        }
    }
}

/// E04: the same for endings of whole owners.
#[test]
fn an_overflow_of_ended_owners_forgets_none() {
    let (builder, clock) = builder();
    let sessions = builder.revocations(Revocations::with_limit(4)).build().unwrap();
    let cookies: Vec<_> = (0..50).map(|at| signed_in(&sessions, &format!("owner{at}"))).collect();
    for at in 0..50 {
        wait(sessions.end_owner(&format!("owner{at}"))).unwrap();
        assert!(cookies[..=at].iter().all(|cookie| !is_live(&sessions, cookie)), "after {at}");
        clock.advance(Duration::from_millis(at as u64 % 2));
    }
    assert!(is_live(&sessions, &signed_in(&sessions, "owner0")));
}

/// E01: one user who signs in and out all day coarsens his own sessions, not those of others.
#[test]
fn a_busy_owner_coarsens_his_own_sessions_only() {
    let (builder, clock) = builder();
    let sessions = builder.revocations(Revocations::with_limit(32)).build().unwrap();
    let bob = signed_in(&sessions, "bob");
    let ended = signed_in(&sessions, "carol");
    sign_out(&sessions, &ended);
    for _ in 0..500 {
        let made = signed_in(&sessions, "mallory");
        sign_out(&sessions, &made);
        clock.advance(Duration::from_millis(10));
    }
    assert!(is_live(&sessions, &bob), "bob was signed out by mallory");
    assert!(!is_live(&sessions, &ended));
}

/// E01: an anonymous flood pushes out no real logout and signs nobody out.
#[test]
fn an_anonymous_flood_touches_no_real_session() {
    let (builder, clock) = builder();
    let sessions = builder.revocations(Revocations::with_limit(8)).build().unwrap();
    let (live, ended) = (signed_in(&sessions, "ada"), signed_in(&sessions, "ada"));
    sign_out(&sessions, &ended);
    let mut flood = Vec::new();
    for at in 0..1_000_u64 {
        let visitor = cookie(&sessions, |session| session.set(COUNT, at));
        sign_out(&sessions, &visitor);
        flood.push(visitor);
        clock.advance(Duration::from_millis(at % 3));
    }
    assert!(is_live(&sessions, &live) && !is_live(&sessions, &ended));
    assert!(flood.iter().all(|visitor| !is_live(&sessions, visitor)));
    let visitor = cookie(&sessions, |session| session.set(COUNT, 1));
    assert!(is_live(&sessions, &visitor), "new visitors are welcome");
}

/// E04: coarsening never takes an owner's ending back, also when many endings fell into one millisecond.
#[test]
fn coarsening_does_not_lower_an_owners_epoch() {
    let (builder, _) = builder();
    let sessions = builder.revocations(Revocations::with_limit(2)).build().unwrap();
    let mut dead = Vec::new();
    for _ in 0..4 {
        dead.push(signed_in(&sessions, "ada"));
        wait(sessions.end_owner("ada")).unwrap();
    }
    // Signed out one by one, they fill the memory, and ada has the most endings.
    for _ in 0..3 {
        let made = signed_in(&sessions, "ada");
        sign_out(&sessions, &made);
        dead.push(made);
    }
    assert!(dead.iter().all(|cookie| !is_live(&sessions, cookie)), "an ended session came back");
}

/// D07, E04: the clock was half an hour ahead when an account was disabled, and is set right before the memory fills
/// up. What was ended stays ended.
#[test]
fn coarsening_under_a_corrected_clock_revives_nothing() {
    for limit in [2, 8] {
        for others in [false, true] {
            let (builder, clock) = builder();
            let sessions = builder.revocations(Revocations::with_limit(limit)).build().unwrap();
            let disabled = signed_in(&sessions, "ada");
            let left = signed_in(&sessions, "bob");
            wait(sessions.end_owner("ada")).unwrap();
            sign_out(&sessions, &left);
            clock.rewind(30 * MINUTE);
            for at in 0..limit * 4 {
                let name = if others { format!("owner{at}") } else { "ada".into() };
                let made = signed_in(&sessions, &name);
                visit(&sessions, &made, Session::sign_out);
            }
            clock.advance(30 * MINUTE);
            assert!(!is_live(&sessions, &disabled), "limit {limit}, others {others}: the disabled account is back");
            assert!(!is_live(&sessions, &left), "limit {limit}, others {others}: the logout was forgotten");
        }
    }
}

/// D07, E04: after a clock that was ahead is set right, an owner whose sessions were ended meanwhile can sign in at
/// once, and so can everybody after an overflow.
#[test]
fn a_corrected_clock_locks_nobody_out() {
    let (builder, clock) = builder();
    let sessions = builder.revocations(Revocations::with_limit(2)).build().unwrap();
    wait(sessions.end_owner("ada")).unwrap();
    clock.rewind(30 * MINUTE);
    assert!(is_live(&sessions, &signed_in(&sessions, "bob")));
    assert!(is_live(&sessions, &signed_in(&sessions, "ada")), "ada cannot sign in for half an hour");
}

/// A process that is being started has its parent's locks for a moment: tests that open a file again wait for that.
static STARTING: RwLock<()> = RwLock::new(());

/// On a clock near the real one: the file of revocations drops by the real time what is over.
fn kept(path: &Path) -> Result<(Sessions, Clock), BuildError> {
    let clock = Clock::manual(Clock::system().now_ms());
    let keys = Keyring::from_file(path.with_file_name("keys"))?;
    let sessions = Sessions::stateless(keys).clock(clock.clone()).revocations(Revocations::in_file(path)?).build()?;
    Ok((sessions, clock))
}

/// E01: with a file, a restart forgets nothing: no logout, no ended owner, no session ended by handle.
#[test]
fn a_restart_forgets_no_logout() {
    let _nobody_starts = STARTING.read().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/revocations");
    fs::create_dir(folder.path().join("state")).unwrap();
    let (sessions, _) = kept(&path).unwrap();
    let (out, disabled, lost, live) = (
        signed_in(&sessions, "ada"),
        signed_in(&sessions, "bob"),
        signed_in(&sessions, "carol"),
        signed_in(&sessions, "dave"),
    );
    let visitor = cookie(&sessions, |session| session.set(COUNT, 1));
    sign_out(&sessions, &out);
    sign_out(&sessions, &visitor);
    wait(sessions.end_owner("bob")).unwrap();
    wait(sessions.end(&sessions.inspect(lost.split_once('=').unwrap().1).unwrap().handle())).unwrap();
    drop(sessions);
    for restart in 0..3 {
        let (sessions, _) = kept(&path).unwrap();
        for ended in [&out, &visitor, &disabled, &lost] {
            assert!(!is_live(&sessions, ended), "restart {restart}");
        }
        assert_eq!(owner(&sessions, &live).as_deref(), Some("dave"));
        assert_eq!(owner(&sessions, &signed_in(&sessions, "bob")).as_deref(), Some("bob"));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 4);
    }
}

/// E01, F13: the file names no owner, holds nothing that opens a session, and is private.
#[test]
fn the_file_of_revocations_tells_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations");
    let (sessions, _) = kept(&path).unwrap();
    let made = signed_in(&sessions, "ada@example.com");
    sign_out(&sessions, &made);
    wait(sessions.end_owner("ada@example.com")).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains("ada@") && !text.contains(&made[15..40]));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

/// E01: a crash in the middle of a line costs that line, which was never answered for, and nothing before it; what is
/// ended afterwards is kept.
#[test]
fn a_torn_last_line_costs_nothing_that_was_answered() {
    let _nobody_starts = STARTING.read().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations");
    let (sessions, _) = kept(&path).unwrap();
    let cookies: Vec<_> = (0..3).map(|at| signed_in(&sessions, &format!("owner{at}"))).collect();
    sign_out(&sessions, &cookies[0]);
    wait(sessions.end_owner("owner1")).unwrap();
    let whole = fs::read(&path).unwrap();
    sign_out(&sessions, &cookies[2]);
    let longer = fs::read(&path).unwrap();
    drop(sessions);
    assert_eq!(longer[..whole.len()], whole);
    for length in whole.len()..longer.len() {
        fs::write(&path, &longer[..length]).unwrap();
        let (sessions, _) = kept(&path).unwrap();
        assert!(!is_live(&sessions, &cookies[0]) && !is_live(&sessions, &cookies[1]), "cut at {length}");
        sign_out(&sessions, &signed_in(&sessions, "next"));
        if is_live(&sessions, &cookies[2]) {
            sign_out(&sessions, &cookies[2]);
        }
        drop(sessions);
        let (sessions, _) = kept(&path).unwrap();
        assert!(cookies.iter().all(|cookie| !is_live(&sessions, cookie)), "cut at {length}");
    }
}

/// E01: damage anywhere else stops start-up, and the message names the line.
#[test]
fn a_damaged_line_stops_the_start() {
    let _nobody_starts = STARTING.read().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations");
    let (sessions, _) = kept(&path).unwrap();
    for at in 0..3 {
        sign_out(&sessions, &signed_in(&sessions, &format!("owner{at}")));
    }
    drop(sessions);
    let lines = fs::read_to_string(&path).unwrap();
    let lines: Vec<_> = lines.lines().collect();
    for damage in ["nonsense", "session x 1 -", "owner 12", "session", "\u{fffd}\u{0}"] {
        fs::write(&path, format!("{}\n{damage}\n{}\n", lines[0], lines[2])).unwrap();
        let error = kept(&path).err().unwrap();
        assert!(matches!(&error, BuildError::RevocationFile { why, .. } if why.contains("line 2")), "{error}");
    }
}

/// E01: a file of many thousand endings is read back whole.
#[test]
fn thousands_of_endings_are_read_back() {
    let _nobody_starts = STARTING.read().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations");
    let (sessions, _) = kept(&path).unwrap();
    let made: Vec<_> = (0..100).map(|at| signed_in(&sessions, &format!("owner{at}"))).collect();
    drop(sessions);
    let until = Clock::system().now_ms() + 86_400_000;
    let mut file = OpenOptions::new().append(true).open(&path).unwrap();
    let (sessions, _) = kept(&folder.path().join("other")).unwrap();
    for cookie in &made {
        let handle = sessions.inspect(cookie.split_once('=').unwrap().1).unwrap().handle();
        for at in 0..150 {
            let filler = format!("{}{at:05}", &handle.to_string()[..16]);
            // The last of 22 characters has four spare bits.
            writeln!(file, "session {filler}A {until} 0 {at:016x}").unwrap();
        }
        writeln!(file, "session {handle} {until} 0 nobody").unwrap();
    }
    drop((file, sessions));
    for _ in 0..2 {
        let (sessions, _) = kept(&path).unwrap();
        assert!(made.iter().all(|cookie| !is_live(&sessions, cookie)));
        assert_eq!(fs::read_to_string(&path).unwrap().lines().count(), 15_100);
    }
}

/// E01: two processes that would each know half of the endings do not both start.
#[test]
fn a_second_user_of_the_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations");
    let first = kept(&path).unwrap();
    assert!(matches!(kept(&path), Err(BuildError::RevocationFile { .. })), "in the same process");
    child("child_is_refused", &path, "exec \"$0\" \"$@\"");
    sign_out(&first.0, &signed_in(&first.0, "ada"));
    let _nobody_starts = STARTING.read().unwrap();
    drop(first);
    assert!(kept(&path).is_ok(), "the lock goes with its holder");
}

/// E08: a disk that takes no more makes the logout an error – 503 – and never "logged out"; nothing is half done.
#[test]
fn a_logout_that_cannot_be_written_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("revocations");
    let nobody_starts = STARTING.read().unwrap();
    drop(kept(&path).unwrap());
    drop(nobody_starts);
    // No file of the child may grow; its signal is ignored, so that the write fails.
    child("child_cannot_write", &path, "trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"");
    assert_eq!(fs::read(&path).unwrap(), b"");
}

const CHILD: &str = "HARDTACK_TEST_CHILD";

/// Runs one of the tests below in a process of its own.
fn child(test: &str, path: &Path, script: &str) {
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).arg(std::env::current_exe().unwrap());
    shell.args(["--exact", test, "--ignored", "--nocapture"]).env(CHILD, path);
    let starting = STARTING.write().unwrap();
    let child = shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(starting);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
#[ignore = "run by a_second_user_of_the_file_is_refused"]
fn child_is_refused() {
    let path = std::env::var_os(CHILD).unwrap();
    let error = kept(Path::new(&path)).err().unwrap();
    assert!(error.to_string().contains("another process uses it"), "{error}");
}

#[test]
#[ignore = "run by a_logout_that_cannot_be_written_is_an_error"]
fn child_cannot_write() {
    let path = std::env::var_os(CHILD).unwrap();
    let (sessions, _) = kept(Path::new(&path)).unwrap();
    let made = signed_in(&sessions, "ada");

    let request = sessions.begin([made.as_bytes()]);
    let session = wait(request.session()).unwrap();
    session.sign_out();
    let error = wait(request.finish()).unwrap_err();
    assert!(matches!(error, CommitError::Store(_)), "{error}");
    assert_eq!(error.status(), 503);

    let session = wait(sessions.begin([made.as_bytes()]).session()).unwrap();
    assert!(wait(sessions.end(&session.handle().unwrap())).is_err());
    assert!(wait(sessions.end_owner("ada")).is_err());
    assert!(wait(sessions.end_others(&session)).is_err());

    let leave = |session: Session| async move {
        session.sign_out();
        "you are logged out"
    };
    let app = Router::new().route("/", get(leave)).layer(sessions.layer());
    let reply = fetch(serve(app), "/", [&made]);
    assert_eq!((reply.status, reply.set_cookies().len(), reply.text()), (503, 0, ""));
    assert_eq!(owner(&sessions, &made).as_deref(), Some("ada"), "it was not ended, and nobody said so");
}
