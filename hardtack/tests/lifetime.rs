//! D: clocks. Deadlines are sealed and enforced by the server, whatever browsers, attackers and time servers do.
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use std::time::Duration;

use common::{NOTE, START, builder, cookie, fetch, serve, wait, who_app};
use hardtack::{Clock, CookiePolicy, Field, Key, Keyring, Lifetime, Reason, Session, Sessions};
use independent::{Plain, Seal};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const MS: Duration = Duration::from_millis(1);
const COUNT: Field<u64> = Field::new("count");

/// What one request with this cookie gets back: the `Set-Cookie` line, if any.
fn visit(sessions: &Sessions, cookie: &str, work: impl FnOnce(&Session)) -> Option<String> {
    let request = sessions.begin([cookie.as_bytes()]);
    work(&wait(request.session()).unwrap());
    let headers = wait(request.finish()).unwrap();
    let mut lines = headers.set_cookies().map(|line| line.to_str().unwrap().to_owned());
    let line = lines.next();
    assert_eq!(lines.next(), None);
    line
}

fn pair(line: &str) -> String {
    line.split(';').next().unwrap().to_owned()
}

fn is_live(sessions: &Sessions, cookie: &str) -> bool {
    wait(sessions.begin([cookie.as_bytes()]).session()).unwrap().is_live()
}

fn verdict(sessions: &Sessions, cookie: &str) -> Result<(), Reason> {
    sessions.inspect(cookie.split_once('=').unwrap().1).unwrap().verdict()
}

/// Sessions under one key, so that a policy can be replaced.
struct Shop {
    key: String,
    clock: Clock,
}

impl Shop {
    fn new() -> Self {
        Self { key: Key::generate().unwrap().to_secret_text().to_string(), clock: Clock::manual(START) }
    }

    fn with(&self, lifetime: Lifetime) -> Sessions {
        let keys = Keyring::new(Key::parse(&self.key).unwrap(), []).unwrap();
        Sessions::stateless(keys).clock(self.clock.clone()).lifetime(lifetime).build().unwrap()
    }

    fn seal(&self) -> Seal {
        Seal::new(&self.key)
    }

    /// Whether a cookie will live so long from now: asked of other sessions under the same key, whose clock
    /// is there already.
    fn lives_in(&self, lifetime: Lifetime, cookie: &str, ahead: Duration) -> bool {
        let clock = Clock::manual(self.clock.now_ms());
        clock.advance(ahead);
        let later = Self { key: self.key.clone(), clock };
        is_live(&later.with(lifetime), cookie)
    }
}

/// D01, D07: the idle deadline is enforced to the millisecond, and now == deadline is over.
#[test]
fn an_idle_session_ends_exactly_at_its_deadline() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    clock.advance(HOUR - MS);
    assert!(is_live(&sessions, &made));
    assert_eq!(verdict(&sessions, &made), Ok(()));
    clock.advance(MS);
    assert!(!is_live(&sessions, &made));
    assert_eq!(verdict(&sessions, &made), Err(Reason::Idle));
    clock.advance(MS);
    assert!(!is_live(&sessions, &made));
}

/// D02, D07: so is the absolute one, however busy the session is.
#[test]
fn a_busy_session_ends_exactly_at_its_absolute_deadline() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let mut made = cookie(&sessions, |session| session.sign_in("ada"));
    for _ in 0..47 {
        clock.advance(30 * MINUTE);
        made = visit(&sessions, &made, |_| {}).map_or(made, |line| pair(&line));
    }
    clock.advance(30 * MINUTE - MS);
    assert!(is_live(&sessions, &made));
    clock.advance(MS);
    assert!(!is_live(&sessions, &made));
    assert_eq!(verdict(&sessions, &made), Err(Reason::Absolute));
}

