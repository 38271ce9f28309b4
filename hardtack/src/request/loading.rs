//! From the presented cookie to a session: the envelope, its clocks, and where the data is in a store the
//! row.

use std::sync::Arc;

use crate::{
    cookie::header::{Candidates, Presented},
    envelope::{self, Opened},
    error::StoreError,
    events::{self, Reason},
    foreign::{Acceptance, Emission, Found, Guest, Sharing},
    keyring::KeyState,
    record::{Header, Kind, Record},
    request::{Jar, Parts, outcome},
    store::{
        Admission, Created,
        feed::News,
        sealing::{self, Writes},
        timed::TimedStore,
    },
    system::{Site, System},
};

/// How long the cookie from before a renewal is still taken, in milliseconds: a minute, for requests that
/// were under way (D10). Afterwards it is a copy in the wrong hands.
const RENEWAL_GRACE: u64 = 60_000;

/// Where a request comes from.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) jar: Jar,
    /// Another site started it.
    pub(crate) cross_site: bool,
}

/// What came with a request.
pub(crate) struct Arrival {
    /// A cookie of ours came.
    pub(crate) presented: bool,
    /// It came under its previous name.
    pub(crate) by_previous_name: bool,
    pub(crate) session: Result<Option<Live>, Reason>,
}

/// A session that lives.
pub(crate) struct Live {
    pub(crate) record: Record,
    /// The latest writes of its row, when it has one.
    pub(crate) stored: Option<Writes>,
    /// The browser needs another cookie for it, changed or not.
    pub(crate) stale: bool,
    /// It was sealed under a key that no longer seals.
    pub(crate) retired: bool,
    /// The store was not asked: it is the copy in its cookie.
    pub(crate) copied: bool,
    /// It is in a foreign cookie, which said this.
    pub(crate) guest: Option<Arc<Guest>>,
    /// Its cookie is from before the password was proved again, a moment ago.
    pub(crate) outdated: bool,
}

impl Live {
    fn in_envelope(opened: Opened) -> Self {
        let retired = opened.key_state == KeyState::Retired;
        Self { retired, ..Self::of(opened.record, None) }
    }

    fn of(record: Record, stored: Option<Writes>) -> Self {
        Self { record, stored, stale: false, retired: false, copied: false, guest: None, outdated: false }
    }

    /// It came in a cookie that another one takes the place of.
    fn moved(record: Record, stored: Option<Writes>) -> Self {
        Self { stale: true, ..Self::of(record, stored) }
    }

    /// As the store would give it. Which writes made its row, a copy does not know.
    fn copy(opened: Opened) -> Self {
        let mut live = Self::in_envelope(opened);
        live.record.header.kind = Kind::Stored;
        live.stored = Some(Writes::default());
        live.copied = true;
        live
    }
}

/// Opens what was presented where all of a session is in its envelope.
pub(crate) fn arrive(system: &System, source: Source, presented: &Presented, now: u64) -> Arrival {
    if let Some(emission) = &system.emission {
        return emitted(system, emission, presented, now);
    }
    if let Some(record) = acceptance(system, source, presented).and_then(|found| found.open(system, presented, now)) {
        let over = system.revocations.has_ended(&record.header);
        let session = if over { Err(Reason::Ended) } else { Ok(Some(Live::moved(record, None))) };
        return Arrival { presented: false, by_previous_name: false, session };
    }
    let (arrival, envelopes) = open(system, source.jar, presented, now);
    let session = envelopes.and_then(|envelopes| {
        if envelopes.rivals.is_empty() { Ok(envelopes.first.map(Live::in_envelope)) } else { Err(Reason::Conflict) }
    });
    Arrival { session, ..arrival }
}

