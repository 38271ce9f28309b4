//! [`ConnectRedis`]: the sessions of `connect-redis` 7, 8 and 9, in Redis or Valkey.
//!
//! A session is one key, `sess:` and the id, with the text as its value and a TTL. All three versions write the same
//! commands. Ours are those too, but for a write: that is a script, which compares before it sets.
//!
//! The connection is the application's own, so that how it connects, encrypts, follows a cluster and connects again is
//! what its driver does and can be told.

use std::{fmt, time::Duration};

use redis::{Cmd, Value, aio::ConnectionLike};

use super::{
    ExpressStore, is_of,
    times::{DAY, capped, seconds},
};
use crate::error::StoreError;

/// What is there is compared with the first argument, the second is put in its place, and the third says for how many
/// seconds: without end if it is empty, and not at all if it is no more than none. Express takes an empty value for no
/// session, and so does this.
const REPLACE: &str = "\
local there = redis.call('GET', KEYS[1]) or ''
if there ~= ARGV[1] then return 0 end
if ARGV[3] == '' then redis.call('SET', KEYS[1], ARGV[2])
elseif tonumber(ARGV[3]) <= 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], ARGV[2], 'EX', ARGV[3]) end
return 1";

/// How many keys are looked at in one step.
const STEP: usize = 500;

/// The sessions of express-session with `connect-redis` 7, 8 or 9, over a connection of your own to Redis or Valkey.
///
/// The connection is one of the driver redis 1 that can be cloned: a `ConnectionManager`, which connects again by
/// itself, a `MultiplexedConnection`, which does not, or a `ClusterConnection`. Whatever it fails is an error here: it, and
/// not this, knows how long an answer may take, and how often it is tried to connect again (a `ConnectionManager` that is
/// told nothing tries for many seconds).
///
/// The settings are those of the package, and must be what Express has.
///
/// ```no_run
/// # async fn example(connection: redis::aio::MultiplexedConnection) -> Result<(), Box<dyn std::error::Error>> {
/// use hardtack::interop::{ConnectRedis, ExpressStore};
///
/// // let connection = redis::Client::open("redis://127.0.0.1")?.get_connection_manager().await?;
/// let store = ConnectRedis::new(connection).prefix("shop:");
/// let session = store.load("q2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz", 1_800_000_000_000).await?;
/// # Ok(())
/// # }
/// ```
///
/// - **Express writes without comparing.** A write of ours never undoes one of Express; a request of Express that loaded
///   the session before a write of ours, and saves it after, does.
/// - **Eviction.** Any `maxmemory-policy` will do, as for Express: a session that Redis evicts is signed out.
///   `noeviction` refuses writes instead, which are errors here and there.
/// - **Failover.** Redis answers before its replicas have a write, so a failover can lose the last ones, a logout too.
/// - **Clusters.** A `ClusterConnection` says a command once more whose answer was lost. A write that was done may then be
///   answered with no, and whoever replays an increment on that has made two.
/// - **Ending all sessions of an owner** looks at every session, because nothing in this layout leads from an owner to his:
///   a `SCAN` of all keys, or in a cluster a `KEYS`, for which each server stops for a moment. A session that somebody makes
///   meanwhile may be missed.
/// - A user of the ACL needs `+get +set +del +expire +eval` on the keys, and `+info +scan +keys +mget` for that.
#[derive(Clone)]
pub struct ConnectRedis<C> {
    connection: C,
    prefix: String,
    ttl: u64,
    writes_ttl: bool,
    touches: bool,
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> ConnectRedis<C> {
    /// A store over this connection, with the settings that the package has when it is told nothing.
    pub fn new(connection: C) -> Self {
        Self { connection, prefix: "sess:".into(), ttl: DAY, writes_ttl: true, touches: true }
    }

    /// What stands before the id in a key. Default `sess:`.
    #[must_use]
    pub fn prefix(self, prefix: impl Into<String>) -> Self {
        Self { prefix: prefix.into(), ..self }
    }

    /// How long a session lives whose cookie has no end, in whole seconds, rounded up. Default one day, which is also what
    /// zero means.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: seconds(ttl), ..self }
    }

    /// Writes sessions without a TTL, and never touches them: they stay until they are deleted, as with `disableTTL: true`.
    #[must_use]
    pub fn disable_ttl(self) -> Self {
        Self { writes_ttl: false, ..self }
    }

    /// Leaves a TTL as the last write set it, as with `disableTouch: true`.
    #[must_use]
    pub fn disable_touch(self) -> Self {
        Self { touches: false, ..self }
    }

    fn key(&self, sid: &str) -> String {
        format!("{}{sid}", self.prefix)
    }