/// D02: ten thousand writes, renewals and changes of mind about remember-me do not move the absolute deadline.
#[test]
fn ten_thousand_renewals_do_not_outlive_the_absolute_deadline() {
    for sign_in in [true, false] {
        let (builder, clock) = builder();
        let sessions = builder.build().unwrap();
        let mut made = cookie(&sessions, |session| {
            session.keep();
            if sign_in {
                session.sign_in("ada");
            }
        });
        let mut renewals = 0;
        while is_live(&sessions, &made) {
            let line = visit(&sessions, &made, |session| match renewals % 3 {
                0 => session.update(COUNT, |n| n.unwrap_or_default() + 1),
                1 => session.renew(),
                _ => session.remember_me(renewals % 2 == 0),
            });
            made = line.map_or(made, |line| pair(&line));
            let inspection = sessions.inspect(made.split_once('=').unwrap().1).unwrap();
            assert_eq!(inspection.absolute_deadline(), START + 86_400_000);
            assert!(inspection.idle_deadline() <= inspection.absolute_deadline());
            clock.advance(Duration::from_millis(8_640));
            renewals += 1;
            assert!(renewals <= 10_000, "it lives for ever");
        }
        assert_eq!((renewals, clock.now_ms()), (10_000, START + 86_400_000));
    }
}

/// D02, D04, C04: proving a credential again starts both clocks again; using the session restarts idle only.
#[test]
fn only_signing_in_again_restarts_the_absolute_clock() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let first = cookie(&sessions, |session| session.sign_in("ada"));
    clock.advance(40 * MINUTE);
    let used = pair(&visit(&sessions, &first, |session| session.set(NOTE, "x".into())).unwrap());
    let of = |cookie: &str| {
        let inspection = sessions.inspect(cookie.split_once('=').unwrap().1).unwrap();
        (
            inspection.idle_deadline() - START,
            inspection.absolute_deadline() - START,
            inspection.authenticated_at() - START,
        )
    };
    assert_eq!(of(&used), (100 * 60_000, 86_400_000, 0));
    clock.advance(20 * MINUTE);
    let again = pair(&visit(&sessions, &used, |session| session.sign_in("ada")).unwrap());
    assert_eq!(of(&again), (120 * 60_000, 86_400_000 + 3_600_000, 3_600_000));
}

/// D02, C04: the life of a visitor does not shorten the session that the sign-in makes.
#[test]
fn the_absolute_clock_runs_from_the_sign_in_not_from_the_first_visit() {
    let (builder, clock) = builder();
    let sessions = builder.idle(DAY).build().unwrap();
    let visitor = cookie(&sessions, |session| session.set(NOTE, "cart".into()));
    clock.advance(23 * HOUR);
    let made = pair(&visit(&sessions, &visitor, |session| session.sign_in("ada")).unwrap());
    clock.advance(DAY - MS);
    assert!(is_live(&sessions, &made));
    clock.advance(MS);
    assert!(!is_live(&sessions, &made));
}

/// D06: reads do not write. The idle deadline moves on the first request after half a window, not a millisecond
/// earlier and not a second time.
#[test]
fn a_read_touches_exactly_once_per_half_window() {
    let shop = Shop::new();
    let sessions = shop.with(Lifetime::default());
    let mut made = cookie(&sessions, |session| session.sign_in("ada"));
    for _ in 0..5 {
        shop.clock.advance(30 * MINUTE - MS);
        assert_eq!(visit(&sessions, &made, |_| {}), None, "before half a window");
        shop.clock.advance(MS);
        let line = visit(&sessions, &made, |_| {}).unwrap();
        made = pair(&line);
        assert_eq!(visit(&sessions, &made, |_| {}), None, "twice in one window");
        assert!(shop.lives_in(Lifetime::default(), &made, HOUR - MS), "a touch gives a whole window");
        assert!(!shop.lives_in(Lifetime::default(), &made, HOUR));
    }
}

