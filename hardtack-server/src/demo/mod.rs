//! `hardtack demo`: a small site on real sessions.

mod api;
mod pages;
mod password;
mod routes;
mod tls;
mod views;

use std::{net::TcpListener, path::Path, sync::Arc, time::Duration};

use axum_server::Handle;
use hardtack::{KEYS_VARIABLE, Keyring, Revocations, Sessions};
use tracing_subscriber::EnvFilter;

use crate::{
    Failure,
    cli::{Demo, Placement},
};
use password::Password;

/// The most that a browser is remembered: 30 days.
const REMEMBERED: Duration = Duration::from_secs(30 * 86_400);
/// How long requests that are under way may take when the program is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// What the handlers share.
struct Site {
    sessions: Sessions,
    password: Password,
    placement: &'static str,
}

pub(crate) fn run(args: Demo) -> Result<(), Failure> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("hardtack=info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(serve(args))
}

async fn serve(args: Demo) -> Result<(), Failure> {
    let data = &args.data;
    std::fs::create_dir_all(data).map_err(|error| format!("the data folder {}: {error}", data.display()))?;
    let (keys, keys_from) = keys(data)?;
    let Placement::Stateless = args.placement;
    let revocations = Revocations::in_file(data.join("revocations"))?;
    let sessions = Sessions::stateless(keys)
        .remember_me(REMEMBERED)
        .carry_over([pages::COUNT.name()])
        .revocations(revocations)
        .build()?;
    let password = Password::open(data)?;
    let tls = tls::config(&args).await?;

    let listener = TcpListener::bind(args.listen)
        .map_err(|error| format!("cannot listen on {}: {error}; choose another with --listen", args.listen))?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    println!("hardtack demo on {scheme}://{address}\n");
    println!("  placement  stateless: the session is in its cookie, logouts in {}", data.join("revocations").display());
    println!("  keys       {keys_from}");
    println!("  password   {}", password.told());
    println!("\nOpen the page, add one, log in, log out. Ctrl-C ends the demo.");

    let site = Arc::new(Site { sessions, password, placement: "stateless" });
    let app = routes::router(site).into_make_service();
    let handle = Handle::new();
    tokio::spawn(end_on_signal(handle.clone()));
    match tls {
        Some(tls) => axum_server::from_tcp_rustls(listener, tls)?.handle(handle).serve(app).await?,
        None => axum_server::from_tcp(listener)?.handle(handle).serve(app).await?,
    }
    println!("hardtack demo has ended.");
    Ok(())
}

fn keys(data: &Path) -> Result<(Keyring, String), Failure> {
    if std::env::var_os(KEYS_VARIABLE).is_some() {
        return Ok((Keyring::from_env()?, format!("from {KEYS_VARIABLE}")));
    }
    let path = data.join("keys");
    Ok((Keyring::from_file(&path)?, path.display().to_string()))
}

/// Waits for Ctrl-C or SIGTERM, then lets the requests that are under way finish.
async fn end_on_signal(handle: Handle<std::net::SocketAddr>) {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! { _ = interrupt => {}, _ = terminate.recv() => {} }
        }
    }
    #[cfg(not(unix))]
    let _ = interrupt.await;
    handle.graceful_shutdown(Some(GRACE));
}
