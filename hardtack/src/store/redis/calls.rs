//! The calls of the contract, each one command or one script. [`Row`] and the scripts compute alike what the contract
//! says about numbers; the suite compares them.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::atomic::Ordering::Relaxed,
    time::Duration,
};

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::{
    Shared,
    keys::Home,
    link::Fault,
    nodes::Repeat,
    rows::{self, number},
    scripts::Script,
};
use crate::{
    error::StoreError,
    store::{Admission, Beyond, Created, Replaced, Row, StoreKey, feed::News},
};

/// The longest that a call may take, whatever happens.
const LIMIT: Duration = Duration::from_secs(5);
/// How long a logout waits for replicas.
const REPLICAS: u64 = 2_000;
/// How many shards are asked at once by what is about all of them.
pub(super) const AT_ONCE: usize = 32;
/// How many entries of an index a purge looks at in one step of the server.
const LOOKS: usize = 500;

/// Whether a logout waits for replicas.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Durable {
    Yes,
    No,
}

impl Shared {
    pub(super) async fn create(
        &self,
        key: StoreKey,
        row: &Row,
        admission: Admission,
        now: u64,
    ) -> Result<Created, StoreError> {
        self.clock.is(now);
        let (keys, shard) = (&self.keys, self.keys.shard_of(key));
        let mut names = vec![keys.session(key), keys.order(shard), keys.expiry(shard)];
        let mut given = vec![key.as_bytes().to_vec(), rows::encode(row), number(now).into()];
        if let Some(owner) = row.owner() {
            if key.shard() != StoreKey::shard_of(owner) {
                return Err(StoreError::new("the key of the row is not in its owner's shard"));
            }
            names.extend([keys.owner(owner), keys.news(shard), keys.facts(shard)]);
            let (most, beyond) = match admission.limit {
                Some(limit) if limit.beyond == Beyond::Refuse => (limit.most.max(1).to_string(), "refuse"),
                Some(limit) => (limit.most.max(1).to_string(), "end"),
                None => (String::new(), ""),
            };
            given.extend([number(admission.epoch).into(), most.into(), beyond.into(), keys.sessions(shard)]);
            given.push(keys.channel().into());
        }
        let answer = self.run(Home::Shard(shard), &self.scripts.create, &names, &given, Durable::No).await?;
        match &answer {
            Value::Array(parts) => {
                let epoch = parts.get(1).and_then(bytes).and_then(|bytes| bytes.try_into().ok());
                let epoch = epoch.map(u64::from_be_bytes).ok_or_else(unexpected)?;
                self.raise(epoch).await?;
                Ok(Created::OwnerEnded)
            }
            answer => match bytes(answer) {
                Some(b"created") => Ok(Created::Created),
                Some(b"exists") => Ok(Created::Exists),
                Some(b"limit") => Ok(Created::LimitReached),
                _ => Err(unexpected()),
            },
        }
    }

    pub(super) async fn load(&self, key: StoreKey, now: u64) -> Result<Option<Row>, StoreError> {
        self.clock.is(now);
        let row = self.row(key).await?;
        Ok(row.filter(|row| !row.is_expired(now)))
    }

    pub(super) async fn replace(
        &self,
        key: StoreKey,
        version: u64,
        row: &Row,
        now: u64,
    ) -> Result<Replaced, StoreError> {
        self.clock.is(now);
        let (keys, shard, facts) = (&self.keys, self.keys.shard_of(key), row.facts());
        let label = row.label().unwrap_or_default();
        // In a slot that is moved, the fewer names are said the longer a write finds all of them in one place.
        let names = [keys.session(key), keys.expiry(shard)];
        let (times, others) = ([row.last_seen(), row.idle_deadline()].map(number), rows::others(facts));
        let parts: [&[u8]; 6] =
            [&number(now), &number(version), &rows::first(facts), times.as_flattened(), &others, &[label.len() as u8]];
        let rest = [label.as_bytes(), row.sealed()].concat();
        let given = [parts.concat(), rest, key.as_bytes().to_vec(), keys.shard(shard)];
        let answer = self.run(Home::Shard(shard), &self.scripts.replace, &names, &given, Durable::No).await?;
        match bytes(&answer) {
            Some(b"replaced") => Ok(Replaced::Replaced),
            Some(b"conflict") => Ok(Replaced::Conflict),
            Some(b"gone") => Ok(Replaced::Gone),
            _ => Err(unexpected()),
        }
    }

