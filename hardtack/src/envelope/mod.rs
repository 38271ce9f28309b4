//! The envelope: the sealed bytes that are the cookie's value. `docs/cookie-format.md` is its manual
//! for readers in other languages; wire format 1 does not change.
//!
//! ```text
//! base64url( version(1) ‖ key id(4) ‖ nonce(24) ‖ ciphertext ‖ tag(16) )
//! plaintext = header ‖ fields ‖ zeros, so that its length is a multiple of 32
//! AAD       = version, key id, realm, purpose and cookie name, each behind its length(2)
//! ```
//!
//! - One decryption attempt, under the key that the key id names (F04, G03). Failure is a typed
//!   [`Reason`]; nothing else is tried (F05).
//! - The associated data ties an envelope to one cookie name, purpose and realm (F03).
//! - Padding hides the exact length; nothing is compressed (F11).

pub(crate) mod header;
mod xaes;

use base64_simd::URL_SAFE_NO_PAD;
use rand::Rng;

pub(crate) use xaes::{NONCE, TAG, Xaes};

use crate::{
    events::Reason,
    fields::Fields,
    keyring::{KEY_ID, Key, KeyId, KeyState, Keyring},
    record::Record,
};

const VERSION: u8 = 1;
const PURPOSE: &str = "session";
const PREFIX: usize = 1 + KEY_ID + NONCE;
const PADDED_TO: usize = 32;

/// The longest value that is looked at: what fits beside a one-letter name into 4,096 bytes.
pub(crate) const MAX_VALUE: usize = 4094;

/// What an envelope is bound to beside its key.
#[derive(Clone)]
pub(crate) struct Binding {
    /// The associated data with zeros in place of the key id.
    aad: Vec<u8>,
}

/// Where the key id stands in the associated data: behind the version and its own length.
const KEY_ID_IN_AAD: usize = 5;
/// The longest associated data: 22 bytes, a realm and a cookie name of at most 256 bytes each.
const MAX_AAD: usize = 544;

impl Binding {
    /// Binds to the realm of an application and to the name of the cookie. Both were validated.
    pub(crate) fn new(realm: &str, cookie_name: &str) -> Self {
        Self::for_purpose(PURPOSE, realm, cookie_name)
    }

    /// As [`new`](Self::new), for another purpose of at most 7 bytes: neither opens as the other.
    pub(crate) fn for_purpose(purpose: &str, realm: &str, cookie_name: &str) -> Self {
        let mut aad = Vec::new();
        for part in [&[VERSION][..], &[0; KEY_ID], realm.as_bytes(), purpose.as_bytes(), cookie_name.as_bytes()] {
            aad.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            aad.extend_from_slice(part);
        }
        Self { aad }
    }

    /// Runs `work` with the associated data for a key, without an allocation.
    fn with_aad<T>(&self, key: KeyId, work: impl FnOnce(&[u8]) -> T) -> T {
        let mut buffer = [0; MAX_AAD];
        let aad = &mut buffer[..self.aad.len()];
        aad.copy_from_slice(&self.aad);
        aad[KEY_ID_IN_AAD..KEY_ID_IN_AAD + KEY_ID].copy_from_slice(&key.0);
        work(aad)
    }
}

/// An envelope that opened.
pub(crate) struct Opened {
    pub(crate) record: Record,
    pub(crate) key: KeyId,
    pub(crate) key_state: KeyState,
}

/// Seals a record under `key`.
pub(crate) fn seal(key: &Key, binding: &Binding, record: &Record) -> Result<String, aws_lc_rs::error::Unspecified> {
    let length = padded(record);
    let mut envelope = Vec::with_capacity(PREFIX + length + TAG);
    envelope.push(VERSION);
    envelope.extend_from_slice(&key.id().0);
    let mut nonce = [0; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    envelope.extend_from_slice(&nonce);
    header::write(&record.header, &mut envelope);
    envelope.extend_from_slice(record.fields.as_bytes());
    envelope.resize(PREFIX + length, 0);
    let tag = binding.with_aad(key.id(), |aad| key.cipher().seal(&nonce, aad, &mut envelope[PREFIX..]))?;
    envelope.extend_from_slice(&tag);
    Ok(base64url_encode(&envelope))
}

/// How long the value is that [`seal`] makes of a record.
pub(crate) fn sealed_size(record: &Record) -> usize {
    URL_SAFE_NO_PAD.encoded_length(PREFIX + padded(record) + TAG)
}

fn padded(record: &Record) -> usize {
    (header::size(&record.header) + record.fields.size()).next_multiple_of(PADDED_TO)
}

/// Opens a cookie's value. Authentic, that is: its clocks are not judged here; `now` decides what a key
/// may do.
pub(crate) fn open(keys: &Keyring, binding: &Binding, value: &[u8], now: u64) -> Result<Opened, Reason> {
    if value.len() > MAX_VALUE {
        return Err(Reason::Malformed);
    }
    let mut envelope = base64url_decode(value).ok_or(Reason::Malformed)?;
    match envelope.first() {
        Some(&VERSION) => {}
        Some(_) => return Err(Reason::UnknownVersion),
        None => return Err(Reason::Malformed),
    }
    let sealed = envelope.len().checked_sub(PREFIX + TAG).ok_or(Reason::Malformed)?;
    if sealed == 0 || sealed % PADDED_TO != 0 {
        return Err(Reason::Malformed);
    }
    let (prefix, body) = envelope.split_at_mut(PREFIX);
    let mut key = KeyId::default();
    let mut nonce = [0; NONCE];
    key.0.copy_from_slice(&prefix[1..1 + KEY_ID]);
    nonce.copy_from_slice(&prefix[1 + KEY_ID..]);
    let key_state = keys.with_key(key, now, |secret, state| {
        let opened = binding.with_aad(key, |aad| secret.cipher().open(&nonce, aad, body));
        opened.map_err(|_| Reason::Forged)?;
        if state == KeyState::Retired {
            secret.count_opened_retired(now);
        }
        Ok(state)
    })?;
    let end = PREFIX + sealed;
    let (header, length) = header::read(&envelope[PREFIX..end]).ok_or(Reason::Invalid)?;
    let fields = Fields::parse(envelope, PREFIX + length..end).ok_or(Reason::Invalid)?;
    Ok(Opened { record: Record { header, fields }, key, key_state })
}

/// Base64url without padding.
pub(crate) fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

/// Base64url without padding, canonical: every byte string has exactly one text.
pub(crate) fn base64url_decode(text: &[u8]) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}
