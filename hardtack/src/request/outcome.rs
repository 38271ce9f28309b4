//! What the response must do about its session, decided once.

use http::HeaderValue;

use crate::{
    cookie::{SessionHeaders, set_cookie::MAX_NAME_VALUE},
    envelope,
    error::{CommitError, StoreError},
    events::{self, Reason},
    fields::Fields,
    foreign::Guest,
    record::{Header, Kind, Record},
    request::{
        Jar,
        commit::{Plan, Write},
        state::State,
    },
    system::System,
};

/// What a request did to its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// Nothing, or nothing that the cookie must know of.
    Untouched,
    /// Its idle deadline moved.
    Touched,
    /// Its data changed.
    Saved,
    /// It has a new id, because somebody signed in, or a new generation.
    Renewed,
    /// It is over.
    Ended,
}

/// What happens to the cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    Leave,
    Write,
    Remove,
}

/// What was decided: done, or still to be done in the store.
pub(crate) enum Decision {
    Done(Outcome, SessionHeaders),
    Store(Box<Plan>),
}

impl Decision {
    pub(crate) fn nothing(headers: SessionHeaders) -> Self {
        Self::Done(Outcome::Untouched, headers)
    }
}

/// Decides. A cookie that needs nobody else is written at once.
pub(crate) fn decide(system: &System, state: &mut State) -> Result<Decision, CommitError> {
    let headers = SessionHeaders { accessed: state.asked, ..SessionHeaders::default() };
    if !state.asked || state.discarded {
        return Ok(Decision::nothing(headers));
    }
    if let Some(error) = state.poison.take() {
        return Err(error);
    }
    if state.refused == Some(Reason::Superseded) && !state.changes.identity {
        if state.changes.any() {
            events::held_back();
        }
        return Ok(Decision::nothing(headers));
    }
    // A request that changes nothing is judged by the time at which it asked.
    let now = if state.changes.any() { system.now() } else { state.asked_at };
    if let Some(record) = state.record.as_ref().filter(|_| !state.outdated && (!state.peeks || state.changes.any()))
        && let Some(generation) = system.lifetime.next_generation(&record.header, now)
    {
        state.renew(system, generation, now);
    }
    let write = write(system, state, now);
    let cookie = cookie(system, state, write, now);
    if (cookie == Cookie::Write || write != Write::Nothing) && lost_to_an_ending(system, state) {
        return Ok(Decision::Done(Outcome::Ended, headers));
    }
    let outcome = match &state.changes {
        changes if changes.identity && state.record.is_none() => Outcome::Ended,
        _ if state.record.is_none() => Outcome::Untouched,
        changes if changes.identity || changes.renewed => Outcome::Renewed,
        changes if changes.record => Outcome::Saved,
        _ if cookie == Cookie::Write || write == Write::Touch => Outcome::Touched,
        _ => Outcome::Untouched,
    };
    let others = remove_others(system, state, cookie, now)?;
    let headers = SessionHeaders { others, ..headers };
    let row_ends = state.changes.ended.as_ref().is_some_and(|_| state.came_from_the_store());
    let is_stored = state.record.as_ref().is_some_and(|record| record.header.kind == Kind::Stored);
    if let Some(record) = state.record.as_mut().filter(|_| cookie == Cookie::Write && !is_stored) {
        system.lifetime.touch(&mut record.header, now);
    }
    if write != Write::Nothing || state.changes.identity || is_stored && cookie == Cookie::Write {
        return Ok(Decision::Store(Box::new(Plan {
            ended: state.changes.ended.as_ref().map(|ended| (ended.header.clone(), row_ends)),
            write,
            record: state.record.clone(),
            writes: state.stored().cloned().unwrap_or_default(),
            log: std::mem::take(&mut state.changes.log),
            prepared: state.prepared,
            guest: state.origin.as_ref().and_then(|origin| origin.guest.clone()),
            outcome,
            cookie,
            headers,
            jar: state.jar,
            now,
        })));
    }
    let guest = state.origin.as_ref().filter(|_| state.is_of_origin()).and_then(|origin| origin.guest.as_deref());
    let headers = respond(system, state.jar, cookie, state.record.as_ref(), guest, headers, now)?;
    Ok(Decision::Done(outcome, headers))
}

