//! Subkeys and names out of secrets: HKDF-SHA256, the label is the purpose (F10).

use aws_lc_rs::{
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Prk, Salt},
};

struct Length(usize);

impl KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// HKDF without salt, for a secret of any distribution.
pub(crate) fn from_secret(secret: &[u8; 32], label: &[u8], out: &mut [u8]) -> Result<(), Unspecified> {
    expand(&Salt::new(HKDF_SHA256, &[]).extract(secret), label, out)
}

/// The second half of HKDF, for 256 bits that were random from the start (RFC 5869, section 3.3).
pub(crate) fn from_random(random: &[u8; 32], label: &[u8], out: &mut [u8]) -> Result<(), Unspecified> {
    expand(&Prk::new_less_safe(HKDF_SHA256, random), label, out)
}

fn expand(prk: &Prk, label: &[u8], out: &mut [u8]) -> Result<(), Unspecified> {
    prk.expand(&[label], Length(out.len()))?.fill(out)
}
