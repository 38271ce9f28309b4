//! What is written after `--store`, or in the variable: [`StoreAddress`].

use std::{env, fmt, path::PathBuf};

use zeroize::Zeroizing;

use super::{Engine, StoreSettings};
use crate::Failure;

/// The variable that names the store, so that a password need not stand on a command line, where all users of the
/// machine see it.
const VARIABLE: &str = "HARDTACK_STORE";

/// What may be written.
const CHOICES: &str = "redis://HOST:PORT/NUMBER, postgres://USER@HOST:PORT/DATABASE, sqlite:PATH, a path, or memory:";

/// Where recorded sessions are.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreAddress {
    /// `memory:`, gone when the process ends
    Memory,
    /// `sqlite:PATH`, `sqlite://PATH` or a path
    Sqlite(PathBuf),
    /// `redis://…`, `rediss://…`
    Redis(ServerAddress),
    /// `postgres://…`, `postgresql://…`
    Postgres(ServerAddress),
}

impl StoreAddress {
    /// What was written on the command line, or in the variable.
    pub(crate) fn given(argument: Option<&str>) -> Result<Option<Self>, Failure> {
        if let Some(text) = argument {
            return Self::parse(text, "--store").map(Some);
        }
        match env::var(VARIABLE) {
            Ok(text) => Self::parse(&Zeroizing::new(text), VARIABLE).map(Some),
            Err(env::VarError::NotPresent) => Ok(None),
            Err(env::VarError::NotUnicode(_)) => Err(format!("{VARIABLE} is no text; write {CHOICES}").into()),
        }
    }

    /// Reads an address. The message names `place`, where it was written, and never repeats more than the
    /// scheme: what follows one may hold a password.
    fn parse(text: &str, place: &str) -> Result<Self, Failure> {
        let path = match text.split_once(':') {
            // A single letter is a drive.
            Some((drive, _)) if drive.len() == 1 => text,
            Some((scheme, rest)) if is_scheme(scheme) => match scheme.to_ascii_lowercase().as_str() {
                "memory" if matches!(rest, "" | "//") => return Ok(Self::Memory),
                "sqlite" => rest.strip_prefix("//").unwrap_or(rest),
                scheme @ ("redis" | "rediss") => return ServerAddress::parse(scheme, rest, place).map(Self::Redis),
                scheme @ ("postgres" | "postgresql") => {
                    return ServerAddress::parse(scheme, rest, place).map(Self::Postgres);
                }
                _ => return Err(format!("{place} {scheme}:… is no store; write {CHOICES}").into()),
            },
            _ => text,
        };
        match path {
            "" => Err(format!("{place} names no file; write {CHOICES}").into()),
            ":memory:" | "memory" => Err(format!("for sessions in memory write memory: ({place})").into()),
            path => Ok(Self::Sqlite(path.into())),
        }
    }

    /// Opens the store. A file that is not there is made, and so are tables.
    pub(crate) async fn open(&self, settings: &StoreSettings) -> Result<Engine, Failure> {
        Engine::open(self, settings).await
    }

    /// Opens a place beside the store, for counters of attempts that all servers of the store share: a file, a prefix or a
    /// schema of its own. `None` where nobody shares it.
    pub(crate) async fn open_beside(&self, settings: &StoreSettings) -> Result<Option<Engine>, Failure> {
        let beside = match self {
            Self::Memory => return Ok(None),
            Self::Sqlite(path) => Self::Sqlite(path.with_extension("attempts.db")),
            server => server.clone(),
        };
        Engine::open(&beside, &settings.beside(&beside)).await.map(Some)
    }

    /// As a visitor is told, to whom the folders and the machines of the server are nothing.
    pub(crate) fn place(&self) -> String {
        match self {
            Self::Memory => "in the server's memory".into(),
            Self::Sqlite(path) => {
                format!("in SQLite, in {}", path.file_name().unwrap_or(path.as_os_str()).to_string_lossy())
            }
            Self::Redis(_) => "in Redis".into(),
            Self::Postgres(_) => "in PostgreSQL".into(),
        }
    }
}

/// As the operator is told: without a password.
impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("this process's memory, gone when it ends"),
            Self::Sqlite(path) => path.display().fmt(f),
            Self::Redis(server) | Self::Postgres(server) => f.write_str(&server.shown),
        }
    }
}

/// The address of a server, which may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct ServerAddress {
    whole: Zeroizing<String>,
    /// Scheme, hosts, ports and the database; never the user, the password or a parameter.
    shown: String,
}

impl ServerAddress {
    /// `rest` is what follows the scheme and its colon.
    fn parse(scheme: &str, rest: &str, place: &str) -> Result<Self, Failure> {
        let whole = Zeroizing::new(format!("{scheme}:{rest}"));
        // Several servers of Redis are several addresses, with commas between.
        let mut servers: Vec<&str> = Vec::new();
        let mut from = 0;
        for (comma, _) in whole.match_indices(',') {
            let next = &whole[comma + 1..];
            if scheme.starts_with("redis") && (next.starts_with("redis://") || next.starts_with("rediss://")) {
                servers.push(&whole[from..comma]);
                from = comma + 1;
            }
        }
        servers.push(&whole[from..]);
        let shown: Option<Vec<_>> = servers.into_iter().map(visible).collect();
        let shown = shown.ok_or_else(|| {
            format!(
                "{place} {scheme}:… is no address of a server; write {CHOICES}, and in a password %40 for @, %2F for /, \
                 %3A for :, %3F for ?, %23 for # and %25 for %"
            )
        })?;
        Ok(Self { shown: shown.join(","), whole })
    }

