//! `hardtack sessions`: what an operator sees of a store, and what he can end in it. Owners, times and
//! labels are there in clear; data is sealed and ids are not there at all, so neither is ever shown.

use std::{
    collections::HashSet,
    io::{Write, stdout},
    path::Path,
    process::ExitCode,
};

use hardtack::{
    Clock, Handle,
    store::{Row, Store, StoreKey},
};
use serde::Serialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use tokio::task::JoinSet;

use crate::{
    Failure,
    cli::{DATA, SessionsArgs, SessionsCommand},
    store::{Engine, FILE, StoreAddress},
};

/// Rows that are read at a time, and endings that are written at a time.
const BATCH: usize = 500;
/// How long an ending is remembered, in milliseconds: 400 days, the longest that any session can live.
pub(crate) const TOMBSTONE: u64 = 400 * 86_400_000;
/// How far the clocks of servers may be apart, in milliseconds: what is over here may not be over there.
const SKEW: u64 = 120_000;

pub(crate) fn run(args: SessionsArgs) -> Result<ExitCode, Failure> {
    let now = args.now.unwrap_or_else(|| Clock::system().now_ms());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { carry_out(open(&args).await?, args.command, now).await })
}

async fn carry_out(store: Engine, command: SessionsCommand, now: u64) -> Result<ExitCode, Failure> {
    let until = now.saturating_add(TOMBSTONE);
    match command {
        SessionsCommand::List { owner, limit, json } => {
            let limit = limit.unwrap_or(usize::MAX);
            list(&store, owner.as_deref(), limit, json, now).await?;
        }
        SessionsCommand::Show { handle, json } => {
            let key = parse(&handle)?;
            // At the beginning of time nothing is over, so this finds what has expired too.
            let Some(row) = store.load(key, 0).await? else { return Ok(not_found(&handle)) };
            show(&View::of(key, &row, now), json)?;
        }
        SessionsCommand::End { handle } => {
            if !store.delete(parse(&handle)?, until).await? {
                return Ok(not_found(&handle));
            }
            println!("{handle} ended");
        }
        SessionsCommand::EndOwner { owner } => {
            let sessions = store.owned_by(&owner, now).await?.len();
            store.end_owner(&owner, None, until).await?;
            println!("{} of {} ended", count(sessions), printable(&owner));
        }
        SessionsCommand::EndAll { before } => {
            let before = before.as_deref().map_or(Ok(u64::MAX), moment)?;
            println!("{} ended", count(end_all(&store, before, until).await?));
        }
        SessionsCommand::Purge => {
            let rows = purge(&store, now.saturating_sub(SKEW)).await?;
            println!("{rows} row{} removed", if rows == 1 { "" } else { "s" });
        }
        SessionsCommand::Stats { json } => stats(&store, json, now).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Opens a store that is there. A file that is not there is somebody's mistake, not a wish for a new one.
async fn open(args: &SessionsArgs) -> Result<Engine, Failure> {
    let address = match &args.data {
        Some(data) => StoreAddress::Sqlite(data.join(FILE)),
        None => StoreAddress::given(args.store.as_deref())?
            .unwrap_or_else(|| StoreAddress::Sqlite(Path::new(DATA).join(FILE))),
    };
    match &address {
        StoreAddress::Memory => {
            return Err("sessions in memory are in the server's own; name another store with --store".into());
        }
        StoreAddress::Sqlite(path) if !path.is_file() => {
            let why = "is no file; name the store with --store sqlite:PATH, or its folder with --data";
            return Err(format!("{} {why}", path.display()).into());
        }
        _ => {}
    }
    address.open(&args.settings).await
}

fn parse(handle: &str) -> Result<StoreKey, Failure> {
    let parsed = Handle::parse(handle).map(StoreKey::from);
    parsed.ok_or_else(|| format!("{handle:?} is no handle; \"hardtack sessions list\" shows them").into())
}

fn not_found(handle: &str) -> ExitCode {
    eprintln!("hardtack: there is no session {handle}");
    ExitCode::from(1)
}

/// What is shown of a session. Times are milliseconds since 1970; 0 stands for never.
#[derive(Serialize)]
struct View<'a> {
    handle: String,
    expired: bool,
    owner: Option<&'a str>,
    label: Option<&'a str>,
    created_at: u64,
    authenticated_at: u64,
    last_seen_at: u64,
    idle_deadline: u64,
    absolute_deadline: u64,
    renewed_at: u64,
    generation: u32,
    remembered: bool,
    version: u64,
    epoch: u64,
    /// Bytes of the sealed data
    sealed: usize,
}

impl<'a> View<'a> {
    fn of(key: StoreKey, row: &'a Row, now: u64) -> Self {
        let facts = row.facts();
        Self {
            handle: Handle::from(key).to_string(),
            expired: row.is_expired(now),
            owner: row.owner(),
            label: row.label(),
            created_at: facts.created,
            authenticated_at: facts.authenticated,
            last_seen_at: row.last_seen(),
            idle_deadline: row.idle_deadline(),
            absolute_deadline: facts.absolute_deadline,
            renewed_at: facts.renewed,
            generation: facts.generation,
            remembered: facts.remembered,
            version: facts.version,
            epoch: facts.epoch,
            sealed: row.sealed().len(),
        }
    }

    fn state(&self) -> &'static str {
        if self.expired { "expired" } else { "live" }
    }
}

