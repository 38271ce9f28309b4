//! hardtack's own envelope.

use std::time::Duration;

use hardtack::{Clock, CookiePolicy, Inspection, Kind, Lifetime, Sessions};
use serde::Serialize;
use serde_json::value::RawValue;

use super::Report;
use crate::{
    Failure,
    cli::{CookieArgs, DEFAULT_COOKIE_NAME, DEFAULT_TTL, Seal},
    keys,
};

/// What only the native format knows.
#[derive(Serialize)]
pub(super) struct Details {
    handle: String,
    kind: String,
    owner: Option<String>,
    key_state: &'static str,
    generation: u32,
    remembered: bool,
    authenticated_at: Option<u64>,
    last_seen_at: u64,
    idle_deadline: u64,
    absolute_deadline: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    copy: Option<Copy>,
}

/// What only a copy of a stored record knows (`Sessions::hybrid`).
#[derive(Serialize)]
struct Copy {
    confirmed_at: u64,
    version: u64,
    renewed_at: Option<u64>,
    label: Option<String>,
}

pub(super) fn inspect(args: &CookieArgs, input: &str) -> Result<Report, Failure> {
    // The sealed deadlines alone shall count, so today's policy is the longest there is.
    let sessions = sessions(args, Duration::from_secs(34_560_000))?;
    match sessions.inspect(input.trim()) {
        Ok(inspection) => report(&inspection),
        Err(reason) => Ok(Report::invalid(reason.as_str())),
    }
}

fn report(inspection: &Inspection) -> Result<Report, Failure> {
    let (status, reason) = match inspection.verdict() {
        Ok(()) => ("valid", None),
        Err(reason) if reason.is_expiry() => ("expired", Some(reason.as_str())),
        Err(reason) => ("invalid", Some(reason.as_str())),
    };
    Ok(Report {
        status,
        reason,
        data: Some(RawValue::from_string(inspection.data_json())?),
        created_at: Some(inspection.created_at()),
        expires_at: Some(inspection.expires_at()),
        key_id: Some(inspection.key_id().to_string()),
        session: Some(Details {
            handle: inspection.handle().to_string(),
            kind: format!("{:?}", inspection.kind()).to_lowercase(),
            owner: inspection.owner().map(Into::into),
            key_state: inspection.key_state().as_str(),
            generation: inspection.generation(),
            remembered: inspection.is_remembered(),
            authenticated_at: Some(inspection.authenticated_at()).filter(|time| *time != 0),
            last_seen_at: inspection.last_seen_at(),
            idle_deadline: inspection.idle_deadline(),
            absolute_deadline: inspection.absolute_deadline(),
            copy: (inspection.kind() == Kind::Hybrid).then(|| Copy {
                confirmed_at: inspection.confirmed_at(),
                version: inspection.version(),
                renewed_at: Some(inspection.renewed_at()).filter(|time| *time != 0),
                label: inspection.label().map(Into::into),
            }),
        }),
    })
}

pub(super) fn seal(args: &Seal, input: &str) -> Result<String, Failure> {
    let sessions = sessions(&args.cookie, Duration::from_secs(args.ttl.unwrap_or(DEFAULT_TTL)))?;
    let data: Box<RawValue> =
        serde_json::from_str(input).map_err(|error| format!("standard input is no JSON: {error}"))?;
    let mut written = Ok(());
    let cookie = sessions.cookie(|session| {
        match &args.owner {
            Some(owner) => session.sign_in(owner),
            None => session.keep(),
        }
        written = session.try_write(&data);
    });
    let cookie = tokio::runtime::Builder::new_current_thread().build()?.block_on(cookie);
    written?;
    let cookie = cookie?;
    Ok(cookie.split_once('=').map_or("", |(_, value)| value).to_owned())
}

fn sessions(args: &CookieArgs, ttl: Duration) -> Result<Sessions, Failure> {
    let builder = Sessions::stateless(keys::open(args.keys.as_deref())?)
        .cookie(CookiePolicy::from_name(args.cookie_name.as_deref().unwrap_or(DEFAULT_COOKIE_NAME)))
        .realm(args.realm.as_deref().unwrap_or_default())
        .lifetime(Lifetime::default().idle(ttl).absolute(ttl))
        .clock(args.now.map_or_else(Clock::system, Clock::manual));
    Ok(builder.build()?)
}
