//! Wire format 1 a second time, written from `docs/cookie-format.md` with other crates (RustCrypto's HKDF and
//! `xaes-256-gcm`, `base64`) and without a line of the library. It can also break every rule, to forge.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use hkdf::Hkdf;
use sha2::Sha256;
use xaes_256_gcm::{
    Xaes256Gcm,
    aead::{Aead, KeyInit, Payload},
};

/// The plaintext of an envelope. `fields` are names and JSON texts, as bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plain {
    pub kind: u8,
    pub flags: u8,
    pub id: [u8; 32],
    pub handle: [u8; 16],
    pub generation: u32,
    pub epoch: u64,
    pub shard: u16,
    pub created: u64,
    pub authenticated: u64,
    pub confirmed: u64,
    pub last_seen: u64,
    pub idle_deadline: u64,
    pub absolute_deadline: u64,
    pub version: u64,
    pub owner: Vec<u8>,
    /// In a copy of a stored record alone, as the label.
    pub renewed: u64,
    pub label: Vec<u8>,
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Plain {
    /// A session of `owner` that was made at `now` and lives for an hour, a day at most.
    pub fn of(owner: &str, now: u64) -> Self {
        let signed_in = !owner.is_empty();
        Self {
            kind: if signed_in { 2 } else { 1 },
            flags: 0,
            id: std::array::from_fn(|at| at as u8 + 1),
            handle: std::array::from_fn(|at| at as u8 + 101),
            generation: 0,
            epoch: if signed_in { now } else { 0 },
            shard: 0,
            created: now,
            authenticated: if signed_in { now } else { 0 },
            confirmed: 0,
            last_seen: now,
            idle_deadline: now + 3_600_000,
            absolute_deadline: now + 86_400_000,
            version: 0,
            owner: owner.into(),
            renewed: 0,
            label: Vec::new(),
            fields: Vec::new(),
        }
    }

    pub fn field(mut self, name: &str, json: &str) -> Self {
        self.fields.push((name.into(), json.into()));
        self
    }

    /// Header and fields, without padding.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = vec![self.kind, self.flags];
        out.extend(self.id);
        out.extend(self.handle);
        out.extend(self.generation.to_be_bytes());
        out.extend(&self.epoch.to_be_bytes()[2..]);
        out.extend(self.shard.to_be_bytes());
        for number in [
            self.created,
            self.authenticated,
            self.confirmed,
            self.last_seen,
            self.idle_deadline,
            self.absolute_deadline,
            self.version,
        ] {
            out.extend(&number.to_be_bytes()[2..]);
        }
        out.extend((self.owner.len() as u16).to_be_bytes());
        out.extend(&self.owner);
        if self.kind == 4 {
            out.extend(&self.renewed.to_be_bytes()[2..]);
            out.push(self.label.len() as u8);
            out.extend(&self.label);
        }
        out.extend((self.fields.len() as u16).to_be_bytes());
        for (name, json) in &self.fields {
            out.push(name.len() as u8);
            out.extend(name);
            out.extend((json.len() as u32).to_be_bytes());
            out.extend(json);
        }
        out
    }

    pub fn padded(&self) -> Vec<u8> {
        pad(self.bytes())
    }

    pub fn parse(bytes: &[u8]) -> Self {
        let mut rest = bytes;
        let mut take = |length: usize| {
            let (part, after) = rest.split_at(length);
            rest = after;
            part.to_vec()
        };
        let number = |part: Vec<u8>| part.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        let [kind, flags] = take(2).try_into().unwrap();
        let mut plain = Self { kind, flags, ..Self::of("", 0) };
        plain.id = take(32).try_into().unwrap();
        plain.handle = take(16).try_into().unwrap();
        plain.generation = number(take(4)) as u32;
        plain.epoch = number(take(6));
        plain.shard = number(take(2)) as u16;
        plain.created = number(take(6));
        plain.authenticated = number(take(6));
        plain.confirmed = number(take(6));
        plain.last_seen = number(take(6));
        plain.idle_deadline = number(take(6));
        plain.absolute_deadline = number(take(6));
        plain.version = number(take(6));
        let owner = number(take(2)) as usize;
        plain.owner = take(owner);
        if kind == 4 {
            plain.renewed = number(take(6));
            let label = number(take(1)) as usize;
            plain.label = take(label);
        }
        for _ in 0..number(take(2)) {
            let name = number(take(1)) as usize;
            let name = take(name);
            let json = number(take(4)) as usize;
            plain.fields.push((name, take(json)));
        }
        assert!(rest.len() < 32 && rest.iter().all(|byte| *byte == 0), "padding is zeros, and never too much");
        plain
    }
}