/// Opens what was presented and asks the store about sessions that are kept there: about each of them, or only
/// where a copy cannot be trusted.
pub(crate) async fn arrive_from(
    system: &System,
    store: &TimedStore,
    trusts_copies: bool,
    source: Source,
    presented: &Presented,
    now: u64,
) -> Result<Arrival, StoreError> {
    if let Some(acceptance) = acceptance(system, source, presented)
        && let Some(record) = acceptance.fetch(system, presented, now).await?
    {
        let session = accept(system, store, acceptance, record, now).await?.map(Some);
        return Ok(Arrival { presented: false, by_previous_name: false, session });
    }
    let jar = source.jar;
    let (arrival, envelopes) = open(system, jar, presented, now);
    let envelopes = match envelopes {
        Ok(envelopes) => envelopes,
        Err(reason) => return Ok(Arrival { session: Err(reason), ..arrival }),
    };
    let (mut live, mut refused) = (None, None);
    for opened in envelopes.first.into_iter().chain(envelopes.rivals) {
        let header = &opened.record.header;
        let found = if header.kind == Kind::Anonymous {
            Ok(Live::in_envelope(opened))
        } else if header.kind == Kind::Hybrid && trusts_copies && system.trusts(header, now) {
            Ok(Live::copy(opened))
        } else {
            fetch(system, store, jar, opened, now).await?
        };
        match found {
            Ok(_) if live.is_some() => return Ok(Arrival { session: Err(Reason::Conflict), ..arrival }),
            Ok(found) => live = Some(found),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    let session = match (live, refused) {
        (None, Some(reason)) => Err(reason),
        (live, _) => Ok(live),
    };
    Ok(Arrival { session, ..arrival })
}

/// The session in the only cookie there is, which is foreign.
fn emitted(system: &System, emission: &Emission, presented: &Presented, now: u64) -> Arrival {
    let session = emission.open(presented, now).and_then(|found| {
        let Some((record, guest)) = found else { return Ok(None) };
        if system.revocations.has_ended(&record.header) {
            return Err(why_ended(system, &record.header, Reason::Ended, now));
        }
        let stale = guest.is_to_be_resent();
        let guest = Some(Arc::new(Guest::Cookie(guest)));
        Ok(Some(Live { stale, guest, ..Live::of(record, None) }))
    });
    let presented = !presented.present.is_empty() || !presented.foreign().is_empty();
    Arrival { presented, by_previous_name: false, session }
}

/// The session whose row Express has too.
pub(crate) async fn arrive_shared(
    system: &System,
    sharing: Option<&Sharing>,
    presented: &Presented,
    now: u64,
) -> Result<Arrival, StoreError> {
    let arrival = Arrival { presented: !presented.present.is_empty(), by_previous_name: false, session: Ok(None) };
    let Some(sharing) = sharing else { return Ok(arrival) };
    let Found { record, row, retired } = match sharing.open(presented, now).await? {
        Ok(Some(found)) => found,
        session => return Ok(Arrival { session: session.map(|_| None), ..arrival }),
    };
    let guest = Some(Arc::new(row));
    if system.revocations.has_ended(&record.header) {
        // Express wrote it back: a request of its own was under way when the session ended.
        sharing.shelf(system, Parts { guest, jar: Jar::default(), now }).delete(&record.header).await?;
        let reason = why_ended(system, &record.header, Reason::Ended, now);
        return Ok(Arrival { session: Err(reason), ..arrival });
    }
    let live = Live { retired, guest, ..Live::of(record, Some(Writes::default())) };
    Ok(Arrival { session: Ok(Some(live)), ..arrival })
}

/// Who accepts foreign cookies, when nothing of ours came.
fn acceptance<'a>(system: &'a System, source: Source, presented: &Presented) -> Option<&'a Acceptance> {
    let is_nobodys = presented.present.is_empty() && presented.previous.is_none();
    system.acceptance.as_ref().filter(|_| is_nobodys && !source.cross_site)
}

/// Makes the session that a foreign cookie becomes, or finds the one that it has become.
async fn accept(
    system: &System,
    store: &TimedStore,
    acceptance: &Acceptance,
    record: Record,
    now: u64,
) -> Result<Result<Live, Reason>, StoreError> {
    let header = &record.header;
    if header.kind == Kind::Anonymous {
        return Ok(Ok(Live::moved(record, None)));
    }
    if let Some(row) = store.load(header.handle.into(), now).await? {
        return Ok(match sealing::open(&row, header, now) {
            Some((found, writes)) => {
                system.lifetime.check(&found.header, now).map(|()| Live::moved(found, Some(writes)))
            }
            None => Err(Reason::Unreadable),
        });
    }
    if !acceptance.remember(store, header, now).await? {
        return Ok(Err(Reason::Ended));
    }
    migrate(system, store, record, now).await
}

/// The sessions that opened, each with the newest of its envelopes.
#[derive(Default)]
struct Envelopes {
    first: Option<Opened>,
    /// Others than the first. Two that live mean that somebody planted one of them (B02).
    rivals: Vec<Opened>,
}

#[inline]
fn open(system: &System, jar: Jar, presented: &Presented, now: u64) -> (Arrival, Result<Envelopes, Reason>) {
    let Presented { present, previous, .. } = presented;
    let site = system.site(jar.loopback);
    let mut arrival = Arrival { presented: !present.is_empty(), by_previous_name: false, session: Ok(None) };
    let envelopes = match (previous, system.previous(now)) {
        (Some(previous), Some(site)) if present.is_empty() => {
            arrival.by_previous_name = true;
            open_each(system, site, previous, now)
        }
        _ => open_each(system, site, present, now),
    };
    (arrival, envelopes)
}

#[inline]
fn open_each(system: &System, site: &Site, candidates: &Candidates, now: u64) -> Result<Envelopes, Reason> {
    let mut envelopes = Envelopes::default();
    let mut refused = None;
    for value in candidates.iter() {
        match open_live(system, site, value, now) {
            Ok(opened) => envelopes.add(opened),
            Err(reason) => refused = refused.or(Some(reason)),
        }
    }
    match refused {
        Some(reason) if envelopes.first.is_none() => Err(reason),
        _ => Ok(envelopes),
    }
}