/// What happens to the session's row.
fn write(system: &System, state: &State, now: u64) -> Write {
    let Some(record) = state.record.as_ref().filter(|record| record.header.kind == Kind::Stored) else {
        return Write::Nothing;
    };
    if state.stored().is_none() {
        return Write::Create { known: state.is_of_origin() };
    }
    match &state.changes {
        changes if changes.any() => Write::Replace,
        _ if !state.peeks && system.touch_is_due(&record.header, now) => Write::Touch,
        _ => Write::Nothing,
    }
}

/// What happens to the cookie. A session in the store needs another one only when something in it changes, which in a
/// copy is everything.
fn cookie(system: &System, state: &State, write: Write, now: u64) -> Cookie {
    let origin = state.origin.as_ref().filter(|_| state.is_of_origin());
    let stale = state.by_previous_name || origin.is_some_and(|origin| origin.stale);
    let changes = &state.changes;
    let writes = match &state.record {
        // Nobody gets a newer cookie for one that only looks, or that may be a thief's.
        Some(_) if state.is_of_origin() && (state.outdated || state.peeks && !changes.any()) => false,
        Some(record) if record.header.kind == Kind::Stored => match write {
            Write::Create { .. } => true,
            Write::Nothing => stale,
            Write::Touch | Write::Replace => {
                let is_copied = origin.is_some_and(|origin| origin.copied) || copy_fits(system, state.jar, record);
                let retired = origin.is_some_and(|origin| origin.retired);
                let guest = origin.and_then(|origin| origin.guest.as_deref());
                let resent =
                    system.sharing.as_ref().is_some_and(|sharing| sharing.resends(guest, write == Write::Replace));
                stale || changes.renewed || changes.lasting || retired || is_copied || resent
            }
        },
        Some(record) => stale || changes.any() || system.lifetime.touch_is_due(&record.header, now),
        None => false,
    };
    let removes = if changes.identity {
        state.presented
    } else {
        // Not for one that has ended: the answer to a request that was under way during a sign-in must not
        // remove the new cookie. And a foreign one that we do not know may be good to the other fleet.
        let is_ours = system.emission.is_none() && system.sharing.is_none();
        is_ours && state.refused.is_some_and(|reason| !reason.keeps_the_cookie())
    };
    match state.record {
        Some(_) if writes => Cookie::Write,
        None if removes => Cookie::Remove,
        _ => Cookie::Leave,
    }
}

/// Removes the cookies that ours takes the place of: under its previous name, or foreign ones.
fn remove_others(system: &System, state: &State, cookie: Cookie, now: u64) -> Result<Vec<HeaderValue>, CommitError> {
    let mut lines = Vec::new();
    let moves = cookie != Cookie::Leave || state.changes.identity;
    if let Some(site) = system.previous(now).filter(|_| moves && state.by_previous_name) {
        lines.push(header(site.writer.remove())?);
    }
    if let Some(acceptance) = system.acceptance.as_ref().filter(|_| moves) {
        lines.extend(acceptance.remove(state.jar.foreign)?);
    }
    Ok(lines)
}

/// An ending wins over every request that was under way: nothing is written, no cookie is sent. Rows are
/// the store's to judge.
fn lost_to_an_ending(system: &System, state: &State) -> bool {
    let Some(record) = state.record.as_ref().filter(|_| state.is_of_origin() && !state.came_from_the_store()) else {
        return false;
    };
    let over = system.revocations.has_ended(&record.header);
    if over && state.changes.any() {
        events::lost_to_an_ending(record.header.handle);
    }
    over
}

