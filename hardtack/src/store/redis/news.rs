//! The store's [feed](crate::store::feed), in a stream for each shard.
//!
//! A shard's news are written by the scripts that end something, and a reader asks all shards where they stand; on one
//! server that is one command, in a cluster one for each shard. Beside the news a shard keeps when its feed was born
//! and how many news it was ever told. So a gap is seen whatever made it: whoever knows the first 70 news and finds 5
//! after them is at the end of a feed that was told 75, and anything else means that some were trimmed, or lost with
//! the server's memory, or are from before a backup.
//!
//! Nobody waits inside the server. A message on a channel wakes readers at once; without it they look when their
//! patience is over, and nothing but speed depends on it.

use std::time::Duration;

use futures_util::future::join_all;
use redis::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::{
    RedisStore, Shared,
    calls::{AT_ONCE, Durable, bytes, unexpected},
    keys::Home,
    nodes::Repeat,
    rows::number,
};
use crate::{
    error::StoreError,
    store::feed::{Batch, Cursor, Feed, News, RETENTION},
};

/// How many news of a shard come in one answer.
const PAGE: usize = 5_000;
/// How long a reader that was woken waits for more of the same.
const GATHERING: Duration = Duration::from_millis(2);

/// How far a reader has read a shard. The default is that of a reader that begins.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Place {
    /// When the shard's feed was born, in microseconds of the server's time.
    born: u64,
    /// How many news there were up to here.
    told: u64,
    /// The last one: its id in the stream.
    last: (u64, u64),
}

impl Shared {
    /// Reads all shards to their end. Whether nothing is missing.
    async fn read(&self, places: &mut [Place], begins: bool) -> Result<(Vec<News>, bool), StoreError> {
        let shards: Vec<u16> = (0..self.keys.shards()).collect();
        let size = if self.nodes.is_one() { shards.len() } else { 1 };
        let (mut news, mut complete) = (Vec::new(), true);
        let mut groups: Vec<_> = shards.chunks(size).zip(places.chunks_mut(size)).collect();
        for some in groups.chunks_mut(AT_ONCE) {
            for read in join_all(some.iter_mut().map(|(shards, places)| self.read_some(shards, places, begins))).await {
                let (more, whole) = read?;
                news.extend(more);
                complete &= whole;
            }
        }
        Ok((news, complete))
    }

    /// Reads shards of one slot, or of one server, to their end.
    async fn read_some(
        &self,
        shards: &[u16],
        places: &mut [Place],
        begins: bool,
    ) -> Result<(Vec<News>, bool), StoreError> {
        let names: Vec<_> = shards.iter().flat_map(|shard| [self.keys.news(*shard), self.keys.facts(*shard)]).collect();
        let (mut news, mut complete) = (Vec::new(), true);
        loop {
            let ids = places.iter().map(|place| format!("({}-{}", place.last.0, place.last.1).into_bytes());
            let given: Vec<_> = [PAGE.to_string().into_bytes()].into_iter().chain(ids).collect();
            let home = Home::Shard(shards[0]);
            let Value::Array(answer) = self.run(home, &self.scripts.read_news, &names, &given, Durable::No).await?
            else {
                return Err(unexpected());
            };
            let (now, answers) = answer.split_first().ok_or_else(unexpected)?;
            let now: u64 = decimal(now).ok_or_else(unexpected)?;
            let mut is_whole = true;
            for (place, answer) in places.iter_mut().zip(answers) {
                let page = Page::of(answer).ok_or_else(unexpected)?;
                is_whole &= page.news.len() < PAGE;
                complete &= place.move_on(&page, now, begins);
                for told in page.news {
                    match News::from_bytes(told) {
                        Some(told) => news.push(told),
                        None => complete = false,
                    }
                }
            }
            if is_whole {
                return Ok((news, complete));
            }
        }
    }

    /// All that was published and whose time is not over.
    async fn published(&self, shard: u16) -> Result<(Vec<News>, bool), StoreError> {
        let (mut news, mut complete, mut cursor) = (Vec::new(), true, b"0".to_vec());
        loop {
            let mut command = redis::cmd("ZSCAN");
            command.arg(self.keys.published(shard)).arg(&cursor).arg("COUNT").arg(PAGE);
            let answer = self.send(Home::Shard(shard), &command, Repeat::Yes).await.map_err(StoreError::new)?;
            let Value::Array(parts) = answer else { return Err(unexpected()) };
            let [next, Value::Array(pairs)] = &parts[..] else { return Err(unexpected()) };
            for pair in pairs.chunks_exact(2) {
                match bytes(&pair[0]).and_then(News::from_bytes) {
                    Some(told) => news.push(told),
                    None => complete = false,
                }
            }
            cursor = bytes(next).ok_or_else(unexpected)?.to_vec();
            if cursor == b"0" {
                return Ok((news, complete));
            }
        }
    }
}

