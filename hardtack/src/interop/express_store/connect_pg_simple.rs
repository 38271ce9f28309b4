//! [`ConnectPgSimple`]: the sessions of `connect-pg-simple` 10, in PostgreSQL.
//!
//! A session is a row: `sid`, the text as `sess json`, and `expire timestamp(6)`. The type `json` keeps the text as it was
//! written, so that a write can compare it.
//!
//! The column `expire` has no time zone. The package writes `to_timestamp(…)` into it, which PostgreSQL turns into the local
//! time of the connection's `TimeZone`. So does [`Statements`], or it
//! says the zone.

use std::{fmt, sync::Arc, time::Duration};

use deadpool_postgres::Pool;
use tokio_postgres::{error::SqlState, types::ToSql};

use super::{
    ExpressStore, is_of,
    times::{DAY, capped, seconds},
};
use crate::{error::StoreError, store::PostgresFault};

/// How many rows are looked at in one step.
const STEP: usize = 500;

/// The sessions of express-session with `connect-pg-simple` 10, over a pool of your own.
///
/// The table is the package's (`table.sql` of it, or its `createTableIfMissing`); the settings are those of the package, and
/// must be what Express has.
///
/// ```no_run
/// # async fn example(pool: deadpool_postgres::Pool) -> Result<(), Box<dyn std::error::Error>> {
/// use hardtack::interop::{ConnectPgSimple, ExpressStore};
///
/// let store = ConnectPgSimple::new(pool).schema("shop").time_zone("America/New_York");
/// let session = store.load("q2VkYXRlLXNpZC0wMDEtYWJjZGVm_-Zz", 1_800_000_000_000).await?;
/// # Ok(())
/// # }
/// ```
///
/// - **The time zone must be the one that Node's connections have.** The package stores ends of sessions as local times
///   without saying of where. With another `TimeZone` here, sessions would be over hours early, or live on for hours.
///   Both have the database's default, unless somebody sets it: `PGOPTIONS`, `options` of a pool, `ALTER ROLE … SET
///   timezone`. Ask on Node's connection (`SHOW TimeZone`), and give the answer to [`time_zone`](Self::time_zone), or
///   to the pool: `config.options("-c TimeZone=America/New_York")`. Where that zone sets its clocks back, the sessions
///   that end in that hour may be off by an hour, as in Node.
/// - **Express writes without comparing.** A write of ours never undoes one of Express; a request of Express that loaded
///   the session before a write of ours, and saves it after, does.
/// - **Rows whose time is over** are removed by the package, every quarter of an hour or so. When Node is gone, call
///   [`prune`](Self::prune) as often.
/// - **Ending all sessions of an owner** looks at every row, because nothing in this layout leads from an owner to his. A
///   session that somebody makes meanwhile may be missed.
/// - The pool leads to the primary, and to no pooler that shares connections between transactions. How long a call waits
///   for a connection, and for an answer, is what the pool and the server were told.
#[derive(Clone)]
pub struct ConnectPgSimple {
    pool: Pool,
    schema: String,
    table: String,
    zone: Option<String>,
    ttl: u64,
    touches: bool,
    statements: Arc<Statements>,
}

impl ConnectPgSimple {
    /// A store over this pool, with the settings that the package has when it is told nothing.
    pub fn new(pool: Pool) -> Self {
        let (schema, table, statements) = (String::new(), "session".to_owned(), Arc::default());
        Self { pool, schema, table, zone: None, ttl: DAY, touches: true, statements }.prepared()
    }

    /// The schema of the table, `schemaName` of the package. Default none: the first of the `search_path` that has the
    /// table. Any name will do; it is quoted.
    #[must_use]
    pub fn schema(self, name: impl Into<String>) -> Self {
        Self { schema: name.into(), ..self }.prepared()
    }

    /// The name of the table, `tableName` of the package. Default `session`. Any name will do; it is quoted.
    #[must_use]
    pub fn table(self, name: impl Into<String>) -> Self {
        Self { table: name.into(), ..self }.prepared()
    }

    /// The time zone of Node's connections, as `SHOW TimeZone` answers there. Default that of the pool's connections.
    /// PostgreSQL refuses what it does not know, with the first call.
    #[must_use]
    pub fn time_zone(self, name: impl Into<String>) -> Self {
        Self { zone: Some(name.into()), ..self }.prepared()
    }

    /// How long a session lives whose cookie has no end, in whole seconds, rounded up. Default one day, which is also what
    /// zero means.
    #[must_use]
    pub fn ttl(self, ttl: Duration) -> Self {
        Self { ttl: seconds(ttl), ..self }
    }