pub fn pad(mut bytes: Vec<u8>) -> Vec<u8> {
    bytes.resize(bytes.len().next_multiple_of(32), 0);
    bytes
}

/// What an envelope is bound to.
#[derive(Clone, Debug)]
pub struct Seal {
    pub version: u8,
    pub key_id: [u8; 4],
    pub key: [u8; 32],
    pub realm: String,
    pub purpose: String,
    pub cookie: String,
}

impl Seal {
    /// The key of this text, and the names of the defaults.
    pub fn new(key_text: &str) -> Self {
        let secret = secret(key_text);
        Self {
            version: 1,
            key_id: derive(&secret, "hardtack 1 key id"),
            key: derive(&secret, "hardtack 1 envelope"),
            realm: String::new(),
            purpose: "session".into(),
            cookie: "__Host-session".into(),
        }
    }

    pub fn aad(&self) -> Vec<u8> {
        let parts =
            [&[self.version][..], &self.key_id, self.realm.as_bytes(), self.purpose.as_bytes(), self.cookie.as_bytes()];
        parts.iter().flat_map(|part| [&(part.len() as u16).to_be_bytes()[..], part].concat()).collect()
    }

    /// The bytes of the envelope.
    pub fn raw(&self, nonce: [u8; 24], plaintext: &[u8]) -> Vec<u8> {
        let payload = Payload { msg: plaintext, aad: &self.aad() };
        let sealed = Xaes256Gcm::new(&self.key.into()).encrypt(&nonce.into(), payload).unwrap();
        [&[self.version][..], &self.key_id, &nonce, &sealed].concat()
    }

    /// The cookie's value.
    pub fn value(&self, nonce: [u8; 24], plaintext: &[u8]) -> String {
        URL_SAFE_NO_PAD.encode(self.raw(nonce, plaintext))
    }

    /// `NAME=VALUE` of a lawful envelope under a fixed nonce.
    pub fn cookie(&self, plain: &Plain) -> String {
        format!("{}={}", self.cookie, self.value([7; 24], &plain.padded()))
    }

    /// Opens `NAME=VALUE`.
    pub fn open(&self, cookie: &str) -> Plain {
        let (name, value) = cookie.split_once('=').unwrap();
        assert_eq!(name, self.cookie);
        let raw = URL_SAFE_NO_PAD.decode(value).unwrap();
        assert_eq!((raw[0], &raw[1..5]), (self.version, &self.key_id[..]));
        let nonce: [u8; 24] = raw[5..29].try_into().unwrap();
        let payload = Payload { msg: &raw[29..], aad: &self.aad() };
        Plain::parse(&Xaes256Gcm::new(&self.key.into()).decrypt(&nonce.into(), payload).unwrap())
    }
}

/// The 32 bytes behind a key's text.
pub fn secret(key_text: &str) -> [u8; 32] {
    URL_SAFE_NO_PAD.decode(key_text.strip_prefix("htk1_").unwrap()).unwrap().try_into().unwrap()
}

/// HKDF-SHA256 without salt.
pub fn derive<const N: usize>(secret: &[u8; 32], label: &str) -> [u8; N] {
    let mut out = [0; N];
    Hkdf::<Sha256>::new(None, secret).expand(label.as_bytes(), &mut out).unwrap();
    out
}

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub fn from_base64url(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).unwrap()
}
