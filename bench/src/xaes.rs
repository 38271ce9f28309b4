//! XAES-256-GCM (C2SP) over `aws-lc-rs`: the AEAD of the floor.
//!
//! The first twelve bytes of the 24-byte nonce derive a subkey with AES-256-CMAC, the other twelve are the nonce of
//! AES-256-GCM under it.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::cipher::{AES_256, EncryptingKey, UnboundCipherKey};
use aws_lc_rs::error::Unspecified;

/// Bytes of the nonce.
pub const NONCE: usize = 24;
/// Bytes of the tag.
pub const TAG: usize = 16;

/// A key: AES-256's schedule and the CMAC subkey K1, both made once.
pub struct Xaes {
    aes: EncryptingKey,
    k1: [u8; 16],
}

impl Xaes {
    /// Expands a key.
    pub fn new(key: &[u8; 32]) -> Result<Self, Unspecified> {
        let aes = EncryptingKey::ecb(UnboundCipherKey::new(&AES_256, key)?)?;
        let mut block = [0; 16];
        aes.encrypt(&mut block)?;
        let doubled = u128::from_be_bytes(block) << 1;
        let carry = if block[0] & 0x80 == 0 { 0 } else { 0x87 };
        Ok(Self { aes, k1: (doubled ^ carry).to_be_bytes() })
    }

    /// Encrypts in place and answers the tag.
    pub fn seal(&self, nonce: &[u8; NONCE], in_out: &mut [u8]) -> Result<[u8; TAG], Unspecified> {
        let (key, nonce) = self.derive(nonce)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::empty(), in_out)?;
        tag.as_ref().try_into().map_err(|_| Unspecified)
    }

    /// Decrypts `ciphertext ‖ tag` in place and answers the plaintext.
    pub fn open<'a>(&self, nonce: &[u8; NONCE], in_out: &'a mut [u8]) -> Result<&'a mut [u8], Unspecified> {
        let (key, nonce) = self.derive(nonce)?;
        key.open_in_place(nonce, Aad::empty(), in_out)
    }

    fn derive(&self, nonce: &[u8; NONCE]) -> Result<(LessSafeKey, Nonce), Unspecified> {
        let mut blocks = [0; 32];
        for (block, counter) in blocks.chunks_exact_mut(16).zip(1..) {
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(&nonce[..12]);
            block.iter_mut().zip(self.k1).for_each(|(byte, k1)| *byte ^= k1);
        }
        self.aes.encrypt(&mut blocks)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &blocks)?);
        Ok((key, Nonce::try_assume_unique_for_key(&nonce[12..])?))
    }
}

#[cfg(test)]
mod tests {
    use super::Xaes;

    #[test]
    fn the_specification_s_vector_comes_out() {
        let xaes = Xaes::new(&[1; 32]).unwrap();
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        let mut sealed = b"XAES-256-GCM".to_vec();
        let tag = xaes.seal(nonce, &mut sealed).unwrap();
        sealed.extend_from_slice(&tag);
        let hex: String = sealed.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271");
        assert_eq!(xaes.open(nonce, &mut sealed).unwrap(), b"XAES-256-GCM");
    }
}
