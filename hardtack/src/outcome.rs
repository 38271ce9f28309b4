//! What the response must do about its session, decided once.

use http::HeaderValue;

use crate::{
    changes::Changes,
    cookie::SessionHeaders,
    envelope,
    error::CommitError,
    events::{self, Reason},
    record::Record,
    sessions::{Site, System},
    state::State,
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

/// Decides, remembers what ended, and writes the headers. Endings come last: a commit that fails
/// ends nothing, and one that ends something has its new cookie ready.
pub(crate) fn decide(system: &System, state: &mut State) -> Result<(Outcome, SessionHeaders), CommitError> {
    let mut headers = SessionHeaders { accessed: state.asked, ..SessionHeaders::default() };
    if !state.asked || state.discarded {
        return Ok((Outcome::Untouched, headers));
    }
    if let Some(error) = state.poison.take() {
        return Err(error);
    }
    // A request that changes nothing is judged by the time at which it asked.
    let now = if state.changes.any() { system.now() } else { state.asked_at };
    let site = system.site(state.loopback);
    if let Some(record) = &mut state.record
        && let Some(generation) = system.lifetime.next_generation(&record.header, now)
    {
        record.header.generation = generation;
        state.changes.renewed = true;
    }
    let sends = state.changes.any()
        || state.by_previous_name
        || state.record.as_ref().is_some_and(|record| system.lifetime.touch_is_due(&record.header, now));
    if sends && lost_to_an_ending(system, state) {
        return Ok((Outcome::Ended, headers));
    }
    let outcome = match &mut state.record {
        Some(record) if sends => {
            system.lifetime.touch(&mut record.header, now);
            headers.set_cookie = Some(set_cookie(system, site, record, now)?);
            match state.changes {
                Changes { identity: true, .. } | Changes { renewed: true, .. } => Outcome::Renewed,
                Changes { record: true, .. } => Outcome::Saved,
                _ => Outcome::Touched,
            }
        }
        Some(_) => Outcome::Untouched,
        None if state.changes.identity => {
            headers.set_cookie = state.presented.then(|| header(site.writer.remove())).transpose()?;
            Outcome::Ended
        }
        // Not for one that has ended: the answer to a request that was under way during a sign-in must
        // not remove the new cookie.
        None if state.refused.is_some_and(|reason| reason != Reason::Ended) => {
            headers.set_cookie = Some(header(site.writer.remove())?);
            Outcome::Untouched
        }
        None => Outcome::Untouched,
    };
    if state.by_previous_name && (headers.set_cookie.is_some() || state.changes.identity) {
        let previous = system.previous(now).map(|site| header(site.writer.remove()));
        headers.remove_previous = previous.transpose()?;
    }
    if !state.changes.endings.is_empty() {
        system.revocations.end(&state.changes.endings, now).map_err(CommitError::Store)?;
    }
    Ok((outcome, headers))
}

/// An ending wins over every request that was under way: nothing is written, no cookie is sent.
fn lost_to_an_ending(system: &System, state: &State) -> bool {
    let (Some(record), Some(origin)) = (&state.record, &state.origin) else { return false };
    let over = record.header.handle == origin.handle && system.revocations.has_ended(&record.header);
    if over && state.changes.any() {
        events::lost_to_an_ending(origin.handle);
    }
    over
}

fn set_cookie(system: &System, site: &Site, record: &Record, now: u64) -> Result<HeaderValue, CommitError> {
    let value = envelope::seal(&system.keys.sealing(now), &site.binding, record).map_err(|_| CommitError::Random)?;
    let lasting = system.persistent || record.header.remembered;
    let left = system.lifetime.absolute_deadline(&record.header).saturating_sub(now).div_ceil(1000);
    header(site.writer.set(&value, lasting.then_some(left))?)
}

fn header(line: String) -> Result<HeaderValue, CommitError> {
    // The policy was validated and the value is base64url, so this cannot fail; if it did, a session
    // that is not saved must not look saved.
    HeaderValue::try_from(line).map_err(|_| CommitError::Field { why: "the cookie is no header value".into() })
}