/// Writes the headers. `guest` is what of the other fleet the cookie is for: the one that is written, or removed.
pub(crate) fn respond(
    system: &System,
    jar: Jar,
    cookie: Cookie,
    record: Option<&Record>,
    guest: Option<&Guest>,
    headers: SessionHeaders,
    now: u64,
) -> Result<SessionHeaders, CommitError> {
    let site = system.site(jar.loopback);
    if system.emission.is_some() || system.sharing.is_some() {
        let others = match (cookie, record, &system.emission, &system.sharing) {
            (Cookie::Write, Some(record), Some(emission), _) => {
                emission.set(&site.writer, jar.foreign, record, guest, now)?
            }
            (Cookie::Remove, _, Some(emission), _) => emission.remove(&site.writer, jar.foreign)?,
            (Cookie::Write, Some(_), _, Some(sharing)) => sharing.set(guest)?,
            (Cookie::Remove, _, _, Some(sharing)) => sharing.remove(guest, jar)?,
            _ => Vec::new(),
        };
        return Ok(SessionHeaders { others, ..headers });
    }
    let set_cookie = match (cookie, record) {
        (Cookie::Write, Some(record)) => Some(set_cookie(system, jar, record, now)?),
        (Cookie::Remove, _) => Some(header(site.writer.remove())?),
        _ => None,
    };
    Ok(SessionHeaders { set_cookie, ..headers })
}

/// Remembers that a session without a row has ended, because of a sign-out or of the session in its place.
pub(crate) async fn end(
    system: &System,
    ended: &Header,
    successor: Option<&Record>,
    now: u64,
) -> Result<(), StoreError> {
    supersede(system, ended, successor, now);
    system.revocations.end(&[system.ending_of(ended)], &system.ending(now)).await
}

/// Remembers for a while that a sign-in took the place of a session.
pub(crate) fn supersede(system: &System, ended: &Header, successor: Option<&Record>, now: u64) {
    if successor.is_some_and(|record| record.header.owner.is_some()) {
        system.superseded.add(ended.handle, now);
    }
}

fn set_cookie(system: &System, jar: Jar, record: &Record, now: u64) -> Result<HeaderValue, CommitError> {
    let (key, site) = (system.keys.sealing(now), system.site(jar.loopback));
    let value = match record.header.kind {
        Kind::Stored if copy_fits(system, jar, record) => envelope::seal(&key, &site.binding, &copy(record)),
        Kind::Stored => envelope::seal(&key, &site.binding, &in_cookie(record)),
        _ => envelope::seal(&key, &site.binding, record),
    };
    let lasting = system.persistent || record.header.remembered;
    let left = system.lifetime.absolute_deadline(&record.header).saturating_sub(now).div_ceil(1000);
    header(site.writer.set(&value.map_err(|_| CommitError::Random)?, lasting.then_some(left))?)
}

/// A stored record as a cookie holds it.
fn copy(record: &Record) -> Record {
    Record { header: Header { kind: Kind::Hybrid, ..record.header.clone() }, fields: record.fields.clone() }
}

/// Whether the cookie can hold a copy of a stored record beside the site's other cookies.
pub(crate) fn copy_fits(system: &System, jar: Jar, record: &Record) -> bool {
    let room = system.cookie_budget.saturating_sub(jar.others).min(MAX_NAME_VALUE);
    system.hybrid.is_some()
        && system.site(jar.loopback).writer.name().len() + envelope::sealed_size(&copy(record)) <= room
}

/// What the cookie of a stored session holds: which one it is, and until when.
fn in_cookie(record: &Record) -> Record {
    let Header { remembered, id, handle, generation, created, absolute_deadline, .. } = record.header.clone();
    let header = Header {
        kind: Kind::Stored,
        remembered,
        id,
        handle,
        generation,
        epoch: 0,
        created,
        authenticated: record.header.authenticated,
        confirmed: 0,
        last_seen: created,
        idle_deadline: absolute_deadline,
        absolute_deadline,
        version: 0,
        owner: None,
        renewed: 0,
        label: None,
    };
    Record { header, fields: Fields::empty() }
}

pub(crate) fn header(line: String) -> Result<HeaderValue, CommitError> {
    // The policy was validated and the value is base64url, so this cannot fail; if it did, a session
    // that is not saved must not look saved.
    HeaderValue::try_from(line).map_err(|_| CommitError::Field { why: "the cookie is no header value".into() })
}
