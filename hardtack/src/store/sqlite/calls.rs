//! The calls of the contract, in SQL. Those that write run inside a transaction of the writer.
//!
//! What the contract says about numbers is computed by [`Row`], as for every store; SQL finds rows and
//! keeps them.

use rusqlite::{
    CachedStatement, Connection, OptionalExtension, Result,
    types::{FromSqlError, Type},
};

use super::news;
use crate::store::{Admission, Beyond, Created, Facts, Replaced, Row, StoreKey, feed::News};

const ROW: &str = "SELECT version, generation, remembered, epoch, created, authenticated, renewed, \
    absolute_deadline, last_seen, idle_deadline, owner, label, sealed, key FROM sessions WHERE key = ?1";
/// Without what may be long: a comparison of versions reads no sealed data.
const FACTS: &str = "SELECT version, generation, remembered, epoch, created, authenticated, renewed, \
    absolute_deadline, last_seen, idle_deadline, id FROM sessions WHERE key = ?1";
const OWNED: &str = "SELECT version, generation, remembered, epoch, created, authenticated, renewed, \
    absolute_deadline, last_seen, idle_deadline, owner, label, sealed, key FROM sessions WHERE owner = ?1";
const SCAN: &str = "SELECT version, generation, remembered, epoch, created, authenticated, renewed, \
    absolute_deadline, last_seen, idle_deadline, owner, label, sealed, key FROM sessions WHERE key > ?1 \
    ORDER BY key LIMIT ?2";
const TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM sessions WHERE key = ?1) \
    OR EXISTS (SELECT 1 FROM tombstones WHERE key = ?1)";
const INSERT: &str = "INSERT INTO sessions (key, version, generation, remembered, epoch, created, \
    authenticated, renewed, absolute_deadline, last_seen, idle_deadline, expires, owner, label, sealed) \
    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
/// Most writes leave the deadline where it is. This one then leaves the index alone.
const REPLACE: &str = "UPDATE sessions SET version = ?2, generation = ?3, remembered = ?4, created = ?5, \
    authenticated = ?6, renewed = ?7, absolute_deadline = ?8, last_seen = ?9, idle_deadline = ?10, label = ?11, \
    sealed = ?12 WHERE id = ?1";
const EXPIRE: &str = "UPDATE sessions SET expires = ?2 WHERE id = ?1";
const TOUCH: &str = "UPDATE sessions SET last_seen = ?2, idle_deadline = ?3 WHERE id = ?1";
const DELETE: &str = "DELETE FROM sessions WHERE key = ?1 RETURNING owner IS NOT NULL";
const BURY: &str = "INSERT INTO tombstones (key, until) VALUES (?1, ?2) \
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)";
const DELETE_OWNED: &str = "DELETE FROM sessions WHERE owner = ?1 AND key IS NOT ?2";
const BURY_OWNED: &str = "INSERT INTO tombstones (key, until) \
    SELECT key, ?3 FROM sessions WHERE owner = ?1 AND key IS NOT ?2 \
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)";
const SPARE: &str = "UPDATE sessions SET epoch = ?3 WHERE key = ?2 AND owner = ?1";
const EPOCH: &str = "SELECT epoch FROM counter WHERE one = 1";
const NEXT_EPOCH: &str = "UPDATE counter SET epoch = epoch + 1 WHERE one = 1 RETURNING epoch";
const OWNERS_EPOCH: &str = "SELECT epoch FROM owners WHERE owner = ?1";
const RAISE: &str = "INSERT INTO owners (owner, epoch, until) VALUES (?1, ?2, ?3) \
    ON CONFLICT DO UPDATE SET epoch = excluded.epoch, until = max(until, excluded.until)";
const PURGES: [&str; 3] = [
    "DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires <= ?1 LIMIT ?2)",
    "DELETE FROM tombstones WHERE key IN (SELECT key FROM tombstones WHERE until <= ?1 LIMIT ?2)",
    "DELETE FROM owners WHERE owner IN (SELECT owner FROM owners WHERE until <= ?1 LIMIT ?2)",
];

