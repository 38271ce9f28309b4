//! AES in CBC mode with the padding of PKCS#7, always behind a MAC that was verified first.

use aws_lc_rs::{
    cipher::{
        Algorithm, DecryptionContext, EncryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey,
        UnboundCipherKey,
    },
    error::Unspecified,
    iv::FixedLength,
};

/// Bytes of an initialisation vector.
pub(super) const IV: usize = 16;

/// The ciphertext of a plaintext, which is encrypted in place.
pub(super) fn encrypt(
    algorithm: &'static Algorithm,
    key: &[u8],
    iv: [u8; IV],
    mut plaintext: Vec<u8>,
) -> Result<Vec<u8>, Unspecified> {
    let key = PaddedBlockEncryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key)?)?;
    key.less_safe_encrypt(&mut plaintext, EncryptionContext::Iv128(FixedLength::from(iv)))?;
    Ok(plaintext)
}

/// The plaintext of a ciphertext, which is decrypted in place.
pub(super) fn decrypt<'a>(
    algorithm: &'static Algorithm,
    key: &[u8],
    iv: [u8; IV],
    ciphertext: &'a mut [u8],
) -> Result<&'a [u8], Unspecified> {
    let key = PaddedBlockDecryptingKey::cbc_pkcs7(UnboundCipherKey::new(algorithm, key)?)?;
    Ok(key.decrypt(ciphertext, DecryptionContext::Iv128(FixedLength::from(iv)))?)
}
