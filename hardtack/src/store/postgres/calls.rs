//! The calls of the contract, each one statement.

use std::time::Duration;

use super::{
    driver::{Columns, Driver, Fault, Value},
    statements::Call,
};
use crate::store::{
    Admission, Beyond, Created, Facts, Replaced, Row, StoreKey,
    feed::{News, RETENTION},
};

pub(super) type Answer<T> = Result<T, Fault>;

/// News are kept for so much longer than readers rely on, because the clock of another server may go ahead.
const MARGIN: Duration = Duration::from_secs(5 * 60);

/// And whether others have ended for it.
pub(super) async fn create(
    driver: &impl Driver,
    key: StoreKey,
    row: &Row,
    admission: Admission,
    now: u64,
) -> Answer<(Created, bool)> {
    let facts = row.facts();
    let most = admission.limit.map_or(Value::NoNumber, |limit| Value::Number(limit.most.max(1).into()));
    let given = [
        Value::key(&key),
        Value::number(facts.version),
        Value::Small(facts.generation.cast_signed()),
        Value::Flag(facts.remembered),
        Value::number(facts.epoch),
        Value::number(facts.created),
        Value::number(facts.authenticated),
        Value::number(facts.renewed),
        Value::number(facts.absolute_deadline),
        Value::number(row.last_seen()),
        Value::number(row.idle_deadline()),
        Value::text(row.owner()),
        Value::text(row.label()),
        Value::Bytes(row.sealed()),
        row.owner().map_or(Value::NoNumber, hash_of),
        Value::number(admission.epoch),
        most,
        Value::Flag(admission.limit.is_some_and(|limit| limit.beyond == Beyond::EndOldest)),
        Value::in_order(now),
    ];
    match one(driver, Call::Create, &given).await?.small(0)? {
        0 => Ok((Created::Created, false)),
        1 => Ok((Created::Exists, false)),
        2 => Ok((Created::OwnerEnded, false)),
        3 => Ok((Created::LimitReached, false)),
        4 => Ok((Created::Created, true)),
        other => Err(Fault::new(format_args!("create_session answered {other}; its tables are another program's"))),
    }
}

pub(super) async fn load(driver: &impl Driver, key: StoreKey, now: u64) -> Answer<Option<Row>> {
    let rows = driver.ask(Call::Load, &[Value::key(&key), Value::in_order(now)]).await?;
    rows.first().map(whole).transpose()
}

pub(super) async fn replace(
    driver: &impl Driver,
    key: StoreKey,
    version: u64,
    row: &Row,
    now: u64,
) -> Answer<Replaced> {
    let facts = row.facts();
    let given = [
        Value::key(&key),
        Value::number(version),
        Value::in_order(now),
        Value::number(facts.version),
        Value::Small(facts.generation.cast_signed()),
        Value::Flag(facts.remembered),
        Value::number(facts.created),
        Value::number(facts.authenticated),
        Value::number(facts.renewed),
        Value::number(facts.absolute_deadline),
        Value::number(row.last_seen()),
        Value::number(row.idle_deadline()),
        Value::text(row.label()),
        Value::Bytes(row.sealed()),
    ];
    loop {
        if !driver.ask(Call::Replace, &given).await?.is_empty() {
            return Ok(Replaced::Replaced);
        }
        // Why not? What is there now is as true an answer as what was there then.
        let there = driver.ask(Call::Look, &[Value::key(&key), Value::in_order(now)]).await?;
        match there.first() {
            None => return Ok(Replaced::Gone),
            Some(there) if number(there, 0)? != version => return Ok(Replaced::Conflict),
            // It has come in between.
            Some(_) => {}
        }
    }
}