pub(super) fn create(file: &Connection, key: StoreKey, row: &Row, admission: Admission, now: u64) -> Result<Created> {
    if query(file, TAKEN)?.query_row([key.as_bytes()], |row| row.get(0))? {
        return Ok(Created::Exists);
    }
    if let Some(owner) = row.owner() {
        let epoch = query(file, OWNERS_EPOCH)?.query_row([owner], |row| number(row, 0)).optional()?;
        if epoch.is_some_and(|epoch| epoch > admission.epoch) {
            return Ok(Created::OwnerEnded);
        }
        if let Some(limit) = admission.limit {
            let mut others = owned_by(file, owner, now)?;
            let most = usize::try_from(limit.most).unwrap_or(usize::MAX).max(1);
            if others.len() >= most {
                if limit.beyond == Beyond::Refuse {
                    return Ok(Created::LimitReached);
                }
                others.sort_unstable_by_key(|(key, row)| (row.facts().created, *key));
                for (oldest, row) in &others[..=others.len() - most] {
                    delete(file, *oldest, row.facts().absolute_deadline)?;
                }
            }
        }
    }
    let facts = row.facts();
    query(file, INSERT)?.execute((
        key.as_bytes(),
        bits(facts.version),
        facts.generation,
        facts.remembered,
        bits(facts.epoch),
        bits(facts.created),
        bits(facts.authenticated),
        bits(facts.renewed),
        bits(facts.absolute_deadline),
        bits(row.last_seen()),
        bits(row.idle_deadline()),
        ordered(row.expires_at()),
        row.owner(),
        row.label(),
        row.sealed(),
    ))?;
    Ok(Created::Created)
}

pub(super) fn load(file: &Connection, key: StoreKey, now: u64) -> Result<Option<Row>> {
    let row = query(file, ROW)?.query_row([key.as_bytes()], whole).optional()?;
    Ok(row.filter(|row| !row.is_expired(now)))
}

pub(super) fn replace(file: &Connection, key: StoreKey, version: u64, row: &Row, now: u64) -> Result<Replaced> {
    let Some((id, before)) = before(file, key)?.filter(|(_, before)| !before.is_expired(now)) else {
        return Ok(Replaced::Gone);
    };
    if before.facts().version != version {
        return Ok(Replaced::Conflict);
    }
    let row = row.clone().touched(before.last_seen(), before.idle_deadline());
    let facts = row.facts();
    query(file, REPLACE)?.execute((
        id,
        bits(facts.version),
        facts.generation,
        facts.remembered,
        bits(facts.created),
        bits(facts.authenticated),
        bits(facts.renewed),
        bits(facts.absolute_deadline),
        bits(row.last_seen()),
        bits(row.idle_deadline()),
        row.label(),
        row.sealed(),
    ))?;
    expire(file, id, &before, &row)?;
    if before.facts().generation < facts.generation {
        news::tell(file, News::renewed(key, facts.generation))?;
    }
    Ok(Replaced::Replaced)
}

pub(super) fn touch(file: &Connection, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<()> {
    let Some((id, before)) = before(file, key)? else { return Ok(()) };
    let row = before.clone().touched(last_seen, idle_deadline);
    query(file, TOUCH)?.execute((id, bits(row.last_seen()), bits(row.idle_deadline())))?;
    expire(file, id, &before, &row)
}

/// The row that a write begins from, without its owner, its label and its data.
fn before(file: &Connection, key: StoreKey) -> Result<Option<(i64, Row)>> {
    let read = |row: &rusqlite::Row<'_>| {
        let times = (number(row, 8)?, number(row, 9)?);
        Ok((row.get(10)?, Row::new(facts(row)?, None, None, &[], times.0, times.1)))
    };
    query(file, FACTS)?.query_row([key.as_bytes()], read).optional()
}

fn expire(file: &Connection, id: i64, before: &Row, row: &Row) -> Result<()> {
    if row.expires_at() != before.expires_at() {
        query(file, EXPIRE)?.execute((id, ordered(row.expires_at())))?;
    }
    Ok(())
}

pub(super) fn delete(file: &Connection, key: StoreKey, tombstone_until: u64) -> Result<bool> {
    let removed: Option<bool> = query(file, DELETE)?.query_row([key.as_bytes()], |row| row.get(0)).optional()?;
    query(file, BURY)?.execute((key.as_bytes(), ordered(tombstone_until)))?;
    if let Some(owned) = removed {
        news::tell(file, News::ended(key, owned))?;
    }
    Ok(removed.is_some())
}

