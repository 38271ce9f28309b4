//! The servers, the applications and the stores of these tests.

use std::{
    fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use deadpool_postgres::{Manager, Pool};
use hardtack::{
    StoreError,
    interop::{ConnectPgSimple, ConnectRedis, ExpressSession, ExpressStore},
};
use hardtack_engines::{Postgres, Redis};
use hardtack_interop::{ExpressApp, Jar};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use serde_json::{Value, json};
use tokio_postgres::NoTls;

/// What express-session keeps of a cookie without options.
pub(crate) const COOKIE: &str = r#"{"originalMaxAge":null,"expires":null,"httpOnly":true,"path":"/"}"#;

pub(crate) const SECRET: &str = "keyboard cat";

/// An application of Express with a store of its own.
pub(crate) struct Place {
    pub(crate) package: Package,
    pub(crate) url: String,
    pub(crate) app: ExpressApp,
    prefix: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Package {
    ConnectRedis(u8),
    ConnectPgSimple,
}

const PACKAGES: [Package; 4] =
    [Package::ConnectRedis(7), Package::ConnectRedis(8), Package::ConnectRedis(9), Package::ConnectPgSimple];

impl fmt::Display for Package {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectRedis(version) => write!(f, "redis{version}"),
            Self::ConnectPgSimple => f.write_str("pg"),
        }
    }
}

/// One server for all tests that do not stop it.
static REDIS: LazyLock<Redis> = LazyLock::new(Redis::start);
static COUNT: AtomicU32 = AtomicU32::new(0);

/// An application over each package with the options of nobody, for all tests: their sessions do not meet.
pub(crate) fn places() -> &'static [Place] {
    static PLACES: LazyLock<Vec<Place>> = LazyLock::new(|| all_with(&json!({}), &json!({})));
    &PLACES
}

/// An application over each package, with these options of its store and of its cookies.
pub(crate) fn all_with(options: &Value, cookie: &Value) -> Vec<Place> {
    each(&PACKAGES, options, cookie)
}

/// The same over Redis alone.
pub(crate) fn all_redis_with(options: &Value, cookie: &Value) -> Vec<Place> {
    each(&PACKAGES[..3], options, cookie)
}

fn each(packages: &[Package], options: &Value, cookie: &Value) -> Vec<Place> {
    thread::scope(|scope| {
        let start = |package: &Package| {
            let package = *package;
            scope.spawn(move || Place::new(package, options, cookie))
        };
        let starts: Vec<_> = packages.iter().map(start).collect();
        starts.into_iter().map(|start| start.join().unwrap()).collect()
    })
}

impl Place {
    pub(crate) fn new(package: Package, options: &Value, cookie: &Value) -> Self {
        let prefix = format!("sess{}:", COUNT.fetch_add(1, Ordering::Relaxed));
        let (url, needed) = match package {
            Package::ConnectRedis(_) => (REDIS.url(), json!({ "prefix": prefix })),
            Package::ConnectPgSimple => (
                Postgres::shared().new_database(),
                json!({ "createTableIfMissing": true, "pruneSessionInterval": false }),
            ),
        };
        let app = express(package, &url, &merged(needed, options), cookie, &[]);
        if package == Package::ConnectPgSimple {
            app.count(&mut Jar::default()); // makes the table
        }
        Self { package, url, app, prefix }
    }

    /// Our side of it.
    pub(crate) async fn store(&self) -> AnyStore {
        match self.package {
            Package::ConnectRedis(_) => AnyStore::Redis(self.connect_redis().await),
            Package::ConnectPgSimple => AnyStore::Postgres(self.connect_pg_simple()),
        }
    }

    pub(crate) async fn connect_redis(&self) -> ConnectRedis<ConnectionManager> {
        ConnectRedis::new(connection(&self.url).await).prefix(&self.prefix)
    }

    pub(crate) fn connect_pg_simple(&self) -> ConnectPgSimple {
        ConnectPgSimple::new(pool(&self.url, ""))
    }

    /// The text of a session, as the server's own tool shows it.
    pub(crate) fn raw(&self, sid: &str) -> String {
        match self.package {
            Package::ConnectRedis(_) => REDIS.cli(&["GET", &self.key(sid)]),
            Package::ConnectPgSimple => self.psql(&format!("SELECT sess FROM session WHERE sid = {}", literal(sid))),
        }
    }

    /// The end of a session in milliseconds since 1970, by the server's own tool; -1 for one without end, -2 for no session.
    pub(crate) fn end_ms(&self, sid: &str) -> i64 {
        match self.package {
            Package::ConnectRedis(_) => REDIS.cli(&["PEXPIRETIME", &self.key(sid)]).parse().unwrap(),
            Package::ConnectPgSimple => {
                let expire = "(extract(epoch FROM expire::timestamptz) * 1000)::bigint";
                let sql = format!("SELECT {expire} FROM session WHERE sid = {}", literal(sid));
                self.psql(&sql).parse().unwrap_or(-2)
            }
        }
    }

    /// The same in seconds.
    pub(crate) fn end(&self, sid: &str) -> i64 {
        match self.end_ms(sid) {
            end @ ..0 => end,
            end => end / 1000,
        }
    }