/// All rows of a store, in the order of their keys.
struct Rows<'a> {
    store: &'a Engine,
    after: Option<StoreKey>,
}

impl<'a> Rows<'a> {
    fn of(store: &'a Engine) -> Self {
        Self { store, after: None }
    }

    /// The next few; empty at the end.
    async fn next(&mut self) -> Result<Vec<(StoreKey, Row)>, Failure> {
        let rows = self.store.scan(self.after, BATCH).await?;
        self.after = rows.last().map(|(key, _)| *key).or(self.after);
        Ok(rows)
    }
}

async fn list(store: &Engine, owner: Option<&str>, limit: usize, json: bool, now: u64) -> Result<(), Failure> {
    let mut out = stdout().lock();
    let (mut rows, mut listed) = (Rows::of(store), 0);
    if json {
        write!(out, "[")?;
    } else {
        let (created, seen, ends) = ("CREATED", "LAST SEEN", "ENDS");
        writeln!(out, "{:22}  {:7}  {created:20}  {seen:20}  {ends:20}  {:16}  LABEL", "HANDLE", "STATE", "OWNER")?;
    }
    while listed < limit {
        let batch = rows.next().await?;
        if batch.is_empty() {
            break;
        }
        let wanted = batch.iter().filter(|(_, row)| owner.is_none() || row.owner() == owner);
        for (key, row) in wanted.take(limit - listed) {
            let view = View::of(*key, row, now);
            if json {
                write!(out, "{}", if listed == 0 { "\n" } else { ",\n" })?;
                serde_json::to_writer(&mut out, &view)?;
            } else {
                writeln!(
                    out,
                    "{:22}  {:7}  {:20}  {:20}  {:20}  {:16}  {}",
                    view.handle,
                    view.state(),
                    utc(view.created_at),
                    utc(view.last_seen_at),
                    utc(row.expires_at()),
                    view.owner.map_or_else(|| "-".into(), printable),
                    view.label.map_or_else(|| "-".into(), printable),
                )?;
            }
            listed += 1;
        }
    }
    if json {
        writeln!(out, "{}]", if listed == 0 { "" } else { "\n" })?;
    }
    Ok(())
}

fn show(view: &View<'_>, json: bool) -> Result<(), Failure> {
    let mut out = stdout().lock();
    if json {
        serde_json::to_writer_pretty(&mut out, view)?;
        return Ok(writeln!(out)?);
    }
    for (name, value) in [
        ("handle", view.handle.clone()),
        ("state", view.state().into()),
        ("owner", view.owner.map_or_else(|| "nobody".into(), printable)),
        ("label", view.label.map_or_else(|| "-".into(), printable)),
        ("created", utc(view.created_at)),
        ("password proved", utc(view.authenticated_at)),
        ("last seen", utc(view.last_seen_at)),
        ("ends unless used", utc(view.idle_deadline)),
        ("ends at the latest", utc(view.absolute_deadline)),
        ("renewed", utc(view.renewed_at)),
        ("generation", view.generation.to_string()),
        ("remembered", if view.remembered { "yes" } else { "no" }.into()),
        ("version", view.version.to_string()),
        ("epoch", view.epoch.to_string()),
        ("sealed data", format!("{} bytes", view.sealed)),
    ] {
        writeln!(out, "{name:20}{value}")?;
    }
    Ok(())
}