    /// All keys of this store: the prefix, to the letter, and anything.
    fn pattern(&self) -> String {
        let mut pattern = String::with_capacity(self.prefix.len() + 1);
        for character in self.prefix.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '\\') {
                pattern.push('\\');
            }
            pattern.push(character);
        }
        pattern + "*"
    }

    async fn is_cluster(&self) -> Result<bool, StoreError> {
        match self.ask(redis::cmd("INFO").arg("cluster")).await? {
            // The connection asked all servers.
            Value::Map(_) | Value::Array(_) => Ok(true),
            Value::VerbatimString { text, .. } => Ok(text.contains("cluster_enabled:1")),
            text => Ok(String::from_utf8_lossy(&bytes(text)?).contains("cluster_enabled:1")),
        }
    }

    /// Removes those of these keys whose session is the owner's.
    async fn end_those_of(
        &self,
        keys: &[Value],
        field: &str,
        owner: &str,
        except: Option<&str>,
    ) -> Result<(), StoreError> {
        let keys = keys.iter().cloned().map(bytes).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Ok(());
        }
        let sessions = array(self.ask(redis::cmd("MGET").arg(&keys)).await?)?;
        let mut ended = keys;
        let mut sessions = sessions.into_iter();
        ended.retain(|key| {
            let text = sessions.next().and_then(|session| String::from_utf8(bytes(session).ok()?).ok());
            text.is_some_and(|text| is_of(&text, field, owner)) && except.is_none_or(|sid| sid.as_bytes() != key)
        });
        if !ended.is_empty() {
            self.ask(redis::cmd("DEL").arg(&ended)).await?;
        }
        Ok(())
    }

    async fn ask(&self, command: &Cmd) -> Result<Value, StoreError> {
        command.query_async(&mut self.connection.clone()).await.map_err(|error| {
            // A server repeats what it was given with a command that it does not know.
            let said = error.to_string();
            StoreError::new(said.split(", with args").next().unwrap_or_default())
        })
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> ExpressStore for ConnectRedis<C> {
    async fn load(&self, sid: &str, _now: u64) -> Result<Option<String>, StoreError> {
        let text = match self.ask(redis::cmd("GET").arg(self.key(sid))).await? {
            Value::Nil => return Ok(None),
            value => String::from_utf8(bytes(value)?),
        };
        let text = text.map_err(|_| StoreError::new("a session in Redis is not in UTF-8"))?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    /// With an `expires` that has passed the session is removed, as the package does, and the answer is yes.
    async fn replace(
        &self,
        sid: &str,
        previous: Option<&str>,
        text: &str,
        expires: Option<u64>,
        now: u64,
    ) -> Result<bool, StoreError> {
        let left = seconds_left(expires, now, self.ttl);
        let ttl = if self.writes_ttl || left <= 0 { left.to_string() } else { String::new() };
        let mut command = redis::cmd("EVAL");
        command.arg(REPLACE).arg(1).arg(self.key(sid)).arg(previous.unwrap_or_default()).arg(text).arg(ttl);
        match self.ask(&command).await? {
            Value::Int(written) => Ok(written == 1),
            _ => Err(unexpected()),
        }
    }

    /// With an `expires` that has passed the session is removed, as by the package.
    async fn touch(&self, sid: &str, expires: Option<u64>, now: u64) -> Result<(), StoreError> {
        if !self.touches || !self.writes_ttl {
            return Ok(());
        }
        let left = seconds_left(expires, now, self.ttl);
        self.ask(redis::cmd("EXPIRE").arg(self.key(sid)).arg(left)).await.map(drop)
    }

    async fn delete(&self, sid: &str) -> Result<(), StoreError> {
        self.ask(redis::cmd("DEL").arg(self.key(sid))).await.map(drop)
    }

    async fn end_owner(&self, field: &str, owner: &str, except: Option<&str>) -> Result<(), StoreError> {
        let (pattern, except) = (self.pattern(), except.map(|sid| self.key(sid)));
        if self.is_cluster().await? {
            let keys = array(self.ask(redis::cmd("KEYS").arg(pattern)).await?)?;
            for keys in keys.chunks(STEP) {
                self.end_those_of(keys, field, owner, except.as_deref()).await?;
            }
            return Ok(());
        }
        let mut cursor = b"0".to_vec();
        loop {
            let mut command = redis::cmd("SCAN");
            command.arg(&cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(STEP);
            let [next, keys] = <[Value; 2]>::try_from(array(self.ask(&command).await?)?).map_err(|_| unexpected())?;
            self.end_those_of(&array(keys)?, field, owner, except.as_deref()).await?;
            cursor = bytes(next)?;
            if cursor == b"0" {
                return Ok(());
            }
        }
    }

    fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl)
    }
}

impl<C> fmt::Debug for ConnectRedis<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectRedis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

/// The TTL as the package reckons it.
fn seconds_left(expires: Option<u64>, now: u64, ttl: u64) -> i64 {
    let seconds = match expires.map(capped) {
        None => return ttl.cast_signed(),
        Some(expires) if expires <= now => 0,
        Some(expires) => (expires - now).div_ceil(1000),
    };
    seconds.cast_signed()
}

fn bytes(value: Value) -> Result<Vec<u8>, StoreError> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(unexpected()),
    }
}

fn array(value: Value) -> Result<Vec<Value>, StoreError> {
    match value {
        Value::Array(values) => Ok(values),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> StoreError {
    StoreError::new("Redis answered what this command does not answer")
}
