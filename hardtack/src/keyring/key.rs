//! [`Key`]: one secret, its id, and what is derived from it.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use rand::{TryRng, rngs::SysRng};
use zeroize::Zeroizing;

use crate::{
    derive,
    envelope::{Xaes, base64url_decode, base64url_encode},
    error::BuildError,
};

/// Bytes of a key id.
pub(crate) const KEY_ID: usize = 4;
const TEXT_PREFIX: &str = "htk1_";

/// The public name of a key: the first four bytes of an HKDF of it, written in hexadecimal.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; KEY_ID]);

impl KeyId {
    /// Reads an id back from its eight hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.len() == 2 * KEY_ID && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = u32::from_str_radix(text, 16).ok().filter(|_| digits)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// A secret of 256 random bits. `Debug` shows its id only; the bytes are wiped when it is dropped (F13).
///
/// Its text is `htk1_` and 43 characters of base64url, which secret scanners can be told to look for.
pub struct Key {
    secret: Zeroizing<[u8; 32]>,
    id: KeyId,
    cipher: Xaes,
    opened_retired: AtomicU64,
    last_opened_retired: AtomicU64,
}

impl Key {
    /// A new key from the operating system's random numbers.
    ///
    /// # Errors
    ///
    /// [`BuildError::Random`] when the operating system has none to give.
    pub fn generate() -> Result<Self, BuildError> {
        let mut secret = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut secret[..]).map_err(|_| BuildError::Random)?;
        Self::from_secret(secret)
    }

    /// Reads the text of a key.
    ///
    /// # Errors
    ///
    /// [`BuildError::WeakKey`] for anything else than such a text, a passphrase or a shorter secret for
    /// example (F09): a password that a person made up is not a key.
    pub fn parse(text: &str) -> Result<Self, BuildError> {
        let bytes = text.strip_prefix(TEXT_PREFIX).and_then(|rest| base64url_decode(rest.as_bytes()));
        let secret: [u8; 32] =
            bytes.map(Zeroizing::new).and_then(|bytes| bytes[..].try_into().ok()).ok_or_else(weak)?;
        Self::from_secret(Zeroizing::new(secret))
    }

    /// The text of this key. It is the secret itself: write it to a secret place only.
    pub fn to_secret_text(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{TEXT_PREFIX}{}", base64url_encode(&self.secret[..])))
    }

    /// The public name of this key.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// How many envelopes this process has opened with this key since it retired, and when it did last,
    /// in milliseconds since 1970. When nothing was opened for as long as a session can live, the key may
    /// go.
    pub fn opened_retired(&self) -> (u64, Option<u64>) {
        let last = self.last_opened_retired.load(Ordering::Relaxed);
        (self.opened_retired.load(Ordering::Relaxed), Some(last).filter(|last| *last != 0))
    }

    pub(crate) fn count_opened_retired(&self, now: u64) {
        self.opened_retired.fetch_add(1, Ordering::Relaxed);
        self.last_opened_retired.fetch_max(now, Ordering::Relaxed);
    }

    pub(crate) fn cipher(&self) -> &Xaes {
        &self.cipher
    }

    /// A subkey for another purpose, which `label` names.
    #[cfg(feature = "login")]
    pub(crate) fn derive(&self, label: &[u8], out: &mut [u8]) -> Result<(), aws_lc_rs::error::Unspecified> {
        derive::from_secret(&self.secret, label, out)
    }

    fn from_secret(secret: Zeroizing<[u8; 32]>) -> Result<Self, BuildError> {
        if secret.iter().all(|byte| *byte == secret[0]) {
            return Err(weak());
        }
        let mut id = KeyId::default();
        derive::from_secret(&secret, b"hardtack 1 key id", &mut id.0).map_err(|_| weak())?;
        let mut envelope = Zeroizing::new([0; 32]);
        derive::from_secret(&secret, b"hardtack 1 envelope", &mut envelope[..]).map_err(|_| weak())?;
        let cipher = Xaes::new(&envelope).map_err(|_| weak())?;
        Ok(Self { secret, id, cipher, opened_retired: AtomicU64::default(), last_opened_retired: AtomicU64::default() })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, secret withheld)", self.id)
    }
}

fn weak() -> BuildError {
    BuildError::WeakKey { example: example() }
}

/// A fresh key to paste, for the messages that ask for one.
pub(crate) fn example() -> String {
    Key::generate().map(|key| key.to_secret_text().to_string()).unwrap_or_default()
}
