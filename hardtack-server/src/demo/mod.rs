//! `hardtack demo`: a small site on real sessions.

mod account;
mod accounts;
mod api;
mod copies;
mod devices;
mod facts;
mod lab;
mod label;
mod pages;
mod password;
mod placement;
mod refused;
mod routes;
mod signals;
mod tls;
mod views;

use std::{
    io::IsTerminal,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum_server::Handle;
use hardtack::{Clock, KEYS_VARIABLE, Keyring, Sessions, login::Login};
use tracing_subscriber::EnvFilter;

use crate::{
    Failure,
    cli::{Demo, Placement},
    users::{self, UserTable},
};
use accounts::Accounts;
use password::Password;
use placement::Housing;

/// What the handlers share.
struct Site {
    sessions: Sessions,
    login: Login,
    accounts: Accounts,
    /// What the login page says about where the one password comes from.
    hint: &'static str,
    placement: Placement,
    /// What a visitor is told of where the data of a recorded session is.
    place: String,
    clock: Clock,
    keys: Keyring,
    /// Where cookies hold copies: what tells other servers of endings here.
    marks: Option<copies::Marks>,
    /// The file of the keys, when they come from one.
    key_file: Option<PathBuf>,
    /// The same sessions on a clock that runs ahead, to see them expire without waiting.
    later: Sessions,
}

pub(crate) fn run(args: Demo) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("hardtack=info"));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(std::io::stderr().is_terminal());
    log.with_writer(std::io::stderr).init();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(args))
}

async fn serve(args: Demo) -> Result<(), Failure> {
    let data = &args.data;
    std::fs::create_dir_all(data).map_err(|error| format!("the data folder {}: {error}", data.display()))?;
    let (keys, key_file) = keys(data)?;
    let housing = Housing::open(&args).await?;
    let clock = |ahead: Duration| {
        let clock = Clock::system();
        clock.advance(Duration::from_secs(args.clock_ahead) + ahead);
        clock
    };
    let (now, later) = (clock(Duration::ZERO), clock(lab::AHEAD));
    signals::reload_on_hangup(keys.clone(), now.clone())?;
    let (sessions, later) = (housing.sessions(&keys, &now)?, housing.later(&keys, &later)?);
    let passwords = users::passwords()?;
    let password = Password::open(data, &passwords).await?;
    let table = UserTable::in_folder(data);
    let accounts = Accounts::new(&password, table.clone());
    let login = accounts::login(&args, passwords, accounts.clone(), housing.counters())?;
    if !housing.is_reached() {
        accounts.end_what_is_noted(sessions.clone());
    }
    let tls = tls::config(&args).await?;

    let listener = TcpListener::bind(&args.listen).map_err(|error| {
        format!("cannot listen on {}: {error}; choose another with --listen 127.0.0.1:3001, for example", args.listen)
    })?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("hardtack demo on {scheme}://{address}\n");
    println!("  placement  {}", housing.told);
    match &key_file {
        Some(path) => println!("  keys       {}, read again when it changes or on SIGHUP", path.display()),
        None => println!("  keys       from {KEYS_VARIABLE}"),
    }
    println!("  password   {}", password.told());
    println!("  users      in {}; add one with \"hardtack users add NAME\"", table.path().display());
    println!("\nOpen the page, add one, log in, log out. Ctrl-C ends the demo.");

    let (placement, marks, place) = (args.placement, housing.feed().map(copies::Marks::new), housing.place);
    let hint = password.hint;
    let site =
        Arc::new(Site { sessions, login, accounts, hint, placement, place, clock: now, marks, keys, key_file, later });
    let app = routes::router(site).into_make_service_with_connect_info::<SocketAddr>();
    let handle = Handle::new();
    tokio::spawn(signals::end_on_signal(handle.clone()));
    match tls {
        Some(tls) => axum_server::from_tcp_rustls(listener, tls)?.handle(handle).serve(app).await?,
        None => axum_server::from_tcp(listener)?.handle(handle).serve(app).await?,
    }
    println!("hardtack demo has ended.");
    Ok(())
}

/// The keys, and the file that they come from, if any.
fn keys(data: &Path) -> Result<(Keyring, Option<PathBuf>), Failure> {
    if std::env::var_os(KEYS_VARIABLE).is_some() {
        return Ok((Keyring::from_env()?, None));
    }
    let path = data.join("keys");
    let keys = Keyring::from_file(&path)?;
    keys.watch(Keyring::RELOAD_INTERVAL);
    Ok((keys, Some(path)))
}
