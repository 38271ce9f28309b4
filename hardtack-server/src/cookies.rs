//! `hardtack inspect` and `hardtack seal`: one cookie, opened or made outside of any server.

use std::{
    io::{Read, Write, stdin, stdout},
    process::ExitCode,
    time::Duration,
};

use hardtack::{Clock, CookiePolicy, Inspection, Kind, Lifetime, Sessions};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::{
    Failure,
    cli::{CookieArgs, Format, Inspect, Seal},
    keys,
};

/// The longest input that is read: far more than any cookie.
const MAX_INPUT: u64 = 1 << 20;

/// What `inspect` prints. Times are milliseconds since 1970.
#[derive(Serialize)]
struct Report {
    status: &'static str,
    reason: Option<&'static str>,
    data: Option<Box<RawValue>>,
    created_at: Option<u64>,
    expires_at: Option<u64>,
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<Details>,
}

/// What only the native format knows.
#[derive(Serialize)]
struct Details {
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

pub(crate) fn inspect(args: &Inspect) -> Result<ExitCode, Failure> {
    let Format::Native = args.cookie.format;
    // The sealed deadlines alone shall count, so today's policy is the longest there is.
    let sessions = sessions(&args.cookie, Duration::from_secs(34_560_000))?;
    let value = input()?;
    let report = match sessions.inspect(value.trim()) {
        Ok(inspection) => report(&inspection)?,
        Err(reason) => Report {
            status: "invalid",
            reason: Some(reason.as_str()),
            data: None,
            created_at: None,
            expires_at: None,
            key_id: None,
            session: None,
        },
    };
    let mut out = stdout().lock();
    serde_json::to_writer_pretty(&mut out, &report)?;
    writeln!(out)?;
    Ok(if report.status == "valid" { ExitCode::SUCCESS } else { ExitCode::from(1) })
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

pub(crate) fn seal(args: &Seal) -> Result<(), Failure> {
    let Format::Native = args.cookie.format;
    let sessions = sessions(&args.cookie, Duration::from_secs(args.ttl))?;
    let data: Box<RawValue> =
        serde_json::from_str(&input()?).map_err(|error| format!("standard input is no JSON: {error}"))?;
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
    println!("{}", cookie.split_once('=').map_or("", |(_, value)| value));
    Ok(())
}

fn sessions(args: &CookieArgs, ttl: Duration) -> Result<Sessions, Failure> {
    let builder = Sessions::stateless(keys::open(args.keys.as_deref())?)
        .cookie(CookiePolicy::from_name(&args.cookie_name))
        .realm(&args.realm)
        .lifetime(Lifetime::default().idle(ttl).absolute(ttl))
        .clock(args.now.map_or_else(Clock::system, Clock::manual));
    Ok(builder.build()?)
}

fn input() -> Result<String, Failure> {
    let mut bytes = Vec::new();
    stdin().lock().take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err("standard input has more than 1 MiB".into());
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