/// D06, A14: a thousand reads over ten hours send twenty cookies at most.
#[test]
fn a_thousand_reads_write_at_most_the_touches() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let mut made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.set(NOTE, "x".into());
    });
    let mut written = 0;
    for _ in 0..1_000 {
        clock.advance(36 * SECOND);
        let line = visit(&sessions, &made, |session| {
            assert_eq!((session.get(NOTE).as_deref(), session.owner().as_deref()), (Some("x"), Some("ada")));
        });
        if let Some(line) = line {
            made = pair(&line);
            written += 1;
        }
    }
    // Every fiftieth read is 30 minutes after the touch before it.
    assert_eq!(written, 20);
    for _ in 0..1_000 {
        assert_eq!(visit(&sessions, &made, |session| assert!(session.get(NOTE).is_some())), None);
    }
}

/// D06: the last stretch before the absolute deadline is not touched over and over: there is nothing to move.
#[test]
fn a_touch_that_cannot_move_the_deadline_sends_no_cookie() {
    let (builder, clock) = builder();
    let sessions = builder.absolute(HOUR).build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    for _ in 0..59 {
        clock.advance(MINUTE);
        assert_eq!(visit(&sessions, &made, |_| {}), None);
    }
}

/// D06, A14: two requests at once, or an older cookie, never move a deadline back.
#[test]
fn deadlines_only_grow() {
    let shop = Shop::new();
    let sessions = shop.with(Lifetime::default());
    let plain = Plain { idle_deadline: START + 3_500_000, ..Plain::of("ada", START) };
    shop.clock.rewind(30 * SECOND);
    let made = visit(&sessions, &shop.seal().cookie(&plain), |session| session.set(COUNT, 1)).unwrap();
    let after = shop.seal().open(&pair(&made));
    assert_eq!(after.last_seen, START);
    assert!(after.idle_deadline >= plain.idle_deadline, "a clock that is behind shortened the session");
}

/// D03: the cookie's attributes are the browser's affair. An expired cookie that is replayed with any attribute,
/// as an attacker would keep it, is nobody, over HTTP.
#[test]
fn max_age_is_never_trusted() {
    let (builder, clock) = builder();
    let sessions = builder.cookie(CookiePolicy::host("session").persistent()).build().unwrap();
    let server = serve(who_app(&sessions));
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    assert_eq!(fetch(server, "/", [&made]).text(), "ada");
    clock.advance(HOUR);
    for attributes in ["", "; Max-Age=34560000", "; Expires=Fri, 31 Dec 9999 23:59:59 GMT; Path=/"] {
        let reply = fetch(server, "/", [format!("{made}{attributes}")]);
        assert_eq!(reply.text(), "nobody");
        assert!(reply.one("set-cookie").contains("Max-Age=0"), "an expired cookie is removed");
    }
}

/// D08: an expired session stays expired, with nothing to collect it, for as long as clocks run.
#[test]
fn an_expired_session_is_never_returned_again() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    clock.advance(HOUR);
    for step in [MS, SECOND, HOUR, DAY, 400 * DAY, 4_000 * 400 * DAY, Duration::MAX] {
        assert!(!is_live(&sessions, &made));
        clock.advance(step);
    }
    assert!(!is_live(&sessions, &made));
}

/// D09: the default is a cookie that ends with the browser; only who asks to be remembered gets another.
#[test]
fn a_cookie_ends_with_the_browser_unless_remembered() {
    let (builder, _) = builder();
    let sessions = builder.remember_me(30 * DAY).build().unwrap();
    let short = visit(&sessions, "", |session| session.sign_in("ada")).unwrap();
    assert!(!short.contains("Max-Age") && !short.contains("Expires"), "{short}");
    let long = visit(&sessions, "", |session| {
        session.sign_in("ada");
        session.remember_me(true);
    })
    .unwrap();
    assert!(long.ends_with("; Max-Age=2592000"), "{long}");
    let back = visit(&sessions, &pair(&long), |session| session.remember_me(false)).unwrap();
    assert!(!back.contains("Max-Age"), "{back}");
}

