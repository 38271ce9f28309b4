//! The servers, the applications and the stores of these tests.

use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
};

use hardtack_engines::{Postgres, Redis};
use hardtack_interop::ExpressApp;
use serde_json::{Value, json};

/// A store of Express, over a place of its own.
pub(crate) struct Place {
    pub(crate) package: Package,
    pub(crate) url: String,
    /// The options of the store's package.
    pub(crate) options: Value,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    ConnectRedis(u8),
    ConnectPgSimple,
}

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectRedis(version) => write!(f, "redis{version}"),
            Self::ConnectPgSimple => f.write_str("pg"),
        }
    }
}

/// One server for all tests: none of them stops it.
pub(crate) static REDIS: LazyLock<Redis> = LazyLock::new(Redis::start);
static PREFIXES: AtomicU32 = AtomicU32::new(0);

impl Place {
    pub(crate) fn new(package: Package) -> Self {
        let (url, options) = match package {
            Package::ConnectRedis(_) => {
                let prefix = format!("sess{}:", PREFIXES.fetch_add(1, Ordering::Relaxed));
                (REDIS.url(), json!({ "prefix": prefix }))
            }
            Package::ConnectPgSimple => (
                Postgres::shared().new_database(),
                json!({ "createTableIfMissing": true, "pruneSessionInterval": false }),
            ),
        };
        Self { package, url, options }
    }

    /// All four packages.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let packages = [7, 8, 9].map(Package::ConnectRedis).into_iter().chain([Package::ConnectPgSimple]);
        packages.map(Self::new)
    }

    /// An application over this place; its sessions' cookies have these options.
    pub(crate) fn express(&self, cookie: &Value) -> ExpressApp {
        ExpressApp::start(&json!({
            "store": { "kind": self.package.to_string(), "url": self.url, "options": self.options },
            "session": { "secret": ["keyboard cat"], "cookie": cookie },
        }))
    }
}