pub(super) async fn touch(driver: &impl Driver, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Answer<()> {
    let given = [Value::key(&key), Value::number(last_seen), Value::number(idle_deadline)];
    driver.ask(Call::Touch, &given).await.map(|_| ())
}

pub(super) async fn delete(driver: &impl Driver, key: StoreKey, tombstone_until: u64) -> Answer<bool> {
    one(driver, Call::Delete, &[Value::key(&key), Value::number(tombstone_until)]).await?.flag(0)
}

pub(super) async fn owned_by(driver: &impl Driver, owner: &str, now: u64) -> Answer<Vec<(StoreKey, Row)>> {
    keyed(&driver.ask(Call::OwnedBy, &[Value::Bytes(owner.as_bytes()), Value::in_order(now)]).await?)
}

pub(super) async fn end_owner(
    driver: &impl Driver,
    owner: &str,
    except: Option<StoreKey>,
    tombstone_until: u64,
) -> Answer<u64> {
    let given = [
        Value::Bytes(owner.as_bytes()),
        hash_of(owner),
        except.as_ref().map_or(Value::NoBytes, Value::key),
        Value::number(tombstone_until),
    ];
    number(&one(driver, Call::EndOwner, &given).await?, 0)
}

pub(super) async fn epoch(driver: &impl Driver) -> Answer<u64> {
    number(&one(driver, Call::Epoch, &[]).await?, 0)
}

pub(super) async fn purge(driver: &impl Driver, now: u64, limit: usize) -> Answer<usize> {
    let given = [Value::in_order(now), Value::count(limit), Value::number((RETENTION + MARGIN).as_secs())];
    let answer = one(driver, Call::Purge, &given).await?;
    number(&answer, 0).map(|removed| usize::try_from(removed).unwrap_or(usize::MAX))
}

pub(super) async fn scan(driver: &impl Driver, after: Option<StoreKey>, limit: usize) -> Answer<Vec<(StoreKey, Row)>> {
    // Nothing is below what has no bytes.
    let after = after.as_ref().map_or(Value::Bytes(&[]), Value::key);
    keyed(&driver.ask(Call::Scan, &[after, Value::count(limit)]).await?)
}

/// What stands for an owner in a lock and in the feed, the same in every program. Two owners that have one lock wait for
/// each other and nothing worse.
fn hash_of(owner: &str) -> Value<'static> {
    Value::Number(i64::from_be_bytes(News::owner_bytes(owner)))
}

async fn one<D: Driver>(driver: &D, call: Call, given: &[Value<'_>]) -> Answer<D::Answer> {
    let answer = driver.ask(call, given).await?.pop();
    answer.ok_or_else(|| Fault::new(format_args!("{call:?} was answered by nothing; its tables are incomplete")))
}

fn keyed(rows: &[impl Columns]) -> Answer<Vec<(StoreKey, Row)>> {
    let keyed = |row| Ok((key(row)?, whole(row)?));
    rows.iter().map(keyed).collect()
}

fn key(row: &impl Columns) -> Answer<StoreKey> {
    let bytes = row.bytes(13)?.unwrap_or_default().try_into();
    bytes.map(StoreKey::from_bytes).map_err(|_| Fault::new("a row has a key of another length"))
}

fn whole(row: &impl Columns) -> Answer<Row> {
    let facts = Facts {
        version: number(row, 0)?,
        generation: row.small(1)?.cast_unsigned(),
        remembered: row.flag(2)?,
        epoch: number(row, 3)?,
        created: number(row, 4)?,
        authenticated: number(row, 5)?,
        renewed: number(row, 6)?,
        absolute_deadline: number(row, 7)?,
    };
    let sealed = row.bytes(12)?.unwrap_or_default();
    Ok(Row::new(facts, text(row, 10)?, text(row, 11)?, sealed, number(row, 8)?, number(row, 9)?))
}

fn text(row: &impl Columns, column: usize) -> Answer<Option<&str>> {
    let text = row.bytes(column)?.map(std::str::from_utf8).transpose();
    text.map_err(|_| Fault::new("a row has an owner or a label that is no text"))
}

fn number(row: &impl Columns, column: usize) -> Answer<u64> {
    row.number(column).map(i64::cast_unsigned)
}