/// D09, D02: remember-me is 30 days from the sign-in, is kept by touches and by writes, and ends.
#[test]
fn a_remembered_session_lives_its_time_and_no_longer() {
    let (builder, clock) = builder();
    let sessions = builder.remember_me(30 * DAY).build().unwrap();
    let mut made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.remember_me(true);
    });
    for day in 1..30 {
        clock.advance(DAY);
        let line = visit(&sessions, &made, |session| session.set(COUNT, day)).unwrap();
        assert!(line.ends_with(&format!("; Max-Age={}", (30 - day) * 86_400)), "{line}");
        made = pair(&line);
    }
    clock.advance(DAY - MS);
    assert!(is_live(&sessions, &made));
    clock.advance(MS);
    assert!(!is_live(&sessions, &made));
}

/// D09: taking remember-me back makes the session as short as any other, counted from its sign-in.
#[test]
fn taking_remember_me_back_shortens_the_session() {
    let (builder, clock) = builder();
    let sessions = builder.remember_me(30 * DAY).build().unwrap();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.remember_me(true);
    });
    clock.advance(23 * HOUR + 30 * MINUTE);
    let back = pair(&visit(&sessions, &made, |session| session.remember_me(false)).unwrap());
    clock.advance(30 * MINUTE - MS);
    assert!(is_live(&sessions, &back));
    clock.advance(MS);
    assert_eq!(verdict(&sessions, &back), Err(Reason::Absolute));
}

/// D09: without a policy for it, `remember_me` lengthens nothing but the cookie.
#[test]
fn remember_me_without_a_policy_lengthens_nothing() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let line = visit(&sessions, "", |session| {
        session.sign_in("ada");
        session.remember_me(true);
    })
    .unwrap();
    assert!(line.ends_with("; Max-Age=86400"), "{line}");
    clock.advance(HOUR);
    assert!(!is_live(&sessions, &pair(&line)));
}

/// A10, D03: `Max-Age` follows the absolute deadline, never the idle one, and never says more than is left.
#[test]
fn max_age_follows_the_absolute_deadline() {
    let (builder, clock) = builder();
    let sessions = builder.cookie(CookiePolicy::host("session").persistent()).build().unwrap();
    let first = visit(&sessions, "", |session| session.sign_in("ada")).unwrap();
    assert!(first.ends_with("; Max-Age=86400"), "{first}");
    clock.advance(45 * MINUTE);
    let second = visit(&sessions, &pair(&first), |_| {}).unwrap();
    assert!(second.ends_with("; Max-Age=83700"), "{second}");
}

fn refused(lifetime: Lifetime) -> bool {
    Sessions::stateless(Keyring::ephemeral().unwrap()).lifetime(lifetime).build().is_err()
}

/// D04: the presets are those of NIST SP 800-63B-4, shorter is allowed, and a second more does not build.
#[test]
fn a_preset_cannot_be_exceeded() {
    for (preset, idle, absolute) in [
        (Lifetime::aal1 as fn() -> Lifetime, 30 * DAY, 30 * DAY),
        (Lifetime::aal2, HOUR, DAY),
        (Lifetime::aal3, 15 * MINUTE, 12 * HOUR),
    ] {
        assert!(!refused(preset()));
        assert!(!refused(preset().idle(idle / 2).absolute(absolute / 2)));
        assert!(!refused(preset().idle(idle).absolute(absolute)));
        assert!(refused(preset().idle(idle + SECOND).absolute(absolute.max(idle + SECOND))));
        assert!(refused(preset().absolute(absolute + SECOND)));
        assert!(refused(preset().remember_me(absolute + SECOND)));
    }
    assert!(!refused(Lifetime::aal1().remember_me(30 * DAY)));
    assert!(!refused(Lifetime::aal2().remember_me(DAY)));
    assert!(refused(Lifetime::aal3().remember_me(12 * HOUR)), "level 3 remembers nobody");
    assert!(refused(Lifetime::aal3().remember_me(DAY)));
}

