//! The store's [feed](crate::store::feed), in tables of the same file.
//!
//! One transaction writes at a time, so news are numbered in the order in which they are committed. A reader looks
//! at the news first and then at how far they were trimmed: so a gap is told too often rather than never.

use rusqlite::{Connection, OptionalExtension, Result};

use super::calls::{ordered, query};
use crate::store::feed::{Batch, Cursor, News, RETENTION};

const TELL: &str = "INSERT INTO news (at, told) VALUES (unixepoch(), ?1)";
const KEEP: &str = "INSERT INTO revoked (told, until) VALUES (?1, ?2) \
    ON CONFLICT DO UPDATE SET until = max(until, excluded.until)";
const AFTER: &str = "SELECT seq, told FROM news WHERE seq > ?1 ORDER BY seq";
const KEPT: &str = "SELECT told FROM revoked";
const STATE: &str = "SELECT trimmed, unixepoch() - born FROM feed WHERE one = 1";
const LAST: &str = "SELECT seq FROM sqlite_sequence WHERE name = 'news'";
const TRIM: &str = "DELETE FROM news WHERE seq IN (SELECT seq FROM news WHERE at <= unixepoch() - ?1 LIMIT ?2) \
    RETURNING seq";
const TRIMMED: &str = "UPDATE feed SET trimmed = max(trimmed, ?1)";
const FORGET: &str = "DELETE FROM revoked WHERE told IN (SELECT told FROM revoked WHERE until <= ?1 LIMIT ?2)";

/// Writes news down, in the transaction of what they tell of.
pub(super) fn tell(file: &Connection, news: News) -> Result<()> {
    query(file, TELL)?.execute([news.to_bytes()]).map(drop)
}

pub(super) fn publish(file: &Connection, news: &[News], until: u64) -> Result<()> {
    for news in news {
        query(file, KEEP)?.execute((news.to_bytes(), ordered(until)))?;
        tell(file, *news)?;
    }
    Ok(())
}

pub(super) fn read(file: &Connection, after: Option<u64>) -> Result<Batch> {
    let mut complete = true;
    let mut news = Vec::new();
    let mut take = |told: Vec<u8>| match News::from_bytes(&told) {
        Some(told) => news.push(told),
        None => complete = false,
    };
    let mut next = after.unwrap_or(0);
    let mut rows = query(file, AFTER)?;
    let mut rows = rows.query([number(next)])?;
    while let Some(row) = rows.next()? {
        next = row.get::<_, i64>(0)?.cast_unsigned();
        take(row.get(1)?);
    }
    if after.is_none() {
        let mut kept = query(file, KEPT)?;
        let mut kept = kept.query(())?;
        while let Some(row) = kept.next()? {
            take(row.get(0)?);
        }
    }
    let (trimmed, age): (i64, i64) = query(file, STATE)?.query_row((), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let last: Option<i64> = query(file, LAST)?.query_row((), |row| row.get(0)).optional()?;
    let last = last.unwrap_or(0).cast_unsigned();
    complete &= match after {
        // Beyond the last is a file that was put back to an older state.
        Some(after) => trimmed.cast_unsigned() <= after && after <= last,
        None => age.cast_unsigned() >= RETENTION.as_secs(),
    };
    if !complete {
        next = last;
    }
    Ok(Batch { news, cursor: Cursor::from_bytes(&next.to_be_bytes()), complete })
}

/// Removes what was kept long enough: up to `limit` pieces.
pub(super) fn purge(file: &Connection, now: i64, limit: usize) -> Result<usize> {
    let mut trim = query(file, TRIM)?;
    let kept = number(RETENTION.as_secs());
    let trimmed = trim.query_map((kept, number(limit as u64)), |row| row.get(0))?.collect::<Result<Vec<i64>>>()?;
    if let Some(highest) = trimmed.iter().max() {
        query(file, TRIMMED)?.execute([highest])?;
    }
    let rest = number((limit - trimmed.len()) as u64);
    Ok(trimmed.len() + query(file, FORGET)?.execute((now, rest))?)
}

fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
