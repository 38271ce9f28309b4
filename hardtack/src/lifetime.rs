//! How long a session lives. Its deadlines are sealed into it and enforced by the server; the cookie's
//! own `Max-Age` is never trusted (D03).
//!
//! - **idle**: since the last request that used the session. It moves at most once per half window, so
//!   that reads do not write (D06); it only grows, and the absolute deadline caps it.
//! - **absolute**: since the session was made, then since the password was proved. Neither activity nor
//!   writing moves it (D02).
//!
//! - **renewal**: a new generation of the same session every so often (D10). Off unless asked for.
//!
//! What counts is the earlier of the sealed deadline and today's policy: shortening a timeout acts at
//! once, lengthening one revives nothing. `now == deadline` is expired (D07).

use std::time::Duration;

use crate::{
    clock::{MAX_MS, millis},
    cookie::set_cookie::MAX_AGE_SECONDS,
    error::BuildError,
    events::Reason,
    record::{Header, Kind},
};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// The timeouts of sessions. Build one from [`Lifetime::default`] or a preset, and change what differs.
///
/// | | idle | absolute | remember-me |
/// |---|---|---|---|
/// | default | 1 hour | 24 hours | off |
/// | [`aal1`](Self::aal1) | 30 days | 30 days | up to 30 days |
/// | [`aal2`](Self::aal2) | 1 hour | 24 hours | up to 24 hours |
/// | [`aal3`](Self::aal3) | 15 minutes | 12 hours | not allowed |
///
/// The presets are those of NIST SP 800-63B-4 (D04): what exceeds them does not build.
#[derive(Clone, Debug)]
pub struct Lifetime {
    idle: Duration,
    absolute: Duration,
    remember: Option<Duration>,
    renewal: Option<Duration>,
    skew: Duration,
    preset: Option<Preset>,
}

#[derive(Clone, Copy, Debug)]
struct Preset {
    name: &'static str,
    idle: Duration,
    absolute: Duration,
    remember: Duration,
}

impl Lifetime {
    const fn preset(preset: Preset) -> Self {
        Self { preset: Some(preset), idle: preset.idle, absolute: preset.absolute, ..Self::standard() }
    }

    const fn standard() -> Self {
        Self {
            idle: Duration::from_secs(HOUR),
            absolute: Duration::from_secs(DAY),
            remember: None,
            renewal: None,
            skew: Duration::from_secs(120),
            preset: None,
        }
    }

    /// NIST authentication assurance level 1: 30 days, without a shorter idle timeout.
    pub const fn aal1() -> Self {
        let month = Duration::from_secs(30 * DAY);
        Self::preset(Preset { name: "aal1", idle: month, absolute: month, remember: month })
    }

    /// NIST authentication assurance level 2: 24 hours, 1 hour idle.
    pub const fn aal2() -> Self {
        let day = Duration::from_secs(DAY);
        Self::preset(Preset { name: "aal2", idle: Duration::from_secs(HOUR), absolute: day, remember: day })
    }

    /// NIST authentication assurance level 3: 12 hours, 15 minutes idle.
    pub const fn aal3() -> Self {
        let quarter = Duration::from_secs(HOUR / 4);
        let half_day = Duration::from_secs(12 * HOUR);
        Self::preset(Preset { name: "aal3", idle: quarter, absolute: half_day, remember: Duration::ZERO })
    }

    /// Ends a session that was not used for so long. Default 1 hour; 1 second to the absolute timeout.
    pub const fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Ends a session so long after it was made or its owner signed in. Default 24 hours; 1 second to
    /// 400 days, the longest that browsers keep a cookie.
    pub const fn absolute(mut self, absolute: Duration) -> Self {
        self.absolute = absolute;
        self
    }

    /// Lets [`Session::remember_me`](crate::Session::remember_me) choose so long an idle and absolute
    /// timeout for one session; a preset's idle timeout still counts. Off by default (D09); from the absolute timeout to 400 days.
    pub const fn remember_me(mut self, remember: Duration) -> Self {
        self.remember = Some(remember);
        self
    }

    /// Renews a session every so often (D10): the next response carries a cookie of a new generation. Off
    /// by default; from 1 minute.
    ///
    /// In the stateless placement nothing remembers which generations were used, so an older cookie of
    /// the session still opens: renewal moves the session to the active key and no more. Reuse is
    /// detected only where a store keeps the generation.
    pub const fn renewal(mut self, every: Duration) -> Self {
        self.renewal = Some(every);
        self
    }

    /// How far the clocks of two servers may be apart: a session that seems to come from further in the
    /// future is refused (D07). Default 2 minutes; at most 1 hour.
    pub const fn skew(mut self, skew: Duration) -> Self {
        self.skew = skew;
        self
    }