/// D04: what builds is what is enforced.
#[test]
fn the_presets_end_sessions_when_they_say() {
    for (lifetime, idle, absolute) in [
        (Lifetime::aal1(), 30 * DAY, 30 * DAY),
        (Lifetime::aal2(), HOUR, DAY),
        (Lifetime::aal3(), 15 * MINUTE, 12 * HOUR),
    ] {
        let shop = Shop::new();
        let sessions = shop.with(lifetime.clone());
        let mut made = cookie(&sessions, |session| session.sign_in("ada"));
        assert!(shop.lives_in(lifetime.clone(), &made, idle - MS));
        assert!(!shop.lives_in(lifetime.clone(), &made, idle));
        let mut age = Duration::ZERO;
        while age + (idle - MS) < absolute {
            shop.clock.advance(idle - MS);
            age += idle - MS;
            made = pair(&visit(&sessions, &made, |session| session.set(COUNT, age.as_secs())).unwrap());
        }
        assert!(shop.lives_in(lifetime.clone(), &made, absolute - age - MS));
        assert!(!shop.lives_in(lifetime, &made, absolute - age));
    }
}

/// D04: remembering somebody at level 2 does not switch its idle timeout of an hour off.
#[test]
fn remember_me_does_not_stretch_the_idle_timeout_of_a_preset() {
    let (builder, clock) = builder();
    let sessions = builder.lifetime(Lifetime::aal2().remember_me(DAY)).build().unwrap();
    let made = cookie(&sessions, |session| {
        session.sign_in("ada");
        session.remember_me(true);
    });
    clock.advance(HOUR);
    assert!(!is_live(&sessions, &made));
}

/// D04, D09: timeouts that contradict each other stop start-up; the message says which and what to write.
#[test]
fn impossible_timeouts_do_not_build() {
    let base = Lifetime::default;
    for lifetime in [
        base().idle(Duration::ZERO),
        base().idle(999 * MS),
        base().idle(DAY + MS),
        base().absolute(HOUR - MS),
        base().absolute(Duration::ZERO),
        base().absolute(400 * DAY + SECOND),
        base().absolute(Duration::MAX),
        base().idle(Duration::MAX),
        base().remember_me(DAY - MS),
        base().remember_me(400 * DAY + SECOND),
        base().remember_me(Duration::ZERO),
        base().skew(HOUR + MS),
        base().skew(Duration::MAX),
    ] {
        assert!(refused(lifetime.clone()), "{lifetime:?}");
    }
    for lifetime in [
        base().idle(SECOND).absolute(SECOND),
        base().absolute(400 * DAY).idle(400 * DAY),
        base().remember_me(DAY),
        base().remember_me(400 * DAY),
        base().skew(Duration::ZERO),
        base().skew(HOUR),
    ] {
        assert!(!refused(lifetime.clone()), "{lifetime:?}");
    }
    let error = Sessions::stateless(Keyring::ephemeral().unwrap()).idle(2 * DAY).build().err().unwrap();
    assert!(error.to_string().contains("idle is at least 1 second and at most absolute"), "{error}");
}

/// D07: a session from further ahead than clocks may differ is refused, one from within is not.
#[test]
fn a_session_from_the_future_is_refused() {
    let shop = Shop::new();
    let sessions = shop.with(Lifetime::default().skew(MINUTE));
    let strict = shop.with(Lifetime::default().skew(Duration::ZERO));
    for (ahead, live) in [(0, true), (60_000, true), (60_001, false), (365 * 86_400_000, false)] {
        let made = shop.seal().cookie(&Plain::of("ada", START + ahead));
        assert_eq!(is_live(&sessions, &made), live, "{ahead} ms");
        assert_eq!(is_live(&strict, &made), ahead == 0, "{ahead} ms");
    }
    let base = Plain::of("ada", START);
    let ahead = START + 60_001;
    for plain in [
        Plain { created: ahead, ..base.clone() },
        Plain { authenticated: ahead, ..base.clone() },
        Plain { last_seen: ahead, ..base.clone() },
    ] {
        assert_eq!(verdict(&sessions, &shop.seal().cookie(&plain)), Err(Reason::FromTheFuture));
    }
}

