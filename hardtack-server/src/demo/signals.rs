//! The signals that the demo answers: SIGHUP reads the keys again, SIGINT and SIGTERM end it.

use std::{net::SocketAddr, time::Duration};

use axum_server::Handle;
use hardtack::{Clock, Keyring};

use crate::Failure;

/// How long requests that are under way may take when the program is told to end.
const GRACE: Duration = Duration::from_secs(10);

/// SIGHUP has the keys read again, and tells how often the retired ones are still used.
#[cfg(unix)]
pub(super) fn reload_on_hangup(keys: Keyring, clock: Clock) -> Result<(), Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hangups = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        while hangups.recv().await.is_some() {
            match keys.reload() {
                Ok(()) => eprintln!("hardtack: keys read again"),
                Err(error) => eprintln!("hardtack: keys not read again: {error}"),
            }
            for (key, state) in keys.keys(clock.now_ms()) {
                let (opened, _) = key.opened_retired();
                eprintln!("hardtack: key {} {}, opened {opened} sessions since it retired", key.id(), state.as_str());
            }
        }
    });
    Ok(())
}

#[cfg(not(unix))]
pub(super) fn reload_on_hangup(_: Keyring, _: Clock) -> Result<(), Failure> {
    Ok(())
}

/// Waits for Ctrl-C or SIGTERM, then lets the requests that are under way finish.
pub(super) async fn end_on_signal(handle: Handle<SocketAddr>) {
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