    pub(super) async fn touch(&self, key: StoreKey, last_seen: u64, idle_deadline: u64) -> Result<(), StoreError> {
        let given = [number(last_seen).into(), number(idle_deadline).into()];
        let home = Home::Shard(self.keys.shard_of(key));
        self.run(home, &self.scripts.touch, &[self.keys.session(key)], &given, Durable::No).await.map(drop)
    }

    pub(super) async fn delete(&self, key: StoreKey, tombstone_until: u64) -> Result<bool, StoreError> {
        let (keys, shard) = (&self.keys, self.keys.shard_of(key));
        let names = [keys.session(key), keys.order(shard), keys.expiry(shard), keys.news(shard), keys.facts(shard)];
        let (until, now) = (number(tombstone_until).into(), number(self.clock.now()).into());
        let given = [key.as_bytes().to_vec(), until, now, keys.owners(shard), keys.channel().into()];
        match self.run(Home::Shard(shard), &self.scripts.delete, &names, &given, Durable::Yes).await? {
            Value::Int(removed) => Ok(removed == 1),
            _ => Err(unexpected()),
        }
    }

    pub(super) async fn owned_by(&self, owner: &str, now: u64) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        self.clock.is(now);
        let shard = self.keys.shard_of_owner(owner);
        let (script, names, given) = (&self.scripts.owned_by, [self.keys.owner(owner)], [self.keys.sessions(shard)]);
        let Value::Array(found) = self.run(Home::Shard(shard), script, &names, &given, Durable::No).await? else {
            return Err(unexpected());
        };
        let mut rows = Vec::with_capacity(found.len() / 2);
        for pair in found.chunks_exact(2) {
            let key = bytes(&pair[0]).and_then(|bytes| bytes.try_into().ok()).map(StoreKey::from_bytes);
            let row = decode(bytes(&pair[1]).ok_or_else(unexpected)?)?;
            rows.extend(key.zip(row).filter(|(_, row)| !row.is_expired(now)));
        }
        Ok(rows)
    }

    pub(super) async fn end_owner(
        &self,
        owner: &str,
        except: Option<StoreKey>,
        tombstone_until: u64,
    ) -> Result<u64, StoreError> {
        let (keys, shard) = (&self.keys, self.keys.shard_of_owner(owner));
        let names = [keys.owner(owner), keys.order(shard), keys.expiry(shard), keys.news(shard), keys.facts(shard)];
        loop {
            let epoch = self.next_epoch().await?;
            let given = [
                number(epoch).into(),
                except.map(|key| key.as_bytes().to_vec()).unwrap_or_default(),
                number(tombstone_until).into(),
                number(self.clock.now()).into(),
                keys.sessions(shard),
                owner.into(),
                News::owner_bytes(owner).into(),
                keys.channel().into(),
            ];
            let answer = self.run(Home::Shard(shard), &self.scripts.end_owner, &names, &given, Durable::Yes).await?;
            let known = bytes(&answer).ok_or_else(unexpected)?.try_into().map_or(0, u64::from_be_bytes);
            if known < epoch || known <= self.epoch().await? {
                return Ok(epoch);
            }
            // The counter is behind what it gave: its server lost it. The owner's epoch has not risen, and who signs
            // in on an old one would be let in.
            self.raise(known).await?;
        }
    }

    pub(super) async fn epoch(&self) -> Result<u64, StoreError> {
        let mut command = redis::cmd("GET");
        command.arg(self.keys.epoch());
        match self.send(Home::Epoch, &command, Repeat::Yes).await.map_err(StoreError::new)? {
            Value::Nil => Ok(0),
            value => text(value).and_then(|text| text.parse().ok()).ok_or_else(unexpected),
        }
    }

    async fn next_epoch(&self) -> Result<u64, StoreError> {
        let names = [self.keys.epoch().into_bytes()];
        match self.run(Home::Epoch, &self.scripts.next_epoch, &names, &[], Durable::No).await? {
            Value::Int(epoch) => u64::try_from(epoch).map_err(|_| unexpected()),
            _ => Err(unexpected()),
        }
    }

    /// Sees to it that the counter is not below an epoch that an owner has.
    async fn raise(&self, least: u64) -> Result<(), StoreError> {
        let (names, given) = ([self.keys.epoch().into_bytes()], [least.to_string().into_bytes()]);
        self.run(Home::Epoch, &self.scripts.raise, &names, &given, Durable::No).await.map(drop)
    }

    pub(super) async fn purge(&self, now: u64, limit: usize) -> Result<usize, StoreError> {
        self.clock.is(now);
        let shards = self.keys.shards();
        // Where the last one left off, so that small ones get everywhere.
        let start = self.cursor.fetch_add(1, Relaxed) % shards;
        let mut queue: VecDeque<_> = (0..shards).map(|shard| (start + shard) % shards).collect();
        let mut left = limit;
        while left > 0 && !queue.is_empty() {
            let at_once = AT_ONCE.min(left).min(queue.len());
            let steps = queue.drain(..at_once).map(|shard| self.purge_shard(shard, now, left / at_once));
            for step in join_all(steps.collect::<Vec<_>>()).await {
                let (shard, removed, is_done) = step?;
                left -= removed.min(left);
                if !is_done {
                    queue.push_back(shard);
                }
            }
        }
        Ok(limit - left)
    }

    /// How many were removed from a shard, and whether nothing more is over.
    async fn purge_shard(&self, shard: u16, now: u64, limit: usize) -> Result<(u16, usize, bool), StoreError> {
        let keys = &self.keys;
        let names = [keys.order(shard), keys.expiry(shard), keys.news(shard), keys.published(shard)];
        let given = [
            number(now).into(),
            limit.to_string().into(),
            LOOKS.to_string().into(),
            keys.sessions(shard),
            keys.owners(shard),
        ];
        match self.run(Home::Shard(shard), &self.scripts.purge, &names, &given, Durable::No).await? {
            Value::Array(parts) => match parts[..] {
                [Value::Int(removed), Value::Int(more)] => {
                    Ok((shard, usize::try_from(removed).unwrap_or_default(), more == 0))
                }
                _ => Err(unexpected()),
            },
            _ => Err(unexpected()),
        }
    }

    /// Merges what the shards have: each gives its next names, and what is below the last name of all that have more
    /// is complete.
    pub(super) async fn scan(&self, after: Option<StoreKey>, limit: usize) -> Result<Vec<(StoreKey, Row)>, StoreError> {
        let shards: Vec<u16> = (0..self.keys.shards()).collect();
        let (mut after, mut found) = (after, Vec::new());
        while found.len() < limit {
            let left = limit - found.len();
            let each = (2 * left / shards.len() + 8).min(left);
            let mut names = Vec::new();
            let mut end = None;
            for some in shards.chunks(AT_ONCE) {
                let asked = some.iter().map(|shard| self.names(*shard, after, each));
                for page in join_all(asked).await {
                    let page = page?;
                    if page.len() == each {
                        end = [end, page.last().copied()].into_iter().flatten().min();
                    }
                    names.extend(page);
                }
            }
            names.sort_unstable();
            names.retain(|name| end.is_none_or(|end| *name <= end));
            names.truncate(left);
            let Some(last) = names.last() else { break };
            after = Some(*last);
            let mut rows = BTreeMap::new();
            for some in names.chunks(AT_ONCE) {
                for (name, row) in some.iter().zip(join_all(some.iter().map(|name| self.row(*name))).await) {
                    // One that was deleted meanwhile is not there.
                    rows.extend(row?.map(|row| (*name, row)));
                }
            }
            found.extend(rows);
        }
        Ok(found)
    }

    /// The next names of a shard, in order.
    async fn names(&self, shard: u16, after: Option<StoreKey>, limit: usize) -> Result<Vec<StoreKey>, StoreError> {
        let start = after.map_or_else(|| b"-".to_vec(), |key| [&b"("[..], key.as_bytes()].concat());
        let mut command = redis::cmd("ZRANGE");
        command.arg(self.keys.order(shard)).arg(start).arg("+").arg("BYLEX").arg("LIMIT").arg(0).arg(limit);
        let Value::Array(names) =
            self.send(Home::Shard(shard), &command, Repeat::Yes).await.map_err(StoreError::new)?
        else {
            return Err(unexpected());
        };
        Ok(names.iter().filter_map(|name| Some(StoreKey::from_bytes(bytes(name)?.try_into().ok()?))).collect())
    }

    /// The row under a key, expired or not.
    async fn row(&self, key: StoreKey) -> Result<Option<Row>, StoreError> {
        let mut command = Cmd::with_capacity(2, 64);
        command.arg("GET").arg(self.keys.session(key));
        match self.send(Home::Shard(self.keys.shard_of(key)), &command, Repeat::Yes).await.map_err(StoreError::new)? {
            Value::Nil => Ok(None),
            value => decode(bytes(&value).ok_or_else(unexpected)?),
        }
    }

    /// Runs a script.
    pub(super) async fn run(
        &self,
        home: Home,
        script: &Script,
        names: &[Vec<u8>],
        given: &[Vec<u8>],
        durable: Durable,
    ) -> Result<Value, StoreError> {
        let command = |call: &str, script: &str| {
            let parts = names.iter().chain(given);
            let size = parts.clone().map(Vec::len).sum::<usize>() + script.len() + 16;
            let mut command = Cmd::with_capacity(3 + names.len() + given.len(), size);
            command.arg(call).arg(script).arg(names.len());
            parts.for_each(|part| _ = command.arg(&part[..]));
            command
        };
        if durable == Durable::Yes && self.replicas > 0 {
            // One connection for both, so that the wait is for this write. With its text, because the wait has begun
            // when a server says that it does not know the script.
            let command = command("EVAL", script.text);
            let call = self.nodes.call(home, &command, Repeat::No, Some((self.replicas, REPLICAS)));
            let (answer, replicas) = within(call).await.map_err(StoreError::new)?;
            if replicas < self.replicas {
                let wanted = self.replicas;
                return Err(StoreError::new(format_args!(
                    "done, but only {replicas} of {wanted} replicas have it; a failover may undo it"
                )));
            }
            return Ok(answer);
        }
        match self.send(home, &command("EVALSHA", &script.hash), script.repeat).await {
            Err(Fault::NoScript) => self.send(home, &command("EVAL", script.text), script.repeat).await,
            outcome => outcome,
        }
        .map_err(StoreError::new)
    }

    pub(super) async fn send(&self, home: Home, command: &Cmd, repeat: Repeat) -> Result<Value, Fault> {
        within(self.nodes.call(home, command, repeat, None)).await.map(|(answer, _)| answer)
    }
}

/// Waits no longer than the limit.
async fn within<T>(call: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    match tokio::time::timeout(LIMIT, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Fault::Lost(format!("no answer within {LIMIT:?}"))),
    }
}

fn decode(value: &[u8]) -> Result<Option<Row>, StoreError> {
    rows::decode(value)
        .map_err(|rows::Unknown| StoreError::new("a value is no session; another program writes under this prefix"))
}

pub(super) fn bytes(value: &Value) -> Option<&[u8]> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

/// A value that is text.
pub(super) fn text(value: Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => String::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

pub(super) fn unexpected() -> StoreError {
    StoreError::new("an answer that no server of sessions gives")
}
