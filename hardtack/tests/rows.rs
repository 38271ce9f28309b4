//! What is in a store, byte by byte, read by a second implementation from `docs/cookie-format.md`; and what
//! somebody can do who reads or writes it (`docs/threat-model.md`).
#![cfg(feature = "axum")]
#![allow(clippy::unwrap_used, missing_docs)]

mod common;
mod independent;

use common::{NOTE, START, wait};
use hardtack::{
    Clock, Device, Key, Keyring, Reason, Sessions,
    store::{Admission, Facts, MemoryStore, Row, Store, StoreKey},
};
use hkdf::Hkdf;
use independent::{Plain, Seal, base64url};
use sha2::{Digest, Sha256};
use xaes_256_gcm::{
    Xaes256Gcm,
    aead::{Aead, KeyInit, Payload},
};

const HOUR: u64 = 3_600_000;

/// Sessions in a store that the test reads and writes behind their back.
struct World {
    sessions: Sessions,
    store: MemoryStore,
    seal: Seal,
    clock: Clock,
}

impl World {
    fn new() -> Self {
        let (store, clock) = (MemoryStore::new(), Clock::manual(START));
        let text = Key::generate().unwrap().to_secret_text();
        let keys = Keyring::new(Key::parse(&text).unwrap(), []).unwrap();
        let sessions = Sessions::stored(keys, store.clone()).clock(clock.clone()).build().unwrap();
        Self { sessions, store, seal: Seal::new(&text), clock }
    }

    /// The cookie of `owner`, who left a note.
    fn sign_in(&self, owner: &str, note: &str) -> String {
        wait(self.sessions.cookie(|session| {
            session.sign_in(owner);
            session.set_label("Firefox on Linux");
            session.set(NOTE, note.to_owned());
        }))
        .unwrap()
    }

    /// Who it is and what the note says, or why it is nobody.
    fn visit(&self, cookie: &str) -> Result<(String, Option<String>), Reason> {
        let session = wait(self.sessions.begin([cookie.as_bytes()]).session()).unwrap();
        session.owner().map(|owner| (owner, session.get(NOTE))).ok_or_else(|| session.refusal().unwrap())
    }

    fn key(&self, cookie: &str) -> StoreKey {
        StoreKey::from_bytes(self.seal.open(cookie).handle)
    }

    fn row(&self, cookie: &str) -> Row {
        wait(self.store.load(self.key(cookie), START)).unwrap().unwrap()
    }

    /// Puts a row under a key, whatever is there, as somebody does who writes to the database.
    fn put(&self, key: StoreKey, row: Row) {
        wait(self.store.delete(key, START)).unwrap();
        wait(self.store.purge(START, 10)).unwrap();
        let admission = Admission { epoch: u64::MAX, limit: None };
        wait(self.store.create(key, row, admission, START)).unwrap();
    }
}

fn expand<const N: usize>(id: &[u8; 32], label: &str) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::from_prk(id).unwrap().expand(label.as_bytes(), &mut out).unwrap();
    out
}

/// The associated data of a row, from the document.
fn associated(key: StoreKey, row: &Row) -> Vec<u8> {
    let facts = row.facts();
    let mut data = key.as_bytes().to_vec();
    data.push(u8::from(facts.remembered));
    data.extend_from_slice(&facts.generation.to_be_bytes());
    for time in [facts.version, facts.created, facts.authenticated, facts.renewed, facts.absolute_deadline] {
        data.extend_from_slice(&time.to_be_bytes());
    }
    for text in [row.owner(), row.label()] {
        let text = text.unwrap_or_default();
        data.extend_from_slice(&(text.len() as u64).to_be_bytes());
        data.extend_from_slice(text.as_bytes());
    }
    data
}

/// C09: a row is what the document says, to an implementation without a line of the library: found by a hash of
/// the id in the cookie, sealed under another, its data in the wire form of the fields.
#[test]
fn a_row_is_read_by_a_second_implementation() {
    let world = World::new();
    let cookie = world.sign_in("ada", "dear diary");
    let envelope = world.seal.open(&cookie);
    assert_eq!((envelope.kind, &envelope.owner[..], envelope.fields.len()), (3, &b""[..], 0));
    assert_eq!(envelope.handle[..14], expand::<16>(&envelope.id, "hardtack 1 handle")[..14]);
    let owner: [u8; 32] = Sha256::digest("ada").into();
    assert_eq!(envelope.handle[14..], (u16::from_be_bytes([owner[0], owner[1]]) % 1024).to_be_bytes());
    assert_eq!(envelope.idle_deadline, envelope.absolute_deadline);

    let (key, row) = (world.key(&cookie), world.row(&cookie));
    assert_eq!((row.owner(), row.label()), (Some("ada"), Some("Firefox on Linux")));
    assert_eq!((row.last_seen(), row.idle_deadline()), (START, START + HOUR));
    let (nonce, sealed) = row.sealed().split_first_chunk::<24>().unwrap();
    let cipher = Xaes256Gcm::new(&expand::<32>(&envelope.id, "hardtack 1 row").into());
    let plain = cipher.decrypt(&(*nonce).into(), Payload { msg: sealed, aad: &associated(key, &row) }).unwrap();
    assert_eq!(&plain[..2], [1, 1], "format 1, one write");
    let expected = [&[0, 1, 4][..], b"note", &12_u32.to_be_bytes(), b"\"dear diary\""].concat();
    assert_eq!(plain[2 + 8..], expected);
}