/// Ends what was created before a moment. The store groups what is written at the same time.
async fn end_all(store: &Engine, before: u64, until: u64) -> Result<usize, Failure> {
    let (mut rows, mut ended) = (Rows::of(store), 0);
    loop {
        let batch = rows.next().await?;
        if batch.is_empty() {
            return Ok(ended);
        }
        let mut endings = JoinSet::new();
        for (key, _) in batch.iter().filter(|(_, row)| row.facts().created < before) {
            let (store, key) = (store.clone(), *key);
            endings.spawn(async move { store.delete(key, until).await });
        }
        while let Some(done) = endings.join_next().await {
            ended += usize::from(done??);
        }
    }
}

async fn purge(store: &Engine, now: u64) -> Result<usize, Failure> {
    let mut removed = 0;
    loop {
        let batch = store.purge(now, BATCH).await?;
        removed += batch;
        if batch < BATCH {
            return Ok(removed);
        }
    }
}

/// What is in a store.
#[derive(Default, Serialize)]
struct Stats {
    sessions: usize,
    live: usize,
    expired: usize,
    signed_in: usize,
    owners: usize,
    /// Bytes of the sealed data
    sealed: usize,
    /// The oldest session's creation, in milliseconds since 1970; 0 without a session
    oldest: u64,
}

async fn stats(store: &Engine, json: bool, now: u64) -> Result<(), Failure> {
    let (mut rows, mut stats, mut owners) = (Rows::of(store), Stats::default(), HashSet::new());
    loop {
        let batch = rows.next().await?;
        if batch.is_empty() {
            break;
        }
        for (_, row) in &batch {
            let (expired, created) = (row.is_expired(now), row.facts().created);
            stats.sessions += 1;
            stats.live += usize::from(!expired);
            stats.expired += usize::from(expired);
            stats.sealed += row.sealed().len();
            stats.oldest = if stats.oldest == 0 { created } else { stats.oldest.min(created) };
            if let Some(owner) = row.owner().filter(|_| !expired) {
                stats.signed_in += 1;
                if !owners.contains(owner) {
                    owners.insert(owner.to_owned());
                }
            }
        }
    }
    stats.owners = owners.len();
    if json {
        println!("{}", serde_json::to_string_pretty(&stats)?);
        return Ok(());
    }
    println!("sessions   {}", stats.sessions);
    println!("live       {}", stats.live);
    println!("signed in  {}", stats.signed_in);
    println!("owners     {}", stats.owners);
    println!("expired    {}", stats.expired);
    println!("sealed     {} bytes", stats.sealed);
    println!("oldest     {}", utc(stats.oldest));
    Ok(())
}

/// Reads a time: milliseconds since 1970, or RFC 3339.
fn moment(text: &str) -> Result<u64, Failure> {
    if let Ok(ms) = text.parse() {
        return Ok(ms);
    }
    let time = OffsetDateTime::parse(text, &Rfc3339);
    let ms = time.ok().and_then(|time| u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok());
    ms.ok_or_else(|| {
        format!("{text:?} is no time; write milliseconds since 1970, or 2026-01-31T12:00:00Z, for example").into()
    })
}

/// A time for people, in UTC, to the second.
pub(crate) fn utc(ms: u64) -> String {
    let time = i64::try_from(ms / 1000).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    match time.and_then(|time| time.format(&Rfc3339).ok()) {
        _ if ms == 0 => "-".into(),
        Some(text) => text,
        None => ms.to_string(),
    }
}

/// A text of an application's users, without what could move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char }).collect()
}

fn count(sessions: usize) -> String {
    format!("{sessions} session{}", if sessions == 1 { "" } else { "s" })
}