/// What a shard answered.
struct Page<'a> {
    born: u64,
    told: u64,
    last: Option<(u64, u64)>,
    news: Vec<&'a [u8]>,
}

impl<'a> Page<'a> {
    fn of(answer: &'a Value) -> Option<Self> {
        let Value::Array(parts) = answer else { return None };
        let [born, told, last, Value::Array(news)] = &parts[..] else { return None };
        let last = std::str::from_utf8(bytes(last)?).ok()?.split_once('-');
        let last = match last {
            Some((time, number)) => Some((time.parse().ok()?, number.parse().ok()?)),
            None => None,
        };
        let news = news.iter().map(bytes).collect::<Option<_>>()?;
        Some(Self { born: decimal(born)?, told: decimal(told)?, last, news })
    }
}

impl Place {
    /// Goes behind a page. Whether nothing is missing before it.
    fn move_on(&mut self, page: &Page<'_>, now: u64, begins: bool) -> bool {
        let (known, at_the_end) = (self.told + page.news.len() as u64, page.news.len() < PAGE);
        let complete = if begins {
            !at_the_end || u128::from(now.saturating_sub(page.born)) >= RETENTION.as_micros()
        } else {
            self.born == page.born && (!at_the_end || known == page.told)
        };
        // How many were told before the beginning is known at its end.
        let told = if at_the_end { page.told } else { known };
        *self = Self { born: page.born, told, last: page.last.unwrap_or(self.last) };
        complete
    }
}

/// Where a reader is, as bytes: four numbers for each shard.
fn cursor(places: &[Place]) -> Cursor {
    let numbers = places.iter().flat_map(|place| [place.born, place.told, place.last.0, place.last.1]);
    Cursor::from_bytes(&numbers.flat_map(number).collect::<Vec<_>>())
}

/// Reads the bytes back; `None` for those of another number of shards.
fn places(cursor: &Cursor, shards: u16) -> Option<Vec<Place>> {
    let (numbers, rest) = cursor.as_bytes().as_chunks::<8>();
    let numbers: Vec<_> = numbers.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect();
    let (places, odd) = numbers.as_chunks::<4>();
    let fits = rest.is_empty() && odd.is_empty() && places.len() == usize::from(shards);
    fits.then(|| {
        places
            .iter()
            .map(|[born, told, time, number]| Place { born: *born, told: *told, last: (*time, *number) })
            .collect()
    })
}

fn decimal(value: &Value) -> Option<u64> {
    std::str::from_utf8(bytes(value)?).ok()?.parse().ok()
}

impl Feed for RedisStore {
    async fn read(&self, after: Option<Cursor>, patience: Duration) -> Result<Batch, StoreError> {
        let (shared, give_up) = (&self.shared, Instant::now() + patience);
        let shards = shared.keys.shards();
        let nowhere = || vec![Place::default(); shards.into()];
        let known = after.as_ref().and_then(|after| places(after, shards)).filter(|places| *places != nowhere());
        let begins = known.is_none();
        let mut places = known.unwrap_or_else(nowhere);
        if !begins && !patience.is_zero() {
            shared.nodes.listen(&shared.keys.channel()).await;
        }
        loop {
            let mut woken = std::pin::pin!(shared.nodes.wake().notified());
            woken.as_mut().enable();
            let (mut news, mut complete) = shared.read(&mut places, begins).await?;
            if begins {
                for shard in 0..shards {
                    let (published, known) = shared.published(shard).await?;
                    news.extend(published);
                    complete &= known;
                }
                // A cursor that nobody can read, or that a gap left, is from before something that is missing.
                complete &= after.is_none();
            } else if !complete {
                // Nothing is known about what comes after a gap, but from the beginning.
                places = nowhere();
            }
            if begins || !news.is_empty() || !complete || Instant::now() >= give_up {
                return Ok(Batch { news, cursor: cursor(&places), complete });
            }
            if timeout_at(give_up, woken).await.is_ok() {
                sleep(GATHERING).await;
            }
        }
    }

    async fn publish(&self, news: Vec<News>, until: u64) -> Result<(), StoreError> {
        let (shared, told) = (&self.shared, news.into_iter().map(News::to_bytes));
        let mut of_shards: Vec<Vec<Vec<u8>>> = vec![Vec::new(); shared.keys.shards().into()];
        for told in told {
            let sum = told.iter().fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add((*byte).into()));
            let shard = sum % of_shards.len();
            of_shards[shard].push(told);
        }
        for (shard, told) in (0..).zip(of_shards).filter(|(_, told)| !told.is_empty()) {
            let keys = &shared.keys;
            let names = [keys.published(shard), keys.news(shard), keys.facts(shard)];
            let mut given = vec![number(until).into(), number(shared.clock.now()).into(), keys.channel().into()];
            given.extend(told);
            shared.run(Home::Shard(shard), &shared.scripts.publish, &names, &given, Durable::Yes).await?;
        }
        Ok(())
    }
}