    pub(crate) fn validate(&self) -> Result<(), BuildError> {
        let refuse = |why: String| Err(BuildError::Lifetime { why });
        let longest = Duration::from_secs(MAX_AGE_SECONDS);
        if self.idle < Duration::from_secs(1) || self.idle > self.absolute {
            return refuse(format!(
                "idle is {:?} and absolute {:?}; idle is at least 1 second and at most absolute",
                self.idle, self.absolute
            ));
        }
        if self.absolute > longest {
            return refuse("absolute is at most 400 days, the longest that browsers keep a cookie".into());
        }
        if let Some(remember) = self.remember
            && (remember < self.absolute || remember > longest)
        {
            return refuse(format!("remember_me is {remember:?}; it is at least absolute and at most 400 days"));
        }
        if self.renewal.is_some_and(|every| every < Duration::from_secs(60)) {
            return refuse("renewal is at least 1 minute; shorter ones only cost".into());
        }
        if self.skew > Duration::from_secs(HOUR) {
            return refuse("skew is at most 1 hour; set the servers' clocks instead".into());
        }
        if let Some(Preset { name, idle, absolute, remember }) = self.preset
            && (self.idle > idle || self.absolute > absolute || self.remember.is_some_and(|wanted| wanted > remember))
        {
            return refuse(format!(
                "{name} allows {idle:?} idle, {absolute:?} absolute and {remember:?} remembered; shorten them or use Lifetime::default()"
            ));
        }
        Ok(())
    }

    /// Judges the clocks of an authentic header.
    pub(crate) fn check(&self, header: &Header, now: u64) -> Result<(), Reason> {
        self.check_absolute(header, now)?;
        if now >= self.idle_deadline(header) { Err(Reason::Idle) } else { Ok(()) }
    }

    /// As [`check`](Self::check), for an envelope that does not know when its session was last used.
    pub(crate) fn check_absolute(&self, header: &Header, now: u64) -> Result<(), Reason> {
        let latest = now.saturating_add(millis(self.skew));
        if [header.created, header.authenticated, header.last_seen].into_iter().any(|time| time > latest) {
            return Err(Reason::FromTheFuture);
        }
        if now >= self.absolute_deadline(header) {
            return Err(Reason::Absolute);
        }
        Ok(())
    }

    /// When the session ends for being idle, judged now.
    pub(crate) fn idle_deadline(&self, header: &Header) -> u64 {
        header.idle_deadline.min(header.last_seen.saturating_add(millis(self.idle_of(header))))
    }

    /// When the session ends whatever happens, judged now.
    pub(crate) fn absolute_deadline(&self, header: &Header) -> u64 {
        header.absolute_deadline.min(header.anchor().saturating_add(millis(self.absolute_of(header))))
    }

    /// Sets both deadlines of a new or newly authenticated session.
    pub(crate) fn begin(&self, header: &mut Header, now: u64) {
        header.absolute_deadline = header.anchor().saturating_add(millis(self.absolute_of(header))).min(MAX_MS);
        header.idle_deadline = 0;
        self.touch(header, now);
    }

    /// Moves the idle deadline to a whole window from now.
    pub(crate) fn touch(&self, header: &mut Header, now: u64) {
        header.absolute_deadline = self.absolute_deadline(header);
        header.last_seen = header.last_seen.max(now);
        header.idle_deadline = self.moved(header, now);
    }

    /// Whether so much of the idle window has passed that a read should move its deadline.
    pub(crate) fn touch_is_due(&self, header: &Header, now: u64) -> bool {
        now.saturating_sub(header.last_seen) >= millis(self.idle_of(header)) / 2
            && self.moved(header, now) > self.idle_deadline(header)
    }

    /// The generation that the session should have by now, when it is behind.
    pub(crate) fn next_generation(&self, header: &Header, now: u64) -> Option<u32> {
        let every = millis(self.renewal?);
        if header.kind == Kind::Stored {
            let since = now.saturating_sub(header.created.max(header.renewed));
            return (since >= every).then(|| header.generation.saturating_add(1));
        }
        let due = u32::try_from(now.saturating_sub(header.created) / every).unwrap_or(u32::MAX);
        (due > header.generation).then_some(due)
    }

    /// The longest that any session of this policy can live: how long its ending must be remembered.
    pub(crate) fn longest(&self) -> u64 {
        millis(self.absolute.max(self.remember.unwrap_or_default())).saturating_add(millis(self.skew))
    }

    fn moved(&self, header: &Header, now: u64) -> u64 {
        let window = now.saturating_add(millis(self.idle_of(header)));
        window.max(header.idle_deadline).min(self.absolute_deadline(header))
    }

    /// Whether sessions get new generations.
    pub(crate) fn renews(&self) -> bool {
        self.renewal.is_some()
    }

    pub(crate) fn skew_ms(&self) -> u64 {
        millis(self.skew)
    }

    /// Remembering does not switch the idle timeout of a preset off.
    fn idle_of(&self, header: &Header) -> Duration {
        let remembered = self.remember.filter(|_| header.remembered);
        let longest = self.preset.map_or(Duration::MAX, |preset| preset.idle);
        remembered.map_or(self.idle, |remembered| remembered.min(longest))
    }

    fn absolute_of(&self, header: &Header) -> Duration {
        self.remember.filter(|_| header.remembered).unwrap_or(self.absolute)
    }
}

impl Default for Lifetime {
    fn default() -> Self {
        Self::standard()
    }
}