pub(super) fn owned_by(file: &Connection, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>> {
    let mut rows = keyed(file, OWNED, [owner])?;
    rows.retain(|(_, row)| !row.is_expired(now));
    Ok(rows)
}

pub(super) fn end_owner(file: &Connection, owner: &str, except: Option<StoreKey>, tombstone_until: u64) -> Result<u64> {
    let except = except.as_ref().map(StoreKey::as_bytes);
    let until = ordered(tombstone_until);
    let epoch = query(file, NEXT_EPOCH)?.query_row((), |row| number(row, 0))?;
    query(file, BURY_OWNED)?.execute((owner, except, until))?;
    query(file, DELETE_OWNED)?.execute((owner, except))?;
    query(file, SPARE)?.execute((owner, except, bits(epoch)))?;
    query(file, RAISE)?.execute((owner, bits(epoch), until))?;
    news::tell(file, News::owner_ended(owner, epoch))?;
    Ok(epoch)
}

pub(super) fn epoch(file: &Connection) -> Result<u64> {
    query(file, EPOCH)?.query_row((), |row| number(row, 0))
}

pub(super) fn purge(file: &Connection, now: u64, limit: usize) -> Result<usize> {
    // What never ends is stored as the highest number, which has then not come yet.
    let now = ordered(now).min(i64::MAX - 1);
    let removed = PURGES.iter().try_fold(0, |removed, sql| {
        let rest = i64::try_from(limit - removed).unwrap_or(i64::MAX);
        query(file, sql)?.execute((now, rest)).map(|more| removed + more)
    })?;
    Ok(removed + news::purge(file, now, limit - removed)?)
}

pub(super) fn scan(file: &Connection, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>> {
    let after = after.as_ref().map_or(&[][..], |key| key.as_bytes());
    keyed(file, SCAN, (after, i64::try_from(limit).unwrap_or(i64::MAX)))
}

pub(super) fn query<'a>(file: &'a Connection, sql: &str) -> Result<CachedStatement<'a>> {
    file.prepare_cached(sql)
}

fn keyed(file: &Connection, sql: &str, given: impl rusqlite::Params) -> Result<Vec<(StoreKey, Row)>> {
    query(file, sql)?.query_map(given, |row| Ok((StoreKey::from_bytes(row.get(13)?), whole(row)?)))?.collect()
}

fn whole(row: &rusqlite::Row<'_>) -> Result<Row> {
    let wrong =
        |column, kind| move |error: FromSqlError| rusqlite::Error::FromSqlConversionFailure(column, kind, error.into());
    let text = |column| row.get_ref(column)?.as_str_or_null().map_err(wrong(column, Type::Text));
    let sealed = row.get_ref(12)?.as_blob().map_err(wrong(12, Type::Blob))?;
    Ok(Row::new(facts(row)?, text(10)?, text(11)?, sealed, number(row, 8)?, number(row, 9)?))
}

fn facts(row: &rusqlite::Row<'_>) -> Result<Facts> {
    Ok(Facts {
        version: number(row, 0)?,
        generation: row.get(1)?,
        remembered: row.get(2)?,
        epoch: number(row, 3)?,
        created: number(row, 4)?,
        authenticated: number(row, 5)?,
        renewed: number(row, 6)?,
        absolute_deadline: number(row, 7)?,
    })
}

fn number(row: &rusqlite::Row<'_>, column: usize) -> Result<u64> {
    row.get::<_, i64>(column).map(i64::cast_unsigned)
}

/// A number that must come back as it was.
fn bits(number: u64) -> i64 {
    number.cast_signed()
}

/// A time that must compare as it does.
pub(super) fn ordered(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::store::sqlite::schema;

    /// TS-9: no call goes through a whole table, however many sessions there are, nor sorts what it found.
    #[test]
    fn every_statement_uses_an_index() {
        let folder = tempfile::tempdir().unwrap();
        let file = schema::open_writer(&folder.path().join("sessions.db")).unwrap();
        let statements = [
            ROW,
            FACTS,
            OWNED,
            SCAN,
            TAKEN,
            REPLACE,
            EXPIRE,
            TOUCH,
            DELETE,
            DELETE_OWNED,
            BURY_OWNED,
            SPARE,
            EPOCH,
            NEXT_EPOCH,
            OWNERS_EPOCH,
        ];
        for sql in statements.into_iter().chain(PURGES) {
            let mut explain = file.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explain.raw_query().mapped(|row| row.get::<_, String>(3)).collect::<Result<Vec<_>>>().unwrap();
            assert!(plan.iter().any(|step| step.starts_with("SEARCH")), "{sql}: {plan:?}");
            let is_slow = |step: &String| {
                step.contains("TEMP B-TREE") || (step.starts_with("SCAN") && step != "SCAN CONSTANT ROW")
            };
            assert!(!plan.iter().any(is_slow), "{sql}: {plan:?}");
        }
    }
}