/// D07: a clock that is set back by a year and forward again panics nothing and brings nothing to life.
#[test]
fn a_clock_that_jumps_by_a_year_revives_nothing() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let live = cookie(&sessions, |session| session.sign_in("ada"));
    let ended = cookie(&sessions, |session| session.sign_in("bob"));
    visit(&sessions, &ended, Session::sign_out);
    let year = 365 * DAY;
    clock.rewind(year);
    assert!(!is_live(&sessions, &live), "it comes from the future now");
    assert!(!is_live(&sessions, &ended));
    clock.advance(year);
    assert!(is_live(&sessions, &live));
    assert!(!is_live(&sessions, &ended));
    clock.advance(year);
    assert!(!is_live(&sessions, &live));
    for back in [MINUTE, 30 * MINUTE, HOUR, DAY, year] {
        clock.rewind(back);
        assert!(!is_live(&sessions, &ended), "after {back:?} back");
        clock.advance(back);
    }
}

/// D07: time servers correct clocks by seconds. A session whose end a visitor has seen does not come back.
#[test]
fn a_clock_set_back_a_little_does_not_revive_what_was_seen_to_expire() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let made = cookie(&sessions, |session| session.sign_in("ada"));
    clock.advance(HOUR);
    assert!(!is_live(&sessions, &made));
    clock.rewind(SECOND);
    assert!(!is_live(&sessions, &made));
}

/// D07: no clock and no sealed time, however extreme, overflows or panics; and none makes a session immortal.
#[test]
fn the_extremes_of_time_never_panic_and_never_make_immortal() {
    const LAST: u64 = (1 << 48) - 1;
    let times = [0, 1, 60_000, START, LAST - 1, LAST, u64::MAX - 1, u64::MAX, 1 << 63, (1 << 63) - 1];
    for now in times {
        let shop = Shop { clock: Clock::manual(now), ..Shop::new() };
        assert!(shop.clock.now_ms() <= LAST);
        let sessions = shop.with(Lifetime::default().remember_me(400 * DAY));
        let made = cookie(&sessions, |session| {
            session.sign_in("ada");
            session.remember_me(true);
        });
        visit(&sessions, &made, |session| {
            let _ = (session.expires_in(), session.is_fresh(Duration::MAX), session.is_fresh(Duration::ZERO));
            session.set(COUNT, 1);
        });
        for sealed in times {
            let plain = Plain { created: sealed, authenticated: LAST & sealed, ..Plain::of("ada", START) };
            for plain in [
                Plain { last_seen: sealed, ..plain.clone() },
                Plain { idle_deadline: sealed, absolute_deadline: u64::MAX, ..plain.clone() },
                Plain { idle_deadline: u64::MAX, absolute_deadline: u64::MAX, epoch: sealed, version: sealed, ..plain },
            ] {
                let made = shop.seal().cookie(&plain);
                visit(&sessions, &made, |session| {
                    let left = session.expires_in().unwrap_or_default();
                    assert!(left <= 400 * DAY + HOUR, "{left:?} left at {now} of {plain:?}");
                });
            }
        }
        wait(sessions.end_owner("ada")).unwrap();
        visit(&sessions, &made, Session::sign_out);
        shop.clock.advance(Duration::MAX);
        assert!(!is_live(&sessions, &made));
        shop.clock.rewind(Duration::MAX);
        assert!(!is_live(&sessions, &made), "signed out");
    }
}

/// D07: a shorter policy acts at once, on cookies that were sealed before it.
#[test]
fn a_shortened_policy_acts_at_once() {
    let shop = Shop::new();
    let long = shop.with(Lifetime::default());
    let made = cookie(&long, |session| session.sign_in("ada"));
    shop.clock.advance(10 * MINUTE);
    let brief = shop.with(Lifetime::default().idle(10 * MINUTE));
    assert_eq!(verdict(&brief, &made), Err(Reason::Idle));
    assert!(is_live(&long, &made) && !is_live(&brief, &made));
    let short = shop.with(Lifetime::default().absolute(10 * MINUTE).idle(10 * MINUTE));
    assert_eq!(verdict(&short, &made), Err(Reason::Absolute));
    let enough = shop.with(Lifetime::default().idle(10 * MINUTE + MS));
    assert!(is_live(&enough, &made));
}