/// C09, C11: whoever has a dump of the store signs nobody in with anything in it, finds no data in it, and not the id.
#[test]
fn a_reader_of_the_store_signs_nobody_in_and_reads_nothing() {
    let world = World::new();
    let cookie = world.sign_in("ada", "dear diary");
    let id = world.seal.open(&cookie).id;
    for (key, row) in wait(world.store.scan(None, 10)).unwrap() {
        let bytes = [key.as_bytes(), row.sealed()].concat();
        for secret in [&id[..], b"dear diary", b"note"] {
            assert!(!bytes.windows(secret.len()).any(|part| part == secret));
        }
        for value in [base64url(key.as_bytes()), base64url(row.sealed()), base64url(&bytes)] {
            assert!(world.visit(&format!("__Host-session={value}")).is_err());
        }
    }
}

/// A row in which anything was changed that decides who somebody is or for how long makes the visitor nobody: never
/// somebody else, and never an error page. Other sessions are not affected.
#[test]
fn a_row_that_was_changed_does_not_open() {
    let world = World::new();
    let (cookie, other) = (world.sign_in("eve", "mine"), world.sign_in("ada", "hers"));
    let (key, row) = (world.key(&cookie), world.row(&cookie));
    let facts = *row.facts();
    let with = |facts: Facts, owner: Option<&str>, label: Option<&str>, sealed: &[u8]| {
        Row::new(facts, owner, label, sealed, row.last_seen(), row.idle_deadline())
    };
    let same = |facts| with(facts, row.owner(), row.label(), row.sealed());
    let mut flipped = row.sealed().to_vec();
    flipped[30] ^= 1;
    let changed = [
        with(facts, Some("ada"), row.label(), row.sealed()),
        with(facts, Some("eveF"), Some("irefox on Linux"), row.sealed()),
        with(facts, None, row.label(), row.sealed()),
        with(facts, row.owner(), Some("Safari"), row.sealed()),
        with(facts, row.owner(), row.label(), &flipped),
        with(facts, row.owner(), row.label(), &row.sealed()[..row.sealed().len() - 1]),
        with(facts, row.owner(), row.label(), b""),
        same(Facts { absolute_deadline: facts.absolute_deadline + HOUR, ..facts }),
        same(Facts { authenticated: facts.authenticated + 1, ..facts }),
        same(Facts { created: facts.created - 1, ..facts }),
        same(Facts { generation: facts.generation + 1, ..facts }),
        same(Facts { version: facts.version + 1, ..facts }),
        same(Facts { renewed: facts.renewed + 1, ..facts }),
        same(Facts { remembered: true, ..facts }),
        world.row(&other),
    ];
    for (number, changed) in changed.into_iter().enumerate() {
        world.put(key, changed);
        assert_eq!(world.visit(&cookie), Err(Reason::Unreadable), "change {number}");
    }
    assert_eq!(world.visit(&other), Ok(("ada".into(), Some("hers".into()))));
    world.put(key, row);
    assert_eq!(world.visit(&cookie), Ok(("eve".into(), Some("mine".into()))), "the row itself still opens");
}

/// A row that was moved to the key of another session, or two that were exchanged, open for nobody.
#[test]
fn swapped_rows_open_for_nobody() {
    let world = World::new();
    let (eve, ada) = (world.sign_in("eve", "mine"), world.sign_in("ada", "hers"));
    let rows = (world.row(&eve), world.row(&ada));
    world.put(world.key(&eve), rows.1);
    world.put(world.key(&ada), rows.0);
    assert_eq!(world.visit(&eve), Err(Reason::Unreadable));
    assert_eq!(world.visit(&ada), Err(Reason::Unreadable));
}

/// What the threat model admits: a writer of the database keeps a session from becoming idle, not from becoming old.
#[test]
fn a_writer_of_the_store_moves_the_idle_deadline_and_no_other() {
    let world = World::new();
    let cookie = world.sign_in("ada", "hers");
    wait(world.store.touch(world.key(&cookie), START + 23 * HOUR, u64::MAX)).unwrap();
    world.clock.advance(std::time::Duration::from_millis(24 * HOUR - 1));
    assert!(world.visit(&cookie).is_ok());
    world.clock.advance(std::time::Duration::from_millis(1));
    assert!(world.visit(&cookie).is_err());
}

/// The thief of a key forges envelopes, but no envelope opens a row whose id he does not have: not with the handle
/// that a list of devices shows, not with an owner in it.
#[test]
fn a_stolen_key_signs_nobody_in_without_the_id() {
    let world = World::new();
    let cookie = world.sign_in("ada", "hers");
    let lawful = world.seal.open(&cookie);
    let forged = Plain { id: [9; 32], ..lawful.clone() };
    assert_eq!(world.visit(&world.seal.cookie(&forged)), Err(Reason::Unreadable));
    for (kind, reason) in [(2, Reason::WrongKind), (3, Reason::Invalid), (1, Reason::Invalid)] {
        let forged = Plain { kind, owner: b"ada".to_vec(), ..lawful.clone() };
        assert_eq!(world.visit(&world.seal.cookie(&forged)), Err(reason));
    }
    assert_eq!(world.visit(&cookie), Ok(("ada".into(), Some("hers".into()))), "and ends nobody's session by trying");
}

/// E05: a list of devices shows handles and labels and what is needed to choose; a handle ends a session and opens none.
#[test]
fn a_list_of_devices_opens_nothing() {
    let world = World::new();
    let cookie = world.sign_in("ada", "hers");
    let devices: Vec<Device> = wait(world.sessions.of("ada")).unwrap();
    assert_eq!(devices.len(), 1);
    let text = format!("{devices:?}");
    assert!(!text.contains(&base64url(&world.seal.open(&cookie).id)) && !text.contains("hers"));
    assert!(world.visit(&format!("__Host-session={}", devices[0].handle)).is_err());
    wait(world.sessions.end(&devices[0].handle)).unwrap();
    assert_eq!(world.visit(&cookie), Err(Reason::Absent));
}
