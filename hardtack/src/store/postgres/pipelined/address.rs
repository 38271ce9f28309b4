//! [`Address`]: what a URL says, and what it may not say.
//!
//! PostgreSQL's own `sslmode` has values that encrypt and trust anybody. Here a connection that leaves the machine is
//! encrypted and its server proved, or the URL says in so many words that it is neither.

use std::{path::PathBuf, time::Duration};

use tokio_postgres::config::{Config, Host, SslMode, TargetSessionAttrs};

/// Where the server is, and how it proves who it is.
pub(in crate::store::postgres) struct Address {
    pub(in crate::store::postgres) config: Config,
    /// The certificates of the authorities that are believed; the system's when none are named.
    pub(in crate::store::postgres) authorities: Option<PathBuf>,
}

const FORM: &str = "write postgres://USER:PASSWORD@HOST:5432/DATABASE, with %-escapes for what is no letter or digit";

impl Address {
    /// An error repeats nothing of the URL: there is a password in it.
    pub(in crate::store::postgres) fn parse(url: &str) -> Result<Self, String> {
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(format!("its address is no URL of PostgreSQL; {FORM}"));
        }
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let (mut mode, mut authorities, mut rest) = (None, None, Vec::new());
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match form_urlencoded::parse(pair.as_bytes()).next() {
                Some((name, value)) if name == "sslmode" => mode = Some(value.into_owned()),
                Some((name, value)) if name == "sslrootcert" => authorities = Some(PathBuf::from(&*value)),
                _ => rest.push(pair),
            }
        }
        let bare = if rest.is_empty() { base.to_owned() } else { format!("{base}?{}", rest.join("&")) };
        let mut config: Config = bare.parse().map_err(|_| format!("its URL cannot be read; {FORM}"))?;
        let is_encrypted = match mode.as_deref() {
            None => authorities.is_some() || !is_on_this_machine(&config),
            Some("disable") => false,
            Some("require" | "verify-full") => true,
            Some("allow" | "prefer" | "verify-ca") => {
                return Err("sslmode allow, prefer and verify-ca protect from nobody who is in between; write \
                            sslmode=verify-full, which is what a URL without it means too, or sslmode=disable"
                    .into());
            }
            Some(_) => return Err("its sslmode is none; write verify-full or disable".into()),
        };
        config.ssl_mode(if is_encrypted { SslMode::Require } else { SslMode::Disable });
        // Of several hosts the one that takes writes.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_application_name().is_none() {
            config.application_name("hardtack");
        }
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(Duration::from_secs(5));
        }
        if config.get_tcp_user_timeout().is_none() {
            config.tcp_user_timeout(Duration::from_secs(10));
        }
        Ok(Self { config, authorities })
    }

    /// Whether TLS is used.
    pub(in crate::store::postgres) fn is_encrypted(&self) -> bool {
        self.config.get_ssl_mode() == SslMode::Require
    }
}

fn is_on_this_machine(config: &Config) -> bool {
    let named = config.get_hosts().iter().all(|host| match host {
        Host::Tcp(name) => name == "localhost" || name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    });
    named && config.get_hostaddrs().iter().all(|address| address.is_loopback())
}