/// D07: the end of remember-me in the policy ends the long sessions too.
#[test]
fn taking_remember_me_out_of_the_policy_acts_at_once() {
    let shop = Shop::new();
    let generous = shop.with(Lifetime::default().remember_me(30 * DAY));
    let made = cookie(&generous, |session| {
        session.sign_in("ada");
        session.remember_me(true);
    });
    shop.clock.advance(2 * DAY);
    assert!(is_live(&generous, &made));
    assert!(!is_live(&shop.with(Lifetime::default()), &made));
}

/// D07: a longer policy revives no session, neither by reading nor by writing it.
#[test]
fn a_lengthened_policy_revives_nothing() {
    let shop = Shop::new();
    let short = shop.with(Lifetime::default().idle(10 * MINUTE).absolute(HOUR));
    let made = cookie(&short, |session| session.sign_in("ada"));
    let long = shop.with(Lifetime::default().idle(DAY).absolute(400 * DAY).remember_me(400 * DAY));
    let lengthened = Lifetime::default().idle(DAY).absolute(400 * DAY);
    assert!(shop.lives_in(lengthened.clone(), &made, 10 * MINUTE - MS));
    assert!(!shop.lives_in(lengthened, &made, 10 * MINUTE));
    shop.clock.advance(9 * MINUTE);
    let written = pair(&visit(&long, &made, |session| session.set(COUNT, 1)).unwrap());
    assert_eq!(shop.seal().open(&written).absolute_deadline, START + 3_600_000, "a write moved the absolute deadline");
    shop.clock.advance(51 * MINUTE);
    assert_eq!(verdict(&long, &written), Err(Reason::Absolute));
}

/// D05: fresh means that a credential was proved within the window; using the session does not freshen it.
#[test]
fn only_a_recent_sign_in_is_fresh() {
    let (builder, clock) = builder();
    let sessions = builder.build().unwrap();
    let visitor = cookie(&sessions, |session| session.set(COUNT, 0));
    visit(&sessions, &visitor, |session| assert!(!session.is_fresh(DAY)));
    let mut made = cookie(&sessions, |session| session.sign_in("ada"));
    for _ in 0..9 {
        clock.advance(MINUTE);
        made = pair(
            &visit(&sessions, &made, |session| {
                assert!(session.is_fresh(10 * MINUTE));
                session.update(COUNT, |n| n.unwrap_or_default() + 1);
            })
            .unwrap(),
        );
    }
    clock.advance(MINUTE - MS);
    visit(&sessions, &made, |session| assert!(session.is_fresh(10 * MINUTE)));
    clock.advance(MS);
    let again = visit(&sessions, &made, |session| {
        assert!(!session.is_fresh(10 * MINUTE) && session.is_fresh(10 * MINUTE + MS));
        session.sign_in("ada");
        assert!(session.is_fresh(10 * MINUTE));
    });
    visit(&sessions, &pair(&again.unwrap()), |session| assert!(session.is_fresh(SECOND)));
}

/// D01, D02: what `expires_in` says is when it ends.
#[test]
fn expires_in_is_the_truth() {
    let shop = Shop::new();
    let lifetime = Lifetime::default().absolute(90 * MINUTE);
    let sessions = shop.with(lifetime.clone());
    visit(&sessions, "", |session| assert_eq!(session.expires_in(), None));
    let mut made = cookie(&sessions, |session| session.sign_in("ada"));
    let mut ends = Vec::new();
    for step in [10, 25, 30, 5] {
        shop.clock.advance(step * MINUTE);
        let mut left = Duration::ZERO;
        let line = visit(&sessions, &made, |session| left = session.expires_in().unwrap());
        assert!(shop.lives_in(lifetime.clone(), &made, left - MS));
        assert!(!shop.lives_in(lifetime.clone(), &made, left));
        ends.push(left.as_secs() / 60);
        made = line.map_or(made, |line| pair(&line));
    }
    assert_eq!(ends, [50, 25, 25, 20]);
}