    /// All of it, for the driver alone.
    #[cfg(any(feature = "redis", feature = "postgres"))]
    pub(super) fn whole(&self) -> &str {
        &self.whole
    }
}

/// The part of an address that may be shown. `None` where it is not certain which part that is, as with a password
/// that is not encoded.
fn visible(address: &str) -> Option<String> {
    let (scheme, rest) = address.split_once("://")?;
    let (address, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = address.split_once('/').unwrap_or((address, ""));
    let (user, hosts) = authority.rsplit_once('@').unwrap_or(("", authority));
    let is_host = |byte: u8| byte.is_ascii_alphanumeric() || b".-_[]:%,".contains(&byte);
    let ports_are_numbers = hosts.split(',').all(|host| {
        let after_brackets = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
        after_brackets.split_once(':').is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
    });
    let is_certain = !user.contains('@')
        && user.split(':').count() <= 2
        && hosts.bytes().all(is_host)
        && ports_are_numbers
        && path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.%".contains(&byte))
        && !parameters.contains(['@', '?'])
        && !rest.contains('#');
    let slash = if path.is_empty() { "" } else { "/" };
    is_certain.then(|| format!("{scheme}://{hosts}{slash}{path}"))
}

/// Whether this could stand before the colon of an address (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn parse(text: &str) -> StoreAddress {
        StoreAddress::parse(text, "--store").unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn a_path_is_sqlite_with_and_without_its_scheme() {
        for (text, path) in [
            ("sessions.db", "sessions.db"),
            ("./a b.db", "./a b.db"),
            ("/var/lib/x", "/var/lib/x"),
            ("sqlite:x.db", "x.db"),
            ("sqlite://x.db", "x.db"),
            ("sqlite:/x.db", "/x.db"),
            ("sqlite:///x.db", "/x.db"),
            ("SQLite:x.db", "x.db"),
            (r"C:\x.db", r"C:\x.db"),
            (r"sqlite:C:\x.db", r"C:\x.db"),
            ("./redis:x", "./redis:x"),
        ] {
            assert!(parse(text) == StoreAddress::Sqlite(path.into()), "{text}");
        }
    }

    #[test]
    fn memory_is_a_store_of_its_own() {
        for text in ["memory:", "memory://", "Memory:"] {
            assert!(parse(text) == StoreAddress::Memory, "{text}");
        }
    }

    /// F13
    #[test]
    fn a_server_is_shown_with_scheme_hosts_ports_and_database_alone() {
        for (text, shown) in [
            ("redis://localhost", "redis://localhost"),
            ("redis://:s3cret@host:6380/2", "redis://host:6380/2"),
            ("REDISS://ada:s3cret@[::1]:6380/2?protocol=resp3", "rediss://[::1]:6380/2"),
            ("redis://:s3cret@a:1,redis://ada:s3cret@b/1,rediss://c", "redis://a:1,redis://b/1,rediss://c"),
            ("postgres://ada:s3cret@a,b:5433/x", "postgres://a,b:5433/x"),
            ("postgres://ada:s3cret@db.example/x?sslmode=require", "postgres://db.example/x"),
            ("postgresql://ada@127.0.0.1:5433/x?password=s3cret", "postgresql://127.0.0.1:5433/x"),
            ("postgres:///x?host=/run/s3cret", "postgres:///x"),
            ("postgres://ada:s3cr%40et%2F@h", "postgres://h"),
        ] {
            let address = parse(text);
            assert_eq!(address.to_string(), shown, "{text}");
            assert!(!address.place().contains("s3cr"), "{text}");
            let (StoreAddress::Redis(server) | StoreAddress::Postgres(server)) = address else { panic!("{text}") };
            assert_eq!(server.whole.split_once(':').unwrap().1, text.split_once(':').unwrap().1, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write_and_without_its_password() {
        for text in [
            "",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            ":memory:",
            "memory",
            "memory:x",
            "mysql://a:s3cret@host",
            "file:s3cret.db?mode=memory",
            "redis:s3cret",
            "redis://:s3cret",
            "redis://:pa/s3cret@host",
            "redis://:pa?s3cret@host/0",
            "redis://:pa#s3cret@host/0",
            "redis://:pa@s3cret@host/0",
            "redis://u:pa:s3cret@host/0",
            "redis://:x@host,redis://:pa/s3cret@host",
            "redis://:x@host,http://:s3cret@host",
            "redis://:x@host:s3cret/0",
            "postgres://h/x?password=a@s3cret",
            "postgres://h/x/s3cret@y",
        ] {
            let Err(error) = StoreAddress::parse(text, "--store") else { panic!("{text} is taken") };
            let said = error.to_string();
            assert!(said.contains("memory:") && !said.contains("s3cret"), "{text}: {said}");
        }
    }
}