    /// Makes so many sessions with this text.
    pub(crate) fn fill(&self, count: usize, text: &str) {
        let name = new_sid();
        match self.package {
            Package::ConnectRedis(_) => {
                let script = "for n = 1, ARGV[2] do redis.call('SET', ARGV[1] .. n, ARGV[3]) end";
                REDIS.cli(&["EVAL", script, "0", &self.key(&name), &count.to_string(), text]);
            }
            Package::ConnectPgSimple => {
                let (name, text) = (literal(&name), literal(text));
                let rows =
                    format!("SELECT {name} || n, {text}, now() + interval '1 day' FROM generate_series(1, {count}) n");
                self.psql(&format!("INSERT INTO session (sid, sess, expire) {rows}"));
            }
        }
    }

    /// How many sessions have this in their text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let count = match self.package {
            Package::ConnectRedis(_) => {
                let script = "local found = 0
                    for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
                        if redis.call('GET', key):find(ARGV[2], 1, true) then found = found + 1 end
                    end
                    return found";
                REDIS.cli(&["EVAL", script, "0", &self.key("*"), text])
            }
            Package::ConnectPgSimple => {
                self.psql(&format!("SELECT count(*) FROM session WHERE strpos(sess::text, {}) > 0", literal(text)))
            }
        };
        count.parse().unwrap()
    }

    pub(crate) fn psql(&self, sql: &str) -> String {
        Postgres::shared().psql(self.url.rsplit('/').next().unwrap(), sql)
    }

    fn key(&self, sid: &str) -> String {
        format!("{}{sid}", self.prefix)
    }
}

/// An application over this server.
pub(crate) fn express(
    package: Package,
    url: &str,
    options: &Value,
    cookie: &Value,
    environment: &[(&str, &str)],
) -> ExpressApp {
    let config = json!({
        "store": { "kind": package.to_string(), "url": url, "options": options },
        "session": { "secret": [SECRET], "cookie": cookie },
    });
    ExpressApp::start_with(&config, environment)
}

/// A connection that does not try for long before it fails a call.
pub(crate) async fn connection(url: &str) -> ConnectionManager {
    let config = ConnectionManagerConfig::new().set_number_of_retries(1).set_max_delay(Duration::from_millis(50));
    redis::Client::open(url).unwrap().get_connection_manager_with_config(config).await.unwrap()
}

/// A pool of four, whose connections have these options.
pub(crate) fn pool(url: &str, options: &str) -> Pool {
    let mut config: tokio_postgres::Config = url.parse().unwrap();
    if !options.is_empty() {
        config.options(options);
    }
    Pool::builder(Manager::new(config, NoTls)).max_size(4).build().unwrap()
}

/// A browser that has the cookie of a session.
pub(crate) fn visitor(sid: &str) -> Jar {
    let mut jar = Jar::default();
    jar.insert("connect.sid", &ExpressSession::new("connect.sid", [SECRET]).unwrap().sign(sid));
    jar
}

/// An id that no other test has.
pub(crate) fn new_sid() -> String {
    format!("made-here-{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A session that somebody is signed in to.
pub(crate) fn session_of(user: &str) -> String {
    format!(r#"{{"cookie":{COOKIE},"username":{}}}"#, json!(user))
}

/// The text with one more member.
pub(crate) fn with(text: &str, member: &str) -> String {
    format!("{},{member}}}", text.strip_suffix('}').unwrap())
}

/// Milliseconds since 1970.
pub(crate) fn now() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis()).unwrap()
}

/// The second at or after a moment.
pub(crate) fn second(milliseconds: u64) -> i64 {
    milliseconds.div_ceil(1000).cast_signed()
}

pub(crate) fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn merged(mut one: Value, other: &Value) -> Value {
    one.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
    one
}

/// Either of our stores.
#[derive(Clone)]
pub(crate) enum AnyStore {
    Redis(ConnectRedis<ConnectionManager>),
    Postgres(ConnectPgSimple),
}

impl ExpressStore for AnyStore {
    async fn load(&self, sid: &str, now: u64) -> Result<Option<String>, StoreError> {
        match self {
            Self::Redis(store) => store.load(sid, now).await,
            Self::Postgres(store) => store.load(sid, now).await,
        }
    }

    async fn replace(
        &self,
        sid: &str,
        previous: Option<&str>,
        text: &str,
        expires: Option<u64>,
        now: u64,
    ) -> Result<bool, StoreError> {
        match self {
            Self::Redis(store) => store.replace(sid, previous, text, expires, now).await,
            Self::Postgres(store) => store.replace(sid, previous, text, expires, now).await,
        }
    }

    async fn touch(&self, sid: &str, expires: Option<u64>, now: u64) -> Result<(), StoreError> {
        match self {
            Self::Redis(store) => store.touch(sid, expires, now).await,
            Self::Postgres(store) => store.touch(sid, expires, now).await,
        }
    }

    async fn delete(&self, sid: &str) -> Result<(), StoreError> {
        match self {
            Self::Redis(store) => store.delete(sid).await,
            Self::Postgres(store) => store.delete(sid).await,
        }
    }

    async fn end_owner(&self, field: &str, owner: &str, except: Option<&str>) -> Result<(), StoreError> {
        match self {
            Self::Redis(store) => store.end_owner(field, owner, except).await,
            Self::Postgres(store) => store.end_owner(field, owner, except).await,
        }
    }

    fn ttl(&self) -> Duration {
        match self {
            Self::Redis(store) => store.ttl(),
            Self::Postgres(store) => store.ttl(),
        }
    }
}
