//! Between a session's record and its row.
//!
//! ```text
//! sealed    = nonce(24) ‖ ciphertext ‖ tag(16)
//! plaintext = format(1) ‖ count(1) ‖ count × write id(8) ‖ fields
//! ```
//!
//! It is XAES-256-GCM under a key that is derived from the session's id, which the store never sees. The
//! associated data are the store key, the owner, the label and the facts but the epoch: a row that
//! somebody moved to another key, gave another owner or another version does not open. A whole older row of
//! the same session does: who writes to the database can put back what it held.
//!
//! The write ids are those of the latest writes, newest first. They tell a request whether a write
//! whose answer was lost had happened.

use rand::Rng;
use smallvec::SmallVec;
use zeroize::Zeroizing;

use super::{Facts, Row, StoreKey};
use crate::{
    derive,
    envelope::{NONCE, TAG, Xaes},
    fields::Fields,
    record::{Header, Kind, NoRandom, Record, SessionId},
};

const FORMAT: u8 = 1;
/// How many writes a row remembers: a write whose answer was lost is found again when fewer others came
/// after it.
const REMEMBERED: usize = 16;
const WRITE_ID: usize = 8;

/// The ids of the latest writes of a row, newest first.
#[derive(Clone, Default)]
pub(crate) struct Writes(SmallVec<[u64; 2]>);

impl Writes {
    /// One more write.
    pub(crate) fn and(&self, id: u64) -> Self {
        Self(std::iter::once(id).chain(self.0.iter().copied()).take(REMEMBERED).collect())
    }

    /// Whether a row, whose newest version is `newest`, began with the one write of `first`; `None` when nobody
    /// remembers.
    pub(crate) fn began_with(&self, first: &Self, newest: u64) -> Option<bool> {
        first.0.first().and_then(|id| self.wrote(*id, 1, newest))
    }

    /// Whether `id` wrote `version`, when the newest is `newest`; `None` when nobody remembers.
    pub(crate) fn wrote(&self, id: u64, version: u64, newest: u64) -> Option<bool> {
        let age = usize::try_from(newest.checked_sub(version)?).ok()?;
        Some(*self.0.get(age)? == id)
    }
}

/// The row of a record.
pub(crate) fn seal(record: &Record, writes: &Writes) -> Result<Row, NoRandom> {
    let header = &record.header;
    let facts = Facts {
        version: header.version,
        generation: header.generation,
        remembered: header.remembered,
        epoch: header.epoch,
        created: header.created,
        authenticated: header.authenticated,
        renewed: header.renewed,
        absolute_deadline: header.absolute_deadline,
    };
    let (owner, label) = (header.owner.as_deref(), header.label.as_deref());
    let plain = 2 + writes.0.len() * WRITE_ID + record.fields.size();
    let mut sealed = Vec::with_capacity(NONCE + plain + TAG);
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&[FORMAT, writes.0.len() as u8]);
    writes.0.iter().for_each(|id| sealed.extend_from_slice(&id.to_be_bytes()));
    sealed.extend_from_slice(record.fields.as_bytes());
    let aad = associated(header.handle.into(), &facts, owner, label);
    let cipher = cipher(&header.id).ok_or(NoRandom)?;
    let tag = cipher.seal(&nonce, &aad, &mut sealed[NONCE..]).map_err(|_| NoRandom)?;
    sealed.extend_from_slice(&tag);
    Ok(Row::new(facts, owner, label, &sealed, header.last_seen, header.idle_deadline))
}

/// The record in a row, for the session whose envelope this is. `None` when the row is not this session's,
/// was changed, or breaks a rule of the format. The store gave it at `now`.
pub(crate) fn open(row: &Row, envelope: &Header, now: u64) -> Option<(Record, Writes)> {
    let facts = row.facts();
    let (nonce, rest) = row.sealed().split_first_chunk::<NONCE>()?;
    let mut plain = rest.to_vec();
    let aad = associated(envelope.handle.into(), facts, row.owner(), row.label());
    cipher(&envelope.id)?.open(nonce, &aad, &mut plain).ok()?;
    let end = plain.len().checked_sub(TAG)?;
    let [FORMAT, count, ids @ ..] = plain.get(..end)? else { return None };
    let (ids, _) = ids.as_chunks::<WRITE_ID>();
    let writes = ids.get(..usize::from(*count))?.iter().map(|id| u64::from_be_bytes(*id)).collect();
    let start = 2 + usize::from(*count) * WRITE_ID;
    let fields = Fields::parse(plain, start..end)?;
    let header = Header {
        kind: Kind::Stored,
        remembered: facts.remembered,
        id: envelope.id.clone(),
        handle: envelope.handle,
        generation: facts.generation,
        epoch: facts.epoch,
        created: facts.created,
        authenticated: facts.authenticated,
        confirmed: now,
        last_seen: row.last_seen(),
        idle_deadline: row.idle_deadline(),
        absolute_deadline: facts.absolute_deadline,
        version: facts.version,
        owner: row.owner().map(Into::into),
        renewed: facts.renewed,
        label: row.label().map(Into::into),
    };
    Some((Record { header, fields }, Writes(writes)))
}

fn cipher(id: &SessionId) -> Option<Xaes> {
    let mut key = Zeroizing::new([0; 32]);
    derive::from_random(&id.0, b"hardtack 1 row", &mut key[..]).ok()?;
    Xaes::new(&key).ok()
}

fn associated(key: StoreKey, facts: &Facts, owner: Option<&str>, label: Option<&str>) -> SmallVec<[u8; 128]> {
    let Facts { version, generation, remembered, epoch: _, created, authenticated, renewed, absolute_deadline } =
        *facts;
    let mut data = SmallVec::new();
    data.extend_from_slice(key.as_bytes());
    data.push(u8::from(remembered));
    data.extend_from_slice(&generation.to_be_bytes());
    for number in [version, created, authenticated, renewed, absolute_deadline] {
        data.extend_from_slice(&number.to_be_bytes());
    }
    for text in [owner.unwrap_or_default(), label.unwrap_or_default()] {
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}