impl Envelopes {
    fn add(&mut self, opened: Opened) {
        let Some(first) = &mut self.first else {
            self.first = Some(opened);
            return;
        };
        let header = &opened.record.header;
        let same = std::iter::once(first).chain(&mut self.rivals).find(|known| known.record.header.id == header.id);
        match same {
            Some(known) if newness(&known.record.header) >= newness(header) => {}
            Some(known) => *known = opened,
            None => self.rivals.push(opened),
        }
    }
}

fn newness(header: &Header) -> (bool, u32, u64, u64) {
    (header.kind != Kind::Anonymous, header.generation, header.version, header.last_seen)
}

fn open_live(system: &System, site: &Site, value: &[u8], now: u64) -> Result<Opened, Reason> {
    let opened = envelope::open(&system.keys, &site.binding, value, now)?;
    let header = &opened.record.header;
    if !system.accepts(header.kind, now) {
        return Err(Reason::WrongKind);
    }
    if matches!(header.kind, Kind::Stored | Kind::Hybrid) {
        return system.lifetime.check_absolute(header, now).map(|()| opened);
    }
    system.lifetime.check(header, now)?;
    if system.revocations.has_ended(header) { Err(why_ended(system, header, Reason::Ended, now)) } else { Ok(opened) }
}

fn why_ended(system: &System, header: &Header, otherwise: Reason, now: u64) -> Reason {
    if system.superseded.contains(header.handle, now) { Reason::Superseded } else { otherwise }
}

/// The session in the store that an envelope names.
async fn fetch(
    system: &System,
    store: &TimedStore,
    jar: Jar,
    opened: Opened,
    now: u64,
) -> Result<Result<Live, Reason>, StoreError> {
    let envelope = &opened.record.header;
    let migrating = envelope.kind == Kind::Stateless;
    let Some(row) = store.load(envelope.handle.into(), now).await? else {
        if migrating {
            return migrate(system, store, opened.record, now).await;
        }
        return Ok(Err(why_ended(system, envelope, Reason::Absent, now)));
    };
    let Some((mut record, writes)) = sealing::open(&row, envelope, now) else { return Ok(Err(Reason::Unreadable)) };
    let mut stale = match (&system.hybrid, envelope.kind) {
        (Some(hybrid), Kind::Hybrid) => envelope.version != record.header.version || !hybrid.trusts(envelope, now),
        // A copy that has room again comes back.
        (Some(_), _) => migrating || outcome::copy_fits(system, jar, &record),
        (None, kind) => kind != system.recorded,
    };
    let header = &mut record.header;
    if let Err(reason) = system.lifetime.check(header, now) {
        return Ok(Err(reason));
    }
    let mut outdated = false;
    if !migrating && envelope.generation < header.generation {
        let previous = envelope.generation.saturating_add(1) == header.generation;
        if !previous || now.saturating_sub(header.renewed) >= RENEWAL_GRACE {
            store.delete(header.handle.into(), header.absolute_deadline).await?;
            system.tell(News::ended(header.handle.into(), header.owner.is_some()), now);
            events::ended(header.handle);
            return Ok(Err(Reason::Reused));
        }
        // Who proved the password got the new cookie. Whoever has the old one may be somebody else.
        outdated = header.authenticated == header.renewed;
        stale = true;
    }
    // A cookie that is ahead of its row was answered for; the store has lost that write.
    header.generation = header.generation.max(envelope.generation);
    let retired = opened.key_state == KeyState::Retired;
    Ok(Ok(Live { stale, retired, outdated, ..Live::of(record, Some(writes)) }))
}

/// Moves a session into the store under its own id, once: where it was ended, a tombstone refuses it.
async fn migrate(
    system: &System,
    store: &TimedStore,
    mut record: Record,
    now: u64,
) -> Result<Result<Live, Reason>, StoreError> {
    record.header.kind = system.recorded;
    record.header.version = 1;
    record.header.confirmed = now;
    record.header.epoch = 0;
    let write = rand::random();
    let writes = Writes::default().and(write);
    let Ok(row) = sealing::seal(&record, &writes) else { return Err(StoreError::new("no random numbers")) };
    // An owner whose sessions were ever ended here has signed in again since, into the store.
    let admission = Admission { epoch: 0, limit: None };
    Ok(match store.create(record.header.handle.into(), row, admission, now).await? {
        Created::Created => Ok(Live::moved(record, Some(writes))),
        Created::Exists => match store.load(record.header.handle.into(), now).await? {
            Some(row) => sealing::open(&row, &record.header, now)
                .map(|(record, writes)| Live::moved(record, Some(writes)))
                .ok_or(Reason::Unreadable),
            None => Err(Reason::Ended),
        },
        Created::OwnerEnded | Created::LimitReached => Err(Reason::Ended),
    })
}
