//! XAES-256-GCM (C2SP specification `XAES-256-GCM`): AES-256-GCM with a 192-bit nonce, so that random
//! nonces never repeat (F02).
//!
//! The first half of the nonce chooses a key of its own for every message, through AES-256-CMAC as a
//! key derivation function; the second half is the nonce of AES-256-GCM under that key. CMAC of one
//! whole block M is `AES(K, M ⊕ K1)`, and K1 depends on the key alone, so it is computed once.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    error::Unspecified,
};
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a nonce.
pub(crate) const NONCE: usize = 24;
/// Bytes of a tag.
pub(crate) const TAG: usize = 16;

const BLOCK: usize = 16;
const DERIVING: usize = NONCE - NONCE_LEN;

/// A key with its schedule and its CMAC subkey computed.
pub(crate) struct Xaes {
    aes: EncryptingKey,
    k1: Zeroizing<[u8; BLOCK]>,
}

impl Xaes {
    pub(crate) fn new(key: &[u8; 32]) -> Result<Self, Unspecified> {
        let aes = EncryptingKey::ecb(UnboundCipherKey::new(&AES_256, key)?)?;
        let mut l = [0; BLOCK];
        aes.less_safe_encrypt(&mut l, EncryptionContext::None)?;
        let carry = (l[0] >> 7) * 0b1000_0111;
        let k1 = Zeroizing::new((u128::from_be_bytes(l) << 1 ^ u128::from(carry)).to_be_bytes());
        l.zeroize();
        Ok(Self { aes, k1 })
    }

    /// Encrypts `in_out` in place and answers the tag.
    pub(crate) fn seal(&self, nonce: &[u8; NONCE], aad: &[u8], in_out: &mut [u8]) -> Result<[u8; TAG], Unspecified> {
        let (key, nonce) = self.derive(nonce)?;
        let tag = key.seal_in_place_separate_tag(nonce, Aad::from(aad), in_out)?;
        tag.as_ref().try_into().map_err(|_| Unspecified)
    }

    /// Decrypts `in_out`, ciphertext and tag, in place. Its plaintext is all but the last [`TAG`] bytes.
    pub(crate) fn open(&self, nonce: &[u8; NONCE], aad: &[u8], in_out: &mut [u8]) -> Result<(), Unspecified> {
        let (key, nonce) = self.derive(nonce)?;
        key.open_in_place(nonce, Aad::from(aad), in_out).map(|_| ())
    }

    fn derive(&self, nonce: &[u8; NONCE]) -> Result<(LessSafeKey, Nonce), Unspecified> {
        let (deriving, rest) = nonce.split_at(DERIVING);
        let mut key = Zeroizing::new([0; 2 * BLOCK]);
        for (counter, block) in (1..).zip(key.chunks_exact_mut(BLOCK)) {
            block[..4].copy_from_slice(&[0, counter, b'X', 0]);
            block[4..].copy_from_slice(deriving);
            block.iter_mut().zip(self.k1.iter()).for_each(|(byte, k1)| *byte ^= k1);
        }
        self.aes.less_safe_encrypt(&mut key[..], EncryptionContext::None)?;
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &key[..])?);
        Ok((key, Nonce::try_assume_unique_for_key(rest)?))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use shake::{
        Shake128,
        digest::{ExtendableOutput, Update, XofReader},
    };
    use xaes_256_gcm::{
        Xaes256Gcm,
        aead::{Aead, KeyInit, Payload},
    };

    use super::*;

    fn seal(key: &[u8; 32], nonce: &[u8; NONCE], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut sealed = plaintext.to_vec();
        let tag = Xaes::new(key).unwrap().seal(nonce, aad, &mut sealed).unwrap();
        sealed.extend_from_slice(&tag);
        sealed
    }

    /// F01: the two known answers of the specification, one for each value of L's first bit.
    #[test]
    fn the_known_answers_of_the_specification_hold() {
        let nonce = b"ABCDEFGHIJKLMNOPQRSTUVWX";
        assert_eq!(
            hex::encode(seal(&[1; 32], nonce, b"", b"XAES-256-GCM")),
            "ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271"
        );
        assert_eq!(
            hex::encode(seal(&[3; 32], nonce, b"c2sp.org/XAES-256-GCM", b"XAES-256-GCM")),
            "986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d"
        );
    }

    /// F01: the specification's accumulated vector (10,000 random keys, nonces, texts), and on every
    /// one of them the independent `xaes-256-gcm` crate gives the same bytes and we open them.
    #[test]
    fn ten_thousand_messages_agree_with_the_specification_and_with_another_implementation() {
        let mut source = Shake128::default().finalize_xof();
        let mut digest = Shake128::default();
        for _ in 0..10_000 {
            let (mut key, mut nonce, mut length) = ([0; 32], [0; NONCE], [0; 1]);
            source.read(&mut key);
            source.read(&mut nonce);
            source.read(&mut length);
            let mut plaintext = vec![0; usize::from(length[0])];
            source.read(&mut plaintext);
            source.read(&mut length);
            let mut aad = vec![0; usize::from(length[0])];
            source.read(&mut aad);

            let mut sealed = seal(&key, &nonce, &aad, &plaintext);
            let judge = Xaes256Gcm::new(&key.into());
            let payload = Payload { msg: &plaintext, aad: &aad };
            assert_eq!(judge.encrypt(&nonce.into(), payload).unwrap(), sealed);
            digest.update(&sealed);
            Xaes::new(&key).unwrap().open(&nonce, &aad, &mut sealed).unwrap();
            assert_eq!(sealed[..plaintext.len()], plaintext);
        }
        let mut sum = [0; 32];
        digest.finalize_xof().read(&mut sum);
        assert_eq!(hex::encode(sum), "e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939");
    }

    /// F08: after a failed tag nothing of the plaintext is left in the buffer, whichever part was changed.
    #[test]
    fn a_failed_tag_leaves_no_plaintext() {
        let (key, nonce, plaintext) = ([5; 32], [6; NONCE], [0x5a; 96]);
        let sealed = seal(&key, &nonce, b"aad", &plaintext);
        let mut judge = sealed.clone();
        Xaes::new(&key).unwrap().open(&nonce, b"aad", &mut judge).unwrap();
        assert_eq!(judge[..plaintext.len()], plaintext);
        for (at, aad) in [(Some(sealed.len() - 1), &b"aad"[..]), (Some(0), b"aad"), (None, b"add")] {
            let mut changed = sealed.clone();
            if let Some(at) = at {
                changed[at] ^= 1;
            }
            assert!(Xaes::new(&key).unwrap().open(&nonce, aad, &mut changed).is_err());
            assert!(!changed.windows(8).any(|part| part == &plaintext[..8]), "plaintext after a failed tag");
        }
    }
}