    /// Leaves the end of a session as the last write set it, as with `disableTouch: true`.
    #[must_use]
    pub fn disable_touch(self) -> Self {
        Self { touches: false, ..self }
    }

    /// Removes the rows whose time is over, and answers how many. `now` is in milliseconds since 1970.
    ///
    /// Nothing depends on it but space; while Node runs, it does the same.
    ///
    /// # Errors
    ///
    /// [`StoreError`] for a system fault.
    pub async fn prune(&self, now: u64) -> Result<u64, StoreError> {
        Ok(self.run(&self.statements.prune, &self.timed(&[&seconds_up(now)])).await?)
    }

    fn prepared(mut self) -> Self {
        self.statements = Arc::new(Statements::new(&self.schema, &self.table, self.zone.is_some()));
        self
    }

    /// The column `expire` of a session, as the package reckons it.
    fn expire(&self, expires: Option<u64>, now: u64) -> f64 {
        seconds_up(capped(expires.unwrap_or_else(|| now.saturating_add(self.ttl.saturating_mul(1000)))))
    }

    /// What a statement with times is given: the zone comes last.
    fn timed<'a>(&'a self, given: &[Given<'a>]) -> Vec<Given<'a>> {
        given.iter().copied().chain(self.zone.as_ref().map(|zone| zone as Given)).collect()
    }

    /// How many rows a statement wrote.
    async fn run(&self, sql: &str, given: &[Given<'_>]) -> Result<u64, PostgresFault> {
        let connection = self.pool.get().await?;
        let statement = connection.prepare_cached(sql).await?;
        Ok(connection.execute(&statement, given).await?)
    }

    async fn text(&self, sid: &str, now: f64) -> Result<Option<String>, PostgresFault> {
        let connection = self.pool.get().await?;
        let statement = connection.prepare_cached(&self.statements.load).await?;
        let row = connection.query_opt(&statement, &self.timed(&[&sid, &now])).await?;
        Ok(row.map(|row| row.try_get(0)).transpose()?)
    }

    /// One step through the sessions that may be the owner's. Answers the last id of it, unless that was the last one.
    async fn end_those_after(
        &self,
        after: &str,
        field: &str,
        owner: &str,
        except: Option<&str>,
    ) -> Result<Option<String>, PostgresFault> {
        let connection = self.pool.get().await?;
        let statement = connection.prepare_cached(&self.statements.step).await?;
        let rows = connection.query(&statement, &[&after, &owner]).await?;
        let (mut last, mut ended) = (None, Vec::new());
        for row in &rows {
            let (sid, text): (&str, &str) = (row.try_get(0)?, row.try_get(1)?);
            if is_of(text, field, owner) && except != Some(sid) {
                ended.push(sid);
            }
            last = Some(sid);
        }
        if !ended.is_empty() {
            let statement = connection.prepare_cached(&self.statements.end).await?;
            connection.execute(&statement, &[&ended]).await?;
        }
        Ok(last.filter(|_| rows.len() == STEP).map(str::to_owned))
    }
}

impl ExpressStore for ConnectPgSimple {
    async fn load(&self, sid: &str, now: u64) -> Result<Option<String>, StoreError> {
        if !can_be(sid) {
            return Ok(None);
        }
        Ok(self.text(sid, seconds_up(now)).await?)
    }

    /// With an `expires` that has passed, no `load` gives the session any more, and the answer is yes.
    async fn replace(
        &self,
        sid: &str,
        previous: Option<&str>,
        text: &str,
        expires: Option<u64>,
        now: u64,
    ) -> Result<bool, StoreError> {
        if !can_be(sid) {
            return Err(StoreError::new("PostgreSQL keeps no session whose id has a NUL in it"));
        }
        let (expire, now) = (self.expire(expires, now), seconds_up(now));
        let written = match &previous {
            Some(previous) => {
                let given = self.timed(&[&text, &expire, &sid, &now, previous]);
                self.run(&self.statements.replace, &given).await
            }
            None => self.run(&self.statements.insert, &self.timed(&[&text, &expire, &sid, &now])).await,
        };
        match written {
            Ok(rows) => Ok(rows == 1),
            // Somebody else wrote, and the pool's transactions are stricter than PostgreSQL's default.
            Err(fault) if fault.is(SqlState::T_R_SERIALIZATION_FAILURE.code()) => Ok(false),
            Err(fault) => Err(fault.into()),
        }
    }

    /// A row whose time is over stays over.
    async fn touch(&self, sid: &str, expires: Option<u64>, now: u64) -> Result<(), StoreError> {
        if self.touches && can_be(sid) {
            let (expire, now) = (self.expire(expires, now), seconds_up(now));
            self.run(&self.statements.touch, &self.timed(&[&expire, &sid, &now])).await?;
        }
        Ok(())
    }

    async fn delete(&self, sid: &str) -> Result<(), StoreError> {
        if can_be(sid) {
            self.run(&self.statements.delete, &[&sid]).await?;
        }
        Ok(())
    }

    async fn end_owner(&self, field: &str, owner: &str, except: Option<&str>) -> Result<(), StoreError> {
        let mut after = Some(String::new());
        while let Some(sid) = after {
            after = self.end_those_after(&sid, field, owner, except).await?;
        }
        Ok(())
    }

    fn ttl(&self) -> Duration {
        Duration::from_secs(self.ttl)
    }
}

impl fmt::Debug for ConnectPgSimple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schema, table, zone, .. } = self;
        f.debug_struct("ConnectPgSimple")
            .field("schema", schema)
            .field("table", table)
            .field("time_zone", zone)
            .finish_non_exhaustive()
    }
}

type Given<'a> = &'a (dyn ToSql + Sync);

/// The SQL of the package, with two differences: a write compares, and a touch leaves alone what is over.
#[derive(Default)]
struct Statements {
    load: String,
    replace: String,
    insert: String,
    touch: String,
    delete: String,
    prune: String,
    step: String,
    end: String,
}

impl Statements {
    fn new(schema: &str, table: &str, has_zone: bool) -> Self {
        let table = match (schema, table) {
            ("", "") => quoted("session"),
            ("", table) => quoted(table),
            (schema, "") => format!("{}.{}", quoted(schema), quoted("session")),
            (schema, table) => format!("{}.{}", quoted(schema), quoted(table)),
        };
        // A moment as the column has it, and the column as a moment, where the zone is parameter number n.
        let local = |moment: &str, n: usize| match has_zone {
            true => format!("to_timestamp({moment}) AT TIME ZONE ${n}::text"),
            false => format!("to_timestamp({moment})"),
        };
        let expire = |n: usize| match has_zone {
            true => format!("(s.expire AT TIME ZONE ${n}::text)"),
            false => "s.expire".into(),
        };
        Self {
            load: format!("SELECT s.sess::text FROM {table} s WHERE s.sid = $1 AND {} >= to_timestamp($2)", expire(3)),
            replace: format!(
                "UPDATE {table} s SET sess = $1::text::json, expire = {} \
                 WHERE s.sid = $3 AND {} >= to_timestamp($4) AND s.sess::text COLLATE \"C\" = $5",
                local("$2", 6),
                expire(6)
            ),
            insert: format!(
                "INSERT INTO {table} AS s (sess, expire, sid) SELECT $1::text::json, {}, $3 \
                 ON CONFLICT (sid) DO UPDATE SET sess = excluded.sess, expire = excluded.expire \
                 WHERE {} < to_timestamp($4)",
                local("$2", 5),
                expire(5)
            ),
            touch: format!(
                "UPDATE {table} s SET expire = {} WHERE s.sid = $2 AND {} >= to_timestamp($3)",
                local("$1", 4),
                expire(4)
            ),
            delete: format!("DELETE FROM {table} WHERE sid = $1"),
            prune: format!("DELETE FROM {table} s WHERE {} < to_timestamp($1)", expire(2)),
            // Those that cannot have the owner in them stay in the server. What it would find in a `json` itself it does not
            // find: one session with a lone surrogate, which JavaScript writes, would fail the statement.
            step: format!(
                "SELECT s.sid, s.sess::text FROM {table} s \
                 WHERE s.sid > $1 AND (strpos(s.sess::text, $2) > 0 OR strpos(s.sess::text, chr(92)) > 0) \
                 ORDER BY s.sid LIMIT {STEP}"
            ),
            end: format!("DELETE FROM {table} WHERE sid = ANY($1::text[])"),
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// PostgreSQL has no NUL in a text, so there is no such session.
fn can_be(sid: &str) -> bool {
    !sid.contains('\0')
}

/// Seconds since 1970, rounded up as the package does.
#[allow(clippy::cast_precision_loss)]
fn seconds_up(milliseconds: u64) -> f64 {
    milliseconds.div_ceil(1000) as f64
}
